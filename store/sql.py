"""The store of record on SQLite or PostgreSQL, by synchronous SQLAlchemy Core.

Idempotent by construction: whatever is asked twice, at once, or late is answered by what the row of
the request, locked first, already says.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from itertools import zip_longest
from typing import Any

from pydantic import JsonValue
from sqlalchemy import Row, bindparam, literal_column, select, true

from core.audit import AuditEntry
from core.errors import StoreOutdated, StoreUnavailable
from core.governance.outcome import Ending
from core.governance.request import MutationRequest

from . import awaited, budgets, documents, outbox, transactions, writing
from .database import Database
from .ending import require_ending, require_open
from .protocol import (
    Ask,
    Comment,
    Conflict,
    Delivery,
    Ended,
    Fenced,
    Noted,
    Outdated,
    Queued,
    Reservation,
    Reserved,
    Standing,
    StoredState,
    View,
)
from .reading import SqlRecords, stored_state
from .schema import RESERVED, endings, history, requests, states
from .turns import Turns
from .waiting import news

log = logging.getLogger("mutator.store")

_ONE = select(literal_column("1").label("one")).subquery()
_VIEW = select(endings.c.document.label("record"), requests.c.fence, states).select_from(
    _ONE.outerjoin(requests, requests.c.request_id == bindparam("request_id"))
    .outerjoin(endings, endings.c.request_id == requests.c.request_id)
    .outerjoin(states, states.c.state_id == bindparam("key_"))
)
_PATHS = select(history.c.paths).where(
    history.c.state_id == bindparam("state_id"),
    history.c.version > bindparam("after"),
    history.c.version <= bindparam("upto"),
)
_OPEN = (
    select(requests.c.request_id, requests.c.document)
    .where(~requests.c.ended, requests.c.request_id > bindparam("after"))
    .order_by(requests.c.request_id)
    .limit(bindparam("limit"))
)
_ENDED = select(requests.c.request_id).where(
    requests.c.ended == true(), requests.c.request_id.in_(bindparam("some", expanding=True))
)
_AT_ONCE = 500
"""Ids in one question; databases bound the number of parameters."""


class SqlStore(SqlRecords):
    """A store on SQLite or PostgreSQL.

    Args:
        database: Where the records are; its schema is this version's.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._turns = Turns(None if database.is_sqlite else database)

    def view(self, request_id: str, state_id: str) -> View:
        """Read a request's ending and fence, and its state, at one moment."""
        row = self._first(_VIEW, request_id=request_id, key_=state_id)
        assert row is not None  # noqa: S101 - it hangs on a row of one
        return View(
            ended=documents.read(MutationRequest, row.record) if row.record else None,
            fence=row.fence or 0,
            state=stored_state(row) if row.state_id else None,
        )

    def answered(self, ask: Ask) -> JsonValue:
        """Answer what is stored for an ask, `None` when nothing is."""
        text = self._database.read(lambda at: writing.answer_of(at, ask.model_dump()))
        found: JsonValue = documents.read_json(text) if text else None
        return found

    def note(
        self,
        request: MutationRequest,
        *,
        fence: int,
        ask: Ask | None = None,
        answer: JsonValue = None,
        audit: Sequence[AuditEntry] = (),
        seed: StoredState | None = None,
    ) -> Noted | Ended | Fenced:
        """Keep the picture of an open request true, and the answer of an ask with it.

        Raises:
            InvalidTransition: The picture claims to have ended; only `end` ends a request.
            RequestIdReused: The row belongs to other content.
            StoreUnavailable: Nothing was written.
        """
        require_open(request)
        noted = self._database.write(
            transactions.noting(
                request, fence=fence, ask=ask, answer=answer, audit=audit, seed=seed
            )
        )
        return self._ended(noted) if isinstance(noted, Ended) else noted

    def end(self, ending: Ending) -> Ended | Fenced | Conflict:
        """Write an ending: the only way a request ends, and the only way a state changes.

        Raises:
            InvalidTransition: It is no ending: not terminal, or not Executed exactly by a commit.
            RequestIdReused: The request's row belongs to other content.
            StoreUnavailable: Nothing was written.
        """
        require_ending(ending)
        answer = self._database.write(transactions.ending(ending))
        return self._ended(answer) if isinstance(answer, Ended) else answer

    def keep(self, ask: Ask, answer: JsonValue) -> JsonValue:
        """Keep the answer of an ask that no picture goes with, and answer the one that stands."""
        return self._database.write(transactions.keeping(ask, answer))

    def standings(self, request_ids: Sequence[str]) -> Mapping[str, Standing]:
        """Answer where requests stand, by id; one that is not in the record is left out."""
        found = self._of_each(awaited.STANDINGS, request_ids)
        return {row.request_id: awaited.standing(row) for row in found}

    def reserve(self, wanted: Reservation) -> Reserved | Queued | Outdated | Ended:
        """Ask for room in budgets, and take it if it is there in all of them.

        Raises:
            UnknownRequest: The request is not in the record.
            InvalidValue: The requirement has its place in another budget.
            StoreUnavailable: Nothing was written.
        """
        answer = self._database.write(budgets.reserving(wanted))
        return self._ended(answer) if isinstance(answer, Ended) else answer

    def reserved(self, request_id: str, requirement_id: str) -> bool:
        """Answer whether room is reserved for a requirement, and not consumed or given back."""
        claim = self._first(budgets.CLAIM, request_id=request_id, requirement_id=requirement_id)
        return claim is not None and claim.state == RESERVED

    def queue(self, budget: str, *, limit: int = 100) -> Sequence[str]:
        """Answer the open requests that wait for room in a budget, first come first."""
        return [row.request_id for row in self._all(budgets.QUEUE, budget=budget, limit=limit)]

    def add_comment(self, comment: Comment, *, most: int) -> int | None:
        """Keep a comment on a request that is in the record, and answer how many it has.

        Raises:
            UnknownRequest: The request is not in the record.
            StoreUnavailable: Nothing was written.
        """
        return self._database.write(transactions.commenting(comment, most=most))

    def told_by(self, tokens: Sequence[str], *, limit: int = 1000) -> Sequence[str]:
        """Answer the open requests that are told by one of the tokens, in the order of asking."""
        found = self._of_each(awaited.TOLD_BY, tokens, limit=limit)
        places = sorted({(row.created_at, row.request_id) for row in found})
        return [request_id for _, request_id in places[:limit]]

    def untold(self, *, limit: int = 1000) -> Sequence[str]:
        """Answer open requests that are told by `request:ID` of a request that has ended."""
        return [row.request_id for row in self._all(awaited.UNTOLD, limit=limit)]

    def drift(self, state_id: str, after: int, upto: int) -> tuple[str, ...]:
        """Answer the paths that changed in the versions beyond `after` up to `upto`, sorted."""
        found = self._all(_PATHS, state_id=state_id, after=after, upto=upto)
        return tuple(sorted({path for row in found for path in documents.read_json(row.paths)}))

    def turn(self, state_id: str) -> AbstractContextManager[None]:
        """Wait for one's turn on a contended state, first come first served.

        In this process, and on PostgreSQL across processes. It is fairness only: whoever waits
        longer than `turns.PATIENCE` goes on without.
        """
        return self._turns.of(state_id)

    def open_requests(
        self, *, limit: int = 1000, after: str | None = None
    ) -> Sequence[MutationRequest]:
        """Answer open requests in the order of their ids, without those it cannot read.

        These are logged. A page may be shorter for it; none is empty before the last.
        """
        found: list[MutationRequest] = []
        last = after or ""
        while not found and (rows := self._all(_OPEN, after=last, limit=limit)):
            found = [each for each in map(_readable, rows) if each is not None]
            last = rows[-1].request_id
        return found

    def ended_among(self, request_ids: Sequence[str]) -> frozenset[str]:
        """Answer which of these requests have ended."""
        return frozenset(row.request_id for row in self._of_each(_ENDED, request_ids))

    def undelivered(self, state_id: str, *, limit: int = 50) -> Sequence[Delivery]:
        """Answer the side effects of a state not yet dispatched, in version order."""
        found = self._all(outbox.UNDELIVERED, state_id=state_id, limit=limit)
        return [outbox.delivery(row) for row in found]

    def delivered(self, key: str, at: datetime) -> None:
        """Record that a side effect was dispatched; a second time changes nothing."""
        self._database.write(lambda on, _: writing.settle(on, key, settled_at=at, error=None))

    def not_delivered(self, key: str, error: str, at: datetime, *, final: bool) -> None:
        """Record a failed attempt; a final one is not tried again and is not in the way."""
        settled_at = at if final else None
        self._database.write(
            lambda on, _: writing.settle(on, key, settled_at=settled_at, error=error)
        )

    def undelivered_states(self, *, limit: int = 1000) -> Sequence[str]:
        """Answer the states that have side effects to dispatch."""
        return [row.state_id for row in self._all(outbox.UNDELIVERED_STATES, limit=limit)]

    def _ended(self, answer: Ended) -> Ended:
        """Say whether others wait for an ending, asked after its transaction.

        Whoever registers and then looks either stands there by now, or has found the ending.
        """
        told = news(answer.request)
        try:
            waiters = any(
                self._first(awaited.ANYBODY, one=one, other=other)
                for one, other in zip_longest(told[::2], told[1::2])
            )
        except StoreUnavailable:
            waiters = True  # the ending is written; whoever is woken for nothing looks once more
        return replace(answer, waiters=waiters)

    def _of_each(self, asked: Any, keys: Sequence[str], **given: Any) -> Sequence[Row[Any]]:
        """Ask the same about many keys, as many at once as a database takes."""
        found: list[Row[Any]] = []
        for first in range(0, len(keys), _AT_ONCE):
            found += self._all(asked, some=list(keys[first : first + _AT_ONCE]), **given)
        return found


def _readable(row: Row[Any]) -> MutationRequest | None:
    try:
        return documents.read(MutationRequest, row.document)
    except StoreOutdated as error:
        log.error("Request %r is left out: %s", row.request_id, error.message)  # noqa: TRY400 - the message says it
        return None
