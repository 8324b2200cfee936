"""The statements that write; nothing else in the store inserts, updates or deletes.

`write_state` alone touches `states`: there is no second way to a new version.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from core.errors import RequestIdReused, UnknownRequest
from core.governance.request import MutationRequest

from . import documents
from .database import lock_number
from .rows import Row
from .schema import (
    CONSUMED,
    IDLE,
    RESERVED,
    WAITING,
    asks,
    audit,
    awaiting,
    comments,
    endings,
    history,
    outbox,
    requests,
    reservations,
    states,
)
from .waiting import Claims


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
_LOCK_KNOWN = (
    select(requests.c.ended)
    .where(requests.c.request_id == bindparam("request_id"))
    .with_for_update()
)
_LOCK_BUDGET = text("SELECT pg_advisory_xact_lock(:key)")
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
_RESERVED = select(reservations.c.requirement_id).where(
    reservations.c.request_id == bindparam("request_id"), reservations.c.state == RESERVED
)
_UPDATE_CLAIM = (
    update(reservations)
    .where(
        reservations.c.request_id == bindparam("id_"),
        reservations.c.requirement_id == bindparam("requirement"),
    )
    .values({name: bindparam(name) for name in ("amount", "state", "reserved_at")})
)
_GIVE_BACK = (
    update(reservations)
    .where(
        reservations.c.request_id == bindparam("id_"),
        reservations.c.requirement_id.in_(bindparam("asked", expanding=True)),
        reservations.c.state == RESERVED,
    )
    .values(state=WAITING, reserved_at=None)
)
_REST = (
    update(reservations)
    .where(
        reservations.c.request_id == bindparam("id_"),
        reservations.c.requirement_id.in_(bindparam("idle", expanding=True)),
        reservations.c.state.in_((WAITING, RESERVED)),
    )
    .values(state=IDLE, reserved_at=None)
)
_CONSUME = (
    update(reservations)
    .where(
        reservations.c.request_id == bindparam("id_"),
        reservations.c.requirement_id.in_(bindparam("held", expanding=True)),
    )
    .values(state=CONSUMED, consumed_at=bindparam("consumed_at"))
)
_LEAVE = delete(reservations).where(
    reservations.c.request_id == bindparam("id_"),
    reservations.c.requirement_id.not_in(bindparam("staying", expanding=True)),
)
_ADD_CLAIM = insert(reservations)
_ADD_COMMENT = insert(comments)
_ADD_ENDING = insert(endings)
_ADD_HISTORY = insert(history)
_ADD_DELIVERIES = insert(outbox)
_new_answer = _New(asks)
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


def lock_known(connection: Connection, request_id: str) -> bool:
    """Lock the row of a request that is in the record, and answer whether it has ended.

    Raises:
        UnknownRequest: It is not in the record.
    """
    ended: bool | None = connection.execute(_LOCK_KNOWN, {"request_id": request_id}).scalar()
    if ended is None:
        raise UnknownRequest(request_id)
    return ended


def lock_budget(connection: Connection, budget: str) -> None:
    """Lock a budget until the end of the transaction; on SQLite nobody else writes anyway.

    Whoever asks for room takes it, before anything is read. Whoever only gives room back or
    consumes it does not: what was reserved counts until then, and then as what it has become.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK_BUDGET, {"key": lock_number(f"mutator/budget/{budget}")})


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


def add_answer(connection: Connection, row: Row) -> bool:
    """Keep the answer of an ask unless it has one; answer whether this one stands."""
    return _new_answer(connection, row) == 1


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


def reserved_by(connection: Connection, request_id: str) -> frozenset[str]:
    """Answer for which requirements of a locked request room is reserved."""
    return frozenset(connection.execute(_RESERVED, {"request_id": request_id}).scalars())


def add_claim(connection: Connection, row: Row) -> None:
    """Take a place in the queue of a locked budget, or room at once."""
    connection.execute(_ADD_CLAIM, row)


def update_claim(connection: Connection, row: Row) -> None:
    """Say how much a claim is for now, and whether it has room; its place stays."""
    changed = {name: row[name] for name in ("amount", "state", "reserved_at")}
    keys = {"id_": row["request_id"], "requirement": row["requirement_id"]}
    connection.execute(_UPDATE_CLAIM, {**changed, **keys})


def follow(connection: Connection, request_id: str, claims: Claims) -> None:
    """Give back what a locked request has and its picture does not claim; let rest what is idle."""
    leave(connection, request_id, staying=claims.demanded)
    if claims.asked:
        connection.execute(_GIVE_BACK, {"id_": request_id, "asked": claims.asked})
    if claims.idle:
        connection.execute(_REST, {"id_": request_id, "idle": claims.idle})


def consume(
    connection: Connection, request_id: str, held: Collection[str], *, consumed_at: str
) -> None:
    """Let what a commit has reserved count for ever, at the time of the commit."""
    found = {"id_": request_id, "held": tuple(held), "consumed_at": consumed_at}
    connection.execute(_CONSUME, found)


def leave(connection: Connection, request_id: str, *, staying: Collection[str] = ()) -> None:
    """Give back what a locked request has, and its places, but for some requirements."""
    connection.execute(_LEAVE, {"id_": request_id, "staying": tuple(staying)})


def add_comment(connection: Connection, row: Row) -> None:
    """Keep what somebody says about a locked request."""
    connection.execute(_ADD_COMMENT, row)
