"""The real store with places where a test can wait, fail or die; everything else passes through."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from store.protocol import Store

Hook = Callable[[], None]


class HookedStore:
    """A store with hooks before and after each method, by name: `hooks["end.before"] = wait`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.hooks: dict[str, Hook] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def called(*args: Any, **kwargs: Any) -> Any:
            if before := self.hooks.get(f"{name}.before"):
                before()
            answer = found(*args, **kwargs)
            if after := self.hooks.get(f"{name}.after"):
                after()
            return answer

        return called


@contextmanager
def held_at(hooked: HookedStore, where: str) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Let the first call at a hook wait; yields (reached, release)."""
    reached, release = threading.Event(), threading.Event()
    first = iter([True])

    def wait() -> None:
        if next(first, False):
            reached.set()
            assert release.wait(30)

    hooked.hooks[where] = wait
    try:
        yield reached, release
    finally:
        release.set()
        hooked.hooks.pop(where, None)


async def reach(event: threading.Event) -> None:
    """Wait for another thread to get somewhere."""
    assert await asyncio.to_thread(event.wait, 20)
