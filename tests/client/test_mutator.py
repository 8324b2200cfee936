"""The client against a real server, a real worker and a real store."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from client import asking as asking_module
from client import reading
from client.errors import (
    ClientError,
    NoStore,
    NotSettled,
    WorkerUnavailable,
    WorkflowGone,
)
from client.mutator import Mutator
from client.wish import payload_of
from core.errors import (
    DecisionIdReused,
    DuplicateDecision,
    InvalidParameters,
    MalformedMessage,
    NotAuthorised,
    OutdatedBinding,
    RequestClosed,
    RequestIdReused,
    SelfApproval,
    UnknownActor,
    UnknownRequest,
    UnknownState,
)
from core.governance.outcome import Ending
from core.governance.request import Status
from store.protocol import Ended
from store.records import RequestFilter
from tests.support.box import Add, Put
from tests.support.world import World
from wire.names import TASK_QUEUE

ONE = [{"roles": ["approver"], "needed": 1}]
TWO = [{"roles": ["approver"], "needed": 2}]


@pytest.fixture
def mutator(world: World) -> Mutator:
    return Mutator(world.client, world.store, task_queue=world.task_queue)


@pytest.fixture
def without_store(world: World) -> Mutator:
    return Mutator(world.client, task_queue=world.task_queue)


def wish(world: World, *, needs: Any = None, actor: str = "eve", **more: Any) -> dict[str, Any]:
    mutation = more.pop("mutation", Add(key="x"))
    return payload_of(
        more.pop("state_id", f"box/{world.fresh('s')}"),
        mutation,
        actor_id=actor,
        metadata={"needs": needs} if needs else {},
        **more,
    )


async def waiting(mutator: Mutator, payload: dict[str, Any]) -> str:
    submitted = await mutator.submit(payload)
    request = await mutator.assessed(submitted.request_id)
    assert request.status is Status.PENDING
    return request.request_id


async def test_a_request_that_needs_nothing_executes(mutator: Mutator, world: World) -> None:
    payload = wish(world, reason="why not")

    submitted = await mutator.submit(payload)
    result = await mutator.result(submitted.request_id, within=20)

    assert not submitted.joined
    assert submitted.request_id.startswith("req-")
    assert (result.status, result.resulting_version) == ("Executed", 1)
    request = await mutator.get(submitted.request_id)
    assert request == world.store.request(submitted.request_id)
    (entry,) = await mutator.history(payload["state_id"])
    assert entry.subject.request_id == submitted.request_id


async def test_the_server_shows_what_was_asked_from_the_start(
    mutator: Mutator, world: World
) -> None:
    payload = wish(world, needs=ONE, tags=["Nightly"], reason="so that all can see")

    request_id = await waiting(mutator, payload)

    described = await world.client.get_workflow_handle(request_id).describe()
    summary = await described.static_summary()
    details = await described.static_details()
    assert summary == f"Add on {payload['state_id']}, asked by eve"
    assert details is not None
    assert "so that all can see" in details
    found = {pair.key.name: pair.value for pair in described.typed_search_attributes}
    assert "nightly" in found["MutationTags"]
    assert found["MutationRequester"] == "eve"


async def test_a_summary_of_wide_letters_fits_the_server(mutator: Mutator, world: World) -> None:
    payload = wish(world, needs=ONE, state_id="box/" + "\u65e5" * 100)

    assert await waiting(mutator, payload)


async def test_an_approval_executes_it(mutator: Mutator, world: World) -> None:
    request_id = await waiting(mutator, wish(world, needs=ONE))

    reply = await mutator.approve(request_id, actor_id="ben", reason="good")

    assert reply.settled
    assert reply.status == "Executed"
    assert (await mutator.result(request_id)).status == "Executed"


async def test_a_rejection_ends_it_with_what_was_said(mutator: Mutator, world: World) -> None:
    request_id = await waiting(mutator, wish(world, needs=ONE))

    reply = await mutator.reject(request_id, actor_id="ben", reason="too early")

    assert reply.status == "Rejected"
    assert reply.rejection is not None
    assert "too early" in reply.rejection.message


async def test_a_grant_can_be_taken_back(mutator: Mutator, world: World) -> None:
    request_id = await waiting(mutator, wish(world, needs=TWO))
    await mutator.approve(request_id, actor_id="ben")

    await mutator.withdraw(request_id, actor_id="ben", reason="I looked again")

    blocked = await mutator.why_blocked(request_id)
    assert [(r.have, r.needed) for r in blocked.reasons] == [(0, 2)]


async def test_a_cancel_is_answered_with_what_the_store_said(
    mutator: Mutator, world: World
) -> None:
    request_id = await waiting(mutator, wish(world, needs=ONE))

    reply = await mutator.cancel(request_id, actor_id="eve", reason="no need")

    assert reply.status == "Canceled"
    assert (await mutator.result(request_id)).status == "Canceled"


async def test_g11_a_decision_that_does_not_count_is_refused_by_name(
    mutator: Mutator, world: World
) -> None:
    request_id = await waiting(mutator, wish(world, needs=TWO, actor="ana"))
    binding = (await mutator.get(request_id)).binding

    with pytest.raises(SelfApproval):
        await mutator.approve(request_id, actor_id="ana")
    with pytest.raises(NotAuthorised) as refused:
        await mutator.approve(request_id, actor_id="eve")
    with pytest.raises(UnknownActor):
        await mutator.approve(request_id, actor_id="zoe")
    with pytest.raises(OutdatedBinding):
        await mutator.approve(request_id, actor_id="ben", binding="v1:sha256:other")
    await mutator.approve(request_id, actor_id="ben", binding=binding)
    with pytest.raises(DuplicateDecision):
        await mutator.approve(request_id, actor_id="ben")
    with pytest.raises(NotAuthorised):
        await mutator.cancel(request_id, actor_id="ben")
    with pytest.raises(MalformedMessage):
        await mutator.approve(request_id, actor_id="ben", reason="x" * 3000)

    assert refused.value.details["request_id"] == request_id
    request = await mutator.get(request_id)
    assert request.refused_count == 6
    assert request.status is Status.PENDING


async def test_g11_a_decision_on_a_closed_request_is_refused_by_name(
    mutator: Mutator, without_store: Mutator, world: World
) -> None:
    request_id = await waiting(mutator, wish(world, needs=ONE))
    await mutator.cancel(request_id, actor_id="eve")
    await mutator.result(request_id)

    for asked in (mutator, without_store):
        with pytest.raises(RequestClosed, match="Canceled"):
            await asked.approve(request_id, actor_id="ben")
        with pytest.raises(RequestClosed):
            await asked.cancel(request_id, actor_id="eve")
        with pytest.raises(RequestClosed):
            await asked.refresh(request_id, actor_id="eve")


async def test_a_decision_repeated_under_its_id_counts_once(mutator: Mutator, world: World) -> None:
    request_id = await waiting(mutator, wish(world, needs=TWO))
    mine = world.fresh("mine")

    first = await mutator.approve(request_id, actor_id="ben", decision_id=mine)
    again = await mutator.approve(request_id, actor_id="ben", decision_id=mine)
    ended = await mutator.approve(request_id, actor_id="ana", decision_id=world.fresh())
    after = await mutator.approve(request_id, actor_id="ben", decision_id=mine)

    assert first == again == after
    assert ended.status == "Executed"
    granted = [d for d in (await mutator.get(request_id)).decisions if d.code == "Granted"]
    assert [d.actor_id for d in granted] == ["ben", "ana"]


async def test_a_decision_id_stands_for_one_content(mutator: Mutator, world: World) -> None:
    request_id = await waiting(mutator, wish(world, needs=TWO))
    await mutator.approve(request_id, actor_id="ben", decision_id="mine")
    # The server answers a repeated update by itself; the workflow sees the id in a signal.
    handle = world.client.get_workflow_handle(request_id)
    await handle.signal("reject", {"decision_id": "mine", "actor_id": "ben"})

    request = await world.until(handle, lambda request: request.refused_messages)

    assert [m.error for m in request.refused_messages] == [DecisionIdReused.__name__]


async def test_g4_the_same_id_and_content_join(mutator: Mutator, world: World) -> None:
    payload = wish(world, needs=ONE)
    mine = world.fresh("mine")

    told = await asyncio.gather(*(mutator.submit(payload, request_id=mine) for _ in range(5)))
    again = await mutator.submit({**payload, "request_id": mine})

    assert sorted(s.joined for s in told) == [False, True, True, True, True]
    assert again.joined
    assert {s.request_id for s in told} == {mine}


async def test_the_same_id_with_other_content_is_refused(
    mutator: Mutator, without_store: Mutator, world: World
) -> None:
    payload = wish(world, needs=ONE)
    mine = world.fresh("mine")
    await mutator.submit(payload, request_id=mine)

    for asked in (mutator, without_store):
        with pytest.raises(RequestIdReused, match=mine):
            await asked.submit({**payload, "reason": "another one"}, request_id=mine)
        assert (await asked.submit(payload, request_id=mine)).joined


async def test_a_request_that_was_started_by_hand_is_joined_by_its_content(
    mutator: Mutator, world: World
) -> None:
    payload = wish(world, needs=ONE)
    handle = await world.client.start_workflow(
        "MutationRequest", payload, id=world.fresh("hand"), task_queue=world.task_queue
    )

    assert (await mutator.submit(payload, request_id=handle.id)).joined
    with pytest.raises(RequestIdReused):
        await mutator.submit({**payload, "reason": "another one"}, request_id=handle.id)


async def test_what_does_not_validate_is_never_sent(mutator: Mutator, world: World) -> None:
    mine = world.fresh("mine")

    with pytest.raises(InvalidParameters, match="state_id"):
        await mutator.submit(wish(world, state_id="nowhere"), request_id=mine)

    with pytest.raises(UnknownRequest):
        await mutator.get(mine)


async def test_what_is_unknown_ends_rejected_and_says_so(mutator: Mutator, world: World) -> None:
    for payload, code in (
        (wish(world, state_id="nobody/1"), "unknown_state"),
        (wish(world, state_id="box/no-such"), "unknown_state"),
        ({**wish(world), "mutations": [{"type": "Divide"}]}, "unknown_mutation"),
        ({**wish(world), "mutations": [{"type": "Add"}]}, "invalid_parameters"),
    ):
        request = await mutator.assessed((await mutator.submit(payload)).request_id)
        result = await mutator.result(request.request_id)

        assert result.rejection is not None
        assert (result.rejection.category, result.rejection.code) == ("validation", code)


async def test_an_unknown_request_is_named(
    mutator: Mutator, without_store: Mutator, world: World
) -> None:
    for asked in (mutator, without_store):
        for call in (
            asked.get("nothing"),
            asked.approve("nothing", actor_id="ben"),
            asked.approve("nothing", actor_id="ben", binding="x"),
            asked.cancel("nothing", actor_id="ben"),
            asked.refresh("nothing", actor_id="ben"),
            asked.result("nothing"),
            asked.why_blocked("nothing"),
            asked.assessed("nothing"),
            anext(aiter(asked.watch("nothing"))),
        ):
            with pytest.raises(UnknownRequest, match="nothing"):
                await call


async def test_the_inbox_is_what_waits_for_a_person(mutator: Mutator, world: World) -> None:
    state_id = f"box/{world.fresh('s')}"
    by_role = await waiting(mutator, wish(world, needs=TWO, state_id=state_id))
    by_group = await waiting(
        mutator, wish(world, needs=[{"groups": ["web"], "needed": 1}], state_id=state_id)
    )
    by_name = await waiting(mutator, wish(world, needs=[{"people": ["Ben"]}], state_id=state_id))
    own = await waiting(mutator, wish(world, needs=ONE, actor="ben", state_id=state_id))

    async def inbox(actor: str) -> set[str]:
        found = await mutator.pending(actor, limit=1000)
        return {r.request_id for r in found if r.state_id == state_id}

    assert await inbox("ben") == {by_role, by_name}
    assert await inbox("BEN") == {by_role, by_name}
    assert await inbox("ana") == {by_role, by_group, own}
    assert await inbox("eve") == set()
    await mutator.approve(by_role, actor_id="ben")
    assert await inbox("ben") == {by_name}
    with pytest.raises(UnknownActor):
        await mutator.pending("zoe")


async def test_a_later_step_waits_for_nobody_yet(mutator: Mutator, world: World) -> None:
    needs = [{"people": ["ana"]}, {"people": ["ben"], "step": 2}]
    request_id = await waiting(mutator, wish(world, needs=needs))

    async def waits(actor: str) -> bool:
        return request_id in {r.request_id for r in await mutator.pending(actor, limit=1000)}

    assert (await waits("ana"), await waits("ben")) == (True, False)
    await mutator.approve(request_id, actor_id="ana")
    assert (await waits("ana"), await waits("ben")) == (False, True)


async def test_watching_tells_every_change_until_the_end(mutator: Mutator, world: World) -> None:
    request_id = await waiting(mutator, wish(world, needs=TWO))
    seen = []

    async def look() -> None:
        watching = mutator.watch(request_id, every=0.05)
        seen.extend([(request.status, len(request.answers)) async for request in watching])

    looking = asyncio.create_task(look())
    await asyncio.sleep(0.3)
    await mutator.approve(request_id, actor_id="ben")
    await asyncio.sleep(0.3)
    await mutator.approve(request_id, actor_id="ana")
    await asyncio.wait_for(looking, 20)

    assert seen[:2] == [(Status.PENDING, 0), (Status.PENDING, 1)]
    assert seen[-1][0] is Status.EXECUTED


async def test_a_result_that_is_late_says_so(mutator: Mutator, world: World) -> None:
    request_id = await waiting(mutator, wish(world, needs=ONE))

    with pytest.raises(NotSettled, match=request_id):
        await mutator.result(request_id, within=0.3)


async def test_a_stopped_workflow_is_answered_from_the_record(
    mutator: Mutator, world: World
) -> None:
    request_id = await waiting(mutator, wish(world, needs=ONE))
    await world.client.get_workflow_handle(request_id).terminate("by hand")

    assert (await mutator.get(request_id)).status is Status.PENDING
    with pytest.raises(WorkflowGone):
        await mutator.approve(request_id, actor_id="ben")
    with pytest.raises(WorkflowGone):
        await mutator.result(request_id, within=0.5)


async def test_the_store_answers_what_temporal_has_forgotten(
    mutator: Mutator, world: World
) -> None:
    payload = wish(world, needs=ONE)
    request_id = await _forgotten(mutator, world, payload)

    assert (await mutator.get(request_id)).status is Status.CANCELED
    assert (await mutator.result(request_id)).status == "Canceled"
    assert [r.status async for r in mutator.watch(request_id)] == [Status.CANCELED]
    assert (await mutator.submit(payload, request_id=request_id)).joined
    with pytest.raises(RequestIdReused):
        await mutator.submit({**payload, "reason": "another"}, request_id=request_id)
    with pytest.raises(RequestClosed):
        await mutator.approve(request_id, actor_id="ben")


async def _forgotten(mutator: Mutator, world: World, payload: dict[str, Any]) -> str:
    """Record the life of a request under an id that Temporal does not know."""
    request_id = await waiting(mutator, payload)
    renamed = {"request_id": world.fresh("forgotten")}
    world.store.note((await mutator.get(request_id)).model_copy(update=renamed), fence=1)
    await mutator.cancel(request_id, actor_id="eve")
    await mutator.result(request_id)
    record = (await mutator.get(request_id)).model_copy(update=renamed)
    assert isinstance(world.store.end(Ending(request=record)), Ended)
    return record.request_id


async def test_a_preview_makes_no_request(mutator: Mutator, world: World) -> None:
    payload = wish(world, needs=TWO, mutation=Put(key="x", value=3))

    preview = await mutator.preview(payload)

    assert preview.rejection is None
    assert preview.request.effect is not None
    assert preview.request.effect.lines == ("/numbers/x: added 3",)
    ((_, who),) = preview.approvers.items()
    assert who == ("ana", "ben", "cleo")
    assert await mutator.list(RequestFilter(state_id=payload["state_id"])) in ((), [])


async def test_a_preview_says_why_it_would_be_rejected(mutator: Mutator, world: World) -> None:
    unknown = await mutator.preview(wish(world, state_id="nobody/1"))
    unfillable = await mutator.preview(
        wish(world, needs=[{"roles": ["nobody-holds-this"], "needed": 1}])
    )

    assert unknown.rejection is not None
    assert unknown.rejection.category == "validation"
    assert unfillable.rejection is not None
    assert unfillable.rejection.code == "no_approver"


async def test_a_moved_state_is_shown_and_refreshed(mutator: Mutator, world: World) -> None:
    state_id = f"box/{world.fresh('s')}"
    request_id = await waiting(mutator, wish(world, needs=ONE, state_id=state_id))
    assert await mutator.moved_to(await mutator.get(request_id)) is None
    other = (await mutator.submit(wish(world, state_id=state_id))).request_id
    await mutator.result(other)

    before = await mutator.get(request_id)
    moved_to = await mutator.moved_to(before)
    reply = await mutator.refresh(request_id, actor_id="eve")

    after = await mutator.get(request_id)
    assert moved_to == 1
    assert reply.settled
    assert reply.binding == after.binding != before.binding
    assert after.effect is not None
    assert after.effect.lines == ("/numbers/x: 1 -> 2",)
    assert await mutator.moved_to(after) is None


async def test_lists_and_histories_are_read_from_the_store(
    mutator: Mutator, without_store: Mutator, world: World
) -> None:
    state_id = f"box/{world.fresh('s')}"
    ids = []
    for _ in range(3):
        ids.append((await mutator.submit(wish(world, state_id=state_id))).request_id)
        await mutator.result(ids[-1])

    wanted = RequestFilter(state_id=state_id)
    first = await mutator.list(wanted, limit=2)
    rest = await mutator.list(wanted, limit=2, after=first[-1].request_id)

    assert [r.request_id for r in (*first, *rest)] == ids[::-1]
    assert [e.version for e in await mutator.history(state_id, after=1)] == [2, 3]
    with pytest.raises(UnknownState):
        await mutator.history("box/never-opened")
    for call in (
        without_store.list(),
        without_store.history(state_id),
        without_store.pending("ben"),
    ):
        with pytest.raises(NoStore, match="MUTATOR_STORE_URL"):
            await call


async def test_a_forgotten_id_is_refused_by_the_worker_where_the_client_has_no_store(
    mutator: Mutator, without_store: Mutator, world: World
) -> None:
    payload = wish(world, needs=ONE)
    known = await mutator.get(await waiting(mutator, payload))
    forgotten = known.model_copy(update={"request_id": world.fresh("forgotten")})
    world.store.note(forgotten, fence=1)
    other = {**payload, "reason": "another"}

    assert not (await without_store.submit(other, request_id=forgotten.request_id)).joined
    with pytest.raises(RequestIdReused):
        await without_store.assessed(forgotten.request_id)
    with pytest.raises(RequestIdReused):
        await without_store.result(forgotten.request_id)
    assert world.store.request(forgotten.request_id) == forgotten


async def test_a_start_by_hand_that_cannot_be_read_is_answered_by_name(
    mutator: Mutator, world: World
) -> None:
    handle = await world.client.start_workflow(
        "MutationRequest", {"state_id": 1}, id=world.fresh("hand"), task_queue=world.task_queue
    )

    for call in (mutator.result(handle.id), mutator.get(handle.id), mutator.assessed(handle.id)):
        with pytest.raises(InvalidParameters, match="state_id"):
            await call


async def test_a_workflow_stopped_while_it_decides_is_answered_by_name(
    mutator: Mutator, world: World
) -> None:
    request_id = await waiting(mutator, wish(world, needs=ONE))
    slow = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold() -> None:
        asyncio.run_coroutine_threadsafe(slow.wait(), loop).result(30)

    world.hooks.hooks["view.before"] = hold
    asking = asyncio.create_task(mutator.approve(request_id, actor_id="ben"))
    await asyncio.sleep(0.5)
    await world.client.get_workflow_handle(request_id).terminate("by hand")
    try:
        with pytest.raises(WorkflowGone):
            await asking
    finally:
        slow.set()


async def test_without_a_worker_the_caller_is_told_in_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "QUERY_WITHIN", 1.0)
    monkeypatch.setattr(asking_module, "TAKEN_WITHIN", 1.0)
    deserted = Mutator(world.client, world.store, task_queue=world.fresh("nobody"))
    request_id = (await deserted.submit(wish(world))).request_id

    with pytest.raises(ClientError):
        await deserted.get(request_id)
    with pytest.raises(WorkerUnavailable, match="mine") as told:
        await deserted.approve(
            request_id, actor_id="ben", binding="x", decision_id="mine", within=1
        )
    assert told.value.details["decision_id"] == "mine"
    with pytest.raises(WorkerUnavailable):
        await deserted.preview(wish(world))
    await world.client.get_workflow_handle(request_id).terminate()


async def test_a_reply_that_is_not_settled_is_asked_for_again(
    mutator: Mutator, world: World
) -> None:
    request_id = await waiting(mutator, wish(world, needs=ONE))
    slow = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold() -> None:
        asyncio.run_coroutine_threadsafe(slow.wait(), loop).result(30)

    world.hooks.hooks["end.before"] = hold
    asking = asyncio.create_task(mutator.approve(request_id, actor_id="ben"))
    await asyncio.sleep(7)
    assert not asking.done()
    slow.set()
    reply = await asking

    assert reply.settled
    assert reply.status == "Executed"


async def test_a_reply_that_is_never_settled_is_answered_as_it_is(
    mutator: Mutator, world: World
) -> None:
    request_id = await waiting(mutator, wish(world, needs=ONE))
    slow = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold() -> None:
        asyncio.run_coroutine_threadsafe(slow.wait(), loop).result(30)

    world.hooks.hooks["end.before"] = hold
    try:
        reply = await mutator.approve(request_id, actor_id="ben", within=8)
    finally:
        slow.set()

    assert not reply.settled
    assert (await mutator.result(request_id, within=20)).status == "Executed"


async def test_cancelling_the_caller_is_no_timeout(mutator: Mutator, world: World) -> None:
    deserted = Mutator(world.client, world.store, task_queue=world.fresh("nobody"))
    request_id = (await deserted.submit(wish(world))).request_id
    asking = asyncio.create_task(
        deserted.approve(request_id, actor_id="ben", binding="x", within=60)
    )
    await asyncio.sleep(0.3)

    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asking, 5)

    await world.client.get_workflow_handle(request_id).terminate()


async def test_a_deadline_that_passed_closes_the_request(mutator: Mutator, world: World) -> None:
    request_id = await waiting(mutator, wish(world, needs=ONE, expires_in="PT1H"))

    await world.skip(world.client.get_workflow_handle(request_id), timedelta(hours=2))

    assert (await mutator.result(request_id, within=20)).status == "Expired"
    with pytest.raises(RequestClosed, match="Expired"):
        await mutator.approve(request_id, actor_id="ben")


def test_the_task_queue_is_the_wires_unless_said_otherwise(world: World) -> None:
    assert Mutator(world.client)._outside.task_queue == TASK_QUEUE
