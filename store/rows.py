"""Values as the rows that hold them; made before anything is locked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from pydantic import JsonValue

from core.audit import AuditEntry
from core.governance.request import MutationRequest
from core.history import HistoryEntry

from . import documents
from .protocol import Ask, Comment, Delivery, Reservation, StoredState
from .schema import RESERVED
from .waiting import tokens

Row: TypeAlias = dict[str, Any]


def request_row(request: MutationRequest) -> Row:
    """What never changes of a request, and the first of what does."""
    return {
        "request_id": request.request_id,
        "content_digest": request.content_digest,
        "state_id": request.state_id,
        "requester": request.context.actor_id.lower(),
        "status": request.status.value,
        "created_at": documents.moment(request.created_at),
        "fence": 0,
        "decision_number": 0,
        "ended": False,
        "document": None,
    }


def picture_row(request: MutationRequest) -> Row:
    """What changes of a request; once it has ended there is no picture, only the record."""
    ended = request.status.is_terminal
    return {
        "id_": request.request_id,
        "status": request.status.value,
        "decision_number": request.decision_number,
        "ended": ended,
        "document": None if ended else documents.write(request),
    }


def without_key(row: Row) -> Row:
    """The same row without the key it is found by."""
    return {name: value for name, value in row.items() if name != "id_"}


def ending_row(request: MutationRequest) -> Row:
    """The record of a request that has ended."""
    return {
        "request_id": request.request_id,
        "status": request.status.value,
        "ended_at": documents.moment(request.closed_at or request.updated_at),
        "document": documents.write(request),
    }


def awaiting_rows(request: MutationRequest) -> list[Row]:
    """Whose inbox a request is in, and what it is told by."""
    created_at = documents.moment(request.created_at)
    return [
        {"token": token, "request_id": request.request_id, "created_at": created_at}
        for token in tokens(request)
    ]


def state_row(state: StoredState) -> Row:
    """A state at a version."""
    return {
        "state_id": state.state_id,
        "version": state.version,
        "schema_version": state.schema_version,
        "digest": state.digest,
        "committed_at": documents.moment(state.committed_at) if state.committed_at else None,
        "document": documents.write_json(state.document),
    }


def history_row(entry: HistoryEntry) -> Row:
    """The entry of a version, and the paths it changed."""
    return {
        "state_id": entry.state_id,
        "version": entry.version,
        "request_id": entry.subject.request_id,
        "paths": documents.write_json(list(entry.changes.paths)),
        "document": documents.write(entry),
    }


def audit_rows(entries: Iterable[AuditEntry]) -> list[Row]:
    """What was tried."""
    return [
        {
            "execution_id": entry.execution_id,
            "request_id": entry.subject.request_id,
            "state_id": entry.subject.state_id,
            "document": documents.write(entry),
        }
        for entry in entries
    ]


def answer_row(ask: Ask, answer: JsonValue) -> Row:
    """An ask and what it was answered."""
    return {
        **ask.model_dump(),
        "schema_version": documents.SCHEMA_VERSION,
        "answer": documents.write_json(answer),
    }


def delivery_rows(deliveries: Iterable[Delivery], execution_id: str) -> list[Row]:
    """The side effects of a commit, to be dispatched."""
    return [
        {
            "key": each.key,
            "state_id": each.state_id,
            "version": each.version,
            "execution_id": execution_id,
            "position": each.position,
            "request_id": each.request_id,
            "committed_at": documents.moment(each.committed_at),
            "attempts": each.attempts,
            "settled_at": None,
            "error": None,
            "schema_version": documents.SCHEMA_VERSION,
            "document": documents.write(each.effect),
        }
        for each in deliveries
    ]


def reservation_row(wanted: Reservation, position: int, *, state: str) -> Row:
    """A claim on a budget that is asked for the first time."""
    asked_at = documents.moment(wanted.at)
    return {
        "request_id": wanted.request_id,
        "requirement_id": wanted.requirement_id,
        "budget": wanted.budget,
        "amount": wanted.amount,
        "position": position,
        "asked_at": asked_at,
        "state": state,
        "reserved_at": asked_at if state == RESERVED else None,
        "consumed_at": None,
    }


def comment_row(comment: Comment, position: int) -> Row:
    """What somebody says, as the next thing said about a request."""
    return {
        **comment_key(comment),
        "position": position,
        "schema_version": documents.SCHEMA_VERSION,
        "document": documents.write(comment),
    }


def comment_key(comment: Comment) -> Row:
    """What makes it one and the same comment."""
    return {
        "request_id": comment.request_id,
        "actor": comment.actor_id.lower(),
        "comment_id": comment.comment_id,
    }
