"""The fake: a store in memory, for tests; it keeps every promise but to outlive its process."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import dropwhile, islice
from typing import TypeVar

from pydantic import BaseModel, JsonValue

from core.audit import AuditEntry
from core.errors import RequestIdReused, UnknownRequest
from core.governance.outcome import Ending
from core.governance.request import MutationRequest, Status
from core.history import HistoryEntry

from . import documents
from .ending import committed_state, deliveries, require_ending, require_open
from .memory_budgets import Budgets
from .protocol import (
    EXECUTE,
    Ask,
    Comment,
    Conflict,
    Delivery,
    Ended,
    EndingOfPicture,
    Fenced,
    Noted,
    Outdated,
    Queued,
    RequestFilter,
    Reservation,
    Reserved,
    Standing,
    StoredState,
    View,
)
from .turns import Turns
from .waiting import is_compensated, news, tokens

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
    comments: dict[str, dict[tuple[str, str], Comment]] = field(default_factory=dict)


class MemoryStore:
    """A store in memory: dicts under one lock.

    What is given is kept as it would be read back from a database: through its JSON text.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._tables = _Tables()
        self._budgets = Budgets()
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

    def comments(self, request_id: str, *, limit: int = 500) -> Sequence[Comment]:
        """Answer what was said about a request, in the order it was kept."""
        with self._lock:
            return list(self._tables.comments.get(request_id, {}).values())[:limit]

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
                    return self._ended(row.request)
                if fence < row.fence:
                    return Fenced(row.fence)
                if ask in self._tables.asks:
                    return Noted(answer=self._tables.asks[ask], request=row.request)
                if request.decision_number < row.request.decision_number:
                    request = row.request
            if row is None or request is not row.request:
                self._budgets.follow(request)
            self._tables.requests[request.request_id] = _Row(request, fence)
            if ask is not None:
                self._tables.asks[ask] = documents.read_json(documents.write_json(answer))
            self._append(audit)
            if seed is not None:
                self._tables.states.setdefault(seed.state_id, _kept_state(seed))
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
        ask = Ask(request_id=request.request_id, round=request.round, fence=fence, kind=EXECUTE)
        with self._lock:
            row = self._row(request)
            seen = row.fence if row else 0
            if row is not None and row.ended:
                return self._ended(row.request)
            decided = row.request.decision_number if row else 0
            if isinstance(ending, EndingOfPicture) and ending.made_of < decided:
                return Conflict(decided)
            if commit is not None:
                is_answered = row is not None and fence == seen and ask in self._tables.asks
                if fence < seen or is_answered:
                    return Fenced(seen)
                state = self._tables.states.get(commit.state_id)
                version = state.version if state else 0
                if version != commit.expected_version or not self._budgets.has_room(request):
                    return Conflict(version)
            if (committed := committed_state(ending)) is not None:
                self._tables.states[committed.state_id] = _kept_state(committed)
            if commit is not None and commit.history is not None:
                entries = self._tables.history.setdefault(commit.state_id, [])
                entries.append(_kept(commit.history))
            self._append(ending.audit)
            self._tables.outbox.update({each.key: _kept(each) for each in deliveries(ending)})
            self._tables.requests[request.request_id] = _Row(request, max(fence, seen))
            self._budgets.end(ending)
            return self._ended(request)

    def keep(self, ask: Ask, answer: JsonValue) -> JsonValue:
        """Keep the answer of an ask that no picture goes with, and answer the one that stands."""
        with self._lock:
            kept: JsonValue = documents.read_json(documents.write_json(answer))
            return self._tables.asks.setdefault(ask, kept)

    def standings(self, request_ids: Sequence[str]) -> Mapping[str, Standing]:
        """Answer where requests stand, by id; one that is not in the record is left out."""
        with self._lock:
            rows = {each: self._tables.requests.get(each) for each in request_ids}
        return {key: _standing(row.request) for key, row in rows.items() if row is not None}

    def reserve(self, wanted: Reservation) -> Reserved | Queued | Outdated | Ended:
        """Ask for room in budgets, and take it if it is there in all of them.

        Raises:
            UnknownRequest: The request is not in the record.
            InvalidValue: The requirement has its place in another budget.
        """
        with self._lock:
            row = self._known(wanted.request_id)
            if row.ended:
                return self._ended(row.request)
            decided = row.request.decision_number
            if wanted.decision_number is not None and wanted.decision_number < decided:
                return Outdated(decided)
            return self._budgets.reserve(wanted)

    def reserved(self, request_id: str, requirement_id: str) -> bool:
        """Answer whether room is reserved for a requirement, and not consumed or given back."""
        with self._lock:
            return self._budgets.reserved((request_id, requirement_id))

    def queue(self, budget: str, *, limit: int = 100) -> Sequence[str]:
        """Answer the open requests that wait for room in a budget, first come first."""
        with self._lock:
            return self._budgets.queue(budget)[:limit]

    def add_comment(self, comment: Comment, *, most: int) -> int | None:
        """Keep a comment on a request that is in the record, and answer how many it has.

        Raises:
            UnknownRequest: The request is not in the record.
        """
        with self._lock:
            self._known(comment.request_id)
            kept = self._tables.comments.setdefault(comment.request_id, {})
            key = comment.actor_id.lower(), comment.comment_id
            if key not in kept and len(kept) >= most:
                return None
            kept.setdefault(key, _kept(comment))
            return len(kept)

    def told_by(self, tokens: Sequence[str], *, limit: int = 1000) -> Sequence[str]:
        """Answer the open requests that are told by one of the tokens, in the order of asking."""
        with self._lock:
            return self._awaiting(tokens)[:limit]

    def untold(self, *, limit: int = 1000) -> Sequence[str]:
        """Answer open requests that are told by `request:ID` of a request that has ended."""
        with self._lock:
            ended = [f"request:{key}" for key, row in self._tables.requests.items() if row.ended]
            return self._awaiting(ended)[:limit]

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

    def _ended(self, record: MutationRequest) -> Ended:
        return Ended(record, waiters=bool(self._awaiting(news(record))))

    def _awaiting(self, wanted: Iterable[str]) -> list[str]:
        """Answer who is told by one of the tokens."""
        sought = set(wanted)
        found = [
            row
            for row in self._tables.requests.values()
            if not row.ended and not sought.isdisjoint(tokens(row.request))
        ]
        return [row.request.request_id for row in sorted(found, key=lambda row: row.place)]

    def _known(self, request_id: str) -> _Row:
        row = self._tables.requests.get(request_id)
        if row is None:
            raise UnknownRequest(request_id)
        return row

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
    sought = {token.lower() for token in wanted.awaiting}
    return not sought or (not row.ended and not sought.isdisjoint(tokens(request)))


def _standing(request: MutationRequest) -> Standing:
    return Standing(
        request_id=request.request_id,
        status=request.status.value,
        created_at=request.created_at,
        compensated=request.status is Status.EXECUTED and is_compensated(request),
    )


def _in_order(left: Delivery) -> tuple[int, datetime, str, int]:
    return left.version, left.committed_at, left.key.rpartition(":")[0], left.position


def _kept_state(state: StoredState) -> StoredState:
    """Keep a state; its `schema_version` is its author's, and none of the store's."""
    document = documents.read_json(documents.write_json(state.document))
    return state.model_copy(update={"document": document})


def _kept(model: M) -> M:
    return documents.read(type(model), documents.write(model))
