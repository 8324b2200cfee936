"""Lets nobody but a request's own workflow hand an activity its picture.

Whoever is handed a request, or whom somebody is, believes it, and Temporal lets anybody with access
call an activity alone, with a picture made by hand. Such a call is refused before the activity sees
it.
"""

from __future__ import annotations

from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from core.governance.request import MutationRequest
from wire.asks import Authenticate, StoreComment, SupersedeRequest
from wire.names import WORKFLOW_TYPE


class OnlyItsWorkflow(Interceptor):
    """The worker's interceptor."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Wrap every activity."""
        return _Gate(next)


class _Gate(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        info = activity.info()
        for ask in input.args:
            requests = _asked_by(ask)
            if requests and (
                info.workflow_type != WORKFLOW_TYPE or info.workflow_id not in requests
            ):
                raise ApplicationError(
                    f"Only the workflow of request {requests[0]!r} may ask for "
                    f"{info.activity_type}; send the request a message instead.",
                    type="NotTheRequest",
                    non_retryable=True,
                )
        return await super().execute_activity(input)


def _asked_by(ask: object) -> tuple[str, ...]:
    """Answer which requests' workflows may ask so; nothing: anybody may."""
    match ask:
        case SupersedeRequest():
            return ask.request_id, ask.by
        case StoreComment():
            return (ask.request_id,)
    within = ask.grant if isinstance(ask, Authenticate) else ask
    request = getattr(within, "request", None)
    return (request.request_id,) if isinstance(request, MutationRequest) else ()
