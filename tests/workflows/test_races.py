"""Without any crash: what overlaps, repeats, comes late; store and workflow agree, both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from activities.execute import Executing
from activities.outside import Outside
from core.errors import DecisionRefused
from core.governance.lifecycle import close
from core.governance.outcome import Ending, cancel_by
from core.governance.request import MutationRequest
from tests.conftest import in_its_way
from tests.support import box
from tests.support.hooks import held_at, reach
from tests.support.world import Handle, World
from wire.asks import ExecuteMutation, Reconciled
from wire.messages import Reply
from wire.names import RECONCILER_TYPE, Activity

ONE = [{"roles": ["approver"], "needed": 1}]
TWO = [{"roles": ["approver"], "needed": 2}]


@pytest.fixture(params=box.WAYS)
def way(request: pytest.FixtureRequest) -> box.Way:
    """Both ways: tried in the workflow task first, and remotely from the start."""
    found: box.Way = request.param
    return found


@pytest.fixture(params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, way: box.Way) -> Iterator[World]:
    """The worker on either database."""
    yield from in_its_way(request.getfixturevalue(f"{request.param}_world"), way)


@pytest.fixture(params=["sqlite", "postgres"])
def doubled(request: pytest.FixtureRequest, way: box.Way) -> Iterator[World]:
    """The worker that runs every activity twice, on either database."""
    yield from in_its_way(request.getfixturevalue(f"{request.param}_doubled_world"), way)


def assert_one_version(world: World, request: MutationRequest) -> None:
    """Assert that a request committed exactly once."""
    state = world.store.state(request.state_id)
    assert state is not None
    assert state.version == request.resulting_version == 1
    assert len(world.store.history(request.state_id)) == 1
    commits = [e for e in world.store.audit(request_id=request.request_id) if e.version_after]
    assert len(commits) == 1


async def waiting(world: World, needs: list[dict[str, Any]], **more: Any) -> Handle:
    """Start a request and wait until it waits."""
    handle = await world.start("Add", needs=needs, **more)
    await world.pending(handle)
    return handle


async def said(answer: Awaitable[Reply]) -> str:
    """Answer how the request stands by the reply, or by what name the message was refused."""
    try:
        return (await answer).status
    except DecisionRefused as refusal:
        return refusal.code


@pytest.mark.parametrize("where", ["end.before", "end.after"])
async def test_a_harmless_signal_during_the_commit_changes_nothing(
    world: World, where: str
) -> None:
    handle = await waiting(world, ONE)
    shown = await world.request(handle)
    with held_at(world.hooks, where) as (reached, release):
        approving = world.mutator.approve(handle.id, actor_id="ben", binding=shown.binding)
        deciding = asyncio.create_task(said(approving))
        await reach(reached)

        await handle.signal("wake")
        await handle.signal("nothing-we-know", {"a": 1})
        release.set()
        answer = await deciding

    # The signals throw the task of a local commit away, with the update: the record answers it.
    assert answer == "Executed"
    assert (await world.result(handle)).status == "Executed"
    assert_one_version(world, await world.agree(handle))


@pytest.mark.parametrize("where", ["end.before", "end.after"])
async def test_temporals_cancel_during_the_commit_leaves_one_ending(
    world: World, where: str
) -> None:
    handle = await waiting(world, ONE)
    with held_at(world.hooks, where) as (reached, release):
        await handle.signal("approve", {"decision_id": "d", "actor_id": "ben"})
        await reach(reached)

        await handle.cancel()
        result = await world.result(handle)
        release.set()

    assert result.status in first(world, where, "Canceled")
    request = await world.agree(handle)
    assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED
    await asyncio.sleep(0.2)
    assert version(world, request) == (1 if result.status == "Executed" else 0)


@pytest.mark.parametrize("where", ["end.before", "end.after"])
async def test_a_cancel_during_the_commit_is_answered_with_what_the_store_said(
    world: World, where: str
) -> None:
    handle = await waiting(world, ONE)
    with held_at(world.hooks, where) as (reached, release):
        await handle.signal("approve", {"decision_id": "d", "actor_id": "ben"})
        await reach(reached)

        answer = await said(world.mutator.cancel(handle.id, actor_id="ana", reason="no more"))
        release.set()

    status = (await world.result(handle)).status
    assert status in first(world, where, "Canceled")
    assert answer == status or (answer, status) == ("RequestClosed", "Executed")
    request = await world.agree(handle)
    await asyncio.sleep(0.2)
    assert version(world, request) == (1 if status == "Executed" else 0)


async def test_a_grant_withdrawn_while_it_executes_is_not_executed_or_it_was_too_late(
    world: World,
) -> None:
    handle = await waiting(world, ONE)
    binding = (await world.request(handle)).binding
    with held_at(world.hooks, "end.before") as (reached, release):
        await handle.signal("approve", {"decision_id": "d", "actor_id": "ben"})
        await reach(reached)

        answer = await said(world.mutator.withdraw(handle.id, actor_id="ben", binding=binding))
        release.set()

    if answer == "Pending":
        await asyncio.sleep(0.3)
        assert version(world, await world.request(handle)) == 0
        await world.decide(handle, "cleo")
    else:
        assert (world.way, answer) == ("local_first", "RequestClosed")
    assert (await world.result(handle)).status == "Executed"
    assert_one_version(world, await world.agree(handle))


async def test_a_rejection_while_it_executes_ends_it_or_came_too_late(world: World) -> None:
    handle = await waiting(world, ONE)
    binding = (await world.request(handle)).binding
    with held_at(world.hooks, "end.before") as (reached, release):
        await handle.signal("approve", {"decision_id": "d", "actor_id": "ben"})
        await reach(reached)

        answer = await said(world.mutator.reject(handle.id, actor_id="cleo", binding=binding))
        release.set()

    status = (await world.result(handle)).status
    request = await world.agree(handle)
    assert status in first(world, "end.before", "Rejected")
    assert answer == status or (answer, status) == ("RequestClosed", "Executed")
    assert (request.rejection is not None) == (status == "Rejected")
    await asyncio.sleep(0.2)
    assert version(world, request) == (1 if status == "Executed" else 0)


def first(world: World, where: str, ending: str) -> set[str]:
    """Answer which endings may be the first that is written, when both are under way.

    After the commit it is Executed. Before it, a remote ask has raised the fence by the time the
    commit goes on; a local attempt keeps its workflow task open, so nobody hears of the other
    ending until it is replaced, and then the two race.
    """
    if where == "end.after":
        return {"Executed"}
    return {ending} if world.way == "remote" else {ending, "Executed"}


def version(world: World, request: MutationRequest) -> int:
    """Answer the version of a request's state."""
    state = world.store.state(request.state_id)
    assert state is not None
    return state.version


