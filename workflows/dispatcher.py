"""One dispatcher a state: its side effects in version order, after the commit, at least once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from wire.asks import Dispatched, DispatchSideEffects
    from wire.names import DISPATCHER_TYPE, Activity, Signal

from .options import HEARTBEAT


@workflow.defn(name=DISPATCHER_TYPE)
class SideEffectDispatcherWorkflow:
    """Dispatches until nothing is left, then ends; the next wake-up starts it again."""

    @workflow.init
    def __init__(self, *state_ids: Any) -> None:
        """Begin with work to do."""
        self._state_id = str(state_ids[0]) if state_ids else ""
        self._woken = True

    @workflow.run
    async def run(self, *state_ids: Any) -> int:
        """Answer how many side effects were dispatched."""
        done = 0
        while self._woken:
            self._woken = False
            answer = await workflow.execute_activity(
                Activity.DISPATCH_SIDE_EFFECTS,
                DispatchSideEffects(state_id=self._state_id),
                result_type=Dispatched,
                start_to_close_timeout=timedelta(minutes=5),
                heartbeat_timeout=HEARTBEAT,
                retry_policy=RetryPolicy(
                    initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=5)
                ),
                summary=f"Dispatch what {self._state_id} left to do"[:200],
            )
            done += answer.done
            self._woken = self._woken or answer.more
            if self._woken and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._state_id)
        return done

    @workflow.signal(name=Signal.WAKE, description="There is more to dispatch.")
    def wake(self, *payloads: Any) -> None:
        """Look again before ending."""
        self._woken = True
