"""Started by a schedule: brings open workflows and the record together."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from wire.asks import Reconcile, Reconciled
    from wire.names import RECONCILER_TYPE, Activity

from .options import HEARTBEAT


@workflow.defn(name=RECONCILER_TYPE)
class ReconcilerWorkflow:
    """One sweep."""

    @workflow.run
    async def run(self) -> Reconciled:
        """Answer what was found and mended."""
        answer: Reconciled = await workflow.execute_activity(
            Activity.RECONCILE,
            Reconcile(at=workflow.now()),
            result_type=Reconciled,
            start_to_close_timeout=timedelta(minutes=10),
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RetryPolicy(maximum_attempts=3),
            summary="Compare open workflows with the record",
        )
        return answer
