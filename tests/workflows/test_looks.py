"""Looks at what nobody answers from a seat, and what is told meanwhile: nothing is lost by it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from core.checks import not_yet
from tests.support import box
from tests.support.hooks import held_at, reach
from tests.support.waits import HOUR
from tests.support.world import World

BEN = {"people": ["ben"]}


@pytest.fixture(params=box.WAYS)
def way(request: pytest.FixtureRequest) -> box.Way:
    """Both ways: tried in the workflow task first, and remotely from the start."""
    found: box.Way = request.param
    return found


async def test_a_wake_up_that_comes_while_a_dependency_is_looked_at_is_not_lost(
    world: World,
) -> None:
    other = await world.start("Add", needs=[BEN])
    await world.pending(other)
    waiter = await world.start("Add", depends_on=[other.id])
    await world.waiting(waiter.id)

    with held_at(world.hooks, "standings.after") as (reached, release):
        await waiter.signal("wake")
        await reach(reached)  # it has read that the other one waits
        await world.decide(other, "ben")
        assert (await world.result(other)).status == "Executed"
        await asyncio.sleep(0.5)
        release.set()

        assert (await world.result(waiter, seconds=20)).status == "Executed"


async def test_a_wake_up_that_comes_while_room_is_asked_for_is_not_lost(world: World) -> None:
    need = {"kind": "quota", "key": world.fresh(), "budget": {"limit": 1, "per": "P1D"}}
    held = await world.start("Add", state_id=world.state("held"), needs=[need, BEN])
    await world.pending(held)
    box.KNOBS.raises = 100  # it is held, with what it has reserved
    await world.decide(held, "ben")
    await world.until(held, lambda r: r.held)
    box.KNOBS.raises = 0

    with held_at(world.hooks, "reserve.after") as (reached, release):
        waiter = await world.start("Add", needs=[need])
        await reach(reached)  # it has been answered that there is no room
        await world.send(held, "cancel_request", {"decision_id": "c", "actor_id": "ana"})
        assert (await world.result(held)).status == "Canceled"
        await asyncio.sleep(0.5)
        release.set()

        assert (await world.result(waiter, seconds=20)).status == "Executed"


async def test_a_wake_up_that_comes_while_a_check_runs_does_not_ask_it_again(world: World) -> None:
    box.KNOBS.check = not_yet("still running", HOUR)
    box.KNOBS.check_waits = threading.Event()
    handle = await world.start("Add", needs=[{"kind": "check", "name": "ci"}])
    await world.waiting(handle.id)

    for _ in range(3):
        await handle.signal("wake")
    await world.until(handle, lambda _: box.KNOBS.checked)
    box.KNOBS.check_waits.set()
    await world.until(handle, lambda r: r.pending[0].again_at)

    assert len(box.KNOBS.checked) == 1
