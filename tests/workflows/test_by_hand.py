"""What a person types with Temporal's own command line, after `docs/reference/wire.md`."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.support.server import TEMPORAL
from tests.support.world import World

ONE = [{"roles": ["security"], "needed": 1}]


async def temporal(world: World, *words: str) -> str:
    """Run the `temporal` command against the tests' server and answer what it prints."""
    process = await asyncio.create_subprocess_exec(
        str(TEMPORAL),
        *words,
        "--address",
        world.client.service_client.config.target_host,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_a_signal_typed_by_hand_approves(world: World) -> None:
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)
    decision = {"decision_id": "by-hand", "actor_id": "ben", "reason": "looked at it"}

    await temporal(
        world,
        *("workflow", "signal", "--workflow-id", handle.id, "--name", "approve"),
        *("--input", json.dumps(decision)),
    )

    assert (await world.result(handle)).status == "Executed"


async def test_an_update_typed_by_hand_approves(world: World) -> None:
    handle = await world.start("Add", needs=ONE)
    request = await world.pending(handle)
    decision = {
        "decision_id": "by-hand",
        "actor_id": "ben",
        "verdict": "approve",
        "binding": request.binding,
    }

    printed = await temporal(
        world,
        *("workflow", "update", "execute", "--workflow-id", handle.id, "--name", "decide"),
        *("--input", json.dumps(decision), "--output", "json"),
    )

    assert '"Executed"' in printed
    assert (await world.result(handle)).status == "Executed"


async def test_one_query_is_a_persons_inbox(world: World) -> None:
    for_ben = await world.start("Add", needs=ONE)
    by_name = await world.start("Add", needs=[{"people": ["Ben"]}])
    for_cleo = await world.start("Add", needs=[{"people": ["cleo"]}])
    for handle in (for_ben, by_name, for_cleo):
        await world.pending(handle)
    query = 'MutationApprovers IN ("user:ben", "role:security") AND ExecutionStatus = "Running"'

    async def listed() -> set[str]:
        printed = await temporal(world, "workflow", "list", "--query", query, "--output", "json")
        rows: list[dict[str, Any]] = json.loads(printed)
        return {row["execution"]["workflowId"] for row in rows}

    async with asyncio.timeout(20):
        while not {for_ben.id, by_name.id} <= (found := await listed()):
            await asyncio.sleep(0.2)
    assert for_cleo.id not in found

    await world.decide(for_ben, "ben")
    await world.result(for_ben)
    async with asyncio.timeout(20):
        while for_ben.id in await listed():
            await asyncio.sleep(0.2)
