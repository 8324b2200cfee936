"""Ask a worker, without a request: who somebody is, and what a wish would do and demand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import uuid4

from pydantic import ValidationError
from temporalio.common import RetryPolicy

from core.domain import problems
from core.errors import InvalidParameters
from core.governance.people import Person
from wire.asks import Authenticate, Authenticated, Preview, PreviewMutation
from wire.errors import error_of
from wire.messages import Start
from wire.names import OWN_PREFIX, Activity
from wire.varying import Vary

from .outside import Outside
from .translate import in_our_words

T = TypeVar("T")

ASKED: Final = PreviewMutation.model_fields.keys() & Start.model_fields.keys()
"""What a preview is told of a wish."""

TAKEN_WITHIN = 10.0
"""Seconds until a worker must have taken the work."""

DONE_WITHIN = 30.0
"""Seconds until it must be done, retries included."""


async def authenticate(outside: Outside, actor_id: str, *, credential: str | None = None) -> Person:
    """Answer who somebody is, as the worker's directory knows them.

    Raises:
        UnknownActor: The directory does not know them.
        Unauthenticated: They are not who they say they are.
        WorkerUnavailable: No worker took the question.
    """
    ask = Authenticate(request_id="", state_id="", actor_id=actor_id, credential=credential)
    answered = await _ask(outside, Activity.AUTHENTICATE, ask, Authenticated)
    if answered.person is None:
        refusal = answered.refusal
        raise error_of(
            refusal.type if refusal else "UnknownActor",
            refusal.message if refusal else f"Nobody is known as {actor_id!r}.",
            refusal.details if refusal else {"actor_id": actor_id},
        )
    return answered.person


async def preview(
    outside: Outside,
    start: Start,
    *,
    at: datetime,
    vary: Vary | Mapping[str, Any] | None = None,
) -> Preview:
    """Answer what a request would do, demand and mean, without making one.

    Args:
        at: The time that policies are told.
        vary: A parameter to try over a range of values.

    Raises:
        InvalidParameters: The range cannot be tried.
        WorkerUnavailable: No worker took the question.
    """
    asked = {name: getattr(start, name) for name in ASKED}
    try:
        ask = PreviewMutation.model_validate(asked | {"at": at, "vary": vary})
    except ValidationError as error:
        raise InvalidParameters(f"It cannot be previewed: {problems(error)}.") from error
    return await _ask(outside, Activity.PREVIEW_MUTATION, ask, Preview)


async def _ask(outside: Outside, name: str, ask: Any, answer: type[T]) -> T:
    with in_our_words(outside.client, waited=TAKEN_WITHIN):
        answered: T = await outside.client.execute_activity(
            name,
            ask,
            id=f"{OWN_PREFIX}{name}/{uuid4().hex}",
            task_queue=outside.task_queue,
            result_type=answer,
            schedule_to_start_timeout=timedelta(seconds=TAKEN_WITHIN),
            schedule_to_close_timeout=timedelta(seconds=DONE_WITHIN),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(milliseconds=200), maximum_attempts=3
            ),
        )
        return answered
