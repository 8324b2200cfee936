"""Rules, their verdicts, and the one way verdicts become one.

All policies are asked; verdicts rank deny < require < allow and the least wins; requirements are
united; every decision is kept. The order of registration never changes a verdict. How policies
become one policy stands in `composition`, what they change in `amendments`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from pydantic import BaseModel, Field, JsonValue, ValidationError
from pydantic_core import PydanticSerializationError

from .amendments import Amendment, operations
from .context import MutationContext
from .digests import canonical, digest
from .effects import SideEffect
from .errors import AUTHORS, DefinitionError
from .facts import Facts
from .model import Value, built
from .mutation import Mutation
from .requirements import Requirement, Strategy, united
from .secrets import told
from .survey import survey
from .texts import writable
from .validation import Severity


class Verdict(StrEnum):
    """What a policy, or all of them, say; in rising order."""

    DENY = "deny"
    REQUIRE = "require"
    ALLOW = "allow"

    @property
    def rank(self) -> int:
        """Answer the place in the order, deny is 0."""
        return _RANKS[self]


_RANKS: Final = {verdict: rank for rank, verdict in enumerate(Verdict)}


class PolicyDecision(Value):
    """One policy's verdict, with who said it, what it demands first, and what it amends.

    Attributes:
        verdict: Deny; require where anything is demanded; else allow.
        severity: How bad it is, of a denial.
        requirements: What has to be met first.
        strategy: What drift does to the approvals.
        amendments: What it changes in the state after the mutation.
        side_effects: What others may act on after the commit, because of this policy.
        policy: Who says so.
        mutation: Which mutation of the batch it is about, from 0.
        enforced: Whether it decides anything; else it is only shown.
        failed: Whether the policy did not come to an answer (in time): a denial.
        winners: Of a composition, the parts whose answer this is.
        blockers: Of a composition, the parts that decide and did not allow it.
        parts: Of a composition, what was said by each that was asked.
    """

    verdict: Verdict
    reason: str = ""
    severity: Severity = Severity.INFO
    requirements: tuple[Requirement, ...] = ()
    strategy: Strategy | None = None
    amendments: tuple[Amendment, ...] = ()
    side_effects: tuple[SideEffect, ...] = ()
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    policy: str = ""
    policy_version: int = 1
    mutation: int = 0
    enforced: bool = True
    failed: bool = False
    winners: tuple[str, ...] = ()
    blockers: tuple[str, ...] = ()
    parts: tuple[PolicyDecision, ...] = ()

    @property
    def is_bare(self) -> bool:
        """Answer whether it allows and adds nothing: neither demand nor amendment nor strategy."""
        return self.verdict is Verdict.ALLOW and not (
            self.requirements or self.amendments or self.side_effects or self.strategy
        )


def allow(reason: str = "", **metadata: JsonValue) -> PolicyDecision:
    """Let it pass."""
    if not reason and not metadata:
        return _ALLOWED
    return PolicyDecision(verdict=Verdict.ALLOW, reason=reason, metadata=metadata)


_ALLOWED: Final = PolicyDecision(verdict=Verdict.ALLOW)


def deny(
    reason: str, *, severity: Severity = Severity.ERROR, **metadata: JsonValue
) -> PolicyDecision:
    """Refuse it; no permission outweighs this, whatever the severity."""
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


def amend(
    values: Mapping[str, Any] | None = None,
    *,
    remove: Iterable[str] = (),
    override: bool = False,
    side_effects: Iterable[SideEffect] = (),
    requirements: Iterable[Requirement] = (),
    strategy: Strategy | None = None,
    reason: str = "",
    **metadata: JsonValue,
) -> PolicyDecision:
    """Let it pass with a change of its own: `amend({"/limit": 100}, remove=["/trial"])`.

    It is made in the state after all mutations. What the mutation, or another policy, changed
    differently there is a `PolicyConflict`.

    Args:
        values: What to set, by JSON Pointer; in a keyed list the token is the item's key. A list
            without an identity key is one value.
        remove: The paths where nothing may be left.
        override: Whether it wins over the mutation, and over policies that do not override;
            approvers are warned.
        side_effects: What others may act on after the commit; equal ones of several are one.
        requirements: What is demanded first, as in `require`.
        strategy: As in `require`.
        reason: Shown to whoever decides; what is amended unless said otherwise.
        metadata: Kept with the decision.

    Raises:
        DefinitionError: A path is no JSON Pointer, is both set and removed, or the whole state is
            to be removed.
        InvalidValue: A value, or a side effect, that no document can hold.
    """
    amendments = operations(values or {}, remove, override=override)
    demanded = tuple(requirements)
    return PolicyDecision(
        verdict=Verdict.REQUIRE if demanded else Verdict.ALLOW,
        reason=reason or "; ".join(f"{each.op} {each.path}" for each in amendments),
        requirements=demanded,
        strategy=strategy,
        amendments=amendments,
        side_effects=distinct(side_effects),
        metadata=metadata,
    )


@dataclass(frozen=True, slots=True)
class Question:
    """What the policies are asked: one mutation of a batch, and the state before it.

    Attributes:
        position: The mutation's place in the batch, from 0.
        clock: Monotonic seconds, which timeouts are measured by; `None`: nothing is late.
    """

    mutation: Mutation[Any]
    state: BaseModel
    context: MutationContext
    facts: Facts
    position: int = 0
    clock: Callable[[], float] | None = None


class Policy(ABC):
    """A rule. Subclass it, or decorate a function with `policy`.

    Attributes:
        name: Unique in its domain.
        version: Raised whenever the rule changes; part of the policy set's digest.
        applies_to: The mutation types it is asked about; `None`: all.
        enforce: `False` observes: evaluated, recorded, shown, decides nothing.
        timeout: Seconds it may take; at the deadline is late, and a late answer a denial. It is
            not interrupted: what never answers is ended by the deadline of the whole run.
            `None`: only that one.
        parts: The policies it is composed of.
    """

    name: str
    version: int = 1
    applies_to: tuple[type[Mutation[Any]], ...] | None = None
    enforce: bool = True
    timeout: float | None = None
    parts: tuple[Policy, ...] = ()

    @abstractmethod
    def evaluate(
        self, mutation: Any, state: Any, context: MutationContext, facts: Facts
    ) -> PolicyDecision:
        """Answer the verdict on this mutation of this state; pure, `facts["at"]` is the time."""

    def applies(self, mutation: Mutation[Any]) -> bool:
        """Answer whether this policy is asked about the mutation."""
        return self.applies_to is None or isinstance(mutation, self.applies_to)

    def answer(self, question: Question) -> PolicyDecision | None:
        """Answer the signed decision; nothing where there is nobody to ask. For `ask` only."""
        decision: object = self.evaluate(
            question.mutation, question.state, question.context, question.facts
        )
        if not isinstance(decision, PolicyDecision):
            return failure(self, question, f"It answered {type(decision).__name__}, no decision.")
        return _signed(self, question, decision)

    def identity(self) -> list[JsonValue]:
        """Answer what identifies the rule, for the policy set's digest."""
        return [self.name, self.version, self.enforce]


