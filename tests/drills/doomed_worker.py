"""A worker as `worker.py` wires it, that kills itself with SIGKILL at a named point.

`python -m tests.drills.doomed_worker QUEUE STORE_URL WAY POINT`; Temporal as `temporalio.envconfig`
says.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any, cast

from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

import worker
from activities.outside import Outside
from client.connect import connect
from core import Domains
from store import open_store
from store.protocol import Ask, Store
from tests.drills import points
from tests.support import box
from tests.support.people import PEOPLE
from tests.support.tasks import watched
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
    (points.ASSESSMENT_ANSWERED, "local_first"): Activity.ASSESS_REQUEST,
    (points.ASSESSMENT_ANSWERED, "remote"): Activity.ASSESS_REQUEST,
    (points.COMMIT_ANSWERED, "local_first"): Activity.AUTHENTICATE,
    (points.COMMIT_ANSWERED, "remote"): Activity.EXECUTE_MUTATION,
}
"""The activity whose answer is about to be handed to the workflow, by the way.

Locally a grant is carried out with the look-up of its sender.
"""


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


async def main(queue: str, store_url: str, way: str, point: str) -> None:
    client = await connect()
    outside = Outside(
        store=cast("Store", DoomedStore(open_store(store_url), point)),
        domains=Domains(box.ALL),
        directory=lambda: PEOPLE,
        client=client,
    )

    def die_before_the_answer(name: str, local: bool) -> None:
        if name == ANSWERED.get((point, way)) and local == (way == "local_first"):
            die()

    options = {
        "task_queue": queue,
        "interceptors": [DoomedActivities(BEGUN.get(point))],
        "plugins": [worker.worker_plugin(outside), watched(die_before_the_answer)],
    }
    async with worker.make_worker(client, outside, **options):
        print("serving", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
