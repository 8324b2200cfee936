"""The command line as a process of its own, in a folder of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def value(self) -> Any:
        """Answer what it printed as JSON."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """Answer the error it printed as JSON."""
        return json.loads(self.err)["error"]


@dataclass(frozen=True)
class Desk:
    """A folder to type commands in: the worker's store lies there, at its default place."""

    folder: Path
    address: str

    async def run(self, *arguments: str, **environment: str) -> Ended:
        """Type a command and wait for its end."""
        process = await self.start(*arguments, **environment)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return Ended(process.returncode or 0, out.decode(), err.decode())

    async def start(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        """Type a command."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TEMPORAL_", "MUTATOR_"))}
        ours = {"PYTHONPATH": str(ROOT), "TEMPORAL_ADDRESS": self.address, "COLUMNS": "100"}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from client.cli import main; main()",
            *arguments,
            cwd=self.folder,
            env={**kept, **ours, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
