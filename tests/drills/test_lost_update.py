"""Worker and server are killed after a local commit: the update is gone, and its caller answered.

Nothing in Temporal knows of the commit then: neither the update nor its workflow task was written.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import cast

from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment

from client.mutator import Mutator
from store import open_store
from store.records import Records
from tests.drills import points
from tests.drills.nursery import doomed_worker
from tests.drills.server import FileServer
from tests.drills.test_killed_worker import start, until_pending
from tests.support import box
from tests.support.world import World, make_world
from wire.messages import Reply
from worker import ensure_search_attributes


async def approve(mutator: Mutator, request_id: str, binding: str | None) -> Reply:
    return await mutator.approve(
        request_id, actor_id="ben", decision_id="d-1", binding=binding, within=60
    )


async def test_g4_an_update_lost_after_its_commit_is_answered_when_it_is_repeated(
    tmp_path: Path,
) -> None:
    store_url, queue = f"sqlite:///{tmp_path / 'mutator.db'}", World.fresh("drill")
    store, state = open_store(store_url), box.state("local_first")
    async with FileServer(tmp_path / "temporal.db") as server:
        client = await server.connect()
        await ensure_search_attributes(client)
        env = WorkflowEnvironment.from_client(client)
        callers = Mutator(client, cast("Records", store), task_queue=queue)
        async with doomed_worker(env, queue, store_url, "local_first", points.COMMITTED) as worker:
            handle = await start(env, queue, state)
            await until_pending(handle)
            binding = (await callers.get(handle.id)).binding
            waiting = asyncio.create_task(approve(callers, handle.id, binding))
            async with asyncio.timeout(20):
                assert await worker.wait() == -signal.SIGKILL
        await server.kill()
        committed = store.request(handle.id)
        await server.start()
        forgotten = await handle.fetch_history()

        async with make_world(env, store, task_queue=queue) as world:
            first = await waiting
            again = await approve(callers, handle.id, binding)
            result = await world.result(handle, seconds=60)
            ended = await world.agree(handle)
    history = store.history(state)
    store.close()

    assert committed is not None
    assert committed.status == result.status == "Executed"
    assert ended == committed
    assert [d.actor_id for d in ended.decisions if d.code == "Granted"] == ["ben"]
    assert [entry.subject.request_id for entry in history] == [handle.id]
    assert EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED not in {
        event.event_type for event in forgotten.events
    }
    assert {reply.status for reply in (first, again)} == {"Executed"}
