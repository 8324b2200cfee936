"""The real store with places where a test can wait, fail or die; everything else passes through."""

from __future__ import annotations

from collections.abc import Callable
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
