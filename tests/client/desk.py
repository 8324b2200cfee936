"""The command line, typed in a folder of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from client.cli import run

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

    def write(self, name: str, value: object) -> str:
        """Write a JSON file and answer its path."""
        path = self.folder / name
        path.write_text(json.dumps(value))
        return str(path)

    async def run(self, *arguments: str, **environment: str) -> Ended:
        """Type a command and wait for its end; in this process, to save starting another."""
        return await asyncio.to_thread(self._run, arguments, environment)

    def _run(self, arguments: tuple[str, ...], environment: dict[str, str]) -> Ended:
        ours = {"MUTATOR_STORE_URL": f"sqlite:///{self.folder / 'mutator.db'}"}
        kept = dict(os.environ)
        with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
            try:
                os.environ.clear()
                os.environ.update(self._environment() | ours | environment)
                code = run(arguments)
            finally:
                os.environ.clear()
                os.environ.update(kept)
        return Ended(code, out.getvalue(), err.getvalue())

    async def start(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        """Type a command in a process of its own."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from client.cli import main; main()",
            *arguments,
            cwd=self.folder,
            env=self._environment() | environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TEMPORAL_", "MUTATOR_"))}
        return kept | {"PYTHONPATH": str(ROOT), "TEMPORAL_ADDRESS": self.address}
