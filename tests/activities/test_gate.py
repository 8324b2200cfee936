"""Who may ask for what: a request's own workflow, or the one whose business it is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.gate import OnlyItsWorkflow
from tests.activities.desk import NOON, Desk
from wire.asks import (
    Authenticate,
    DispatchSideEffects,
    LookAt,
    Reconcile,
    SendWakeups,
    StoreComment,
    SupersedeRequest,
)
from wire.names import DISPATCHER_TYPE, RECONCILER_TYPE, WORKFLOW_TYPE, dispatcher_id

COMMENT = StoreComment(request_id="r", comment_id="c", actor_id="ben", text="", at=NOON)
SUPERSEDE = SupersedeRequest(request_id="r", by="s", actor_id="dan", at=NOON)
WAKE = SendWakeups(request_id="r", state_id="box/a")
DISPATCH = DispatchSideEffects(state_id="box/a")
SWEEP = Reconcile(at=NOON)
WHO = Authenticate(request_id="", state_id="", actor_id="ben")
DISPATCHER = dispatcher_id("box/a")


class Behind(ActivityInboundInterceptor):
    """What stands behind the gate."""

    def __init__(self) -> None:
        pass

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        return "done"


def asked(ask: object, workflow_id: str | None, type_: str | None = WORKFLOW_TYPE) -> object:
    gate = OnlyItsWorkflow().intercept_activity(Behind())
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, workflow_id=workflow_id, workflow_type=type_)
    given = ExecuteActivityInput(fn=print, args=[ask], executor=None, headers={})
    return asyncio.run(cast("Any", environment.run(gate.execute_activity, given)))


@pytest.mark.parametrize(
    ("ask", "who"),
    [(COMMENT, "r"), (SUPERSEDE, "r"), (SUPERSEDE, "s"), (WAKE, "r"), (WHO, None)],
)
def test_whose_ask_it_is_may_ask(ask: object, who: str | None) -> None:
    assert asked(ask, who) == "done"


@pytest.mark.parametrize(
    ("ask", "who"),
    [
        (COMMENT, "s"),
        (COMMENT, None),
        (SUPERSEDE, "t"),
        (SUPERSEDE, None),
        (WAKE, "s"),
        (WAKE, None),
    ],
)
def test_g1_nobody_else_speaks_for_people(ask: object, who: str | None) -> None:
    with pytest.raises(ApplicationError, match="Only the workflow of request 'r' may ask") as no:
        asked(ask, who)

    assert no.value.type == "NotTheRequest"
    assert no.value.non_retryable


def test_g1_nor_does_a_workflow_of_another_type_by_that_id() -> None:
    with pytest.raises(ApplicationError):
        asked(SUPERSEDE, "r", "SomethingElse")


@pytest.mark.parametrize("who", ["s", None])
def test_g1_nobody_else_looks_with_a_picture_made_by_hand(desk: Desk, who: str | None) -> None:
    ask = LookAt(request=desk.ask("r"), requirement_id="quota-1", at=NOON)

    assert asked(ask, "r") == "done"
    with pytest.raises(ApplicationError):
        asked(ask, who)


@pytest.mark.parametrize(
    ("ask", "who", "type_"),
    [
        (SWEEP, "mutator/reconciler/run-2026", RECONCILER_TYPE),
        (SWEEP, "another", RECONCILER_TYPE),
        (DISPATCH, DISPATCHER, DISPATCHER_TYPE),
    ],
)
def test_whose_business_it_is_may_ask(ask: object, who: str, type_: str) -> None:
    assert asked(ask, who, type_) == "done"


@pytest.mark.parametrize(
    ("ask", "who", "type_"),
    [
        # Called alone, a sweep at a time of the caller's own would give room beyond a budget.
        (SWEEP, None, None),
        (SWEEP, "mutator/reconciler/run-2026", WORKFLOW_TYPE),
        (DISPATCH, None, None),
        (DISPATCH, DISPATCHER, WORKFLOW_TYPE),
        (DISPATCH, dispatcher_id("box/other"), DISPATCHER_TYPE),
        (WAKE, "r", None),
        (WAKE, "r", DISPATCHER_TYPE),
    ],
)
def test_g9_nobody_else_sweeps_dispatches_or_wakes(
    ask: object, who: str | None, type_: str | None
) -> None:
    with pytest.raises(ApplicationError, match=r"Only the .* may ask for") as no:
        asked(ask, who, type_)

    assert no.value.type == "NotTheRequest"
    assert no.value.non_retryable
