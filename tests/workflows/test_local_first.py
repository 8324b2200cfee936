"""What is tried in the workflow task first: discarded, lost, late, void, replaced, replayed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    Replayer,
)

from activities.author_code import in_thread
from client.plugin import client_plugin
from core.errors import DecisionRefused, StoreUnavailable
from core.governance.outcome import Ending
from core.governance.request import MutationRequest
from store.protocol import Conflict, Ended, Fenced
from tests.support import box
from tests.support.histories import asked_remotely
from tests.support.tasks import watched
from tests.support.world import Handle, World, make_world
from wire.messages import Reply
from wire.names import Activity
from workflows import ALL_WORKFLOWS
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

    assert asked_remotely(await replayed(handle)) == [Activity.EXECUTE_MUTATION]


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
    assert asked_remotely(await replayed(handle)) == [Activity.EXECUTE_MUTATION]


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
    assert Activity.EXECUTE_MUTATION not in asked_remotely(await replayed(handle))


# --- a workflow task that is thrown away


async def test_g4_every_local_activity_whose_task_fails_counts_once(
    server: WorkflowEnvironment, world: World
) -> None:
    failed: set[str] = set()
    ran = Ran()

    def fail_once(name: str, local: bool) -> None:
        if name not in failed:
            failed.add(name)
            raise RuntimeError(f"The task in which {name} was answered fails.")

    async with make_world(
        server, world.store, interceptors=[ran], plugins=[watched(fail_once)]
    ) as failing:
        executed = await failing.start("Put", needs=TWO)
        await failing.waiting(executed.id)
        await failing.decide(executed, "ben")
        await executed.signal("approve", {"decision_id": "d-2", "actor_id": "cleo"})
        result = await failing.result(executed)
        committed = await failing.agree(executed)
        rejected = await failing.start("Add", needs=ONE)
        await failing.waiting(rejected.id)
        await rejected.signal("reject", {"decision_id": "d", "actor_id": "ben"})
        await failing.result(rejected)
        ended = await failing.agree(rejected)
        failed.remove(Activity.RECORD_OUTCOME)
        canceled = await failing.start("Add", needs=ONE)
        await failing.waiting(canceled.id)
        await canceled.cancel()
        assert (await failing.result(canceled)).status == "Canceled"
        await failing.agree(canceled)
        unasked = await failing.start("Add")
        assert (await failing.result(unasked)).status == "Executed"
        assert version(world, await failing.agree(unasked)) == 1

    assert result.status == "Executed"
    assert version(world, committed) == result.resulting_version == 1
    assert [d.actor_id for d in committed.decisions if d.code == "Granted"] == ["ben", "cleo"]
    assert ended.status == "Rejected"
    assert version(world, ended) == 0
    assert failed >= {
        Activity.ASSESS_REQUEST,
        Activity.AUTHENTICATE,
        Activity.EXECUTE_MUTATION,
        Activity.RECORD_OUTCOME,
        Activity.RECORD_PROGRESS,
        Activity.SEND_WAKEUPS,
    }
    twice = {name for name in failed if ran.count(name, executed, rejected, canceled, unasked) > 1}
    # The commit ran once: the second time the assessment answered the record. The dispatcher
    # is no request, and asks for everything remotely.
    assert failed - twice == {Activity.EXECUTE_MUTATION, Activity.DISPATCH_SIDE_EFFECTS}
    await replayed(executed)
    await replayed(rejected)


@pytest.mark.parametrize("where", ["end.before", "end.after"])
async def test_g4_a_signal_throws_the_task_of_a_local_commit_away_and_it_counts_once(
    server: WorkflowEnvironment, world: World, where: str
) -> None:
    ran, reached, release = Ran(), threading.Event(), threading.Event()
    async with make_world(server, world.store, interceptors=[ran]) as discarding:
        handle = await discarding.start("Add", needs=ONE)
        await discarding.pending(handle)

        def wait() -> None:
            reached.set()
            assert release.wait(20)

        discarding.hooks.hooks[where] = wait
        await handle.signal("approve", {"decision_id": "d", "actor_id": "ben"})
        assert await asyncio.to_thread(reached.wait, 20)
        await handle.signal("nothing-we-know")
        release.set()

        assert (await discarding.result(handle)).status == "Executed"
        request = await discarding.agree(handle)
        history = await replayed(handle)

    assert version(world, request) == 1
    assert len(world.store.history(request.state_id)) == 1
    # The second time the look-up of the sender answers the record.
    assert ran.count(Activity.AUTHENTICATE, handle) == 2
    assert ran.count(Activity.EXECUTE_MUTATION, handle) == 0
    assert [d.code for d in request.decisions].count("Executed") == 1
    causes = [
        event.workflow_task_failed_event_attributes.cause
        for event in history.events
        if event.HasField("workflow_task_failed_event_attributes")
    ]
    assert causes == [WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND]


async def test_g4_an_update_lost_with_the_task_of_its_commit_is_answered_by_the_record(
    world: World,
) -> None:
    handle = await world.start("Add", needs=ONE)
    binding = (await world.pending(handle)).binding
    reached, release = threading.Event(), threading.Event()

    def wait() -> None:
        reached.set()
        assert release.wait(20)

    world.hooks.hooks["end.after"] = wait
    decision = {"decision_id": "d", "actor_id": "ben", "binding": binding}
    approving = asyncio.create_task(said(world.mutator.approve(handle.id, **decision)))
    assert await asyncio.to_thread(reached.wait, 20)
    await handle.signal("nothing-we-know")
    release.set()

    # The commit made it Executed; the task that was to say so is gone, and so is the update.
    assert await approving == "Executed"
    assert (await world.result(handle)).status == "Executed"
    request = await world.agree(handle)
    assert version(world, request) == 1
    assert [d.actor_id for d in request.decisions if d.code == "Granted"] == ["ben"]


# --- a local attempt that comes back late


async def test_g4_a_local_commit_after_its_remote_replacement_finds_the_record(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)
    ends = Ends(world, pauses=[1.5, 0])
    monkeypatch.setattr(world.hooks, "end", ends, raising=False)

    await world.decide(handle, "ben")
    await world.result(handle)
    request = await world.agree(handle)
    await ends.until(2)

    replacement, late = ends.answers
    assert replacement[0] > late[0], "the replacement has the higher fence"
    assert replacement[1] == late[1] == Ended(request)
    assert version(world, request) == 1


@pytest.mark.parametrize("needs", [ONE, []], ids=["granted", "by policy"])
async def test_g4_a_local_commit_before_its_remote_replacement_commits_is_the_one(
    world: World, monkeypatch: pytest.MonkeyPatch, needs: list[dict[str, Any]]
) -> None:
    ends = Ends(world, pauses=[1.3, 0.6])
    monkeypatch.setattr(world.hooks, "end", ends, raising=False)

    handle = await world.start("Add", needs=needs)
    if needs:
        await world.pending(handle)
        await world.decide(handle, "ben")
    await world.result(handle)
    request = await world.agree(handle)
    await ends.until(2)

    late, replacement = ends.answers
    assert replacement[0] > late[0]
    assert replacement[1] == late[1] == Ended(request)
    assert version(world, request) == 1


async def test_g4_a_local_commit_after_its_replacement_was_called_off_is_fenced(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = await world.start("Add", needs=ONE, task_timeout=timedelta(seconds=1))
    await world.pending(handle)
    ends = Ends(world, pauses=[1.5, 0])
    monkeypatch.setattr(world.hooks, "end", ends, raising=False)

    await handle.signal("approve", {"decision_id": "d-1", "actor_id": "ben"})
    await asyncio.sleep(0.3)
    await handle.signal("withdraw", {"decision_id": "d-2", "actor_id": "ben"})
    await ends.until(1)

    assert isinstance(ends.answers[0][1], Fenced)
    assert (await world.decide(handle, "cleo")).status == "Executed"
    await world.result(handle)
    assert version(world, await world.agree(handle)) == 1


async def test_a_local_assessment_after_its_remote_replacement_changes_nothing(
    world: World,
) -> None:
    with first_call_takes(world, "note.before", 1.5) as gone_on:
        handle = await world.start("Add", needs=ONE)
        shown = await world.pending(handle)
        assert await asyncio.to_thread(gone_on.wait, 20)
    await asyncio.sleep(0.2)

    assert world.store.request(handle.id) == shown
    assert asked_remotely(await replayed(handle)) == [Activity.ASSESS_REQUEST]
    assert (await world.decide(handle, "ben", binding=shown.binding)).status == "Executed"
    await world.result(handle)
    assert version(world, await world.agree(handle)) == 1


# --- code that is slow, or says that it wants to be asked remotely


async def test_a_domain_that_says_remote_never_runs_author_code_in_a_workflow_task(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    locally: list[bool] = []

    def seen(run: Callable[[], object], timeout: float) -> object:
        locally.append(activity.info().is_local)
        return in_thread(run, timeout)

    monkeypatch.setattr("activities.evaluation.in_thread", seen)

    async def a_whole_way() -> list[bool]:
        locally.clear()
        state = world.state()
        handle = await world.start("Add", state_id=state, needs=TWO)
        await world.pending(handle)
        await world.decide(handle, "ben")
        await world.result(await world.start("Add", state_id=state))
        assert (await world.decide(handle, "cleo")).status == "Pending"
        refresh = {"decision_id": "r", "actor_id": "ben"}
        await world.send(handle, "refresh", refresh)
        await world.decide(handle, "ben")
        await world.decide(handle, "cleo")
        assert (await world.result(handle)).status == "Executed"
        await replayed(handle)
        return locally

    assert True in await a_whole_way()
    world.way = "remote"
    assert set(await a_whole_way()) == {False}


async def test_slow_author_code_falls_back_to_remote_and_is_seen_to_run(world: World) -> None:
    box.KNOBS.sleep = 1.4

    handle = await world.start("Add", needs=ONE)
    await until_it_runs(handle, Activity.ASSESS_REQUEST)
    await world.pending(handle)
    await handle.signal("approve", {"decision_id": "d", "actor_id": "ben"})
    await until_it_runs(handle, Activity.EXECUTE_MUTATION)

    assert (await world.result(handle)).status == "Executed"
    assert version(world, await world.agree(handle)) == 1
    history = await replayed(handle)
    assert asked_remotely(history) == [Activity.ASSESS_REQUEST, Activity.EXECUTE_MUTATION]


# --- what the tests say


class Ran(Interceptor):
    """Which activities ran in workflow tasks, of which request."""

    def __init__(self) -> None:
        self._locally: list[tuple[str, str | None]] = []

    def count(self, name: str, *handles: Handle) -> int:
        """Answer the most often that one of the requests had it run."""
        return max(self._locally.count((name, handle.id)) for handle in handles)

    def intercept_activity(
        self,
        next: ActivityInboundInterceptor,  # noqa: A002 - the SDK's name
    ) -> ActivityInboundInterceptor:
        locally = self._locally

        class Inbound(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
                info = activity.info()
                if info.is_local:
                    locally.append((info.activity_type, info.workflow_id))
                return await super().execute_activity(input)

        return Inbound(next)


class Ends:
    """The store's `end`, each call after a pause of its own; keeps fences and answers."""

    def __init__(self, world: World, pauses: Sequence[float]) -> None:
        self._end = world.store.end
        self._pauses = iter(pauses)
        self.answers: list[tuple[int, Ended | Fenced | Conflict]] = []

    def __call__(self, ending: Ending) -> Ended | Fenced | Conflict:
        time.sleep(next(self._pauses, 0))
        answer = self._end(ending)
        self.answers.append((ending.fence or 0, answer))
        return answer

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.answers) < count:
                await asyncio.sleep(0.05)


async def until_it_runs(handle: Handle, name: str) -> None:
    """Wait until Temporal shows that an activity runs."""
    async with asyncio.timeout(20):
        while True:
            described = await handle.describe()
            pending = described.raw_description.pending_activities
            if name in {each.activity_type.name for each in pending}:
                return
            await asyncio.sleep(0.05)


async def said(answer: Awaitable[Reply]) -> str:
    """Answer how the request stands by the reply, or by what name the message was refused."""
    try:
        return (await answer).status
    except DecisionRefused as refusal:
        return refusal.code


def version(world: World, request: MutationRequest) -> int:
    """Answer the version of a request's state."""
    state = world.store.state(request.state_id)
    assert state is not None
    return state.version
