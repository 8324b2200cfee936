"""Send what has no answer of its own, and watch the request until it has counted or was refused.

A signal is taken by the server and answered by nobody. What became of it stands in the request: the
decision it made, or the refusal that was recorded, each with the sender's id; a comment stands in
the store of record. Until one of them is seen nothing is reported as done.
"""

from __future__ import annotations

import asyncio
from time import monotonic

from temporalio.exceptions import TemporalError

from core.governance.request import MutationRequest, RefusedMessage
from core.governance.supersession import is_superseded_by
from wire.errors import error_of
from wire.messages import Reply, reply_of
from wire.names import Signal

from . import reading
from .errors import NoStore, NotSettled
from .messages import FIRST_PAUSE, LONGEST_PAUSE, Sending, closed, unless_running
from .outside import Outside
from .translate import address_of, in_words, is_missing, is_passing

MAX_COMMENTS_READ = 10_000
"""Comments that are looked through for one."""


async def tell(outside: Outside, sending: Sending) -> Reply:
    """Send a signal and answer how the request stands once it has counted.

    Raises:
        DecisionRefused: It was read and does not count; the class names why.
        UnknownRequest: Neither Temporal nor the store knows the request.
        NoStore: Only the store could tell whether it counted; nothing was sent.
        NotSettled: It was sent, and neither counted nor was refused in time.
        WorkerUnavailable: It was sent, and no worker says what became of it.
    """
    if sending.name == Signal.COMMENT and outside.records is None:
        raise NoStore("whether a comment was kept")
    deadline = monotonic() + sending.within
    ended = await _signal(outside, sending, deadline)
    request = ended or await _seen(outside, sending, deadline)
    if await _has_counted(outside, sending, request):
        return reply_of(request)
    refused = _refusal(request, sending)
    if refused is not None:
        raise error_of(refused.error, refused.message, {"request_id": request.request_id})
    raise closed(request)


async def _signal(outside: Outside, sending: Sending, deadline: float) -> MutationRequest | None:
    """Send it until the server has it; answer the record where the request has ended."""
    pause = FIRST_PAUSE
    while True:
        try:
            await outside.handle(sending.request_id).signal(sending.name, sending.payload)
        except TemporalError as error:
            if is_missing(error):
                ended = await unless_running(outside, sending.request_id)
                if ended is not None:
                    return ended
            if not (is_missing(error) or is_passing(error)) or monotonic() + pause > deadline:
                raise in_words(
                    error,
                    address=address_of(outside.client),
                    request_id=sending.request_id,
                    waited=sending.within,
                ) from error
        else:
            return None
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


async def _seen(outside: Outside, sending: Sending, deadline: float) -> MutationRequest:
    """Answer the request once it shows what became of the message, or has ended."""
    pause = FIRST_PAUSE
    while True:
        request: MutationRequest | None = None
        try:
            request = await reading.get(outside, sending.request_id)
        except reading.PASSING:
            if monotonic() > deadline:
                raise
        if request is not None and (
            request.status.is_terminal
            or _refusal(request, sending) is not None
            or await _has_counted(outside, sending, request)
        ):
            return request
        if monotonic() > deadline:
            raise NotSettled(
                sending.request_id, sending.within, request.status.value if request else None
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


async def _has_counted(outside: Outside, sending: Sending, request: MutationRequest) -> bool:
    """Answer whether the message did what it was sent for."""
    actor_id = str(sending.payload["actor_id"])
    if sending.name == Signal.SUPERSEDE:
        return is_superseded_by(request, str(sending.payload["by"]))
    if sending.name != Signal.COMMENT:
        return request.counted(actor_id, sending.decision_id) is not None
    said = await outside.read(
        "whether a comment was kept",
        lambda records: records.comments(sending.request_id, limit=MAX_COMMENTS_READ),
    )
    return any(
        (each.comment_id, each.actor_id.lower()) == (sending.decision_id, actor_id.lower())
        for each in said
    )


def _refusal(request: MutationRequest, sending: Sending) -> RefusedMessage | None:
    """Answer why the message does not count, where that is recorded."""
    sent = (str(sending.payload["actor_id"]).lower(), sending.decision_id)
    return next(
        (
            each
            for each in reversed(request.refused_messages)
            if ((each.actor_id or "").lower(), each.decision_id) == sent
        ),
        None,
    )
