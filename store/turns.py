"""Turns on a contended state, first come first served. Fairness only, never safety."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from core.errors import StoreError

from .database import Database, lock_number

PATIENCE: Final = 5.0
"""Seconds after which whoever waits goes on without a turn: work may be late, not stopped."""

_LOCK = text("SELECT pg_advisory_lock(:key)")
_UNLOCK = text("SELECT pg_advisory_unlock(:key)")


class Turns:
    """One queue a state, kept only while somebody is in it.

    Args:
        database: A PostgreSQL on which the processes queue as well; `None`: this process alone.
    """

    def __init__(self, database: Database | None = None) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._queues: dict[str, _Queue] = {}

    @contextmanager
    def of(self, state_id: str) -> Iterator[None]:
        """Wait for one's turn, and give it to the next at the end."""
        mine = threading.Event()
        with self._lock:
            queue = self._queues.setdefault(state_id, _Queue())
            queue.waiting.append(mine)
            queue.waiting[0].set()
        try:
            with self._among_processes(queue, state_id) if mine.wait(PATIENCE) else nullcontext():
                yield
        finally:
            with self._lock:
                queue.waiting.remove(mine)
                if queue.waiting:
                    queue.waiting[0].set()
                else:
                    del self._queues[state_id]
            if not queue.waiting:
                queue.held.close()

    @contextmanager
    def _among_processes(self, queue: _Queue, state_id: str) -> Iterator[None]:
        """Hold PostgreSQL's own lock: it queues first come first served, and ends with its session.

        Without a connection to spare, or after too long a wait, there is no turn, but there is
        work.
        """
        if self._database is None:
            yield
            return
        key = {"key": lock_number(f"mutator/turn/{state_id}")}
        with suppress(StoreError, DBAPIError):
            if queue.connection is None:
                queue.connection = queue.held.enter_context(self._database.alone())
            queue.connection.execute(_LOCK, key)
        try:
            yield
        finally:
            if queue.connection is not None:
                with suppress(StoreError, DBAPIError):
                    queue.connection.execute(_UNLOCK, key)


class _Queue:
    """Who waits in this process, and the one connection on which they wait for other processes."""

    def __init__(self) -> None:
        self.waiting: deque[threading.Event] = deque()
        self.held = ExitStack()
        self.connection: Connection | None = None
