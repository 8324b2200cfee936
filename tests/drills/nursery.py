"""Doomed workers, forked from one process that has imported everything they need."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from tests.drills import doomed_worker as doomed

SERVES_WITHIN = 30.0
"""Seconds until a worker serves, on a machine that is busy."""

NURSERY = multiprocessing.get_context("forkserver")
NURSERY.set_forkserver_preload([doomed.__name__])

FIRST = asyncio.Lock()
IMPORTED = asyncio.Event()


async def _imported() -> None:
    """Wait until children are forked at once; they are to be started on one thread, the loop's."""
    async with FIRST:
        if not IMPORTED.is_set():
            await asyncio.to_thread(_import)
            IMPORTED.set()


def _import() -> None:
    nobody = NURSERY.Process(target=_nobody)
    nobody.start()
    nobody.join()


def _nobody() -> None:
    """Be forked, once everything is imported."""


@dataclass(frozen=True)
class Doomed:
    """A worker in a process of its own.

    Attributes:
        says: Where it says that it serves.
    """

    process: ForkServerProcess
    says: Connection

    async def serves(self) -> None:
        """Wait until it takes work."""
        assert await asyncio.to_thread(self.says.poll, SERVES_WITHIN), "it never served"
        assert self.says.recv() == doomed.SERVING

    async def wait(self) -> int | None:
        """Wait for its end, and answer how it ended; a signal is a negative number."""
        while self.process.is_alive():
            await asyncio.sleep(0.02)
        return self.process.exitcode

    async def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        await self.wait()


@asynccontextmanager
async def doomed_worker(
    server: WorkflowEnvironment,
    queue: str,
    store_url: str,
    way: str,
    point: str,
    *,
    log: Path = Path(os.devnull),
) -> AsyncIterator[Doomed]:
    """Start a worker that kills itself at a point; what is left of it goes in the end."""
    listens, says = NURSERY.Pipe(duplex=False)
    address = server.client.service_client.config.target_host
    doom = doomed.Doom(address, queue, store_url, way, point, str(log))
    process = NURSERY.Process(target=doomed.serve, args=(says, doom), daemon=True)
    await _imported()
    process.start()
    says.close()
    started = Doomed(process, listens)
    try:
        await started.serves()
        yield started
    finally:
        await started.kill()
        listens.close()
