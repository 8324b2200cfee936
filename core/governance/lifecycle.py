"""Statuses, the one table of permitted moves, and the decisions that carry them.

Whatever changes the status appends its cause, then exactly one lifecycle decision; the status is
the fold of the lifecycle decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue

from ..audit import MutationRecord
from ..digests import digest
from ..errors import InvalidTransition, RequestClosed, RequestFull
from ..model import bytes_of
from .request import (
    MAX_REFUSED,
    Category,
    Closing,
    Decision,
    Held,
    MutationRequest,
    RefusedMessage,
    Status,
    Wish,
)

MAX_BYTES: Final = 768 * 1024
"""Bytes of a request, as JSON, from which on it takes no more messages.

Temporal carries 2 MiB at once, and a request crosses with its start payload and what was answered.
"""

MAX_REFUSED_BYTES: Final = 128 * 1024
"""Bytes of all refused messages that are kept, as JSON."""

TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.CREATED: frozenset(
        {
            Status.PENDING,
            Status.APPROVED,
            Status.REJECTED,
            Status.CANCELED,
            Status.EXPIRED,
            Status.SUPERSEDED,
        }
    ),
    Status.PENDING: frozenset(
        {
            Status.APPROVED,
            Status.REJECTED,
            Status.CANCELED,
            Status.EXPIRED,
            Status.SUPERSEDED,
        }
    ),
    Status.APPROVED: frozenset(
        {
            Status.PENDING,
            Status.REJECTED,
            Status.CANCELED,
            Status.EXPIRED,
            Status.SUPERSEDED,
            Status.EXECUTED,
        }
    ),
    Status.REJECTED: frozenset(),
    Status.CANCELED: frozenset(),
    Status.EXPIRED: frozenset(),
    Status.SUPERSEDED: frozenset(),
    Status.EXECUTED: frozenset(),
}
"""Which status may follow which; docs, tests and code share this table."""

_BY_CODE = {"Submitted": Status.CREATED} | {s.value: s for s in Status if s is not Status.CREATED}


def submit(request_id: str, wish: Wish, at: datetime, *, expires_in: timedelta) -> MutationRequest:
    """Make a request of a wish; its deadline holds from now on, whatever its status."""
    request = MutationRequest(
        request_id=request_id,
        kind="compensation" if wish.compensates else "standard",
        content_digest=wish.content_digest(),
        state_id=wish.state_id,
        mutations=tuple(
            MutationRecord(
                type=m.type,
                schema_version=m.schema_version or 0,
                parameters=m.parameters,
                digest=digest([m.type, m.schema_version or 0, m.parameters]),
            )
            for m in wish.mutations
        ),
        context=wish.context(),
        metadata=wish.metadata,
        tags=wish.tags,
        created_at=at,
        updated_at=at,
        expires_at=at + (wish.expires_in or expires_in),
        expected_version=wish.expected_version,
        not_before=wish.not_before,
        depends_on=wish.depends_on,
        supersedes=wish.supersedes,
        on_state_moved=wish.on_state_moved,
    )
    return append(
        request, Category.LIFECYCLE, "Submitted", actor_id=wish.actor_id, at=at, reason=wish.reason
    )


def append(
    request: MutationRequest,
    category: Category,
    code: str,
    *,
    actor_id: str,
    at: datetime,
    reason: str = "",
    decision_id: str | None = None,
    **metadata: JsonValue,
) -> MutationRequest:
    """Append one decision; its time is never before the one it follows."""
    return _append(
        request,
        category,
        code,
        actor_id=actor_id,
        at=at,
        reason=reason,
        decision_id=decision_id,
        metadata=metadata,
    )


def _append(
    request: MutationRequest,
    category: Category,
    code: str,
    *,
    actor_id: str,
    at: datetime,
    reason: str,
    metadata: Mapping[str, JsonValue],
    decision_id: str | None = None,
) -> MutationRequest:
    last = request.decisions[-1].at if request.decisions else at
    decision = Decision(
        number=request.decision_number + 1,
        category=category,
        code=code,
        actor_id=actor_id,
        at=max(at, last),
        reason=reason,
        decision_id=decision_id,
        metadata={k: v for k, v in metadata.items() if v is not None},
    )
    return request.model_copy(
        update={"decisions": (*request.decisions, decision), "updated_at": decision.at}
    )


def move(
    request: MutationRequest,
    target: Status,
    *,
    actor_id: str,
    at: datetime,
    reason: str = "",
    decision_id: str | None = None,
) -> MutationRequest:
    """Change the status by its lifecycle decision.

    Raises:
        InvalidTransition: The table does not allow it; nothing is changed.
    """
    if target not in TRANSITIONS[request.status]:
        raise InvalidTransition(request.request_id, request.status.value, target.value)
    moved = append(
        request,
        Category.LIFECYCLE,
        target.value,
        actor_id=actor_id,
        at=at,
        reason=reason,
        decision_id=decision_id,
    )
    return moved.model_copy(update={"status": target})


def close(request: MutationRequest, closing: Closing, at: datetime) -> MutationRequest:
    """End a request as intended: its cause, then its terminal decision.

    Raises:
        InvalidTransition: It has ended already, or this ending is not open to it.
    """
    if closing.status not in TRANSITIONS[request.status] or not closing.status.is_terminal:
        raise InvalidTransition(request.request_id, request.status.value, closing.status.value)
    cause = closing.cause
    if cause is not None:
        request = _append(
            request,
            cause.category,
            cause.code,
            actor_id=cause.actor_id,
            at=at,
            reason=cause.reason,
            metadata=cause.metadata,
        )
    ended = move(
        request,
        closing.status,
        actor_id=closing.actor_id,
        at=at,
        reason=closing.reason,
        decision_id=closing.decision_id,
    )
    return ended.model_copy(
        update={"closing": None, "held": None, "pending": (), "rejection": closing.rejection}
    )


def intend(request: MutationRequest, closing: Closing) -> MutationRequest:
    """Show an ending that is about to be attempted; an earlier intention stands.

    Executed is never intended: that ending is the commit itself.

    Raises:
        InvalidTransition: The request has ended already, or this is no ending to intend.
    """
    if (
        closing.status not in TRANSITIONS[request.status]
        or not closing.status.is_terminal
        or closing.status is Status.EXECUTED
    ):
        raise InvalidTransition(request.request_id, request.status.value, closing.status.value)
    return request if request.closing else request.model_copy(update={"closing": closing})


def closed(request: MutationRequest) -> RequestClosed:
    """Answer the refusal of whatever comes when the request has ended, or is about to."""
    status = request.closing.status if request.closing else request.status
    return RequestClosed(
        f"Request {request.request_id!r} is {status.value}; nothing can be decided any more.",
        request_id=request.request_id,
        status=status.value,
    )


def hold(request: MutationRequest, reason: str, at: datetime) -> MutationRequest:
    """Show that the request cannot be tried now, and since when; it is asked again later."""
    since = request.held.since if request.held else at
    return request.model_copy(update={"held": Held(reason=reason, since=since)})


def refuse_message(request: MutationRequest, refused: RefusedMessage) -> MutationRequest:
    """Record a message that does not count; beyond the bounds only their number grows."""
    kept = request.refused_messages
    if len(kept) < MAX_REFUSED and sum(map(bytes_of, (*kept, refused))) <= MAX_REFUSED_BYTES:
        kept = (*kept, refused)
    return request.model_copy(
        update={"refused_messages": kept, "refused_count": request.refused_count + 1}
    )


def raise_if_full(request: MutationRequest) -> None:
    """Refuse one more message where the request could not be carried on with it.

    Raises:
        RequestFull: It has `MAX_BYTES` or more.
    """
    if bytes_of(request) >= MAX_BYTES:
        message = (
            f"Request {request.request_id!r} holds all the messages it can hold. "
            "Cancel it, and submit another."
        )
        raise RequestFull(message, request_id=request.request_id)


def status_of(decisions: Iterable[Decision]) -> Status:
    """Fold the lifecycle decisions into the status they lead to."""
    status = Status.CREATED
    for decision in decisions:
        if decision.category is Category.LIFECYCLE:
            status = _BY_CODE[decision.code]
    return status
