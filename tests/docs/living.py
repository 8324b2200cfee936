"""Lives through a how-to page: its blocks in their order, with a server and a worker of its own.

A page with Python and commands tells one story. Its Python is one module, whose `domain` or
`domains` are served; its TOML is added to the directory of the examples. Every command is typed,
and ends with the exit code 0 or the one that its block names, `exit=1`. A block of text says what
the command before it printed, `...` standing for anything; times, digests and requirements are
taken for equal. A command that only reads is typed again until it prints that, because requests go
on by themselves.

Two remarks, which no reader sees, make what a page tells of time true on any day:

- `today: 2026-03-02` is the day it is written for; every date in its commands, and in what they
  print, is moved by the days since then.
- `later: REQUEST_ID 2h` moves a request forward in time; without a duration to the moment at which
  it is looked at again.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import monotonic
from types import FunctionType, ModuleType
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.directory import DirectoryFile
from activities.outside import Outside
from client import Mutator
from client.cli.parsing import duration_of
from core import Domains
from store import open_store
from tests.client.desk import Desk
from tests.docs.pages import ROOT, Block, Remark, blocks, commands, remarks
from tests.support.server import TEMPORAL, start_server
from worker import make_worker, served

PEOPLE = ROOT / "examples" / "data" / "directory.toml"

READS = frozenset({"show", "list", "pending", "history", "preview", "query", "describe", "count"})
"""Subcommands that change nothing, so that they can be typed again."""

WITHIN = 30.0
"""Seconds in which what a page tells must have come true."""

_DATE = re.compile(r"\b20\d\d-\d\d-\d\d(?!\d)")
_ALIKE = {
    r"\b20\d\d-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: UTC|Z|\+00:00)": "<time>",
    r"\bv1:sha256:[0-9a-f]{64}\b": "<digest>",
    r"\b([a-z]+)-[0-9a-f]{20}\b": r"<\1>",
}


def says(page: str, printed: str) -> bool:
    """Answer whether a command printed what the page says."""
    pattern = "".join(
        r"(?:.*\n)?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*?") + r"\n"
        for line in _alike(page)
    )
    return re.fullmatch(pattern, "\n".join([*_alike(printed), ""]), re.DOTALL) is not None


def _alike(text: str) -> list[str]:
    for pattern, name in _ALIKE.items():
        text = re.sub(pattern, name, text)
    return [line.rstrip() for line in text.strip("\n").splitlines()]


@dataclass
class Story:
    """A page while it is lived through.

    Attributes:
        folder: Where the record and the directory of people are kept.
        module: What its Python has made so far.
        ago: How long ago the page was written for.
        ahead: How far each request has been moved forward in time.
        last: The last command, and what it printed.
    """

    page: Path
    folder: Path
    house: AsyncExitStack
    module: ModuleType = field(init=False)
    ago: timedelta = timedelta()
    ahead: dict[str, timedelta] = field(default_factory=dict)
    last: tuple[list[str], str] = field(default_factory=lambda: ([], ""))
    _env: WorkflowEnvironment | None = None

    def __post_init__(self) -> None:
        """Begin with an empty module."""
        self.module = ModuleType(self.page.stem.replace("-", "_"))

    async def live(self) -> None:
        """Live through the page from top to bottom."""
        parts: list[Block | Remark] = [*blocks(self.page), *remarks(self.page)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, self.module.__name__, self.module)
            for part in sorted(parts, key=lambda part: part.line):
                try:
                    await self._go_on(part, patch)
                except Exception as error:
                    error.add_note(f"{self.page.relative_to(ROOT)}:{part.line}")
                    raise

    async def _go_on(self, part: Block | Remark, patch: pytest.MonkeyPatch) -> None:
        if isinstance(part, Remark):
            await self._remark(part.text)
        elif part.language == "python":
            if "needs=server" in part.marks:
                await self._serve(patch)
            await self._run(part)
        elif part.language == "shell":
            await self._serve(patch)
            *before, last = list(commands(part))
            for words in before:
                await self._type(words)
            ends = [int(mark.removeprefix("exit=")) for mark in part.marks]
            await self._type(last, *ends)
        elif part.language == "text":
            await self._until_printed(part.text)

    async def _run(self, block: Block) -> None:
        code = compile(
            "\n" * block.line + block.text, str(self.page), "exec", flags=PyCF_ALLOW_TOP_LEVEL_AWAIT
        )
        if (awaited := FunctionType(code, vars(self.module))()) is not None:
            await awaited

    async def _serve(self, patch: pytest.MonkeyPatch) -> None:
        """Start a server, and a worker with what the page has made, unless they run."""
        if self._env is not None:
            return
        env = self._env = await start_server()
        self.house.push_async_callback(_ended, env)
        made: Any = vars(self.module)
        domains = made.get("domains") or [made["domain"]]
        people = self.folder / "directory.toml"
        tables = (block.text for block in blocks(self.page, "toml"))
        people.write_text("\n".join([PEOPLE.read_text("utf-8"), *tables]), "utf-8")
        url = f"sqlite:///{self.folder / 'mutator.db'}"
        store = open_store(url)
        self.house.callback(store.close)
        outside = Outside(
            store=store,
            domains=Domains([served(domain) for domain in domains]),
            directory=DirectoryFile(people),
            client=env.client,
        )
        await self.house.enter_async_context(make_worker(env.client, outside))
        patch.setenv("TEMPORAL_ADDRESS", self._address)
        patch.setenv("MUTATOR_STORE_URL", url)

    @property
    def _address(self) -> str:
        assert self._env is not None
        return str(self._env.client.service_client.config.target_host)

    async def _type(self, words: list[str], code: int = 0) -> None:
        words = [self._moved(word) for word in words]
        ended, printed = await self._ended(words)
        self.last = words, printed
        assert ended == code, f"{words} ended with {ended}: {printed}"

    async def _ended(self, words: list[str]) -> tuple[int, str]:
        if words[0] == "mutator":
            ended = await Desk(self.folder, self._address).run(*words[1:])
            # The worker says what it has to say on the same standard error.
            said = [line for line in ended.err.splitlines() if line.startswith("mutator: ")]
            return ended.code, "\n".join([ended.out, *said])
        assert words[0] == "temporal", f"nobody runs: {' '.join(words)}"
        process = await asyncio.create_subprocess_exec(
            *(str(TEMPORAL), *words[1:]),
            cwd=self.folder,
            env=os.environ | {"TEMPORAL_ADDRESS": self._address},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode()

    async def _until_printed(self, text: str) -> None:
        (words, printed), deadline = self.last, monotonic() + WITHIN
        again = READS.intersection(words[1:])
        while not says(shown := self._moved(text), printed):
            assert again, f"{words} should print\n{shown}\nnot\n{printed}"
            assert monotonic() < deadline, f"{words} should print\n{shown}\nnot\n{printed}"
            await asyncio.sleep(0.1)
            _, printed = await self._ended(words)

    async def _remark(self, text: str) -> None:
        match text.split():
            case ["today:", day]:
                self.ago = datetime.now(UTC).date() - date.fromisoformat(day)
            case ["later:", request_id]:
                await self._later(request_id, None)
            case ["later:", request_id, duration]:
                await self._later(request_id, duration_of(duration))
            case _:
                raise AssertionError(f"nobody understands the remark {text!r}")

    async def _later(self, request_id: str, duration: timedelta | None) -> None:
        """Move a request forward in time; each has a time of its own."""
        assert self._env is not None
        ahead = self.ahead.get(request_id, timedelta())
        if duration is None:
            now = datetime.now(UTC) + ahead
            duration = await self._looked_at_again(request_id) - now + timedelta(seconds=1)
        self.ahead[request_id] = ahead + duration
        handle = self._env.client.get_workflow_handle(request_id)
        await self._env.fast_forward(handle, duration)

    async def _looked_at_again(self, request_id: str) -> datetime:
        assert self._env is not None
        mutator, deadline = Mutator(self._env.client), monotonic() + WITHIN
        while monotonic() < deadline:
            request = await mutator.get(request_id)
            if moments := [reason.again_at for reason in request.pending if reason.again_at]:
                return min(moments)
            await asyncio.sleep(0.1)
        raise AssertionError(f"{request_id} is not looked at again: {request.pending}")

    def _moved(self, text: str) -> str:
        return _DATE.sub(lambda day: str(date.fromisoformat(day[0]) + self.ago), text)


async def _ended(env: WorkflowEnvironment) -> None:
    await env.shutdown()
    await asyncio.sleep(0.1)  # as in the tests' own fixture: its threads need a moment
