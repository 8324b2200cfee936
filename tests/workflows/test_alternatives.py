"""Requests that can be met in several ways, on a real server: asked, refused and late."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.requirements import Requirement, either
from tests.support import box
from tests.support.world import Handle, World

SECURITY = Requirement.approval(roles=["security"], needed=1)
WEB = Requirement.approval(people=["cleo"])


@pytest.fixture(params=box.WAYS)
def way(request: pytest.FixtureRequest) -> box.Way:
    """Both ways: tried in the workflow task first, and remotely from the start."""
    found: box.Way = request.param
    return found


async def start(world: World, *sets: tuple[Requirement, ...], state_id: str = "") -> Handle:
    """Start a request that any one of the sets of requirements lets pass."""
    box.KNOBS.also_needs = either(sets)
    handle = await world.start("Add", state_id=state_id or world.state())
    await world.pending(handle)
    return handle


@pytest.mark.parametrize("who", ["ben", "cleo"])
async def test_either_alternative_lets_it_pass(world: World, who: str) -> None:
    handle = await start(world, (SECURITY,), (WEB,))

    reply = await world.decide(handle, who)

    assert reply.status == "Executed"
    codes = [d.code for d in (await world.agree(handle)).decisions]
    assert codes[-4:] == ["Fulfilled", "Approved", "Validated", "Executed"]


async def test_g1_half_of_each_alternative_commits_nothing(world: World) -> None:
    handle = await start(
        world,
        (SECURITY, Requirement.approval(people=["eve"])),
        (WEB, Requirement.approval(people=["dan"])),
    )

    await world.decide(handle, "ben")
    reply = await world.decide(handle, "dan")

    assert reply.status == "Pending"
    assert world.value((await world.request(handle)).state_id) == 0
    assert (await world.decide(handle, "cleo")).status == "Executed"


async def test_a_bare_signal_counts_for_whichever_alternative_names_its_sender(
    world: World,
) -> None:
    handle = await start(world, (SECURITY,), (WEB,))

    await handle.signal("approve", {"decision_id": "d", "actor_id": "cleo"})

    assert (await world.result(handle)).status == "Executed"


async def test_a_refusal_ends_its_alternative_and_the_second_one_the_request(
    world: World,
) -> None:
    handle = await start(world, (SECURITY,), (WEB,))

    assert (await world.decide(handle, "ben", "reject")).status == "Pending"
    assert (await world.request(handle)).awaiting == ("user:cleo",)
    reply = await world.decide(handle, "cleo", "reject", reason="not now")

    assert reply.status == "Rejected"
    result = await world.result(handle)
    assert result.rejection is not None
    assert (result.rejection.category, result.rejection.code) == ("approval", "refused")
    assert result.rejection.message == "Refused by ben, cleo: not now"


async def test_g9_a_deadline_ends_its_alternative_and_the_second_one_the_request(
    world: World,
) -> None:
    hour, day = timedelta(hours=1), timedelta(days=1)
    hurried = Requirement.approval(roles=["security"], needed=1, duration=hour)
    patient = Requirement.approval(people=["cleo"], duration=day)
    met, ended = [await start(world, (hurried,), (patient,)) for _ in range(2)]

    await world.skip(met, timedelta(hours=2))

    assert (await world.request(met)).awaiting == ("user:cleo",)
    assert await world.refused(world.decide(met, "ben")) == "DeadlinePassed"
    assert (await world.decide(met, "cleo")).status == "Executed"
    await world.skip(ended, timedelta(hours=2))
    await world.skip(ended, day)
    assert (await world.result(ended)).status == "Expired"
    codes = [d.code for d in (await world.agree(ended)).decisions]
    assert codes[-3:] == ["Expired", "Expired", "Expired"]


async def test_g3_drift_asks_again_in_the_alternative_that_was_taken(world: World) -> None:
    state = world.state()
    handle = await start(
        world, (SECURITY, Requirement.approval(people=["eve"])), (WEB,), state_id=state
    )
    await world.decide(handle, "ben")
    box.KNOBS.also_needs = ()
    await world.result(await world.start("Add", state_id=state))
    box.KNOBS.also_needs = either([(SECURITY, Requirement.approval(people=["eve"])), (WEB,)])

    reply = await world.decide(handle, "eve")
    request = await world.request(handle)

    assert (reply.status, request.round) == ("Pending", 2)
    assert set(request.awaiting) == {"role:security", "user:eve", "user:cleo"}
    assert (await world.decide(handle, "cleo")).status == "Executed"
    assert world.value(state) == 2


async def test_g6_an_alternative_that_only_the_requester_could_fill_is_none(
    world: World,
) -> None:
    box.KNOBS.also_needs = either(
        [(Requirement.approval(people=["ana"]),), (Requirement.approval(groups=["web"], needed=1),)]
    )

    result = await world.result(await world.start("Add"))

    assert result.rejection is not None
    assert (result.rejection.category, result.rejection.code) == ("unsatisfiable", "no_approver")


async def test_one_query_finds_it_for_everybody_who_could_decide(world: World) -> None:
    handle = await start(world, (SECURITY,), (WEB,))

    described = await handle.describe()

    shown = {pair.key.name: pair.value for pair in described.typed_search_attributes}
    assert sorted(shown["MutationApprovers"]) == ["role:security", "user:cleo"]
    assert shown["MutationPendingReasons"] == ["approval"]


async def test_why_it_is_blocked_is_told_as_either_or(world: World) -> None:
    handle = await start(world, (SECURITY,), (WEB,))

    told = await handle.query("why_blocked")

    (reason,) = told["reasons"]
    assert reason["kind"] == "any"
    assert reason["text"].startswith("either approval by 1 of ")
    assert "; or approval by 1 of " in reason["text"]
    members = [each for way in reason["alternatives"] for each in way]
    assert {each["requirement_id"] for each in members} == {SECURITY.id, WEB.id}
    assert (await world.decide(handle, "ben", requirement_id=SECURITY.id)).status == "Executed"
