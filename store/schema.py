"""The tables of the store of record, the same on SQLite and PostgreSQL.

Documents are JSON text; a document carries its schema version, or a column beside it does. Times
are text in UTC with microseconds, so they sort alike everywhere. Keys are compared by code point on
every database.

A change here is a new revision in `migrations/versions`, and `REVISION` names the newest.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

REVISION: Final = "0002"
"""The revision of the schema that this version of the code reads and writes."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

Key = String().with_variant(String(collation="C"), "postgresql")
"""An id, a token or a time: compared by code point."""

Position = BigInteger().with_variant(Integer(), "sqlite")
"""A number the database counts up; SQLite counts plain integers only."""


def _key(name: str, **more: Any) -> Column[str]:
    return Column(name, Key, **{"nullable": False, **more})


def _number(name: str, **more: Any) -> Column[int]:
    return Column(name, Integer, **{"nullable": False, **more})


def _document(name: str = "document", **more: Any) -> Column[str]:
    return Column(name, Text, **{"nullable": False, **more})


states = Table(
    "states",
    metadata,
    _key("state_id", primary_key=True),
    _number("version"),
    _number("schema_version"),
    _key("digest"),
    _key("committed_at", nullable=True),
    _document(),
)
"""One row a state, as it is now; `schema_version` is its author's."""

requests = Table(
    "requests",
    metadata,
    _key("request_id", primary_key=True),
    _key("content_digest"),
    _key("state_id"),
    _key("requester"),
    _key("status"),
    _key("created_at"),
    _number("fence"),
    _number("decision_number"),
    Column("ended", Boolean, nullable=False),
    _document(nullable=True),
)
"""One row a request: what locks, what lists look for, and its picture until it has ended."""

Index("ix_requests_created", requests.c.created_at, requests.c.request_id)
Index("ix_requests_state", requests.c.state_id, requests.c.created_at, requests.c.request_id)
Index("ix_requests_requester", requests.c.requester, requests.c.created_at, requests.c.request_id)
Index("ix_requests_status", requests.c.status, requests.c.created_at, requests.c.request_id)
Index(
    "ix_requests_open",
    requests.c.request_id,
    sqlite_where=text("ended = 0"),
    postgresql_where=text("NOT ended"),
)

endings = Table(
    "endings",
    metadata,
    _key("request_id", primary_key=True),
    _key("status"),
    _key("ended_at"),
    _document(),
)
"""The record of a request that has ended: written once, whoever writes it first."""

asks = Table(
    "asks",
    metadata,
    _key("request_id", primary_key=True),
    _number("round", primary_key=True, autoincrement=False),
    _number("fence", primary_key=True, autoincrement=False),
    _key("kind", primary_key=True),
    _number("schema_version"),
    _document("answer"),
)
"""What was answered to a question; whoever repeats it gets the same."""

history = Table(
    "history",
    metadata,
    _key("state_id", primary_key=True),
    _number("version", primary_key=True, autoincrement=False),
    _key("request_id", nullable=True),
    _document("paths"),
    _document(),
)
"""One row a committed version; `paths` is what it changed, as a JSON list."""

audit = Table(
    "audit",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=True),
    _key("execution_id", unique=True),
    _key("request_id", nullable=True),
    _key("state_id"),
    _document(),
)
"""One row a run of the engine, in the order they were written."""

Index("ix_audit_request", audit.c.request_id, audit.c.position)
Index("ix_audit_state", audit.c.state_id, audit.c.position)

outbox = Table(
    "outbox",
    metadata,
    _key("key", primary_key=True),
    _key("state_id"),
    _number("version"),
    _key("execution_id"),
    _number("position"),
    _key("request_id"),
    _key("committed_at"),
    _number("attempts"),
    _key("settled_at", nullable=True),
    Column("error", Text, nullable=True),
    _number("schema_version"),
    _document(),
)
"""One row a side effect; settled when it was dispatched, or failed for good (then with `error`)."""

Index(
    "ix_outbox_undelivered",
    outbox.c.state_id,
    outbox.c.version,
    outbox.c.position,
    sqlite_where=text("settled_at IS NULL"),
    postgresql_where=text("settled_at IS NULL"),
)

awaiting = Table(
    "awaiting",
    metadata,
    _key("token", primary_key=True),
    _key("created_at", primary_key=True),
    _key("request_id", primary_key=True),
    sqlite_with_rowid=False,
)
"""Whom open requests wait for, and what they are told by, in the order of an inbox.

None once a request has ended.
"""

Index("ix_awaiting_request", awaiting.c.request_id)

IDLE: Final = "idle"
WAITING: Final = "waiting"
RESERVED: Final = "reserved"
CONSUMED: Final = "consumed"

reservations = Table(
    "reservations",
    metadata,
    _key("request_id", primary_key=True),
    _key("requirement_id", primary_key=True),
    _key("budget"),
    Column("amount", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    _key("asked_at"),
    _key("state"),
    _key("reserved_at", nullable=True),
    _key("consumed_at", nullable=True),
)
"""One row a claim on a budget: waiting, reserved, or consumed by a commit, which it outlives.

One that is idle asks for nothing now. `position` is the place in the queue of the budget; it never
changes.
"""

Index(
    "ix_reservations_open",
    reservations.c.budget,
    reservations.c.position,
    sqlite_where=text("consumed_at IS NULL"),
    postgresql_where=text("consumed_at IS NULL"),
)
Index(
    "ix_reservations_consumed",
    reservations.c.budget,
    reservations.c.consumed_at,
    reservations.c.amount,
    sqlite_where=text("consumed_at IS NOT NULL"),
    postgresql_where=text("consumed_at IS NOT NULL"),
)

comments = Table(
    "comments",
    metadata,
    _key("request_id", primary_key=True),
    _key("actor", primary_key=True),
    _key("comment_id", primary_key=True),
    _number("position"),
    _number("schema_version"),
    _document(),
)
"""What is said about requests; `actor` is in lower case, `position` counts within the request."""

Index("ix_comments_request", comments.c.request_id, comments.c.position)
