"""The worker is killed with SIGKILL between any two steps; another one brings the request home.

In both ways on both databases. Left out is what would show nothing new: in a workflow task nothing
lies between approval, resolution and commit, and side effects are dispatched remotely either way.

A drill mostly waits until the server notices, so several run at once, and each test looks at what
one of them left.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from core.audit import AuditEntry
from core.governance.request import MutationRequest
from core.history import HistoryEntry
from store import open_store
from store.protocol import Store, StoredState
from tests.drills import points
from tests.drills.nursery import doomed_worker
from tests.fixtures.postgres import Postgres
from tests.support import box
from tests.support.world import Handle, World, make_world
from wire.messages import Reply, RequestResult
from wire.names import WORKFLOW_TYPE, Signal, Update

STORES = ("sqlite", "postgres")
DRILLS = [(kind, way, point) for kind in STORES for way in box.WAYS for point in points.of(way)]
BEFORE_APPROVAL = {points.ASSESSMENT_STORED, points.ASSESSMENT_ANSWERED}


BY_UPDATE = {"postgres"}
"""There Ben decides by an update and waits for its answer; elsewhere by a signal."""

AT_ONCE = 6
"""Drills at once: each is a process that starts, and then much waiting."""

RECOVERS_WITHIN = 10.0
"""Seconds from a worker's death until another one has brought the request further."""


@dataclass(frozen=True)
class Aftermath:
    """What a drill left."""

    recovered_after: float
    answer: str | None
    result: RequestResult
    request: MutationRequest
    state: StoredState | None
    history: Sequence[HistoryEntry]
    audit: Sequence[AuditEntry]


Drills = dict[tuple[str, box.Way, str], asyncio.Task[Aftermath]]


@pytest.fixture(scope="module")
async def drills(
    request: pytest.FixtureRequest,
    server: WorkflowEnvironment,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Drills]:
    """The drills that the tests asked for look at, running."""
    folder, number = tmp_path_factory.mktemp("drills"), itertools.count()
    urls: dict[str, Callable[[], str]] = {
        "sqlite": lambda: f"sqlite:///{folder / f'{next(number)}.db'}",
        "postgres": lambda: _postgres(request).database(),
    }
    asked = {
        tuple(str(item.callspec.params[name]) for name in ("kind", "way", "point"))
        for item in request.session.items
        if item.path == Path(__file__) and isinstance(item, pytest.Function)
    }
    turn = asyncio.Semaphore(AT_ONCE)
    running = {
        (kind, way, point): asyncio.create_task(
            drill(server, urls[kind](), way, point, turn, update=kind in BY_UPDATE)
        )
        for kind, way, point in DRILLS
        if (kind, way, point) in asked
    }
    yield running
    for task in running.values():
        task.cancel()
    await asyncio.gather(*running.values(), return_exceptions=True)


def _postgres(request: pytest.FixtureRequest) -> Postgres:
    found: Postgres = request.getfixturevalue("postgres")
    return found


@pytest.mark.parametrize(("kind", "way", "point"), DRILLS)
async def test_g4_a_killed_worker_leaves_exactly_one_version(
    drills: Drills, kind: str, way: box.Way, point: str
) -> None:
    left = await drills[kind, way, point]

    request = left.request
    commits = [entry for entry in left.audit if entry.context.mode.value == "commit"]
    assert left.result.status == request.status == "Executed"
    assert left.state is not None
    assert left.state.version == left.result.resulting_version == 1
    assert left.state.document == {"numbers": {"x": 1}}
    assert [entry.subject.request_id for entry in left.history] == [request.request_id]
    assert [entry.execution_id for entry in commits] == [request.execution_id]
    assert [d.code for d in request.decisions].count("Executed") == 1
    assert [d.actor_id for d in request.decisions if d.code == "Granted"] == ["ben"]
    assert left.recovered_after < RECOVERS_WITHIN
    if kind in BY_UPDATE:
        # After a local commit whose task died with its worker, the record answers Ben.
        assert left.answer in {"Executed", "not settled"}


async def drill(
    server: WorkflowEnvironment,
    store_url: str,
    way: box.Way,
    point: str,
    turn: asyncio.Semaphore,
    *,
    update: bool,
) -> Aftermath:
    """Kill a worker at a point, let another one go on, and answer what they left."""
    queue, state = World.fresh("drill"), box.state(way)
    early = point in BEFORE_APPROVAL
    async with turn:
        store = open_store(store_url)
        async with doomed_worker(server, queue, store_url, way, point) as worker:
            handle = await start(server, queue, state)
            if not early:
                await until_pending(handle)
                answer = await decide(handle, update=update)
            async with asyncio.timeout(20):
                assert await worker.wait() == -signal.SIGKILL
        killed = time.monotonic()
        async with make_world(server, store, task_queue=queue) as world:
            if early:
                await world.until(handle, lambda r: r.status == "Pending", seconds=90)
                recovered_after = time.monotonic() - killed
                answer = await decide(handle, update=update)
            result = await world.result(handle, seconds=90)
            request = await world.agree(handle)
            await until_dispatched(store, state)
            if not early:
                recovered_after = time.monotonic() - killed
            async with asyncio.timeout(20):
                answered = await answer
        left = Aftermath(
            recovered_after=recovered_after,
            answer=answered,
            result=result,
            request=request,
            state=store.state(state),
            history=store.history(state),
            audit=store.audit(request_id=handle.id),
        )
        store.close()
    print(f"{recovered_after:.1f} s {way} {point}")
    return left


async def decide(handle: Handle, *, update: bool) -> asyncio.Task[str | None]:
    """Let Ben approve; answer what will be his answer."""
    message = {"decision_id": "d-1", "actor_id": "ben", "verdict": "approve"}

    async def send() -> str | None:
        if not update:
            await handle.signal(Signal.APPROVE, message)
            return None
        try:
            reply: Reply = await handle.execute_update(
                Update.DECIDE, message, id="d-1", result_type=Reply
            )
        except WorkflowUpdateFailedError as refused:
            return str(cast("ApplicationError", refused.cause).type)
        return reply.status if reply.settled else "not settled"

    return asyncio.create_task(send())


async def start(server: WorkflowEnvironment, queue: str, state: str) -> Handle:
    payload = {
        "state_id": state,
        "mutations": [{"type": "Put", "parameters": {"key": "x", "value": 1}}],
        "actor_id": "ana",
        "metadata": {"needs": [{"roles": ["approver"], "needed": 1}]},
    }
    return await server.client.start_workflow(
        WORKFLOW_TYPE,
        payload,
        id=World.fresh("r"),
        task_queue=queue,
        # A workflow task that dies with its worker is handed out again after this long.
        task_timeout=timedelta(seconds=1),
    )


async def until_pending(handle: Handle) -> None:
    async with asyncio.timeout(20):
        while (await handle.query("why_blocked"))["status"] != "Pending":
            await asyncio.sleep(0.05)


async def until_dispatched(store: Store, state: str) -> None:
    async with asyncio.timeout(60):
        while store.undelivered(state):
            await asyncio.sleep(0.05)
