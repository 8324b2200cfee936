"""Who waits is told of an ending by its workflow; whom nobody told is found by the reconciler."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment

from activities.budgets import Reserving
from activities.temporal import FIRST, Reconciling, Telling
from activities.wakeups import AT_ONCE, wake_all
from core import Requirement
from core.budgets import Budget
from core.governance import waits
from core.governance.request import MutationRequest
from tests.activities.desk import NOON, Desk, Post, later, look_at, run, run_both
from wire.asks import Reconcile, Reconciled, SendWakeups, WokenUp

APPROVED = Requirement.approval(roles=["approver"], needed=1)
ONE = Budget(limit=1, per=timedelta(hours=1))


def send(desk: Desk, record: MutationRequest) -> WokenUp:
    answer = run(Telling(desk.outside).send_wakeups, SendWakeups.of(record))
    assert isinstance(answer, WokenUp)
    return answer


def waiting(desk: Desk, request_id: str, **wish: Any) -> MutationRequest:
    desk.demanded[:] = [APPROVED]
    request = desk.open(request_id, **wish)
    desk.demanded.clear()
    return request


def asking(desk: Desk, request_id: str, *, key: str = "deploys", **wish: Any) -> MutationRequest:
    """A request that has asked for room, and has it or waits for it."""
    desk.demanded[:] = [Requirement.quota(key, ONE)]
    request = desk.open(request_id, **wish)
    desk.demanded.clear()
    found = run(Reserving(desk.outside).reserve_quota, look_at(request)).finding
    return desk.note(waits.found(request, {request.requirements[0].id: found}, NOON))


# By the ending's workflow.


def test_who_depends_on_it_is_told(desk: Desk) -> None:
    older = waiting(desk, "a", at=later(hours=-1))
    desk.open("b", depends_on=("a",))
    waiting(desk, "c")
    record = desk.cancel(older)

    assert send(desk, record) == WokenUp(requests=1)
    assert desk.post.told == ["b"]
    assert desk.post.started == []


def test_who_does_not_outlive_the_version_is_told_that_it_moved(desk: Desk) -> None:
    waiting(desk, "a", on_state_moved="supersede")
    waiting(desk, "b", on_state_moved="supersede", state_id="box/other")
    record = desk.executed("c")

    assert send(desk, record) == WokenUp(requests=1)
    assert desk.post.told == ["a"]


def test_those_who_come_first_are_told_that_there_may_be_room(desk: Desk) -> None:
    first = asking(desk, "a")
    for each in range(FIRST + 2):
        asking(desk, f"b-{each:02}", at=later(seconds=each))
    asking(desk, "c", key="others")
    record = desk.cancel(first)

    assert SendWakeups.of(record).budgets == ("deploys",)
    assert send(desk, record) == WokenUp(requests=FIRST)
    assert sorted(desk.post.told) == [f"b-{each:02}" for each in range(FIRST)]


def test_the_dispatcher_is_told_only_where_there_is_something_to_dispatch(desk: Desk) -> None:
    record = desk.executed("a")
    put = {"type": "Put", "parameters": {"key": "x", "value": 1}}
    other = desk.executed("b", mutations=(put,), state_id="box/other")

    assert send(desk, record) == WokenUp()
    assert send(desk, other) == WokenUp(dispatchers=1)
    assert desk.post.started == ["mutator/dispatch/box/other"]


def test_an_ask_of_before_wakes_the_dispatcher_as_it_did(desk: Desk) -> None:
    ask = SendWakeups.model_validate({"request_id": "a", "state_id": "box/a"})

    assert run(Telling(desk.outside).send_wakeups, ask) == WokenUp(dispatchers=1)


def test_who_waits_for_several_things_is_told_once(desk: Desk) -> None:
    older = asking(desk, "a", at=later(hours=-1))
    desk.demanded[:] = [Requirement.quota("deploys", ONE)]
    request = desk.open("b", depends_on=("a",))
    run(Reserving(desk.outside).reserve_quota, look_at(request, -1))

    send(desk, desk.cancel(older))

    assert desk.post.told == ["b"]


def test_asked_twice_at_once_everybody_is_told_at_least_once(desk: Desk) -> None:
    older = waiting(desk, "a", at=later(hours=-1))
    desk.open("b", depends_on=("a",))
    record = desk.cancel(older)

    run_both(Telling(desk.outside).send_wakeups, SendWakeups.of(record))

    assert desk.post.told == ["b", "b"]


# Telling.


def told(desk: Desk, *request_ids: str) -> int:
    return asyncio.run(wake_all(desk.outside, request_ids))


def test_who_is_gone_is_not_counted(desk: Desk) -> None:
    desk.post.gone.add("b")

    assert told(desk, "a", "b", "c", "a") == 2
    assert desk.post.told == ["a", "c"]


def test_one_that_cannot_be_told_keeps_nobody_from_being_told(desk: Desk) -> None:
    ids = [f"r-{each}" for each in range(2 * AT_ONCE + 1)]
    desk.post.unreachable.add("r-3")

    with pytest.raises(RPCError):
        told(desk, *ids)

    assert sorted(desk.post.told) == sorted({*ids} - {"r-3"})


# By the reconciler.


@dataclass
class Server(Post):
    """A post office that also knows which workflows run: those that are not gone."""

    running: tuple[str, ...] = ()

    def list_workflows(self, _query: str) -> AsyncIterator[Any]:
        async def listed() -> AsyncIterator[Any]:
            for each in self.running:
                yield Execution(each)

        return listed()


@dataclass
class Execution:
    id: str
    status: WorkflowExecutionStatus = WorkflowExecutionStatus.RUNNING


def sweep(desk: Desk, *running: str, minutes: float = 10) -> tuple[Reconciled, list[str]]:
    """Reconcile, and answer whom that woke."""
    server = Server(running=running)
    outside = replace(desk.outside, client=cast("Any", server))
    environment = ActivityEnvironment()
    ask = Reconcile(at=later(minutes=minutes))
    answer = asyncio.run(cast("Any", environment.run(Reconciling(outside).reconcile, ask)))
    return answer, server.told


def test_g9_who_was_not_told_of_an_ending_is_found(desk: Desk) -> None:
    older = waiting(desk, "a", at=later(hours=-1))
    desk.open("b", depends_on=("a",))
    waiting(desk, "c")
    assert sweep(desk, "a", "b", "c")[1] == []
    desk.cancel(older)

    answer, woken = sweep(desk, "b", "c")

    assert woken == ["b"]
    assert answer == Reconciled(open_workflows=2, woken=1)


def test_g9_who_does_not_outlive_a_version_that_is_past_is_found(desk: Desk) -> None:
    waiting(desk, "a", on_state_moved="supersede")
    waiting(desk, "b", on_state_moved="wait")
    waiting(desk, "c", on_state_moved="supersede", state_id="box/other")
    assert sweep(desk, "a", "b", "c")[1] == []
    desk.executed("d")

    answer, woken = sweep(desk, "a", "b", "c")

    assert woken == ["a"]
    assert answer.woken == 1


def test_g9_who_is_first_where_there_is_room_again_is_found_and_has_it(desk: Desk) -> None:
    first = asking(desk, "a")
    second, third = (asking(desk, each, at=later(seconds=1)) for each in "bc")
    assert sweep(desk, "a", "b", "c")[1] == []
    desk.cancel(first)

    answer, woken = sweep(desk, "b", "c")

    assert woken == ["b"]
    assert answer.woken == 1
    assert desk.store.reserved("b", second.requirements[0].id)
    assert not desk.store.reserved("c", third.requirements[0].id)
    found = run(Reserving(desk.outside).reserve_quota, look_at(second, at=later(minutes=11)))
    assert found.finding.verdict == "holds"


def test_each_budget_is_looked_at_by_itself(desk: Desk) -> None:
    first, other = asking(desk, "a"), asking(desk, "x", key="others")
    asking(desk, "b")
    asking(desk, "y", key="others")
    desk.cancel(first)
    desk.cancel(other)

    assert sweep(desk, "b", "y")[1] == ["b", "y"]


def test_who_has_a_place_and_does_not_ask_for_room_now_is_passed_over(desk: Desk) -> None:
    first = asking(desk, "a")
    elsewhere, asks = asking(desk, "b"), asking(desk, "c")
    # What stood before its quota is unmet again: it keeps its place, and takes no room.
    (quota,) = elsewhere.requirements
    desk.note(
        elsewhere.model_copy(
            update={"requirements": (quota.model_copy(update={"status": "waiting"}),)}
        )
    )
    desk.cancel(first)

    _, woken = sweep(desk, "b", "c")

    assert woken == ["c"]
    assert not desk.store.reserved("b", quota.id)
    assert desk.store.reserved("c", asks.requirements[0].id), "b holds nobody up meanwhile"


def test_who_has_ended_is_told_so_once(desk: Desk) -> None:
    older = waiting(desk, "a", at=later(hours=-1))
    desk.cancel(older)

    answer, woken = sweep(desk, "a")

    assert woken == ["a"]
    assert answer == Reconciled(open_workflows=1, told=1)
