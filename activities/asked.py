"""What activities share that are asked about a request.

Has this been answered, has it ended, and is it still demanded.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue

from core.errors import DefinitionError, InvalidValue, RequestIdReused, UnknownName
from core.governance.people import SYSTEM
from core.governance.request import Finding, Metadata, MutationRequest, RequirementState
from core.requirements import RequirementKind
from store.protocol import Ask
from wire.asks import E, LookAt, LookedAt

from .outside import Outside

LATER: Final = timedelta(minutes=15)
"""When to look again at what cannot be read, or is not registered, now."""

UNREADABLE: Final = (UnknownName, InvalidValue, DefinitionError)
"""What is wrong with what is looked at; it may be mended, so it blocks and is looked at again."""


def ended(answer: type[E], outside: Outside, record: MutationRequest) -> E:
    """Answer that a request has ended, and whether others wait for what that changed.

    Whoever wrote the ending may have been lost before it said so; it is said again.
    """
    quotas = [
        r
        for r in record.requirements
        if r.requirement.kind == RequirementKind.QUOTA and r.requirement.is_whole
    ]
    tokens = [
        f"request:{record.request_id}",
        f"state:{record.state_id}",
        *(f"budget:{each.requirement.wanted.key}" for each in quotas),
    ]
    waiters = bool(outside.store.told_by(tokens, limit=1))
    return answer(ended=record, waiters=waiters)


def answered(outside: Outside, ask: Ask, request: MutationRequest, fence: int) -> JsonValue:
    """Answer what is stored for an ask; `None` when nothing is.

    Args:
        outside: The store.
        ask: The key of the ask.
        request: What is asked about.
        fence: The highest one that the store has seen for it.

    Raises:
        RequestIdReused: What was answered is other content under the same id.
    """
    # The fence is raised with the answer: below it nobody can have been answered.
    stored = outside.store.answered(ask) if fence >= ask.fence else None
    if stored is None:
        return None
    known = outside.store.request(request.request_id)
    if known is not None and known.content_digest != request.content_digest:
        raise RequestIdReused(request.request_id)
    return stored


def not_yet(
    binding: str,
    at: datetime,
    reason: str,
    again_at: datetime | None = None,
    *,
    reference: str | None = None,
    evidence: Metadata | None = None,
) -> Finding:
    """Answer that what was looked at does not hold yet, and when to look again.

    Args:
        binding: That of the requirement; where nothing drifts, its id.
        at: The workflow's time.
        reason: Why, in words.
        again_at: When to look again; `None`: somebody will say.
        reference: Under what another system knows it.
        evidence: What it rests on.
    """
    return Finding(
        verdict="not_yet",
        at=at,
        binding=binding,
        actor_id=SYSTEM,
        reason=reason,
        again_at=again_at,
        reference=reference,
        metadata=evidence or {},
    )


def demanded(outside: Outside, ask: LookAt) -> RequirementState | LookedAt:
    """Answer the requirement that is to be looked at, or why there is nothing to look at."""
    request = ask.request
    view = outside.store.view(request.request_id, request.state_id)
    if view.ended is not None:
        return ended(LookedAt, outside, view.ended)
    return request.requirement(ask.requirement_id) or LookedAt()
