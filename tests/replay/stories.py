"""The stories whose histories are kept: how each comes about on a real server.

Those without `fast_` were recorded when every ask was remote, those without `granted_` when a grant
was looked up in one ask and carried out in the next; requests that began then still wait.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from core.requirements import Requirement, either
from tests.replay.lives import LIVES
from tests.replay.waits import WAITS
from tests.support import box
from tests.support.world import Handle, World, make_world

ONE = [{"roles": ["approver"], "needed": 1}]
TWO = [{"roles": ["approver"], "needed": 2}]

Story = Callable[[World], Awaitable[Handle]]


async def executed_at_once(world: World) -> Handle:
    """It demands nothing."""
    handle = await world.start("Add")
    assert (await world.result(handle)).status == "Executed"
    return handle


async def executed(world: World) -> Handle:
    """Two approve, one by signal and one by update; side effects are left to dispatch."""
    handle = await world.start("Put", needs=TWO)
    await world.pending(handle)
    await handle.signal("approve", {"decision_id": "d-1", "actor_id": "ben"})
    await world.until(handle, lambda request: request.answers)
    assert (await world.decide(handle, "cleo")).status == "Executed"
    await world.result(handle)
    return handle


async def rejected(world: World) -> Handle:
    """The requester's own approval and a stranger's do not count; then somebody refuses."""
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)
    await handle.signal("approve", {"decision_id": "d-1", "actor_id": "ana"})
    await handle.signal("approve", {"decision_id": "d-2", "actor_id": "eve"})
    await handle.signal("sing", "a song")
    await world.until(handle, lambda request: request.refused_count == 3)
    await world.decide(handle, "ben", "reject", reason="no need")
    assert (await world.result(handle)).status == "Rejected"
    return handle


async def rejected_as_stale(world: World) -> Handle:
    """The state moved, and the requester wanted it so."""
    handle = await _drifted(world, "other", strategy="reject_stale")
    assert (await world.decide(handle, "cleo")).status == "Rejected"
    await world.result(handle)
    return handle


async def stale_renewed(world: World) -> Handle:
    """The state moved under the effect: the approvals are asked again, and given."""
    handle = await _drifted(world, "x")
    assert (await world.decide(handle, "cleo")).status == "Pending"
    await world.decide(handle, "ben")
    assert (await world.decide(handle, "cleo")).status == "Executed"
    await world.result(handle)
    return handle


async def survived(world: World) -> Handle:
    """The state moved elsewhere: the approvals survive."""
    handle = await _drifted(world, "other")
    assert (await world.decide(handle, "cleo")).status == "Executed"
    await world.result(handle)
    return handle


async def expired(world: World) -> Handle:
    """One of two granted, then nobody came."""
    handle = await world.start("Add", needs=TWO)
    await world.pending(handle)
    await world.decide(handle, "ben")
    await world.skip(handle, timedelta(days=14, seconds=1))
    assert (await world.result(handle)).status == "Expired"
    return handle


async def expired_with_late_signals(world: World) -> Handle:
    """No worker was there at the deadline: one of two came before it, the other after it."""
    async with make_world(world.env, world.store) as stopped:
        handle = await stopped.start("Add", needs=TWO, expires_in=3)
        request = await stopped.pending(handle)
    await handle.signal("approve", {"decision_id": "d-1", "actor_id": "ben"})
    await asyncio.sleep((request.expires_at - datetime.now(UTC)).total_seconds() + 0.1)
    await handle.signal("approve", {"decision_id": "d-2", "actor_id": "cleo"})
    async with make_world(world.env, world.store, task_queue=stopped.task_queue):
        assert (await world.result(handle)).status == "Expired"
    return handle


async def canceled(world: World) -> Handle:
    """The requester changes their mind."""
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)
    await handle.execute_update("cancel_request", {"decision_id": "d-1", "actor_id": "ana"})
    assert (await world.result(handle)).status == "Canceled"
    return handle


async def canceled_in_temporal(world: World) -> Handle:
    """An operator uses Temporal's own cancellation."""
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)
    await handle.cancel()
    assert (await world.result(handle)).status == "Canceled"
    return handle


