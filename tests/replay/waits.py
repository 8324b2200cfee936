"""The stories of what else a request waits for, and of what comes with time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from core.checks import failed
from tests.support import box
from tests.support.waits import REASONS, fulfil
from tests.support.world import Handle, World

HOUR = timedelta(hours=1)
TICKET: dict[str, Any] = {"kind": "check", "name": "ticket", "people": ["eve"]}


async def _met(world: World, reason: str) -> Handle:
    wait = await REASONS[reason](world, [])
    await wait.meet()
    assert (await world.result(wait.handle)).status == "Executed"
    return wait.handle


async def waited_for_a_review(world: World) -> Handle:
    """Somebody looks, and says so by an update."""
    return await _met(world, "review")


async def waited_for_a_check(world: World) -> Handle:
    """A check says not yet, and passes an hour later."""
    return await _met(world, "check")


async def waited_for_a_check_that_failed(world: World) -> Handle:
    """A check fails at once."""
    box.KNOBS.check = failed("two tests are red")
    handle = await world.start("Add", needs=[{"kind": "check", "name": "ci"}])
    assert (await world.result(handle)).status == "Rejected"
    box.KNOBS.check = box.PASSED
    return handle


async def waited_for_a_check_that_raised(world: World) -> Handle:
    """A check raises more often than it is tried at once, and passes after a pause."""
    box.KNOBS.check_fails = 2
    handle = await world.start("Add", needs=[{"kind": "check", "name": "ci"}])
    await world.until(handle, lambda r: r.pending and r.pending[0].again_at)
    await world.skip(handle, timedelta(minutes=2))
    assert (await world.result(handle)).status == "Executed"
    return handle


async def waited_for_a_callback(world: World) -> Handle:
    """Another system answers by a signal, after one that may not."""
    handle = await world.start("Add", needs=[TICKET])
    await world.until(handle, lambda r: r.requirements and r.requirements[0].finding)
    said = {"decision_id": "d-1", "verdict": "passed"}
    await handle.signal("fulfil", {**said, "actor_id": "ben"})
    await world.until(handle, lambda r: r.refused_count == 1)
    await handle.signal("fulfil", {**said, "actor_id": "eve"})
    assert (await world.result(handle)).status == "Executed"
    return handle


async def waited_for_a_callback_that_failed(world: World) -> Handle:
    """Another system answers by an update that it failed."""
    wait = await REASONS["callback"](world, [])
    await fulfil(world, wait.handle, "eve", "failed")
    assert (await world.result(wait.handle)).status == "Rejected"
    return wait.handle


async def waited_for_a_moment(world: World) -> Handle:
    """An instant is reached."""
    return await _met(world, "schedule")


async def waited_for_a_calendar(world: World) -> Handle:
    """A freeze is declared while it waits for an approval, found at resolution, and lifted."""
    calendar = f"calendars/{world.fresh()}"
    today = datetime.now(UTC).replace(tzinfo=None, microsecond=0).isoformat()
    needs: list[dict[str, Any]] = [{"kind": "schedule", "calendar": calendar}, {"people": ["ben"]}]
    handle = await world.start("Add", needs=needs)
    await world.until(handle, lambda r: r.fulfilled)
    await _set(world, calendar, {"freeze": [{"start": today, "duration": "P30D", "name": "f"}]})
    await world.decide(handle, "ben")
    await world.until(handle, lambda r: [p.kind for p in r.pending] == ["schedule"])
    await _set(world, calendar, {})
    assert (await world.result(handle)).status == "Executed"
    return handle


async def waited_for_a_request(world: World) -> Handle:
    """The request it depends on executes, and wakes it."""
    return await _met(world, "dependency")


async def waited_for_a_request_that_ended(world: World) -> Handle:
    """The request it depends on is rejected."""
    wait = await REASONS["dependency"](world, [])
    assert wait.refuse is not None
    await wait.refuse()
    assert (await world.result(wait.handle)).status == "Rejected"
    return wait.handle


async def waited_for_room(world: World) -> Handle:
    """A budget has room again an hour later."""
    return await _met(world, "quota")


async def waited_with_room_given_back(world: World) -> Handle:
    """Held with what it has reserved, it is cancelled."""
    need = {"kind": "quota", "key": world.fresh(), "budget": {"limit": 1, "per": "PT1H"}}
    handle = await world.start(
        "Add", state_id=world.state("held"), needs=[need, {"people": ["ben"]}]
    )
    await world.pending(handle)
    box.KNOBS.raises = 100
    await world.decide(handle, "ben")
    await world.until(handle, lambda r: r.held)
    box.KNOBS.raises = 0
    await world.mutator.cancel(handle.id, actor_id="ana")
    assert (await world.result(handle)).status == "Canceled"
    return handle


async def waited_and_was_superseded(world: World) -> Handle:
    """A newer request takes its place."""
    wait = await REASONS["callback"](world, [])
    newer = await world.start("Put", state_id=wait.state_id, supersedes=wait.handle.id)
    assert (await world.result(newer)).status == "Executed"
    assert (await world.result(wait.handle)).status == "Superseded"
    return wait.handle


async def waited_and_superseded(world: World) -> Handle:
    """It takes an older one's place, and then waits itself."""
    older = await REASONS["approval"](world, [])
    handle = await world.start(
        "Put", state_id=older.state_id, supersedes=older.handle.id, needs=[{"people": ["ben"]}]
    )
    await world.until(handle, lambda r: r.links)
    assert (await world.decide(handle, "ben")).status == "Executed"
    await world.result(handle)
    return handle


