"""A fresh server, a fresh worker, and this process as the caller of one subject."""

import asyncio
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
from .processes import Child, cpu_seconds, running
from .server import DevServer, dev_server
from .subject import Subject

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN = 60.0
WAITING_EVENTS = 4  # started, task scheduled, task started, task completed
QUIET = 0.1


async def each(items: Iterable[T], work: Callable[[T], Awaitable[None]], *, tasks: int) -> float:
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
class Session:
    """One subject on one server; the worker may be ended and started again."""

    subject: Subject
    client: Client
    server: DevServer
    folder: Path

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Child]:
        """Run a worker for the length of the block."""
        command = [sys.executable, *self.subject.worker_command(self.folder)]
        async with running(
            f"worker of {self.subject.name}",
            command,
            folder=ROOT,
            log=self.folder / "worker.log",
            environment=self.server.environment(self.folder),
        ) as worker:
            yield worker

    async def end(self, request_id: str) -> None:
        """Wait for the end, which must be a commit."""
        result = await self.subject.wait(self.client, request_id)
        if result is not None:
            raise WrongEnding(request_id, result)

    async def decide(self, request_id: str) -> None:
        """Approve and wait for the end."""
        await self.subject.approve(self.client, request_id)
        await self.end(request_id)

    async def whole(self, number: int) -> None:
        """Start, approve at once, wait for the end."""
        await self.decide(await self.subject.start(self.client, number))

    async def waits(self, request_id: str) -> None:
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

    async def waiting(self, number: int) -> str:
        """Start a request and give its id once it does nothing but wait."""
        request_id = await self.subject.start(self.client, number)
        await self.waits(request_id)
        return request_id

    async def all_waiting(self, numbers: Iterable[int], *, tasks: int) -> list[str]:
        """Start requests, so many at once, and give their ids once they do nothing but wait."""
        ids: list[str] = []

        async def start(number: int) -> None:
            ids.append(await self.waiting(number))

        await each(numbers, start, tasks=tasks)
        return ids

    async def warm_up(self, numbers: Iterable[int], *, tasks: int) -> None:
        """Wait until the worker has done its first requests."""
        try:
            async with asyncio.timeout(READY_WITHIN):
                await each(numbers, self.whole, tasks=tasks)
        except TimeoutError as error:
            raise NotReady(f"the worker of {self.subject.name}", READY_WITHIN) from error

    def cpu(self, worker: Child) -> dict[str, float]:
        """Give the CPU milliseconds used so far, by row key."""
        return {
            "cpu_server_ms": 1000 * cpu_seconds(self.server.child.process.pid),
            "cpu_worker_ms": 1000 * cpu_seconds(worker.process.pid),
            "cpu_caller_ms": 1000 * cpu_seconds(),
        }


@asynccontextmanager
async def session(
    subject: Subject, attributes: Mapping[str, str], *, limit: float
) -> AsyncIterator[Session]:
    """Run a server with these search attributes for the length of the block, in a fresh folder.

    Raises `NotReady` when the block takes longer than `limit` seconds.
    """
    try:
        async with asyncio.timeout(limit):
            with tempfile.TemporaryDirectory(
                prefix="benchmarks-", ignore_cleanup_errors=True
            ) as name:
                folder = Path(name)
                async with dev_server(folder, search_attributes=attributes) as server:
                    yield Session(subject, await server.connect(), server, folder)
    except TimeoutError as error:
        raise NotReady(f"one round of {subject.name}", limit) from error