@pytest.mark.parametrize("way", ["remote"])  # a local attempt leaves no ask in the history
async def test_an_attempt_that_commits_after_its_replacement_finds_the_record(
    world: World,
) -> None:
    handle = await waiting(world, ONE)
    with held_at(world.hooks, "end.before") as (reached, release):
        await handle.signal("approve", {"decision_id": "d", "actor_id": "ben"})
        await reach(reached)

        replacement = Executing(_unhooked(world))
        ask = await _asked(handle, Activity.EXECUTE_MUTATION)
        answer = await asyncio.to_thread(replacement.execute_mutation, ask)
        release.set()

    assert answer.ended is not None
    await world.result(handle)
    request = await world.agree(handle)
    assert request.execution_id == answer.ended.execution_id
    assert_one_version(world, request)


@pytest.mark.parametrize("way", ["remote"])  # a local attempt leaves no ask in the history
async def test_every_activity_repeated_after_the_end_answers_the_record(world: World) -> None:
    handle = await waiting(world, ONE)
    await world.decide(handle, "ben")
    before = await world.agree(handle)

    again = Executing(_unhooked(world))
    ask = await _asked(handle, Activity.EXECUTE_MUTATION)
    answers = await asyncio.gather(
        *[asyncio.to_thread(again.execute_mutation, ask) for _ in range(4)]
    )

    assert all(answer.ended == before for answer in answers)
    assert_one_version(world, before)


async def test_every_activity_twice_at_once_executes_once(doubled: World) -> None:
    handle = await waiting(doubled, TWO)
    await doubled.decide(handle, "ben")
    await doubled.decide(handle, "cleo")

    request = await doubled.agree(handle)

    assert [d.code for d in request.decisions][-2:] == ["Validated", "Executed"]
    assert_one_version(doubled, request)


