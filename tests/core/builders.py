"""Nouns the core's tests speak of: people, times, a quota domain, and requests at each station."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import JsonValue

from core import Applied, Engine, Intent, Issue, Mode, Mutation, MutationContext, Severity
from core.audit import MutationRecord, Subject
from core.changes import diff
from core.digests import digest
from core.effects import Effect, EffectPreview, SideEffect
from core.facts import Facts
from core.governance import approval, resolution
from core.governance.alternatives import every
from core.governance.assessment import Assessment, covered
from core.governance.lifecycle import submit
from core.governance.people import Directory, Person
from core.governance.request import MutationRequest, Rejection, Wish, WishedMutation
from core.model import Value
from core.requirements import Requirement, RequirementKind, Strategy
from core.result import ExecutionResult

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""The Monday morning on which every request is submitted."""


def later(**since: float) -> datetime:
    """Answer a time after the submission."""
    return AT + timedelta(**since)


# People. Ana asks; the others may decide.


def person(name: str, *, roles: str = "", groups: str = "") -> Person:
    return Person(id=name, roles=tuple(roles.split()), groups=tuple(groups.split()))


ANA = person("ana", roles="security", groups="ops")
BEN = person("ben", roles="security")
CARL = person("carl", roles="security", groups="ops")
DORA = person("dora", groups="ops")
EVE = person("eve")
OLGA = person("olga", roles="operator")
EVERYBODY = (ANA, BEN, CARL, DORA, EVE, OLGA)
DIRECTORY = Directory.of(EVERYBODY)


def without(*people: Person) -> Directory:
    return Directory.of(p for p in EVERYBODY if p not in people)


# Requirements.


def by_security(needed: int = 1, **more: Any) -> Requirement:
    return Requirement.approval(roles=["security"], needed=needed, **more)


def by_ops(needed: int = 1, **more: Any) -> Requirement:
    return Requirement.approval(groups=["ops"], needed=needed, **more)


def by(*names: str, needed: int = 1, **more: Any) -> Requirement:
    return Requirement.approval(people=names, needed=needed, **more)


def check(**parameters: Any) -> Requirement:
    return Requirement(kind=RequirementKind.CHECK, parameters=parameters)


# Requests.

BEFORE: dict[str, JsonValue] = {"limit": 100, "plan": "free"}


def effect(*mails: str, **after: Any) -> Effect:
    """Answer the effect that leads from `BEFORE` to these fields."""
    return Effect(
        changes=diff({**BEFORE}, {**BEFORE, **after}),
        side_effects=tuple(SideEffect(contract="mail", payload={"to": to}) for to in mails),
    )


RAISED = effect(limit=120)


def record(**parameters: Any) -> MutationRecord:
    given = parameters or {"amount": 20}
    return MutationRecord(
        type="IncreaseQuota",
        schema_version=1,
        parameters=given,
        digest=digest(["IncreaseQuota", 1, given]),
    )


def assessment(
    *requirements: Requirement,
    version: int = 3,
    does: Effect = RAISED,
    strategy: Strategy = Strategy.KEEP_IF_UNAFFECTED,
    directory: Directory = DIRECTORY,
    rejection: Rejection | None = None,
    at: datetime = AT,
    **parameters: Any,
) -> Assessment:
    """Answer what an evaluation of Ana's wish found on a version of the state."""
    return Assessment(
        at=at,
        execution_id=f"run-on-{version}",
        version=version,
        state_digest=f"state-{version}",
        policy_set_digest="policies",
        mutations=(record(**parameters),),
        intent=Intent(operation="increase"),
        requirements=requirements,
        able={r.id: len(directory.able(r, ["ana"])) for r in every(requirements)},
        able_escalated={
            r.id: len(directory.able(r, ["ana"], escalated=True))
            for r in every(requirements)
            if r.escalate_to
        },
        covered=covered(requirements, does),
        effect_digest=does.digest(),
        effect=EffectPreview.of(does),
        strategy=strategy,
        expires_in=timedelta(days=14),
        rejection=rejection,
    )


