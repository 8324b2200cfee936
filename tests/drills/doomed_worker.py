"""A worker as `worker.py` wires it, that kills itself with SIGKILL at a named point.

`python -m tests.drills.doomed_worker QUEUE STORE_URL POINT`; Temporal as `temporalio.envconfig`
says.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, cast

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)
from temporalio.workflow import _Definition

import worker
from activities.outside import Outside
from client.connect import connect
from core import Domains
from store import open_store
from store.protocol import Ask, Store
from tests.drills import points
from tests.support import box
from tests.support.people import PEOPLE
from wire.names import Activity

STORED = {points.ASSESSMENT_STORED: "assess", points.RESOLUTION_STORED: "resolve"}
"""The kind of ask whose answer has just been stored."""

BEGUN = {
    points.DECISION_RECEIVED: Activity.AUTHENTICATE,
    points.APPROVED: Activity.RESOLVE_VERSION,
    points.LAST_STEP: Activity.SEND_WAKEUPS,
    points.DISPATCHING: Activity.DISPATCH_SIDE_EFFECTS,
}
"""The activity that has just been handed to the worker."""

ANSWERED = {
    points.ASSESSMENT_ANSWERED: Activity.ASSESS_REQUEST,
    points.COMMIT_ANSWERED: Activity.EXECUTE_MUTATION,
}
"""The activity whose answer is about to be handed to the workflow."""


def die() -> None:
    """End this process as a power cut would: nothing is told, nothing is flushed."""
    os.kill(os.getpid(), signal.SIGKILL)


class DoomedStore:
    """The real store, until the point is reached."""

    def __init__(self, store: Store, point: str) -> None:
        self._store = store
        self._point = point

    def note(self, request: Any, *, ask: Ask | None = None, **more: Any) -> Any:
        answer = self._store.note(request, ask=ask, **more)
        if ask is not None and ask.kind == STORED.get(self._point):
            die()
        return answer

    def end(self, ending: Any) -> Any:
        if self._point == points.BEFORE_COMMIT:
            die()
        answer = self._store.end(ending)
        if self._point == points.COMMITTED:
            die()
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class DoomedActivities(Interceptor):
    """Activities run as ever, until the point is reached."""

    def __init__(self, name: str | None) -> None:
        self._name = name

    def intercept_activity(
        self,
        next: ActivityInboundInterceptor,  # noqa: A002 - the SDK's name
    ) -> ActivityInboundInterceptor:
        name = self._name

        class Inbound(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
                if getattr(input.fn, "__name__", None) == name:
                    die()
                return await super().execute_activity(input)

        return Inbound(next)


class DoomedWorkflows(WorkflowRunner):
    """Workflows run as ever, until the answer of an activity is about to be handed to one."""

    def __init__(self, runner: WorkflowRunner, name: str | None) -> None:
        self._runner = runner
        self._name = name

    def prepare_workflow(self, defn: _Definition) -> None:
        self._runner.prepare_workflow(defn)

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        self._runner.set_worker_level_failure_exception_types(types)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = self._runner.create_instance(det)
        go_on = instance.activate
        asked: set[int] = set()

        def activate(activation: WorkflowActivation) -> Any:
            if any(job.resolve_activity.seq in asked for job in activation.jobs):
                die()
            completion = go_on(activation)
            for command in completion.successful.commands:
                if command.schedule_activity.activity_type == self._name:
                    asked.add(command.schedule_activity.seq)
            return completion

        cast("Any", instance).activate = activate
        return instance


def _wrapped(make: Callable[[], WorkflowRunner], point: str) -> Callable[[], WorkflowRunner]:
    return lambda: DoomedWorkflows(make(), ANSWERED.get(point))


async def main(queue: str, store_url: str, point: str) -> None:
    client = await connect()
    outside = Outside(
        store=cast("Store", DoomedStore(open_store(store_url), point)),
        domains=Domains([box.domain, box.held]),
        directory=lambda: PEOPLE,
        client=client,
    )
    wiring = cast("Any", worker)
    wiring.sandboxed = _wrapped(wiring.sandboxed, point)
    interceptors = [DoomedActivities(BEGUN.get(point))]
    async with worker.make_worker(client, outside, task_queue=queue, interceptors=interceptors):
        print("serving", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
