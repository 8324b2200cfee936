"""Runs every activity twice at once and answers with what the second brought."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from concurrent.futures import ThreadPoolExecutor
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
        once = input.fn
        if inspect.iscoroutinefunction(once):

            @functools.wraps(once)
            async def both_async(*args: Any) -> Any:
                answers = await asyncio.gather(once(*args), once(*args))
                return answers[1]

            input.fn = both_async
        else:

            @functools.wraps(once)
            def both(*args: Any) -> Any:
                with ThreadPoolExecutor(2) as pool:
                    runs = [
                        pool.submit(contextvars.copy_context().run, once, *args) for _ in range(2)
                    ]
                    return [run.result() for run in runs][1]

            input.fn = both
        return await super().execute_activity(input)
