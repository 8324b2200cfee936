"""What time brings, and everything a request can wait for, lived through on a real server."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.errors import StoreUnavailable
from core.requirements import Requirement
from tests.replay.stories import Story
from tests.replay.waits import WAITS, waited_into_a_new_history
from tests.support import box
from tests.support.world import Handle, World

BEN: dict[str, Any] = {"people": ["ben"]}

STORIES = [story for story in WAITS if story is not waited_into_a_new_history]
"""That one needs a server that wants short histories; see `test_long_lives`."""


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_a_story_of_waiting_goes_as_it_should(world: World, story: Story) -> None:
    handle = await story(world)

    await world.agree(handle)


def window(*, begins: timedelta, ends: timedelta) -> dict[str, Any]:
    """A calendar with one window around now."""
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    span = (ends - begins).total_seconds()
    return {"allow": [{"start": (now + begins).isoformat(), "duration": f"PT{span:.0f}S"}]}


async def test_g8_an_execution_that_an_outage_delays_never_commits_outside_its_window(
    world: World,
) -> None:
    calendar = window(begins=-timedelta(hours=1), ends=timedelta(minutes=3))
    needs: list[dict[str, Any]] = [{"kind": "schedule", "calendar": calendar}, {"people": ["ben"]}]
    handle = await world.start("Add", needs=needs)
    state_id = (await world.pending(handle)).state_id

    def down() -> None:
        raise StoreUnavailable("The store is down.")

    world.hooks.hooks["end.before"] = down
    await handle.signal("approve", {"decision_id": "d-1", "actor_id": "ben"})
    await world.until(handle, lambda r: r.status == "Approved")
    await world.skip(handle, timedelta(minutes=30))
    world.hooks.hooks.clear()
    await handle.signal("wake")
    request = await world.until(handle, lambda r: r.status == "Pending", seconds=40)

    assert [reason.kind for reason in request.pending] == ["schedule"]
    assert [a.actor_id for a in request.answers] == ["ben"]
    assert world.value(state_id) == 0


async def test_a_window_that_closes_while_a_request_executes_does_not_tear_the_commit(
    world: World,
) -> None:
    calendar = window(begins=-timedelta(hours=1), ends=timedelta(minutes=3))
    needs: list[dict[str, Any]] = [{"kind": "schedule", "calendar": calendar}, {"people": ["ben"]}]
    handle = await world.start("Add", needs=needs)
    state_id = (await world.pending(handle)).state_id
    await world.skip(handle, timedelta(minutes=2, seconds=50))

    assert (await world.decide(handle, "ben")).status == "Executed"

    executed = await world.agree(handle)
    state = world.store.state(state_id)
    assert state is not None
    assert state.version == executed.resulting_version == 1


async def test_a_budget_that_is_a_state_grows_for_those_who_wait(world: World) -> None:
    budget = f"budgets/{world.fresh()}"
    need = {"kind": "quota", "key": budget, "budget": budget}
    first = await world.start("Add", needs=[need])
    assert (await world.result(first)).status == "Executed"
    second = await world.start("Add", needs=[need])
    await world.pending(second)

    larger = {"budget": {"limit": 2, "per": "PT1H"}}
    await world.result(await world.start("SetBudget", state_id=budget, parameters=larger))

    assert (await world.result(second)).status == "Executed"


async def test_a_check_that_a_policy_demands_only_at_the_end_is_waited_for(world: World) -> None:
    handle = await world.start("Add", needs=[{"people": ["ben"]}])
    await world.pending(handle)
    box.KNOBS.also_needs = (Requirement.check("ticket", people=["eve"]),)

    await handle.signal("approve", {"decision_id": "d-1", "actor_id": "ben"})
    request = await world.until(
        handle, lambda r: any(s.finding and s.finding.reference for s in r.requirements)
    )

    assert request.status == "Pending"
    said = {"decision_id": "d-2", "actor_id": "eve", "verdict": "passed"}
    await handle.signal("fulfil", {**said, "binding": request.binding})
    assert (await world.result(handle)).status == "Executed"


# Who may answer, and until when.


def both_ways(name: str) -> pytest.MarkDecorator:
    """Live through it in both ways: tried in the workflow task first, and remotely."""
    return pytest.mark.parametrize(name, box.WAYS)


@both_ways("way")
async def test_those_it_escalates_to_may_answer_from_then_on(world: World) -> None:
    need = {"people": ["ben"], "escalate_after": 3600, "escalate_to": {"people": ["eve"]}}
    handle = await world.start("Add", needs=[need])
    await world.pending(handle)

    await world.skip(handle, timedelta(minutes=59))
    before = await world.refused(world.decide(handle, "eve"))
    await world.skip(handle, timedelta(minutes=2))
    shown = await world.until(handle, lambda r: "Escalated" in [d.code for d in r.decisions])

    assert before == "NotAuthorised"
    assert shown.pending[0].who == ("user:ben", "user:eve")
    assert (await world.decide(handle, "eve")).status == "Executed"
    await world.result(handle)
    await world.agree(handle)


@both_ways("way")
async def test_whoever_has_not_answered_is_reminded_once(world: World) -> None:
    handle = await world.start("Add", needs=[{**BEN, "seconds": 7200, "remind_before": 3600}])
    await world.pending(handle)

    reminded = []
    for minutes in (59, 2, 30):
        await world.skip(handle, timedelta(minutes=minutes))
        decisions = (await world.request(handle)).decisions
        reminded.append([d.code for d in decisions].count("Reminded"))

    assert reminded == [0, 1, 1]
    assert (await world.decide(handle, "ben")).status == "Executed"


@both_ways("way")
async def test_a_right_that_is_handed_on_is_there_until_it_ends(world: World) -> None:
    two = await world.start("Add", needs=[{**BEN}, {"people": ["dan"], "step": 2}])
    late = await world.start("Add", needs=[BEN])
    for handle in (two, late):
        await world.pending(handle)
        assert await world.refused(world.decide(handle, "eve")) == "NotAuthorised"
        await hand_on(handle, "ben", "eve", timedelta(hours=1))
        await world.until(handle, lambda r: r.delegations)

    await world.skip(two, timedelta(minutes=58))
    assert (await world.decide(two, "eve")).status == "Pending"
    await world.skip(two, timedelta(minutes=5))
    assert (await world.decide(two, "dan")).status == "Executed"

    await world.skip(late, timedelta(minutes=61))
    assert await world.refused(world.decide(late, "eve")) == "NotAuthorised"
    assert (await world.request(late)).delegations == ()
    assert (await world.decide(late, "ben")).status == "Executed"


@both_ways("way")
async def test_a_grant_lapses_and_is_given_again(world: World) -> None:
    needs = [{**BEN, "lifetime": 3600}, {"people": ["dan"], "step": 2}]
    handle = await world.start("Add", needs=needs)
    await world.pending(handle)
    await world.decide(handle, "ben")

    await world.skip(handle, timedelta(minutes=61))
    lapsed = await world.until(handle, lambda r: not r.answers)
    assert lapsed.pending[0].who == ("user:ben",)
    await world.decide(handle, "ben")
    assert (await world.decide(handle, "dan")).status == "Executed"

    codes = [d.code for d in (await world.agree(handle)).decisions]
    assert [c for c in codes if c in {"Granted", "Lapsed", "Reaffirmed"}] == [
        *("Granted", "Lapsed"),
        *("Reaffirmed", "Granted"),
    ]


# What closes, and what moves.


@both_ways("way")
async def test_a_commit_that_is_under_way_when_its_window_closes_is_made_once(
    world: World,
) -> None:
    calendar = window(begins=-timedelta(hours=1), ends=timedelta(seconds=4))
    closes = datetime.now(UTC) + timedelta(seconds=4)
    handle = await world.start("Add", needs=[{"kind": "schedule", "calendar": calendar}, BEN])
    state_id = (await world.pending(handle)).state_id

    def until_it_has_closed() -> None:
        time.sleep(max(0, (closes - datetime.now(UTC)).total_seconds()))

    world.hooks.hooks["end.before"] = until_it_has_closed
    await handle.signal("approve", {"decision_id": "d-1", "actor_id": "ben"})
    assert (await world.result(handle)).status == "Executed"

    executed = await world.agree(handle)
    assert executed.executed_at is not None
    assert executed.executed_at < closes, "what counts is when it was asked"
    assert [e.subject.request_id for e in world.store.history(state_id)] == [handle.id]


@both_ways("way")
async def test_a_freeze_that_is_declared_while_it_waits_holds_until_it_is_lifted(
    world: World,
) -> None:
    calendar = f"calendars/{world.fresh()}"
    handle = await world.start("Add", needs=[{"kind": "schedule", "calendar": calendar}, BEN])
    state_id = (await world.until(handle, lambda r: r.fulfilled)).state_id
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0).isoformat()
    freeze = {"start": now, "duration": "P30D", "name": "end of the year"}
    await set_calendar(world, calendar, {"freeze": [freeze]})

    await handle.signal("approve", {"decision_id": "d-1", "actor_id": "ben"})
    frozen = await world.until(handle, lambda r: [p.kind for p in r.pending] == ["schedule"])
    assert world.value(state_id) == 0
    assert [a.actor_id for a in frozen.answers] == ["ben"]

    await set_calendar(world, calendar, {})
    assert (await world.result(handle)).status == "Executed"
    assert [d.code for d in (await world.agree(handle)).decisions].count("Reopened") == 1


@both_ways("way")
async def test_a_state_that_moves_supersedes_who_does_not_outlive_it(world: World) -> None:
    # There is one domain that says so; a request of any other may.
    state_id = world.state()
    handle = await world.start("Add", state_id=state_id, needs=[BEN], on_state_moved="supersede")
    patient = await world.start("Add", state_id=state_id, needs=[BEN])
    for each in (handle, patient):
        await world.pending(each)

    await world.result(await world.start("Add", state_id=state_id, parameters={"key": "y"}))

    assert (await world.result(handle)).status == "Superseded"
    await world.agree(handle)
    assert (await world.decide(patient, "ben")).status == "Executed"


async def hand_on(handle: Handle, giver: str, to: str, lasts: timedelta) -> None:
    until = (datetime.now(UTC) + lasts).isoformat()
    said = {"decision_id": "d-1", "actor_id": giver, "to": to, "until": until}
    await handle.signal("delegate", said)


async def set_calendar(world: World, calendar: str, content: dict[str, Any]) -> None:
    change = await world.start("SetCalendar", state_id=calendar, parameters={"calendar": content})
    assert (await world.result(change)).status == "Executed"
