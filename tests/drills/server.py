"""A Temporal server with its data in a file, that can be killed and started again."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from temporalio.client import Client
from temporalio.service import RPCError

from client.plugin import client_plugin
from tests.support.server import POLL_FASTER, TEMPORAL

PRAGMAS = ("--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL")


class FileServer:
    """One server, always at the same address and on the same file."""

    def __init__(self, file: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = str(free.getsockname()[1])
        self._file = file
        self._process: asyncio.subprocess.Process | None = None
        self.address = f"127.0.0.1:{self._port}"

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(str(TEMPORAL), "server", "start-dev", "--headless", "--log-level", "error"),
            *("--ip", "127.0.0.1", "--port", self._port, "--db-filename", str(self._file)),
            *PRAGMAS,
            *(word for setting in POLL_FASTER for word in ("--dynamic-config-value", setting)),
            stdout=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(20):
            while not await self._answers():
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def connect(self) -> Client:
        return await Client.connect(self.address, plugins=[client_plugin()])

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.kill()

    async def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None
        try:
            return await (await self.connect()).service_client.check_health()
        except (RPCError, RuntimeError):
            return False
