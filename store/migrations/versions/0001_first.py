"""The first schema: states, requests and their endings, asks, history, audit, outbox, awaiting."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "states",
        _key("state_id"),
        _number("version"),
        _number("schema_version"),
        _key("digest"),
        _key("committed_at", nullable=True),
        _text("document"),
        sa.PrimaryKeyConstraint("state_id", name="pk_states"),
    )
    op.create_table(
        "requests",
        _key("request_id"),
        _key("content_digest"),
        _key("state_id"),
        _key("requester"),
        _key("status"),
        _key("created_at"),
        _number("fence"),
        _number("decision_number"),
        sa.Column("ended", sa.Boolean(), nullable=False),
        _text("document", nullable=True),
        sa.PrimaryKeyConstraint("request_id", name="pk_requests"),
    )
    op.create_index("ix_requests_created", "requests", ["created_at", "request_id"])
    for name, column in (("state", "state_id"), ("requester", "requester"), ("status", "status")):
        op.create_index(f"ix_requests_{name}", "requests", [column, "created_at", "request_id"])
    op.create_index(
        "ix_requests_open",
        "requests",
        ["request_id"],
        sqlite_where=sa.text("ended = 0"),
        postgresql_where=sa.text("NOT ended"),
    )
    op.create_table(
        "endings",
        _key("request_id"),
        _key("status"),
        _key("ended_at"),
        _text("document"),
        sa.PrimaryKeyConstraint("request_id", name="pk_endings"),
    )
    op.create_table(
        "asks",
        _key("request_id"),
        _number("round"),
        _number("fence"),
        _key("kind"),
        _number("schema_version"),
        _text("answer"),
        sa.PrimaryKeyConstraint("request_id", "round", "fence", "kind", name="pk_asks"),
    )
    op.create_table(
        "history",
        _key("state_id"),
        _number("version"),
        _key("request_id", nullable=True),
        _text("paths"),
        _text("document"),
        sa.PrimaryKeyConstraint("state_id", "version", name="pk_history"),
    )
    op.create_table(
        "audit",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            autoincrement=True,
        ),
        _key("execution_id"),
        _key("request_id", nullable=True),
        _key("state_id"),
        _text("document"),
        sa.PrimaryKeyConstraint("position", name="pk_audit"),
        sa.UniqueConstraint("execution_id", name="uq_audit_execution_id"),
    )
    op.create_index("ix_audit_request", "audit", ["request_id", "position"])
    op.create_index("ix_audit_state", "audit", ["state_id", "position"])
    op.create_table(
        "outbox",
        _key("key"),
        _key("state_id"),
        _number("version"),
        _key("execution_id"),
        _number("position"),
        _key("request_id"),
        _key("committed_at"),
        _number("attempts"),
        _key("settled_at", nullable=True),
        _text("error", nullable=True),
        _number("schema_version"),
        _text("document"),
        sa.PrimaryKeyConstraint("key", name="pk_outbox"),
    )
    op.create_index(
        "ix_outbox_undelivered",
        "outbox",
        ["state_id", "version", "position"],
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_table(
        "awaiting",
        _key("token"),
        _key("created_at"),
        _key("request_id"),
        sa.PrimaryKeyConstraint("token", "created_at", "request_id", name="pk_awaiting"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_awaiting_request", "awaiting", ["request_id"])


def _key(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    by_code_point = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    return sa.Column(name, by_code_point, nullable=nullable)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)
