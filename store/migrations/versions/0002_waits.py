"""What requests wait for besides people: claims on budgets; and what is said about requests."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "reservations",
        _key("request_id"),
        _key("requirement_id"),
        _key("budget"),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        _key("asked_at"),
        _key("state"),
        _key("reserved_at", nullable=True),
        _key("consumed_at", nullable=True),
        sa.PrimaryKeyConstraint("request_id", "requirement_id", name="pk_reservations"),
    )
    for name, columns, where in (
        ("open", ["budget", "position"], "consumed_at IS NULL"),
        ("consumed", ["budget", "consumed_at", "amount"], "consumed_at IS NOT NULL"),
    ):
        op.create_index(
            f"ix_reservations_{name}",
            "reservations",
            columns,
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )
    op.create_table(
        "comments",
        _key("request_id"),
        _key("actor"),
        _key("comment_id"),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("schema_version", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", "actor", "comment_id", name="pk_comments"),
    )
    op.create_index("ix_comments_request", "comments", ["request_id", "position"])


def _key(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    by_code_point = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    return sa.Column(name, by_code_point, nullable=nullable)
