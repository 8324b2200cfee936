"""The law of budgets, on random histories, against a model that keeps lists and adds them up."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.budgets import Use, room_again
from core.governance import lifecycle
from core.governance.request import Category, MutationRequest
from core.requirements import Requirement
from store import MemoryStore
from store.protocol import Conflict, Ended, Outdated, Queued, Reserved, Store
from tests.core.builders import AT
from tests.store.nouns import asked, cancel_of, claim, commit_of, demanding, quota

HOUR = timedelta(hours=1)
WHO = range(6)
BUDGETS = ("a", "b")
STEPS = (
    *("ask", "ask", "ask", "ask", "ask", "commit", "commit", "cancel"),
    *("ask a", "renew", "rest", "rest in a", "found", "drop"),
)

_examples = itertools.count()

amounts = st.integers(1, 4)
demands = st.fixed_dictionaries({"a": amounts}, optional={"b": amounts})
steps = st.tuples(st.sampled_from(STEPS), st.sampled_from(WHO), st.sampled_from((0, 0, 1, 7, 30)))


@dataclass(frozen=True)
class Window:
    """An hour that slides, or the hour of the clock; for one budget a shorter time that slides."""

    slides: bool
    short: timedelta = timedelta(minutes=10)

    def span(self, key: str) -> timedelta | None:
        """Answer how long it is, where it slides."""
        return self.short if key == "b" else HOUR if self.slides else None

    def since(self, key: str, at: datetime) -> datetime:
        """Answer when it began; what is of the first moment of a clock's hour is in it."""
        span = self.span(key)
        return at - span if span else _hour(at) - timedelta(microseconds=1)

    def until(self, key: str, at: datetime) -> datetime:
        """Answer when it is a new one."""
        span = self.span(key)
        return at + span if span else _hour(at) + HOUR


@dataclass
class Model:
    """What a budget is, said as plainly as it can be: a queue, who has room, what was committed.

    Who rests stands in the queue, and is passed over. What is asked for at once is had, or none.
    """

    limit: int
    window: Window
    wanted: dict[tuple[int, str], int]
    places: dict[str, list[int]] = field(default_factory=lambda: {key: [] for key in BUDGETS})
    reserved: set[tuple[int, str]] = field(default_factory=set)
    resting: set[tuple[int, str]] = field(default_factory=set)
    committed: list[tuple[str, datetime, int]] = field(default_factory=list)
    ended: set[int] = field(default_factory=set)

    def ask(self, who: int, keys: Sequence[str], at: datetime) -> dict[str, Use] | None:
        """Take places and, where all fits, room; answer what is in the way where it does not."""
        if any(who not in self.places[key] for key in keys):
            for key, places in self.places.items():
                if who in places or key in keys:
                    self.places[key] = [*(each for each in places if each != who), who]
        uses = {key: self.use(who, key, at) for key in keys}
        lacking = {
            key
            for key, use in uses.items()
            if (who, key) not in self.reserved
            and not use.has_room(self.wanted[who, key], self.limit)
        }
        mine = {(who, key) for key in keys}
        self.resting -= mine
        if not lacking:
            self.reserved |= mine
            return None
        self.reserved -= mine
        times = {key: self.again(uses[key], self.wanted[who, key], key, at) for key in lacking}
        last = max(times.values())
        for key in keys:
            # By then nothing counts any more that others commit now.
            is_over = at <= self.window.since(key, last)
            if is_over and times.get(key) != last:
                self.resting.add((who, key))
        return {key: use for key, use in uses.items() if key in lacking or key == keys[0]}

    def use(self, who: int, key: str, at: datetime) -> Use:
        before = self.places[key][: self.places[key].index(who)]
        return Use(
            committed=tuple(
                (then, amount)
                for budget, then, amount in self.committed
                if budget == key and then > self.window.since(key, at)
            ),
            reserved=sum(self.wanted[w, k] for w, k in self.reserved if k == key and w != who),
            ahead=sum(self.wanted[w, key] for w in before if self.waits(w, key)),
        )

    def again(self, use: Use, amount: int, key: str, at: datetime) -> datetime:
        span, until = self.window.span(key), self.window.until(key, at)
        found = room_again(use, amount, self.limit, slides=span, next_period=until)
        return found or datetime.max.replace(tzinfo=UTC)

    def commit(self, who: int, at: datetime) -> bool:
        """Consume all that is wanted; answer whether there is room reserved for all of it."""
        if not self.reserved.issuperset(self.of(who)):
            return False
        self.committed += [(key, at, self.wanted[who, key]) for _, key in self.of(who)]
        self.end(who)
        return True

    def end(self, who: int) -> None:
        self.leave(who)
        self.ended.add(who)

    def leave(self, who: int) -> None:
        self.give_back(who)
        self.resting -= self.of(who)
        for _, key in self.of(who):
            if who in self.places[key]:
                self.places[key].remove(who)

    def give_back(self, who: int) -> None:
        self.reserved -= self.of(who)

    def rest(self, who: int, keys: Sequence[str]) -> None:
        self.give_back(who)
        self.resting |= {(who, key) for key in keys if who in self.places[key]}

    def of(self, who: int) -> set[tuple[int, str]]:
        return {each for each in self.wanted if each[0] == who}

    def queue(self, key: str) -> list[int]:
        return [who for who in self.places[key] if self.waits(who, key)]

    def waits(self, who: int, key: str) -> bool:
        return (who, key) not in self.reserved | self.resting

    def windows(self) -> Iterator[int]:
        """Answer how much was committed in every window that ends at a commit, in every budget."""
        for key, end, _ in self.committed:
            yield sum(
                amount
                for budget, then, amount in self.committed
                if budget == key and then <= end and self.window.since(key, end) < then
            )


