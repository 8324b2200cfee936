"""A record in memory, to use the engine alone: states by compare-and-set, audit and history.

```python
recorder = Recorder()
subject = recorder.subject("quota/acme")
result = engine.execute(mutation, state, context=context, facts=facts, subject=subject)
version = recorder.record(result)
```

It ends with its process and knows no requests; the store of record is another room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from .audit import AuditEntry, Subject
from .errors import MutatorError
from .history import HistoryEntry
from .result import ExecutionResult, Outcome


class VersionConflict(MutatorError):
    """Somebody committed first; nothing was recorded. Run the engine again on the newer state."""

    def __init__(self, state_id: str, expected: int, current: int) -> None:
        super().__init__(
            f"{state_id or 'The state'} is at version {current}, and the run was on version "
            f"{expected}; nothing was recorded. Run it again on the newer state.",
            state_id=state_id,
            expected=expected,
            current=current,
        )


@dataclass(frozen=True, slots=True)
class Recorded:
    """A state as it was recorded last; the document is the recorder's own, not a copy."""

    document: JsonValue
    version: int


class Recorder:
    """What runs of the engine left behind, by state id."""

    def __init__(self) -> None:
        self._states: dict[str, Recorded] = {}
        self._history: dict[str, list[HistoryEntry]] = {}
        self._audit: list[AuditEntry] = []

    def record(self, result: ExecutionResult[Any]) -> int:
        """Keep the audit entry and, of a commit, the new state and its history entry.

        Returns:
            The version the state now has.

        Raises:
            VersionConflict: The commit was made on another version than the current one.
        """
        state_id = result.audit.subject.state_id
        current = self.version(state_id)
        if result.outcome is Outcome.COMMITTED:
            expected = result.audit.version_before
            if expected != current:
                raise VersionConflict(state_id, expected, current)
            if result.history is not None:
                current = result.history.version
                self._states[state_id] = Recorded(result.document, current)
                self._history.setdefault(state_id, []).append(result.history)
        self._audit.append(result.audit)
        return current

    def state(self, state_id: str) -> Recorded | None:
        """Answer a state as it is now; `None` where it was never committed."""
        return self._states.get(state_id)

    def version(self, state_id: str) -> int:
        """Answer the version of a state; 0 where it was never committed."""
        recorded = self._states.get(state_id)
        return recorded.version if recorded else 0

    def subject(self, state_id: str) -> Subject:
        """Answer what the engine is told of a state, for a run on its current version."""
        return Subject(state_id=state_id, version=self.version(state_id))

    def history(self, state_id: str) -> tuple[HistoryEntry, ...]:
        """Answer the history of a state, in the order of versions."""
        return tuple(self._history.get(state_id, ()))

    def audit(self, state_id: str | None = None) -> tuple[AuditEntry, ...]:
        """Answer the audit entries in the order they came; of one state or of all."""
        return tuple(e for e in self._audit if state_id in {None, e.subject.state_id})
