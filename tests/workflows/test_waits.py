"""Every pending reason is a real wait with a way back, in both ways, and each ends by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.checks import not_yet
from core.governance.request import MutationRequest
from tests.support import box
from tests.support.waits import HOUR, REASONS, fulfil
from tests.support.world import Handle, World

EVERY = sorted(REASONS)
LATER: list[dict[str, Any]] = [{"people": ["dan"], "step": 2}]
"""Something to wait for beside it, so that what is met does not end the request."""


@pytest.fixture(params=box.WAYS)
def way(request: pytest.FixtureRequest) -> box.Way:
    """Both ways: tried in the workflow task first, and remotely from the start."""
    found: box.Way = request.param
    return found


def codes(request: MutationRequest, requirement: str = "") -> list[str]:
    return [
        d.code
        for d in request.decisions
        if str(d.metadata.get("requirement", "")).startswith(requirement)
    ]


@pytest.mark.parametrize("reason", EVERY)
async def test_g9_what_is_met_lets_the_request_execute(world: World, reason: str) -> None:
    wait = await REASONS[reason](world, [])
    shown = await world.pending(wait.handle)
    assert [r.open for r in shown.pending] == [True]
    assert shown.pending[0].text

    await wait.meet()

    assert (await world.result(wait.handle)).status == "Executed"
    await world.agree(wait.handle)
    assert world.value(wait.state_id) == 1


@pytest.mark.parametrize("reason", ["approval", "review", "callback", "check", "dependency"])
async def test_g9_a_no_ends_the_request_with_its_name(world: World, reason: str) -> None:
    wait = await REASONS[reason](world, [])
    assert wait.refuse is not None

    await wait.refuse()

    result = await world.result(wait.handle)
    assert result.status == "Rejected"
    assert result.rejection is not None
    assert (result.rejection.category, result.rejection.code) == wait.rejection
    await world.agree(wait.handle)
    assert world.value(wait.state_id) == 0


@pytest.mark.parametrize("reason", ["approval", "review", "callback", "dependency"])
async def test_g9_what_nobody_meets_expires(world: World, reason: str) -> None:
    wait = await REASONS[reason](world, [])

    await world.skip(wait.handle, timedelta(days=14, seconds=1))

    assert (await world.result(wait.handle)).status == "Expired"
    await world.agree(wait.handle)


async def test_g9_a_check_that_is_never_done_expires(world: World) -> None:
    handle = await world.start("Add", needs=[{"kind": "check", "name": "ci", "seconds": 5400}])
    box.KNOBS.check = not_yet("still running", HOUR)
    await world.pending(handle)

    await world.skip(handle, timedelta(hours=2))

    assert (await world.result(handle)).status == "Expired"
    assert codes(await world.agree(handle), "check")[-1] == "Expired"


async def test_g9_room_that_never_comes_expires(world: World) -> None:
    need = {"kind": "quota", "key": world.fresh(), "budget": {"limit": 1, "per": "P60D"}}
    first = await world.start("Add", needs=[need])
    assert (await world.result(first)).status == "Executed"
    handle = await world.start("Add", needs=[{**need, "seconds": 3600}])
    await world.pending(handle)

    await world.skip(handle, timedelta(hours=2))

    assert (await world.result(handle)).status == "Expired"
    assert codes(await world.agree(handle), "quota")[-1] == "Expired"


async def test_g9_a_moment_that_is_taken_away_expires(world: World) -> None:
    calendar = f"calendars/{world.fresh()}"
    soon = (datetime.now(UTC) + timedelta(hours=2)).replace(tzinfo=None, microsecond=0)
    window = {"start": soon.isoformat(), "duration": "PT1H", "name": "the only one"}
    await set_calendar(world, calendar, {"allow": [window]})
    handle = await world.start("Add", needs=[{"kind": "schedule", "calendar": calendar}])
    shown = await world.pending(handle)
    assert shown.pending[0].again_at == soon.replace(tzinfo=UTC)

    await set_calendar(world, calendar, {"allow": [{**window, "start": "2020-01-01T00:00:00"}]})
    await world.until(handle, lambda r: r.pending and r.pending[0].again_at is None)
    await world.skip(handle, timedelta(days=14, seconds=1))

    assert (await world.result(handle)).status == "Expired"


async def set_calendar(world: World, state_id: str, calendar: dict[str, Any]) -> None:
    handle = await world.start("SetCalendar", state_id=state_id, parameters={"calendar": calendar})
    assert (await world.result(handle)).status == "Executed"


@pytest.mark.parametrize("reason", EVERY)
async def test_a_request_that_waits_is_cancelled(world: World, reason: str) -> None:
    wait = await REASONS[reason](world, LATER)

    reply = await world.mutator.cancel(wait.handle.id, actor_id="ana")

    assert reply.status == "Canceled"
    assert (await world.result(wait.handle)).status == "Canceled"
    await world.agree(wait.handle)


@pytest.mark.parametrize("reason", EVERY)
async def test_a_request_that_waits_is_superseded_by_a_newer_one(world: World, reason: str) -> None:
    wait = await REASONS[reason](world, LATER)

    newer = await world.start("Put", state_id=wait.state_id, supersedes=wait.handle.id)

    assert (await world.result(newer)).status == "Executed"
    assert (await world.result(wait.handle)).status == "Superseded"
    older = await world.agree(wait.handle)
    assert [(link.request_id, link.relation) for link in older.links] == [
        (newer.id, "superseded_by")
    ]
    taken = await world.agree(newer)
    assert [(link.request_id, link.relation) for link in taken.links] == [
        (wait.handle.id, "supersedes")
    ]


@pytest.mark.parametrize("reason", ["approval", "review", "callback"])
async def test_g11_what_is_met_already_is_refused_by_name(world: World, reason: str) -> None:
    wait = await REASONS[reason](world, LATER)
    assert wait.twice is not None
    await wait.meet()

    assert await world.refused(wait.twice()) == "DuplicateDecision"

    shown = await world.request(wait.handle)
    assert [m.error for m in shown.refused_messages] == ["DuplicateDecision"]
    assert shown.status == "Pending"


@pytest.mark.parametrize("reason", ["check", "schedule", "dependency", "quota"])
async def test_a_wake_up_more_changes_nothing(world: World, reason: str) -> None:
    wait = await REASONS[reason](world, LATER)

    for _ in range(5):
        await wait.handle.signal("wake")
    await wait.meet()
    request = await world.until(
        wait.handle, lambda r: len(r.pending) == 1 or reason == "quota", seconds=20
    )

    assert codes(request).count("Opened") == (0 if reason == "quota" else 1)
    assert request.status == "Pending"
    assert (await world.decide(wait.handle, "dan")).status in {"Executed", "Pending"}
    assert (await world.result(wait.handle)).status == "Executed"


async def moved_on(world: World, handle: Handle) -> None:
    """Let somebody else change what the request is about."""
    state_id = (await world.request(handle)).state_id
    other = await world.start("Add", state_id=state_id, parameters={"key": "x", "amount": 5})
    assert (await world.result(other)).status == "Executed"


# Checks.


async def test_a_check_that_raises_has_not_failed_and_is_asked_again(world: World) -> None:
    box.KNOBS.check_fails = 3  # more than its one retry
    handle = await world.start("Add", needs=[{"kind": "check", "name": "ci"}])
    request = await world.until(handle, lambda r: r.pending and r.pending[0].again_at, seconds=30)

    assert "nobody answers" in request.pending[0].text
    await world.skip(handle, timedelta(minutes=2))

    assert (await world.result(handle)).status == "Executed"


async def test_a_check_is_asked_again_when_the_effect_it_judged_has_changed(world: World) -> None:
    needs: list[dict[str, Any]] = [
        {"kind": "check", "name": "ci"},
        {"people": ["ben"], "covers": ["/elsewhere"]},
    ]
    handle = await world.start("Add", needs=needs)
    await world.until(handle, lambda r: len(r.fulfilled) == 1)
    state_id = (await world.request(handle)).state_id
    await moved_on(world, handle)

    assert await world.refused(world.decide(handle, "ben")) == "OutdatedBinding"
    await world.until(handle, lambda r: len(r.fulfilled) == 1)
    await world.decide(handle, "ben")

    assert (await world.result(handle)).status == "Executed"
    assert len(set(box.KNOBS.checked)) == 2
    request = await world.agree(handle)
    assert codes(request, "check").count("Reopened") == 1
    assert world.value(state_id) == 6


async def test_a_check_bound_to_the_mutation_holds_whatever_the_effect_is(world: World) -> None:
    needs: list[dict[str, Any]] = [
        {"kind": "check", "name": "ci", "bound_to": "mutation"},
        {"people": ["ben"], "covers": ["/elsewhere"]},
    ]
    handle = await world.start("Add", needs=needs)
    await world.until(handle, lambda r: len(r.fulfilled) == 1)
    await moved_on(world, handle)

    assert await world.refused(world.decide(handle, "ben")) == "OutdatedBinding"
    await world.decide(handle, "ben")

    assert (await world.result(handle)).status == "Executed"
    assert len(box.KNOBS.checked) == 1


async def test_a_callback_is_filed_once_and_names_its_reference(world: World) -> None:
    wait = await REASONS["callback"](world, LATER)
    request = await world.until(
        wait.handle,
        lambda r: (f := r.requirements[0].finding or r.requirements[1].finding) and f.reference,
    )

    assert len(box.KNOBS.filed) == 1
    found = next(r.finding for r in request.requirements if r.finding)
    assert found.reference == "T-1"
    await wait.handle.signal("wake")
    await wait.meet()
    await world.decide(wait.handle, "dan")
    assert (await world.result(wait.handle)).status == "Executed"
    assert len(box.KNOBS.filed) == 1


async def test_only_whom_a_callback_names_may_answer_it(world: World) -> None:
    wait = await REASONS["callback"](world, [])

    assert await world.refused(fulfil(world, wait.handle, "ben")) == "NotAuthorised"
    assert await world.refused(fulfil(world, wait.handle, "nobody")) == "UnknownActor"
    shown = await world.request(wait.handle)
    assert [m.error for m in shown.refused_messages] == ["NotAuthorised", "UnknownActor"]
    assert (await fulfil(world, wait.handle, "eve")).status == "Executed"


async def test_what_nobody_answers_from_outside_refuses_fulfil_by_name(world: World) -> None:
    wait = await REASONS["schedule"](world, [])
    requirement = (await world.request(wait.handle)).requirements[0].id

    refusal = await world.refused(fulfil(world, wait.handle, "eve", requirement_id=requirement))

    assert refusal == "NotFulfillable"


async def test_several_checks_run_side_by_side(world: World) -> None:
    needs: list[dict[str, Any]] = [
        {"kind": "check", "name": "ci", "parameters": {"suite": name}} for name in ("a", "b", "c")
    ]
    handle = await world.start("Add", needs=needs)

    assert (await world.result(handle)).status == "Executed"
    assert len(set(box.KNOBS.checked)) == 3


async def test_g10_a_check_that_nobody_registered_blocks_and_says_so(world: World) -> None:
    handle = await world.start("Add", needs=[{"kind": "check", "name": "no-such-check"}])
    request = await world.until(handle, lambda r: r.pending and r.pending[0].again_at)

    assert "no-such-check" in request.pending[0].text
    assert request.status == "Pending"


# Schedules.


async def test_a_schedule_that_can_never_be_is_refused_at_submission(world: World) -> None:
    handle = await world.start(
        "Add", needs=[{"kind": "schedule", "not_before": "2999-01-01T00:00:00+00:00"}]
    )

    result = await world.result(handle)
    assert result.rejection is not None
    assert (result.rejection.category, result.rejection.code) == ("unsatisfiable", "no_window")


# Quota.


async def test_more_than_a_budget_ever_has_is_refused_at_submission(world: World) -> None:
    need = {"kind": "quota", "key": "k", "amount": 5, "budget": {"limit": 4, "per": "PT1H"}}
    handle = await world.start("Add", needs=[need])

    result = await world.result(handle)
    assert result.rejection is not None
    assert (result.rejection.category, result.rejection.code) == ("unsatisfiable", "no_budget")


async def test_room_that_a_cancelled_request_gives_back_goes_to_the_next(world: World) -> None:
    need = {"kind": "quota", "key": world.fresh(), "budget": {"limit": 1, "per": "PT1H"}}
    first = await world.start(
        "Add", state_id=world.state("held"), needs=[need, {"people": ["ben"]}]
    )
    await world.pending(first)
    box.KNOBS.raises = 100  # it is held, with what it has reserved
    await world.decide(first, "ben")
    await world.until(first, lambda r: r.held)
    box.KNOBS.raises = 0
    second = await world.start("Add", needs=[need])
    await world.pending(second)

    await world.send(first, "cancel_request", {"decision_id": "c", "actor_id": "ana"})

    assert (await world.result(second)).status == "Executed"


# Dependencies.


async def test_a_request_that_is_not_in_the_record_cannot_be_depended_on(world: World) -> None:
    handle = await world.start("Add", depends_on=["never-heard-of"])

    result = await world.result(handle)
    assert result.rejection is not None
    assert (result.rejection.category, result.rejection.code) == ("dependency", "unknown")


async def test_a_chain_of_fifty_runs_through(world: World) -> None:
    first = await world.start("Add", needs=[{"people": ["ben"]}])
    await world.pending(first)
    chain = [first]
    for _ in range(49):
        chain.append(await world.start("Add", depends_on=[chain[-1].id]))
        await world.pending(chain[-1])

    await world.decide(first, "ben")

    assert (await world.result(chain[-1], seconds=60)).status == "Executed"


@pytest.mark.parametrize("way", ["local_first"], indirect=True)
async def test_one_waits_for_two_hundred(world: World) -> None:
    others = [await world.start("Add", needs=[{"people": ["ben"]}]) for _ in range(200)]
    for other in others:
        await world.waiting(other.id)
    handle = await world.start("Add", depends_on=[other.id for other in others])
    await world.pending(handle)

    for other in others:
        await other.signal("approve", {"decision_id": "d", "actor_id": "ben"})

    assert (await world.result(handle, seconds=60)).status == "Executed"


# Several at once.


async def test_several_reasons_are_all_shown_and_met_in_any_order(world: World) -> None:
    other = await world.start("Add", needs=[{"people": ["ben"]}])
    await world.pending(other)
    needs: list[dict[str, Any]] = [
        {"people": ["ben"]},
        {"kind": "check", "name": "silent", "people": ["eve"]},
        {"kind": "review", "people": ["cleo"]},
        {"kind": "quota", "key": world.fresh(), "budget": {"limit": 1, "per": "day"}},
    ]
    handle = await world.start("Add", needs=needs, depends_on=[other.id])
    shown = await world.pending(handle)
    assert {r.kind for r in shown.pending} == {
        "approval",
        "check",
        "review",
        "dependency",
        "quota",
    }

    await fulfil(world, handle, "cleo", name=None)
    await world.decide(other, "ben")
    await world.decide(handle, "ben")
    await world.until(handle, lambda r: {p.kind for p in r.pending} == {"check", "quota"})
    await fulfil(world, handle, "eve")

    assert (await world.result(handle)).status == "Executed"


# Hands and words.


async def test_g6_a_right_handed_on_lets_another_answer_and_the_two_count_once(
    world: World,
) -> None:
    handle = await world.start("Add", needs=[{"people": ["ben", "cleo"], "needed": 2}])
    await world.pending(handle)
    until = (datetime.now(UTC) + timedelta(days=2)).isoformat()

    def hand_on(to: str) -> dict[str, str]:
        return {"decision_id": f"to-{to}", "actor_id": "cleo", "to": to, "until": until}

    await handle.signal("delegate", hand_on("ana"))
    await handle.signal("delegate", hand_on("nobody"))
    await handle.signal("delegate", hand_on("eve"))
    shown = await world.until(handle, lambda r: r.delegations)
    assert "user:eve" in shown.pending[0].who
    assert [m.error for m in shown.refused_messages] == ["SelfApproval", "UnknownActor"]

    assert (await world.decide(handle, "eve")).status == "Pending"
    assert (await world.decide(handle, "cleo")).status == "Pending"
    assert (await world.decide(handle, "ben")).status == "Executed"
    seats = (await world.agree(handle)).requirements[0].granted_by
    assert len(seats) == 2


async def test_a_comment_is_kept_once_and_decides_nothing(world: World) -> None:
    handle = await world.start("Add", needs=[{"people": ["ben"]}])
    await world.pending(handle)
    said = {"decision_id": "c-1", "actor_id": "eve", "text": "why now?"}

    await handle.signal("comment", said)
    await handle.signal("comment", said)
    await handle.signal("comment", {**said, "text": "something else"})
    await handle.signal("comment", {**said, "decision_id": "c-2", "actor_id": "nobody"})
    request = await world.until(handle, lambda r: r.refused_count == 2)

    assert [c.text for c in world.store.comments(handle.id)] == ["why now?"]
    assert request.comments == 1
    assert [m.error for m in request.refused_messages] == ["DecisionIdReused", "UnknownActor"]
    assert (await world.decide(handle, "ben")).status == "Executed"
