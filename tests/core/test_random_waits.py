"""What a request waits for agrees with a naive model on random histories, whatever is found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.governance import agenda, fulfilment, resolution, waits
from core.governance.alternatives import members
from core.governance.assessment import Assessment
from core.governance.request import Finding, Status
from core.requirements import Requirement, Strategy, either
from tests.core.builders import AT, later
from tests.core.histories import MANY, MAY, PEOPLE, History, tell
from tests.core.naive import DEADLINE, Seen, everything
from tests.core.naive_waits import TOLD, Found, NaiveWaits


class Waiting(History):
    """One request that waits for anything at all, and its naive model."""

    model: NaiveWaits

    def __init__(
        self,
        strategy: Strategy,
        demanded: list[Requirement],
        brought: Mapping[int, Found],
        *state: int,
    ) -> None:
        self.brought = dict(brought)
        super().__init__(strategy, demanded, *state)

    def _model(self, strategy: Strategy) -> NaiveWaits:
        return NaiveWaits(strategy, MAY)

    def _assessment(self) -> Assessment:
        """Answer an assessment that looked at what is looked at whenever one is made."""
        looked_at = [key for key, r in everything(self.demanded).items() if r.kind in TOLD]
        found = {
            key: self.brought[index % MANY]
            for index, key in enumerate(looked_at)
            if index % MANY in self.brought
        }
        self.model.brought = found
        findings = {key: self._finding(key, each) for key, each in found.items()}
        return super()._assessment().model_copy(update={"findings": findings})

    def _finding(self, binding: str, found: Found) -> Finding:
        return Finding(
            verdict=found.verdict,  # type: ignore[arg-type]
            at=later(hours=self.hours),
            binding=binding,
            actor_id="system:mutator",
            reason=f"it is said: {found.verdict}",
            again_at=None if found.again is None else later(hours=found.again),
            reference="ref" if found.filed else None,
        )

    def look(self, which: int, verdict: str, again: int | None, *, stale: bool = False) -> None:
        """Bring what somebody found who looked, perhaps at what is no longer asked."""
        known = self.request.requirements
        if not known:
            return
        state = known[which % len(known)]
        found = Found(
            verdict,
            self.hours + again if again is not None and verdict == "not_yet" else None,
            filed=which % 2 == 0,
        )
        if not stale:
            self.model.find({state.id: found})
        findings = {state.id: self._finding("stale" if stale else state.binding, found)}
        self.request = waits.found(self.request, findings, later(hours=self.hours))

    def look_at_what_is_due(self, verdict: str) -> None:
        for _ in range(MANY):
            due = waits.to_look_at(self.request, later(hours=self.hours))
            if not due:
                return
            self.look([r.id for r in self.request.requirements].index(due[0].id), verdict, 30)

    def fulfil(self, name: str, verdict: str, which: int | None) -> None:
        named = self._named(which)
        counts = self.hours < DEADLINE and self.model.fulfil(name, verdict, named)
        said: Any = "passed" if verdict == "holds" else "failed"
        self._told(
            lambda: waits.fulfil(
                self.request,
                PEOPLE[name],
                later(hours=self.hours),
                verdict=said,
                requirement_id=named,
                reason="looked at it",
                binding=self.request.binding,
            ),
            counts=counts,
        )

    def pass_all(self) -> None:
        """Let everybody pass whatever they may judge, then look at all that is left."""
        for name in MAY:
            for index in range(len(self.request.requirements)):
                self.fulfil(name, "holds", index)
        self.look_at_what_is_due("holds")

    def undo(self) -> None:
        """Let everything be met as far as it can be, and then take every grant back."""
        self.grant_all()
        self.pass_all()
        for name in MAY:
            self.withdraw(name)

    def wake(self, *, everything_: bool = False) -> None:
        self.model.wake(everything_=everything_)
        self.request = waits.told(self.request, later(hours=self.hours), everything=everything_)

    def wake_all(self) -> None:
        self.wake(everything_=True)

    def begin_to_look(self) -> None:
        for state in waits.to_look_at(self.request, later(hours=self.hours)):
            self.model.begin_to_look(state.id)
            self.request = waits.looking(self.request, state.id)

    def carry_out(
        self,
        drift: int,
        a: int,
        b: int,
        demanded: list[Requirement] | None,
        brought: Mapping[int, Found],
    ) -> None:
        self.brought = dict(brought)
        self.resolve(drift, a, b, demanded)
        self.model.brought = {}

    def refresh(
        self,
        drift: int,
        a: int,
        b: int,
        demanded: list[Requirement] | None,
        brought: Mapping[int, Found],
    ) -> None:
        """Let somebody ask what the waiting request would do today."""
        if self.request.status is not Status.PENDING or self.request.closing is not None:
            return
        self.brought = dict(brought)
        self.now = Seen(self.now.version + drift, {"a": a, "b": b})
        self.demanded = self.demanded if demanded is None else demanded
        found = self._assessment()
        self.model.adopt(self.demanded, self.now)
        self.request = resolution.adopt(self.request, found, later(hours=self.hours))

    def _is_to_look(self) -> bool:
        look = waits.next_look(self.request)
        return look is not None and look <= later(hours=self.hours)

    def _is_settled(self) -> None:
        """Settling changes nothing, but to say when it is looked at again since it was told."""
        settled = fulfilment.settle(self.request, later(hours=self.hours))
        assert settled.model_copy(update={"pending": self.request.pending}) == self.request

    def hold_the_laws(self) -> None:
        super().hold_the_laws()
        request, model = self.request, self.model
        at = later(hours=self.hours)
        told = [d for d in request.decisions if d.code in {"Reserved", "Released"}]
        assert [(d.code, d.metadata["requirement"]) for d in told] == model.reserved
        if request.closing is not None and request.closing.rejection is not None:
            no = request.closing.rejection
            assert f"{no.category}/{no.code}" == model.why or no.category == "stale"
        if model.is_over:
            return
        for r in request.requirements:
            assert r.status == self._status(r.id), r.requirement.describe()
            known = model.found.get(r.id)
            assert (r.finding and r.finding.verdict) == (known and known.verdict)
            assert r.asked == model.looks.get(r.id, 0)
        assert {r.id for r in waits.to_look_at(request, at)} == model.to_look_at()
        look = model.next_look()
        assert waits.next_look(request) == (None if look is None else later(hours=look))
        self._keeps_no_room_from_others()
        assert agenda.next_moment(request) >= AT

    def _status(self, key: str) -> str:
        if key in self.model.done:
            return "fulfilled"
        if key in self.model.expired:
            return "expired"
        return "open" if key in self.model.opened else "waiting"

    def _keeps_no_room_from_others(self) -> None:
        """Room is reserved only while all else is met that is demanded before it."""
        before = [r for r in self.request.demanded if r.requirement.kind != "quota"]
        inside = {m.id for r in before for m in members(r.requirement)}
        for r in self.request.demanded:
            if r.requirement.kind == "quota" and r.holds and r.id not in inside:
                assert all(each.status == "fulfilled" for each in before)


roles = st.sampled_from([("red",), ("green",), ("blue",), ("red", "green")])
steps = st.sampled_from([1, 1, 2])
lasting = st.sampled_from([None, None, timedelta(hours=50)])
by_people = st.builds(
    lambda make, **more: make(**more),
    st.sampled_from([Requirement.approval, Requirement.approval, Requirement.review]),
    roles=roles,
    needed=st.integers(1, 2),
    step=steps,
    covers=st.sampled_from([("",), ("/a",)]),
    duration=lasting,
)
checks = st.builds(
    Requirement.check,
    st.sampled_from(["ci", "load"]),
    roles=st.sampled_from([(), ("red",), ("blue",)]),
    bound_to=st.sampled_from(["effect", "mutation"]),
    covers=st.sampled_from([("",), ("/b",)]),
    step=steps,
    duration=lasting,
)
told_of = st.one_of(
    st.builds(
        lambda when, lasts: Requirement.schedule(not_before=later(hours=when), duration=lasts),
        st.sampled_from([10, 20]),
        lasting,
    ),
    st.builds(Requirement.dependency, st.sampled_from(["r8", "r9"]), duration=lasting),
    st.builds(
        Requirement.quota,
        st.sampled_from(["deploys", "euros"]),
        st.just("budgets/all"),
        duration=lasting,
    ),
)
plain = (by_people | by_people | checks | told_of | told_of).map(lambda r: (r,))


def choices(
    inner: st.SearchStrategy[tuple[Requirement, ...]],
) -> st.SearchStrategy[tuple[Requirement, ...]]:
    """Make requirements of which one of several sets suffices."""
    sets = st.lists(inner, min_size=1, max_size=2).map(lambda each: sum(each, ()))
    return st.lists(sets, min_size=2, max_size=3).map(either)


demands = (
    st.lists(plain | plain | choices(plain | choices(plain)), min_size=1, max_size=4)
    .map(lambda sets: list({r.id: r for r in sum(sets, ())}.values()))
    .filter(lambda demanded: len(everything(demanded)) <= MANY)
)
verdicts = st.sampled_from(["holds", "holds", "holds", "not_yet", "not_yet", "failed"])
brought = st.dictionaries(
    st.integers(0, 3),
    st.builds(Found, st.sampled_from(["holds", "holds", "not_yet"]), st.sampled_from([None, 5])),
    max_size=3,
)
values = st.sampled_from([1, 1, 1, 2])
people = st.sampled_from([name for name in MAY if name != "ana"] * 3 + ["ana"])
which = st.none() | st.integers(0, MANY - 1)
changes = (st.integers(0, 1), values, values, st.none() | st.none() | demands, brought)
happening = st.one_of(
    st.tuples(st.just("look"), st.integers(0, MANY), verdicts, st.sampled_from([None, 0, 10])),
    st.tuples(st.just("look_at_what_is_due"), verdicts),
    st.tuples(st.just("look_at_what_is_due"), st.just("holds")),
    st.sampled_from([("grant_all",), ("pass_all",), ("undo",)]),
    st.tuples(st.just("grant"), people),
    st.tuples(st.sampled_from(["refuse", "withdraw", "withdraw"]), people),
    st.just(("undo",)),
    st.tuples(st.just("fulfil"), people, st.sampled_from(["holds", "holds", "failed"]), which),
    st.tuples(st.just("fulfil"), people, st.just("holds"), which),
    st.tuples(st.just("carry_out"), *changes),
    st.tuples(st.just("refresh"), *changes),
    st.sampled_from([("wake",), ("wake_all",), ("begin_to_look",)]),
    st.tuples(st.just("wait"), st.integers(0, 30)),
    st.tuples(st.just("pass_by"), st.integers(5, 60)),
)


@given(
    st.sampled_from(Strategy),
    demands,
    brought,
    st.tuples(values, values),
    st.lists(happening, min_size=6, max_size=25),
)
def test_what_is_waited_for_agrees_with_a_naive_model_on_random_histories(
    strategy: Strategy,
    demanded: list[Requirement],
    looked: dict[int, Found],
    state: tuple[int, int],
    told: list[tuple[object, ...]],
) -> None:
    tell(Waiting(strategy, demanded, looked, *state), [*told, ("end",)])
