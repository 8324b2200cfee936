"""SIGTERM: a worker as a user starts it lets what runs finish, and takes nothing new."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from store import open_store
from tests.drills.server import FileServer
from tests.support.world import Handle, World, make_world
from wire.names import TASK_QUEUE, WORKFLOW_TYPE, Activity

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def worker(
    address: str, store_url: str, folder: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    directory = folder / "directory.toml"
    directory.write_text("[people.ana]\nname = 'Ana'\n", "utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "worker.py", "--domain", "tests.drills.slow:domain"),
        *("--store", store_url, "--directory", str(directory)),
        cwd=ROOT,
        env={**os.environ, "TEMPORAL_ADDRESS": address},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until_it_runs(handle: Handle, activity: str) -> None:
    started = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    async with asyncio.timeout(30):
        while True:
            described = await handle.describe()
            for pending in described.raw_description.pending_activities:
                if pending.activity_type.name == activity and pending.state == started:
                    return
            await asyncio.sleep(0.05)


async def start(client: Client) -> Handle:
    return await client.start_workflow(
        WORKFLOW_TYPE,
        {
            "state_id": "slow/box",
            "mutations": [{"type": "SlowAdd", "parameters": {"key": "x"}}],
            "actor_id": "ana",
        },
        id=World.fresh("r"),
        task_queue=TASK_QUEUE,
    )


async def test_a_worker_that_is_told_to_stop_finishes_the_commit(tmp_path: Path) -> None:
    store_url = f"sqlite:///{tmp_path / 'mutator.db'}"
    async with FileServer(tmp_path / "temporal.db") as server:
        client = await server.connect()
        async with worker(server.address, store_url, tmp_path) as process:
            assert process.stderr is not None
            said = b""
            while b"Serving" not in said:
                said += await process.stderr.readline()
            handle = await start(client)
            await until_it_runs(handle, Activity.EXECUTE_MUTATION)

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
    assert set(executes) == {1}
    completed = [
        e for e in history.events if e.HasField("activity_task_completed_event_attributes")
    ]
    assert len(completed) == len(executes)
