"""Wakes requests: each is told that something it waits for may have come, and reads the store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from temporalio.service import RPCError, RPCStatusCode

from wire.names import Signal

from .outside import Outside

AT_ONCE: Final = 20
"""How many are told side by side."""


async def wake(outside: Outside, request_id: str) -> bool:
    """Tell one request; answer whether it was there to be told.

    Raises:
        RPCError: Temporal does not answer.
    """
    try:
        await outside.client.get_workflow_handle(request_id).signal(Signal.WAKE)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def wake_all(outside: Outside, request_ids: Iterable[str]) -> int:
    """Tell each request once, and answer how many were there to be told.

    Raises:
        RPCError: Temporal did not answer about one of them; the others were told all the same.
    """
    ids = [*dict.fromkeys(request_ids)]
    told = 0
    trouble: BaseException | None = None
    for first in range(0, len(ids), AT_ONCE):
        some = [wake(outside, each) for each in ids[first : first + AT_ONCE]]
        for answer in await asyncio.gather(*some, return_exceptions=True):
            if isinstance(answer, BaseException):
                trouble = answer
            else:
                told += answer
    if trouble is not None:
        raise trouble
    return told
