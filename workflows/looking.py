"""Looks at what nobody answers from a seat, side by side; what is found comes by the inbox.

Platform only: what is to be looked at, and what follows, is said by `core.governance.waits`.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from core.governance import waits
    from core.governance.assessment import CheckPlan
    from core.governance.people import SYSTEM
    from core.governance.request import Finding, MutationRequest, RequirementState
    from core.requirements import RequirementKind
    from wire.asks import LookAt, LookedAt
    from wire.names import Activity

from .asking import Asking
from .inbox import Inbox
from .options import ASK, ATTEMPT, BACKOFF, BOUNDED

BY_KIND: Final[dict[str, str]] = {
    RequirementKind.CHECK: Activity.RUN_CHECK,
    RequirementKind.SCHEDULE: Activity.NEXT_WINDOW,
    RequirementKind.DEPENDENCY: Activity.READ_DEPENDENCIES,
    RequirementKind.QUOTA: Activity.RESERVE_QUOTA,
}
"""Who looks at what; a check that is called back is filed instead."""


class Looking:
    """What is being looked at now."""

    def __init__(self, asking: Asking, inbox: Inbox) -> None:
        """Begin with nothing looked at."""
        self._asking = asking
        self._inbox = inbox
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._told: set[tuple[str, str]] = set()
        self._failures: dict[str, int] = {}

    def begin(self, request: MutationRequest) -> MutationRequest:
        """Look at whatever it is time to look at, each in a task of its own."""
        for state in waits.to_look_at(request, self._asking.now):
            key = (state.id, state.binding)
            if key not in self._tasks:
                self._tasks[key] = asyncio.create_task(self._look(key, request, state))
            request = waits.looking(request, state.id)
        return request

    def told(self, request: MutationRequest) -> MutationRequest:
        """Look again at whatever a wake-up may be about.

        What is being looked at now may have been read before what the wake-up is about: it is
        looked at once more after that.
        """
        for key in self._tasks:
            state = request.requirement(key[0])
            if state is not None and state.requirement.kind in waits.TOLD:
                self._told.add(key)
        return waits.told(request, self._asking.now)

    def stop(self, request: MutationRequest) -> MutationRequest:
        """Look at nothing any more; what was being looked at is due again."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()
        self._told.clear()
        return waits.told(request, self._asking.now, everything=True)

    async def _look(
        self, key: tuple[str, str], request: MutationRequest, state: RequirementState
    ) -> None:
        ask = LookAt(request=request, requirement_id=state.id, at=self._asking.now)
        name, how = self._how(state)
        summary = f"Look at {state.requirement.describe()}"[:200]
        answer = await self._asking.look(name, ask, LookedAt, summary, **how)
        if self._tasks.get(key) is not asyncio.current_task():
            return  # nobody waits for it any more
        if answer is None:
            answer = LookedAt(finding=self._no_answer(state))
        else:
            self._failures.pop(state.id, None)
        del self._tasks[key]
        if key in self._told:
            self._told.remove(key)
            answer = self._at_once(answer)
        self._inbox.put_looked(state.id, answer, self._asking.now)

    def _at_once(self, answer: LookedAt) -> LookedAt:
        """Answer the same, to be looked at again at once where it is not yet met."""
        finding = answer.finding
        if finding is None or finding.verdict != "not_yet":
            return answer
        again = finding.model_copy(update={"again_at": self._asking.now})
        return answer.model_copy(update={"finding": again})

    def _how(self, state: RequirementState) -> tuple[str, dict[str, Any]]:
        """Answer which activity looks, and how patiently it is asked."""
        name = BY_KIND[state.requirement.kind]
        if state.requirement.kind != RequirementKind.CHECK:
            return name, {
                "start_to_close_timeout": ATTEMPT,
                "schedule_to_close_timeout": ASK,
                "retry_policy": BOUNDED,
            }
        check = self._asking.plan.checks.get(state.requirement.check_name, CheckPlan())
        return Activity.FILE_CHECK if check.files else name, {
            "start_to_close_timeout": timedelta(seconds=check.timeout + 10),
            "retry_policy": RetryPolicy(
                initial_interval=timedelta(seconds=1), maximum_attempts=check.retries + 1
            ),
        }

    def _no_answer(self, state: RequirementState) -> Finding:
        """Answer that nothing is known: trouble is no answer, so it is asked again later."""
        failures = self._failures[state.id] = self._failures.get(state.id, 0) + 1
        now = self._asking.now
        known = state.finding
        return Finding(
            verdict="not_yet",
            at=now,
            binding=state.binding,
            actor_id=SYSTEM,
            reason="nobody answers; it is asked again",
            again_at=now + BACKOFF[min(failures, len(BACKOFF)) - 1],
            reference=known.reference if known else None,
        )
