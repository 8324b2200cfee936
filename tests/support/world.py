"""A worker on a real server with a real store, and short ways to say what a test does."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.plugin import SimplePlugin
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Interceptor

from activities.outside import Outside
from client.mutator import Mutator
from client.translate import is_passing
from core import Domains
from core.governance.people import Directory
from core.governance.request import MutationRequest
from store.protocol import Store
from store.records import Records
from wire.messages import Reply, RequestResult
from wire.names import WORKFLOW_TYPE
from worker import make_worker, worker_plugin

from . import box
from .hooks import HookedStore
from .people import PEOPLE

Handle = WorkflowHandle[Any, Any]


@dataclass
class World:
    """What the tests of whole requests act on."""

    env: WorkflowEnvironment
    store: Store
    hooks: HookedStore
    outside: Outside
    task_queue: str
    directory: list[Directory] = field(default_factory=lambda: [PEOPLE])
    way: box.Way = "local_first"

    @property
    def client(self) -> Client:
        """Answer the Temporal client."""
        return self.env.client

    @property
    def mutator(self) -> Mutator:
        """Answer what callers have: it repeats what was lost, and refuses by name."""
        return Mutator(self.client, cast("Records", self.store), task_queue=self.task_queue)

    @staticmethod
    def fresh(prefix: str = "t") -> str:
        """Answer an id nobody has used."""
        return f"{prefix}-{uuid.uuid4().hex[:12]}"

    def state(self, domain: str = "box") -> str:
        """Answer a state id nobody has used, of the domain that is asked in this world's way."""
        return box.state(self.way, domain)

    async def start(
        self,
        mutation: str = "Add",
        *,
        state_id: str | None = None,
        actor: str = "ana",
        request_id: str | None = None,
        needs: list[dict[str, Any]] | None = None,
        metadata: dict[str, Any] | None = None,
        parameters: dict[str, Any] | None = None,
        task_timeout: timedelta | None = None,
        **payload: Any,
    ) -> Handle:
        """Start a request; without `needs` it demands nothing."""
        defaults: dict[str, Any] = {"Add": {"key": "x"}, "Put": {"key": "x", "value": 1}}
        content = {
            "state_id": state_id or self.state(),
            "mutations": [
                {"type": mutation, "parameters": parameters or defaults.get(mutation, {})}
            ],
            "actor_id": actor,
            "metadata": {**(metadata or {}), **({"needs": needs} if needs else {})},
            **payload,
        }
        return await self.client.start_workflow(
            WORKFLOW_TYPE,
            content,
            id=request_id or self.fresh("r"),
            task_queue=self.task_queue,
            task_timeout=task_timeout,
        )

    async def request(self, handle: Handle) -> MutationRequest:
        """Answer the request as the workflow holds it."""
        return cast("MutationRequest", await handle.query("request", result_type=MutationRequest))

    async def until(
        self,
        handle: Handle,
        holds: Callable[[MutationRequest], object],
        *,
        seconds: float = 20,
    ) -> MutationRequest:
        """Wait until something holds of the request."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    if holds(request := await self.request(handle)):
                        return request
                except RPCError as error:
                    if not is_passing(error):
                        raise
                await asyncio.sleep(0.02)

    async def pending(self, handle: Handle) -> MutationRequest:
        """Wait until the request waits for somebody."""
        return await self.until(handle, lambda r: r.status == "Pending" and r.pending)

    async def waiting(self, request_id: str) -> None:
        """Wait, by the store alone, until the request waits for somebody.

        A query that meets an open workflow task ends it early, and makes it one task more.
        """
        async with asyncio.timeout(20):
            while (stored := self.store.request(request_id)) is None or stored.status != "Pending":
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)

    async def decide(
        self, handle: Handle, actor: str, verdict: str = "approve", **more: Any
    ) -> Reply:
        """Send a decision as an update, with the present binding, and answer the reply."""
        shown = await self.request(handle)
        message = {
            "decision_id": self.fresh("d"),
            "actor_id": actor,
            "verdict": verdict,
            "binding": shown.binding,
            **more,
        }
        return await self.send(handle, "decide", message)

    async def send(self, handle: Handle, update: str, message: dict[str, Any]) -> Reply:
        """Send an update, repeated under its id when it was lost with its workflow task."""
        update_id = self.fresh("u")
        while True:
            try:
                return cast(
                    "Reply",
                    await handle.execute_update(update, message, id=update_id, result_type=Reply),
                )
            except RPCError as error:
                if not is_passing(error):
                    raise
            await asyncio.sleep(0.05)

    async def refused(self, awaitable: Any) -> str:
        """Answer the type of the error by which an update is refused."""
        with pytest.raises(WorkflowUpdateFailedError) as refusal:
            await awaitable
        assert isinstance(refusal.value.cause, ApplicationError)
        return str(refusal.value.cause.type)

    async def result(self, handle: Handle, *, seconds: float = 30) -> RequestResult:
        """Wait for the end and answer the result."""
        async with asyncio.timeout(seconds):
            found = await self.client.get_workflow_handle(
                handle.id, result_type=RequestResult
            ).result()
        return cast("RequestResult", found)

    async def agree(self, handle: Handle) -> MutationRequest:
        """Assert that workflow and store say the same of an ended request, and answer it."""
        stored = self.store.request(handle.id)
        held = await self.request(handle)
        assert stored is not None
        assert stored.status == held.status
        assert stored.status.is_terminal
        assert stored.decisions == held.decisions
        return stored

    def value(self, state_id: str, key: str = "x") -> int:
        """Answer a number of a box as it is stored."""
        state = self.store.state(state_id)
        document = cast("dict[str, Any]", state.document if state else {"numbers": {}})
        return int(document["numbers"].get(key, 0))

    async def skip(self, handle: Handle, delta: timedelta) -> None:
        """Move one request forward in time."""
        await self.env.fast_forward(handle, delta)


@asynccontextmanager
async def make_world(
    env: WorkflowEnvironment,
    store: Store,
    *,
    interceptors: Sequence[Interceptor] = (),
    plugins: Sequence[SimplePlugin] = (),
    task_queue: str | None = None,
) -> AsyncIterator[World]:
    """Run a worker on a queue of its own for as long as the tests need it."""
    hooked = HookedStore(store)
    people: list[Directory] = [PEOPLE]
    outside = Outside(
        store=cast("Store", hooked),
        domains=Domains(box.ALL),
        directory=lambda: people[0],
        client=env.client,
    )
    queue = task_queue or World.fresh("mutations")
    options = {
        "task_queue": queue,
        "interceptors": interceptors,
        "plugins": [worker_plugin(outside), *plugins],
    }
    async with make_worker(env.client, outside, **options):
        yield World(
            env=env,
            store=store,
            hooks=hooked,
            outside=outside,
            task_queue=queue,
            directory=people,
        )


__all__ = ["World", "make_world"]