async def waited_until_the_state_moved(world: World) -> Handle:
    """It is superseded by a version."""
    state_id = world.state("moved")
    handle = await world.start("Add", state_id=state_id, needs=[{"people": ["ben"]}])
    await world.pending(handle)
    await world.result(await world.start("Add", state_id=state_id))
    assert (await world.result(handle)).status == "Superseded"
    return handle


async def waited_with_a_reminder_and_an_escalation(world: World) -> Handle:
    """Nobody came, so others may answer; then they are reminded, and one of them does."""
    need = {
        "people": ["ben"],
        "seconds": 7200,
        "remind_before": 1800,
        "escalate_after": 3600,
        "escalate_to": {"people": ["dan"]},
    }
    handle = await world.start("Add", needs=[need])
    await world.pending(handle)
    await world.skip(handle, timedelta(minutes=95))
    await world.until(handle, lambda r: "Reminded" in [d.code for d in r.decisions])
    assert (await world.decide(handle, "dan")).status == "Executed"
    await world.result(handle)
    return handle


async def waited_until_a_grant_lapsed(world: World) -> Handle:
    """One of two grants grows too old, and is given again."""
    need = {"people": ["ben", "cleo"], "needed": 2, "lifetime": 3600}
    handle = await world.start("Add", needs=[need])
    await world.pending(handle)
    await world.decide(handle, "ben")
    await world.skip(handle, timedelta(minutes=61))
    await world.until(handle, lambda r: "Lapsed" in [d.code for d in r.decisions])
    await world.decide(handle, "ben")
    assert (await world.decide(handle, "cleo")).status == "Executed"
    assert "Reaffirmed" in [d.code for d in (await world.request(handle)).decisions]
    await world.result(handle)
    return handle


async def waited_with_a_delegation_and_a_comment(world: World) -> Handle:
    """A right is handed on and used, and something is said."""
    handle = await world.start("Add", needs=[{"people": ["ben"]}])
    await world.pending(handle)
    until = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    said = {"decision_id": "d-1", "actor_id": "ben", "to": "eve", "until": until}
    await handle.signal("delegate", said)
    await handle.signal("comment", {"decision_id": "d-2", "actor_id": "cleo", "text": "at last"})
    await world.until(handle, lambda r: r.delegations and r.comments)
    assert (await world.decide(handle, "eve")).status == "Executed"
    await world.result(handle)
    return handle


async def waited_and_was_canceled_while_a_check_ran(world: World) -> Handle:
    """The check goes on when nobody waits for it any more."""
    box.KNOBS.check_waits = threading.Event()
    handle = await world.start("Add", needs=[{"kind": "check", "name": "ci"}])
    await world.pending(handle)
    async with asyncio.timeout(20):
        while not box.KNOBS.checked:
            await asyncio.sleep(0.02)
    await world.mutator.cancel(handle.id, actor_id="ana")
    box.KNOBS.check_waits.set()
    assert (await world.result(handle)).status == "Canceled"
    box.KNOBS.check_waits = None
    return handle


async def waited_remotely(world: World) -> Handle:
    """Everything at once, of a domain that wants to be asked remotely."""
    world.way = "remote"
    other = await world.start("Add", needs=[{"people": ["ben"]}])
    await world.pending(other)
    needs: list[dict[str, Any]] = [
        TICKET,
        {"kind": "check", "name": "ci"},
        {"kind": "review", "people": ["cleo"]},
        {"kind": "quota", "key": world.fresh(), "budget": {"limit": 1, "per": "PT1H"}},
    ]
    at = datetime.now(UTC) + HOUR
    handle = await world.start("Add", needs=needs, depends_on=[other.id], not_before=at.isoformat())
    await world.until(
        handle, lambda r: any(s.finding and s.finding.reference for s in r.requirements)
    )
    await fulfil(world, handle, "eve", name="ticket")
    await fulfil(world, handle, "cleo")
    await world.decide(other, "ben")
    await world.until(handle, lambda r: {p.kind for p in r.pending} == {"schedule", "quota"})
    await world.skip(handle, HOUR + timedelta(seconds=1))
    assert (await world.result(handle)).status == "Executed"
    world.way = "local_first"
    return handle


async def waited_into_a_new_history(world: World) -> Handle:
    """Its history grew long, and it went on with a new one; that is the one that is kept."""
    handle = await world.start("Add", needs=[TICKET, {"people": ["ben", "cleo"], "needed": 2}])
    await world.pending(handle)
    before = (await handle.describe()).run_id
    latest = world.client.get_workflow_handle(handle.id)
    while (await latest.describe()).run_id == before:
        await world.decide(handle, "ben")
        await world.decide(handle, "ben", "withdraw")
    await fulfil(world, latest, "eve")
    await world.decide(latest, "ben")
    assert (await world.decide(latest, "cleo")).status == "Executed"
    await world.result(latest)
    return latest


async def _set(world: World, calendar: str, content: dict[str, Any]) -> None:
    change = await world.start("SetCalendar", state_id=calendar, parameters={"calendar": content})
    assert (await world.result(change)).status == "Executed"


WAITS: Final[tuple[Callable[[World], Awaitable[Handle]], ...]] = (
    waited_for_a_review,
    waited_for_a_check,
    waited_for_a_check_that_failed,
    waited_for_a_check_that_raised,
    waited_for_a_callback,
    waited_for_a_callback_that_failed,
    waited_for_a_moment,
    waited_for_a_calendar,
    waited_for_a_request,
    waited_for_a_request_that_ended,
    waited_for_room,
    waited_with_room_given_back,
    waited_and_was_superseded,
    waited_and_superseded,
    waited_until_the_state_moved,
    waited_with_a_reminder_and_an_escalation,
    waited_until_a_grant_lapsed,
    waited_with_a_delegation_and_a_comment,
    waited_and_was_canceled_while_a_check_ran,
    waited_remotely,
    waited_into_a_new_history,
)
