"""A wish is read before it is sent, by the rules of the workflow."""

from __future__ import annotations

from typing import Any

import pytest

from client.wish import payload_of, start_of
from core.errors import InvalidParameters, TooLarge
from core.governance.request import Wish, WishedMutation
from tests.support.box import Add
from wire.messages import MAX_START


def payload(**more: Any) -> dict[str, Any]:
    return payload_of("box/1", Add(key="a", amount=2), actor_id="ana", **more)


def test_a_mutation_at_hand_is_written_by_its_name_version_and_parameters() -> None:
    assert payload()["mutations"] == [
        {"type": "Add", "schema_version": 1, "parameters": {"key": "a", "amount": 2}}
    ]


def test_an_id_is_made_once_and_is_the_payloads_own() -> None:
    assert start_of(payload()).request_id != start_of(payload()).request_id
    assert start_of(payload(request_id="mine")).request_id == "mine"
    assert start_of(payload(), request_id="mine").request_id == "mine"
    assert start_of(payload(request_id=" mine "), request_id=" mine ").request_id == "mine"
    assert start_of(payload(), request_id="  ").request_id


def test_the_same_wish_has_one_digest_however_it_was_written() -> None:
    as_value = Wish(
        state_id="box/1",
        mutations=(
            WishedMutation(type="Add", schema_version=1, parameters={"key": "a", "amount": 2}),
        ),
        actor_id="ana",
    )
    written = payload(reason="", tags=[], expires_in=None, unknown_to_this_version=1)

    digests = {
        start_of(wish, credential=secret).wish().content_digest()
        for wish in (as_value, payload(), written)
        for secret in (None, "secret")
    }

    assert digests == {as_value.content_digest()}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"state_id": "no-slash"}, "state_id"),
        ({"mutations": []}, "mutations"),
        ({"actor_id": ""}, "actor_id"),
        ({"mode": "simulate"}, "preview"),
        ({"expected_version": -1}, "expected_version"),
        ({"request_id": "mutator/x"}, "reserved"),
        ({"request_id": "x" * 201}, "200"),
    ],
)
def test_what_does_not_validate_names_its_field(change: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidParameters, match=named):
        start_of({**payload(), **change})


def test_an_oversized_wish_is_refused() -> None:
    with pytest.raises(TooLarge):
        start_of(payload(metadata={"text": "x" * MAX_START}))
