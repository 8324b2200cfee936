"""What the Temporal web UI and its queries show of a request: who is waited for, and in words."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata

from client.mutator import Mutator
from client.wish import payload_of
from core.governance.people import Directory, Person
from tests.support.box import Add
from tests.support.people import PEOPLE
from tests.support.world import Handle, World

BEN = '("user:ben", "role:approver", "role:security")'
"""Ben, with the roles he holds."""

WIDE = "\u65e5"
"""Three bytes as it is written, six as it is encoded; an emoji has four and twelve."""


async def found(world: World, query: str) -> set[str]:
    return {execution.id async for execution in world.client.list_workflows(query)}


async def until_found(world: World, query: str, ids: set[str], *, of: set[str]) -> None:
    """Visibility follows what happened after a while; look until it has."""
    async with asyncio.timeout(20):
        while (seen := (await found(world, query)) & of) != ids:
            await asyncio.sleep(0.1)
    assert seen == ids


async def attributes(handle: Handle) -> dict[str, Any]:
    described = await handle.describe()
    return {pair.key.name: pair.value for pair in described.typed_search_attributes}


async def details(handle: Handle) -> str:
    """What the page of the request says at this moment."""
    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(metadata.current_details)


async def test_one_query_is_the_inbox_of_a_person(world: World) -> None:
    by_name = await world.start("Add", needs=[{"people": ["ben"]}])
    by_role = await world.start("Add", needs=[{"roles": ["security"], "needed": 1}])
    for_cleo = await world.start("Add", needs=[{"people": ["cleo"]}])
    later = await world.start("Add", needs=[{"people": ["cleo"]}, {"people": ["ben"], "step": 2}])
    handles = (by_name, by_role, for_cleo, later)
    for handle in handles:
        await world.pending(handle)
    every, inbox = {h.id for h in handles}, f"MutationApprovers IN {BEN}"

    await until_found(world, inbox, {by_name.id, by_role.id}, of=every)
    await world.decide(by_name, "ben")
    await world.decide(later, "cleo")

    await until_found(world, inbox, {by_role.id, later.id}, of=every)


async def test_a_request_is_found_by_what_it_is(world: World) -> None:
    state = f"box/{world.fresh('Odd')}"
    handle = await world.start(
        "Put", state_id=state, needs=[{"groups": ["web"], "roles": ["approver"], "needed": 1}]
    )
    request = await world.pending(handle)
    query = (
        f"MutationStateId = '{state.lower()}' AND MutationStatus = 'Pending' "
        "AND MutationType = 'Put' AND MutationRisk = 'high' AND MutationCategory = 'box' "
        "AND MutationRequester = 'ana' AND MutationPendingReasons = 'approval' "
        "AND MutationApprovers = 'group:web'"
    )

    await until_found(world, query, {handle.id}, of={handle.id})

    assert (await attributes(handle))["MutationExpiresAt"] == request.expires_at


async def test_an_ended_request_waits_for_nobody(world: World) -> None:
    handle = await world.start("Add", needs=[{"people": ["ben"]}])
    await world.pending(handle)
    assert (await attributes(handle))["MutationApprovers"] == ["user:ben"]

    await world.decide(handle, "ben")
    await world.result(handle)

    shown = await attributes(handle)
    assert shown["MutationStatus"] == "Executed"
    assert not shown.get("MutationApprovers")
    assert not shown.get("MutationPendingReasons")
    await until_found(
        world, f"MutationApprovers IN {BEN} AND MutationStateId != 'x'", set(), of={handle.id}
    )


async def test_the_page_says_what_it_waits_for_on_whom_and_until_when(world: World) -> None:
    handle = await world.start(
        "Add",
        needs=[{"roles": ["security"], "needed": 1, "title": "Security looks at it"}],
        expires_in="PT48H",
    )
    request = await world.pending(handle)

    shown = await details(handle)

    assert "Pending" in shown
    assert "Security looks at it" in shown
    assert "role:security" in shown
    assert request.expires_at.strftime("%Y-%m-%d %H:%M UTC") in shown
    assert "/numbers/x: added 1" in shown
    assert "It can be taken back." in shown


async def test_the_page_says_what_did_not_count_and_how_it_ended(world: World) -> None:
    handle = await world.start("Add", needs=[{"people": ["ben"]}])
    await world.pending(handle)
    await world.refused(world.decide(handle, "eve"))

    waiting = await details(handle)
    await world.decide(handle, "ben", "reject", reason="not on a Friday")
    await world.result(handle)
    ended = await details(handle)

    assert "1 message(s) did not count" in waiting
    assert "eve" in waiting
    assert "Rejected" in ended
    assert "not on a Friday" in ended


async def test_every_activity_and_timer_of_a_request_says_what_it_is_for(world: World) -> None:
    handle = await world.start("Put", needs=[{"people": ["ben"]}])
    await world.pending(handle)
    await world.decide(handle, "ben")
    await world.result(handle)

    events = (await handle.fetch_history()).events
    begun = [
        event
        for event in events
        if event.HasField("activity_task_scheduled_event_attributes")
        or event.HasField("timer_started_event_attributes")
    ]

    assert begun
    assert [event for event in begun if not event.user_metadata.summary.data] == []


async def test_the_client_writes_a_summary_and_details_at_the_start(world: World) -> None:
    mutator = Mutator(world.client, world.store, task_queue=world.task_queue)
    state = f"box/{world.fresh('s')}"
    submitted = await mutator.submit(
        payload_of(
            state,
            Add(key="x", amount=3),
            actor_id="ana",
            reason="the launch",
            metadata={"needs": [{"people": ["ben"]}]},
        )
    )

    described = await world.client.get_workflow_handle(submitted.request_id).describe()

    assert await described.static_summary() == f"Add on {state}, asked by ana"
    said = await described.static_details() or ""
    assert "the launch" in said
    assert "amount=3" in said


# --- bounds: what is too large for the server is cut, and never ends or stops a request


async def survives(world: World, handle: Handle) -> dict[str, Any]:
    """Assert that the request waits as if nothing were large, and can be cancelled."""
    await world.pending(handle)
    shown = await attributes(handle)
    await handle.execute_update("cancel_request", {"decision_id": "c-1", "actor_id": "dan"})
    assert (await world.result(handle)).status == "Canceled"
    return shown


@pytest.mark.parametrize(
    "letter", ["x", WIDE, "\U0001f600", '"'], ids=["x", "wide", "emoji", "quote"]
)
async def test_too_many_long_tags_are_cut_and_say_so(world: World, letter: str) -> None:
    tags = [f"{number:02}{letter * 150}" for number in range(50)]
    handle = await world.start("Add", needs=[{"people": ["ben"]}], tags=tags)

    shown = (await survives(world, handle))["MutationTags"]

    assert shown[-1] == "more"
    assert set(shown[:-1]) <= set(tags)


@pytest.mark.parametrize("letter", ["x", WIDE], ids=["x", "wide"])
async def test_too_many_approvers_are_cut_and_say_so(world: World, letter: str) -> None:
    roles = [f"{letter * 100}{number:02}" for number in range(40)]
    everybody = Person(id="zoe", name="Zoe", roles=tuple(roles))
    world.directory[0] = Directory(
        people={**PEOPLE.people, "zoe": everybody},
        roles=(*PEOPLE.roles, *roles),
        groups=PEOPLE.groups,
    )
    handle = await world.start("Add", needs=[{"roles": roles, "needed": 1}])

    shown = (await survives(world, handle))["MutationApprovers"]

    assert shown[-1] == "more"
    assert shown[0].startswith("role:")


async def test_a_long_name_of_a_state_is_cut(world: World) -> None:
    handle = await world.start(
        "Add", state_id="box/" + "\U0001f600" * 134, needs=[{"people": ["ben"]}]
    )

    assert (await survives(world, handle))["MutationStateId"].startswith("box/")


@pytest.mark.parametrize("letter", ["x", WIDE, "\U0001f600"], ids=["x", "wide", "emoji"])
async def test_the_long_name_of_a_sender_harms_nothing(world: World, letter: str) -> None:
    handle = await world.start("Add", needs=[{"people": ["ben"]}])
    await world.pending(handle)

    await handle.signal("approve", {"decision_id": "d-1", "actor_id": letter * 200})
    request = await world.until(handle, lambda r: r.refused_count == 1)

    assert request.refused_messages[0].error == "UnknownActor"
    assert (await world.decide(handle, "ben")).status == "Executed"


async def test_a_side_effect_of_a_state_with_a_long_name_is_dispatched(world: World) -> None:
    state = "box/" + WIDE * 120 + world.fresh("s")
    handle = await world.start("Put", state_id=state)

    assert (await world.result(handle)).status == "Executed"

    async with asyncio.timeout(10):
        while world.store.undelivered(state):
            await asyncio.sleep(0.05)


async def test_details_of_wide_letters_fit_the_server(world: World) -> None:
    mutator = Mutator(world.client, world.store, task_queue=world.task_queue)
    submitted = await mutator.submit(
        payload_of(
            f"box/{world.fresh('s')}",
            *[Add(key=f"{number}{WIDE * 400}") for number in range(30)],
            actor_id="ana",
            reason=WIDE * 2000,
            metadata={"needs": [{"people": ["ben"]}]},
        )
    )
    handle: Handle = world.client.get_workflow_handle(submitted.request_id)

    await world.pending(handle)

    assert WIDE in await details(handle)
    assert (await world.decide(handle, "ben")).status == "Executed"


async def test_a_requester_with_a_long_name_gets_an_answer(world: World) -> None:
    long = "\U0001f600" * 200
    world.directory[0] = Directory(
        people={**PEOPLE.people, long: Person(id=long, name="Long")},
        roles=PEOPLE.roles,
        groups=PEOPLE.groups,
    )
    handle = await world.start("Add", actor=long, expires_in=3600)

    result = await world.result(handle)

    assert result.status == "Executed"
    assert result.closed_at < datetime.now(UTC) + timedelta(minutes=1)
