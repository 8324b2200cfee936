"""What comes at the same time: one winner, recorded; the loser is refused with the reason."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.conftest import in_its_way
from tests.support import box
from tests.support.hooks import held_at, reach
from tests.support.waits import fulfil
from tests.support.world import Handle, World, make_world

TICKET = {"kind": "check", "name": "ticket", "people": ["eve"]}
LATER = {"people": ["dan"], "step": 2}


@pytest.fixture(params=box.WAYS)
def way(request: pytest.FixtureRequest) -> box.Way:
    """Both ways: tried in the workflow task first, and remotely from the start."""
    found: box.Way = request.param
    return found


@pytest.fixture(params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, way: box.Way) -> Iterator[World]:
    """The worker on either database."""
    yield from in_its_way(request.getfixturevalue(f"{request.param}_world"), way)


async def answered(handle: Handle, verb: str, **said: object) -> None:
    """Send a signal."""
    await handle.signal(verb, {"decision_id": f"{verb}-{said.get('actor_id')}", **said})


async def test_a_newer_request_supersedes_while_the_older_is_about_to_commit(
    world: World,
) -> None:
    older = await world.start("Add", needs=[{"people": ["ben"]}])
    state_id = (await world.pending(older)).state_id

    with held_at(world.hooks, "end.before") as (reached, release):
        await answered(older, "approve", actor_id="ben")
        await reach(reached)
        newer = await world.start("Put", state_id=state_id, supersedes=older.id)
        result = await world.result(newer)
        release.set()
        ended = await world.result(older)

    assert (result.status, ended.status) == ("Executed", "Superseded")
    assert world.value(state_id) == 1
    state = world.store.state(state_id)
    assert state is not None
    assert state.version == 1
    assert [link.relation for link in (await world.agree(older)).links] == ["superseded_by"]


async def test_a_request_that_has_executed_is_not_superseded_and_the_newer_goes_on(
    world: World,
) -> None:
    older = await world.start("Add", needs=[{"people": ["ben"]}])
    state_id = (await world.pending(older)).state_id

    with held_at(world.hooks, "end.before") as (reached, release):
        newer = await world.start("Put", state_id=state_id, supersedes=older.id, needs=[LATER])
        await reach(reached)  # it is about to end the older one
        grant = asyncio.create_task(answered(older, "approve", actor_id="ben"))
        assert (await world.result(older)).status == "Executed"
        release.set()
        await grant

    request = await world.until(newer, lambda r: r.refused_messages)
    assert [m.error for m in request.refused_messages] == ["NotSuperseding"]
    assert request.links == ()
    await world.agree(older)


async def test_what_the_server_took_before_the_deadline_fulfils_and_what_came_later_does_not(
    server: WorkflowEnvironment, world: World
) -> None:
    async with make_world(server, world.store) as stopped:
        stopped.way = world.way
        late = await stopped.start("Add", needs=[TICKET], expires_in=3)
        early = await stopped.start("Add", needs=[{**TICKET, "seconds": 3}, LATER])
        for handle in (late, early):
            await stopped.until(handle, lambda r: any(s.finding for s in r.requirements), seconds=3)
        queue = stopped.task_queue
    await answered(early, "fulfil", actor_id="eve", verdict="passed")
    await asyncio.sleep(3.2)
    await answered(late, "fulfil", actor_id="eve", verdict="passed")

    async with make_world(server, world.store, task_queue=queue) as again:
        assert (await again.result(late)).status == "Expired"
        request = await again.until(early, lambda r: r.fulfilled)

        assert request.status == "Pending"
        refused = (await again.request(late)).refused_messages
        assert [m.error for m in refused] == ["RequestClosed"]
        assert (await again.decide(early, "dan")).status == "Executed"


@pytest.mark.parametrize("first", ["fulfil", "cancel"])
async def test_the_last_fulfilment_and_a_cancel_have_one_winner(world: World, first: str) -> None:
    handle = await world.start("Add", needs=[TICKET])
    await world.until(handle, lambda r: any(s.finding for s in r.requirements))
    send = {
        "fulfil": lambda: answered(handle, "fulfil", actor_id="eve", verdict="passed"),
        "cancel": lambda: answered(handle, "cancel", actor_id="ana"),
    }
    second = "cancel" if first == "fulfil" else "fulfil"

    with held_at(world.hooks, "view.before") as (reached, release):
        await send[first]()
        await reach(reached)
        await send[second]()
        release.set()
        result = await world.result(handle)

    request = await world.agree(handle)
    assert result.status in {"Executed", "Canceled"}
    assert world.value(request.state_id) == (result.status == "Executed")
    if first == "cancel":
        assert result.status == "Canceled"
        refused = (await world.request(handle)).refused_messages
        assert [m.error for m in refused] == ["RequestClosed"]


async def test_what_was_reserved_is_given_back_once_and_a_budget_is_never_exceeded(
    world: World,
) -> None:
    need = {"kind": "quota", "key": world.fresh(), "budget": {"limit": 3, "per": "P1D"}}
    handles = [await world.start("Add", needs=[need, LATER]) for _ in range(12)]
    for handle in handles:
        await world.pending(handle)

    await asyncio.gather(*(answered(h, "approve", actor_id="dan") for h in handles))
    async with asyncio.timeout(30):
        while sum([(await world.request(h)).status == "Executed" for h in handles]) < 3:
            await asyncio.sleep(0.1)
    waiting = [h for h in handles if (await world.request(h)).status == "Pending"]
    assert len(waiting) == 9

    await asyncio.gather(*(answered(h, "cancel", actor_id="ana") for h in waiting[:8]))
    for handle in waiting[:8]:
        assert (await world.result(handle)).status == "Canceled"
    await asyncio.sleep(0.5)
    assert (await world.request(waiting[8])).status == "Pending"


async def test_a_review_that_fails_while_another_grants_rejects(world: World) -> None:
    handle = await world.start("Add", needs=[{"kind": "review", "people": ["eve"]}, TWO_OF_THREE])
    await world.pending(handle)
    await world.decide(handle, "ben")

    reply, _ = await asyncio.gather(
        fulfil(world, handle, "eve", "failed"),
        answered(handle, "approve", actor_id="cleo"),
    )

    assert reply.status == "Rejected"
    assert (await world.result(handle)).status == "Rejected"
    await world.agree(handle)


TWO_OF_THREE = {"roles": ["approver"], "needed": 2}
