"""Room in budgets is asked for last, first come first served, and kept until the request ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.budgets import Reserving
from activities.budgets import reserve as reserve_now
from activities.looking import look
from activities.overlooked import Overlooked
from activities.resolve import Resolving
from core import Domain, Intent, Mutation, Requirement
from core.budgets import Budget
from core.governance import waits
from core.governance.request import Finding, MutationRequest, Status, WishedMutation
from core.requirements import LAST_STEP
from tests.activities.desk import NOON, Desk, later, look_at, opened, run, run_both
from wire.asks import LookedAt, ResolveVersion

HOURLY = Budget(limit=10, per=timedelta(hours=1))


class Limit(Mutation[Budget]):
    """Set the limit of a budget."""

    limit: int

    @property
    def intent(self) -> Intent:
        return Intent(operation="limit", category="budget")

    def apply(self, state: Budget) -> Budget:
        return state.model_copy(update={"limit": self.limit})


def initial(key: str) -> Any:
    if key == "broken":
        raise RuntimeError("nobody knows")
    return None if key.startswith("no-") else Budget(limit=2, per="day")


BUDGETS = Domain(name="budgets", state=Budget, mutations=(Limit,), initial=initial)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path, domains=[BUDGETS]) as made:
        yield made


def asking(
    desk: Desk,
    request_id: str = "r",
    amount: int = 1,
    *,
    budget: Budget | str = HOURLY,
    key: str = "deploys",
    at: datetime = NOON,
) -> MutationRequest:
    """A request that has nothing left to do but to ask for room."""
    desk.demanded[:] = [Requirement.quota(key, budget, amount=amount)]
    request = desk.open(request_id, at=at)
    desk.demanded.clear()
    return request


def reserve(desk: Desk, request: MutationRequest, *, at: datetime = NOON) -> Finding:
    answer = run(Reserving(desk.outside).reserve_quota, look_at(request, at=at))
    assert isinstance(answer, LookedAt)
    assert answer.finding is not None
    return answer.finding


def approved(desk: Desk, request: MutationRequest, finding: Finding) -> MutationRequest:
    """Let the request take what was found, and the record say so."""
    key = request.requirements[0].id
    desk.demanded[:] = [request.requirements[0].requirement]
    return desk.note(waits.found(request, {key: finding}, finding.at))


def committed(desk: Desk, request_id: str, amount: int, *, at: datetime) -> MutationRequest:
    request = asking(desk, request_id, amount, at=at)
    record = desk.execute(approved(desk, request, reserve(desk, request, at=at)), at=at)
    desk.demanded.clear()
    return record


# Room, or a place.


def test_where_there_is_room_it_is_reserved(desk: Desk) -> None:
    request = asking(desk, amount=4)

    found = reserve(desk, request)

    assert (found.verdict, found.binding) == ("holds", request.requirements[0].id)
    assert found.reason == "4 of 10 reserved in deploys"
    assert (found.at, found.actor_id) == (NOON, "system:mutator")
    assert desk.store.reserved("r", request.requirements[0].id)


def test_where_there_is_none_the_request_waits_for_its_turn(desk: Desk) -> None:
    committed(desk, "a", 4, at=later(minutes=-40))
    reserve(desk, asking(desk, "b", 3))
    reserve(desk, asking(desk, "c", 5))

    found = reserve(desk, asking(desk, "d", 4))

    assert found.verdict == "not_yet"
    assert found.reason == "3 of 10 left, 4 wanted, 5 asked earlier"
    assert found.again_at == later(hours=1), "those ahead fill it once more"


def test_it_is_looked_at_again_when_the_window_has_slid_far_enough(desk: Desk) -> None:
    committed(desk, "a", 4, at=later(minutes=-40))
    committed(desk, "b", 4, at=later(minutes=-30))
    committed(desk, "c", 2, at=later(minutes=-20))
    request = asking(desk, amount=5)

    found = reserve(desk, request)

    assert found.reason == "0 of 10 left, 5 wanted"
    assert found.again_at == later(minutes=30)
    before = reserve(desk, request, at=later(minutes=30, microseconds=-1))
    assert before.verdict == "not_yet"
    assert reserve(desk, request, at=later(minutes=30)).verdict == "holds"


def test_in_a_calendar_period_there_is_room_again_when_the_next_one_begins(desk: Desk) -> None:
    daily = Budget(limit=1, per="day", timezone="Europe/Rome")
    first = asking(desk, "a", budget=daily)
    desk.execute(approved(desk, first, reserve(desk, first)))
    request = asking(desk, budget=daily)

    found = reserve(desk, request)

    assert found.again_at == datetime.fromisoformat("2026-01-02T00:00:00+01:00")
    assert found.again_at is not None
    assert reserve(desk, request, at=found.again_at).verdict == "holds"


def test_what_is_committed_in_the_first_instant_of_a_period_counts_in_it(desk: Desk) -> None:
    daily = Budget(limit=1, per="day")
    midnight = datetime.fromisoformat("2026-01-02T00:00:00Z")
    first = asking(desk, "a", budget=daily, at=midnight)
    desk.execute(approved(desk, first, reserve(desk, first, at=midnight)), at=midnight)

    found = reserve(desk, asking(desk, budget=daily, at=midnight), at=later(hours=20))

    assert found.verdict == "not_yet"


def test_more_than_the_budget_ever_has_is_waited_for_until_somebody_says(desk: Desk) -> None:
    request = asking(desk, amount=3, budget="budgets/small")

    found = reserve(desk, request)

    assert found.again_at is None
    assert found.reason == "2 of 2 left, 3 wanted; it never has so much"
    assert {"budget:deploys", "state:budgets/small"} <= set(request.told_by)


def test_at_submission_that_is_refused_where_the_budget_is_known(desk: Desk) -> None:
    request = asking(desk, amount=11)

    assert request.closing is not None
    assert request.closing.rejection is not None
    assert request.closing.rejection.category == "unsatisfiable"
    assert request.closing.rejection.code == "no_budget"


# Budgets that are states.


def test_a_budget_that_is_a_state_is_read_whenever_it_is_looked_at(desk: Desk) -> None:
    first, request = (asking(desk, each, 2, budget="budgets/small") for each in "ab")
    reserve(desk, first)
    assert reserve(desk, request).reason == "0 of 2 left, 2 wanted"

    more = WishedMutation(type="Limit", parameters={"limit": 4})
    desk.executed("more", state_id="budgets/small", mutations=(more,))

    assert reserve(desk, request).verdict == "holds"


@pytest.mark.parametrize(
    ("budget", "named"),
    [
        ("budgets/no-such", "There is no state 'budgets/no-such'"),
        ("budgets/broken", "cannot give the initial value of 'budgets/broken'"),
        ("nowhere/a", "no domain 'nowhere'"),
        ("box/a", "The state 'box/a' is no budget: limit: Field required"),
        (Budget(limit=1, per="day", timezone="Europe/Atlantis"), "no time zone 'Europe/Atlantis'"),
    ],
)
def test_g10_a_budget_that_cannot_be_read_blocks_by_name_and_is_looked_at_again(
    desk: Desk, budget: Budget | str, named: str
) -> None:
    found = reserve(desk, asking(desk, budget=budget))

    assert found.verdict == "not_yet"
    assert found.reason.startswith("the budget cannot be read: ")
    assert named in found.reason
    assert found.again_at == later(minutes=15)
    assert not desk.store.queue("deploys")


def test_g10_a_governed_budget_whose_window_is_nothing_blocks(tmp_path: Path) -> None:
    def zero(_: str) -> Any:
        return Budget(limit=1, per="day").model_copy(update={"per": timedelta(0)})

    budgets = Domain(name="budgets", state=Budget, mutations=(Limit,), initial=zero)
    with opened(tmp_path, domains=[budgets]) as desk:
        found = reserve(desk, asking(desk, budget="budgets/zero"))

    assert found.verdict == "not_yet"
    assert "The state 'budgets/zero' is no budget: per" in found.reason


@pytest.mark.parametrize("per", [timedelta.max, timedelta(days=366 * 100)])
def test_g9_whoever_waits_for_room_in_a_window_of_centuries_is_answered(
    desk: Desk, per: timedelta
) -> None:
    for n in range(100):
        desk.demanded[:] = [Requirement.quota("deploys", Budget(limit=1, per=per))]
        request = desk.open(f"r{n}")
        found = reserve(desk, request)
        assert found.verdict == ("not_yet" if n else "holds")

    assert found.again_at is None


def test_g10_a_quota_that_says_nothing_blocks(desk: Desk) -> None:
    nothing = Requirement(kind="quota", step=LAST_STEP)

    found = reserve_now(desk.outside, "r", nothing, NOON)

    assert isinstance(found, Finding)
    assert (found.verdict, found.again_at) == ("not_yet", None)
    assert found.reason == "it does not say which budget"


# Asked twice, late, or after the end.


def test_whoever_asks_twice_at_once_takes_room_once(desk: Desk) -> None:
    request = asking(desk, amount=6)

    one, other = run_both(Reserving(desk.outside).reserve_quota, look_at(request))

    assert one.finding.verdict == other.finding.verdict == "holds"
    assert reserve(desk, asking(desk, "s", 4)).verdict == "holds"
    assert reserve(desk, asking(desk, "t", 1)).verdict == "not_yet"


def test_a_request_that_has_ended_answers_its_record_and_takes_nothing(desk: Desk) -> None:
    request = asking(desk, amount=6)
    record = desk.cancel(request)

    answer = run(Reserving(desk.outside).reserve_quota, look_at(request))

    assert answer == LookedAt(ended=record)
    assert not desk.store.reserved("r", request.requirements[0].id)


def test_one_that_ends_between_the_two_reads_answers_its_record_as_well(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, other = asking(desk, amount=6), asking(desk, "s", 6)
    reserve(desk, request)
    reserve(desk, other)
    reserving = desk.store.reserve
    ended: list[MutationRequest] = []

    def reserve_late(wanted: Any) -> Any:
        if not ended:
            ended.append(desk.cancel(request))
        return reserving(wanted)

    monkeypatch.setattr(desk.store, "reserve", reserve_late)

    answer = run(Reserving(desk.outside).reserve_quota, look_at(request))

    assert answer == LookedAt(ended=ended[0], waiters=True)


def test_an_ending_says_to_whoever_asks_that_there_may_be_room_for_others(desk: Desk) -> None:
    request, other = asking(desk, amount=6), asking(desk, "s", 6)
    reserve(desk, request)
    reserve(desk, other)
    desk.cancel(request)

    answer = run(Reserving(desk.outside).reserve_quota, look_at(request))

    assert answer.waiters


@pytest.mark.parametrize(
    "parameters",
    [
        {"key": "deploys", "amount": 0},
        {"key": "deploys", "budget": {"limit": 1, "per": "moon"}},
        {"budget": "x"},
    ],
    ids=str,
)
def test_g10_a_quota_that_is_malformed_blocks_and_says_so(
    desk: Desk, parameters: dict[str, Any]
) -> None:
    desk.demanded[:] = [Requirement(kind="quota", parameters=parameters)]

    request = desk.open()
    found = reserve(desk, request)

    assert request.status is Status.PENDING
    assert "does not say what it needs" in request.pending[0].text
    assert found.verdict == "not_yet"
    assert found.reason == "it does not say which budget"
    sweep = Overlooked(desk.outside, NOON)
    sweep.add(request)
    assert sweep.found() == []


# What a request relies on is looked at again before it executes.


def test_room_that_is_reserved_no_more_is_asked_for_again_and_nothing_commits(desk: Desk) -> None:
    request = asking(desk, amount=6)
    ready = approved(desk, request, reserve(desk, request))
    assert ready.status is Status.APPROVED
    # Its picture of before is noted again, by a message that counted: it gives the room back.
    desk.store.note(request.model_copy(update={"decisions": ready.decisions}), fence=1)

    (found,) = look(desk.outside, ready, desk.demanded, later(minutes=1)).values()
    changed = desk.change(ready, at=later(minutes=1))

    (state,) = changed.requirements
    assert (found.verdict, found.again_at) == ("not_yet", later(minutes=1))
    assert changed.status is Status.PENDING
    assert state.finding == found
    assert "no longer" in found.reason
    assert changed.decisions[-2].code == "Reopened"
    assert waits.to_look_at(changed, later(minutes=1)) == (state,)
    assert desk.store.state("box/a").version == 0  # type: ignore[union-attr]  # it was assessed


def test_where_all_is_well_nothing_is_said_of_it(desk: Desk) -> None:
    request = asking(desk)
    ready = approved(desk, request, reserve(desk, request))

    ask = ResolveVersion(request=ready, at=NOON, fence=2)
    answer = run(Resolving(desk.outside).resolve_version, ask)

    assert answer.resolution.outcome.executes
    assert answer.resolution.assessment.findings == {}
    assert desk.execute(ready, fence=3).status is Status.EXECUTED
