"""The places between two steps of a request at which a worker can be killed."""

from __future__ import annotations

from typing import Final

ASSESSMENT_STORED: Final = "after the assessment is stored, before the activity answers"
ASSESSMENT_ANSWERED: Final = "after the assessment is answered, before the workflow goes on"
DECISION_RECEIVED: Final = "after a decision is accepted, while its sender is looked up"
APPROVED: Final = "after the approval, before the version is resolved"
RESOLUTION_STORED: Final = "after the resolution is stored, before the activity answers"
BEFORE_COMMIT: Final = "during execute, before the commit"
COMMITTED: Final = "after the commit, before the activity answers"
COMMIT_ANSWERED: Final = "after the answer of the commit, before the workflow goes on"
LAST_STEP: Final = "after the record is adopted, before the workflow closes"
DISPATCHING: Final = "after the request ended, while its side effects are dispatched"

POINTS: Final = (
    ASSESSMENT_STORED,
    ASSESSMENT_ANSWERED,
    DECISION_RECEIVED,
    APPROVED,
    RESOLUTION_STORED,
    BEFORE_COMMIT,
    COMMITTED,
    COMMIT_ANSWERED,
    LAST_STEP,
    DISPATCHING,
)

REMOTE_ONLY: Final = frozenset({APPROVED, RESOLUTION_STORED})
"""In a workflow task the version is resolved where it is committed on: there is nothing between."""

ALIKE: Final = frozenset({DISPATCHING})
"""What is asked in one way only; local first is drilled, remotely it would show nothing new."""


def of(way: str) -> tuple[str, ...]:
    """Answer the points that are worth a drill in one way."""
    left_out = ALIKE if way == "remote" else REMOTE_ONLY
    return tuple(point for point in POINTS if point not in left_out)
