"""Rules, their verdicts, and the one way verdicts become one.

All policies are asked; verdicts rank deny < require < allow and the least wins; requirements are
united; every decision is kept. The order of registration never changes a verdict.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel, Field, JsonValue

from .context import MutationContext
from .digests import digest
from .errors import DefinitionError
from .facts import Facts
from .model import Value
from .mutation import Mutation
from .requirements import Requirement, Strategy, united
from .validation import Severity


class Verdict(StrEnum):
    """What a policy, or all of them, say; in rising order."""

    DENY = "deny"
    REQUIRE = "require"
    ALLOW = "allow"

    @property
    def rank(self) -> int:
        """Answer the place in the order, deny is 0."""
        return list(Verdict).index(self)


class PolicyDecision(Value):
    """One policy's verdict, with who said it and what it demands first."""

    verdict: Verdict
    reason: str = ""
    severity: Severity = Severity.INFO
    requirements: tuple[Requirement, ...] = ()
    strategy: Strategy | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    policy: str = ""
    policy_version: int = 1
    mutation: int = 0
    enforced: bool = True
    failed: bool = False


def allow(reason: str = "", **metadata: JsonValue) -> PolicyDecision:
    """Let it pass."""
    return PolicyDecision(verdict=Verdict.ALLOW, reason=reason, metadata=metadata)


def deny(
    reason: str, *, severity: Severity = Severity.ERROR, **metadata: JsonValue
) -> PolicyDecision:
    """Refuse it; no permission outweighs this."""
    return PolicyDecision(verdict=Verdict.DENY, reason=reason, severity=severity, metadata=metadata)


def require(
    *requirements: Requirement,
    reason: str = "",
    strategy: Strategy | None = None,
    **metadata: JsonValue,
) -> PolicyDecision:
    """Let it pass once every one of the requirements has been met.

    Args:
        requirements: What is demanded; none is the same as `allow`.
        reason: Shown to whoever decides.
        strategy: What drift does to the approvals; the strictest of all that are named wins.
        metadata: Kept with the decision.
    """
    return PolicyDecision(
        verdict=Verdict.REQUIRE if requirements else Verdict.ALLOW,
        reason=reason,
        requirements=requirements,
        strategy=strategy,
        metadata=metadata,
    )


class Policy(ABC):
    """A rule. Subclass it, or decorate a function with `policy`.

    Attributes:
        name: Unique in its domain.
        version: Raised whenever the rule changes; part of the policy set's digest.
        applies_to: The mutation types it is asked about; `None`: all.
        enforce: `False` observes: evaluated, recorded, shown, decides nothing.
    """

    name: str
    version: int = 1
    applies_to: tuple[type[Mutation[Any]], ...] | None = None
    enforce: bool = True

    @abstractmethod
    def evaluate(
        self, mutation: Any, state: Any, context: MutationContext, facts: Facts
    ) -> PolicyDecision:
        """Answer the verdict on this mutation of this state; pure, `facts["at"]` is the time."""

    def applies(self, mutation: Mutation[Any]) -> bool:
        """Answer whether this policy is asked about the mutation."""
        return self.applies_to is None or isinstance(mutation, self.applies_to)


Rule = Callable[[Any, Any, MutationContext, Facts], PolicyDecision]
R = TypeVar("R", bound=Callable[..., PolicyDecision])


class FunctionPolicy(Policy):
    """A policy whose rule is a function; made by `policy`."""

    def __init__(
        self,
        rule: Rule,
        *,
        name: str,
        version: int,
        applies_to: tuple[type[Mutation[Any]], ...] | None,
        enforce: bool,
    ) -> None:
        """Wrap the rule."""
        self._rule = rule
        self.name = name
        self.version = version
        self.applies_to = applies_to
        self.enforce = enforce

    def evaluate(
        self, mutation: Any, state: Any, context: MutationContext, facts: Facts
    ) -> PolicyDecision:
        """Ask the function."""
        return self._rule(mutation, state, context, facts)


