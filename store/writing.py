"""The statements that write; nothing else in the store inserts, updates or deletes.

`write_state` alone touches `states`: there is no second way to a new version.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from core.errors import RequestIdReused
from core.governance.request import MutationRequest

from . import documents
from .rows import Row
from .schema import asks, audit, awaiting, endings, history, outbox, requests, states


class _New:
    """Insert a row unless its key is there; the dialects write it alike and build it apart."""

    def __init__(self, table: Table) -> None:
        self._by_dialect = {
            kind.dialect.name: kind.insert(table)
            .on_conflict_do_nothing()
            .inline()
            .execution_options(preserve_rowcount=True)
            for kind in (sqlite, postgresql)
        }

    def __call__(self, connection: Connection, rows: Row | Sequence[Row]) -> int:
        """Answer how many rows are new."""
        return connection.execute(self._by_dialect[connection.dialect.name], rows).rowcount


class Locked(NamedTuple):
    """What the lock on a request's row shows.

    Attributes:
        new: The row was made just now.
    """

    fence: int
    decision_number: int
    ended: bool
    new: bool = False


_LOCK_REQUEST = (
    select(
        requests.c.content_digest, requests.c.fence, requests.c.decision_number, requests.c.ended
    )
    .where(requests.c.request_id == bindparam("request_id"))
    .with_for_update()
)
_LOCK_VERSION = (
    select(states.c.version).where(states.c.state_id == bindparam("state_id")).with_for_update()
)
_RECORD = select(endings.c.document).where(endings.c.request_id == bindparam("request_id"))
_PICTURE = select(requests.c.document).where(requests.c.request_id == bindparam("request_id"))
_ANSWER = select(asks.c.answer).where(
    asks.c.request_id == bindparam("request_id"),
    asks.c.round == bindparam("round"),
    asks.c.fence == bindparam("fence"),
    asks.c.kind == bindparam("kind"),
)
_UPDATE_REQUEST = (
    update(requests)
    .where(requests.c.request_id == bindparam("id_"))
    .values(
        {
            name: bindparam(name)
            for name in ("status", "fence", "decision_number", "ended", "document")
        }
    )
)
_RAISE_FENCE = (
    update(requests)
    .where(requests.c.request_id == bindparam("id_"))
    .values(fence=bindparam("fence"))
)
_UPDATE_STATE = (
    update(states)
    .where(states.c.state_id == bindparam("id_"), states.c.version == bindparam("over"))
    .values(
        {
            name: bindparam(name)
            for name in ("version", "schema_version", "digest", "committed_at", "document")
        }
    )
)
_FORGET_AWAITING = delete(awaiting).where(awaiting.c.request_id == bindparam("request_id"))
_SETTLE = (
    update(outbox)
    .where(outbox.c.key == bindparam("key_"), outbox.c.settled_at.is_(None))
    .values(
        attempts=outbox.c.attempts + 1, settled_at=bindparam("settled_at"), error=bindparam("error")
    )
)
_ADD_ENDING = insert(endings)
_ADD_ANSWER = insert(asks)
_ADD_HISTORY = insert(history)
_ADD_DELIVERIES = insert(outbox)
_new_request = _New(requests)
_new_state = _New(states)
_new_audit = _New(audit)
_new_awaiting = _New(awaiting)


def lock_request(connection: Connection, row: Row) -> Locked:
    """Lock the row of a request, made now if it is not there.

    Raises:
        RequestIdReused: The row belongs to other content.
    """
    key = {"request_id": row["request_id"]}
    found = connection.execute(_LOCK_REQUEST, key).first()
    if found is None:
        if _new_request(connection, row):
            return Locked(fence=0, decision_number=0, ended=False, new=True)
        found = connection.execute(_LOCK_REQUEST, key).one()
    content_digest, *shown = found
    if content_digest != row["content_digest"]:
        raise RequestIdReused(row["request_id"])
    return Locked(*shown)


def standing(connection: Connection, request_id: str, *, ended: bool) -> MutationRequest:
    """Read what stands for a locked request: its record, or its picture."""
    asked = _RECORD if ended else _PICTURE
    text = connection.execute(asked, {"request_id": request_id}).scalar_one()
    return documents.read(MutationRequest, text)


def answer_of(connection: Connection, key: Row) -> str | None:
    """Read the stored answer of an ask; `None` where there is none."""
    text: str | None = connection.execute(_ANSWER, key).scalar()
    return text


def update_request(connection: Connection, picture: Row, *, fence: int) -> None:
    """Replace the picture of a locked request."""
    connection.execute(_UPDATE_REQUEST, {**picture, "fence": fence})


def raise_fence(connection: Connection, request_id: str, fence: int) -> None:
    """Keep the highest fence seen; the picture stays."""
    connection.execute(_RAISE_FENCE, {"id_": request_id, "fence": fence})


def lock_version(connection: Connection, state_id: str) -> int:
    """Lock a state and answer its version; 0 when it was never opened."""
    return connection.execute(_LOCK_VERSION, {"state_id": state_id}).scalar() or 0


def write_state(connection: Connection, row: Row, *, over: int | None) -> bool:
    """Write a state by compare-and-set and answer whether it was written; nothing else writes one.

    Args:
        connection: In a transaction.
        row: The version to write.
        over: The version it replaces, where 0 may also be one that was never written; `None`:
            write it only if there is none.
    """
    if over is None:
        return _new_state(connection, row) == 1
    changed = {**row, "id_": row["state_id"], "over": over}
    del changed["state_id"]
    written = connection.execute(_UPDATE_STATE, changed).rowcount
    if not written and over == 0:
        # Never written; or opened at version 0 a moment ago, and then there is one to replace.
        written = _new_state(connection, row) or connection.execute(_UPDATE_STATE, changed).rowcount
    return written == 1


def add_ending(connection: Connection, row: Row) -> None:
    """Write the record under the request's key; a second one is an error, not an answer."""
    connection.execute(_ADD_ENDING, row)


def add_answer(connection: Connection, row: Row) -> None:
    """Keep the answer of an ask that has none."""
    connection.execute(_ADD_ANSWER, row)


def add_history(connection: Connection, row: Row) -> None:
    """Write the entry of the version just committed."""
    connection.execute(_ADD_HISTORY, row)


def add_audit(connection: Connection, rows: Sequence[Row]) -> None:
    """Append what was tried; one row an execution id, and the first stands."""
    if rows:
        _new_audit(connection, rows)


def add_deliveries(connection: Connection, rows: Sequence[Row]) -> None:
    """Leave the side effects of a commit to be dispatched."""
    if rows:
        connection.execute(_ADD_DELIVERIES, rows)


def settle(
    connection: Connection, key: str, *, settled_at: datetime | None, error: str | None
) -> None:
    """Count an attempt to dispatch; `settled_at` says that it was the last one."""
    at = documents.moment(settled_at) if settled_at else None
    connection.execute(_SETTLE, {"key_": key, "settled_at": at, "error": error})


def await_nobody(connection: Connection, request_id: str) -> None:
    """Take a request out of every inbox."""
    connection.execute(_FORGET_AWAITING, {"request_id": request_id})


def await_them(connection: Connection, rows: Sequence[Row]) -> None:
    """Put a request into the inbox of those it waits for."""
    if rows:
        _new_awaiting(connection, rows)
