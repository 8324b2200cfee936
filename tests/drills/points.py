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

CHECKING: Final = "while a check runs"
KEPT: Final = "after the answer of a check is kept, before the workflow has it"
FILED: Final = "after a question is filed elsewhere, before that is kept"
LOOKING: Final = "when the moment has come, before it is looked at"
LOOKED: Final = "after dependencies were looked at, before the workflow goes on"
RESERVED: Final = "after room is reserved, before the activity answers"
RESERVATION_ANSWERED: Final = "after room is reserved, before the workflow goes on"
QUEUED: Final = "after a place in the queue for room is taken, before the activity answers"
CONTINUING: Final = "when the history is to begin anew, before the server knows"
CONTINUED: Final = "when the history has begun anew, before the workflow goes on"
NEVER: Final = "at no point of its own: somebody else kills it"

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
