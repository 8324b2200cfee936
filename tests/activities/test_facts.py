"""Facts are looked up side by side, each within its time, and never by whoever has the turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities import facts as module
from activities.assess import Assessing, after
from activities.evaluation import Loaded, load
from activities.execute import Executing
from activities.facts import Lookups, look_up
from activities.outside import Outside
from activities.preview import Previewing
from core import Domains, Options
from core.domain import QUICK
from core.facts import LONGEST_LOOKUP, MAX_FACT, Fact, FactQuestion, Lookup, Missing
from core.governance.lifecycle import submit
from core.governance.outcome import Ending
from core.governance.request import MutationRequest, Wish, WishedMutation
from store import MemoryStore
from store.protocol import Conflict, Ended, Fenced
from tests.core.builders import Clock
from tests.docs.pages import DOCS, rows
from tests.support import box
from tests.support.people import PEOPLE
from wire.asks import AssessRequest, ExecuteMutation, PreviewMutation

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Provider:
    """Answers, after it has done what it is told to do first; keeps what it was asked."""

    def __init__(self, *first: Callable[[], object], answer: object = 0.5) -> None:
        self._first = list(first)
        self._answer = answer
        self.asked: list[FactQuestion] = []

    def plain(self, question: FactQuestion) -> object:
        self.asked.append(question)
        if self._first:
            self._first.pop(0)()
        return self._answer

    async def waiting(self, question: FactQuestion) -> object:
        self.asked.append(question)
        if self._first and (doing := self._first.pop(0)()):
            await cast("Any", doing)
        return self._answer


def broken() -> None:
    raise ConnectionError("nobody is there")


def question() -> FactQuestion:
    return FactQuestion("box/a", box.Box(), (box.Add(key="x"),), asked().context, NOON)


def asked(request_id: str = "r", type_: str = "Add", domain: str = "box") -> MutationRequest:
    parameters: dict[str, Any] = {"key": "x"} if type_ == "Add" else {"key": "x", "value": 1}
    wish = Wish(
        state_id=f"{domain}/a",
        mutations=(WishedMutation(type=type_, parameters=parameters),),
        actor_id="ana",
    )
    return submit(request_id, wish, NOON, expires_in=timedelta(days=1))


def looked_up(*facts: Fact, timeout: float = 5) -> dict[str, Lookup]:
    return dict(look_up(facts, question(), timeout=timeout))


# Providers.


def test_plain_and_async_providers_are_asked_alike() -> None:
    plain, waiting = Provider(answer="plain"), Provider(answer=("a", "b"))

    class Asked:
        async def __call__(self, _: FactQuestion) -> str:
            return "object"

    found = looked_up(
        Fact("plain", plain.plain), Fact("waiting", waiting.waiting), Fact("object", Asked())
    )

    assert {name: each.value for name, each in found.items()} == {
        "plain": "plain",
        "waiting": ["a", "b"],
        "object": "object",
    }
    assert {each.attempts for each in found.values()} == {1}
    assert all(abs(datetime.now(UTC) - each.at) < timedelta(minutes=1) for each in found.values())
    assert plain.asked[0].at == NOON
    assert plain.asked[0].mutations == (box.Add(key="x"),)


def test_they_are_asked_side_by_side() -> None:
    began = time.monotonic()
    facts = [Fact(f"f{n}", Provider(lambda: time.sleep(0.3)).plain) for n in range(4)]
    facts += [Fact(f"w{n}", Provider(lambda: asyncio.sleep(0.3)).waiting) for n in range(4)]

    found = looked_up(*facts)

    assert len(found) == 8
    assert all(each.missing is None for each in found.values())
    assert time.monotonic() - began < 1.2


def test_one_that_raises_is_asked_again() -> None:
    provider, other = Provider(broken), Provider(broken)

    found = looked_up(Fact("plain", provider.plain), Fact("waiting", other.waiting))

    assert {(each.value, each.attempts) for each in found.values()} == {(0.5, 2)}
    assert len(provider.asked) == len(other.asked) == 2


def test_one_that_goes_on_raising_is_missing_and_says_why() -> None:
    provider = Provider(broken, broken, broken)

    (found,) = looked_up(Fact("load", provider.plain, retries=2)).values()

    assert found.missing == "its provider raised ConnectionError: nobody is there"
    assert (found.attempts, len(provider.asked)) == (3, 3)


def test_one_that_is_late_is_asked_again_and_then_missing() -> None:
    plain = Provider(*[lambda: time.sleep(0.5)] * 2)
    waiting = Provider(*[lambda: asyncio.sleep(5)] * 2)
    began = time.monotonic()

    found = looked_up(Fact("plain", plain.plain), Fact("waiting", waiting.waiting), timeout=0.1)

    assert {each.missing for each in found.values()} == {"late, there was no answer within 0.1 s"}
    assert (len(plain.asked), len(waiting.asked)) == (2, 2)
    assert time.monotonic() - began < 1


def gave_up_at_once() -> None:
    raise TimeoutError("the pool had no connection")


@pytest.mark.parametrize("kind", ["plain", "waiting"])
def test_one_that_raises_a_timeout_of_its_own_is_not_late_and_keeps_its_words(kind: str) -> None:
    provider = Provider(gave_up_at_once, gave_up_at_once)

    (found,) = looked_up(Fact("load", getattr(provider, kind), timeout=5)).values()

    assert found.missing == "its provider raised TimeoutError: the pool had no connection"
    assert (found.attempts, len(provider.asked)) == (2, 2)


def test_one_that_was_late_once_is_there_the_second_time() -> None:
    provider = Provider(lambda: asyncio.sleep(5))

    (found,) = looked_up(Fact("load", provider.waiting, timeout=0.1)).values()

    assert (found.value, found.missing, found.attempts) == (0.5, None, 2)


@pytest.mark.parametrize("answer", [object(), float("inf"), "x" * 100_000])
def test_an_answer_that_cannot_be_kept_is_missing(answer: object) -> None:
    (found,) = looked_up(Fact("load", Provider(answer=answer).plain, retries=0)).values()

    assert found.missing is not None
    assert found.missing.startswith("its provider answered what cannot be kept: ")


def leave() -> None:
    raise SystemExit(1)


def give_up() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("deed", [leave, give_up])
@pytest.mark.parametrize("kind", ["plain", "waiting"])
def test_whatever_a_provider_raises_the_others_are_asked(
    deed: Callable[[], None], kind: str
) -> None:
    wrong, right = Fact("wrong", getattr(Provider(deed), kind), retries=0), Provider()

    found = looked_up(wrong, Fact("right", right.plain))

    assert found["wrong"].missing
    assert found["right"].value == 0.5
    assert looked_up(Fact("right", right.waiting))["right"].value == 0.5


@pytest.mark.parametrize("kind", ["plain", "waiting"])
def test_one_that_gives_up_is_asked_again_like_one_that_raises(kind: str) -> None:
    once, always = Provider(give_up), Provider(*[give_up] * 4)

    found = looked_up(
        Fact("once", getattr(once, kind), retries=3), Fact("always", getattr(always, kind))
    )

    assert (found["once"].value, found["once"].attempts, len(once.asked)) == (0.5, 2, 2)
    assert found["always"].missing == "its provider raised CancelledError"
    assert (found["always"].attempts, len(always.asked)) == (2, 2)


def test_async_providers_can_share_a_client() -> None:
    loops: list[object] = []

    async def load(_: FactQuestion) -> None:
        loops.append(asyncio.get_running_loop())

    looked_up(Fact("load", load), Fact("again", load))
    looked_up(Fact("load", load))

    assert len(loops) == 3
    assert len(set(loops)) == 1


def test_one_that_blocks_the_loop_is_left_behind_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE", 0.1)
    monkeypatch.setattr(module, "LONGEST_LOOKUP", 0.1)
    loops: list[asyncio.AbstractEventLoop] = []

    async def blocking(_: FactQuestion) -> None:
        loops.append(asyncio.get_running_loop())
        time.sleep(1)  # noqa: ASYNC251 - wrong on purpose

    began = time.monotonic()
    found = looked_up(Fact("blocking", blocking, timeout=0.1, retries=2))
    after_it = looked_up(Fact("load", Provider().waiting))
    took = time.monotonic() - began

    assert found["blocking"].missing == "its provider did not come back"
    assert found["blocking"].attempts == 1
    assert after_it["load"].value == 0.5
    assert took < 0.9
    while not loops[0].is_closed():
        assert time.monotonic() - began < 10
        time.sleep(0.05)


def test_one_that_will_not_be_cancelled_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE", 0.1)

    async def stubborn(_: FactQuestion) -> None:
        for _again in range(20):
            try:
                await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                continue

    began = time.monotonic()
    found = looked_up(
        Fact("stubborn", stubborn, timeout=0.1, retries=0), Fact("load", Provider().plain)
    )

    assert found["stubborn"].missing
    assert found["load"].value == 0.5
    assert time.monotonic() - began < 1.5


# What one ask keeps.


class Contended(MemoryStore):
    """A store on which others commit first, and that knows whether somebody has the turn."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: list[Callable[[], object]] = []
        self.before_turn: list[Callable[[], object]] = []
        self.has_turn = False

    def end(self, ending: Ending) -> Ended | Fenced | Conflict:
        if self.lost:
            self.lost.pop(0)()
            return Conflict(0)
        return super().end(ending)

    @contextmanager
    def turn(self, state_id: str) -> Iterator[None]:
        if self.before_turn:
            self.before_turn.pop(0)()
        with super().turn(state_id):
            self.has_turn = True
            try:
                yield
            finally:
                self.has_turn = False


