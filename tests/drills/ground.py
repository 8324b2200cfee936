"""What a drill acts on: a store, a queue, and one worker after the other."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from temporalio.testing import WorkflowEnvironment

from activities.outside import Outside
from core import Domains
from store import open_store
from store.protocol import Store
from tests.drills import points, waiting
from tests.drills.nursery import doomed_worker
from tests.support import box
from tests.support.hooks import HookedStore
from tests.support.people import PEOPLE
from tests.support.world import Handle, World
from worker import make_worker, worker_plugin

DIES_WITHIN = 30.0
"""Seconds until a point is reached, on a machine that is busy."""


class Callers(World):
    """Whoever asks; whether a worker is there or not."""

    async def start(self, mutation: str = "Add", **more: Any) -> Handle:
        """Start a request whose tasks are handed out again soon when they die with their worker."""
        return await super().start(mutation, **{"task_timeout": timedelta(seconds=1), **more})

    def state(self, domain: str = "again") -> str:
        return super().state(domain)


class Ground:
    """One drill's own; a worker at a time."""

    def __init__(
        self, server: WorkflowEnvironment, store_url: str, way: box.Way, *, log: Path
    ) -> None:
        self.way = way
        self.store: Store = open_store(store_url)
        self._server = server
        self._url = store_url
        self._log = log
        hooks = HookedStore(self.store)
        outside = Outside(
            store=cast("Store", hooks),
            domains=Domains((*box.ALL, *waiting.ALL)),
            directory=lambda: PEOPLE,
            client=server.client,
        )
        self.callers = Callers(
            env=server,
            store=self.store,
            hooks=hooks,
            outside=outside,
            task_queue=World.fresh("drill"),
            way=way,
        )

    @asynccontextmanager
    async def doomed(self, point: str) -> AsyncIterator[Callers]:
        """Let a worker serve that kills itself at a point; left when it has."""
        queue = self.callers.task_queue
        async with doomed_worker(
            self._server, queue, self._url, self.way, point, log=self._log
        ) as worker:
            yield self.callers
            if point == points.NEVER:
                await worker.kill()
            async with asyncio.timeout(DIES_WITHIN):
                ended = await worker.wait()
            assert ended == -signal.SIGKILL, f"it ended with {ended}"

    @asynccontextmanager
    async def living(self) -> AsyncIterator[Callers]:
        """Let a worker serve as ever."""
        outside, queue = self.callers.outside, self.callers.task_queue
        plugins = [worker_plugin(outside)]
        async with make_worker(self.callers.client, outside, task_queue=queue, plugins=plugins):
            yield self.callers
