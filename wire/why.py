"""Why a request is blocked: what is unmet, who or what can meet it, what is held."""

from __future__ import annotations

from datetime import datetime

from core.governance.request import Delegation, MutationRequest, PendingReason
from core.model import Value


class WhyBlocked(Value):
    """The answer of the query `why_blocked`.

    Attributes:
        reasons: Everything unmet, what comes first, first; of each who can meet it, or what it is
            told by, and when it is looked at again.
        held: What is missing, where an approved request cannot be tried now.
        closing: The ending being attempted, if any.
        until: When the request expires.
        delegations: Who may answer in whose place, and until when.
    """

    request_id: str
    status: str
    reasons: tuple[PendingReason, ...] = ()
    held: str | None = None
    closing: str | None = None
    until: datetime
    binding: str | None = None
    delegations: tuple[Delegation, ...] = ()


def why_blocked(request: MutationRequest) -> WhyBlocked:
    """Answer why the request has not executed yet."""
    return WhyBlocked(
        request_id=request.request_id,
        status=request.status.value,
        reasons=request.pending,
        held=request.held.reason if request.held else None,
        closing=request.closing.status.value if request.closing else None,
        until=request.expires_at,
        binding=request.binding,
        delegations=request.delegations,
    )
