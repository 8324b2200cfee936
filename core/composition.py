"""Policies that answer as one policy: `all_of`, `any_of`, `first_decisive`, nested freely.

```python
gate = any_of(
    owner_approves,
    all_of(is_emergency, two_operators_approve, name="emergency"),
    name="deployment gate",
)
```

Every part that is asked is kept in the decision, and those whose answer it is are named. A part
that raises is a denial of that part. A part that observes (`enforce=False`), or consists of such,
is asked and shown and decides nothing; a part that does not apply to the mutation is not asked.

Nesting a kind in itself changes nothing: `all_of(all_of(a, b), c)` says what `all_of(a, b, c)`
says, and so do the other two. The order of the parts is the order of precedence in
`first_decisive`, and in `any_of` for amendments only; in `all_of` it means nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from pydantic import JsonValue

from .context import MutationContext
from .errors import DefinitionError
from .facts import Facts
from .mutation import Mutation
from .policy import (
    Policy,
    PolicyDecision,
    Question,
    Verdict,
    allow,
    ask,
    check_timeout,
    distinct,
    greatest,
    least,
    strictest,
)
from .requirements import Requirement, either, united


class Composition(Policy):
    """Policies that answer as one; made by `all_of`, `any_of` and `first_decisive`."""

    kind: ClassVar[str] = "all_of"

    def __init__(
        self,
        parts: Sequence[object],
        *,
        name: str,
        version: int,
        applies_to: tuple[type[Mutation[Any]], ...] | None,
        enforce: bool,
        timeout: float | None,
    ) -> None:
        """Take the parts; the other arguments are those of every policy.

        Raises:
            DefinitionError: There are no parts, or one is no policy; the timeout is not above 0.
        """
        if not parts:
            message = f"{self.kind} {name!r} is composed of no policies; give it at least one."
            raise DefinitionError(message)
        self.parts = tuple(part for part in parts if isinstance(part, Policy))
        if len(self.parts) < len(parts):
            message = f"{self.kind} {name!r} takes policies; decorate functions with @policy()."
            raise DefinitionError(message)
        check_timeout(timeout)
        self.name = name
        self.version = version
        self.applies_to = applies_to
        self.enforce = enforce
        self.timeout = timeout

    def evaluate(
        self, mutation: Any, state: Any, context: MutationContext, facts: Facts
    ) -> PolicyDecision:
        """Ask the parts, without a clock: nothing is late."""
        return self.answer(Question(mutation, state, context, facts)) or allow()

    def answer(self, question: Question) -> PolicyDecision | None:
        """Ask the parts and make one decision of theirs; nothing where none of them applies."""
        parts = self._asked(question)
        if not parts:
            return None
        deciding = [part for part in parts if part.enforced]
        speaking = self._speaking(deciding)
        verdict = least(part.verdict for part in speaking)
        winners = [part for part in speaking if part.verdict is verdict]
        amending = self._amending(speaking)
        return PolicyDecision(
            verdict=verdict,
            reason="; ".join(f"{part.policy}: {part.reason}" for part in winners if part.reason),
            severity=greatest(part.severity for part in winners),
            requirements=self._demanded([part.requirements for part in speaking]),
            strategy=strictest(speaking),
            amendments=tuple(each for part in amending for each in part.amendments),
            side_effects=distinct(each for part in amending for each in part.side_effects),
            policy=self.name,
            policy_version=self.version,
            mutation=question.position,
            enforced=self.enforce and bool(deciding),
            failed=verdict is Verdict.DENY and all(part.failed for part in winners),
            winners=tuple(part.policy for part in winners),
            blockers=tuple(p.policy for p in deciding if p.verdict is not Verdict.ALLOW),
            parts=tuple(parts),
        )

    def identity(self) -> list[JsonValue]:
        """Answer what identifies the rule: its parts too, where their order matters in order."""
        parts: list[JsonValue] = [part.identity() for part in self.parts]
        return [*super().identity(), self.kind, parts]

    def _asked(self, question: Question) -> list[PolicyDecision]:
        """Ask the parts, as many as need be."""
        answers = (ask(part, question) for part in self.parts)
        return [answer for answer in answers if answer is not None]

    def _speaking(self, deciding: Sequence[PolicyDecision]) -> Sequence[PolicyDecision]:
        """Choose those whose answers make the answer."""
        return deciding

    def _demanded(self, sets: Iterable[tuple[Requirement, ...]]) -> tuple[Requirement, ...]:
        """Make one demand of those of the speaking parts."""
        return united(each for demanded in sets for each in demanded)

    def _amending(self, speaking: Sequence[PolicyDecision]) -> Sequence[PolicyDecision]:
        """Choose those of the speaking parts whose amendments are made."""
        return speaking


class _AnyOf(Composition):
    kind = "any_of"

    def _speaking(self, deciding: Sequence[PolicyDecision]) -> Sequence[PolicyDecision]:
        best = max((part.verdict.rank for part in deciding), default=0)
        return [part for part in deciding if part.verdict.rank == best]

    def _demanded(self, sets: Iterable[tuple[Requirement, ...]]) -> tuple[Requirement, ...]:
        return either(sets)

    def _amending(self, speaking: Sequence[PolicyDecision]) -> Sequence[PolicyDecision]:
        return speaking[:1]


class _FirstDecisive(Composition):
    kind = "first_decisive"

    def _asked(self, question: Question) -> list[PolicyDecision]:
        answers: list[PolicyDecision] = []
        for part in self.parts:
            answer = ask(part, question)
            if answer is None:
                continue
            answers.append(answer)
            if answer.enforced and not answer.is_bare:
                break
        return answers

    def _speaking(self, deciding: Sequence[PolicyDecision]) -> Sequence[PolicyDecision]:
        return [part for part in deciding if not part.is_bare] or deciding


def all_of(
    *policies: Policy,
    name: str,
    version: int = 1,
    applies_to: tuple[type[Mutation[Any]], ...] | None = None,
    enforce: bool = True,
    timeout: float | None = None,
) -> Policy:
    """Compose a policy that says the least that its parts say, as the ruling does of all policies.

    What they demand is united, and all their amendments are made.

    Args:
        policies: The parts; their order means nothing.
        name: Unique in its domain, like the names of the parts.
        version: As in `Policy`; the parts' own versions count as well.
        applies_to: The mutation types it is asked about, and its parts then; `None`: all.
        enforce: As in `Policy`, for the whole.
        timeout: Seconds that all parts together may take; each keeps its own as well.

    Raises:
        DefinitionError: There are no parts, or one is no policy; the timeout is not above 0.
    """
    return Composition(
        policies,
        name=name,
        version=version,
        applies_to=applies_to,
        enforce=enforce,
        timeout=timeout,
    )


def any_of(
    *policies: Policy,
    name: str,
    version: int = 1,
    applies_to: tuple[type[Mutation[Any]], ...] | None = None,
    enforce: bool = True,
    timeout: float | None = None,
) -> Policy:
    """Compose a policy that says the greatest that its parts say.

    A part's denial is its own answer only. Where several demand something it is one requirement
    with alternatives: to meet the whole of one suffices. Amendments and side effects are those of
    the first winner alone.

    Args:
        policies: The parts; their order decides whose amendments are made, and nothing else.
        name: As in `all_of`.
        version: As in `all_of`.
        applies_to: As in `all_of`.
        enforce: As in `all_of`.
        timeout: As in `all_of`.

    Raises:
        DefinitionError: As in `all_of`.
    """
    return _AnyOf(
        policies,
        name=name,
        version=version,
        applies_to=applies_to,
        enforce=enforce,
        timeout=timeout,
    )


def first_decisive(
    *policies: Policy,
    name: str,
    version: int = 1,
    applies_to: tuple[type[Mutation[Any]], ...] | None = None,
    enforce: bool = True,
    timeout: float | None = None,
) -> Policy:
    """Compose a policy that says what the first part says that does more than allow.

    Later parts are not asked. Amendments, side effects and a strategy are more than to allow.
    Where no part is decisive it allows.

    Args:
        policies: The parts, in the order in which they are asked.
        name: As in `all_of`.
        version: As in `all_of`.
        applies_to: As in `all_of`.
        enforce: As in `all_of`.
        timeout: As in `all_of`.

    Raises:
        DefinitionError: As in `all_of`.
    """
    return _FirstDecisive(
        policies,
        name=name,
        version=version,
        applies_to=applies_to,
        enforce=enforce,
        timeout=timeout,
    )
