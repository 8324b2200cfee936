"""What Temporal raises, said in the words of `core.errors` and `client.errors`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pydantic import ValidationError
from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    TemporalError,
    TerminatedError,
)
from temporalio.exceptions import TimeoutError as TemporalTimeoutError
from temporalio.service import RPCError, RPCStatusCode

from core.errors import MutatorError, UnknownRequest
from wire.errors import BY_TYPE, error_of
from wire.names import TASK_QUEUE

from .errors import (
    NotSettled,
    ServerRefused,
    ServerUnavailable,
    UnexpectedFailure,
    WorkerUnavailable,
)

UNREACHABLE = frozenset({RPCStatusCode.UNAVAILABLE, RPCStatusCode.RESOURCE_EXHAUSTED})
LATE = frozenset({RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED})
LEFT_BEHIND = "AcceptedUpdateCompletedWorkflow"
"""What the server says of an update whose workflow was stopped before it could answer."""

NO_WORKER = "no poller seen"

_HINTS: Mapping[RPCStatusCode, str] = {
    RPCStatusCode.PERMISSION_DENIED: "check TEMPORAL_API_KEY and TEMPORAL_NAMESPACE",
    RPCStatusCode.UNAUTHENTICATED: "check TEMPORAL_API_KEY or the TLS settings",
    RPCStatusCode.INVALID_ARGUMENT: "start a worker once, it makes the search attributes",
    RPCStatusCode.NOT_FOUND: "check TEMPORAL_NAMESPACE",
    RPCStatusCode.UNIMPLEMENTED: "check TEMPORAL_ADDRESS, or take a newer server",
}


def address_of(client: Client) -> str:
    """Answer where the client is connected to."""
    return client.service_client.config.target_host


@contextmanager
def in_our_words(
    client: Client, *, request_id: str | None = None, waited: float = 0.0
) -> Iterator[None]:
    """Raise what the block raises of Temporal's as an error of ours.

    Args:
        request_id: The request that is asked; a workflow not found is then `UnknownRequest`.
        waited: Seconds the call was allowed, for the sentence.
    """
    try:
        yield
    except (TemporalError, TimeoutError, ValidationError) as error:
        raise in_words(
            error, address=address_of(client), request_id=request_id, waited=waited
        ) from error


def in_words(
    error: BaseException, *, address: str, request_id: str | None = None, waited: float = 0.0
) -> MutatorError:
    """Answer the error of ours that says the same."""
    match error:
        case RPCError():
            return _of_rpc(error, address, request_id, waited)
        case ApplicationError():
            return _of_application(error)
        case TemporalTimeoutError() if isinstance(error.cause, ApplicationError):
            return _of_application(error.cause)  # what its last attempt said
        case TimeoutError() | RPCTimeoutOrCancelledError() | TemporalTimeoutError():
            return WorkerUnavailable(TASK_QUEUE, waited)
        case ValidationError():
            return UnexpectedFailure(
                f"What was answered about request {request_id!r} cannot be read as "
                f"{error.title}. Take the version of this client that the worker has.",
                request_id=request_id,
            )
        case WorkflowQueryRejectedError() | CancelledError() | TerminatedError():
            return UnexpectedFailure(
                f"The workflow of request {request_id!r} was stopped before it could answer; "
                "the reconciler records its ending. Ask for it again in a minute.",
                request_id=request_id,
            )
        case TemporalError() if error.cause is not None:
            return in_words(error.cause, address=address, request_id=request_id, waited=waited)
        case _:
            return UnexpectedFailure(f"Temporal answered with a failure: {_line(str(error))}.")


def is_missing(error: BaseException) -> bool:
    """Answer whether the server says that there is no such open workflow, or no longer."""
    cause = error.cause if isinstance(error, WorkflowUpdateFailedError) else None
    if isinstance(cause, ApplicationError) and cause.type == LEFT_BEHIND:
        return True
    return (
        isinstance(error, RPCError)
        and error.status is RPCStatusCode.NOT_FOUND
        and not _about_namespace(error)
    )


def is_passing(error: BaseException) -> bool:
    """Answer whether the same call may succeed a moment later.

    Unavailable, busy, aborted, and not ready (a workflow task that failed or was thrown away).
    """
    return isinstance(error, RPCError) and (
        error.status in UNREACHABLE
        or error.status in {RPCStatusCode.ABORTED, RPCStatusCode.FAILED_PRECONDITION}
        or error.status in LATE
    )


def no_worker(error: BaseException) -> bool:
    """Answer whether the call failed for want of a worker that answers."""
    if isinstance(error, TimeoutError | RPCTimeoutOrCancelledError):
        return True
    return isinstance(error, RPCError) and (
        error.status in LATE
        or (error.status is RPCStatusCode.FAILED_PRECONDITION and NO_WORKER in error.message)
    )


def _of_rpc(error: RPCError, address: str, request_id: str | None, waited: float) -> MutatorError:
    if request_id is not None and is_missing(error):
        return UnknownRequest(request_id)
    if no_worker(error):
        return WorkerUnavailable(TASK_QUEUE, waited)
    if error.status in UNREACHABLE:
        return ServerUnavailable(address)
    if error.status is RPCStatusCode.FAILED_PRECONDITION and request_id is not None:
        return NotSettled(request_id, waited)
    hint = _HINTS.get(error.status)
    if (
        error.status is RPCStatusCode.INVALID_ARGUMENT
        and "search attr" not in error.message.lower()
    ):
        hint = None
    if hint is None:
        return UnexpectedFailure(
            f"The Temporal server at {address} failed: {_line(error.message)}.", address=address
        )
    return ServerRefused(
        f"The Temporal server at {address} refuses the call: {_line(error.message)}; {hint}.",
        address=address,
    )


def _of_application(error: ApplicationError) -> MutatorError:
    if error.type not in BY_TYPE:
        return UnexpectedFailure(
            f"The worker failed with {error.type or 'an error'}: {_line(error.message)}.",
            type=error.type,
        )
    given = error.details[0] if error.details else None
    named = given if isinstance(given, Mapping) else {}
    details = {key: value for key, value in named.items() if key not in {"message", "details"}}
    return error_of(error.type, error.message, details)


def _about_namespace(error: RPCError) -> bool:
    return "namespace" in error.message.lower() and "not found" in error.message.lower()


def _line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")[:300]