class Asker:
    """The requests of one history, on a store that other histories used before."""

    def __init__(self, store: Store, wanted: dict[tuple[int, str], int], limit: int) -> None:
        self.store = store
        self._limit = limit
        self._name = f"h{next(_examples)}"
        self.quotas = {
            (who, key): quota(f"{self._name}/{key}", amount)
            for (who, key), amount in wanted.items()
        }
        for who in {who for who, _ in wanted}:
            store.note(self.picture(who), fence=1)

    def name(self, who: int) -> str:
        return f"{self._name}.{who}"

    def picture(
        self, who: int, *, demands: bool = True, holding: bool = False, closed: Sequence[str] = ()
    ) -> MutationRequest:
        """Answer the request as it stands, always with as many decisions."""
        mine = {key: each for (w, key), each in self.quotas.items() if w == who and demands}
        of = list(mine.values())
        request = asked(self.name(who), state_id=f"quota/{self.name(who)}")
        return lifecycle.append(
            demanding(
                request,
                *(() if holding else of),
                holding=of if holding else (),
                closed=[each for key, each in mine.items() if key in closed],
            ),
            Category.REQUIREMENT,
            "Opened",
            actor_id="system:mutator",
            at=AT,
            requirement=self._any(who).id,
        )

    def ask(
        self, who: int, keys: Sequence[str], at: datetime, window: Window
    ) -> Reserved | Queued | Outdated | Ended:
        own, *beside = (
            claim(
                self.name(who),
                self.quotas[who, key],
                at=at,
                since=window.since(key, at),
                limit=self._limit,
            ).model_copy(update={"until": window.until(key, at), "slides": window.span(key)})
            for key in keys
        )
        return self.store.reserve(own.model_copy(update={"beside": tuple(beside)}))

    def reserved(self, who: int) -> set[str]:
        return {
            key
            for (w, key), each in self.quotas.items()
            if w == who and self.store.reserved(self.name(who), each.id)
        }

    def queue(self, key: str) -> list[str]:
        return list(self.store.queue(f"{self._name}/{key}"))

    def _any(self, who: int) -> Requirement:
        return next(each for (w, _), each in self.quotas.items() if w == who)


