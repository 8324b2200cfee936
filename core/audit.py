"""What was tried, by whom and why: one entry for every run of the engine, whatever its ending."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field, JsonValue

from .context import MutationContext
from .effects import EffectPreview
from .model import Value
from .mutation import Intent
from .policy import PolicyDecision
from .result import Outcome
from .validation import Issue


class MutationRecord(Value):
    """A mutation as a value that can be stored and read again without its class."""

    type: str
    schema_version: int
    parameters: dict[str, JsonValue]
    digest: str


class Subject(Value):
    """What a run is about, as the caller knows it; the engine copies it into its entries."""

    state_id: str
    version: int = 0
    request_id: str | None = None
    kind: str = "standard"
    round: int = 0
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    compensates: dict[str, JsonValue] | None = None


class AuditEntry(Value):
    """One run: what was tried, on what, by whom, why, what every policy said, how it ended.

    The inputs of the policies' evaluation are the mutations, the state (`state_id` at
    `version_before`, with its digest), the context and the facts: all stored here.
    """

    schema_version: int = 1
    execution_id: str
    subject: Subject
    at: datetime
    version_before: int
    version_after: int | None = None
    state_digest: str | None = None
    mutations: tuple[MutationRecord, ...]
    intent: Intent
    context: MutationContext
    facts: dict[str, JsonValue]
    decisions: tuple[PolicyDecision, ...] = ()
    issues: tuple[Issue, ...] = ()
    effect_digest: str | None = None
    effect: EffectPreview | None = None
    outcome: Outcome
    error: str | None = None
