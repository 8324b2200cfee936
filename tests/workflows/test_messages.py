"""What is sent by hand, by other languages, or wrongly: nothing harms it or is lost; both ways."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from tests.support import box
from tests.support.world import World

ONE = [{"roles": ["approver"], "needed": 1}]
TWO = [{"roles": ["approver"], "needed": 2}]


@pytest.fixture(params=box.WAYS)
def way(request: pytest.FixtureRequest) -> box.Way:
    """Both ways: tried in the workflow task first, and remotely from the start."""
    found: box.Way = request.param
    return found


@pytest.mark.parametrize(
    "payloads",
    [
        [],
        [None],
        [b"\x00\xff"],
        ["approve"],
        [["a", "list"]],
        [{"decision_id": "d", "actor_id": "ben"}, {"one": "too many"}],
        [{"actor_id": "ben"}],
        [{"decision_id": "d"}],
        [{"decision_id": "d", "actor_id": "ben", "metadata": "no map"}],
        [{"decision_id": "d", "actor_id": "ben", "reason": "x" * 40_000}],
    ],
    ids=["none", "null", "binary", "text", "list", "two", "no id", "no actor", "shape", "size"],
)
@pytest.mark.parametrize("signal", ["approve", "cancel"])
@pytest.mark.parametrize("way", ["local_first"])  # the workflow alone finds it out
async def test_a_broken_signal_is_recorded_and_harms_nothing(
    world: World, signal: str, payloads: list[Any]
) -> None:
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)

    await handle.signal(signal, args=payloads)
    request = await world.until(handle, lambda r: r.refused_messages)

    assert [(m.name, m.error) for m in request.refused_messages] == [(signal, "MalformedMessage")]
    await world.decide(handle, "ben")
    assert (await world.agree(handle)).status == "Executed"


@pytest.mark.parametrize(
    "payload",
    [
        Payload(metadata={"encoding": b"binary/encrypted"}, data=b"\x01"),
        Payload(metadata={"encoding": b"json/plain"}, data=b"{half"),
    ],
    ids=["encrypted", "broken"],
)
@pytest.mark.parametrize("way", ["local_first"])  # the workflow alone finds it out
async def test_g11_a_signal_that_cannot_be_decoded_is_recorded_too(
    world: World, payload: Payload
) -> None:
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)

    await handle.signal("approve", RawValue(payload))
    request = await world.until(handle, lambda r: r.refused_messages)

    assert request.refused_messages[0].error == "MalformedMessage"
    await world.decide(handle, "ben")
    assert (await world.agree(handle)).status == "Executed"


@pytest.mark.parametrize("way", ["local_first"])  # the workflow alone finds it out
async def test_a_signal_of_an_unknown_name_is_recorded_and_harms_nothing(world: World) -> None:
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)

    await handle.signal("aprove", {"decision_id": "d", "actor_id": "ben"})
    request = await world.until(handle, lambda r: r.refused_messages)

    assert "There is no signal 'aprove'" in request.refused_messages[0].message
    await world.decide(handle, "ben")
    assert (await world.agree(handle)).status == "Executed"


@pytest.mark.parametrize("update", ["decide", "cancel_request", "refresh"])
@pytest.mark.parametrize("way", ["local_first"])  # the workflow alone finds it out
async def test_a_broken_update_comes_back_to_its_caller_and_leaves_no_trace(
    world: World, update: str
) -> None:
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)

    assert await world.refused(handle.execute_update(update, {"actor_id": 7})) == (
        "MalformedMessage"
    )
    assert await world.refused(handle.execute_update(update)) == "MalformedMessage"
    assert await world.refused(handle.execute_update(update, args=[1, 2])) == "MalformedMessage"

    assert not (await world.request(handle)).refused_messages


async def test_a_decision_sent_before_the_assessment_waits_and_counts(world: World) -> None:
    payload = {
        "state_id": world.state(),
        "mutations": [{"type": "Add", "parameters": {"key": "x"}}],
        "actor_id": "ana",
        "metadata": {"needs": ONE},
    }

    handle = await world.client.start_workflow(
        "MutationRequest",
        payload,
        id=world.fresh(),
        task_queue=world.task_queue,
        start_signal="approve",
        start_signal_args=[{"decision_id": "early", "actor_id": "ben"}],
    )

    assert (await world.result(handle)).status == "Executed"


async def test_the_same_decision_sent_again_is_the_same_decision(world: World) -> None:
    handle = await world.start("Add", needs=TWO)
    await world.pending(handle)
    decision = {"decision_id": "d-1", "actor_id": "ben", "verdict": "approve"}

    first = await handle.execute_update("decide", decision)
    second = await handle.execute_update("decide", decision)
    await handle.signal("approve", {"decision_id": "d-1", "actor_id": "ben"})
    other = decision | {"reason": "something else"}

    assert first == second
    assert await world.refused(handle.execute_update("decide", other)) == "DecisionIdReused"
    assert [d.code for d in (await world.request(handle)).decisions].count("Granted") == 1


async def test_a_message_that_proves_nothing_does_not_take_its_id(world: World) -> None:
    handle = await world.start("Add", needs=TWO)
    await world.pending(handle)
    await world.refused(world.decide(handle, "mallory", decision_id="d-1"))

    reply = await world.decide(handle, "ben", decision_id="d-1")

    assert reply.status == "Pending"
    assert reply.pending[0].have == 1


async def test_the_newest_answer_of_a_person_counts(world: World) -> None:
    handle = await world.start("Add", needs=TWO)
    await world.pending(handle)
    await world.decide(handle, "ben")

    withdrawn = await world.decide(handle, "ben", "withdraw")

    assert withdrawn.pending[0].have == 0
    assert await world.refused(world.decide(handle, "ben", "withdraw")) == "NothingToWithdraw"
    await world.decide(handle, "ben")
    rejected = await world.decide(handle, "ben", "reject", reason="on second thought")
    assert rejected.status == "Rejected"
    assert rejected.rejection is not None
    assert rejected.rejection.message == "Refused by ben: on second thought"


async def test_a_later_step_opens_when_the_earlier_is_done(world: World) -> None:
    handle = await world.start(
        "Add",
        needs=[
            {"people": ["cleo"]},
            {"roles": ["security"], "needed": 1, "step": 2, "reason_required": True},
        ],
    )
    await world.pending(handle)

    assert await world.refused(world.decide(handle, "ben", reason="early")) == "StepNotOpen"
    await world.decide(handle, "cleo")
    assert await world.refused(world.decide(handle, "ben")) == "ReasonRequired"
    reply = await world.decide(handle, "ben", reason="looked at it")

    assert reply.status == "Executed"


async def test_who_may_cancel_is_the_requester_or_an_operator(world: World) -> None:
    mine, another = await world.start("Add", needs=ONE), await world.start("Add", needs=ONE)
    await world.pending(mine)
    await world.pending(another)

    async def cancel(handle: Any, actor: str) -> Any:
        return await handle.execute_update(
            "cancel_request", {"decision_id": world.fresh(), "actor_id": actor}
        )

    assert await world.refused(cancel(mine, "ben")) == "NotAuthorised"
    assert (await cancel(mine, "ana"))["status"] == "Canceled"
    assert (await cancel(another, "dan"))["status"] == "Canceled"


async def test_a_refresh_shows_todays_effect(world: World) -> None:
    state = world.state()
    handle = await world.start("Add", state_id=state, needs=TWO)
    before = await world.pending(handle)
    await world.result(await world.start("Add", state_id=state))

    reply = await handle.execute_update("refresh", {"decision_id": "r", "actor_id": "ben"})
    after = await world.request(handle)

    assert reply["binding"] != before.binding
    assert after.effect is not None
    assert after.effect.lines == ("/numbers/x: 1 -> 2",)
    stranger = handle.execute_update("refresh", {"decision_id": "s", "actor_id": "eve"})
    assert await world.refused(stranger) == "NotAuthorised"


async def test_why_blocked_names_what_is_unmet_and_who_can_meet_it(world: World) -> None:
    handle = await world.start("Add", needs=[{"roles": ["approver"], "needed": 2, "title": "Ops"}])
    await world.pending(handle)
    await world.decide(handle, "ben")

    why = await handle.query("why_blocked")

    assert why["reasons"][0]["text"] == "Ops: approval by 2 of role:approver, 1 given"
    assert why["reasons"][0]["who"] == ["role:approver"]
    assert (why["reasons"][0]["needed"], why["reasons"][0]["have"]) == (2, 1)


@pytest.mark.parametrize("way", ["local_first"])  # the workflow alone finds it out
async def test_a_field_that_cannot_be_honoured_yet_is_refused_not_ignored(world: World) -> None:
    handle = await world.client.start_workflow(
        "MutationRequest",
        {
            "state_id": "box/later",
            "mutations": [{"type": "Add", "parameters": {"key": "x"}}],
            "actor_id": "ana",
            "compensates": {"request_id": "earlier", "kind": "restore"},
        },
        id=world.fresh(),
        task_queue=world.task_queue,
    )

    with pytest.raises(Exception, match="Workflow execution failed") as failed:
        await world.result(handle)

    assert "cannot honour compensates" in str(failed.value.__cause__)


async def test_a_newer_clients_unknown_fields_are_ignored(world: World) -> None:
    handle = await world.start("Add", needs=ONE, from_the_future={"a": 1})
    await world.pending(handle)

    reply = await world.decide(handle, "ben", from_the_future=True)

    assert reply.status == "Executed"
