"""The read side on a database: each answer is one statement, so it is one moment's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, func, literal, select

from core.audit import AuditEntry
from core.governance.request import MutationRequest
from core.history import HistoryEntry

from . import documents, schema
from .database import Database
from .listing import page_of
from .protocol import Comment, RequestFilter, StoredState
from .revision import check_revision

record = func.coalesce(schema.endings.c.document, schema.requests.c.document)
"""The record of a request that has ended, else its picture."""

_with_endings = schema.requests.outerjoin(
    schema.endings, schema.endings.c.request_id == schema.requests.c.request_id
)
_REQUEST = (
    select(record)
    .select_from(_with_endings)
    .where(schema.requests.c.request_id == bindparam("request_id"))
)
_STATE = select(schema.states).where(schema.states.c.state_id == bindparam("state_id"))
_STATES = (
    select(schema.states)
    .where(schema.states.c.state_id > bindparam("after"))
    .order_by(schema.states.c.state_id)
    .limit(bindparam("limit"))
)
_HISTORY = (
    select(schema.history.c.document)
    .where(
        schema.history.c.state_id == bindparam("state_id"),
        schema.history.c.version > bindparam("after"),
    )
    .order_by(schema.history.c.version)
    .limit(bindparam("limit"))
)
_AUDIT = select(schema.audit.c.document).order_by(schema.audit.c.position).limit(bindparam("limit"))

_COMMENTS = (
    select(schema.comments.c.document)
    .where(schema.comments.c.request_id == bindparam("request_id"))
    .order_by(schema.comments.c.position)
    .limit(bindparam("limit"))
)


class SqlRecords:
    """The read-only side of a store on SQLite or PostgreSQL.

    Args:
        database: Where the records are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def request(self, request_id: str) -> MutationRequest | None:
        """Answer the picture of a request, or its record once it has ended."""
        found = self._first(_REQUEST, request_id=request_id)
        return documents.read(MutationRequest, found[0]) if found else None

    def requests(
        self, wanted: RequestFilter, *, limit: int = 50, after: str | None = None
    ) -> Sequence[MutationRequest]:
        """Answer requests, newest first (created_at, then id); `after` is the last id of a page."""
        found = self._all(page_of(wanted, record, limit=limit, after=after))
        return [documents.read(MutationRequest, row[0]) for row in found]

    def state(self, state_id: str) -> StoredState | None:
        """Answer a state as it is now."""
        found = self._first(_STATE, state_id=state_id)
        return stored_state(found) if found else None

    def states(self, *, limit: int = 200, after: str | None = None) -> Sequence[StoredState]:
        """Answer states in the order of their ids."""
        return [stored_state(row) for row in self._all(_STATES, after=after or "", limit=limit)]

    def history(self, state_id: str, *, after: int = 0, limit: int = 100) -> Sequence[HistoryEntry]:
        """Answer the history of a state in the order of versions, beyond version `after`."""
        found = self._all(_HISTORY, state_id=state_id, after=after, limit=limit)
        return [documents.read(HistoryEntry, row[0]) for row in found]

    def audit(
        self,
        *,
        request_id: str | None = None,
        state_id: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Sequence[AuditEntry]:
        """Answer audit entries in the order written; `after` is the last execution id of a page."""
        asked = _AUDIT
        if request_id is not None:
            asked = asked.where(schema.audit.c.request_id == literal(request_id))
        if state_id is not None:
            asked = asked.where(schema.audit.c.state_id == literal(state_id))
        if after is not None:
            last = schema.audit.alias()
            position = select(last.c.position).where(last.c.execution_id == literal(after))
            asked = asked.where(schema.audit.c.position > position.scalar_subquery())
        return [documents.read(AuditEntry, row[0]) for row in self._all(asked, limit=limit)]

    def comments(self, request_id: str, *, limit: int = 500) -> Sequence[Comment]:
        """Answer what was said about a request, in the order it was kept."""
        found = self._all(_COMMENTS, request_id=request_id, limit=limit)
        return [documents.read(Comment, row[0]) for row in found]

    def check(self) -> None:
        """Raise `StoreUnavailable` or `StoreOutdated` unless the store can be used."""
        self._database.read(lambda connection: check_revision(connection, self._database.name))

    def close(self) -> None:
        """Give back what is held open."""
        self._database.close()

    def _first(self, asked: Any, **given: Any) -> Row[Any] | None:
        return self._database.read(lambda connection: connection.execute(asked, given).first())

    def _all(self, asked: Any, **given: Any) -> Sequence[Row[Any]]:
        return self._database.read(lambda connection: connection.execute(asked, given).all())


def stored_state(row: Any) -> StoredState:
    """Read a row of `states`."""
    return StoredState.model_construct(
        state_id=row.state_id,
        version=row.version,
        document=documents.read_json(row.document),
        schema_version=row.schema_version,
        digest=row.digest,
        committed_at=documents.read_moment(row.committed_at) if row.committed_at else None,
    )
