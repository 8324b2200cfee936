"""The store of record behind one protocol.

Whoever only reads imports `store.records`; whoever only needs the promises imports
`store.protocol`. Neither loads the side that writes, so the names here are loaded when asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .memory import MemoryStore
    from .opening import open_store
    from .records import open_records

__all__ = ["MemoryStore", "open_records", "open_store"]

_HOMES = {"MemoryStore": "memory", "open_records": "records", "open_store": "opening"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - not a name of this door

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
