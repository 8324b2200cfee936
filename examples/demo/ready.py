"""Wait until a worker takes work."""

from __future__ import annotations

import asyncio
from time import monotonic

from client import Mutator, WorkerUnavailable, payload_of

from ..feature_flags import DisableFlag
from ..servers import CannotStart, Process

READY_WITHIN = 60.0
"""Seconds a worker may take until it takes work."""


async def until_ready(mutator: Mutator, worker: Process) -> None:
    """Wait until a worker answers a question that needs no request.

    Raises:
        CannotStart: It ended, or did not answer in time.
    """
    question = payload_of("feature_flags/web", DisableFlag(flag="dark-mode"), actor_id="ana")
    deadline = monotonic() + READY_WITHIN
    while True:
        asking = asyncio.ensure_future(mutator.preview(question))
        try:
            while not asking.done():
                worker.raise_if_ended()
                await asyncio.wait([asking], timeout=0.2)
            await asking
        except WorkerUnavailable:
            if monotonic() > deadline:
                raise CannotStart(
                    f"The worker took no work within {READY_WITHIN:g} s; "
                    f"what it said is in {worker.log}."
                ) from None
        else:
            return
        finally:
            asking.cancel()
