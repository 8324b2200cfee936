"""The figures of one subject in one round: a fresh server, a fresh worker, this process calls."""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from temporalio.client import Client

from .errors import NotReady, WrongEnding
from .processes import Child, cpu_seconds, running, unless_ended
from .server import dev_server
from .subject import Subject

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN = 60.0
WAITING_EVENTS = 4  # started, task scheduled, task started, task completed
QUIET = 0.1


@dataclass(frozen=True)
class Size:
    """How much is measured: callers at once, requests a phase, lone approvals, seconds a round."""

    callers: int
    requests: int
    lone: int
    limit: float

    @property
    def warm_up(self) -> int:
        """Requests that are run before anything is measured."""
        return 2 * self.callers


async def _each(items: Iterable[T], work: Callable[[T], Awaitable[None]], *, tasks: int) -> float:
    """Do `work` for each item with so many tasks at once; give the seconds it took."""
    left = iter(items)

    async def drain() -> None:
        for item in left:
            await work(item)

    begun = perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(tasks):
            group.create_task(drain())
    return perf_counter() - begun


@dataclass(frozen=True)
class _Session:
    subject: Subject
    client: Client
    server: Child
    worker: Child
    size: Size

    async def _end(self, request_id: str) -> None:
        result = await self.subject.wait(self.client, request_id)
        if result is not None:
            raise WrongEnding(request_id, result)

    async def _decide(self, request_id: str) -> None:
        await self.subject.approve(self.client, request_id)
        await self._end(request_id)

    async def _whole(self, number: int) -> None:
        await self._decide(await self.subject.start(self.client, number))

    async def _waits(self, request_id: str) -> None:
        """Return once the request does nothing but wait: no task and no activity is open."""
        handle = self.client.get_workflow_handle(request_id)
        try:
            async with asyncio.timeout(READY_WITHIN):
                while True:
                    seen = (await handle.describe()).raw_description
                    busy = seen.HasField("pending_workflow_task") or seen.pending_activities
                    length = seen.workflow_execution_info.history_length
                    if not busy and length >= WAITING_EVENTS:
                        return
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise NotReady(f"request {request_id}", READY_WITHIN) from error

    async def _started(self, numbers: Iterable[int]) -> list[str]:
        ids: list[str] = []

        async def start(number: int) -> None:
            request_id = await self.subject.start(self.client, number)
            await self._waits(request_id)
            ids.append(request_id)

        await _each(numbers, start, tasks=self.size.callers)
        return ids

    def _cpu(self) -> dict[str, float]:
        return {
            "cpu_server_ms": 1000 * cpu_seconds(self.server.process.pid),
            "cpu_worker_ms": 1000 * cpu_seconds(self.worker.process.pid),
            "cpu_caller_ms": 1000 * cpu_seconds(),
        }

    async def warm_up(self) -> None:
        """Wait until the worker does its first requests."""
        numbers = range(self.size.warm_up)
        try:
            async with asyncio.timeout(READY_WITHIN):
                await _each(numbers, self._whole, tasks=self.size.callers)
        except TimeoutError as error:
            raise NotReady(f"the worker of {self.subject.name}", READY_WITHIN) from error

    async def alone(self, first: int) -> dict[str, float]:
        """One approval to terminal, nothing else running, and the events of its history."""
        seconds: list[float] = []
        events: list[float] = []
        for number in range(first, first + self.size.lone):
            request_id = await self.subject.start(self.client, number)
            await self._waits(request_id)
            await asyncio.sleep(QUIET)
            begun = perf_counter()
            await self._decide(request_id)
            seconds.append(perf_counter() - begun)
            described = await self.client.get_workflow_handle(request_id).describe()
            events.append(described.history_length)
        return {"lone_ms": 1000 * statistics.median(seconds), "events": statistics.median(events)}

    async def throughput(self, first: int) -> dict[str, float]:
        """Requests approved at once, by all callers, and the CPU they take."""
        count = self.size.requests
        before = self._cpu()
        seconds = await _each(range(first, first + count), self._whole, tasks=self.size.callers)
        after = self._cpu()
        parts = {name: (after[name] - before[name]) / count for name in before}
        return {"requests_per_s": count / seconds, "cpu_ms": sum(parts.values()), **parts}

    async def approvals(self, first: int) -> dict[str, float]:
        """Approvals of requests that all wait already."""
        count = self.size.requests
        ids = await self._started(range(first, first + count))
        await asyncio.sleep(QUIET)
        seconds = await _each(ids, self._decide, tasks=self.size.callers)
        return {"approvals_per_s": count / seconds}

    async def figures(self) -> dict[str, float]:
        """All of them, on one server and one worker."""
        size = self.size
        await self.warm_up()
        first = size.warm_up
        figures = await self.alone(first)
        first += size.lone
        figures |= await self.throughput(first)
        first += size.requests
        return figures | await self.approvals(first)


@asynccontextmanager
async def _session(
    subject: Subject, size: Size, attributes: Mapping[str, str]
) -> AsyncIterator[_Session]:
    with tempfile.TemporaryDirectory(prefix="benchmarks-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        async with dev_server(folder, search_attributes=attributes) as server:
            command = [sys.executable, *subject.worker_command(folder)]
            environment = server.environment(folder)
            log = folder / "worker.log"
            async with running(
                f"worker of {subject.name}", command, folder=ROOT, log=log, environment=environment
            ) as worker:
                yield _Session(subject, await server.connect(), server.child, worker, size)


async def measure(
    subject: Subject, size: Size, search_attributes: Mapping[str, str]
) -> dict[str, float]:
    """Give the figures of one subject, each under its row's key.

    Every subject gets a server with the same `search_attributes`, so that it is the same server.
    Raises `BenchmarkError` when no honest figure can be given.
    """
    try:
        async with (
            asyncio.timeout(size.limit),
            _session(subject, size, search_attributes) as session,
        ):
            return await unless_ended([session.server, session.worker], session.figures())
    except TimeoutError as error:
        raise NotReady(f"one round of {subject.name}", size.limit) from error
