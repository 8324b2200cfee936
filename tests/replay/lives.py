"""The stories of what befalls a workflow: told early, begun anew, dead with its worker."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from tests.drills import points
from tests.drills.ground import Ground
from tests.drills.waiting import LIFE
from tests.support import box
from tests.support.hooks import held_at, reach
from tests.support.world import Handle, World

BEN = {"people": ["ben"]}
TWO = {"people": ["ben", "cleo"], "needed": 2}


async def told_while_it_looked(world: World) -> Handle:
    """It had read that the other one waits, and was told that it ended before it had said so."""
    world.way = "remote"
    other = await world.start("Add", needs=[BEN])
    await world.pending(other)
    handle = await world.start("Add", depends_on=[other.id])
    await world.waiting(handle.id)
    with held_at(world.hooks, "standings.after") as (reached, release):
        await handle.signal("wake")
        await reach(reached)
        await world.decide(other, "ben")
        assert (await world.result(other)).status == "Executed"
        release.set()
    assert (await world.result(handle)).status == "Executed"
    world.way = "local_first"
    return handle


async def told_that_there_is_room(world: World) -> Handle:
    """Room that another gives back is taken by the first who waits for it."""
    need = {"kind": "quota", "key": world.fresh(), "budget": {"limit": 1, "per": "P1D"}}
    held = await world.start("Add", state_id=world.state("held"), needs=[need, BEN])
    await world.pending(held)
    box.KNOBS.raises = 100
    await world.decide(held, "ben")
    await world.until(held, lambda r: r.held)
    box.KNOBS.raises = 0
    handle = await world.start("Add", needs=[need])
    await world.until(handle, lambda r: r.requirements and r.requirements[0].finding)
    await world.mutator.cancel(held.id, actor_id="ana")
    assert (await world.result(handle)).status == "Executed"
    return handle


async def began_anew(world: World) -> Handle:
    """Its history grew long, and it went on with a new one; this is the one it left."""
    handle = await world.start("Add", needs=[TWO])
    await world.waiting(handle.id)
    before = (await handle.describe()).run_id
    latest = world.client.get_workflow_handle(handle.id)
    number = 0
    while (await latest.describe()).run_id == before:
        number += 1
        for verb in ("approve", "withdraw"):
            said = {"decision_id": f"{verb}-{number}", "actor_id": "ben"}
            await handle.signal(verb, said)
        await asyncio.sleep(0.2)
    await world.mutator.cancel(handle.id, actor_id="ana")
    return world.client.get_workflow_handle(handle.id, run_id=before)


async def died_while_a_check_ran(world: World) -> Handle:
    """Its worker was killed, and a query saw that nobody answers before its task did.

    What was reckoned from the time of then lies later in a replay, and its alarm rings before it.
    """
    with tempfile.TemporaryDirectory() as folder:
        LIFE.log = Path(folder) / "asked"
        ground = Ground(world.env, f"sqlite:///{folder}/mutator.db", "local_first", log=LIFE.log)
        given = {"first": "passed", "then": "passed"}
        async with ground.doomed(points.CHECKING) as callers:
            check = {"kind": "check", "name": "once", "parameters": given}
            handle = await callers.start(needs=[check])
        async with ground.living() as callers:
            await asyncio.sleep(2)  # so that a query is under way when the check is given up
            await callers.until(handle, lambda r: r.pending and r.pending[0].again_at)
            await callers.skip(handle, timedelta(minutes=2))
            assert (await callers.result(handle)).status == "Executed"
        ground.store.close()
    return handle


LIVES: Final[tuple[Callable[[World], Awaitable[Handle]], ...]] = (
    told_while_it_looked,
    told_that_there_is_room,
    began_anew,
    died_while_a_check_ran,
)
