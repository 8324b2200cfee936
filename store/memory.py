"""The fake: a store in memory, for tests; it keeps every promise but to outlive its process."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import dropwhile, islice
from typing import TypeVar

from pydantic import BaseModel, JsonValue

from core.audit import AuditEntry
from core.errors import RequestIdReused
from core.governance.outcome import Ending
from core.governance.request import MutationRequest
from core.history import HistoryEntry

from . import documents
from .ending import committed_state, deliveries, require_ending, require_open
from .protocol import (
    Ask,
    Conflict,
    Delivery,
    Ended,
    Fenced,
    Noted,
    RequestFilter,
    StoredState,
    View,
)
from .turns import Turns

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class _Row:
    """A request as it stands: its picture, or its record."""

    request: MutationRequest
    fence: int

    @property
    def ended(self) -> bool:
        return self.request.status.is_terminal

    @property
    def place(self) -> tuple[str, str]:
        return documents.moment(self.request.created_at), self.request.request_id


@dataclass
class _Tables:
    requests: dict[str, _Row] = field(default_factory=dict)
    asks: dict[Ask, JsonValue] = field(default_factory=dict)
    states: dict[str, StoredState] = field(default_factory=dict)
    history: dict[str, list[HistoryEntry]] = field(default_factory=dict)
    audit: dict[str, AuditEntry] = field(default_factory=dict)
    outbox: dict[str, Delivery] = field(default_factory=dict)


class MemoryStore:
    """A store in memory: dicts under one lock.

    What is given is kept as it would be read back from a database: through its JSON text.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._tables = _Tables()
        self._turns = Turns()

    def request(self, request_id: str) -> MutationRequest | None:
        """Answer the picture of a request, or its record once it has ended."""
        with self._lock:
            row = self._tables.requests.get(request_id)
        return row.request if row else None

    def requests(
        self, wanted: RequestFilter, *, limit: int = 50, after: str | None = None
    ) -> Sequence[MutationRequest]:
        """Answer requests, newest first (created_at, then id); `after` is the last id of a page."""
        with self._lock:
            found = sorted(self._tables.requests.values(), key=lambda row: row.place, reverse=True)
            last = self._tables.requests.get(after) if after is not None else None
        if after is not None:
            found = [row for row in found if last is not None and row.place < last.place]
        return [row.request for row in found if _is_wanted(row, wanted)][:limit]

    def state(self, state_id: str) -> StoredState | None:
        """Answer a state as it is now."""
        with self._lock:
            return self._tables.states.get(state_id)

    def states(self, *, limit: int = 200, after: str | None = None) -> Sequence[StoredState]:
        """Answer states in the order of their ids."""
        with self._lock:
            found = sorted(self._tables.states.items())
        return [state for key, state in found if key > (after or "")][:limit]

    def history(self, state_id: str, *, after: int = 0, limit: int = 100) -> Sequence[HistoryEntry]:
        """Answer the history of a state in the order of versions, beyond version `after`."""
        with self._lock:
            found = list(self._tables.history.get(state_id, ()))
        return [entry for entry in found if entry.version > after][:limit]

    def audit(
        self,
        *,
        request_id: str | None = None,
        state_id: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Sequence[AuditEntry]:
        """Answer audit entries in the order written; `after` is the last execution id of a page."""
        with self._lock:
            found = list(self._tables.audit.values())
        if after is not None:
            beyond = dropwhile(lambda entry: entry.execution_id != after, found)
            found = list(islice(beyond, 1, None))
        return [
            entry
            for entry in found
            if request_id in {None, entry.subject.request_id}
            and state_id in {None, entry.subject.state_id}
        ][:limit]

    def close(self) -> None:
        """Give back what is held open: nothing."""

    def view(self, request_id: str, state_id: str) -> View:
        """Read a request's ending and fence, and its state, at one moment."""
        with self._lock:
            row = self._tables.requests.get(request_id)
            state = self._tables.states.get(state_id)
        return View(
            ended=row.request if row and row.ended else None,
            fence=row.fence if row else 0,
            state=state,
        )

    def answered(self, ask: Ask) -> JsonValue:
        """Answer what is stored for an ask, `None` when nothing is."""
        with self._lock:
            return self._tables.asks.get(ask)

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
        """
        require_open(request)
        request = _kept(request)
        with self._lock:
            row = self._row(request)
            if row is not None:
                if row.ended:
                    return Ended(row.request)
                if fence < row.fence:
                    return Fenced(row.fence)
                if ask in self._tables.asks:
                    return Noted(answer=self._tables.asks[ask], request=row.request)
                if request.decision_number < row.request.decision_number:
                    request = row.request
            self._tables.requests[request.request_id] = _Row(request, fence)
            if ask is not None:
                self._tables.asks[ask] = documents.read_json(documents.write_json(answer))
            self._append(audit)
            if seed is not None:
                self._tables.states.setdefault(seed.state_id, _kept(seed))
            return Noted(answer=answer, request=request)

    def end(self, ending: Ending) -> Ended | Fenced | Conflict:
        """Write an ending: the only way a request ends, and the only way a state changes.

        Raises:
            InvalidTransition: It is no ending: not terminal, or not Executed exactly by a commit.
            RequestIdReused: The request's row belongs to other content.
        """
        require_ending(ending)
        request, commit = _kept(ending.request), ending.commit
        fence = ending.fence or 0
        with self._lock:
            row = self._row(request)
            seen = row.fence if row else 0
            if row is not None and row.ended:
                return Ended(row.request)
            if commit is not None:
                if fence < seen:
                    return Fenced(seen)
                state = self._tables.states.get(commit.state_id)
                version = state.version if state else 0
                if version != commit.expected_version:
                    return Conflict(version)
            if (committed := committed_state(ending)) is not None:
                self._tables.states[committed.state_id] = _kept(committed)
            if commit is not None and commit.history is not None:
                entries = self._tables.history.setdefault(commit.state_id, [])
                entries.append(_kept(commit.history))
            self._append(ending.audit)
            self._tables.outbox.update({each.key: _kept(each) for each in deliveries(ending)})
            self._tables.requests[request.request_id] = _Row(request, max(fence, seen))
            return Ended(request)

    def drift(self, state_id: str, after: int, upto: int) -> tuple[str, ...]:
        """Answer the paths that changed in the versions beyond `after` up to `upto`, sorted."""
        with self._lock:
            entries = list(self._tables.history.get(state_id, ()))
        moved = [entry for entry in entries if after < entry.version <= upto]
        return tuple(sorted({path for entry in moved for path in entry.changes.paths}))

    def turn(self, state_id: str) -> AbstractContextManager[None]:
        """Wait for one's turn on a contended state, first come first served in this process."""
        return self._turns.of(state_id)

    def open_requests(
        self, *, limit: int = 1000, after: str | None = None
    ) -> Sequence[MutationRequest]:
        """Answer open requests in the order of their ids."""
        with self._lock:
            found = sorted(self._tables.requests.items())
        return [row.request for key, row in found if key > (after or "") and not row.ended][:limit]

    def ended_among(self, request_ids: Sequence[str]) -> frozenset[str]:
        """Answer which of these requests have ended."""
        with self._lock:
            rows = {each: self._tables.requests.get(each) for each in request_ids}
        return frozenset(key for key, row in rows.items() if row is not None and row.ended)

    def undelivered(self, state_id: str, *, limit: int = 50) -> Sequence[Delivery]:
        """Answer the side effects of a state not yet dispatched, in version order."""
        with self._lock:
            found = [each for each in self._tables.outbox.values() if each.state_id == state_id]
        return sorted(found, key=_in_order)[:limit]

    def delivered(self, key: str, at: datetime) -> None:
        """Record that a side effect was dispatched; a second time changes nothing."""
        with self._lock:
            self._tables.outbox.pop(key, None)

    def not_delivered(self, key: str, error: str, at: datetime, *, final: bool) -> None:
        """Record a failed attempt; a final one is not tried again and is not in the way."""
        with self._lock:
            left = self._tables.outbox.pop(key, None)
            if left is not None and not final:
                tried = left.model_copy(update={"attempts": left.attempts + 1})
                self._tables.outbox[key] = tried

    def undelivered_states(self, *, limit: int = 1000) -> Sequence[str]:
        """Answer the states that have side effects to dispatch."""
        with self._lock:
            found = {each.state_id for each in self._tables.outbox.values()}
        return sorted(found)[:limit]

    def check(self) -> None:
        """Raise nothing: it can always be used."""

    def _row(self, request: MutationRequest) -> _Row | None:
        row = self._tables.requests.get(request.request_id)
        if row is not None and row.request.content_digest != request.content_digest:
            raise RequestIdReused(request.request_id)
        return row

    def _append(self, entries: Iterable[AuditEntry]) -> None:
        for entry in entries:
            self._tables.audit.setdefault(entry.execution_id, _kept(entry))


def _is_wanted(row: _Row, wanted: RequestFilter) -> bool:
    request = row.request
    if wanted.state_id is not None and request.state_id != wanted.state_id:
        return False
    if wanted.requester is not None and (
        request.context.actor_id.lower() != wanted.requester.lower()
    ):
        return False
    if wanted.statuses and request.status.value not in wanted.statuses:
        return False
    if wanted.open_only and row.ended:
        return False
    tokens = {token.lower() for token in wanted.awaiting}
    asked = {token.lower() for token in request.awaiting}
    return not tokens or (not row.ended and not tokens.isdisjoint(asked))


def _in_order(left: Delivery) -> tuple[int, datetime, str, int]:
    return left.version, left.committed_at, left.key.rpartition(":")[0], left.position


def _kept(model: M) -> M:
    return documents.read(type(model), documents.write(model))