def policy(
    *applies_to: type[Mutation[Any]],
    name: str | None = None,
    version: int = 1,
    enforce: bool = True,
) -> Callable[[Callable[..., PolicyDecision]], FunctionPolicy]:
    """Make a function of (mutation, state, context, facts) a policy, named after the function."""

    def wrap(rule: Callable[..., PolicyDecision]) -> FunctionPolicy:
        return FunctionPolicy(
            rule,
            name=name or rule.__name__,
            version=version,
            applies_to=applies_to or None,
            enforce=enforce,
        )

    return wrap


class Ruling(Value):
    """What all policies together say, and who determined it.

    Attributes:
        verdict: The least of the enforced verdicts; allow when there are none.
        decisions: Every decision, in the order of policy names.
        requirements: What is demanded, united by identity.
        determined_by: The policies whose verdict it is.
        strategy: The strictest that any of them names.
    """

    verdict: Verdict = Verdict.ALLOW
    decisions: tuple[PolicyDecision, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    determined_by: tuple[str, ...] = ()
    strategy: Strategy | None = None

    @property
    def denials(self) -> tuple[PolicyDecision, ...]:
        """Answer the enforced denials."""
        return tuple(d for d in self.decisions if d.enforced and d.verdict is Verdict.DENY)

    def unmet(self, fulfilled: Iterable[str]) -> tuple[Requirement, ...]:
        """Answer the requirements not among the fulfilled ones."""
        met = frozenset(fulfilled)
        return tuple(r for r in self.requirements if r.id not in met)


def ask(
    policy_: Policy,
    mutation: Mutation[Any],
    state: BaseModel,
    context: MutationContext,
    facts: Facts,
    *,
    position: int = 0,
) -> PolicyDecision | None:
    """Ask one policy; one that raises or answers no decision is a denial, never skipped.

    Nothing is answered where the policy does not apply to the mutation.
    """
    failed = False
    try:
        if not policy_.applies(mutation):
            return None
        decision: object = policy_.evaluate(mutation, state, context, facts)
        if not isinstance(decision, PolicyDecision):
            decision = deny(f"It answered {type(decision).__name__}, not a decision.")
            failed = True
    except Exception as error:  # noqa: BLE001 - author code may raise anything; it is then a denial
        decision = deny(f"It raised {type(error).__name__}: {error}")
        failed = True
    return decision.model_copy(
        update={
            "policy": policy_.name,
            "policy_version": policy_.version,
            "mutation": position,
            "enforced": policy_.enforce,
            "failed": failed,
            "severity": Severity.ERROR if failed else decision.severity,
            "requirements": tuple(
                r.model_copy(update={"demanded_by": (policy_.name,)}) for r in decision.requirements
            ),
        }
    )


def rule(decisions: Iterable[PolicyDecision]) -> Ruling:
    """Make one ruling of many decisions; their order changes nothing."""
    kept = tuple(sorted(decisions, key=lambda d: (d.policy, d.mutation)))
    enforced = [d for d in kept if d.enforced]
    verdict = min((d.verdict for d in enforced), key=lambda v: v.rank, default=Verdict.ALLOW)
    return Ruling(
        verdict=verdict,
        decisions=kept,
        requirements=united(r for d in enforced for r in d.requirements),
        determined_by=tuple(dict.fromkeys(d.policy for d in enforced if d.verdict is verdict)),
        strategy=min(
            (d.strategy for d in enforced if d.strategy), key=lambda s: s.rank, default=None
        ),
    )


def digest_of_policies(policies: Sequence[Policy]) -> str:
    """Digest which policies, in which versions, were asked."""
    return digest(sorted([p.name, p.version, p.enforce] for p in policies))


def check_names(policies: Sequence[Policy]) -> None:
    """Raise `DefinitionError` unless every policy has a name of its own."""
    seen: set[str] = set()
    for each in policies:
        if not getattr(each, "name", ""):
            message = f"The policy {each!r} has no name."
            raise DefinitionError(message)
        if each.name in seen:
            message = f"Two policies are named {each.name!r}; give each its own name."
            raise DefinitionError(message)
        seen.add(each.name)
