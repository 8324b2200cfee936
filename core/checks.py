"""Checks by other systems: a function that is run, or a question that is filed and called back.

A domain declares them by name, policies demand them with `Requirement.check(name)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from pydantic import Field, JsonValue

from .audit import MutationRecord
from .context import MutationContext
from .effects import EffectPreview
from .errors import DefinitionError
from .model import Value

LONGEST_CHECK: Final = 6 * 3600.0
"""Seconds one attempt of a check may take."""

MAX_EVIDENCE: Final = 16 * 1024
"""Bytes of the evidence of a check in canonical JSON."""

NAME = re.compile(r"^[a-z][a-z0-9_.-]{0,63}\Z")


class CheckAnswer(Value):
    """What a check found.

    Attributes:
        verdict: Whether the change may be made; or that it cannot be said yet.
        reason: For people to read.
        evidence: Kept with the decision; at most `MAX_EVIDENCE` bytes.
        again_in: Of `not_yet`, when to ask again.
    """

    verdict: Literal["passed", "failed", "not_yet"]
    reason: str = ""
    evidence: dict[str, JsonValue] = Field(default_factory=dict)
    again_in: timedelta | None = None


def passed(reason: str = "", **evidence: JsonValue) -> CheckAnswer:
    """Let the change pass."""
    return CheckAnswer(verdict="passed", reason=reason[:2000], evidence=evidence)


def failed(reason: str, **evidence: JsonValue) -> CheckAnswer:
    """Refuse the change: the request is rejected, unless an alternative is left."""
    return CheckAnswer(verdict="failed", reason=reason[:2000], evidence=evidence)


def not_yet(reason: str, again_in: timedelta, **evidence: JsonValue) -> CheckAnswer:
    """Say that it is too early, and when to ask again: in a second to a day."""
    return CheckAnswer(
        verdict="not_yet",
        reason=reason[:2000],
        evidence=evidence,
        again_in=min(max(again_in, timedelta(seconds=1)), timedelta(days=1)),
    )


@dataclass(frozen=True, slots=True)
class CheckQuestion:
    """What a check is asked about.

    Attributes:
        key: The idempotency key: the same at every attempt; another once the effect changed.
        requirement_id: What an answer by `fulfil` names.
        binding: What it is bound to; an answer by `fulfil` brings it back.
        state: The document of the state as it is.
        mutations: What is to be done to it.
        effect: What that would change, as it was assessed.
        parameters: What the policy that demands the check gave with it.
        at: The workflow's time.
        alive: Says that a long check goes on; call it every few seconds.
    """

    key: str
    request_id: str
    requirement_id: str
    binding: str
    state_id: str
    state: JsonValue
    mutations: tuple[MutationRecord, ...]
    effect: EffectPreview
    context: MutationContext
    parameters: Mapping[str, JsonValue]
    at: datetime
    alive: Callable[[], None]


@dataclass(frozen=True)
class Check:
    """A check that is a function, run by the worker when it is demanded.

    Args:
        name: What policies demand; lower case.
        run: Answers `passed`, `failed` or `not_yet`; plain or `async`. It may run twice at once.
        timeout: Seconds of one attempt, at most `LONGEST_CHECK`.
        retries: How often it is tried again at once when it raises, at most 10; later again after
            pauses. Only an answer is an answer: a check that raises has not failed.

    Raises:
        DefinitionError: One of them is out of its bounds.
    """

    name: str
    run: Callable[[CheckQuestion], Any]
    timeout: float = 60.0
    retries: int = 2

    def __post_init__(self) -> None:
        """Refuse what could only fail later."""
        _require_bounds(self.name, self.timeout, self.retries)


@dataclass(frozen=True)
class Callback:
    """A check by another system that answers later, with `fulfil`.

    Args:
        name: What policies demand; lower case.
        file: Asks the other system, with the idempotency key, and answers its reference or nothing;
            `None`: the other system finds the request itself.
        timeout: Seconds of one attempt to file, at most `LONGEST_CHECK`.
        retries: How often filing is tried again at once when it raises, at most 10.

    Raises:
        DefinitionError: One of them is out of its bounds.
    """

    name: str
    file: Callable[[CheckQuestion], Any] | None = None
    timeout: float = 30.0
    retries: int = 2

    def __post_init__(self) -> None:
        """Refuse what could only fail later."""
        _require_bounds(self.name, self.timeout, self.retries)


def _require_bounds(name: str, timeout: float, retries: int) -> None:
    if not NAME.match(name):
        message = f"The check name {name!r} must match {NAME.pattern}."
        raise DefinitionError(message)
    if not 0 < timeout <= LONGEST_CHECK:
        message = f"The check {name!r} takes more than 0 and at most {LONGEST_CHECK:g} s."
        raise DefinitionError(message)
    if not 0 <= retries <= 10:  # noqa: PLR2004 - as documented
        message = f"The check {name!r} is tried again 0 to 10 times."
        raise DefinitionError(message)
