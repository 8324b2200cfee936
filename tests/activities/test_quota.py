"""Room in budgets is asked for last, first come first served, and kept until the request ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from activities.budgets import Reserving
from activities.budgets import reserve as reserve_now
from activities.execute import Executing
from activities.looking import look
from activities.overlooked import Overlooked
from activities.resolve import Resolving
from core import Domain, Intent, Mutation, Requirement
from core.budgets import Budget
from core.governance import approval, waits
from core.governance.request import Finding, MutationRequest, Status, WishedMutation
from core.governance.resolution import resolved
from core.requirements import ANY, LAST_STEP
from tests.activities.desk import NOON, Desk, later, look_at, opened, run, run_both
from tests.support.people import PEOPLE
from wire.asks import ExecuteMutation, LookedAt, ResolveVersion

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


# Several budgets at once.

ONE_AN_HOUR = Budget(limit=1, per=timedelta(hours=1))


class Crowd:
    """Requests that look when it is time to, are woken as others end, and execute when they may."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._demands: dict[str, list[Requirement]] = {}
        self._open: dict[str, MutationRequest] = {}
        self.executed: dict[str, datetime] = {}

    def open(self, name: str, demands: list[Requirement], at: datetime) -> None:
        self._demands[name] = demands
        self._desk.demanded[:] = demands
        self._open[name] = self._desk.open(name, state_id=f"box/{name}", at=at)

    def look(self, name: str, key: str, at: datetime) -> Finding:
        """Look at one of its quotas, and let the request and the record know what was found."""
        request = self._open[name]
        index = [r.requirement.parameters.get("key") for r in request.requirements].index(key)
        found = run(Reserving(self._desk.outside).reserve_quota, look_at(request, index, at=at))
        state = request.requirements[index]
        changed = waits.looked(request, state.id, found.finding, at)
        self._open[name] = self._desk.note(changed, 2)
        return found.finding  # type: ignore[no-any-return]  # an activity's answer

    def go_on(self, at: datetime, chance: Random) -> bool:
        """Let somebody do what it is time for; false where there is nothing to do."""
        for name in chance.sample(sorted(self._open), len(self._open)):
            request = self._open[name]
            if request.status is Status.APPROVED:
                self._carry_out(name, at)
                return True
            if due := waits.to_look_at(request, at):
                self.look(name, chance.choice(due).requirement.wanted.key, at)
                return True
        return False

    def next_look(self) -> datetime | None:
        moments = [waits.next_look(each) for each in self._open.values()]
        return min((each for each in moments if each), default=None)

    def _carry_out(self, name: str, at: datetime) -> None:
        self._desk.demanded[:] = self._demands[name]
        ask = ExecuteMutation(request=self._open[name], at=at, fence=2)
        answer = run(Executing(self._desk.outside).execute_mutation, ask)
        if answer.ended is None:
            self._open[name] = self._desk.note(resolved(self._open[name], answer.resolution), 2)
            return
        assert answer.ended.status is Status.EXECUTED
        self.executed[name] = at
        del self._open[name]
        for state in answer.ended.requirements:
            if (key := state.requirement.parameters.get("key")) is not None:
                for told in self._desk.store.queue(str(key)):
                    self._open[told] = waits.told(self._open[told], at)

    def live(self, at: datetime, until: datetime) -> None:
        """Let everybody do what there is to do, moment after moment."""
        moment: datetime | None = at
        while moment is not None and moment <= until:
            for _ in range(100):
                if not self.go_on(moment, Random(1)):
                    break
            else:
                raise AssertionError("it goes round in circles")
            moment = self.next_look()


@pytest.mark.parametrize("order", [*permutations(["A k1", "A k2", "B k1", "B k2"])], ids="-".join)
def test_g9_two_that_need_the_same_two_budgets_both_execute_in_whatever_order_they_look(
    desk: Desk, order: tuple[str, ...]
) -> None:
    crowd = Crowd(desk)
    for name in "AB":
        both = [Requirement.quota(key, ONE_AN_HOUR) for key in ("k1", "k2")]
        crowd.open(name, both, NOON)

    found = {each: crowd.look(each[0], each[2:], NOON).verdict for each in order}
    crowd.live(NOON, later(hours=2))

    first = order[0][0]
    assert {each for each in found if found[each] == "holds"} == {f"{first} k1", f"{first} k2"}
    assert crowd.executed[first] == NOON
    assert sorted(crowd.executed.values()) == [NOON, later(hours=1)]


