"""What an activity reads before author code runs: what reads differently than approved is held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from temporalio.client import Client

from activities.evaluation import load
from activities.outside import Outside
from core import Domains
from core.audit import MutationRecord
from core.errors import InvalidValue, UnknownMutation, UnknownState
from core.governance.lifecycle import submit
from core.governance.request import MutationRequest, Wish, WishedMutation
from store import MemoryStore
from tests.support import box
from tests.support.people import PEOPLE

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def outside() -> Outside:
    return Outside(
        store=MemoryStore(),
        domains=Domains([box.domain]),
        directory=lambda: PEOPLE,
        client=cast("Client", None),
    )


def asked(state_id: str = "box/a", type_: str = "Add", **parameters: int | str) -> MutationRequest:
    wish = Wish(
        state_id=state_id,
        mutations=(WishedMutation(type=type_, parameters={"key": "x", **parameters}),),
        actor_id="ana",
    )
    return submit("r", wish, NOON, expires_in=timedelta(days=1))


def test_what_was_assessed_reads_the_same_again(outside: Outside) -> None:
    wished = asked()

    first = load(outside, wished, None)
    again = load(outside, wished.model_copy(update={"mutations": first.records}), None)

    assert again.records == first.records
    assert again.records[0].parameters == {"key": "x", "amount": 1}


def test_g15_a_mutation_that_reads_differently_than_it_was_approved_is_held(
    outside: Outside,
) -> None:
    record = MutationRecord(
        type="Add", schema_version=1, parameters={"key": "x"}, digest="v1:sha256:of-then"
    )

    with pytest.raises(InvalidValue, match="no longer read as it was"):
        load(outside, asked().model_copy(update={"mutations": (record,)}), None)


def test_what_is_unknown_is_named(outside: Outside) -> None:
    with pytest.raises(UnknownMutation, match="has no mutation Explode"):
        load(outside, asked(type_="Explode"), None)
    with pytest.raises(UnknownState, match="box/no-such"):
        load(outside, asked("box/no-such"), None)
