"""What every store of record promises; `tests/store/contract.py` holds each one to it.

The store decides. A request has one ending, a row keyed by its id; the first ending written wins.
Every method is one transaction. Drivers' errors never leave: what cannot be reached raises
`StoreUnavailable`, and then nothing was written; only where a connection broke during the commit
itself is that unknown, and asking again tells. What a database cannot hold (half a character, a
number without end) raises `InvalidValue`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import JsonValue

from core.audit import AuditEntry
from core.effects import SideEffect
from core.governance.outcome import Ending
from core.governance.request import MutationRequest
from core.history import HistoryEntry
from core.model import Value


class StoredState(Value):
    """One version of a state; version 0 is the initial value, kept so that it never changes."""

    state_id: str
    version: int
    document: JsonValue
    schema_version: int
    digest: str
    committed_at: datetime | None = None


class Ask(Value):
    """The key of one question: whoever repeats it gets the stored answer."""

    request_id: str
    round: int
    fence: int
    kind: str


@dataclass(frozen=True, slots=True)
class View:
    """What one consistent read of a request and its state found.

    Attributes:
        ended: The request's record when it has ended.
        fence: The highest fence seen for it; 0 before the first.
        state: The state as it is; `None` when it was never opened.
    """

    ended: MutationRequest | None
    fence: int
    state: StoredState | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The request has ended: this is its record, whoever wrote it."""

    request: MutationRequest


@dataclass(frozen=True, slots=True)
class Fenced:
    """A later ask has been made; this one changes nothing any more."""

    fence: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody committed first: the state is not at the version the commit was made for."""

    current: int


@dataclass(frozen=True, slots=True)
class Noted:
    """The picture is kept; `answer` is the stored answer of the ask, perhaps another's."""

    answer: JsonValue
    request: MutationRequest


class Delivery(Value):
    """One side effect waiting to be dispatched."""

    key: str
    position: int
    state_id: str
    version: int
    request_id: str
    effect: SideEffect
    committed_at: datetime
    attempts: int = 0


class RequestFilter(Value):
    """Which requests are wanted; every field given narrows.

    Attributes:
        requester: Who asked; upper and lower case are the same.
        awaiting: Tokens such as `user:ana`; an open request waits for at least one of them.
        open_only: Only requests that have not ended.
    """

    state_id: str | None = None
    requester: str | None = None
    statuses: tuple[str, ...] = ()
    awaiting: tuple[str, ...] = ()
    open_only: bool = False


class Records(Protocol):
    """The read-only side: what client and console may ask of the store."""

    def request(self, request_id: str) -> MutationRequest | None:
        """Answer the picture of a request, or its record once it has ended."""

    def requests(
        self, wanted: RequestFilter, *, limit: int = 50, after: str | None = None
    ) -> Sequence[MutationRequest]:
        """Answer requests, newest first (created_at, then id); `after` is the last id of a page.

        Nothing comes after an id that nobody knows.
        """

    def state(self, state_id: str) -> StoredState | None:
        """Answer a state as it is now."""

    def states(self, *, limit: int = 200, after: str | None = None) -> Sequence[StoredState]:
        """Answer states in the order of their ids."""

    def history(self, state_id: str, *, after: int = 0, limit: int = 100) -> Sequence[HistoryEntry]:
        """Answer the history of a state in the order of versions, beyond version `after`."""

    def audit(
        self,
        *,
        request_id: str | None = None,
        state_id: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Sequence[AuditEntry]:
        """Answer audit entries in the order they were written.

        `after` is the last execution id of a page; nothing comes after an id that nobody knows.
        """

    def close(self) -> None:
        """Give back what is held open."""


class Store(Records, Protocol):
    """The store of record. Synchronous and safe to call from many threads."""

    def view(self, request_id: str, state_id: str) -> View:
        """Read a request's ending and fence, and its state, in one transaction."""

    def answered(self, ask: Ask) -> JsonValue:
        """Answer what is stored for an ask, `None` when nothing is."""

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

        Locks the request's row (making it at the first note). An ended request answers `Ended`
        (its row belongs to one content all the same, so its id is never free again);
        a fence lower than the row's answers `Fenced`; an ask that has an answer answers that one
        and changes nothing. Otherwise the fence is raised, the answer kept, the audit entries
        appended (one an execution id), the picture replaced unless the row's decision number is
        higher, and `seed` (version 0) written unless the state exists.

        Raises:
            InvalidTransition: The picture claims to have ended; only `end` ends a request.
            RequestIdReused: The row belongs to other content.
            StoreUnavailable: Nothing was written.
        """

    def end(self, ending: Ending) -> Ended | Fenced | Conflict:
        """Write an ending: the only way a request ends, and the only way a state changes.

        In one transaction, locks in the order request, state: an ended request answers its
        record; a commit whose fence is lower than the row's answers `Fenced`; a commit for another
        version than the present one answers `Conflict`; in each of these nothing is written.
        Otherwise state, history, audit, outbox, the ending's row, the picture and the fence change
        together. A commit without a fence counts as fence 0; on a state never opened it is for
        version 0. A commit that changed nothing writes no version, but its side effects. Who makes
        the ending has read the version it commits on, and with it the time of that commit:
        `executed_at` is not before it.

        Raises:
            InvalidTransition: It is no ending: not terminal, or not Executed exactly by a commit.
            RequestIdReused: The row belongs to other content.
            StoreUnavailable: Nothing was written.
        """

    def drift(self, state_id: str, after: int, upto: int) -> tuple[str, ...]:
        """Answer the paths that changed in the versions beyond `after` up to `upto`, sorted."""

    def turn(self, state_id: str) -> AbstractContextManager[None]:
        """Wait for one's turn on a contended state, first come first served.

        Across processes where the database has a queue for that, else in this process. It is
        fairness only: whoever waits for long goes on without, and nothing is raised. Safety is the
        compare-and-set of `end`.
        """

    def open_requests(
        self, *, limit: int = 1000, after: str | None = None
    ) -> Sequence[MutationRequest]:
        """Answer open requests in the order of their ids."""

    def ended_among(self, request_ids: Sequence[str]) -> frozenset[str]:
        """Answer which of these requests have ended."""

    def undelivered(self, state_id: str, *, limit: int = 50) -> Sequence[Delivery]:
        """Answer the side effects of a state not yet dispatched, in the order of their commits."""

    def delivered(self, key: str, at: datetime) -> None:
        """Record that a side effect was dispatched; a second time changes nothing."""

    def not_delivered(self, key: str, error: str, at: datetime, *, final: bool) -> None:
        """Record a failed attempt; a final one is not tried again and is not in the way."""

    def undelivered_states(self, *, limit: int = 1000) -> Sequence[str]:
        """Answer the states that have side effects to dispatch."""

    def check(self) -> None:
        """Raise `StoreUnavailable` or `StoreOutdated` unless the store can be used."""
