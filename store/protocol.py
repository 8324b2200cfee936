"""What every store of record promises; `tests/store/contract.py` holds each one to it.

The store decides. A request has one ending, a row keyed by its id; the first ending written wins.
Every method is one transaction. Drivers' errors never leave: what cannot be reached raises
`StoreUnavailable`, and then nothing was written; only where a connection broke during the commit
itself is that unknown, and asking again tells. What a database cannot hold (half a character, a
number without end) raises `InvalidValue`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from pydantic import Field, JsonValue

from core.audit import AuditEntry
from core.budgets import Use
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


EXECUTE: Final = "execute"
"""The kind of an ask that may commit; once it has an answer it commits nothing any more."""


class Ask(Value):
    """The key of one question: whoever repeats it gets the stored answer."""

    request_id: str
    round: int
    fence: int
    kind: str


class EndingOfPicture(Ending):
    """An ending made of what the store shows, by somebody who is not the request's workflow.

    Attributes:
        made_of: The decision number of the picture. Where the row has a higher one, the ending
            would leave decisions out.
    """

    made_of: int


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
    """The request has ended: this is its record, whoever wrote it.

    Attributes:
        waiters: Whether open requests wait for what this ending changes (`MutationRequest.told_by`:
            `request:ID` of the ended one; `state:ID` where a version was committed; `budget:KEY`
            where it asked for room). Asked after the ending's transaction, by whoever answers that
            it has ended: whoever registers and then looks has either been seen, or sees the ending.
            Where it cannot be said any more it is true.
    """

    request: MutationRequest
    waiters: bool = False


@dataclass(frozen=True, slots=True)
class Fenced:
    """A later ask has been made, or this one was answered; it changes nothing any more."""

    fence: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody wrote first.

    Attributes:
        current: The version the state is at, which is not the one the commit was made for; or the
            decision number the request is at, beyond the picture its ending was made of.
    """

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


class Standing(Value):
    """Where a request stands that others depend on.

    Attributes:
        compensated: Whether what it executed has been undone since.
    """

    request_id: str
    status: str
    created_at: datetime
    compensated: bool = False


class Reservation(Value):
    """Somebody asks for room in a budget, and in others where it needs room as well.

    Attributes:
        requirement_id: Which requirement of the request; it asks in one budget only.
        budget: The key of the budget.
        amount: How much is wanted.
        limit: How much may be committed and reserved in the window.
        since: Where the window begins: what was committed then or before counts no more.
        at: The time of asking.
        until: When the window is a new one, in which what is committed now counts no more; `None`:
            whoever asks later may never pass.
        slides: How long the window is, where it slides.
        decision_number: That of the picture it is asked by; `None`: whatever it is now.
        beside: What the same request needs as well: all have room, or none takes any. What they say
            of decisions and of others beside them is not read.
    """

    request_id: str
    requirement_id: str
    budget: str
    amount: int = Field(ge=1, le=10**15)
    limit: int = Field(ge=0, le=10**15)
    since: datetime
    at: datetime
    until: datetime | None = None
    slides: timedelta | None = None
    decision_number: int | None = None
    beside: tuple[Reservation, ...] = ()

    @property
    def all(self) -> tuple[Reservation, ...]:
        """Answer all that is asked for at once: itself, and what is beside it."""
        return (self, *self.beside)


