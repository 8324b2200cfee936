"""Turns on a contended state, first come first served. Fairness only, never safety."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core.errors import StoreError

from .database import Database

PATIENCE: Final = 10.0
"""Seconds after which whoever waits goes on without a turn: work may be late, not stopped."""

_LOCK = text("SELECT pg_advisory_lock(:key)")


class Turns:
    """One queue a state, kept only while somebody is in it.

    Args:
        database: A PostgreSQL on which the processes queue as well; `None`: this process alone.
    """

    def __init__(self, database: Database | None = None) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._queues: dict[str, deque[threading.Event]] = {}

    @contextmanager
    def of(self, state_id: str) -> Iterator[None]:
        """Wait for one's turn, and give it to the next at the end."""
        mine = threading.Event()
        with self._lock:
            queue = self._queues.setdefault(state_id, deque())
            queue.append(mine)
            queue[0].set()
        try:
            mine.wait(PATIENCE)
            with (
                nullcontext()
                if self._database is None
                else _among_processes(self._database, state_id)
            ):
                yield
        finally:
            with self._lock:
                queue.remove(mine)
                if queue:
                    queue[0].set()
                else:
                    del self._queues[state_id]


@contextmanager
def _among_processes(database: Database, state_id: str) -> Iterator[None]:
    """Hold PostgreSQL's own lock: its queue is first come first served, and ends with the session.

    Without a connection to spare, or after too long a wait, there is no turn, but there is work.
    """
    with ExitStack() as held:
        with suppress(StoreError, DBAPIError):
            connection = held.enter_context(database.alone())
            connection.execute(_LOCK, {"key": _number_of(state_id)})
        yield


def _number_of(state_id: str) -> int:
    """Answer the 64 bits that PostgreSQL locks instead of a name."""
    found = hashlib.sha256(f"mutator/turn/{state_id}".encode()).digest()
    return int.from_bytes(found[:8], "big", signed=True)
