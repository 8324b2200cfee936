"""A request and its naive model, told the same; after each step they agree and keep the laws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.errors import DecisionRefused
from core.governance import agenda, approval, fulfilment, outcome, resolution
from core.governance.assessment import Assessment
from core.governance.delegation import delegate
from core.governance.lifecycle import close, status_of
from core.governance.people import Directory
from core.governance.request import Decision, MutationRequest, PendingReason
from core.governance.resolution import ResolutionOutcome
from core.requirements import Requirement, Strategy
from tests.core.builders import AT, assessment, created, effect, later, person
from tests.core.naive import DEADLINE, Naive, Seen

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

TOLD = {
    "Granted",
    "Reaffirmed",
    "Refused",
    "Withdrawn",
    "Lapsed",
    "Delegated",
    "Reminded",
    "Escalated",
}
"""The decisions about people's answers, all of which the model takes as well."""


class History:
    """One request and its naive model, told the same."""

    def __init__(self, strategy: Strategy, demanded: list[Requirement], a: int, b: int) -> None:
        self.hours = 0
        self.demanded = demanded
        self.now = Seen(1, {"a": a, "b": b})
        self.model = self._model(strategy)
        self.request = resolution.assessed(created(), self._assessment(), AT)
        self.model.assess(demanded, self.now)
        self.ended = ""
        self.told = self.request.decisions

    def _model(self, strategy: Strategy) -> Naive:
        return Naive(strategy, MAY)

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

    def pass_by(self, hours: int) -> None:
        self.wait(hours)
        self.ring()

    def grant(self, name: str, which: int | None = None) -> None:
        self._answer("grant", name, which)

    def grant_all(self) -> None:
        for name in MAY:
            self.grant(name)

    def refuse(self, name: str, which: int | None = None) -> None:
        self._answer("refuse", name, which)

    def _answer(self, verdict: str, name: str, which: int | None) -> None:
        named = self._named(which)
        counts = self.hours < DEADLINE and self.model.answer(name, verdict, named)
        decide: Any = approval.grant if verdict == "grant" else approval.refuse
        self._told(
            lambda: decide(
                self.request,
                PEOPLE[name],
                later(hours=self.hours),
                binding=self.request.binding,
                requirement_id=named,
            ),
            counts=counts,
        )

    def _named(self, which: int | None) -> str | None:
        known = [r.id for r in self.request.requirements]
        return None if which is None else known[which % len(known)] if known else "none"

    def withdraw(self, name: str) -> None:
        at = later(hours=self.hours)
        self._told(
            lambda: approval.withdraw(self.request, PEOPLE[name], at),
            counts=self.model.withdraw(name),
        )

    def delegate(self, name: str, to: str, lasts: int, which: int | None) -> None:
        named = self._named(which)
        counts = self.model.delegate(name, to, lasts, named)
        self._told(
            lambda: delegate(
                self.request,
                PEOPLE[name],
                later(hours=self.hours),
                to=PEOPLE[to],
                until=later(hours=self.hours + lasts),
                requirement_id=named,
            ),
            counts=counts,
        )

    def stand_in(self, name: str, to: str, which: int | None) -> None:
        self.delegate(name, to, 50, which)
        self.grant(to, which)

    def ring(self) -> None:
        """Do what the workflow does at a moment: what is late expires first, then the rest."""
        at = later(hours=self.hours)
        self.expire()
        self.model.ring()
        self.request = agenda.ring(self.request, at)

        assert agenda.ring(self.request, at) == self.request
        if not self.model.is_over:
            assert agenda.next_moment(self.request) > at or self._is_to_look()

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

    def leave(self, name: str) -> None:
        """Let it be resolved while somebody is not in the directory."""
        if self.model.is_over or self.hours >= DEADLINE:
            return
        found = resolution.resolve(
            self.request,
            self._assessment(),
            directory=Directory.of(p for p in PEOPLE.values() if p.id != name),
            at=later(hours=self.hours),
            fence=1,
        )

        if self.model.leave(name):
            assert found.outcome is ResolutionOutcome.REVOKED
            self.request = resolution.resolved(self.request, found)
        else:
            assert found.outcome is not ResolutionOutcome.REVOKED
            self.request = agenda.lapse(self.request, later(hours=self.hours))

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
            assert {
                a.actor_id: (a.verdict, a.in_place_of, set(a.bindings)) for a in request.answers
            } == {name: (s.verdict, s.place, set(s.given)) for name, s in model.said.items()}
            assert agenda.next_moment(request) == later(hours=model.next_moment())
            self._shows_who_may_answer()
        assert [_of(d) for d in request.decisions if d.code in TOLD] == model.told

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
        self._hands_on_no_seat()
        for r in request.demanded:
            assert (r.status == "fulfilled") is (
                r.requirement.is_met(request.fulfilled) and r.status != "waiting"
            )
        for reason in request.pending:
            assert all(each.missing > 0 for each in (reason, *reason.leaves()) if each.open)

        self._is_settled()
        assert self.ended in {"", request.model_dump_json()}

    def _is_to_look(self) -> bool:
        """Answer whether it is time that somebody looks; nobody does where people are asked."""
        return False

    def _is_settled(self) -> None:
        assert fulfilment.settle(self.request, later(hours=self.hours)) == self.request

    def _shows_who_may_answer(self) -> None:
        """Whoever is shown to be waited for may answer, and nobody else."""
        for leaf in leaves(self.request):
            may = [f"role:{role}" for role in self._roles(leaf.requirement_id)]
            handed = [f"user:{h[2]}" for h in self.model.handed if h[1] == leaf.requirement_id]
            assert set(leaf.who) == {*may, *handed}

    def _roles(self, key: str) -> tuple[str, ...]:
        state = self.request.requirement(key)
        assert state is not None
        others = state.requirement.escalate_to.roles if key in self.model.escalated else ()
        return (*state.requirement.who.roles, *others)

    def _hands_on_no_seat(self) -> None:
        """Whoever counts, counts by somebody's own right, and by nobody's twice."""
        names = [name for a in self.request.answers for name in a.names]
        assert len(names) == len(set(names))
        for answer in self.request.answers:
            holder = answer.in_place_of or answer.actor_id
            assert holder != "ana"
            for key in answer.bindings:
                assert not set(self._roles(key)).isdisjoint(MAY[holder])


def leaves(request: MutationRequest) -> list[PendingReason]:
    """Answer what of the approvals is open and lacks somebody."""
    found = [leaf for reason in request.pending for leaf in reason.leaves()]
    return [leaf for leaf in found if leaf.open and leaf.kind == "approval"]


def _of(decision: Decision) -> tuple[object, ...]:
    """Answer a decision as the model tells it."""
    given_: dict[str, Any] = decision.metadata
    match decision.code:
        case "Reminded" | "Escalated":
            return decision.code, given_["requirement"]
        case "Lapsed":
            return decision.code, given_["approver"], *given_.get("requirements", ())
        case "Delegated":
            return decision.code, decision.actor_id, given_["to"]
        case "Withdrawn":
            return decision.code, decision.actor_id, given_.get("approver", decision.actor_id)
        case _:
            return decision.code, decision.actor_id


def tell(history: History, told: list[tuple[object, ...]]) -> None:
    """Let all of it happen, and look at the laws after each step."""
    history.hold_the_laws()
    for name, *given_ in told:
        getattr(history, str(name))(*given_)
        history.hold_the_laws()

    written = history.request.model_dump_json()
    assert MutationRequest.model_validate_json(written) == history.request
