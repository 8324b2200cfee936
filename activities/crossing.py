"""Domain errors cross the activity boundary by name; a "no" is not retried, an outage is.

What caused them stays behind: a driver's error quotes the rows it was given, a validator's what it
was asked about, and Temporal would keep both with the failure.
"""

from __future__ import annotations

from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from core.errors import DirectoryError, MutatorError, StoreError

RETRIED = (StoreError, DirectoryError)
"""Trouble of the infrastructure: it is asked again, and never burns an approval."""


class ErrorsCross(Interceptor):
    """The worker's interceptor."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Wrap every activity."""
        return _Crossing(next)


class _Crossing(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        try:
            return await super().execute_activity(input)
        except MutatorError as error:
            raise ApplicationError(
                error.message,
                error.details,
                type=error.code,
                non_retryable=not isinstance(error, RETRIED),
            ) from None
