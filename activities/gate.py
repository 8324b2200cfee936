"""Lets nobody but a request's own workflow hand an activity its picture.

Whoever is handed a request believes what it says, and Temporal lets anybody with access call an
activity alone, with a picture made by hand. Such a call is refused before the activity sees it.
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
from wire.asks import Authenticate
from wire.names import WORKFLOW_TYPE


class OnlyItsWorkflow(Interceptor):
    """The worker's interceptor."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Wrap every activity."""
        return _Gate(next)


class _Gate(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        info = activity.info()
        caller = (info.workflow_type, info.workflow_id)
        for ask in input.args:
            within = ask.grant if isinstance(ask, Authenticate) else ask
            request = getattr(within, "request", None)
            if (
                isinstance(request, MutationRequest)
                and (WORKFLOW_TYPE, request.request_id) != caller
            ):
                raise ApplicationError(
                    f"Only the workflow of request {request.request_id!r} may ask for "
                    f"{info.activity_type}; send the request a message instead.",
                    type="NotTheRequest",
                    non_retryable=True,
                )
        return await super().execute_activity(input)
