"""Who asks and why (`MutationContext`), and this one run of the engine (`ExecutionContext`).

Neither contains the other: one mutation context is paired with many runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import Field, JsonValue

from .errors import ExecutionCanceled, ExecutionTimeout
from .model import Value


class Mode(StrEnum):
    """How far the engine goes."""

    SIMULATE = "simulate"
    VALIDATE = "validate"
    COMMIT = "commit"


class ActorType(StrEnum):
    """What kind of actor asks."""

    USER = "user"
    SERVICE = "service"
    SYSTEM = "system"
    SCHEDULER = "scheduler"
    AGENT = "agent"


class MutationContext(Value):
    """Who asks, for whom and why; one for a request, whatever number of runs it takes."""

    actor_id: str
    actor_name: str | None = None
    actor_type: ActorType = ActorType.USER
    on_behalf_of: str | None = None
    reason: str = ""
    mode: Mode = Mode.COMMIT
    correlation_id: str | None = None
    causation_id: str | None = None
    session: str | None = None
    source_address: str | None = None
    user_agent: str | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)

    def in_mode(self, mode: Mode) -> MutationContext:
        """Answer the same context for a run in another mode."""
        return self if mode is self.mode else self.model_copy(update={"mode": mode})


def never() -> bool:
    """Answer that nobody has cancelled."""
    return False


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """One run of the engine, or one step of a batch; made by the engine, never audited as data.

    Args:
        execution_id: The id of the run.
        started_at: Monotonic seconds at which the run began.
        timeout: Seconds the run may take.
        clock: Monotonic seconds, handed in.
        canceled: Answers whether the run has been cancelled from outside.
        scratch: Free for the observers of the run; forgotten with it.
    """

    execution_id: str
    started_at: float
    timeout: float
    clock: Callable[[], float]
    canceled: Callable[[], bool] = never
    scratch: dict[str, Any] = field(default_factory=dict)

    def elapsed(self) -> float:
        """Answer the seconds since the run began."""
        return self.clock() - self.started_at

    def is_timed_out(self) -> bool:
        """Answer whether the deadline has passed; at the deadline is late."""
        return self.elapsed() >= self.timeout

    def raise_if_over(self) -> None:
        """Raise `ExecutionCanceled` or `ExecutionTimeout` when the run may not go on."""
        if self.canceled():
            raise ExecutionCanceled
        elapsed = self.elapsed()
        if elapsed >= self.timeout:
            raise ExecutionTimeout(self.timeout, elapsed)
