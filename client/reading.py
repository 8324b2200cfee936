"""Read a request: as it is, as it changes, how it ended. The store decides what has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from time import monotonic

from pydantic import ValidationError
from temporalio.client import WorkflowExecutionStatus, WorkflowQueryFailedError
from temporalio.exceptions import TemporalError

from core.errors import MutatorError, StoreUnavailable, UnknownRequest
from core.governance.request import MutationRequest, Status
from wire.messages import RequestResult, result_of
from wire.names import Query

from .errors import NotSettled, Unavailable, UnexpectedFailure, WorkflowGone
from .outside import Outside
from .translate import address_of, in_words, is_missing, is_passing, no_worker

QUERY_WITHIN = 5.0
"""Seconds a worker may take to answer a query before the store's picture is shown instead."""

PATIENCE = 60.0
"""Seconds that watching outlives a server, worker or store that does not answer."""

FAILED_WITHIN = 1.0
"""Seconds an assessment may take before it is asked whether the workflow has failed."""

PASSING = (Unavailable, StoreUnavailable)
"""What watching and waiting outlive for a while."""

ENDED_WITHIN = 90.0
"""Seconds the reconciler is given to end the record of a workflow that was stopped."""


async def get(outside: Outside, request_id: str) -> MutationRequest:
    """Answer a request as it is: its record once it has ended, else what its workflow says.

    Without a worker the store's picture is answered, which may be a moment old.

    Raises:
        UnknownRequest: Neither Temporal nor the store knows it.
        WorkerUnavailable: No worker answers, and there is no store to ask instead.
    """
    recorded = await outside.recorded(request_id)
    if recorded is not None and recorded.status.is_terminal:
        return recorded
    try:
        answered: MutationRequest = await outside.handle(request_id).query(
            Query.REQUEST,
            result_type=MutationRequest,
            rpc_timeout=timedelta(seconds=QUERY_WITHIN),
        )
        return answered
    except WorkflowQueryFailedError as error:
        raise (await _failure_of(outside, request_id)) or _said(
            outside, error, request_id
        ) from error
    except (TemporalError, TimeoutError, ValidationError) as error:
        if recorded is not None and (is_missing(error) or is_passing(error) or no_worker(error)):
            return recorded
        raise _said(outside, error, request_id) from error


async def watch(
    outside: Outside, request_id: str, *, every: float = 0.5
) -> AsyncIterator[MutationRequest]:
    """Yield the request now and whenever it has changed, until it has ended.

    Args:
        every: Seconds between two looks.

    Raises:
        UnknownRequest: Neither Temporal nor the store knows it.
        Unavailable: Nobody answered for `PATIENCE` seconds.
    """
    last: MutationRequest | None = None
    answered_at = monotonic()
    while True:
        try:
            request = await get(outside, request_id)
        except PASSING:
            if monotonic() - answered_at > PATIENCE:
                raise
        else:
            answered_at = monotonic()
            if request != last:
                yield request
            if request.status.is_terminal:
                return
            last = request
        await asyncio.sleep(every)


async def until(
    outside: Outside,
    request_id: str,
    reached: Callable[[MutationRequest], bool],
    *,
    within: float,
) -> MutationRequest:
    """Look at a request until something is reached.

    Args:
        within: Seconds after which it is given up.

    Raises:
        NotSettled: It was not reached in time.
        UnknownRequest: Neither Temporal nor the store knows it.
    """
    deadline = monotonic() + within
    pause = 0.02
    request: MutationRequest | None = None
    while True:
        try:
            request = await get(outside, request_id)
        except PASSING:
            if monotonic() > deadline:
                raise
        else:
            if reached(request):
                return request
        if monotonic() > deadline:
            raise NotSettled(request_id, within, request.status.value if request else None)
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.5)


async def assessed(outside: Outside, request_id: str, *, within: float) -> MutationRequest:
    """Answer the request once it has been assessed; arguments and errors are those of `until`.

    Raises:
        RequestIdReused: Its id turned out to belong to other content that Temporal had forgotten.
    """

    def reached(request: MutationRequest) -> bool:
        return request.status is not Status.CREATED

    try:
        return await until(outside, request_id, reached, within=min(FAILED_WITHIN, within))
    except NotSettled:
        if (failure := await _failure_of(outside, request_id)) is not None:
            raise failure from None
    return await until(outside, request_id, reached, within=max(within - FAILED_WITHIN, 0.0))


async def result(
    outside: Outside, request_id: str, *, within: float | None = None
) -> RequestResult:
    """Wait for the end of a request.

    Args:
        within: Seconds to wait; `None` waits as long as it takes.

    Raises:
        UnknownRequest: Neither Temporal nor the store knows it.
        NotSettled: It has not ended in time.
        WorkflowGone: Its workflow was stopped and nobody recorded an ending.
    """
    recorded = await outside.recorded(request_id)
    if recorded is not None and recorded.status.is_terminal:
        return result_of(recorded)
    try:
        async with asyncio.timeout(within):
            return await outside.handle(request_id).result()
    except TimeoutError as error:
        raise NotSettled(request_id, within or 0.0) from error
    except TemporalError as error:
        said = _said(outside, error, request_id)
        forgotten = isinstance(said, UnknownRequest) and recorded is not None
        if outside.records is None or not (forgotten or isinstance(said, UnexpectedFailure)):
            raise said from error
    # Stopped from outside: whoever ends its record decides how it ended.
    try:
        ended = await until(
            outside,
            request_id,
            lambda request: request.status.is_terminal,
            within=min(within or ENDED_WITHIN, ENDED_WITHIN),
        )
    except NotSettled as error:
        raise WorkflowGone(request_id) from error
    return result_of(ended)


async def _failure_of(outside: Outside, request_id: str) -> MutatorError | None:
    """Answer why the workflow failed: what it was started with could not become a request."""
    handle = outside.handle(request_id)
    try:
        described = await handle.describe()
        if described.status is WorkflowExecutionStatus.FAILED:
            await handle.result()
    except TemporalError as error:
        return _said(outside, error, request_id)
    return None


def _said(outside: Outside, error: BaseException, request_id: str) -> MutatorError:
    return in_words(
        error, address=address_of(outside.client), request_id=request_id, waited=QUERY_WITHIN
    )


async def known(outside: Outside, request_id: str) -> MutationRequest | None:
    """Answer a request as `get` does, or nothing when nobody knows it."""
    try:
        return await get(outside, request_id)
    except UnknownRequest:
        return None
