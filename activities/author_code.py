"""Runs author code in a thread that can be left behind when it does not come back.

Threads are kept for the next run, so a run costs a hand-over and not a new thread; one that is left
behind is never used again, and ends with its code or with the process.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Generic, TypeVar

from core.errors import ExecutionTimeout

T = TypeVar("T")

GRACE = 1.0
"""Seconds beyond a run's own deadline after which its thread is left behind."""

KEPT = 64
"""Idle threads kept at most."""


def in_thread(call: Callable[[], T], timeout: float) -> T:
    """Run author code in a thread of its own and leave it behind when it does not come back.

    Args:
        call: The code.
        timeout: Seconds it may take; it is waited for `GRACE` longer.

    Raises:
        ExecutionTimeout: It did not come back.
        Exception: Whatever it raises.
    """
    thread = _idle_thread()
    run = _Run(call)
    thread.put(run)
    if not run.done.wait(timeout + GRACE):
        thread.put(None)
        raise ExecutionTimeout(timeout, timeout + GRACE)
    _keep(thread)
    return run.answer()


async def awaited(call: Callable[[], T]) -> T:
    """Run author code in a thread of its own, for whoever must not hold one while it takes hours.

    Whoever stops waiting, as by `asyncio.timeout`, leaves it behind.

    Raises:
        Exception: Whatever it raises.
    """
    thread = _idle_thread()
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def tell() -> None:
        with suppress(RuntimeError):  # that loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(done.set)

    run = _Run(call, tell)
    thread.put(run)
    try:
        await done.wait()
    except BaseException:
        thread.put(None)
        raise
    _keep(thread)
    return run.answer()


class _Run(Generic[T]):
    """One call, and what it brought."""

    def __init__(self, call: Callable[[], T], tell: Callable[[], None] = lambda: None) -> None:
        self._call = call
        self._tell = tell
        self._brought: list[T] = []
        self._raised: BaseException | None = None
        self.done = threading.Event()

    def __call__(self) -> None:
        try:
            self._brought.append(self._call())
        except BaseException as error:  # noqa: BLE001 - whatever it raises belongs to the caller
            self._raised = error
        finally:
            self.done.set()
            self._tell()

    def answer(self) -> T:
        if self._raised is not None:
            raise self._raised
        return self._brought[0]


_Work = SimpleQueue[Callable[[], None] | None]
"""What a thread is handed; `None` lets it end."""

_idle: deque[_Work] = deque()


def _idle_thread() -> _Work:
    try:
        return _idle.pop()
    except IndexError:
        work: _Work = SimpleQueue()
        threading.Thread(target=_live, args=(work,), name="author-code", daemon=True).start()
        return work


def _live(work: _Work) -> None:
    while (run := work.get()) is not None:
        run()


def _keep(thread: _Work) -> None:
    if len(_idle) < KEPT:
        _idle.append(thread)
    else:
        thread.put(None)
