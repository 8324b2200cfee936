"""Whatever Temporal raises, the caller reads one of our errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from pydantic import ValidationError
from temporalio.client import (
    ActivityFailureError,
    Client,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError, TerminatedError, TimeoutType
from temporalio.exceptions import TimeoutError as TemporalTimeoutError
from temporalio.service import RPCError, RPCStatusCode

from client.errors import (
    ClientError,
    NotSettled,
    ServerRefused,
    ServerUnavailable,
    UnexpectedFailure,
    WorkerUnavailable,
)
from client.outside import Outside
from client.translate import in_words, is_missing
from core.errors import MutatorError, RequestClosed, StoreUnavailable, UnknownRequest
from wire.errors import BY_TYPE
from wire.messages import RequestResult


def rpc(status: RPCStatusCode, message: str = "said so") -> RPCError:
    return RPCError(message, status, b"")


def words(error: BaseException, **more: Any) -> MutatorError:
    return in_words(error, address="somewhere:7233", **more)


@pytest.mark.parametrize("name", sorted(BY_TYPE))
@pytest.mark.parametrize(
    "wrapped", [WorkflowUpdateFailedError, lambda cause: WorkflowFailureError(cause=cause)]
)
def test_every_domain_error_comes_back_as_its_class(
    name: str, wrapped: Callable[[BaseException], BaseException]
) -> None:
    crossing = ApplicationError("One sentence.", {"request_id": "req-1"}, type=name)

    error = words(wrapped(crossing))

    assert type(error) is BY_TYPE[name]
    assert str(error) == "One sentence."
    assert error.details == {"request_id": "req-1"}


@pytest.mark.parametrize("details", [(), (None,), ("text",), ({"message": "x", "status": "y"},)])
def test_details_that_are_no_ids_do_no_harm(details: tuple[object, ...]) -> None:
    error = words(ApplicationError("Closed.", *details, type="RequestClosed"))

    assert isinstance(error, RequestClosed)
    assert error.message == "Closed."


def unreadable() -> ValidationError:
    with pytest.raises(ValidationError) as raised:
        RequestResult.model_validate({"request_id": 7})
    return raised.value


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (rpc(RPCStatusCode.UNAVAILABLE), ServerUnavailable),
        (rpc(RPCStatusCode.RESOURCE_EXHAUSTED), ServerUnavailable),
        (rpc(RPCStatusCode.PERMISSION_DENIED), ServerRefused),
        (rpc(RPCStatusCode.NOT_FOUND, "Namespace x is not found."), ServerRefused),
        (rpc(RPCStatusCode.NOT_FOUND, "workflow not found for ID: x"), UnknownRequest),
        (rpc(RPCStatusCode.DEADLINE_EXCEEDED), WorkerUnavailable),
        (
            rpc(RPCStatusCode.FAILED_PRECONDITION, "no poller seen for task queue"),
            WorkerUnavailable,
        ),
        (rpc(RPCStatusCode.FAILED_PRECONDITION, "workflow task failed"), NotSettled),
        (rpc(RPCStatusCode.INTERNAL), UnexpectedFailure),
        (rpc(RPCStatusCode.INVALID_ARGUMENT, "WorkflowId is not set"), UnexpectedFailure),
        (rpc(RPCStatusCode.INVALID_ARGUMENT, "no mapping for search attribute"), ServerRefused),
        (unreadable(), UnexpectedFailure),
        (WorkflowUpdateRPCTimeoutOrCancelledError(), WorkerUnavailable),
        (WorkflowQueryFailedError("the query failed"), UnexpectedFailure),
        (WorkflowFailureError(cause=TerminatedError("by hand")), UnexpectedFailure),
        (ApplicationError("a stranger", type="ValueError"), UnexpectedFailure),
        (
            ActivityFailureError(
                cause=TemporalTimeoutError(
                    "late", type=TimeoutType.SCHEDULE_TO_START, last_heartbeat_details=[]
                )
            ),
            WorkerUnavailable,
        ),
    ],
)
def test_everything_else_is_an_error_of_asking(
    error: BaseException, expected: type[MutatorError]
) -> None:
    said = words(error, request_id="req-1", waited=5.0)

    assert type(said) is expected
    assert isinstance(said, ClientError | UnknownRequest)
    assert str(said).endswith(".")
    assert "\n" not in str(said)


def test_an_activity_that_ran_out_of_time_says_what_its_last_attempt_said() -> None:
    late = TemporalTimeoutError(
        "late", type=TimeoutType.SCHEDULE_TO_CLOSE, last_heartbeat_details=[]
    )
    late.__cause__ = ApplicationError("The store does not answer.", type="StoreUnavailable")

    assert isinstance(words(ActivityFailureError(cause=late)), StoreUnavailable)


def test_a_namespace_not_found_is_no_missing_request() -> None:
    assert is_missing(rpc(RPCStatusCode.NOT_FOUND, "workflow execution already completed"))
    assert not is_missing(rpc(RPCStatusCode.NOT_FOUND, "Namespace x is not found."))


@pytest.mark.parametrize("request_id", ["", "x" * 201])
def test_an_id_that_no_request_can_have_is_unknown_before_anybody_is_asked(
    request_id: str,
) -> None:
    with pytest.raises(UnknownRequest):
        Outside(cast("Client", None)).handle(request_id)
