"""What the scenes are played on: people act through `client.Mutator`, and what comes is checked."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from client import Mutator, Unavailable, payload_of
from core import Mutation
from core.errors import DecisionRefused
from core.governance.request import MutationRequest, PendingReason, Status
from core.requirements import BY_PEOPLE, RequirementKind
from wire.words import headline

from ..feature_flags import published_version
from ..servers import Process, Processes, Server
from .ready import until_ready
from .telling import Teller

FLAGS = "feature_flags/web"

WITHIN = 60.0
"""Seconds in which everything that is waited for must have come."""


class NotAsExpected(Exception):
    """The story did not go as it should; the sentence says where."""


def expect(true: object, sentence: str) -> None:
    """Check what is about to be told.

    Raises:
        NotAsExpected: It is not so.
    """
    if not true:
        raise NotAsExpected(f"The story went wrong: {sentence}.")


@dataclass
class Stage:
    """Everything a scene needs.

    Attributes:
        requests: The ids of all requests, in the order they were asked for.
    """

    mutator: Mutator
    teller: Teller
    processes: Processes
    server: Server
    worker: Process
    requests: list[str] = field(default_factory=list)

    async def ask(
        self,
        who: str,
        request_id: str,
        mutation: Mutation[Any],
        reason: str,
        *,
        state_id: str = FLAGS,
        **more: Any,
    ) -> MutationRequest:
        """Let somebody ask for a change; answer the request once it has been assessed."""
        wish = payload_of(state_id, mutation, actor_id=who, reason=reason, **more)
        await self.mutator.submit(wish, request_id=request_id)
        self.requests.append(request_id)
        what = " ".join(f"{key}={value}" for key, value in mutation.model_dump().items())
        where = "" if state_id == FLAGS else f" on {state_id}"
        await self.teller.says(who, f"asks for {mutation.name()} {what}{where}: {reason}")
        return await self.mutator.assessed(request_id)

    async def approve(self, who: str, request: MutationRequest) -> MutationRequest:
        """Let somebody approve what they were shown; answer how the request stands then."""
        await self.teller.says(who, f"approves {request.request_id}")
        await self.mutator.approve(request.request_id, actor_id=who, binding=request.binding)
        return await self.mutator.get(request.request_id)

    async def is_refused(self, who: str, request: MutationRequest, error: str) -> None:
        """Let somebody approve who may not."""
        await self.teller.says(who, f"approves {request.request_id}")
        try:
            await self.mutator.approve(request.request_id, actor_id=who, binding=request.binding)
        except DecisionRefused as refusal:
            expect(refusal.code == error, f"{who} was refused as {refusal.code}, not as {error}")
            await self.teller.tell(f"Refused, {refusal.code}: {refusal.message}", "red")
        else:
            raise NotAsExpected(f"The story went wrong: {who} should be refused as {error}.")

    async def waits(self, request: MutationRequest) -> None:
        """Tell what a request waits for."""
        name = request.request_id
        expect(request.status is Status.PENDING, f"{name} should be Pending: {brief(request)}")
        for reason in request.pending:
            until = f"{reason.until:%d %b %Y %H:%M:%S} UTC" if reason.until else "no time set"
            await self.teller.tell(f"Pending: {_needed(reason)}; until {until}", "yellow")

    async def looked_at(self, request_id: str) -> MutationRequest:
        """Wait until what a request waits for has been looked at; answer it then."""
        async with asyncio.timeout(WITHIN):
            async for request in self.mutator.watch(request_id, every=0.05):
                if any(state.finding is not None for state in request.requirements):
                    return request
        raise NotAsExpected(f"The story went wrong: {request_id} should be looked at.")

    async def shows_effect(self, request: MutationRequest) -> None:
        """Tell what a request would do."""
        await self.teller.details(request.effect.lines if request.effect else ())

    async def until(self, request_id: str, status: Status) -> MutationRequest:
        """Wait until a request is in a status; answer it then."""
        deadline = monotonic() + WITHIN
        seen = "nothing"
        while monotonic() < deadline:
            try:
                request = await self.mutator.get(request_id)
            except Unavailable as error:
                seen = error.message.rstrip(".")
            else:
                if request.status is status:
                    return request
                seen = brief(request)
            await asyncio.sleep(0.05)
        raise NotAsExpected(
            f"The story went wrong: {request_id} should be {status.value} within {WITHIN:g} s: "
            f"{seen}."
        )

    async def executes(self, request_id: str, *, version: int) -> MutationRequest:
        """Wait until a request has ended, and tell that it was executed."""
        await self.mutator.result(request_id, within=WITHIN)
        request = await self.mutator.get(request_id)
        await self.has_ended(request, Status.EXECUTED)
        became = request.resulting_version
        expect(became == version, f"{request_id} should be version {version}, not {became}")
        return request

    async def has_ended(self, request: MutationRequest, status: Status) -> None:
        """Tell how a request has ended."""
        name = request.request_id
        expect(request.status is status, f"{name} should be {status.value}: {brief(request)}")
        style = "bold green" if status is Status.EXECUTED else "bold red"
        await self.teller.tell(headline(request), style)

    async def published(self, flag: str, *, version: int) -> Any:
        """Wait until a version of the flags is published, and answer a flag as flagd reads it."""
        path = self.processes.place.flags / "web.json"
        deadline = monotonic() + WITHIN
        while published_version(path) < version:
            expect(monotonic() < deadline, f"version {version} should be published")
            await asyncio.sleep(0.05)
        return json.loads(path.read_text("utf-8"))["flags"][flag]

    @contextmanager
    def locked_store(self) -> Iterator[None]:
        """Hold the store's write lock: whoever wants to write waits, whoever reads does not."""
        file = self.processes.place.store_file
        with closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                connection.execute("ROLLBACK")

    def kill_worker(self) -> int:
        """Kill the worker as a crash would; answer its process id."""
        self.processes.kill(self.worker)
        return self.worker.popen.pid

    async def start_worker(self) -> int:
        """Start another worker; answer its process id once it takes work."""
        self.worker = self.processes.worker(self.server)
        await until_ready(self.mutator, self.processes)
        return self.worker.popen.pid


def _needed(reason: PendingReason) -> str:
    """Answer whose answers are missing; or what is looked at, and what was seen."""
    if reason.kind in BY_PEOPLE:
        return f"needs {reason.needed} of {', '.join(reason.who)}, has {reason.have}"
    if reason.kind == RequirementKind.SCHEDULE and reason.again_at is not None:
        return f"its moment is {reason.again_at:%d %b %Y %H:%M:%S} UTC"
    return reason.text.partition("; looked at again")[0]


def brief(request: MutationRequest) -> str:
    """Answer a request's status as the end of a sentence."""
    return headline(request).rstrip(".")
