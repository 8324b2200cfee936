"""A request may wait for years: its history begins anew now and then, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment

from store import open_store
from tests.conftest import in_its_way
from tests.support import box
from tests.support.server import start_server
from tests.support.waits import fulfil
from tests.support.world import Handle, World, make_world

TWO = [{"roles": ["approver"], "needed": 2}]


@pytest.fixture(scope="module")
async def forgetful() -> AsyncIterator[WorkflowEnvironment]:
    """A server that wants a new history after forty events."""
    env = await start_server("limit.historyCount.suggestContinueAsNew=40")
    yield env
    await env.shutdown()
    await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
async def made(
    forgetful: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    path: Path = tmp_path_factory.mktemp("long") / "mutator.db"
    store = open_store(f"sqlite:///{path}")
    async with make_world(forgetful, store) as found:
        yield found
    store.close()


@pytest.fixture(params=box.WAYS)
def world(made: World, request: pytest.FixtureRequest) -> Iterator[World]:
    """Both ways, on a server that wants short histories."""
    yield from in_its_way(made, request.param)


async def runs(world: World, handle: Handle) -> int:
    """Answer how many runs a request has had."""
    found = [each async for each in world.client.list_workflows(f"WorkflowId = '{handle.id}'")]
    return len(found)


async def wear_on(world: World, handle: Handle, times: int = 12) -> None:
    """Grant and withdraw, so that the history grows."""
    for _ in range(times):
        await world.decide(handle, "ben")
        await world.decide(handle, "ben", "withdraw")


async def test_a_request_outlives_its_history_with_every_decision(world: World) -> None:
    handle = await world.start("Add", needs=TWO)
    before = await world.pending(handle)

    await wear_on(world, handle)

    request = await world.request(handle)
    async with asyncio.timeout(20):
        while await runs(world, handle) < 2:
            await asyncio.sleep(0.1)
    assert [d.code for d in request.decisions].count("Granted") == 12
    assert [d.number for d in request.decisions] == list(range(1, len(request.decisions) + 1))
    assert request.expires_at == before.expires_at
    assert request.created_at == before.created_at
    await world.decide(handle, "ben")
    await world.decide(handle, "cleo")
    assert (await world.result(handle)).status == "Executed"
    await world.agree(handle)


async def test_an_id_that_was_taken_is_taken_in_every_later_run(world: World) -> None:
    handle = await world.start("Add", needs=TWO)
    await world.pending(handle)
    await world.decide(handle, "ben", decision_id="once")
    refused = await world.refused(world.decide(handle, "eve", decision_id="may-not"))
    assert refused == "NotAuthorised"
    await world.decide(handle, "ben", "withdraw")

    await wear_on(world, handle)

    assert (await world.decide(handle, "ben", decision_id="once")).status == "Pending"
    granted = [d for d in (await world.request(handle)).decisions if d.decision_id == "once"]
    assert len(granted) == 1
    said = world.decide(handle, "ben", "reject", decision_id="once", reason="other content")
    assert await world.refused(said) == "DecisionIdReused"
    assert (
        await world.refused(world.decide(handle, "eve", decision_id="may-not")) == "NotAuthorised"
    )


async def test_what_is_waited_for_is_waited_for_in_the_next_run(world: World) -> None:
    needs: list[dict[str, Any]] = [
        *TWO,
        {"kind": "check", "name": "ticket", "people": ["eve"]},
        {"kind": "schedule", "not_before": "2026-01-01T00:00:00+00:00"},
    ]
    handle = await world.start("Add", needs=needs)
    await world.until(
        handle, lambda r: any(s.finding and s.finding.reference for s in r.requirements)
    )

    await wear_on(world, handle)

    assert len(box.KNOBS.filed) == 1
    await fulfil(world, handle, "eve")
    await world.decide(handle, "ben")
    await world.decide(handle, "cleo")
    assert (await world.result(handle)).status == "Executed"


async def test_what_a_caller_hands_over_as_if_it_were_a_run_before_is_refused(
    world: World,
) -> None:
    handle = await world.start("Add", needs=TWO)
    request = await world.pending(handle)
    forged = {"request": request.model_dump(mode="json"), "plan": {}, "fence": 0}

    second = await world.client.start_workflow(
        "MutationRequest",
        args=[{"state_id": request.state_id, "mutations": [], "actor_id": "ana"}, forged],
        id=world.fresh("r"),
        task_queue=world.task_queue,
    )

    with pytest.raises(Exception, match="Workflow execution failed"):
        await second.result()
    assert (await second.describe()).status is WorkflowExecutionStatus.FAILED


@pytest.mark.parametrize("world", ["local_first"], indirect=True)
async def test_five_hundred_comments_and_a_thousand_decisions_do_no_harm(world: World) -> None:
    handle = await world.start("Add", needs=TWO)
    await world.pending(handle)

    for number in range(500):
        said = {"decision_id": f"c-{number}", "actor_id": "eve", "text": f"thought {number}"}
        await handle.signal("comment", said)
    for number in range(500):
        for verdict in ("approve", "withdraw"):
            decision = {"decision_id": f"{verdict}-{number}", "actor_id": "ben"}
            await handle.signal(verdict, decision)
    request = await world.until(
        handle,
        lambda r: r.comments == 500 and [d.code for d in r.decisions].count("Withdrawn") == 500,
        seconds=240,
    )

    assert len(world.store.comments(handle.id, limit=1000)) == 500
    assert [d.code for d in request.decisions].count("Granted") == 500
    assert request.refused_count == 0
    for approver in ("ben", "cleo"):
        await handle.signal("approve", {"decision_id": "at-last", "actor_id": approver})
    assert (await world.result(handle, seconds=60)).status == "Executed"
    assert timedelta(0) < request.updated_at - request.created_at


async def test_g9_a_request_takes_no_more_than_it_can_carry_and_can_still_be_cancelled(
    world: World,
) -> None:
    """Temporal carries 2 MiB at once; a request that outgrew that could never be ended."""
    handle = await world.start("Add", needs=TWO)
    await world.pending(handle)
    long = {"metadata": {"note": "é" * 15_000}}

    for n in range(40):
        binding = (await world.request(handle)).binding
        said = {"actor_id": "ben", "decision_id": f"on-{n}", "binding": binding, **long}
        await handle.signal("approve", said)
        await handle.signal("withdraw", {"actor_id": "ben", "decision_id": f"off-{n}"})
    request = await world.until(handle, lambda r: r.refused_messages)

    assert {m.error for m in request.refused_messages} <= {"RequestFull", "NothingToWithdraw"}
    assert len(request.model_dump_json().encode()) < 1024 * 1024
    await world.send(handle, "cancel_request", {"actor_id": "ana", "decision_id": "enough"})
    assert (await world.agree(handle)).status == "Canceled"


async def test_g9_ids_that_strangers_take_do_not_keep_a_request_from_going_on(
    world: World,
) -> None:
    handle = await world.start("Add", needs=TWO)
    binding = (await world.pending(handle)).binding

    for n in range(700):
        said = {"actor_id": "eve", "decision_id": f"{n}" + "𝄞" * 190, "binding": binding}
        await handle.signal("approve", said)
    for name in ("ben", "cleo"):
        await handle.signal("approve", {"actor_id": name, "decision_id": name, "binding": binding})

    assert (await world.result(handle)).status == "Executed"


async def test_whoever_waits_for_an_answer_while_a_history_ends_is_answered(world: World) -> None:
    """The story answers, so it must not wait for those who wait for it."""
    handle = await world.start("Add", needs=TWO)
    await world.pending(handle)
    began = asyncio.get_running_loop().time()

    for turn in range(12):
        again = [{"actor_id": "ana", "decision_id": f"{turn}-{n}"} for n in range(3)]
        replies = await asyncio.gather(
            world.decide(handle, "ben"), *(world.send(handle, "refresh", each) for each in again)
        )
        assert all(reply.settled for reply in replies)
        await world.decide(handle, "ben", "withdraw")

    assert asyncio.get_running_loop().time() - began < 30
    assert await runs(world, handle) > 1
