"""`Mutator`: everything a caller can ask of governed state, in one place and one vocabulary."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client

from core.errors import UnknownRequest, UnknownState
from core.governance.request import MutationRequest, Wish
from core.history import HistoryEntry
from store.records import Comment, Records, RequestFilter
from wire.asks import Preview
from wire.messages import RequestResult
from wire.names import TASK_QUEUE
from wire.varying import Vary
from wire.why import WhyBlocked, why_blocked

from . import asking, inbox, reading, submission
from .connect import connect
from .outside import Outside
from .submission import Submitted
from .verbs import Verbs
from .wish import start_of


class Mutator(Verbs):
    """Ask for changes, decide on them, and read what became of them.

    Nothing of Temporal's is raised: every error is a `core.errors.MutatorError`; those of
    `client.errors` say that an answer could not be had, the others are the domain's.

    Args:
        client: Connected with `client.plugin.client_plugin()`.
        records: The read-only side of the store. Without it there is no inbox, list or history,
            and a request is unknown once Temporal has forgotten it.
        task_queue: Where the workers listen.
    """

    def __init__(
        self, client: Client, records: Records | None = None, *, task_queue: str = TASK_QUEUE
    ) -> None:
        """Keep what it reaches; nothing is asked yet."""
        self._outside = Outside(client, records, task_queue)

    @classmethod
    async def connect(cls, records: Records | None = None, *, lazy: bool = False) -> Mutator:
        """Connect as the `TEMPORAL_` variables and settings file say.

        Args:
            lazy: Connect at the first question to the server only.

        Raises:
            InvalidSettings: They cannot be read.
            ServerUnavailable: No server answers.
            ServerRefused: The server does not take the connection.
        """
        return cls(await connect(lazy=lazy), records)

    async def preview(
        self,
        wish: Wish | Mapping[str, Any],
        *,
        at: datetime | None = None,
        vary: Vary | Mapping[str, Any] | None = None,
    ) -> Preview:
        """Answer what a request would do, demand and mean, without making one.

        Args:
            wish: A value, or the fields of the start payload.
            at: The time that policies are told; `None`: now.
            vary: A parameter to try over a range of values, such as
                `{"parameter": "/amount", "first": 10, "last": 100, "step": 10}`; the answer's
                `varied` says where what is demanded changes.

        Raises:
            InvalidParameters: It does not validate.
            WorkerUnavailable: No worker took the question.
        """
        start = start_of(wish)
        return await asking.preview(self._outside, start, at=at or datetime.now(UTC), vary=vary)

    async def submit(
        self,
        wish: Wish | Mapping[str, Any],
        *,
        request_id: str | None = None,
        credential: str | None = None,
    ) -> Submitted:
        """Start a request, once; the same id with the same content joins it.

        Args:
            wish: A value, or the fields of the start payload.
            request_id: The id it is to have, at most 200 characters; `None`: a new one. With an id
                of the caller's own the call may be repeated until it is answered.
            credential: The proof of who asks, where the worker demands one.

        Raises:
            InvalidParameters: The payload does not validate; nothing was sent.
            TooLarge: It exceeds its bound; nothing was sent.
            RequestIdReused: The id belongs to other content; nothing was started.
        """
        start = start_of(wish, request_id=request_id, credential=credential)
        own = isinstance(wish, Mapping) and bool(wish.get("request_id"))
        return await submission.submit(self._outside, start, known_id=request_id is not None or own)

    async def get(self, request_id: str) -> MutationRequest:
        """Answer a request as it is; its record once it has ended.

        Raises:
            UnknownRequest: Neither Temporal nor the store knows it.
        """
        return await reading.get(self._outside, request_id)

    async def assessed(self, request_id: str, *, within: float = 30.0) -> MutationRequest:
        """Answer a request once it has been assessed: what it would do and what it waits for.

        Args:
            within: Seconds to wait.

        Raises:
            NotSettled: It was not assessed in time.
            UnknownRequest: Neither Temporal nor the store knows it.
        """
        return await reading.assessed(self._outside, request_id, within=within)

    def watch(self, request_id: str, *, every: float = 0.5) -> AsyncIterator[MutationRequest]:
        """Yield a request now and whenever it has changed, until it has ended.

        Args:
            every: Seconds between two looks.

        Raises:
            UnknownRequest: Neither Temporal nor the store knows it.
            Unavailable: Nobody answered for a minute.
        """
        return reading.watch(self._outside, request_id, every=every)

    async def result(self, request_id: str, *, within: float | None = None) -> RequestResult:
        """Wait for the end of a request.

        Args:
            within: Seconds to wait; `None`: as long as it takes.

        Raises:
            NotSettled: It has not ended in time.
            UnknownRequest: Neither Temporal nor the store knows it.
            WorkflowGone: Its workflow was stopped and nobody recorded an ending.
        """
        return await reading.result(self._outside, request_id, within=within)

    async def why_blocked(self, request_id: str) -> WhyBlocked:
        """Answer what is unmet, who can meet it, and what is held.

        Raises:
            UnknownRequest: Neither Temporal nor the store knows it.
        """
        return why_blocked(await self.get(request_id))

    async def pending(
        self, actor_id: str, *, credential: str | None = None, limit: int = 50
    ) -> tuple[MutationRequest, ...]:
        """Answer the newest open requests that wait for this actor: their inbox.

        By any of their names, roles or groups. Left out is what they asked for themselves and what
        they have answered on what would be done now.

        Args:
            limit: The most requests to answer.

        Raises:
            UnknownActor: The worker's directory does not know them.
            NoStore: There is no store to look into.
        """
        person = await asking.authenticate(self._outside, actor_id, credential=credential)
        return await self._outside.read(
            "what waits for somebody",
            lambda records: inbox.waiting_for(records, person, limit=limit),
        )

    async def list(
        self, wanted: RequestFilter | None = None, *, limit: int = 50, after: str | None = None
    ) -> Sequence[MutationRequest]:
        """Answer requests, newest first.

        Args:
            wanted: Which ones; `None`: all.
            limit: The most requests to answer.
            after: The last id of the page before.

        Raises:
            NoStore: There is no store to look into.
        """
        return await self._outside.read(
            "which requests there are",
            lambda records: records.requests(wanted or RequestFilter(), limit=limit, after=after),
        )

    async def history(
        self, state_id: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[HistoryEntry]:
        """Answer the history of a state in the order of versions.

        Args:
            after: Only versions beyond this one.
            limit: The most entries to answer.

        Raises:
            UnknownState: The store never saw the state.
            NoStore: There is no store to look into.
        """

        def read(records: Records) -> Sequence[HistoryEntry]:
            if records.state(state_id) is None:
                raise UnknownState(state_id)
            return records.history(state_id, after=after, limit=limit)

        return await self._outside.read("what happened to a state", read)

    async def comments(self, request_id: str, *, limit: int = 500) -> Sequence[Comment]:
        """Answer what was said about a request, in the order in which it was kept.

        Args:
            limit: The most comments to answer.

        Raises:
            UnknownRequest: The store does not know it.
            NoStore: There is no store to look into.
        """

        def read(records: Records) -> Sequence[Comment]:
            if records.request(request_id) is None:
                raise UnknownRequest(request_id)
            return records.comments(request_id, limit=limit)

        return await self._outside.read("what was said about a request", read)

    async def moved_to(self, request: MutationRequest) -> int | None:
        """Answer the version the state is at, where it is not the one the request was assessed on.

        Nothing where it did not move, has ended, or there is no store to compare with.
        """
        if self._outside.records is None or request.snapshot is None or request.status.is_terminal:
            return None
        state = await self._outside.read(
            "where a state is", lambda records: records.state(request.state_id)
        )
        return state.version if state and state.version != request.snapshot.version else None