Rule = Callable[[Any, Any, MutationContext, Facts], PolicyDecision]


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
        timeout: float | None = None,
    ) -> None:
        """Wrap the rule."""
        self._rule = rule
        self.name = name
        self.version = version
        self.applies_to = applies_to
        self.enforce = enforce
        self.timeout = timeout

    def evaluate(
        self, mutation: Any, state: Any, context: MutationContext, facts: Facts
    ) -> PolicyDecision:
        """Ask the function."""
        return self._rule(mutation, state, context, facts)


def policy(
    *applies_to: Callable[..., Mutation[Any]],
    name: str | None = None,
    version: int = 1,
    enforce: bool = True,
    timeout: float | None = None,
) -> Callable[[Callable[..., PolicyDecision]], FunctionPolicy]:
    """Make a function of (mutation, state, context, facts) a policy, named after the function.

    Args:
        applies_to: The mutation types it is asked about, abstract ones too; none: all.
        name: Unique in its domain; `None`: the function's.
        version: As in `Policy`.
        enforce: As in `Policy`.
        timeout: As in `Policy`, in seconds.

    Raises:
        DefinitionError: Something else than a mutation type is named, or a timeout not above 0.
    """
    # Typed as what makes mutations: a type checker takes no abstract class for a `type[...]`.
    types = tuple(t for t in applies_to if isinstance(t, type) and issubclass(t, Mutation))
    if len(types) < len(applies_to):
        message = f"policy(...) takes mutation types, not {applies_to!r}; without any: @policy()."
        raise DefinitionError(message)
    check_timeout(timeout)

    def wrap(rule: Callable[..., PolicyDecision]) -> FunctionPolicy:
        return FunctionPolicy(
            rule,
            name=name or rule.__name__,
            version=version,
            applies_to=types or None,
            enforce=enforce,
            timeout=timeout,
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

    @property
    def severity(self) -> Severity:
        """Answer the greatest severity of the denials; info where nothing is denied."""
        return greatest(d.severity for d in self.denials)

    @property
    def amendments(self) -> tuple[Amendment, ...]:
        """Answer what the enforced policies amend."""
        return tuple(a for d in self.decisions if d.enforced for a in d.amendments)

    @property
    def side_effects(self) -> tuple[SideEffect, ...]:
        """Answer the side effects that the enforced policies add; equal ones are one."""
        return distinct(e for d in self.decisions if d.enforced for e in d.side_effects)

    def unmet(self, fulfilled: Iterable[str]) -> tuple[Requirement, ...]:
        """Answer the requirements not among the fulfilled ones, nor met by an alternative."""
        met = frozenset(fulfilled)
        return tuple(r for r in self.requirements if not r.is_met(met))


def ask(policy_: Policy, question: Question) -> PolicyDecision | None:
    """Ask one policy; one that raises, is late or answers no decision is a denial, never skipped.

    Nothing is answered where the policy does not apply to the mutation.
    """
    timeout = policy_.timeout
    clock = None if timeout is None else question.clock
    began = clock() if clock else 0.0
    try:
        decision = policy_.answer(question) if policy_.applies(question.mutation) else None
    except AUTHORS as error:  # author code may raise anything; it is then a denial
        # Read only here: what goes well costs nothing more.
        declared = (survey(type(question.state)), survey(type(question.mutation)))
        decision = failure(policy_, question, f"It raised {told(error, declared)}")
    took = clock() - began if clock else 0.0
    if timeout is not None and decision is not None and took >= timeout:
        late = f"It took {took:.3f} s; its timeout is {timeout:g} s."
        return failure(policy_, question, late, parts=decision.parts)
    return decision


def failure(
    policy_: Policy, question: Question, reason: str, *, parts: tuple[PolicyDecision, ...] = ()
) -> PolicyDecision:
    """Answer the denial of a policy that came to no answer, or too late to one."""
    return PolicyDecision(
        verdict=Verdict.DENY,
        reason=writable(reason),
        severity=Severity.ERROR,
        policy=policy_.name,
        policy_version=policy_.version,
        mutation=question.position,
        enforced=policy_.enforce,
        failed=True,
        parts=parts,
    )


def _signed(policy_: Policy, question: Question, decision: PolicyDecision) -> PolicyDecision:
    """Write who decided into a decision; a policy cannot speak for another.

    What it says in words is written anew where no document can hold it. What it demands, changes or
    tells others is not, as that is matched and digested: then it has decided nothing.
    """
    if decision is _ALLOWED:
        return _allowed_by(policy_.name, policy_.version, question.position, policy_.enforce)
    try:
        # Read again: a copy with other fields, or one made without validation, may hold anything.
        said = PolicyDecision.model_validate(decision.model_dump(warnings=False))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "/".join(str(part) for part in first["loc"])
        return failure(policy_, question, f"Its decision is none: {where}: {first['msg']}.")
    verdict = said.verdict
    if verdict is not Verdict.DENY:
        verdict = Verdict.REQUIRE if said.requirements else Verdict.ALLOW
    name = policy_.name
    demanded, mine = {"demanded_by": (name,)}, {"policy": name}
    signed = built(
        PolicyDecision,
        verdict=verdict,
        reason=writable(said.reason),
        severity=said.severity,
        requirements=tuple(
            r.retitled(writable).model_copy(update=demanded) for r in said.requirements
        ),
        strategy=said.strategy,
        amendments=tuple(a.model_copy(update=mine) for a in said.amendments),
        side_effects=said.side_effects,
        metadata=writable(said.metadata),
        policy=name,
        policy_version=policy_.version,
        mutation=question.position,
        enforced=policy_.enforce,
        failed=False,
        winners=(),
        blockers=(),
        parts=(),
    )
    try:
        signed.model_dump_json()
    except PydanticSerializationError as error:
        return failure(policy_, question, f"Its decision is none: {error}.")
    return signed


@lru_cache(maxsize=4096)
def _allowed_by(name: str, version: int, position: int, enforce: bool) -> PolicyDecision:  # noqa: FBT001 - a key
    """Answer what most policies say most of the time; it is made once."""
    return _ALLOWED.model_copy(
        update={
            "policy": name,
            "policy_version": version,
            "mutation": position,
            "enforced": enforce,
            "metadata": {},  # that of the shared answer can be written to by whoever is given it
        }
    )


def rule(decisions: Iterable[PolicyDecision]) -> Ruling:
    """Make one ruling of many decisions; their order changes nothing."""
    kept = tuple(sorted(decisions, key=attrgetter("policy", "mutation")))
    enforced = [d for d in kept if d.enforced]
    verdict = least(d.verdict for d in enforced)
    return built(
        Ruling,
        verdict=verdict,
        decisions=kept,
        requirements=united(r for d in enforced for r in d.requirements),
        determined_by=tuple(dict.fromkeys(d.policy for d in enforced if d.verdict is verdict)),
        strategy=strictest(enforced),
    )


def least(verdicts: Iterable[Verdict]) -> Verdict:
    """Answer the least of the verdicts; allow when there are none."""
    return min(verdicts, key=_RANKS.__getitem__, default=Verdict.ALLOW)


def strictest(decisions: Iterable[PolicyDecision]) -> Strategy | None:
    """Answer the strictest strategy that any of the decisions names, or nothing."""
    named = [d.strategy for d in decisions if d.strategy]
    return min(named, key=lambda s: s.rank, default=None)


def greatest(severities: Iterable[Severity]) -> Severity:
    """Answer the greatest of the severities; info when there are none."""
    return max(severities, key=list(Severity).index, default=Severity.INFO)


def distinct(side_effects: Iterable[SideEffect]) -> tuple[SideEffect, ...]:
    """Answer the side effects in their order, equal ones once."""
    return tuple({canonical(each): each for each in side_effects}.values())


def digest_of_policies(policies: Sequence[Policy]) -> str:
    """Digest which policies, in which versions, were asked, and how they are composed."""
    return digest([p.identity() for p in sorted(policies, key=lambda p: p.name)])


def check_names(policies: Sequence[Policy]) -> None:
    """Raise `DefinitionError` unless every policy has a name of its own, within compositions too.

    One policy may be part of several compositions. A version that is no integer, or a timeout that
    is none, is refused as well.
    """
    known: dict[str, Policy] = {}
    levels = [policies]
    for level in levels:
        names: set[str] = set()
        for each in level:
            if not getattr(each, "name", None):
                message = f"The policy {each!r} has no name."
                raise DefinitionError(message)
            if writable(each.name) != each.name:
                message = f"The policy name {each.name!r} has what no document can hold."
                raise DefinitionError(message)
            if type(each.version) is not int:
                message = (
                    f"The version of the policy {each.name!r} is {each.version!r}, no integer."
                )
                raise DefinitionError(message)
            check_timeout(each.timeout)
            if each.name in names or known.setdefault(each.name, each) is not each:
                message = f"Two policies are named {each.name!r}; give each its own name."
                raise DefinitionError(message)
            names.add(each.name)
            if each.parts:
                levels.append(each.parts)


def check_timeout(timeout: object) -> None:
    """Raise `DefinitionError` where a timeout is no number of seconds above 0."""
    if timeout is not None and not (isinstance(timeout, int | float) and timeout > 0):
        message = f"A policy's timeout is above 0 s, not {timeout!r}; None is no timeout."
        raise DefinitionError(message)
