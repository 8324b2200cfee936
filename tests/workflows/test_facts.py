"""Facts on whole requests: looked up, kept, and blocking where they are missing, in both ways."""

from __future__ import annotations

import asyncio
import threading

import pytest

from core.audit import AuditEntry
from core.facts import Facts
from tests.support import box
from tests.support.histories import asked_remotely
from tests.support.world import Handle, World
from wire.names import Activity

ONE = [{"roles": ["approver"], "needed": 1}]
EVALUATING = {
    Activity.ASSESS_REQUEST,
    Activity.AUTHENTICATE,
    Activity.RESOLVE_VERSION,
    Activity.EXECUTE_MUTATION,
}


@pytest.fixture(params=box.WAYS)
def way(request: pytest.FixtureRequest) -> box.Way:
    """Both ways: facts that say they are quick, and facts that may take longer."""
    found: box.Way = request.param
    return found


async def start(world: World, **more: object) -> Handle:
    return await world.start("Add", state_id=world.state("told"), **more)  # type: ignore[arg-type]  # each test names its own


def evaluations(world: World, handle: Handle) -> list[AuditEntry]:
    return list(world.store.audit(request_id=handle.id))


async def test_what_was_looked_up_is_recorded_with_each_evaluation(world: World) -> None:
    box.KNOBS.load = 0.25
    handle = await start(world, needs=ONE)
    state_id = (await world.pending(handle)).state_id
    box.KNOBS.load = 0.75

    await world.decide(handle, "ben")

    assert (await world.result(handle)).status == "Executed"
    recorded = [entry.facts for entry in evaluations(world, handle)]
    assert recorded[0]["load"] == 0.25
    assert {facts["load"] for facts in recorded[1:]} == {0.75}
    for facts in recorded:
        again = Facts.read(facts)
        assert again["owner"] == f"{state_id} at 0"
        assert again["state_id"] == state_id
        assert again.recorded() == facts


async def test_quick_facts_are_looked_up_in_the_workflow_task_and_others_remotely(
    world: World,
) -> None:
    handle = await start(world, needs=ONE)
    await world.pending(handle)
    await world.decide(handle, "ben")
    await world.result(handle)

    remotely = EVALUATING & set(asked_remotely(await handle.fetch_history()))

    assert remotely == (set() if world.way == "local_first" else EVALUATING)


async def test_a_policy_decides_on_the_facts_of_today(world: World) -> None:
    handle = await start(world, needs=ONE, metadata={"at_most": 0.8})
    await world.pending(handle)
    box.KNOBS.load = 0.9

    await world.decide(handle, "ben")

    result = await world.result(handle)
    assert result.rejection is not None
    assert (result.rejection.category, result.rejection.code) == ("policy", "denied")
    assert "The load is 0.9." in result.rejection.message


async def test_g10_a_late_fact_blocks_at_submission_by_name(world: World) -> None:
    box.KNOBS.load_takes = 5

    result = await world.result(await start(world))

    assert result.rejection is not None
    assert (result.rejection.category, result.rejection.code) == ("policy", "policy_failed")
    assert "The fact 'load' is missing: late, there was no answer" in result.rejection.message


async def test_g10_a_missing_fact_blocks_at_submission_and_is_recorded(world: World) -> None:
    box.KNOBS.load_fails = 1000

    handle = await start(world)
    result = await world.result(handle)

    assert result.rejection is not None
    assert result.rejection.code == "policy_failed"
    assert "ConnectionError: the meter is not there" in result.rejection.message
    (entry,) = evaluations(world, handle)
    assert "load" not in entry.facts
    missing = Facts.read(entry.facts).missing["load"].reason
    assert missing == "its provider raised ConnectionError: the meter is not there"


async def test_a_policy_that_can_do_without_a_missing_fact_goes_on(world: World) -> None:
    box.KNOBS.load_fails = 1000

    result = await world.result(await start(world, metadata={"without": True}))

    assert result.status == "Executed"


async def test_a_provider_that_raises_once_is_asked_again(world: World) -> None:
    box.KNOBS.load_fails = 1

    handle = await start(world)

    assert (await world.result(handle)).status == "Executed"
    first = evaluations(world, handle)[0].facts["looked_up"]
    attempts = {name: each["attempts"] for name, each in first.items()}  # type: ignore[union-attr, index, call-overload]  # JSON
    assert attempts == {"load": 2, "owner": 1}


async def test_g8_a_fact_that_is_missing_at_execution_burns_no_approval(world: World) -> None:
    handle = await start(world, needs=ONE)
    state_id = (await world.pending(handle)).state_id
    box.KNOBS.load_fails = 1000

    reply = await world.decide(handle, "ben")
    request = await world.request(handle)

    assert reply.status == request.status == "Approved"
    assert request.held is not None
    assert "load (its provider raised ConnectionError" in request.held.reason
    assert world.value(state_id) == 0
    box.KNOBS.load_fails = 0
    await handle.signal("wake")
    assert (await world.result(handle)).status == "Executed"
    assert world.value(state_id) == 1
    assert [d.actor_id for d in (await world.agree(handle)).decisions if d.code == "Granted"] == [
        "ben"
    ]


async def test_g8_a_no_stands_though_a_fact_is_missing(world: World) -> None:
    handle = await start(world, needs=ONE)
    await world.pending(handle)
    box.KNOBS.load_fails = 1000
    box.KNOBS.deny = "not today"

    await world.decide(handle, "ben")

    result = await world.result(handle)
    assert result.rejection is not None
    assert result.rejection.code == "denied"


async def test_g8_a_refresh_that_lacks_a_fact_leaves_the_request_as_it_is(world: World) -> None:
    handle = await start(world, needs=[{"roles": ["approver"], "needed": 2}])
    await world.pending(handle)
    await world.decide(handle, "ben")
    before = await world.request(handle)
    box.KNOBS.load_fails = 1000

    await world.send(handle, "refresh", {"decision_id": "f", "actor_id": "ana"})

    after = await world.request(handle)
    assert (after.status, after.answers) == ("Pending", before.answers)
    box.KNOBS.load_fails = 0
    assert (await world.decide(handle, "cleo")).status == "Executed"


async def test_a_lost_race_uses_a_fact_again_up_to_its_max_age(world: World) -> None:
    state_id = world.state("told")
    handle = await world.start("Add", state_id=state_id, needs=ONE, actor="eve")
    winner = await world.start("Add", state_id=state_id, needs=ONE, parameters={"key": "other"})
    await asyncio.gather(world.pending(handle), world.pending(winner))
    box.KNOBS.looked_up.clear()
    first, reached, release = threading.Lock(), threading.Event(), threading.Event()

    def lose() -> None:
        if first.acquire(blocking=False):
            reached.set()
            assert release.wait(20)

    world.hooks.hooks["end.before"] = lose
    await handle.signal("approve", {"decision_id": "d", "actor_id": "ben"})
    assert await asyncio.to_thread(reached.wait, 20)
    assert (await world.decide(winner, "ben")).status == "Executed"
    release.set()

    assert (await world.result(handle)).resulting_version == 2
    (committed,) = [e for e in evaluations(world, handle) if e.version_after]
    # The owner may be an hour old: it is the answer on the version before the race was lost.
    assert committed.facts["owner"] == f"{state_id} at 0"
    asked = [name for name, actor in box.KNOBS.looked_up if actor == "eve"]
    assert asked.count("load") == asked.count("owner") + 1
