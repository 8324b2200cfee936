"""Deadlines are durable timers from absolute times; at the deadline is late; both ways."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.support import box
from tests.support.world import World, make_world

ONE = [{"roles": ["approver"], "needed": 1}]


@pytest.fixture(params=box.WAYS)
def way(request: pytest.FixtureRequest) -> box.Way:
    """Both ways: tried in the workflow task first, and remotely from the start."""
    found: box.Way = request.param
    return found


async def test_g9_a_request_that_nobody_answers_expires(world: World) -> None:
    handle = await world.start("Add", needs=ONE)
    request = await world.pending(handle)

    assert request.expires_at - request.created_at == timedelta(days=14)
    await world.skip(handle, timedelta(days=14, seconds=1))

    assert (await world.result(handle)).status == "Expired"
    ended = await world.agree(handle)
    assert ended.closed_at is not None
    assert ended.closed_at >= request.expires_at


async def test_g9_a_requirement_expires_by_its_own_deadline(world: World) -> None:
    handle = await world.start("Add", needs=[{**ONE[0], "seconds": 3600}])
    request = await world.pending(handle)
    assert request.pending[0].until == request.requirements[0].deadline

    await world.skip(handle, timedelta(minutes=59))
    assert (await world.request(handle)).status == "Pending"
    await world.skip(handle, timedelta(minutes=2))

    assert (await world.result(handle)).status == "Expired"
    codes = [(d.category, d.code) for d in (await world.agree(handle)).decisions][-2:]
    assert codes == [("approval", "Expired"), ("lifecycle", "Expired")]


async def test_g9_the_requesters_own_deadline_holds(world: World) -> None:
    handle = await world.start("Add", needs=ONE, expires_in="PT2H")
    request = await world.pending(handle)

    assert request.expires_at - request.created_at == timedelta(hours=2)
    await world.skip(handle, timedelta(hours=3))

    assert (await world.result(handle)).status == "Expired"


async def test_a_later_step_gets_its_whole_time_from_when_it_opens(world: World) -> None:
    handle = await world.start(
        "Add",
        needs=[{"people": ["cleo"]}, {"people": ["ben"], "step": 2, "seconds": 3600}],
    )
    await world.pending(handle)
    await world.skip(handle, timedelta(days=3))

    await world.decide(handle, "cleo")
    request = await world.request(handle)
    await world.skip(handle, timedelta(minutes=50))

    second = next(r for r in request.requirements if r.requirement.step == 2)
    assert second.opened_at is not None
    assert second.deadline == second.opened_at + timedelta(hours=1)
    assert (await world.decide(handle, "ben")).status == "Executed"


async def test_g11_what_the_server_took_before_the_deadline_counts_and_what_came_later_does_not(
    server: WorkflowEnvironment, world: World
) -> None:
    async with make_world(server, world.store) as stopped:
        stopped.way = world.way
        late = await stopped.start("Add", needs=ONE, expires_in=3)
        early = await stopped.start(
            "Add", needs=[{**ONE[0], "seconds": 3}, {"people": ["dan"], "step": 2}]
        )
        await stopped.pending(late)
        await stopped.pending(early)
        queue = stopped.task_queue
    await early.signal("approve", {"decision_id": "in-time", "actor_id": "ben"})
    # Nobody works on it, so no time can be skipped: three seconds are waited for.
    await asyncio.sleep(3.2)
    await late.signal("approve", {"decision_id": "too-late", "actor_id": "ben"})

    async with make_world(server, world.store, task_queue=queue) as again:
        assert (await again.result(late)).status == "Expired"
        granted = await again.until(early, lambda r: r.fulfilled)

        assert [d.code for d in granted.decisions].count("Granted") == 1
        assert granted.status == "Pending"
        refused = (await again.request(late)).refused_messages
        assert [m.error for m in refused] == ["RequestClosed"]
        assert (await again.decide(early, "dan")).status == "Executed"


async def test_g9_a_held_request_expires_at_its_deadline_not_at_the_end_of_a_pause(
    world: World,
) -> None:
    handle = await world.start("Add", state_id=world.state("held"), needs=ONE, expires_in=4)
    await world.pending(handle)
    box.KNOBS.raises = 100

    reply = await world.decide(handle, "ben")

    assert reply.status == "Approved"
    assert (await world.request(handle)).held is not None
    assert (await world.result(handle, seconds=10)).status == "Expired"
