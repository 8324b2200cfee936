"""What a mutation's `check` finds: issues, of which only errors make it invalid here."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from pydantic import JsonValue

from .model import Value


class Severity(StrEnum):
    """How much a finding, a denial or a side effect matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Issue(Value):
    """One finding; `path` is a JSON Pointer into the state, empty for the whole."""

    code: str
    message: str
    path: str = ""
    attempted: JsonValue = None
    severity: Severity = Severity.ERROR

    @property
    def is_error(self) -> bool:
        """Answer whether this finding makes the mutation invalid."""
        return self.severity in {Severity.ERROR, Severity.CRITICAL}


def errors_of(issues: Iterable[Issue]) -> tuple[Issue, ...]:
    """Answer the findings that make the mutation invalid; warnings are shown, never in the way."""
    return tuple(issue for issue in issues if issue.is_error)
