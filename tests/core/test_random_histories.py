"""The lifecycle agrees with a naive model on random histories, and keeps its laws on each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.errors import DecisionRefused
from core.governance import approval, fulfilment, outcome, resolution
from core.governance.assessment import Assessment
from core.governance.lifecycle import close, status_of
from core.governance.people import Directory
from core.governance.request import MutationRequest
from core.governance.resolution import ResolutionOutcome
from core.requirements import Requirement, Strategy, either
from tests.core.builders import AT, assessment, created, effect, later, person
from tests.core.naive import Naive, Seen, everything

MAY = {
    "ana": ("red", "green"),
    "ben": ("red",),
    "carl": ("red", "green"),
    "dora": ("green",),
    "eve": ("green", "blue"),
    "fay": ("blue",),
}
PEOPLE = {name: person(name, roles=" ".join(roles)) for name, roles in MAY.items()}
EVERYBODY = Directory.of(PEOPLE.values())

MANY = 12
"""How many requirements a request has at most, so that the naive model comes to an end."""

DEADLINE = 14 * 24
"""Hours after which a request has expired."""


class History:
    """One request and its naive model, told the same."""

    def __init__(self, strategy: Strategy, demanded: list[Requirement], a: int, b: int) -> None:
        self.hours = 0
        self.demanded = demanded
        self.now = Seen(1, {"a": a, "b": b})
        self.model = Naive(strategy, MAY)
        self.request = resolution.assessed(created(), self._assessment(), AT)
        self.model.assess(demanded, self.now)
        self.ended = ""
        self.told = self.request.decisions

    def _assessment(self) -> Assessment:
        return assessment(
            *self.demanded,
            version=self.now.version,
            does=effect(**self.now.after),
            strategy=self.model.strategy,
            directory=EVERYBODY,
        )

    def _told(self, tell: Callable[[], MutationRequest], *, counts: bool) -> None:
        before = self.request.model_dump()
        try:
            self.request = tell()
        except DecisionRefused:
            assert not counts
            assert self.request.model_dump() == before
        else:
            assert counts

    def wait(self, hours: int) -> None:
        self.hours += hours
        self.model.hour = self.hours

    def grant(self, name: str) -> None:
        counts = self.hours < DEADLINE and self.model.grant(name)
        self._told(lambda: self._answered(approval.grant, name), counts=counts)

    def grant_all(self) -> None:
        for name in MAY:
            self.grant(name)

    def refuse(self, name: str) -> None:
        counts = self.hours < DEADLINE and self.model.refuse(name)
        self._told(lambda: self._answered(approval.refuse, name), counts=counts)

    def _answered(self, answer: Callable[..., MutationRequest], name: str) -> MutationRequest:
        at = later(hours=self.hours)
        return answer(self.request, PEOPLE[name], at, binding=self.request.binding)

    def withdraw(self, name: str) -> None:
        at = later(hours=self.hours)
        self._told(
            lambda: approval.withdraw(self.request, PEOPLE[name], at),
            counts=self.model.withdraw(name),
        )

    def cancel(self, name: str) -> None:
        counts = name == "ana" and not self.model.is_over
        if counts:
            self.model.intend("Canceled")
        self._told(lambda: outcome.cancel(self.request, PEOPLE[name]), counts=counts)

    def expire(self) -> None:
        self.model.expire(whole=self.hours >= DEADLINE)
        self.request = fulfilment.expire(self.request, later(hours=self.hours))

    def resolve(self, drift: int, a: int, b: int, demanded: list[Requirement] | None) -> None:
        if self.request.status.is_terminal or self.hours >= DEADLINE:
            return
        before = self.now, self.demanded
        self.now = Seen(self.now.version + drift, {"a": a, "b": b})
        self.demanded = self.demanded if demanded is None else demanded
        found = resolution.resolve(
            self.request,
            self._assessment(),
            directory=EVERYBODY,
            at=later(hours=self.hours),
            fence=1,
        )
        may_execute = self.model.resolve(self.demanded, self.now)
        if found.outcome is ResolutionOutcome.INELIGIBLE:
            self.now, self.demanded = before

        assert found.outcome.executes is may_execute
        self.request = resolution.resolved(self.request, found)

    def end(self) -> None:
        if self.request.closing is not None:
            self.request = close(self.request, self.request.closing, later(hours=self.hours))
            self.model.close()
            self.ended = self.request.model_dump_json()

    def hold_the_laws(self) -> None:
        request, model = self.request, self.model
        intended = request.closing.status.value if request.closing else None
        assert (request.status.value, intended) == (model.status, model.intended)
        if not model.is_over:
            assert set(request.fulfilled) == model.done
            granted = {a.actor_id: set(a.bindings) for a in request.answers if a.verdict == "grant"}
            assert granted == {name: set(given_) for name, given_ in model.grants.items()}

        assert request.decisions[: len(self.told)] == self.told
        self.told = request.decisions
        assert status_of(request.decisions) is request.status
        assert [d.number for d in request.decisions] == list(range(1, len(request.decisions) + 1))
        times = [d.at for d in request.decisions]
        assert times == sorted(times)

        counting = [r for r in request.requirements if not r.of or r.status == "fulfilled"]
        seated = [name for r in counting for name in r.granted_by]
        assert "ana" not in seated
        assert len(seated) == len(set(seated))
        for r in request.demanded:
            assert (r.status == "fulfilled") is (
                r.requirement.is_met(request.fulfilled) and r.status != "waiting"
            )
        for reason in request.pending:
            assert all(each.missing > 0 for each in (reason, *reason.leaves()) if each.open)

        assert fulfilment.settle(request, later(hours=self.hours)) == request
        assert self.ended in {"", request.model_dump_json()}


approvals = st.builds(
    Requirement.approval,
    roles=st.sampled_from([("red",), ("green",), ("blue",), ("red", "green")]),
    needed=st.integers(1, 2),
    refusals=st.sampled_from([1, 2, None]),
    step=st.integers(1, 2),
    covers=st.sampled_from([("",), ("/a",), ("/b",)]),
    duration=st.sampled_from([None, None, timedelta(hours=50)]),
)


def choices(
    inner: st.SearchStrategy[tuple[Requirement, ...]],
) -> st.SearchStrategy[tuple[Requirement, ...]]:
    """Make requirements of which one of several sets suffices."""
    sets = st.lists(inner, min_size=1, max_size=2).map(lambda each: sum(each, ()))
    return st.lists(sets, min_size=2, max_size=3).map(either)


plain = approvals.map(lambda r: (r,))
requirements = (
    st.lists(plain | plain | choices(plain | choices(plain)), min_size=1, max_size=3)
    .map(lambda sets: list({r.id: r for r in sum(sets, ())}.values()))
    .filter(lambda demanded: len(everything(demanded)) <= MANY)
)
values = st.sampled_from([1, 1, 1, 2])
people = st.sampled_from(list(MAY))
resolving = st.tuples(st.just("resolve"), st.integers(0, 1), values, values, st.none())
ordinary = st.one_of(
    st.tuples(st.just("grant"), people),
    st.just(("grant_all",)),
    resolving,
    resolving,
    st.tuples(st.just("resolve"), st.integers(0, 1), values, values, st.just([]) | requirements),
    st.tuples(st.sampled_from(["grant", "refuse", "withdraw"]), people),
)
ending = st.one_of(
    st.tuples(st.just("wait"), st.integers(0, 200)),
    st.tuples(st.sampled_from(["cancel", "refuse"]), people),
    st.tuples(st.sampled_from(["expire", "end"])),
)
steps = st.tuples(st.lists(ordinary, max_size=15), st.lists(ordinary | ending, max_size=10)).map(
    lambda halves: halves[0] + halves[1]
)


@given(st.sampled_from(Strategy), requirements, values, values, steps)
def test_the_lifecycle_agrees_with_a_naive_model_on_random_histories(
    strategy: Strategy, demanded: list[Requirement], a: int, b: int, told: list[tuple[object, ...]]
) -> None:
    history = History(strategy, demanded, a, b)
    history.hold_the_laws()

    for name, *given_ in told:
        getattr(history, str(name))(*given_)
        history.hold_the_laws()

    written = history.request.model_dump_json()
    assert MutationRequest.model_validate_json(written) == history.request