async def test_every_activity_twice_at_once_renews_and_survives_as_before(doubled: World) -> None:
    state = doubled.state()
    handle = await waiting(doubled, TWO, state_id=state)
    await doubled.decide(handle, "ben")
    await doubled.result(await doubled.start("Add", state_id=state, parameters={"key": "other"}))
    await doubled.result(await doubled.start("Add", state_id=state))

    await doubled.decide(handle, "cleo")
    request = await doubled.request(handle)

    assert (request.status, request.round) == ("Pending", 2)
    await doubled.decide(handle, "ben")
    await doubled.decide(handle, "cleo")
    assert (await doubled.agree(handle)).resulting_version == 3


async def test_every_activity_twice_at_once_loses_no_update(doubled: World) -> None:
    state = doubled.state()
    handles = [await doubled.start("Add", state_id=state) for _ in range(20)]

    statuses = [(await doubled.result(handle)).status for handle in handles]

    assert statuses == ["Executed"] * 20
    assert doubled.value(state) == 20


async def test_every_activity_twice_at_once_ends_otherwise_once(doubled: World) -> None:
    rejected, canceled = await waiting(doubled, ONE), await waiting(doubled, ONE)

    await doubled.decide(rejected, "ben", "reject")
    await canceled.signal("cancel", {"decision_id": "c", "actor_id": "ana"})

    assert (await doubled.result(rejected)).status == "Rejected"
    assert (await doubled.result(canceled)).status == "Canceled"
    await doubled.agree(rejected)
    await doubled.agree(canceled)


@pytest.mark.parametrize("way", ["local_first"])  # nothing of the author's is asked for
async def test_a_terminated_workflow_is_ended_in_the_record(world: World) -> None:
    handle = await waiting(world, TWO)
    await world.decide(handle, "ben")
    await handle.terminate("by hand")

    found = await reconcile(world)

    stored = world.store.request(handle.id)
    assert found.ended >= 1
    assert stored is not None
    assert stored.status == "Canceled"
    assert stored.decisions[-1].actor_id == "system:mutator"
    assert "Granted" in [d.code for d in stored.decisions]


@pytest.mark.parametrize("way", ["local_first"])  # nothing of the author's is asked for
async def test_an_open_workflow_whose_record_has_ended_is_told(world: World) -> None:
    handle = await waiting(world, ONE)
    request = cancel_by(await world.request(handle), "system:elsewhere", reason="ended outside")
    assert request.closing is not None
    world.store.end(Ending(request=close(request, request.closing, request.updated_at)))

    async with asyncio.timeout(20):
        while not (await reconcile(world)).told:
            await asyncio.sleep(0.2)

    assert (await world.result(handle)).status == "Canceled"
    await world.agree(handle)


@pytest.mark.parametrize("way", ["local_first"])  # nothing of the author's is asked for
async def test_a_decision_on_a_request_that_ended_elsewhere_is_refused_by_name(
    world: World,
) -> None:
    handle = await waiting(world, ONE)
    request = cancel_by(await world.request(handle), "system:elsewhere", reason="ended outside")
    assert request.closing is not None
    world.store.end(Ending(request=close(request, request.closing, request.updated_at)))

    refused = await world.refused(world.decide(handle, "ben"))

    assert refused == "RequestClosed"
    assert (await world.result(handle)).status == "Canceled"


async def reconcile(world: World) -> Reconciled:
    """Sweep once."""
    found: Reconciled = await world.client.execute_workflow(
        RECONCILER_TYPE,
        id=f"mutator/reconcile-{world.fresh()}",
        task_queue=world.task_queue,
        result_type=Reconciled,
    )
    return found


def _unhooked(world: World) -> Outside:
    return Outside(
        store=world.store,
        domains=world.outside.domains,
        directory=world.outside.directory,
        client=world.client,
    )


async def _asked(handle: Handle, name: str) -> ExecuteMutation:
    """Answer what the workflow asked an activity, from its history."""
    async for event in handle.fetch_history_events():
        scheduled = event.activity_task_scheduled_event_attributes
        if scheduled.activity_type.name == name:
            return ExecuteMutation.model_validate_json(scheduled.input.payloads[0].data)
    raise AssertionError(f"{name} was not asked")
