"""What requests wait for besides approvals, as callers meet it: answered, refused by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from client.errors import NoStore, Unavailable
from client.mutator import Mutator
from client.wish import payload_of
from core.errors import (
    DecisionRefused,
    NotAuthorised,
    NotFulfillable,
    NothingToDelegate,
    NotSuperseding,
    RequestClosed,
    UnknownActor,
    UnknownRequest,
    UnknownRequirement,
)
from core.governance.request import MutationRequest, Status
from tests.support.box import Add
from tests.support.world import World
from wire.names import Signal

CALLBACK = {"kind": "check", "name": "silent", "people": ["ben"]}
REVIEW = {"kind": "review", "roles": ["security"], "needed": 1, "title": "Secure"}
ONE = {"roles": ["approver"], "needed": 1}


@pytest.fixture
def mutator(world: World) -> Mutator:
    return world.mutator


def wish(world: World, *needs: dict[str, Any], actor: str = "eve", **more: Any) -> dict[str, Any]:
    state_id = more.pop("state_id", None) or world.state()
    metadata = {"needs": list(needs)} if needs else {}
    return payload_of(state_id, Add(key="x"), actor_id=actor, metadata=metadata, **more)


async def waiting(mutator: Mutator, payload: dict[str, Any]) -> MutationRequest:
    submitted = await mutator.submit(payload)
    request = await mutator.assessed(submitted.request_id)
    assert request.status is Status.PENDING
    return request


# Fulfilling.


async def test_a_check_is_answered_by_its_name_with_what_it_rests_on(
    mutator: Mutator, world: World
) -> None:
    request = await waiting(mutator, wish(world, CALLBACK))

    reply = await mutator.fulfil(
        *(request.request_id, "passed"),
        actor_id="ben",
        name="silent",
        evidence={"run": 7},
        reason="all green",
    )

    assert reply.status == "Executed"
    ended = await mutator.get(request.request_id)
    (met,) = [d for d in ended.decisions if d.code == "Fulfilled"]
    assert (met.actor_id, met.reason) == ("ben", "all green")
    assert "7" in str(met.metadata)


async def test_a_failed_review_rejects_with_what_was_found(mutator: Mutator, world: World) -> None:
    request = await waiting(mutator, wish(world, REVIEW))

    reply = await mutator.fulfil(
        *(request.request_id, "failed"), actor_id="ben", name="Secure", reason="a hole"
    )

    assert reply.rejection is not None
    assert (reply.rejection.category, reply.rejection.code) == ("approval", "review_failed")
    assert "a hole" in reply.rejection.message


async def test_what_cannot_be_fulfilled_is_refused_by_name(mutator: Mutator, world: World) -> None:
    request = await waiting(mutator, wish(world, ONE, CALLBACK))
    approval = next(r.id for r in request.requirements if r.requirement.kind == "approval")

    refused: list[tuple[str, dict[str, Any], type[DecisionRefused]]] = [
        ("ben", {"requirement_id": approval}, NotFulfillable),
        ("ben", {"name": "nobody-declared-this"}, UnknownRequirement),
        ("cleo", {"name": "silent"}, NotAuthorised),
    ]
    for actor, named, error in refused:
        with pytest.raises(error):
            await mutator.fulfil(request.request_id, "passed", actor_id=actor, **named)


async def test_a_fulfilment_repeated_after_the_end_is_answered_by_the_record(
    mutator: Mutator, world: World
) -> None:
    request = await waiting(mutator, wish(world, CALLBACK))
    said: dict[str, Any] = {"actor_id": "ben", "decision_id": "run-7", "name": "silent"}

    first = await mutator.fulfil(request.request_id, "passed", **said)
    again = await mutator.fulfil(request.request_id, "passed", **said)

    assert first.status == again.status == "Executed"
    with pytest.raises(RequestClosed):
        await mutator.fulfil(request.request_id, "passed", **said | {"decision_id": "run-8"})


# Delegating.


async def test_a_right_is_handed_on_and_used(mutator: Mutator, world: World) -> None:
    request = await waiting(mutator, wish(world, {"roles": ["security"], "needed": 1}))
    until = datetime.now(UTC) + timedelta(days=1)

    reply = await mutator.delegate(
        request.request_id, actor_id="ben", to="cleo", until=until, reason="away"
    )
    shown = await mutator.get(request.request_id)
    inbox = await mutator.pending("cleo")
    done = await mutator.approve(request.request_id, actor_id="cleo")

    assert reply.status == "Pending"
    (handed,) = shown.delegations
    assert (handed.actor_id, handed.to, handed.until) == ("ben", "cleo", until)
    assert request.request_id in {r.request_id for r in inbox}
    assert done.status == "Executed"


async def test_a_delegation_that_does_not_count_is_refused_by_name(
    mutator: Mutator, world: World
) -> None:
    request = await waiting(mutator, wish(world, ONE))
    until = datetime.now(UTC) + timedelta(days=1)

    for actor, to, error in (
        ("ben", "ben", NothingToDelegate),
        ("ben", "nobody-knows", UnknownActor),
        ("nobody-knows", "ben", UnknownActor),
        ("dan", "ben", NotAuthorised),
    ):
        with pytest.raises(error):
            await mutator.delegate(request.request_id, actor_id=actor, to=to, until=until)
    assert (await mutator.get(request.request_id)).delegations == ()


# Superseding.


async def test_a_newer_request_takes_the_place_of_the_older_that_it_names(
    mutator: Mutator, world: World
) -> None:
    older = await waiting(mutator, wish(world, ONE))
    newer = wish(world, ONE, state_id=older.state_id, supersedes=older.request_id)

    submitted = await waiting(mutator, newer)
    result = await mutator.result(older.request_id, within=20)

    assert result.status == "Superseded"
    ended = await mutator.get(older.request_id)
    assert [(link.request_id, link.relation) for link in ended.links] == [
        (submitted.request_id, "superseded_by")
    ]


async def test_the_requester_lets_anothers_newer_request_take_the_place(
    mutator: Mutator, world: World
) -> None:
    older = await waiting(mutator, wish(world, ONE))
    newer = await waiting(
        mutator,
        wish(world, ONE, actor="ana", state_id=older.state_id, supersedes=older.request_id),
    )
    said: dict[str, Any] = {"by": newer.request_id, "decision_id": "s-1"}

    with pytest.raises(NotSuperseding):
        await mutator.supersede(older.request_id, actor_id="ana", **said)
    reply = await mutator.supersede(older.request_id, actor_id="eve", **said)
    again = await mutator.supersede(older.request_id, actor_id="eve", **said)

    assert reply.status == again.status == "Superseded"
    assert (await mutator.get(newer.request_id)).status is Status.PENDING


async def test_a_request_that_does_not_name_the_older_does_not_take_its_place(
    mutator: Mutator, world: World
) -> None:
    older = await waiting(mutator, wish(world, ONE))
    other = await waiting(mutator, wish(world, ONE, state_id=older.state_id))

    for by in (other.request_id, older.request_id, "never-was"):
        with pytest.raises(NotSuperseding):
            await mutator.supersede(older.request_id, by=by, actor_id="eve")
    assert (await mutator.get(older.request_id)).status is Status.PENDING


# Commenting.


async def test_what_is_said_is_kept_once_and_read_in_order(mutator: Mutator, world: World) -> None:
    request = await waiting(mutator, wish(world, ONE))

    for actor, text, said in (
        ("dan", "Why now?", "c-1"),
        ("eve", "They asked.", "c-2"),
        ("dan", "Why now?", "c-1"),
    ):
        await mutator.comment(request.request_id, text, actor_id=actor, decision_id=said)

    kept = await mutator.comments(request.request_id)
    assert [(c.actor_id, c.text) for c in kept] == [("dan", "Why now?"), ("eve", "They asked.")]
    shown = await mutator.get(request.request_id)
    assert shown.comments == 2
    assert shown.decision_number == request.decision_number


async def test_a_comment_that_is_not_kept_is_refused_by_name(
    mutator: Mutator, world: World
) -> None:
    request = await waiting(mutator, wish(world, ONE))

    with pytest.raises(UnknownActor):
        await mutator.comment(request.request_id, "hello", actor_id="nobody-knows")
    await mutator.cancel(request.request_id, actor_id="eve")
    with pytest.raises(RequestClosed):
        await mutator.comment(request.request_id, "too late", actor_id="dan")
    with pytest.raises(UnknownRequest):
        await mutator.comment("never-was", "hello", actor_id="dan")
    with pytest.raises(UnknownRequest):
        await mutator.comments("never-was")

    assert await mutator.comments(request.request_id) == []


async def test_without_a_store_a_comment_is_not_sent(world: World) -> None:
    blind = Mutator(world.client, task_queue=world.task_queue)
    request = await waiting(blind, wish(world, ONE))

    with pytest.raises(NoStore, match="whether a comment was kept"):
        await blind.comment(request.request_id, "hello", actor_id="dan")
    with pytest.raises(NoStore):
        await blind.comments(request.request_id)

    assert world.store.comments(request.request_id) == []


# What is only sent.


async def test_a_signal_that_nobody_reads_is_not_reported_as_done(world: World) -> None:
    unheard = Mutator(world.client, world.mutator._outside.records, task_queue=world.fresh("q"))
    submitted = await unheard.submit(wish(world, ONE))
    until = datetime.now(UTC) + timedelta(days=1)

    with pytest.raises(Unavailable):
        await unheard.delegate(
            submitted.request_id, actor_id="ben", to="cleo", until=until, within=0.5
        )


async def test_a_refusal_is_that_of_the_message_and_not_of_another(
    mutator: Mutator, world: World
) -> None:
    request = await waiting(mutator, wish(world, {"roles": ["security"], "needed": 1}))
    handle = world.client.get_workflow_handle(request.request_id)
    message = {"decision_id": "d-1", "actor_id": "ben", "to": "ben", "until": "2099-01-01T00:00Z"}
    await handle.signal(Signal.DELEGATE, message)
    until = datetime.now(UTC) + timedelta(days=1)

    with pytest.raises(DecisionRefused):
        await mutator.delegate(
            request.request_id, actor_id="ben", to="cleo", until=until, decision_id="d-1"
        )
    reply = await mutator.delegate(
        request.request_id, actor_id="ben", to="cleo", until=until, decision_id="d-2"
    )

    assert reply.settled
    assert len((await mutator.get(request.request_id)).delegations) == 1


# Asking.


async def test_a_preview_says_the_earliest_moment_and_where_requirements_change(
    mutator: Mutator, world: World
) -> None:
    at = datetime(2030, 1, 1, 9, tzinfo=UTC)
    payload = wish(world, not_before=(at + timedelta(hours=3)).isoformat())

    preview = await mutator.preview(
        payload, at=at, vary={"parameter": "/amount", "values": [1, 2, -5]}
    )

    (reason,) = preview.request.pending
    assert (reason.kind, reason.again_at) == ("schedule", at + timedelta(hours=3))
    assert [(r.first, r.last, r.verdict.value) for r in preview.varied] == [
        (1, 2, "require"),
        (-5, -5, "deny"),
    ]


async def test_a_request_waits_for_the_one_it_depends_on(mutator: Mutator, world: World) -> None:
    first = await waiting(mutator, wish(world, ONE))
    second = await waiting(mutator, wish(world, depends_on=[first.request_id]))

    await mutator.approve(first.request_id, actor_id="ben")

    assert (await mutator.result(second.request_id, within=20)).status == "Executed"
