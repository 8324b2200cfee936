"""What is looked at whenever a request is evaluated: schedules, dependencies, reserved room.

None of it runs an author's code; checks are asked in activities of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from core.governance.alternatives import every
from core.governance.request import Finding, MutationRequest
from core.governance.waits import TOLD
from core.requirements import Requirement, RequirementKind

from .asked import not_yet
from .dependencies import look_at_dependencies
from .outside import Outside
from .schedule import look_at_schedule


def look(
    outside: Outside, request: MutationRequest, requirements: Iterable[Requirement], at: datetime
) -> dict[str, Finding]:
    """Answer what looking brings, by requirement id; where all is well there may be nothing.

    Args:
        outside: The store, and the domains whose states are calendars.
        request: The request as the workflow holds it; it may not be in the record yet.
        requirements: What is demanded now, alternatives within.
        at: The workflow's time.
    """
    requirements = tuple(requirements)
    demanded = every(requirements)
    if TOLD.isdisjoint(r.kind for r in demanded):
        return {}
    return {
        **look_at_schedule(outside, request, requirements, at),
        **look_at_dependencies(outside, request, demanded, at),
        **look_at_reserved(outside, request, demanded, at),
    }


def look_at_reserved(
    outside: Outside, request: MutationRequest, requirements: Iterable[Requirement], at: datetime
) -> dict[str, Finding]:
    """Answer where room that the request relies on is reserved no more: it is asked for again."""
    relied_on = [
        r
        for r in requirements
        if r.kind == RequirementKind.QUOTA and (state := request.requirement(r.id)) and state.holds
    ]
    return {
        r.id: not_yet(
            r.id, at, "The room that was reserved is no longer; it is asked for again.", at
        )
        for r in relied_on
        if not outside.store.reserved(request.request_id, r.id)
    }
