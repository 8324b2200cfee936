"""What one run cost; durations in seconds."""

from __future__ import annotations

from pydantic import Field

from .model import Value


class Metrics(Value):
    """The cost of one run.

    Attributes:
        stages: Seconds by stage (policies, check, apply, changes).
        total: Seconds of the whole run.
        policies: How many policies were asked.
        changes: How many changes resulted.
        state_bytes: Size of the state's canonical document, where it was computed.
        by_policy: Seconds by policy, where the options ask for it.
    """

    stages: dict[str, float] = Field(default_factory=dict)
    total: float = 0.0
    policies: int = 0
    changes: int = 0
    state_bytes: int | None = None
    by_policy: dict[str, float] = Field(default_factory=dict)
