"""What can no longer be met, and how the request ends with it.

A refusal, a failure or a deadline in one of several alternatives ends that one only; *lost* is what
had a way to be met and has none left.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ..requirements import Requirement, RequirementKind
from .alternatives import members, ways, ways_left
from .people import SYSTEM
from .request import (
    Answer,
    Category,
    Cause,
    Closing,
    Decision,
    MutationRequest,
    Rejection,
    RequirementState,
    Status,
)
from .seating import ended_of, is_refused

_FAILED: Final = {
    RequirementKind.CHECK: ("check", "failed"),
    RequirementKind.SCHEDULE: ("unsatisfiable", "no_window"),
    RequirementKind.DEPENDENCY: ("dependency", "ended"),
    RequirementKind.QUOTA: ("quota", "over_budget"),
}
"""How a request is rejected where whoever looked does not say it."""


def lost(request: MutationRequest) -> RequirementState | None:
    """Answer the first requirement that had a way to be met and has none left."""
    if not (ended := ended_of(request)):
        return None
    return next(
        (
            r
            for r in request.demanded
            if ways(r.requirement) and not ways_left(r.requirement, ended)
        ),
        None,
    )


def rejected(request: MutationRequest, lost: RequirementState) -> Closing:
    """Answer the end of a request that has no way left: by what failed last, or who refused."""
    inside = {r.id for r in members(lost.requirement)}
    states = [r for r in request.requirements if r.id in inside]
    failed = {r.id: r for r in states if r.has_failed}
    refused = [r for r in states if is_refused(r)]
    refusals = {
        a.decision: a
        for a in request.answers
        if a.verdict == "refuse" and any(r.id in a.bindings for r in refused)
    }
    last = next(
        d
        for d in reversed(request.decisions)
        if d.number in refusals
        or (d.code == "Failed" and str(d.metadata.get("requirement")) in failed)
    )
    if last.number in refusals:
        return _refused(request, lost, refused, refusals[last.number])
    return _failed(failed[str(last.metadata["requirement"])], last)


def overdue(over: RequirementState, late: Sequence[RequirementState]) -> Closing:
    """Answer the expiry of a request by the last deadline that something lost had left."""
    inside = {r.id for r in members(over.requirement)}
    deadline = max((r.deadline for r in late if r.id in inside and r.deadline), default=None)
    reason = was_due(over.requirement, deadline)
    cause = Cause(
        category=Category.of(over.requirement),
        code="Expired",
        actor_id=SYSTEM,
        reason=reason,
        metadata={"requirement": over.id},
    )
    return Closing(status=Status.EXPIRED, actor_id=SYSTEM, reason=reason, cause=cause)


def was_due(requirement: Requirement, deadline: datetime | None) -> str:
    """Say when it was due."""
    at = deadline.isoformat() if deadline else "never"
    return f"{requirement.describe()}: the deadline was {at}."


def _failed(state: RequirementState, decision: Decision) -> Closing:
    category, code = _FAILED[RequirementKind(state.requirement.kind)]
    said = Rejection(
        category=category,
        code=code,
        message=f"{state.requirement.describe()}: {decision.reason}",
        metadata={"requirement": state.id},
    )
    given = state.finding.rejection if state.finding else None
    return Closing(
        status=Status.REJECTED,
        actor_id=decision.actor_id,
        reason=decision.reason,
        rejection=given or said,
    )


def _refused(
    request: MutationRequest,
    lost: RequirementState,
    refused: Sequence[RequirementState],
    last: Answer,
) -> Closing:
    refusing = {actor for r in refused for actor in r.refused_by}
    review = all(r.requirement.kind == RequirementKind.REVIEW for r in refused)
    said = "The review failed, by" if review else "Refused by"
    message = f"{said} {', '.join(sorted(refusing))}" + (f": {last.reason}" if last.reason else ".")
    given = next(
        (d.metadata.get("given") for d in request.decisions if d.number == last.decision), None
    )
    return Closing(
        status=Status.REJECTED,
        actor_id=last.actor_id,
        reason=message,
        rejection=Rejection(
            category="approval",
            code="review_failed" if review else "refused",
            message=message,
            metadata={"requirement": lost.id, "given": given},
        ),
    )