@pytest.mark.parametrize("seed", range(6))
def test_g9_nobody_waits_for_ever_for_several_budgets_while_room_comes_and_goes(
    desk: Desk, seed: int
) -> None:
    chance = Random(seed)
    budgets = {
        "a": Budget(limit=1, per=timedelta(minutes=20)),
        "b": Budget(limit=2, per=timedelta(hours=1)),
        "c": Budget(limit=1, per="hour"),
    }
    crowd, at = Crowd(desk), NOON
    crowd.open("patient", [Requirement.quota(key, budgets[key]) for key in "abc"], at)
    for number in range(18):
        # Somebody new comes before there is room for those who wait.
        at += timedelta(minutes=5)
        keys = chance.sample("abc", chance.choice([1, 1, 2, 3]))
        crowd.open(f"r{number}", [Requirement.quota(key, budgets[key]) for key in keys], at)
        for _ in range(chance.randrange(6)):
            crowd.go_on(at, chance)
    while (moment := crowd.next_look()) and at < later(hours=40):
        at = max(at, moment)
        for _ in range(100):
            if not crowd.go_on(at, chance):
                break
        else:
            raise AssertionError("it goes round in circles")

    assert len(crowd.executed) == 19
    assert max(crowd.executed.values()) <= later(hours=19)


def test_g9_who_needs_two_is_not_overtaken_for_ever_where_their_room_comes_at_other_times(
    desk: Desk,
) -> None:
    crowd = Crowd(desk)
    one, other = Requirement.quota("k1", ONE_AN_HOUR), Requirement.quota("k2", ONE_AN_HOUR)
    crowd.open("one", [one], NOON)
    crowd.open("other", [other], later(minutes=30))
    for at in (NOON, later(minutes=30)):
        while crowd.go_on(at, Random(1)):
            pass
    crowd.open("both", [one, other], later(minutes=40))
    for number in range(4):
        crowd.open(f"one{number}", [one], later(minutes=41))
        crowd.open(f"other{number}", [other], later(minutes=41))
    for key in ("k1", "k2"):
        crowd.look("both", key, later(minutes=40))

    crowd.live(later(minutes=41), later(hours=2))

    assert crowd.executed["both"] == later(minutes=90)


def test_g9_who_waits_for_next_month_is_in_nobodys_way_in_an_hourly_budget(desk: Desk) -> None:
    monthly = Requirement.quota("money", Budget(limit=1, per="month"))
    hourly = Requirement.quota("deploys", ONE_AN_HOUR)
    crowd = Crowd(desk)
    crowd.open("first", [monthly], NOON)
    crowd.live(NOON, NOON)
    crowd.open("both", [monthly, hourly], NOON)
    crowd.look("both", "deploys", NOON)
    crowd.open("last", [hourly], NOON)

    found = crowd.look("both", "money", NOON)

    assert found.reason == "0 of 1 left, 1 wanted"
    assert found.again_at == later(minutes=15), "while it needs several it looks more often"
    assert crowd.look("last", "deploys", NOON).verdict == "holds"


def test_g9_of_alternatives_one_with_room_is_enough(desk: Desk) -> None:
    full = Requirement.quota("full", ONE_AN_HOUR)
    free, needed = Requirement.quota("free", HOURLY), Requirement.quota("needed", HOURLY)
    either = Requirement(kind=ANY, alternatives=((full,), (free,)), step=LAST_STEP)
    crowd = Crowd(desk)
    crowd.open("holder", [full], NOON)
    crowd.look("holder", "full", NOON)
    crowd.open("r", [needed, either], NOON)

    assert crowd.look("r", "full", NOON).verdict == "not_yet"
    assert crowd.look("r", "needed", NOON).verdict == "holds"
    assert crowd.look("r", "full", NOON).verdict == "not_yet"
    assert not desk.store.reserved("r", needed.id), "it is of no use alone"
    assert crowd.look("r", "free", NOON).verdict == "holds"

    assert desk.store.reserved("r", needed.id)
    crowd.live(NOON, NOON)
    assert crowd.executed["r"] == NOON


def test_g9_a_look_that_was_replaced_takes_nothing_for_a_request_that_asks_no_more(
    desk: Desk,
) -> None:
    asks = [Requirement.approval(people=["ben"]), Requirement.quota("deploys", ONE_AN_HOUR)]
    desk.demanded[:] = asks
    request = desk.open()
    desk.demanded.clear()
    granted = approval.grant(
        request, PEOPLE.person("ben"), NOON, decision_id="d1", binding=request.binding
    )
    desk.note(granted, 2)
    index = [r.requirement.kind for r in granted.requirements].index("quota")
    late = look_at(granted, index)
    withdrawn = approval.withdraw(granted, PEOPLE.person("ben"), NOON, decision_id="d2")
    desk.note(withdrawn, 3)

    answer = run(Reserving(desk.outside).reserve_quota, late)

    assert answer.finding.verdict == "not_yet"
    assert answer.finding.again_at == later(seconds=1)
    assert not desk.store.reserved("r", granted.requirements[index].id)
    assert not desk.store.queue("deploys")
    swept = reserve_now(desk.outside, "r", asks[1], NOON)
    assert isinstance(swept, Finding)
    assert swept.reason == "it is not asked for now"
    assert reserve(desk, asking(desk, "s", budget=ONE_AN_HOUR)).verdict == "holds"
