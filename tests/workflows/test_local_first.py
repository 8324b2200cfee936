"""What is tried in the workflow task first: discarded, lost, late, void, replaced, replayed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from client.plugin import client_plugin
from core.errors import StoreUnavailable
from tests.support.world import Handle, World
from wire.names import Activity
from workflows.registry import ALL_WORKFLOWS
from workflows.sandbox import sandboxed

ONE = [{"roles": ["approver"], "needed": 1}]
TWO = [{"roles": ["approver"], "needed": 2}]


async def replayed(handle: Handle) -> WorkflowHistory:
    """Replay what a request has done until now, as a worker does that has forgotten it."""
    history = await handle.fetch_history()
    replayer = Replayer(
        workflows=ALL_WORKFLOWS, plugins=[client_plugin()], workflow_runner=sandboxed()
    )
    await replayer.replay_workflow(history)
    return history


def scheduled(history: WorkflowHistory) -> list[str]:
    """Answer what was asked remotely."""
    return [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


@contextmanager
def first_call_takes(world: World, where: str, seconds: float) -> Iterator[threading.Event]:
    """Let the first call at a hook take its time; yields what is set when it goes on."""
    gone_on, first = threading.Event(), iter([True])

    def take_time() -> None:
        if next(first, False):
            time.sleep(seconds)
            gone_on.set()

    world.hooks.hooks[where] = take_time
    yield gone_on
    assert gone_on.wait(20)


# --- what a local attempt leaves in the history


async def test_a_local_attempt_that_took_too_long_replays(world: World) -> None:
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)
    with first_call_takes(world, "end.before", 1.3):
        await world.decide(handle, "ben")

        assert (await world.result(handle)).status == "Executed"

    assert scheduled(await replayed(handle)) == [Activity.EXECUTE_MUTATION]


async def test_a_local_attempt_that_failed_replays(world: World) -> None:
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)
    failures = iter([StoreUnavailable("The store does not answer.")])

    def fail_once() -> None:
        for failure in failures:
            raise failure

    world.hooks.hooks["end.before"] = fail_once
    await world.decide(handle, "ben")

    assert (await world.result(handle)).status == "Executed"
    assert scheduled(await replayed(handle)) == [Activity.EXECUTE_MUTATION]


# --- an ask that is void


async def test_g1_a_grant_withdrawn_during_the_local_attempt_is_not_executed_remotely(
    world: World,
) -> None:
    # A workflow task of one second shows new messages after 0.8 s, while the attempt still runs.
    handle = await world.start("Add", needs=ONE, task_timeout=timedelta(seconds=1))
    request = await world.pending(handle)
    with first_call_takes(world, "end.before", 1.5) as gone_on:
        await handle.signal("approve", {"decision_id": "d-1", "actor_id": "ben"})
        await asyncio.sleep(0.3)
        await handle.signal("withdraw", {"decision_id": "d-2", "actor_id": "ben"})
        assert await asyncio.to_thread(gone_on.wait, 20)
    await world.until(handle, lambda r: any(d.code == "Withdrawn" for d in r.decisions))
    await asyncio.sleep(0.5)

    assert (await world.request(handle)).status == "Pending"
    assert world.value(request.state_id) == 0
    assert Activity.EXECUTE_MUTATION not in scheduled(await replayed(handle))
