"""A sweep ends what is surely gone and nothing else, and trouble with one holds up no other."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.api.enums.v1 import WorkflowExecutionStatus as Raw
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.client import WorkflowExecution
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.temporal import END_LOST, HANDFUL, Reconciling
from core.governance.request import WishedMutation
from store.protocol import Store
from tests.activities.desk import Desk, later, opened
from tests.activities.test_wakeups import Server, asking, waiting
from wire.asks import Reconcile, Reconciled

CLOSED = ["COMPLETED", "FAILED", "CANCELED", "TERMINATED", "TIMED_OUT"]
GOING_ON = ["RUNNING", "CONTINUED_AS_NEW", "PAUSED"]


@dataclass
class Namespace(Server):
    """A server that says of each workflow what it is told to; of any other, that there is none."""

    statuses: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def get_workflow_handle(self, request_id: str) -> Any:
        letters = super().get_workflow_handle(request_id)
        return SimpleNamespace(
            signal=letters.signal,
            describe=lambda: self._describe(request_id),
            query=self._nobody_answers,
        )

    async def _describe(self, request_id: str) -> WorkflowExecution:
        if request_id in self.broken:
            raise RPCError("it cannot be said", RPCStatusCode.INTERNAL, b"")
        if request_id not in self.statuses:
            raise RPCError("no such workflow", RPCStatusCode.NOT_FOUND, b"")
        status = Raw.Value(f"WORKFLOW_EXECUTION_STATUS_{self.statuses[request_id]}")
        told = WorkflowExecutionInfo(status=status)
        return WorkflowExecution._from_raw_info(told, "default", DataConverter.default)

    async def _nobody_answers(self, *_: Any, **__: Any) -> None:
        raise RPCError("no such workflow", RPCStatusCode.NOT_FOUND, b"")


def sweep(desk: Desk, server: Namespace, *, workflow_id: str = "run") -> Reconciled:
    outside = replace(desk.outside, client=cast("Any", server))
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, workflow_id=workflow_id)
    ask = Reconcile(at=later(minutes=10))
    answer: Reconciled = asyncio.run(
        cast("Any", environment.run(Reconciling(outside).reconcile, ask))
    )
    return answer


def status(store: Store, request_id: str) -> str:
    request = store.request(request_id)
    assert request is not None
    return request.status.value


def somebody_untold(desk: Desk) -> None:
    """Let `b` wait for the ending of `a`, and nobody have told it; and a side effect be left."""
    older = waiting(desk, "a", at=later(hours=-1))
    desk.open("b", depends_on=("a",))
    desk.cancel(older)
    put = WishedMutation(type="Put", parameters={"key": "x", "value": 1})
    desk.executed("e", state_id="box/side", mutations=(put,))


@pytest.mark.parametrize("said", CLOSED)
def test_g9_a_record_whose_workflow_is_closed_is_ended(desk: Desk, said: str) -> None:
    waiting(desk, "z")

    assert sweep(desk, Namespace(statuses={"z": said})).ended == 1
    assert status(desk.store, "z") == "Canceled"


@pytest.mark.parametrize("said", GOING_ON)
def test_g9_whatever_is_not_closed_is_not_ended_and_holds_up_nobody(desk: Desk, said: str) -> None:
    somebody_untold(desk)
    waiting(desk, "z")
    server = Namespace(running=("b",), statuses={"z": said})

    answer = sweep(desk, server)

    assert answer == Reconciled(open_workflows=1, woken=1, dispatchers=1)
    assert server.told == ["b"]
    assert server.started == ["mutator/dispatch/box/side"]
    assert status(desk.store, "z") == "Pending"


def test_g9_one_of_which_nothing_can_be_said_holds_up_nobody(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    somebody_untold(desk)
    waiting(desk, "0")
    server = Namespace(running=("b",), broken={"0"})

    assert sweep(desk, server) == Reconciled(open_workflows=1, woken=1, dispatchers=1)
    assert status(desk.store, "0") == "Pending"
    assert "The sweep goes on without request '0'" in caplog.text


def test_g9_one_that_cannot_be_told_holds_up_nobody(desk: Desk) -> None:
    somebody_untold(desk)
    waiting(desk, "z")
    server = Namespace(running=("a", "b"), unreachable={"a"}, statuses={"z": "TERMINATED"})

    answer = sweep(desk, server)

    assert (answer.ended, answer.dispatchers) == (1, 1)
    assert server.told == ["b"]


def test_g9_a_request_that_this_version_cannot_read_holds_up_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path) as desk:
        somebody_untold(desk)
        waiting(desk, "0")
        waiting(desk, "z")
        with sqlite3.connect(tmp_path / "mutator.db") as other:
            newer = "replace(document, '\"schema_version\":1', '\"schema_version\":2')"
            other.execute(f"UPDATE requests SET document = {newer} WHERE request_id = '0'")
        server = Namespace(running=("b", "0"), statuses={"z": "TERMINATED"})

        assert sweep(desk, server) == Reconciled(open_workflows=2, woken=1, dispatchers=1, ended=1)

    assert "Request '0' is left out" in caplog.text
    assert "schema version 2" in caplog.text


def test_g9_a_budget_that_cannot_be_asked_holds_up_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = asking(desk, "a"), asking(desk, "x", key="others")
    asking(desk, "b")
    asking(desk, "y", key="others")
    desk.cancel(first)
    desk.cancel(other)
    queue = desk.store.queue

    def queued(budget: str, *, limit: int = 100) -> Any:
        if budget == "deploys":
            raise ValueError("nobody knows")
        return queue(budget, limit=limit)

    monkeypatch.setattr(desk.store, "queue", queued)
    server = Namespace(running=("b", "y"))

    assert sweep(desk, server).woken == 1
    assert server.told == ["y"]


# A namespace that does not know the requests of the store.


def test_g9_a_few_that_the_namespace_does_not_know_are_ended(desk: Desk) -> None:
    for each in range(HANDFUL):
        waiting(desk, f"r{each}")

    assert sweep(desk, Namespace()).ended == HANDFUL


def test_g9_more_are_ended_where_the_namespace_knows_as_many(desk: Desk) -> None:
    ids = [f"r{each}" for each in range(2 * HANDFUL + 2)]
    for each in ids:
        waiting(desk, each)

    assert sweep(desk, Namespace(running=tuple(ids[::2]))).ended == HANDFUL + 1
    assert status(desk.store, ids[0]) == "Pending"


@pytest.mark.parametrize("running", [(), ("new",), ("a-strangers",)])
def test_g9_nothing_is_ended_where_the_namespace_seems_to_be_another_one(
    desk: Desk, running: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    ids = [f"r{each}" for each in range(HANDFUL + 1)]
    for each in [*ids, "new"]:
        waiting(desk, each)
    server = Namespace(running=running, statuses={"new": "RUNNING"})

    assert sweep(desk, server).ended == 0

    assert {status(desk.store, each) for each in ids} == {"Pending"}
    (said,) = (each for each in caplog.records if each.levelno == logging.ERROR)
    assert "does not know 6 of 7 open requests" in said.getMessage()
    assert "TEMPORAL_NAMESPACE" in said.getMessage()


def test_g9_what_is_lost_for_good_is_ended_by_a_sweep_that_is_named_so(desk: Desk) -> None:
    for each in range(HANDFUL + 1):
        waiting(desk, f"r{each}")

    assert sweep(desk, Namespace(), workflow_id=END_LOST).ended == HANDFUL + 1
    assert desk.store.open_requests() == []
