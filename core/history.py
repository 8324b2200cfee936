"""What changed: one entry for every committed version of a state."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import JsonValue

from .audit import MutationRecord, Subject
from .changes import ChangeSet, apply
from .context import MutationContext
from .effects import SideEffect
from .model import Value
from .mutation import Intent
from .policy import PolicyDecision


class HistoryEntry(Value):
    """One version: its change set in full, and who caused it."""

    schema_version: int = 1
    state_id: str
    version: int
    execution_id: str
    subject: Subject
    at: datetime
    mutations: tuple[MutationRecord, ...]
    intent: Intent
    context: MutationContext
    changes: ChangeSet
    side_effects: tuple[SideEffect, ...] = ()
    decisions: tuple[PolicyDecision, ...] = ()


def replay(initial: JsonValue, entries: Iterable[HistoryEntry]) -> JsonValue:
    """Apply the entries in order to the value at version 0 and answer the state they lead to."""
    state = initial
    for entry in entries:
        state = apply(state, entry.changes)
    return state