async def conflict(world: World) -> Handle:
    """Somebody commits on the same number between resolution and commit: execute finds it out."""
    state = f"box/{world.fresh('s')}"
    handle = await world.start("Add", state_id=state, needs=ONE)
    await world.pending(handle)
    reached, release, first = threading.Event(), threading.Event(), iter([True])

    def wait() -> None:
        if next(first, False):
            reached.set()
            assert release.wait(20)

    world.hooks.hooks["end.before"] = wait
    await handle.signal("approve", {"decision_id": "d-1", "actor_id": "ben"})
    assert await asyncio.to_thread(reached.wait, 20)
    await world.result(await world.start("Add", state_id=state))
    release.set()
    await world.until(handle, lambda request: request.round == 2)
    assert (await world.decide(handle, "ben")).status == "Executed"
    await world.result(handle)
    return handle


async def still_waiting(world: World) -> Handle:
    """One of two granted."""
    handle = await world.start("Add", needs=TWO)
    await world.pending(handle)
    assert (await world.decide(handle, "ben")).status == "Pending"
    return handle


async def _drifted(world: World, key: str, **more: Any) -> Handle:
    """One of two granted; then another request changes a number of the same box."""
    state = f"box/{world.fresh('s')}"
    handle = await world.start("Add", state_id=state, needs=TWO, **more)
    await world.pending(handle)
    await world.decide(handle, "ben")
    await world.result(await world.start("Add", state_id=state, parameters={"key": key}))
    return handle


async def fast_executed_at_once(world: World) -> Handle:
    """It demands nothing, and is tried in the workflow task first."""
    return await executed_at_once(world)


async def fast_executed(world: World) -> Handle:
    """Two approve, one by signal and one by update, answered in the workflow task."""
    return await executed(world)


async def fast_renewed(world: World) -> Handle:
    """The state moved under the effect, which the local attempt found out."""
    return await stale_renewed(world)


async def fast_canceled(world: World) -> Handle:
    """The requester changes their mind; the ending is recorded in the workflow task."""
    return await canceled(world)


async def fast_then_remote(world: World) -> Handle:
    """The local attempt to commit lasts too long, and a remote one replaces it."""
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)
    pauses = iter([1.3])
    world.hooks.hooks["end.before"] = lambda: time.sleep(next(pauses, 0))
    assert (await world.decide(handle, "ben")).status == "Executed"
    await world.result(handle)
    return handle


async def granted_at_once(world: World) -> Handle:
    """The last of two grants is carried out in the ask that looks up who gives it."""
    return await executed(world)


async def granted_at_once_and_renewed(world: World) -> Handle:
    """What carries the grant out finds that the state moved under the effect."""
    return await stale_renewed(world)


async def granted_then_remote(world: World) -> Handle:
    """What carries the grant out lasts too long; it is taken back and asked for remotely."""
    return await fast_then_remote(world)


async def granted_in_the_last_alternative(world: World) -> Handle:
    """One alternative expires, one is refused, the third is granted."""
    sets = [
        [Requirement.approval(people=["ben"], duration=timedelta(hours=1))],
        [Requirement.approval(people=["dan"])],
        [Requirement.approval(people=["cleo"])],
    ]
    box.KNOBS.also_needs = either(sets)
    handle = await world.start("Add")
    await world.pending(handle)
    await world.skip(handle, timedelta(hours=2))
    await world.until(handle, lambda request: len(request.awaiting) == 2)
    assert (await world.decide(handle, "dan", "reject")).status == "Pending"
    assert (await world.decide(handle, "cleo")).status == "Executed"
    await world.result(handle)
    box.KNOBS.also_needs = ()
    return handle


async def expired_after_a_split_task(world: World) -> Handle:
    """A query split its first task, of which a replay gives another time, and it expired."""
    return await expired(world)


async def remote(world: World) -> Handle:
    """Its domain wants to be asked remotely, which the first attempt in the task is told."""
    world.way = "remote"
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)
    assert (await world.decide(handle, "ben")).status == "Executed"
    await world.result(handle)
    world.way = "local_first"
    return handle


STORIES: Final[dict[str, Story]] = {
    story.__name__: story
    for story in (
        executed_at_once,
        executed,
        rejected,
        rejected_as_stale,
        stale_renewed,
        survived,
        expired,
        expired_with_late_signals,
        canceled,
        canceled_in_temporal,
        conflict,
        still_waiting,
        fast_executed_at_once,
        fast_executed,
        fast_renewed,
        fast_canceled,
        fast_then_remote,
        granted_at_once,
        granted_at_once_and_renewed,
        granted_then_remote,
        expired_after_a_split_task,
        granted_in_the_last_alternative,
        remote,
        *WAITS,
        *LIVES,
    )
}
