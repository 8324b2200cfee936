"""SIGTERM: a worker as a user starts it lets what runs finish, takes nothing new; both ways."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from store import open_store
from tests.drills import slow
from tests.drills.server import FileServer
from tests.support import box
from tests.support.world import Handle, World, make_world
from wire.names import TASK_QUEUE, WORKFLOW_TYPE

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def worker(
    address: str, store_url: str, folder: Path, way: box.Way
) -> AsyncIterator[asyncio.subprocess.Process]:
    directory = folder / "directory.toml"
    directory.write_text("[people.ana]\nname = 'Ana'\n", "utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "worker.py", "--domain", f"tests.drills.slow:{way}"),
        *("--store", store_url, "--directory", str(directory)),
        cwd=ROOT,
        env={**os.environ, "TEMPORAL_ADDRESS": address, slow.BEGUN: str(folder / "begun")},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until_it_executes(folder: Path, way: box.Way) -> None:
    """Wait until the mutation has begun to be executed, after it was assessed and resolved."""
    begun, times = folder / "begun", 2 if way == "local_first" else 3
    async with asyncio.timeout(30):
        while not begun.exists() or begun.stat().st_size < times:
            await asyncio.sleep(0.02)


async def start(client: Client, way: box.Way) -> Handle:
    return await client.start_workflow(
        WORKFLOW_TYPE,
        {
            "state_id": box.state(way, "slow"),
            "mutations": [{"type": "SlowAdd", "parameters": {"key": "x"}}],
            "actor_id": "ana",
        },
        id=World.fresh("r"),
        task_queue=TASK_QUEUE,
    )


@pytest.mark.parametrize("way", box.WAYS)
async def test_a_worker_that_is_told_to_stop_finishes_the_commit(
    tmp_path: Path, way: box.Way
) -> None:
    store_url = f"sqlite:///{tmp_path / 'mutator.db'}"
    async with FileServer(tmp_path / "temporal.db") as server:
        client = await server.connect()
        async with worker(server.address, store_url, tmp_path, way) as process:
            assert process.stderr is not None
            said = b""
            while b"Serving" not in said:
                said += await process.stderr.readline()
            handle = await start(client, way)
            await until_it_executes(tmp_path, way)

            process.terminate()
            async with asyncio.timeout(20):
                code = await process.wait()
            said += await process.stderr.read()
        store = open_store(store_url)
        committed = store.request(handle.id)
        history = await handle.fetch_history()
        async with make_world(
            WorkflowEnvironment.from_client(client), store, task_queue=TASK_QUEUE
        ) as world:
            result = await world.result(handle)
            await world.agree(handle)
        store.close()

    assert code == 0, said.decode()
    assert b"TRUSTED" in said
    assert b"Draining" in said
    assert committed is not None
    assert committed.status == result.status == "Executed"
    executes = [
        event.activity_task_started_event_attributes.attempt
        for event in history.events
        if event.HasField("activity_task_started_event_attributes")
    ]
    assert set(executes) == ({1} if way == "remote" else set())
    completed = [
        e for e in history.events if e.HasField("activity_task_completed_event_attributes")
    ]
    assert len(completed) == len(executes)