@dataclass(frozen=True, slots=True)
class Reserved:
    """There is room, and it is kept until the request ends or gives it back."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Queued:
    """There is no room now; the request waits at its place, by when it asked first.

    Attributes:
        use: What the budget is used for. Of very many commits in the window the later ones are
            one, at the time of the first of them or before, so that no reckoning is too late.
        beside: What the budgets are used for where something beside it has no room, by the id of
            the requirement.
    """

    use: Use
    beside: tuple[tuple[str, Use], ...] = ()


@dataclass(frozen=True, slots=True)
class Outdated:
    """The request has decided more since it was asked for; nothing is changed."""

    decision_number: int


class Comment(Value):
    """What somebody says about a request; it decides nothing.

    Attributes:
        comment_id: The sender's id for it; the key is (request, actor in lower case, comment id).
    """

    request_id: str
    comment_id: str
    actor_id: str
    text: str
    at: datetime


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

    def comments(self, request_id: str, *, limit: int = 500) -> Sequence[Comment]:
        """Answer what was said about a request, in the order it was kept."""

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
        higher, and `seed` (version 0) written unless the state exists. Whose inbox it is in
        (`awaiting`) and what it is told by (`told_by`, in its own upper and lower case) follow the
        picture; so does what it has reserved: what belongs to no quota requirement of the picture
        is given back and its place lost, what belongs to one that does not hold is given back and
        keeps its place. There it waits where the requirement is open. Where it is not open, what
        was reserved or waited is idle: nobody counts it, no queue has it, until it asks again
        (`reserve`), whatever later pictures say. Nobody is told of that: whoever waits behind
        looks again by itself. A picture that never demanded quota says nothing about reservations.

        Raises:
            InvalidTransition: The picture claims to have ended; only `end` ends a request.
            RequestIdReused: The row belongs to other content.
            StoreUnavailable: Nothing was written.
        """

    def end(self, ending: Ending) -> Ended | Fenced | Conflict:
        """Write an ending: the only way a request ends, and the only way a state changes.

        In one transaction, locks in the order request, state: an ended request answers its
        record; an `EndingOfPicture` made of a lower decision number than the row's answers
        `Conflict`; a commit whose fence is lower than the row's answers `Fenced`, and so does one
        whose own ask (the request's round, its fence, `EXECUTE`) was answered by a `note`; a commit
        for another version than the present one answers `Conflict`; in each of these nothing is
        written. Otherwise state, history, audit, outbox, the ending's row, the picture and the
        fence change together. A commit without a fence counts as fence 0; on a state never opened
        it is for version 0. A commit that changed nothing writes no version, but its side effects.
        Who makes the ending has read the version it commits on, and with it the time of that
        commit: `executed_at` is not before it. What the request has reserved is consumed by a
        commit, at `executed_at`, and given back by any other ending, exactly once; a commit whose
        quota requirements hold while no room is reserved for one of them answers `Conflict`.

        Raises:
            InvalidTransition: It is no ending: not terminal, or not Executed exactly by a commit.
            RequestIdReused: The row belongs to other content.
            StoreUnavailable: Nothing was written.
        """

    def keep(self, ask: Ask, answer: JsonValue) -> JsonValue:
        """Keep the answer of an ask that no picture goes with, and answer the one that stands.

        It is `answered` like any other; the first one kept stands, whoever asked.
        """

    def standings(self, request_ids: Sequence[str]) -> Mapping[str, Standing]:
        """Answer where requests stand, by id; one that is not in the record is left out."""

    def reserve(self, wanted: Reservation) -> Reserved | Queued | Outdated | Ended:
        """Ask for room in budgets, and take it if it is there in all of them.

        In one transaction, locks in the order request, budgets by key. A request that has ended
        answers `Ended`; one whose row has a higher decision number `Outdated`; one that has room
        reserved for all that is wanted answers `Reserved` again. There is
        room when what was committed after `since`, what others have reserved, what is wanted by
        those who asked earlier and still wait, and the amount together do not exceed the limit.
        Whoever asks first takes a place, and keeps it whatever the amount or limit is later; who
        was idle there (`note`) waits there again, and counts again for all who asked later.

        Where one of several has no room, none has: what was reserved for them is given back, and
        keeps its place. Nobody is told of that, as in `note`. Where it lets others pass
        (`core.budgets.lets_pass`) it is idle. Who asks for something that has no place yet asks
        anew, and goes behind in every budget in which the request has one: so any two stand in the
        same order wherever they meet, and nobody waits for whom it is waited for by.

        Raises:
            UnknownRequest: The request is not in the record; note it first.
            InvalidValue: The requirement has its place in another budget.
            StoreUnavailable: Nothing was written.
        """

    def reserved(self, request_id: str, requirement_id: str) -> bool:
        """Answer whether room is reserved for a requirement, and not consumed or given back."""

    def queue(self, budget: str, *, limit: int = 100) -> Sequence[str]:
        """Answer the open requests that wait for room in a budget, first come first.

        Not those that are idle.
        """

    def add_comment(self, comment: Comment, *, most: int) -> int | None:
        """Keep a comment on a request that is in the record, and answer how many it has.

        The same comment again is kept once, as it was first; one more than `most` is not kept:
        `None`. Whether the request has ended is not asked.

        Raises:
            UnknownRequest: The request is not in the record.
            StoreUnavailable: Nothing was written.
        """

    def told_by(self, tokens: Sequence[str], *, limit: int = 1000) -> Sequence[str]:
        """Answer the open requests that are told by one of the tokens, in the order of asking."""

    def untold(self, *, limit: int = 1000) -> Sequence[str]:
        """Answer open requests that are told by `request:ID` of a request that has ended.

        Those that nobody has woken, or who have not looked since; the reconciler wakes them. One
        that looked and still waits, for another request as well, is among them.
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
        """Answer open requests in the order of their ids.

        One that this version cannot read is left out and logged.
        """

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