class Desk:
    """The activities on such a store, with a clock that passes when a test says so."""

    def __init__(self, *facts: Fact, **more: Any) -> None:
        self.clock = Clock()
        self.store = Contended()
        self.outside = Outside(
            store=self.store,
            domains=Domains([box.make("box", facts=facts, **more)]),
            directory=lambda: PEOPLE,
            client=cast("Client", None),
            clock=self.clock,
        )

    def loaded(self, request: MutationRequest) -> Loaded:
        return load(self.outside, request, None)

    def approved(self, request: MutationRequest) -> MutationRequest:
        ask = AssessRequest(request=request, at=NOON, fence=1)
        answer = ActivityEnvironment().run(Assessing(self.outside).assess_request, ask)
        return after(ask, answer)

    def executed(self, request: MutationRequest) -> MutationRequest:
        ask = ExecuteMutation(request=request, at=NOON, fence=2)
        answer = ActivityEnvironment().run(Executing(self.outside).execute_mutation, ask)
        assert answer.ended is not None
        return answer.ended


def test_an_answer_is_used_again_until_it_is_too_old() -> None:
    once, always = Provider(), Provider()
    desk = Desk(
        Fact("once", once.plain, max_age=timedelta(seconds=10)), Fact("always", always.plain)
    )
    lookups, loaded = Lookups(desk.outside, asked(), NOON), desk.loaded(asked())
    counts = []

    for seconds in (0, 5, 4.9, 0.1):
        desk.clock.pass_by(seconds)
        assert lookups.fresh(loaded)["once"] == 0.5
        counts.append((len(once.asked), len(always.asked)))

    assert counts == [(1, 1), (1, 2), (1, 3), (2, 4)]


