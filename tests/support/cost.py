"""What each kind of request costs in Temporal: events and billable actions, from real histories.

`python -m tests.support.cost` prints the table of `docs/explanation/cost.md`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory

from core.checks import not_yet
from store import open_store
from wire.names import Signal

from . import box
from .histories import LOCAL_ACTIVITY
from .server import start_server
from .world import World, make_world

SOON = timedelta(seconds=1)
ONE = [{"roles": ["approver"], "needed": 1}]
TWO = [{"roles": ["approver"], "needed": 2}]


class Cost(NamedTuple):
    """What a history counts.

    Attributes:
        events: Its length.
        actions: What Temporal Cloud would bill for it; queries are no part of a history.
    """

    events: int
    actions: int


def cost_of(history: WorkflowHistory) -> Cost:
    """Count a history."""
    events = history.events
    local = {
        event.marker_recorded_event_attributes.workflow_task_completed_event_id
        for event in events
        if event.marker_recorded_event_attributes.marker_name == LOCAL_ACTIVITY
    }
    attempts = [
        event.activity_task_started_event_attributes.attempt
        for event in events
        if event.HasField("activity_task_started_event_attributes")
    ]
    billed = sum(event.event_type in BILLED for event in events)
    return Cost(len(events), billed + len(local) + sum(attempts))


BILLED: Final = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        EventType.EVENT_TYPE_TIMER_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
        EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
    }
)
"""Events that are one action each; activities count by attempt, local ones by workflow task."""


Kind = Callable[[World], Awaitable[str]]
"""Lives one request to its end and answers its id."""


async def at_once(world: World) -> str:
    return await _ended(world, await _submit(world), "Executed")


async def by_signal(world: World) -> str:
    request_id = await _waiting(world, ONE)
    handle = world.client.get_workflow_handle(request_id)
    await handle.signal(Signal.APPROVE, {"decision_id": "d-1", "actor_id": "ben"})
    return await _ended(world, request_id, "Executed")


async def by_update(world: World) -> str:
    request_id = await _waiting(world, ONE)
    await world.mutator.approve(request_id, actor_id="ben")
    return await _ended(world, request_id, "Executed")


async def by_two(world: World) -> str:
    request_id = await _waiting(world, TWO)
    await world.mutator.approve(request_id, actor_id="ben")
    await world.mutator.approve(request_id, actor_id="cleo")
    return await _ended(world, request_id, "Executed")


async def renewed(world: World) -> str:
    state = world.state()
    request_id = await _waiting(world, TWO, state_id=state)
    await world.mutator.approve(request_id, actor_id="ben")
    await _ended(world, await _submit(world, state_id=state), "Executed")
    for actor in ("cleo", "ben", "cleo"):
        await world.mutator.approve(request_id, actor_id=actor)
    return await _ended(world, request_id, "Executed")


async def with_side_effects(world: World) -> str:
    put = [{"type": "Put", "parameters": {"key": "x", "value": 1}}]
    request_id = await _waiting(world, ONE, mutations=put)
    await world.mutator.approve(request_id, actor_id="ben")
    return await _ended(world, request_id, "Executed")


async def rejected(world: World) -> str:
    request_id = await _waiting(world, ONE)
    await world.mutator.reject(request_id, actor_id="ben")
    return await _ended(world, request_id, "Rejected")


async def canceled(world: World) -> str:
    request_id = await _waiting(world, ONE)
    await world.mutator.cancel(request_id, actor_id="ana")
    return await _ended(world, request_id, "Canceled")


async def reviewed(world: World) -> str:
    review = [{"kind": "review", "people": ["eve"]}]
    return await _fulfilled(world, await _waiting(world, review))


async def called_back(world: World) -> str:
    request_id = await _submit(world, [{"kind": "check", "name": "ticket", "people": ["eve"]}])
    await _looked(world, request_id)
    return await _fulfilled(world, request_id)


async def checked(world: World) -> str:
    request_id = await _submit(world, [{"kind": "check", "name": "ci"}])
    return await _ended(world, request_id, "Executed")


async def checked_again(world: World) -> str:
    box.KNOBS.check = not_yet("still running", SOON)
    request_id = await _submit(world, [{"kind": "check", "name": "ci"}])
    await _looked(world, request_id)
    box.KNOBS.check = box.PASSED
    return await _ended(world, request_id, "Executed")


async def in_its_time(world: World) -> str:
    at = datetime.now(UTC) + SOON
    request_id = await _submit(world, not_before=at.isoformat())
    return await _ended(world, request_id, "Executed")


async def after_another(world: World) -> str:
    other = await _waiting(world, ONE)
    request_id = await _submit(world, depends_on=[other])
    await _looked(world, request_id)
    await world.mutator.approve(other, actor_id="ben")
    return await _ended(world, request_id, "Executed")


async def with_room(world: World) -> str:
    return await _ended(world, await _submit(world, [_quota(world)]), "Executed")


async def with_room_later(world: World) -> str:
    need = _quota(world)
    await _ended(world, await _submit(world, [need]), "Executed")
    return await _ended(world, await _submit(world, [need]), "Executed")


async def expired(world: World) -> str:
    return await _ended(world, await _waiting(world, ONE, expires_in=2), "Expired")


def remotely(kind: Kind) -> Kind:
    """Live it in a domain that is asked remotely."""

    async def live(world: World) -> str:
        world.way = "remote"
        try:
            return await kind(world)
        finally:
            world.way = "local_first"

    return live


WAITS: Final[dict[str, Kind]] = {
    "a review, by update": reviewed,
    "a callback, by update": called_back,
    "a check": checked,
    "a check that is asked twice": checked_again,
    "a moment": in_its_time,
    "another request": after_another,
    "room in a budget": with_room,
    "room in a budget, waited for": with_room_later,
}
"""One reason each, and nothing else."""

KINDS: Final[dict[str, Kind]] = {
    "executed at once, by policy": at_once,
    "one approval, by signal": by_signal,
    "one approval, by update": by_update,
    "one approval, by update, with side effects": with_side_effects,
    "two approvals, by update": by_two,
    "two approvals, asked again because the state moved": renewed,
    "rejected, by update": rejected,
    "canceled, by update": canceled,
    "expired": expired,
    **WAITS,
    "remote domain: executed at once, by policy": remotely(at_once),
    "remote domain: one approval, by update": remotely(by_update),
    "remote domain: two approvals, by update": remotely(by_two),
    **{f"remote domain: {name}": remotely(kind) for name, kind in WAITS.items()},
}
"""By the words of the page."""


async def count(world: World, name: str) -> Cost:
    """Live a request of a kind and count its history."""
    request_id = await KINDS[name](world)
    return cost_of(await world.client.get_workflow_handle(request_id).fetch_history())


def table(costs: dict[str, Cost]) -> str:
    """Write the table of the page."""
    head = ["| request | events | actions |", "| --- | --- | --- |"]
    return "\n".join(head + [f"| {name} | {c.events} | {c.actions} |" for name, c in costs.items()])


async def _submit(world: World, needs: Sequence[dict[str, Any]] = (), **more: Any) -> str:
    wish: dict[str, Any] = {
        "state_id": world.state(),
        "mutations": [{"type": "Add", "parameters": {"key": "x"}}],
        "actor_id": "ana",
        "metadata": {"needs": list(needs)},
    }
    submitted = await world.mutator.submit(wish | more, request_id=world.fresh("r"))
    return submitted.request_id


async def _waiting(world: World, needs: Sequence[dict[str, Any]], **more: Any) -> str:
    request_id = await _submit(world, needs, **more)
    await world.waiting(request_id)
    return request_id


async def _looked(world: World, request_id: str) -> None:
    """Wait, by the store alone, until what it waits for has been looked at."""
    async with asyncio.timeout(20):
        while not (stored := world.store.request(request_id)) or not any(
            each.finding is not None and each.asked for each in stored.requirements
        ):
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.05)


async def _fulfilled(world: World, request_id: str) -> str:
    await world.mutator.fulfil(request_id, actor_id="eve", verdict="passed", reason="fine")
    return await _ended(world, request_id, "Executed")


def _quota(world: World) -> dict[str, Any]:
    return {"kind": "quota", "key": world.fresh(), "budget": {"limit": 1, "per": "PT2S"}}


async def _ended(world: World, request_id: str, status: str) -> str:
    result = await world.mutator.result(request_id, within=30)
    assert result.status == status, result
    return request_id


async def main() -> None:
    env = await start_server()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/mutator.db")
        async with make_world(env, store) as world:
            print(table({name: await count(world, name) for name in KINDS}))
        store.close()
    await env.shutdown()
    # A process that used the SDK can abort while it exits unless its threads had a moment.
    await asyncio.sleep(0.1)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
