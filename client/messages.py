"""Send a message to a request and get its answer: decide, cancel, refresh.

A decision id is made once. The update that carries it has the same id, and is repeated under it
when the server says unavailable, aborted or not ready: it counts once, however often it is sent.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any
from uuid import uuid4

from temporalio.client import WorkflowExecutionStatus
from temporalio.exceptions import TemporalError

from core.errors import RequestClosed, UnknownRequest
from core.governance.request import MutationRequest
from core.model import Value
from wire.messages import Message, Reply, read_message, reply_of

from . import reading
from .errors import Unavailable, WorkerUnavailable, WorkflowGone
from .outside import Outside
from .translate import address_of, in_our_words, in_words, is_missing, is_passing, no_worker

ANSWER_WITHIN = 30.0
"""Seconds a message may take until it is settled, unless the caller says otherwise."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between two attempts: doubled from the first to the longest."""


class Sending(Value):
    """One message on its way.

    Attributes:
        name: The update.
        payload: What is sent, always the same.
        within: Seconds until it is given up.
    """

    name: str
    request_id: str
    payload: dict[str, Any]
    within: float

    @property
    def decision_id(self) -> str:
        """Answer the sender's own id for it."""
        return str(self.payload["decision_id"])


def new_decision_id() -> str:
    """Make an id for a decision."""
    return f"dec-{uuid4().hex}"


def message_of(name: str, /, **fields: Any) -> dict[str, Any]:
    """Write the payload of a message, leaving out what is not said.

    Raises:
        MalformedMessage: It does not fit; nothing is sent.
    """
    payload = {key: value for key, value in fields.items() if value not in (None, "", {})}
    payload.setdefault("decision_id", new_decision_id())
    read: Message = read_message(name, [payload])
    return payload | {"decision_id": read.decision_id}


async def send(outside: Outside, sending: Sending) -> Reply:
    """Send a message and answer how the request stands once it has been taken.

    What is not settled in time is answered as it is, with `settled` false.

    Raises:
        DecisionRefused: It was read and does not count; the class names why.
        UnknownRequest: Neither Temporal nor the store knows the request.
        WorkerUnavailable: No worker answered; the message may yet be taken, so repeat it with the
            same decision id.
    """
    deadline = monotonic() + sending.within
    reply = await _answer(outside, sending, sending.decision_id, deadline)
    pause, again = 1.0, 1
    while not reply.settled and monotonic() + pause < deadline:
        await asyncio.sleep(pause)
        again, pause = again + 1, min(pause * 2, 8.0)
        try:
            reply = await _answer(outside, sending, f"{sending.decision_id}~{again}", deadline)
        except RequestClosed:  # it ended meanwhile, whoever ended it
            return reply_of(await reading.get(outside, sending.request_id))
        except Unavailable:
            return reply
    return reply


async def _answer(outside: Outside, sending: Sending, update_id: str, deadline: float) -> Reply:
    """Send the update until it is answered by name."""
    handle = outside.handle(sending.request_id)
    pause = FIRST_PAUSE
    while True:
        try:
            # The SDK asks again for ever while no worker is there; its own timeout is for one RPC.
            async with asyncio.timeout(max(deadline - monotonic(), 0.5)):
                reply: Reply = await handle.execute_update(
                    sending.name, sending.payload, id=update_id, result_type=Reply
                )
            return reply
        except (TemporalError, TimeoutError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from error  # the SDK says "timed out" for this too
            if is_missing(error):
                ended = await unless_running(outside, sending.request_id)
                if ended is not None:
                    return _by_record(ended, sending)
            elif not (is_passing(error) or no_worker(error)):
                raise in_words(
                    error, address=address_of(outside.client), request_id=sending.request_id
                ) from error
            if monotonic() + pause > deadline and no_worker(error):
                raise WorkerUnavailable(
                    outside.task_queue, sending.within, sending.decision_id
                ) from error
            if monotonic() + pause > deadline:
                raise in_words(
                    error,
                    address=address_of(outside.client),
                    request_id=sending.request_id,
                    waited=sending.within,
                ) from error
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _by_record(ended: MutationRequest, sending: Sending) -> Reply:
    """Answer a message that counted though its answer was lost; refuse by name one that is late."""
    if ended.counted(str(sending.payload["actor_id"]), sending.decision_id):
        return reply_of(ended)
    raise closed(ended)


async def unless_running(outside: Outside, request_id: str) -> MutationRequest | None:
    """Answer the request when it has ended; nothing when the update was lost and is sent again."""
    recorded = await outside.recorded(request_id)
    if recorded is not None and recorded.status.is_terminal:
        return recorded
    try:
        with in_our_words(outside.client, request_id=request_id):
            described = await outside.handle(request_id).describe()
    except UnknownRequest:
        if recorded is None:
            raise
        raise WorkflowGone(request_id) from None
    if described.status is WorkflowExecutionStatus.RUNNING:
        return None
    request = await reading.get(outside, request_id)
    if request.status.is_terminal:
        return request
    raise WorkflowGone(request_id)


def closed(request: MutationRequest) -> RequestClosed:
    """Answer the refusal of a message to a request that has ended."""
    return RequestClosed(
        f"Request {request.request_id!r} is {request.status.value}; "
        "nothing can be decided any more.",
        request_id=request.request_id,
        status=request.status.value,
    )