def test_what_is_missing_is_looked_up_again() -> None:
    provider = Provider(broken)
    desk = Desk(Fact("load", provider.plain, retries=0, max_age=timedelta(hours=1)))
    lookups, loaded = Lookups(desk.outside, asked(), NOON), desk.loaded(asked())

    assert isinstance(lookups.fresh(loaded).get("load"), Missing)
    assert isinstance(lookups.known(loaded).get("load"), Missing)
    assert not lookups.are_usable
    assert lookups.fresh(loaded)["load"] == 0.5
    assert lookups.are_usable


def test_facts_that_no_mutation_of_the_request_needs_are_not_looked_up() -> None:
    provider = Provider()
    desk = Desk(Fact("load", provider.plain, applies_to=(box.Put,)))

    adding = Lookups(desk.outside, asked(), NOON).fresh(desk.loaded(asked()))
    putting = Lookups(desk.outside, asked(), NOON).fresh(desk.loaded(asked(type_="Put")))

    assert "load" not in adding
    assert putting["load"] == 0.5
    assert len(provider.asked) == 1


def test_each_evaluation_is_recorded_with_its_facts() -> None:
    answers = iter([0.1, 0.2])
    desk = Desk(Fact("load", lambda _: next(answers)))

    desk.executed(desk.approved(asked()))

    assert [entry.facts["load"] for entry in desk.store.audit()] == [0.1, 0.2]
    (assessed, _) = (entry.facts["looked_up"] for entry in desk.store.audit())
    assert assessed["load"].keys() == {"at", "attempts", "missing"}  # type: ignore[index, call-overload, union-attr]  # JSON


