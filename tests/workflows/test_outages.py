"""Infrastructure trouble burns no approval, and blocks no cancel for ever; in both ways."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import cast

import pytest

from core.errors import DirectoryError, StoreUnavailable
from core.governance.people import Directory
from tests.support import box
from tests.support.world import World

ONE = [{"roles": ["approver"], "needed": 1}]


@pytest.fixture(params=box.WAYS)
def way(request: pytest.FixtureRequest) -> box.Way:
    """Both ways: tried in the workflow task first, and remotely from the start."""
    found: box.Way = request.param
    return found


def down_for(seconds: float) -> Callable[[], None]:
    """Answer a hook that raises as a store does that is not there, for a while."""
    until = time.monotonic() + seconds

    def fail() -> None:
        if time.monotonic() < until:
            raise StoreUnavailable("The store does not answer.")

    return fail


async def test_g8_an_outage_of_the_store_burns_no_approval(world: World) -> None:
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)
    world.hooks.hooks["end.before"] = down_for(1.5)

    await world.decide(handle, "ben")

    assert (await world.result(handle)).status == "Executed"
    codes = [d.code for d in (await world.agree(handle)).decisions]
    assert codes.count("Granted") == 1


async def test_an_update_during_an_outage_is_answered_as_not_settled(world: World) -> None:
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)
    world.hooks.hooks["end.before"] = down_for(6.5)

    began = time.monotonic()
    reply = await world.decide(handle, "ben")
    waited = time.monotonic() - began

    assert not reply.settled
    assert reply.status == "Approved"
    assert waited < 7
    assert (await world.result(handle, seconds=60)).status == "Executed"


async def test_a_cancel_during_an_outage_is_not_overtaken_by_the_commit(world: World) -> None:
    handle = await world.start("Add", needs=ONE)
    request = await world.pending(handle)
    world.hooks.hooks["end.before"] = down_for(3)

    await handle.signal("approve", {"decision_id": "d", "actor_id": "ben"})
    await world.until(handle, lambda r: r.status == "Approved")
    await handle.signal("cancel", {"decision_id": "c", "actor_id": "ana"})
    closing = await world.until(handle, lambda r: r.closing or r.status.is_terminal)

    assert closing.closing is None or closing.closing.status == "Canceled"
    assert (await world.result(handle, seconds=60)).status == "Canceled"
    await asyncio.sleep(0.3)
    state = world.store.state(request.state_id)
    assert state is not None
    assert state.version == 0


async def test_an_unreadable_directory_delays_a_decision_and_does_not_lose_it(
    world: World,
) -> None:
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)
    people = world.directory[0]
    world.directory[0] = cast("Directory", _Broken())

    await handle.signal("approve", {"decision_id": "d", "actor_id": "ben"})
    await asyncio.sleep(1)
    assert (await world.request(handle)).status == "Pending"
    world.directory[0] = people

    assert (await world.result(handle)).status == "Executed"


async def test_an_outage_at_submission_delays_the_assessment(world: World) -> None:
    world.hooks.hooks["view.before"] = down_for(1.5)

    handle = await world.start("Add")

    assert (await world.result(handle)).status == "Executed"


class _Broken:
    def __getattr__(self, name: str) -> object:
        raise DirectoryError("The directory file is half-written.")
