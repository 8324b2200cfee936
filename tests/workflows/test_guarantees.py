"""The guarantees, each seen on a whole request on a real server, in both ways."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from core.governance.people import Directory
from core.requirements import Requirement
from tests.support import box
from tests.support.people import PEOPLE
from tests.support.world import Handle, World

TWO = [{"roles": ["approver"], "needed": 2}]
ONE = [{"roles": ["approver"], "needed": 1}]


@pytest.fixture(params=box.WAYS)
def way(request: pytest.FixtureRequest) -> box.Way:
    """Both ways: tried in the workflow task first, and remotely from the start."""
    found: box.Way = request.param
    return found


async def test_a_request_that_demands_nothing_executes_at_once(world: World) -> None:
    handle = await world.start("Add")

    result = await world.result(handle)

    assert result.status == "Executed"
    assert result.resulting_version == 1
    assert world.value((await world.agree(handle)).state_id) == 1


async def test_g1_nothing_commits_before_every_requirement_is_met(world: World) -> None:
    handle = await world.start("Add", needs=TWO)
    request = await world.pending(handle)

    await world.decide(handle, "ben")

    assert world.store.state(request.state_id).version == 0  # type: ignore[union-attr] # it was opened
    assert (await world.request(handle)).status == "Pending"

    reply = await world.decide(handle, "cleo")

    assert reply.status == "Executed"
    assert world.value(request.state_id) == 1


async def test_g2_every_execution_is_preceded_by_version_resolution(world: World) -> None:
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)

    await world.decide(handle, "ben")
    codes = [d.code for d in (await world.agree(handle)).decisions]

    assert codes[-3:] == ["Approved", "Validated", "Executed"]


async def test_g3_what_was_approved_survives_unrelated_drift_with_the_proof(world: World) -> None:
    state = world.state()
    handle = await world.start("Add", state_id=state, needs=TWO)
    await world.pending(handle)
    await world.decide(handle, "ben")
    await world.result(await world.start("Add", state_id=state, parameters={"key": "other"}))

    await world.decide(handle, "cleo")
    request = await world.agree(handle)

    proof = next(d for d in request.decisions if d.code == "ApprovalsSurvived").metadata
    assert request.status == "Executed"
    assert request.resulting_version == 2
    assert (proof["from_version"], proof["to_version"]) == (0, 1)
    assert proof["drift"] == ["/numbers/other"]
    assert proof["effect_before"] == proof["effect_now"]


async def test_g3_an_approval_is_asked_again_when_its_effect_changed(world: World) -> None:
    state = world.state()
    handle = await world.start("Add", state_id=state, needs=TWO)
    await world.pending(handle)
    await world.decide(handle, "ben")
    await world.result(await world.start("Add", state_id=state, parameters={"key": "x"}))

    reply = await world.decide(handle, "cleo")
    request = await world.request(handle)

    assert reply.status == "Pending"
    assert request.round == 2
    renewal = next(d for d in request.decisions if d.code == "RenewedApprovalRequired")
    assert renewal.metadata["difference"] == {
        "approved": ["/numbers/x: added 1"],
        "now": ["/numbers/x: 1 -> 2"],
    }
    await world.decide(handle, "ben")
    await world.decide(handle, "cleo")
    assert (await world.agree(handle)).status == "Executed"
    assert world.value(state) == 2


async def test_g3_a_stale_request_is_rejected_where_that_was_asked_for(world: World) -> None:
    state = world.state()
    handle = await world.start("Add", state_id=state, needs=TWO, strategy="reject_stale")
    await world.pending(handle)
    await world.decide(handle, "ben")
    await world.result(await world.start("Add", state_id=state, parameters={"key": "other"}))

    await world.decide(handle, "cleo")

    result = await world.result(handle)

    assert result.status == "Rejected"
    assert result.rejection is not None
    assert (result.rejection.category, result.rejection.code) == ("stale", "moved")


async def test_g4_the_same_signal_a_thousand_times_commits_once(world: World) -> None:
    handle = await world.start("Add", needs=ONE)
    request = await world.pending(handle)
    decision = {"decision_id": "again", "actor_id": "ben"}

    async def send() -> None:
        # The workflow may have closed in between: the server then says so.
        with contextlib.suppress(RPCError):
            await handle.signal("approve", decision)

    for _ in range(20):
        await asyncio.gather(*[send() for _ in range(50)])
    await world.result(handle)

    assert world.store.state(request.state_id).version == 1  # type: ignore[union-attr] # it exists
    assert len(world.store.history(request.state_id)) == 1


async def test_g5_of_two_approved_on_one_version_one_commits_and_one_follows_its_strategy(
    world: World,
) -> None:
    state = world.state()
    first = await world.start("Add", state_id=state, needs=ONE)
    second = await world.start(
        "Add", state_id=state, needs=ONE, strategy="reject_stale", parameters={"key": "y"}
    )
    await asyncio.gather(world.pending(first), world.pending(second))
    both = threading.Barrier(2, timeout=10)
    world.hooks.hooks["end.before"] = _once_each(both)

    await asyncio.gather(world.decide(first, "ben"), world.decide(second, "ben"))
    ended = [await world.result(first), await world.result(second)]

    assert sorted(r.status for r in ended) in (["Executed", "Executed"], ["Executed", "Rejected"])
    committed = [r for r in ended if r.status == "Executed"]
    assert {r.resulting_version for r in committed} == set(range(1, len(committed) + 1))
    assert world.store.state(state).version == len(committed)  # type: ignore[union-attr] # it exists


async def test_g5_two_hundred_requests_on_one_state_lose_no_update(world: World) -> None:
    state = world.state()

    async def one_after_another(task: int) -> int:
        executed = 0
        for _ in range(10):
            handle = await world.start("Add", state_id=state, parameters={"key": f"k{task}"})
            executed += (await world.result(handle)).status == "Executed"
        return executed

    commits = sum(await asyncio.gather(*[one_after_another(task) for task in range(20)]))

    assert commits == 200
    assert world.store.state(state).version == 200  # type: ignore[union-attr] # it exists
    assert sum(world.value(state, f"k{task}") for task in range(20)) == 200


async def test_g6_the_requester_never_counts(world: World) -> None:
    handle = await world.start("Add", actor="ben", on_behalf_of="cleo", needs=ONE)
    await world.pending(handle)

    assert await world.refused(world.decide(handle, "ben")) == "SelfApproval"
    assert await world.refused(world.decide(handle, "cleo")) == "SelfApproval"
    assert (await world.request(handle)).status == "Pending"


async def test_g6_one_person_counts_once(world: World) -> None:
    handle = await world.start(
        "Add", needs=[{"roles": ["approver"], "needed": 1}, {"roles": ["security"], "needed": 1}]
    )
    await world.pending(handle)

    await world.decide(handle, "ben")

    assert (await world.request(handle)).status == "Pending"
    assert await world.refused(world.decide(handle, "ben")) == "DuplicateDecision"
    await world.decide(handle, "cleo")
    assert (await world.result(handle)).status == "Executed"


async def test_g7_state_history_audit_and_decision_change_together(world: World) -> None:
    handle = await world.start("Put", needs=ONE)
    await world.pending(handle)
    await world.decide(handle, "ben")

    request = await world.agree(handle)
    state = world.store.state(request.state_id)
    history = world.store.history(request.state_id)
    audit = [e for e in world.store.audit(request_id=handle.id) if e.context.mode.value == "commit"]

    assert state is not None
    assert state.version == request.resulting_version == 1
    assert [h.execution_id for h in history] == [request.execution_id]
    assert [e.execution_id for e in audit] == [request.execution_id]
    assert request.executed_at == state.committed_at == history[0].at
    assert request.decisions[-1].code == "Executed"


async def test_g8_a_no_is_never_retried(world: World) -> None:
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)
    box.KNOBS.deny = "not today"
    await world.decide(handle, "ben")

    result = await world.result(handle)

    assert result.rejection is not None
    assert (result.rejection.category, result.rejection.code) == ("policy", "denied")
    resolutions = [e for e in world.store.audit(request_id=handle.id) if e.outcome == "blocked"]
    assert len(resolutions) == 1


async def test_g8_author_code_that_raises_is_tried_once_more(world: World) -> None:
    handle = await world.start("Add", needs=ONE)
    request = await world.pending(handle)
    box.KNOBS.raises = 1

    await world.decide(handle, "ben")

    assert (await world.result(handle)).status == "Executed"
    assert world.value(request.state_id) == 1


async def test_g8_a_domain_may_hold_what_its_code_cannot_do(world: World) -> None:
    handle = await world.start("Add", state_id=world.state("held"), needs=ONE)
    await world.pending(handle)
    box.KNOBS.raises = 10

    reply = await world.decide(handle, "ben")
    request = await world.request(handle)

    assert reply.status == request.status == "Approved"
    assert request.held is not None
    assert "author code is broken" in request.held.reason
    box.KNOBS.raises = 0
    await handle.signal("wake")
    assert (await world.result(handle)).status == "Executed"


async def test_g10_an_unknown_requirement_kind_blocks(world: World) -> None:
    box.KNOBS.also_needs = (Requirement(kind="phase_of_the_moon"),)
    handle = await world.start("Add")

    request = await world.pending(handle)

    assert "unknown requirement" in request.pending[0].text
    assert request.status == "Pending"


async def test_g10_a_role_that_the_directory_lacks_blocks_by_name(world: World) -> None:
    handle = await world.start("Add", needs=[{"roles": ["wizard"], "needed": 1}])

    result = await world.result(handle)

    assert result.rejection is not None
    assert (result.rejection.category, result.rejection.code) == ("unsatisfiable", "no_approver")
    assert "role:wizard" in result.rejection.message


async def test_g10_a_seat_nobody_can_fill_is_found_at_submission(world: World) -> None:
    handle = await world.start("Add", needs=[{"roles": ["approver"], "needed": 3}])

    result = await world.result(handle)

    assert result.rejection is not None
    assert result.rejection.code == "no_approver"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"state_id": "nothing/here"}, "unknown_state"),
        ({"state_id": "box/no-such"}, "unknown_state"),
        ({"mutation": "Explode"}, "unknown_mutation"),
        ({"parameters": {"key": "x", "amount": "many"}}, "invalid_parameters"),
        ({"parameters": {"key": "x", "amount": -1}}, "check_failed"),
    ],
)
async def test_what_is_unknown_at_submission_is_rejected_by_name(
    world: World, payload: dict[str, object], code: str
) -> None:
    handle = await world.start(**payload)  # type: ignore[arg-type] # each case names its argument

    result = await world.result(handle)

    assert result.status == "Rejected"
    assert result.rejection is not None
    assert (result.rejection.category, result.rejection.code) == ("validation", code)
    await world.agree(handle)


async def test_a_start_payload_that_cannot_be_read_fails_by_name(world: World) -> None:
    handle = await world.client.start_workflow(
        "MutationRequest", {"state_id": "no slash"}, id=world.fresh(), task_queue=world.task_queue
    )

    with pytest.raises(WorkflowFailureError) as failed:
        await world.result(handle)

    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "InvalidParameters"
    assert "state_id" in failed.value.cause.message


async def test_an_unknown_requester_is_rejected(world: World) -> None:
    handle = await world.start("Add", actor="mallory")

    result = await world.result(handle)

    assert result.rejection is not None
    assert (result.rejection.category, result.rejection.code) == ("policy", "unauthenticated")


async def test_g11_a_strangers_decision_never_counts_and_is_recorded(world: World) -> None:
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)

    assert await world.refused(world.decide(handle, "eve")) == "NotAuthorised"
    assert await world.refused(world.decide(handle, "mallory")) == "UnknownActor"
    request = await world.request(handle)

    assert [m.error for m in request.refused_messages] == ["NotAuthorised", "UnknownActor"]
    assert request.status == "Pending"


async def test_g11_an_outdated_decision_never_counts(world: World) -> None:
    state = world.state()
    handle = await world.start("Add", state_id=state, needs=ONE)
    shown = await world.pending(handle)
    await world.result(await world.start("Add", state_id=state))

    refused = await world.refused(world.decide(handle, "ben", binding=shown.binding))
    request = await world.request(handle)

    assert refused == "OutdatedBinding"
    assert request.snapshot is not None
    assert request.snapshot.version == 1
    without = world.decide(handle, "ben", binding=None)
    assert await world.refused(without) == "OutdatedBinding"
    await world.decide(handle, "ben", binding=request.binding)
    assert (await world.result(handle)).status == "Executed"


async def test_an_approver_who_lost_the_right_does_not_count_at_execution(world: World) -> None:
    state = world.state()
    handle = await world.start("Add", state_id=state, needs=TWO)
    await world.pending(handle)
    await world.decide(handle, "ben")
    without_ben = {k: p for k, p in PEOPLE.people.items() if k != "ben"}
    world.directory[0] = Directory(people=without_ben, roles=PEOPLE.roles, groups=PEOPLE.groups)

    reply = await world.decide(handle, "cleo")
    request = await world.request(handle)

    assert reply.status == "Pending"
    assert request.decisions[-1].code == "Pending"
    assert any(d.code == "Lapsed" for d in request.decisions)


async def test_g14_nothing_changes_an_ended_request(world: World) -> None:
    handle = await world.start("Add", needs=ONE)
    await world.pending(handle)
    await world.decide(handle, "ben", "reject", reason="no need")
    before = await world.agree(handle)

    again = await world.client.start_workflow(
        "MutationRequest",
        {
            "state_id": before.state_id,
            "mutations": [{"type": "Add", "parameters": {"key": "x"}}],
            "actor_id": "ana",
            "metadata": {"needs": ONE},
        },
        id=handle.id,
        task_queue=world.task_queue,
    )
    result = await world.result(again)

    assert result.status == "Rejected"
    assert world.store.request(handle.id) == before


async def test_g14_an_ended_id_started_again_with_other_content_is_refused_by_name(
    world: World,
) -> None:
    handle = await world.start("Add")
    before = await world.agree(await _ended(world, handle))

    again = await world.start("Add", request_id=handle.id, parameters={"key": "other"})
    with pytest.raises(WorkflowFailureError) as failed:
        await world.result(again)

    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "RequestIdReused"
    assert world.store.request(handle.id) == before


async def _ended(world: World, handle: Handle) -> Handle:
    await world.result(handle)
    return handle


def _once_each(barrier: threading.Barrier) -> Callable[[], None]:
    seen = threading.local()
    counter = iter(range(2))

    def wait() -> None:
        if next(counter, None) is not None and not getattr(seen, "was", False):
            seen.was = True
            barrier.wait()

    return wait
