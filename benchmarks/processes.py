"""Processes that are started, watched, measured and ended, each by its own pid."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

from .errors import BenchmarkError, ProcessEnded

T = TypeVar("T")

STOP_WITHIN = 15.0
LOG_LINES = 20
FOREIGN = ("TEMPORAL_", "MUTATOR_", "DBOS_")
UNLIKE_PRODUCTION = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")


def clean_environment() -> dict[str, str]:
    """Give this process's environment, the same for the processes of every subject.

    Nothing in it points to a server, and modules are compiled once, as in production.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN) and name not in UNLIKE_PRODUCTION
    }


@dataclass(frozen=True)
class Child:
    """A process of ours and the file that holds what it wrote."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    async def ended(self) -> ProcessEnded:
        """Wait until it ends by itself and give the error that says so."""
        code = await self.process.wait()
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return ProcessEnded(self.name, code, "\n".join(lines))


@asynccontextmanager
async def running(
    name: str, command: Sequence[str], *, folder: Path, log: Path, environment: Mapping[str, str]
) -> AsyncIterator[Child]:
    """Run `command` in `folder` for the length of the block, then end it and wait for that.

    It is asked to stop, and killed if it has not stopped after 15 seconds.
    """
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
        )
    try:
        yield Child(name, process, log)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def unless_ended(children: Sequence[Child], work: Coroutine[Any, Any, T]) -> T:
    """Do `work`, but raise `ProcessEnded` as soon as one of `children` ends by itself."""
    working = asyncio.create_task(work)
    watching = [asyncio.create_task(child.ended()) for child in children]
    try:
        await asyncio.wait({working, *watching}, return_when=asyncio.FIRST_COMPLETED)
        for watch in watching:
            if watch.done():
                raise watch.result()
        return working.result()
    finally:
        for task in (working, *watching):
            task.cancel()
        await asyncio.gather(working, *watching, return_exceptions=True)


def cpu_seconds(pid: int | None = None) -> float:
    """Give the CPU seconds, user and system, used so far by a process and its children.

    `None` is this process alone: its children are measured by themselves.
    """
    try:
        root = psutil.Process(pid)
        family = [root] if pid is None else [root, *root.children(recursive=True)]
        times = [member.cpu_times() for member in family]
    except psutil.NoSuchProcess as error:
        message = f"process {pid} ended while it was measured"
        raise BenchmarkError(message) from error
    return float(sum(time.user + time.system for time in times))


def service_cpu_seconds(pid: int) -> float:
    """Give the CPU seconds of a process, its children, and those children that ended before."""
    own = psutil.Process(pid).cpu_times()
    return cpu_seconds(pid) + float(own.children_user + own.children_system)


def resident_bytes(pid: int) -> int:
    """Give the resident memory of a process."""
    return int(psutil.Process(pid).memory_info().rss)
