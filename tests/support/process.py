"""A worker as somebody starts it: `python worker.py`, a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]

STARTS_WITHIN = 30.0
"""Seconds a worker may take until it serves."""


@dataclass
class Worker:
    """A worker that was started.

    Attributes:
        said: What it has written to standard error so far.
    """

    process: asyncio.subprocess.Process
    said: bytearray = field(default_factory=bytearray)

    async def until_it_says(self, words: bytes) -> None:
        """Read what it says up to some words, or to its end."""
        assert self.process.stderr is not None
        while words not in self.said and (line := await self.process.stderr.readline()):
            self.said += line
        assert words in self.said, self.said.decode()

    async def end(self) -> int:
        """Tell it to stop, read the rest of what it says, and answer how it ended."""
        assert self.process.stderr is not None
        if self.process.returncode is None:
            self.process.terminate()
        self.said += await self.process.stderr.read()
        return await self.process.wait()


@asynccontextmanager
async def worker(
    *arguments: str, address: str, python: Path = Path(sys.executable), **environment: str
) -> AsyncIterator[Worker]:
    """Start a worker, wait until it serves, and end it.

    Args:
        *arguments: Its flags.
        address: Where Temporal is.
        python: The interpreter of the environment it is started from.
        **environment: More variables for it.
    """
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "TEMPORAL_", "MUTATOR_"))
    }
    process = await asyncio.create_subprocess_exec(
        *(str(python), "worker.py", *arguments),
        cwd=ROOT,
        env={**kept, "TEMPORAL_ADDRESS": address, **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    started = Worker(process)
    try:
        async with asyncio.timeout(STARTS_WITHIN):
            await started.until_it_says(b"Serving")
        yield started
        assert await started.end() == 0, started.said.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
