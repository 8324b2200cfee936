"""What an activity reads before author code runs, and what of that code's failures may pass."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from temporalio.client import Client

from activities.evaluation import Evaluation, evaluate, load
from activities.outside import Outside
from core import (
    Domains,
    ExecutionResult,
    Facts,
    Mode,
    Observer,
    Options,
    Outcome,
    Policy,
    PolicyDecision,
    allow,
    amend,
    policy,
)
from core.audit import MutationRecord
from core.context import ExecutionContext
from core.errors import InvalidValue, UnknownMutation, UnknownState
from core.governance.lifecycle import submit
from core.governance.request import MutationRequest, Snapshot, Wish, WishedMutation
from core.mutation import Mutation
from store import MemoryStore
from tests.support import box
from tests.support.people import PEOPLE

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ASSESSED = Snapshot(version=0, state_digest="s", effect_digest="e", policy_set_digest="p")


@pytest.fixture
def outside() -> Outside:
    return Outside(
        store=MemoryStore(),
        domains=Domains([box.domain]),
        directory=lambda: PEOPLE,
        client=cast("Client", None),
    )


def asked(state_id: str = "box/a", type_: str = "Add", **parameters: int | str) -> MutationRequest:
    return submitted(
        WishedMutation(type=type_, parameters={"key": "x", **parameters}), state_id=state_id
    )


def submitted(*mutations: WishedMutation, state_id: str = "box/a") -> MutationRequest:
    wish = Wish(state_id=state_id, mutations=mutations, actor_id="ana")
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

    waiting = asked().model_copy(update={"mutations": (record,), "snapshot": ASSESSED})

    with pytest.raises(InvalidValue, match="no longer read as it was"):
        load(outside, waiting, None)


def test_who_names_a_schema_version_may_leave_defaults_out(outside: Outside) -> None:
    wish = WishedMutation(type="Add", schema_version=1, parameters={"key": "x"})

    loaded = load(outside, submitted(wish), None)

    assert loaded.records[0].parameters == {"key": "x", "amount": 1}


def test_what_is_unknown_is_named(outside: Outside) -> None:
    with pytest.raises(UnknownMutation, match="has no mutation Explode"):
        load(outside, asked(type_="Explode"), None)
    with pytest.raises(UnknownState, match="box/no-such"):
        load(outside, asked("box/no-such"), None)


def amending(paths: dict[str, object], asked_for: list[str]) -> Policy:
    """Make a policy that amends, and notes how often it was asked."""

    @policy()
    def meddling(mutation: Mutation[box.Box], *_: object) -> PolicyDecision:
        asked_for.append(type(mutation).__name__)
        return amend(paths)

    return meddling


def evaluated(*policies: Policy, **more: Any) -> Evaluation:
    """Evaluate a request in a domain that holds what raises."""
    outside = Outside(
        store=MemoryStore(),
        domains=Domains([box.make("held", policies=policies, on_error="hold", **more)]),
        directory=lambda: PEOPLE,
        client=cast("Client", None),
    )
    request = asked("held/a")
    return evaluate(
        outside,
        request,
        load(outside, request, None),
        facts=Facts(NOON),
        mode=Mode.SIMULATE,
        directory=PEOPLE,
    )


@pytest.mark.parametrize(
    ("paths", "code"),
    [({"/numbers/x": 7}, "policy_conflict"), ({"/nowhere/at/all": 7}, "policy_failed")],
)
def test_g8_what_policies_contradict_is_a_no_that_is_neither_tried_again_nor_held(
    paths: dict[str, object], code: str
) -> None:
    asked_for: list[str] = []

    found = evaluated(amending(paths, asked_for))

    no = found.assessment.rejection
    assert no is not None
    assert (no.category, no.code) == ("policy", code)
    assert no.metadata["policies"] == ["meddling"]
    assert no.metadata["path"] in {*paths, "/nowhere", "/nowhere/at"}
    assert asked_for == ["Add"]
    assert found.held is None


def test_g8_what_author_code_raises_is_tried_once_more_and_held_where_the_domain_says_so() -> None:
    box.KNOBS.raises = 1
    assert evaluated().assessment.rejection is None

    box.KNOBS.raises = 2
    found = evaluated()

    assert found.held == "RuntimeError: author code is broken"
    assert box.KNOBS.raises == 0


def test_g3_what_a_policy_does_to_the_state_is_refused_by_name_and_not_tried_again() -> None:
    asked_for: list[str] = []

    @policy()
    def meddling(mutation: Mutation[box.Box], state: box.Box, *_: object) -> PolicyDecision:
        asked_for.append(type(mutation).__name__)
        state.numbers["y"] = 7
        return allow()

    found = evaluated(meddling)

    assert found.held == (
        "A policy, `check` or `apply` altered /numbers of the state in place; "
        "it must answer something new instead."
    )
    assert asked_for == ["Add"]


def test_the_digest_of_the_state_that_was_judged_stands_in_the_audit_entry() -> None:
    found = evaluated()

    assert found.result.audit.state_digest == found.loaded.stored.digest


class Noting(Observer):
    """Keeps what it sees of a run, after what it is told to do."""

    def __init__(self, doing: Callable[[], object] = lambda: None) -> None:
        self.doing = doing
        self.seen: list[tuple[str, Outcome]] = []

    def after(self, result: ExecutionResult[Any], run: ExecutionContext) -> None:
        self.seen.append((result.audit.subject.state_id, result.outcome))
        self.doing()

    def failed(self, result: ExecutionResult[Any], run: ExecutionContext) -> None:
        self.seen.append((result.audit.subject.state_id, result.outcome))
        self.doing()


def broken() -> None:
    raise RuntimeError("blind")


def test_the_observers_of_a_domain_watch_its_runs_and_are_logged_where_they_raise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sees, blind = Noting(), Noting(broken)

    found = evaluated(observers=[sees, blind])

    assert sees.seen == blind.seen == [("held/a", Outcome.SIMULATED)]
    assert found.result.is_success
    assert [r.getMessage() for r in caplog.records] == [
        "An observer of r raised: Noting: RuntimeError: blind"
    ]


def test_observers_see_that_a_run_never_came_back_and_are_left_behind_themselves() -> None:
    over = threading.Event()
    sees, stays = Noting(), Noting(lambda: over.wait(60))

    @policy()
    def stuck(*_: object) -> PolicyDecision:
        over.wait(60)
        return allow()

    try:
        seen = evaluated(stuck, observers=[sees], options=Options(timeout=0.1))
        alone = evaluated(stuck, observers=[stays], options=Options(timeout=0.1))
    finally:
        over.set()

    assert seen.result.outcome is alone.result.outcome is Outcome.TIMED_OUT
    assert sees.seen[0] == stays.seen[0] == ("held/a", Outcome.TIMED_OUT)