@pytest.mark.parametrize(
    ("max_age", "waited", "lookups"), [(10, 4, 1), (10, 11, 2), (0, 0.001, 2), (60, 11, 1)]
)
def test_a_commit_that_lost_the_race_uses_its_facts_up_to_their_max_age(
    max_age: float, waited: float, lookups: int
) -> None:
    provider = Provider()
    desk = Desk(
        Fact("load", provider.plain, max_age=timedelta(seconds=max_age)),
        options=Options(timeout=100),
    )
    request = desk.approved(asked())
    provider.asked.clear()
    desk.store.lost = [lambda: desk.clock.pass_by(waited)]

    desk.executed(request)

    assert len(provider.asked) == lookups


@pytest.mark.parametrize(("max_age", "told"), [(0, 1), (3600, 0)])
def test_g2_a_fact_is_of_the_state_that_is_committed_on_unless_it_may_be_older(
    max_age: float, told: int
) -> None:
    """A provider is shown the state, and somebody commits before its answer has the turn."""
    size = Fact("size", lambda q: q.state.numbers.get("x", 0), max_age=timedelta(seconds=max_age))
    desk = Desk(size, options=Options(timeout=100))
    request, other = desk.approved(asked()), desk.approved(asked("other"))
    desk.store.lost = [lambda: None]
    desk.store.before_turn = [lambda: desk.executed(other)]

    record = desk.executed(request)

    assert record.resulting_version == 2
    assert [e.facts["size"] for e in desk.store.audit() if e.version_after == 2] == [told]


def test_no_provider_is_waited_for_by_whoever_has_the_turn() -> None:
    asked_in_turn: list[bool] = []
    lost_in_turn: list[bool] = []

    def load(_: FactQuestion) -> None:
        asked_in_turn.append(desk.store.has_turn)

    def lose() -> None:
        lost_in_turn.append(desk.store.has_turn)
        desk.clock.pass_by(1)

    desk = Desk(Fact("load", load), options=Options(timeout=100))
    request = desk.approved(asked())
    desk.store.lost = [lose] * 3

    desk.executed(request)

    assert lost_in_turn == [False, True, True]
    assert asked_in_turn == [False] * 5


def test_a_preview_is_told_the_facts_as_well() -> None:
    provider = Provider()
    desk = Desk(Fact("load", provider.plain))
    ask = PreviewMutation(
        state_id="box/a",
        mutations=(WishedMutation(type="Add", parameters={"key": "x"}),),
        actor_id="ana",
        at=NOON,
    )

    preview = ActivityEnvironment().run(Previewing(desk.outside).preview_mutation, ask)

    assert preview.rejection is None
    assert len(provider.asked) == 1


def test_the_plan_leaves_time_for_what_is_looked_up() -> None:
    quick = Desk(Fact("load", Provider().plain, timeout=0.1))
    slow = Desk(Fact("load", Provider().plain, timeout=2, retries=2))

    plans = []
    for desk in (Desk(), quick, slow):
        ask = AssessRequest(request=asked(), at=NOON, fence=1)
        answer = ActivityEnvironment().run(Assessing(desk.outside).assess_request, ask)
        assert answer.assessment is not None
        plans.append((answer.assessment.plan.local, answer.assessment.plan.timeout))

    assert plans == [(True, 27), (True, pytest.approx(27.2)), (False, 33)]


def test_the_bounds_of_facts_are_described() -> None:
    fact = Fact("load", Provider().plain)

    assert [row[1] for row in rows(DOCS / "reference" / "settings.md", under="Facts")[1:]] == [
        f"{Options().fact_timeout:g}",
        str(fact.retries + 1),
        f"{LONGEST_LOOKUP:g}",
        f"{QUICK:g}",
        str(MAX_FACT),
    ]