@pytest.fixture(params=["memory", "sqlite_store", "postgres_store"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each store; a history has names of its own, so that many may share it."""
    if request.param == "memory":
        return MemoryStore()
    found: Store = request.getfixturevalue(request.param)
    return found


@given(
    limit=st.integers(1, 7),
    slides=st.booleans(),
    who=st.lists(demands, min_size=len(WHO), max_size=len(WHO)),
    history=st.lists(steps, min_size=5, max_size=40),
)
@settings(
    deadline=None,
    derandomize=True,  # the same histories on every store
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_room_is_never_given_twice_and_goes_to_whoever_asked_first(
    store: Store,
    limit: int,
    slides: bool,
    who: list[dict[str, int]],
    history: list[tuple[str, int, int]],
) -> None:
    wanted = {(n, key): amount for n, each in enumerate(who) for key, amount in each.items()}
    model = Model(limit, Window(slides), wanted)
    asker = Asker(store, wanted, limit)
    at = AT

    for step, number, minutes in history:
        at += timedelta(minutes=minutes)
        _take(step, number, at, model, asker)
        assert all(total <= limit for total in model.windows())

    for key in BUDGETS:
        assert asker.queue(key) == [asker.name(each) for each in model.queue(key)]
    for number in WHO:
        assert asker.reserved(number) == {key for who, key in model.reserved if who == number}
        store.end(cancel_of(asker.picture(number)))
    assert [asker.queue(key) for key in BUDGETS] == [[], []]
    _nothing_is_left_reserved(asker, model, at)


def _take(step: str, who: int, at: datetime, model: Model, asker: Asker) -> None:
    """Take a step on the store and on the model, and compare what they answer."""
    store, ended = asker.store, who in model.ended
    match step:
        case "ask" | "ask a":
            keys = ["a"] if step == "ask a" else sorted((key for _, key in model.of(who)))
            keys = keys[:: -1 if at.minute % 2 else 1]
            answer = asker.ask(who, keys, at, model.window)
            if ended:
                assert isinstance(answer, Ended)
            elif (uses := model.ask(who, keys, at)) is not None:
                beside = tuple((asker.quotas[who, k].id, uses[k]) for k in keys[1:] if k in uses)
                assert answer == Queued(uses[keys[0]], beside)
            else:
                assert isinstance(answer, Reserved)
        case "commit":
            ending = commit_of(asker.picture(who, holding=True), at=at)
            assert isinstance(store.end(ending), Ended) == (ended or model.commit(who, at))
            assert ended or who in model.ended or store.end(ending) == Conflict(0)
        case "cancel":
            for _ in range(2):
                assert isinstance(store.end(cancel_of(asker.picture(who))), Ended)
            if not ended:
                model.end(who)
        case "renew":
            store.note(asker.picture(who), fence=1)
            model.give_back(who)
        case "rest" | "rest in a":
            closed = BUDGETS if step == "rest" else BUDGETS[:1]
            store.note(asker.picture(who, closed=closed), fence=1)
            model.rest(who, closed)
        case "found":
            store.note(asker.picture(who, holding=True), fence=1)
        case _:
            store.note(asker.picture(who, demands=False), fence=1)
            model.leave(who)


def _nothing_is_left_reserved(asker: Asker, model: Model, at: datetime) -> None:
    """Ask for more than there can be: what is answered is what was committed, and no more."""
    store = asker.store
    for key in BUDGETS:
        prober = asked(f"{asker.name(9)}.{key}")
        wanted = quota(asker.quotas[0, "a"].wanted.key[:-1] + key, 10**6)
        store.note(demanding(prober, wanted), fence=1)

        answer = store.reserve(
            claim(prober.request_id, wanted, at=at, since=AT - HOUR, limit=model.limit)
        )

        assert isinstance(answer, Queued)
        total = sum(amount for budget, _, amount in model.committed if budget == key)
        assert (answer.use.reserved, answer.use.ahead) == (0, 0)
        assert sum(amount for _, amount in answer.use.committed) == total


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


@pytest.mark.timeout(300)
def test_a_thousand_requests_are_served_in_turn_ten_an_hour(sqlite_store: Store) -> None:
    """Each comes five minutes after the one before, and asks again when it was told to."""
    wanted = quota()
    names = [f"r{number:03}" for number in range(1000)]
    asking = [(AT + timedelta(minutes=5 * number), name) for number, name in enumerate(names)]
    served: list[tuple[datetime, str]] = []
    for _, name in asking:
        request = asked(name, state_id=f"quota/{name}")
        sqlite_store.note(demanding(request, wanted), fence=1)

    while asking:
        at, name = heapq.heappop(asking)
        match sqlite_store.reserve(claim(name, wanted, at=at)):
            case Queued(use):
                again = room_again(use, 1, 10, slides=HOUR, next_period=at + HOUR)
                assert again is not None
                assert again > at
                heapq.heappush(asking, (again, name))
            case _:
                request = asked(name, state_id=f"quota/{name}")
                ending = commit_of(demanding(request, holding=[wanted]), at=at)
                assert isinstance(sqlite_store.end(ending), Ended)
                served.append((at, name))

    assert [name for _, name in served] == names
    times = [at for at, _ in served]
    assert all(later - first >= HOUR for first, later in zip(times, times[10:], strict=False))
    assert times[-1] - times[0] <= HOUR * 100
