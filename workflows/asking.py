"""How the workflow asks the outside: bounded, fenced, put off when there is no answer.

Platform only; no rule of governance lives here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from core.governance.assessment import Plan
    from core.model import Value
    from wire.asks import A, Answered

from .options import ASK, ATTEMPT, BACKOFF, BOUNDED, HEARTBEAT, NEVER_LOCAL, ONCE, PATIENT

FATAL = frozenset({"RequestIdReused"})
"""Errors after which there is no request to go on with: the workflow fails by that name."""


class _NoAnswer(Exception):
    """A local attempt brought nothing in time; it may still be running."""


class Asking:
    """The fence, the alarm, the pause between asks, and the asks themselves."""

    def __init__(self) -> None:
        """Begin with no ask made."""
        self.plan = Plan()
        self.fence = 0
        self._tried = False
        self._failures = 0
        self._again_at: datetime | None = None
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at: datetime | None = None
        self._rang: datetime | None = None

    # --- the fence

    def raise_fence(self) -> int:
        """Answer a new number for an ask; everything asked before it is then outdated."""
        self.fence += 1
        return self.fence

    def is_fenced(self, answer: Answered) -> bool:
        """Answer whether a later ask was made already; the next one goes beyond it."""
        if answer.fenced is None:
            return False
        self.fence = max(self.fence, answer.fenced)
        return True

    # --- the present

    @property
    def now(self) -> datetime:
        """Answer the present: never before an alarm that rang.

        A replay may give a task another time than it had: milliseconds later where a query split
        it, seconds where a query brought what happened to a worker before its task did. A moment
        that was reckoned from it moves with it, and its alarm, which counts by itself, does not.
        """
        now = workflow.now()
        return now if self._rang is None else max(now, self._rang)

    def is_over(self, deadline: datetime) -> bool:
        """Answer whether a moment is reached."""
        return self.now >= deadline

    # --- pauses

    @property
    def is_put_off(self) -> bool:
        """Answer whether it is not yet time to ask again."""
        return self._again_at is not None and self.now < self._again_at

    def put_off(self, pause: timedelta | None = None) -> None:
        """Ask again after a pause; without one the pauses grow from 1 to 15 minutes."""
        if pause is None:
            pause = BACKOFF[min(self._failures, len(BACKOFF) - 1)]
            self._failures += 1
        self._again_at = self.now + pause

    def resume(self) -> None:
        """Ask again at once."""
        self._again_at = None

    async def wait(self, until: Callable[[], bool]) -> None:
        """Wait for a condition, or for the time to ask again."""
        pause = None if self._again_at is None else self._again_at - self.now
        if pause is not None and pause <= timedelta(0):
            self._again_at = None
            return
        try:
            await workflow.wait_condition(
                until, timeout=pause, timeout_summary="The pause before it is asked again"
            )
        except TimeoutError:
            self._again_at = None

    def set_alarm(self, at: datetime) -> None:
        """Keep one timer, for the next moment at which something is to be done."""
        if self._alarm_at == at:
            return
        self.stop_alarm()
        self._alarm_at = at
        left = at - self.now
        if left > timedelta(0):
            self._alarm = asyncio.create_task(self._ring(at, left))

    async def _ring(self, at: datetime, left: timedelta) -> None:
        await workflow.sleep(left, summary=f"The deadline: {at.isoformat()}")
        self._rang = at

    def stop_alarm(self) -> None:
        """Let the timer go."""
        if self._alarm is not None and not self._alarm.done():
            self._alarm.cancel()
        self._alarm = None
        self._alarm_at = None

    # --- asks

    def begin(self, name: str, ask: Value, answer_type: type[A], summary: str) -> asyncio.Task[A]:
        """Begin an ask that lasts at most a minute, retries included."""
        tried, self._tried = self._tried, False
        return asyncio.create_task(
            self._asked(
                name,
                ask,
                answer_type,
                summary,
                tried=tried,
                start_to_close_timeout=timedelta(seconds=self.plan.timeout),
                schedule_to_close_timeout=ASK,
                retry_policy=BOUNDED,
            )
        )

    async def finish(self, task: asyncio.Task[A]) -> A | None:
        """Answer what a finished ask brought; nothing, and a pause, when it brought no answer."""
        try:
            answer = await task
        except ActivityError as error:
            _raise_if_fatal(error)
            workflow.logger.warning("No answer from %s: %s", error.activity_type, error.cause)
            self.put_off()
            return None
        self._failures = 0
        return answer

    async def once(
        self, name: str, ask: Value, answer_type: type[A], summary: str, *, within: timedelta = ASK
    ) -> A | None:
        """Ask for something quick that nothing pre-empts; nothing when it brought no answer."""
        return await self.look(
            name,
            ask,
            answer_type,
            summary,
            start_to_close_timeout=ATTEMPT,
            schedule_to_close_timeout=within,
            retry_policy=BOUNDED,
        )

    async def look(
        self, name: str, ask: Value, answer_type: type[A], summary: str, **how: Any
    ) -> A | None:
        """Look at something for as long as it takes; nothing when that brought no answer."""
        try:
            return await self._asked(name, ask, answer_type, summary, **how)
        except ActivityError as error:
            _raise_if_fatal(error)
            workflow.logger.warning("No answer from %s: %s", error.activity_type, error.cause)
            return None

    async def patiently(self, name: str, ask: Value, answer_type: type[A], summary: str) -> A:
        """Ask until there is an answer."""
        while True:
            try:
                return await self._asked(
                    name,
                    ask,
                    answer_type,
                    summary,
                    start_to_close_timeout=ATTEMPT,
                    retry_policy=PATIENT,
                )
            except ActivityError as error:
                _raise_if_fatal(error)
                workflow.logger.error("%s failed: %s", error.activity_type, error.cause)
                await workflow.sleep(BACKOFF[0], summary="The pause before it is asked again")

    async def at_once(self, name: str, ask: Value, answer_type: type[A], summary: str) -> A | None:
        """Ask in the workflow task only; the local attempt of the ask that is begun next is made.

        Nothing: it brought no answer in time, and may still be running.
        """
        try:
            return await self._locally(name, ask, answer_type, summary)
        except _NoAnswer:
            self._tried = True
            return None

    async def _locally(self, name: str, ask: Value, answer_type: type[A], summary: str) -> A:
        """Ask once in the workflow task.

        Raises:
            _NoAnswer: That brought none in time; whatever replaces it has a higher fence.
        """
        try:
            answer: A = await workflow.execute_local_activity(
                name,
                ask,
                result_type=answer_type,
                start_to_close_timeout=timedelta(seconds=self.plan.local_timeout),
                schedule_to_close_timeout=timedelta(seconds=self.plan.local_timeout),
                retry_policy=ONCE,
                summary=summary,
            )
        except FailureError as error:
            # In a replay the failure of a local attempt comes bare, without `ActivityError`.
            _raise_if_fatal(error)
        else:
            if not (isinstance(answer, Answered) and answer.remotely):
                return answer
        if _is_void():
            raise asyncio.CancelledError
        raise _NoAnswer

    async def _asked(
        self,
        name: str,
        ask: Value,
        answer_type: type[A],
        summary: str,
        *,
        tried: bool = False,
        **remotely: Any,
    ) -> A:
        """Ask in the workflow task first, where the plan says so; then remotely."""
        if self.plan.local and not tried and name not in NEVER_LOCAL:
            try:
                return await self._locally(name, ask, answer_type, summary)
            except _NoAnswer:
                pass
            if "fence" in type(ask).model_fields:
                ask = ask.model_copy(update={"fence": self.raise_fence()})
        found: A = await workflow.execute_activity(
            name,
            ask,
            result_type=answer_type,
            heartbeat_timeout=HEARTBEAT,
            summary=summary,
            **remotely,
        )
        return found


def _is_void() -> bool:
    """Answer whether this ask was called off; a local attempt that ends so is not replaced."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _raise_if_fatal(error: FailureError) -> None:
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError) and cause.type in FATAL:
        raise ApplicationError(
            cause.message, *cause.details, type=cause.type, non_retryable=True
        ) from error