def wish(**more: Any) -> Wish:
    return Wish.model_validate(
        {
            "state_id": "quota/acme",
            "mutations": (WishedMutation(type="IncreaseQuota", parameters={"amount": 20}),),
            "actor_id": "ana",
            "reason": "more room",
            **more,
        }
    )


def created(**more: Any) -> MutationRequest:
    return submit("r1", wish(**more), AT, expires_in=timedelta(days=14))


def waiting(
    *requirements: Requirement, asked: MutationRequest | None = None, **more: Any
) -> MutationRequest:
    """Answer a request just assessed: pending where there are requirements."""
    return resolution.assessed(asked or created(), assessment(*requirements, **more), AT)


def granted(request: MutationRequest, *people: Person, at: datetime = AT) -> MutationRequest:
    """Answer the request once each of them has granted what was shown."""
    for each in people:
        request = approval.grant(request, each, at, binding=request.binding)
    return request


def codes(request: MutationRequest, since: int = 0) -> list[str]:
    """Answer the codes of the decisions after the first so many."""
    return [d.code for d in request.decisions[since:]]


# A domain for the engine.


class Quota(Value):
    limit: int = 100
    plan: str = "free"


class IncreaseQuota(Mutation[Quota]):
    amount: int

    @property
    def intent(self) -> Intent:
        return Intent(operation="increase", category="quota", tags=("quota",))

    def check(self, state: Quota) -> Iterable[Issue]:
        if self.amount < 0:
            yield Issue(code="negative", message="The amount is negative.", path="/limit")
        if state.limit + self.amount > 1000:
            yield Issue(code="high", message="The limit becomes high.", severity=Severity.WARNING)

    def apply(self, state: Quota) -> Quota:
        return Quota(limit=state.limit + self.amount, plan=state.plan)


class ChoosePlan(Mutation[Quota]):
    plan: str

    @property
    def intent(self) -> Intent:
        return Intent(operation="choose", category="plan")

    def apply(self, state: Quota) -> Applied[Quota]:
        mail = SideEffect(contract="mail", payload={"plan": self.plan})
        return Applied(Quota(limit=state.limit, plan=self.plan), (mail,))


class Behaving(Mutation[Quota]):
    """A mutation whose `apply` does what the test says; `DEEDS` keeps it out of the parameters."""

    deed: str = "nothing"

    @property
    def intent(self) -> Intent:
        return Intent(operation="behave")

    def apply(self, state: Quota) -> Any:
        return DEEDS[self.deed](state)


DEEDS: dict[str, Callable[[Quota], Any]] = {"nothing": lambda state: state}


def doing(deed: Callable[[Quota], Any]) -> Behaving:
    """Answer a mutation that applies the function."""
    name = f"deed-{len(DEEDS)}"
    DEEDS[name] = deed
    return Behaving(deed=name)


class Clock:
    """Monotonic seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> Any:
        """Answer true, so that an expression can go on with `and`."""
        self.now += seconds
        return True


class Notes(list[Any]):
    """What happened, in order."""

    def take(self, what: object) -> Any:
        """Answer true, so that an expression can go on with `and`."""
        self.append(what)
        return True


class Ids:
    """Execution ids that count."""

    def __init__(self) -> None:
        self.given = 0

    def __call__(self) -> str:
        self.given += 1
        return f"execution-{self.given}"


def context(mode: Mode = Mode.COMMIT, **more: Any) -> MutationContext:
    return MutationContext(actor_id="ana", reason="more room", mode=mode, **more)


def run(
    mutations: Mutation[Quota] | Sequence[Mutation[Quota]],
    *policies: Any,
    mode: Mode = Mode.COMMIT,
    state: Quota | None = None,
    fulfilled: Iterable[str] = (),
    engine: Engine | None = None,
    **more: Any,
) -> ExecutionResult[Quota]:
    """Run the engine on a quota of 100 at version 3."""
    used = engine or Engine(clock=Clock(), new_id=Ids())
    return used.execute(
        mutations,
        state or Quota(),
        context=context(mode),
        facts=Facts(AT, fulfilled),
        policies=policies,
        subject=Subject(state_id="quota/acme", version=3, request_id="r1"),
        **more,
    )
