"""Side effects are dispatched in version order, also while an attempt runs that was replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from temporalio.testing import ActivityEnvironment

from activities.dispatch import Dispatching
from core import Dispatch
from core.effects import SideEffect
from core.governance.request import WishedMutation
from tests.activities.desk import Desk, opened, run
from wire.asks import Dispatched, DispatchSideEffects

ASK = DispatchSideEffects(state_id="box/a")


class Handler:
    """A handler that keeps the versions it is handed; the first call comes back when it may."""

    def __init__(self) -> None:
        self.called: list[int] = []
        self.begun, self.may_end = Event(), Event()

    def __call__(self, _: SideEffect, dispatch: Dispatch) -> None:
        self.called.append(dispatch.version)
        if not self.begun.is_set():
            self.begun.set()
            assert self.may_end.wait(10)


@contextmanager
def three_commits(path: Path, handler: Callable[..., None]) -> Iterator[Desk]:
    with opened(path, handlers={"box.changed": handler}) as desk:
        for value in (1, 2, 3):
            put = WishedMutation(type="Put", parameters={"key": "x", "value": value})
            desk.executed(f"r{value}", mutations=(put,))
        yield desk


def test_g9_an_attempt_that_was_replaced_calls_nothing_out_of_order(tmp_path: Path) -> None:
    handler = Handler()
    with three_commits(tmp_path, handler) as desk, ThreadPoolExecutor(1) as pool:
        activity = Dispatching(desk.outside).dispatch_side_effects
        replaced = pool.submit(run, activity, ASK)
        assert handler.begun.wait(10)

        assert run(activity, ASK) == Dispatched(done=3, more=True)
        handler.may_end.set()

        assert replaced.result() == Dispatched(done=1, more=True)
        assert handler.called == [1, 1, 2, 3]
        assert run(activity, ASK) == Dispatched()


def test_g9_an_attempt_that_is_cancelled_stops_where_it_is(tmp_path: Path) -> None:
    handler = Handler()
    with three_commits(tmp_path, handler) as desk, ThreadPoolExecutor(1) as pool:
        environment = ActivityEnvironment()
        activity = Dispatching(desk.outside).dispatch_side_effects
        cancelled = pool.submit(environment.run, activity, ASK)
        assert handler.begun.wait(10)

        environment.cancel()
        handler.may_end.set()

        assert cancelled.result() == Dispatched(done=1, more=True)
        assert handler.called == [1]
        assert [each.version for each in desk.store.undelivered("box/a")] == [2, 3]
