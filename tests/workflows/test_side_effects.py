"""Side effects: recorded with the commit, dispatched after it, in version order, at least once."""

from __future__ import annotations

import asyncio

from tests.support import box
from tests.support.world import World
from wire.names import dispatcher_id

ONE = [{"roles": ["approver"], "needed": 1}]


async def dispatched(world: World, state_id: str) -> None:
    """Wait until nothing is left to dispatch for a state."""
    async with asyncio.timeout(30):
        while world.store.undelivered(state_id):
            await asyncio.sleep(0.05)


async def test_side_effects_are_dispatched_in_version_order(world: World) -> None:
    state = f"box/{world.fresh()}"

    for value in range(5):
        await world.result(
            await world.start("Put", state_id=state, parameters={"key": "x", "value": value})
        )
    await dispatched(world, state)

    assert [version for _, version in box.KNOBS.dispatched] == [1, 2, 3, 4, 5]
    assert len({key for key, _ in box.KNOBS.dispatched}) == 5


async def test_a_handler_that_fails_is_tried_again_and_nothing_overtakes_it(world: World) -> None:
    state = f"box/{world.fresh()}"
    box.KNOBS.handler_failures = 2

    for value in (1, 2):
        await world.result(
            await world.start("Put", state_id=state, parameters={"key": "x", "value": value})
        )
    await dispatched(world, state)

    assert [version for _, version in box.KNOBS.dispatched] == [1, 2]


async def test_a_request_that_does_not_execute_has_no_side_effects(world: World) -> None:
    handle = await world.start("Put", needs=ONE)
    await world.pending(handle)

    await world.decide(handle, "ben", "reject")
    await world.result(handle)

    assert box.KNOBS.dispatched == []


async def test_an_execution_that_changes_nothing_writes_no_version_and_tells_all_the_same(
    world: World,
) -> None:
    state = f"box/{world.fresh()}"
    await world.result(await world.start("Put", state_id=state))

    again = await world.result(await world.start("Put", state_id=state))
    await dispatched(world, state)

    assert (again.status, again.resulting_version) == ("Executed", 1)
    assert len(world.store.history(state)) == 1
    assert [version for _, version in box.KNOBS.dispatched] == [1, 1]


async def test_a_missed_wake_up_is_swept_by_the_reconciler(world: World) -> None:
    from tests.workflows.test_races import reconcile

    state = f"box/{world.fresh()}"
    box.KNOBS.handler_failures = 1
    await world.result(await world.start("Put", state_id=state))
    dispatcher = world.client.get_workflow_handle(dispatcher_id(state))
    await dispatcher.terminate("as if it had never been woken")
    assert world.store.undelivered(state)

    swept = await reconcile(world)
    await dispatched(world, state)

    assert swept.dispatchers >= 1
    assert [version for _, version in box.KNOBS.dispatched] == [1]
