"""What is left to dispatch of a database's outbox."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from core.effects import SideEffect

from . import documents
from .protocol import Delivery
from .schema import outbox

_LEFT = outbox.c.settled_at.is_(None)

UNDELIVERED = (
    select(outbox)
    .where(outbox.c.state_id == bindparam("state_id"), _LEFT)
    # A version without a change of its own shares its number with the one before it.
    .order_by(outbox.c.version, outbox.c.committed_at, outbox.c.execution_id, outbox.c.position)
    .limit(bindparam("limit"))
)

UNDELIVERED_STATES = (
    select(outbox.c.state_id)
    .where(_LEFT)
    .distinct()
    .order_by(outbox.c.state_id)
    .limit(bindparam("limit"))
)


def delivery(row: Any) -> Delivery:
    """Read a row of the outbox."""
    return Delivery(
        key=row.key,
        position=row.position,
        state_id=row.state_id,
        version=row.version,
        request_id=row.request_id,
        effect=documents.read(SideEffect, row.document),
        committed_at=documents.read_moment(row.committed_at),
        attempts=row.attempts,
    )
