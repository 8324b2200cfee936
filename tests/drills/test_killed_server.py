"""The Temporal server is killed while requests wait: it comes back, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from store import open_store
from tests.drills.server import FileServer
from tests.support.world import World, make_world
from worker import ensure_search_attributes

TWO = [{"roles": ["approver"], "needed": 2}]


@pytest.fixture
async def file_server(tmp_path: Path) -> FileServer:
    return FileServer(tmp_path / "temporal.db")


async def test_a_request_outlives_the_server(file_server: FileServer, tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'mutator.db'}")
    async with file_server:
        client = await file_server.connect()
        await ensure_search_attributes(client)
        async with make_world(WorkflowEnvironment.from_client(client), store) as world:
            waiting = await world.start("Put", needs=TWO)
            await world.pending(waiting)
            await world.decide(waiting, "ben")
            before = await world.request(waiting)

            await file_server.kill()
            await file_server.start()

            after = await world.until(waiting, lambda request: request.answers, seconds=30)
            assert after == before
            reply = await world.decide(waiting, "cleo")
            assert (await world.result(waiting)).status == reply.status == "Executed"
            ended = await world.agree(waiting)
    assert [entry.subject.request_id for entry in store.history(ended.state_id)] == [waiting.id]
    assert [d.actor_id for d in ended.decisions if d.code == "Granted"] == ["ben", "cleo"]
    store.close()


async def test_a_signal_that_the_server_took_before_it_was_killed_counts(
    file_server: FileServer, tmp_path: Path
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'mutator.db'}")
    queue = World.fresh("mutations")
    async with file_server:
        client = await file_server.connect()
        await ensure_search_attributes(client)
        env = WorkflowEnvironment.from_client(client)
        async with make_world(env, store, task_queue=queue) as world:
            waiting = await world.start("Add", needs=TWO)
            await world.pending(waiting)
        for name in ("ben", "cleo"):
            await waiting.signal("approve", {"decision_id": f"d-{name}", "actor_id": name})

        await file_server.kill()
        await file_server.start()

        async with make_world(env, store, task_queue=queue) as world:
            assert (await world.result(waiting)).status == "Executed"
            await world.agree(waiting)
    store.close()
