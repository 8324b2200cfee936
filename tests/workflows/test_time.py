"""What time brings, and everything a request can wait for, lived through on a real server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.errors import StoreUnavailable
from core.requirements import Requirement
from tests.replay.stories import Story
from tests.replay.waits import WAITS, waited_into_a_new_history
from tests.support import box
from tests.support.world import World

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
