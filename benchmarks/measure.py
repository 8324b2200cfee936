"""The figures of one subject in one round, a function for each section that needs Temporal."""

import asyncio
import statistics
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from time import perf_counter

from .processes import Child, resident_bytes, unless_ended
from .session import QUIET, Session, each, session
from .subject import HotSubject, Subject

GIB = 2**30
MIB = 2**20
SETTLE = 1.0


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        callers: Callers, and approvers, at once.
        requests: Requests in each of the phases with many callers.
        lone: Approvals one after the other, for a latency.
        waiting: How many requests wait while a latency is measured, ascending.
        kills: How often the worker is killed with the last of these waiting.
        hot: Requests on one state, and as many on a state each.
        hot_tasks: Callers of these.
        limit: Seconds that one subject may take in one round; without it the section's own.
    """

    callers: int = 16
    requests: int = 400
    lone: int = 30
    waiting: tuple[int, ...] = (10, 1_000, 10_000)
    kills: int = 3
    hot: int = 200
    hot_tasks: int = 20
    limit: float | None = None


@dataclass(frozen=True)
class _Round:
    """One round: the numbers of its requests are never used twice."""

    session: Session
    worker: Child
    size: Size
    numbers: "count[int]"

    def take(self, many: int) -> list[int]:
        """Give the next so many numbers."""
        return [next(self.numbers) for _ in range(many)]

    async def warm_up(self) -> None:
        callers = self.size.callers
        await self.session.warm_up(self.take(2 * callers), tasks=callers)

    async def timed(self, request_id: str) -> float:
        """Give the milliseconds from sending the approval to having the result."""
        begun = perf_counter()
        await self.session.decide(request_id)
        return 1000 * (perf_counter() - begun)

    async def alone(self) -> dict[str, float]:
        """One approval to terminal, nothing else running, and the events of its history."""
        spent: list[float] = []
        events: list[float] = []
        for number in self.take(self.size.lone):
            request_id = await self.session.waiting(number)
            await asyncio.sleep(QUIET)
            spent.append(await self.timed(request_id))
            described = await self.session.client.get_workflow_handle(request_id).describe()
            events.append(described.history_length)
        return {"lone_ms": statistics.median(spent), "events": statistics.median(events)}

    async def throughput(self, services: Callable[[], float]) -> dict[str, float]:
        """Requests approved at once, by all callers, and the CPU they take."""
        requests = self.size.requests

        def cpu() -> dict[str, float]:
            used = self.session.cpu(self.worker)
            used["cpu_server_ms"] += 1000 * services()
            return used

        before = cpu()
        seconds = await each(self.take(requests), self.session.whole, tasks=self.size.callers)
        after = cpu()
        parts = {name: (after[name] - before[name]) / requests for name in before}
        return {"requests_per_s": requests / seconds, "cpu_ms": sum(parts.values()), **parts}

    async def approvals(self) -> dict[str, float]:
        """Approvals of requests that all wait already."""
        numbers = self.take(self.size.requests)
        ids = await self.session.all_waiting(numbers, tasks=self.size.callers)
        await asyncio.sleep(QUIET)
        seconds = await each(ids, self.session.decide, tasks=self.size.callers)
        return {"approvals_per_s": len(ids) / seconds}

    async def waiting_latency(self, waiting: deque[str]) -> float:
        """Approve the one that waits longest, again and again; another takes its place."""
        spent: list[float] = []
        for number in self.take(self.size.lone):
            waiting.append(await self.session.waiting(number))
            await asyncio.sleep(QUIET)
            spent.append(await self.timed(waiting.popleft()))
        return statistics.median(spent)


def _no_service() -> float:
    return 0.0


async def throughput(
    subject: Subject,
    size: Size,
    attributes: Mapping[str, str],
    *,
    limit: float,
    services: Callable[[], float] = _no_service,
) -> dict[str, float]:
    """Give lone latency, events, throughput with its CPU, and approvals of waiting requests.

    `services` gives the CPU seconds of further servers that work for the subject.
    """

    async def figures(now: _Round) -> dict[str, float]:
        await now.warm_up()
        return await now.alone() | await now.throughput(services) | await now.approvals()

    async with session(subject, attributes, limit=limit) as opened, opened.worker() as worker:
        now = _Round(opened, worker, size, count())
        return await unless_ended([opened.server.child, worker], figures(now))


async def waiting(
    subject: Subject, size: Size, attributes: Mapping[str, str], *, limit: float
) -> dict[str, float]:
    """Give memory and latency while many requests wait, and the time a killed worker is away."""
    numbers = count()
    held: deque[str] = deque()

    async def populated(now: _Round) -> dict[str, float]:
        await now.warm_up()
        latencies: dict[int, float] = {}
        memory: dict[int, int] = {}
        for level in size.waiting:
            missing = now.take(level - len(held))
            held.extend(await opened.all_waiting(missing, tasks=2 * size.callers))
            await asyncio.sleep(SETTLE)
            memory[level] = resident_bytes(now.worker.process.pid)
            latencies[level] = await now.waiting_latency(held)
        few, many = size.waiting[0], size.waiting[-1]
        return {
            "waiting_per_gib": many * GIB / memory[many],
            **{f"worker_{level}_mib": used / MIB for level, used in memory.items()},
            **{f"waiting_{level}_ms": spent for level, spent in latencies.items()},
            "waiting_growth": latencies[many] / latencies[few],
        }

    async def last_one() -> str:
        """Start one more that waits: the killed worker was the last to serve it."""
        return await opened.waiting(next(numbers))

    async with session(subject, attributes, limit=limit) as opened:
        servers = [opened.server.child]
        async with opened.worker() as worker:
            now = _Round(opened, worker, size, numbers)
            figures = await unless_ended([*servers, worker], populated(now))
            sticky = await unless_ended([*servers, worker], last_one())
            begun = await _kill(worker)
        seconds: list[float] = []
        for _ in range(size.kills):
            async with opened.worker() as worker:
                await unless_ended([*servers, worker], opened.decide(sticky))
                seconds.append(perf_counter() - begun)
                sticky = await unless_ended([*servers, worker], last_one())
                begun = await _kill(worker)
        return figures | {"restart_s": statistics.median(seconds)}


async def _kill(worker: Child) -> float:
    begun = perf_counter()
    worker.process.kill()
    await worker.process.wait()
    return begun


async def hot(
    subject: HotSubject, size: Size, attributes: Mapping[str, str], *, limit: float
) -> dict[str, float]:
    """Give commits a second on one state, and on as many states as requests."""

    async def figures(now: _Round) -> dict[str, float]:
        async def on_one(number: int) -> None:
            await opened.end(await subject.start_on(opened.client, number, "hot"))

        await now.warm_up()
        apart = await each(now.take(size.hot), opened.whole, tasks=size.hot_tasks)
        together = await each(now.take(size.hot), on_one, tasks=size.hot_tasks)
        return {
            "apart_per_s": size.hot / apart,
            "hot_per_s": size.hot / together,
            "hot_share": apart / together,
        }

    async with session(subject, attributes, limit=limit) as opened, opened.worker() as worker:
        now = _Round(opened, worker, size, count())
        return await unless_ended([opened.server.child, worker], figures(now))
