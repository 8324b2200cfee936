"""Wait until a worker takes work."""

from __future__ import annotations

from time import monotonic

from client import Mutator, WorkerUnavailable, payload_of

from ..feature_flags import DisableFlag
from ..servers import CannotStart, Processes, while_running

READY_WITHIN = 60.0
"""Seconds a worker may take until it takes work."""


async def until_ready(mutator: Mutator, processes: Processes) -> None:
    """Wait until a worker answers a question that needs no request.

    Raises:
        CannotStart: It ended, or did not answer in time.
    """
    try:
        await while_running(processes, _answered(mutator))
    except WorkerUnavailable:
        raise CannotStart(
            f"The worker took no work within {READY_WITHIN:g} s; "
            f"what it said is in {processes.place.log('worker')}."
        ) from None


async def _answered(mutator: Mutator) -> None:
    question = payload_of("feature_flags/web", DisableFlag(flag="dark-mode"), actor_id="ana")
    deadline = monotonic() + READY_WITHIN
    while True:
        try:
            await mutator.preview(question)
        except WorkerUnavailable:
            if monotonic() > deadline:
                raise
        else:
            return
