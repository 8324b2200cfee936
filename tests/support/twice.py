"""Runs every activity twice at once and answers with what the second brought."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor


class Twice(Interceptor):
    """What a replaced attempt that still runs does, for every activity."""

    def intercept_activity(
        self,
        next: ActivityInboundInterceptor,  # noqa: A002 - the SDK's name
    ) -> ActivityInboundInterceptor:
        return _Twice(next)


class _Twice(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        answers = await asyncio.gather(
            self.next.execute_activity(input), self.next.execute_activity(input)
        )
        return answers[1]
