"""How a run of the engine ended: a value for every ending, expected or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Generic

from .digests import jsonable
from .effects import Effect
from .metrics import Metrics
from .mutation import Intent, S

if TYPE_CHECKING:
    from pydantic import JsonValue

    from .audit import AuditEntry
    from .history import HistoryEntry
    from .policy import Ruling
    from .requirements import Requirement
    from .validation import Issue


class Outcome(StrEnum):
    """The endings of a run."""

    COMMITTED = "committed"
    SIMULATED = "simulated"
    VALIDATED = "validated"
    BLOCKED = "blocked"
    INVALID = "invalid"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELED = "canceled"

    @property
    def is_success(self) -> bool:
        """Answer whether the run did what its mode asks for."""
        return self in {Outcome.COMMITTED, Outcome.SIMULATED, Outcome.VALIDATED}


@dataclass(frozen=True)
class ExecutionResult(Generic[S]):
    """What one run found and did.

    Attributes:
        state: The state after the change; only after commit and simulate.
        unmet: What blocked a commit: requirements demanded and not fulfilled.
        error: What author code raised, or the deadline that passed.
        observer_failures: What observers raised; it changed nothing.
    """

    outcome: Outcome
    execution_id: str
    intent: Intent
    ruling: Ruling
    audit: AuditEntry
    state: S | None = None
    effect: Effect = field(default_factory=Effect)
    issues: tuple[Issue, ...] = ()
    unmet: tuple[Requirement, ...] = ()
    history: HistoryEntry | None = None
    error: BaseException | None = None
    metrics: Metrics = field(default_factory=Metrics)
    observer_failures: tuple[str, ...] = ()

    @property
    def is_success(self) -> bool:
        """Answer whether the run did what its mode asks for."""
        return self.outcome.is_success

    @cached_property
    def document(self) -> JsonValue:
        """Answer the state as plain JSON data; written when it is first asked for."""
        return None if self.state is None else jsonable(self.state)
