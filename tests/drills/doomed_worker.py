"""A worker as `worker.py` wires it, that kills itself with SIGKILL at a named point."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, cast

from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

import worker
from activities.outside import Outside
from client.connect import connect
from core import Domains
from core.checks import not_yet
from store import open_store
from store.protocol import Ask, Queued, Reservation, Reserved, Store
from tests.drills import points, waiting
from tests.drills.histories import told_of_new_histories
from tests.support import box
from tests.support.people import PEOPLE
from tests.support.tasks import watched
from wire.names import Activity

SERVING: Final = "serving"
"""What it says when it takes work."""

STORED = {points.ASSESSMENT_STORED: "assess", points.RESOLUTION_STORED: "resolve"}
"""The kind of ask whose answer has just been stored."""

BEGUN = {
    points.DECISION_RECEIVED: Activity.AUTHENTICATE,
    points.APPROVED: Activity.RESOLVE_VERSION,
    points.LAST_STEP: Activity.SEND_WAKEUPS,
    points.DISPATCHING: Activity.DISPATCH_SIDE_EFFECTS,
    points.LOOKING: Activity.NEXT_WINDOW,
}
"""The activity that has just been handed to the worker."""

ANSWERED = {
    (points.ASSESSMENT_ANSWERED, "local_first"): Activity.ASSESS_REQUEST,
    (points.ASSESSMENT_ANSWERED, "remote"): Activity.ASSESS_REQUEST,
    (points.COMMIT_ANSWERED, "local_first"): Activity.AUTHENTICATE,
    (points.COMMIT_ANSWERED, "remote"): Activity.EXECUTE_MUTATION,
    (points.LOOKED, "local_first"): Activity.READ_DEPENDENCIES,
    (points.LOOKED, "remote"): Activity.READ_DEPENDENCIES,
    (points.RESERVATION_ANSWERED, "local_first"): Activity.RESERVE_QUOTA,
    (points.RESERVATION_ANSWERED, "remote"): Activity.RESERVE_QUOTA,
}
"""The activity whose answer is about to be handed to the workflow, by the way.

Locally a grant is carried out with the look-up of its sender.
"""


RESERVED = {points.RESERVED: Reserved, points.QUEUED: Queued}
"""What has just been answered by the store."""


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

    def keep(self, ask: Ask, answer: Any) -> Any:
        if self._point == points.FILED and ask.kind.startswith("file:"):
            die()
        answer = self._store.keep(ask, answer)
        if self._point == points.KEPT:
            die()
        return answer

    def reserve(self, wanted: Reservation) -> Any:
        answer = self._store.reserve(wanted)
        if isinstance(answer, RESERVED.get(self._point, ())):
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


@dataclass(frozen=True)
class Doom:
    """What becomes of a worker.

    Attributes:
        address: Where Temporal is.
        queue: Which requests it takes.
        store_url: Where they are recorded.
        way: How they are asked; where a point is reached may depend on it.
        point: One of `points`.
        log: Where what was asked of others is written down.
    """

    address: str
    queue: str
    store_url: str
    way: str
    point: str
    log: str


async def main(says: Connection, doom: Doom) -> None:
    client = await connect()
    outside = Outside(
        store=cast("Store", DoomedStore(open_store(doom.store_url), doom.point)),
        domains=Domains((*box.ALL, *waiting.ALL)),
        directory=lambda: PEOPLE,
        client=client,
    )

    def die_before_the_answer(name: str, local: bool) -> None:
        if name == ANSWERED.get((doom.point, doom.way)) and local == (doom.way == "local_first"):
            die()

    def die_there(reached: str) -> None:
        if reached == doom.point:
            die()

    box.KNOBS.check = not_yet("still running", timedelta(hours=1))
    waiting.LIFE.is_first = True
    waiting.LIFE.reached = die_there
    options = {
        "task_queue": doom.queue,
        "interceptors": [DoomedActivities(BEGUN.get(doom.point))],
        "plugins": [
            worker.worker_plugin(outside),
            watched(die_before_the_answer),
            told_of_new_histories(die_there),
        ],
    }
    async with worker.make_worker(client, outside, **options):
        says.send(SERVING)
        await asyncio.Event().wait()


def serve(says: Connection, doom: Doom) -> None:
    """Serve until the point is reached; say so when it takes work."""
    os.environ["TEMPORAL_ADDRESS"] = doom.address
    waiting.LIFE.log = Path(doom.log)
    asyncio.run(main(says, doom))
