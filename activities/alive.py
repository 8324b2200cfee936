"""Shows Temporal that a worker is alive while its activities run, so that a dead one is noticed.

Without it an activity that died with its worker is asked for again only when its whole time is up.
The signs come from the worker's loop and not from the activity: one that waits for a lock or for
author code is alive as well. What answers at once sends none.
"""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import activity
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

SIGNS = 4
"""Signs of life within the time after which a worker counts as dead."""


class ShowsLife(Interceptor):
    """The worker's interceptor; only activities with a heartbeat timeout show anything."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Wrap every activity."""
        return _Alive(next)


class _Alive(ActivityInboundInterceptor):
    _outbound: ActivityOutboundInterceptor

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        # An activity in a thread replaces `activity.heartbeat` by one that may not be called here.
        self._outbound = outbound
        super().init(outbound)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        patience = activity.info().heartbeat_timeout
        if not patience:
            return await super().execute_activity(input)
        loop, every = asyncio.get_running_loop(), patience.total_seconds() / SIGNS
        due: asyncio.TimerHandle

        def show() -> None:
            nonlocal due
            self._outbound.heartbeat()
            due = loop.call_later(every, show)

        due = loop.call_later(every, show)
        try:
            return await super().execute_activity(input)
        finally:
            due.cancel()
