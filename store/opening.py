"""Open a store by its address."""

from __future__ import annotations

from core.errors import StoreOutdated

from .database import Database, address
from .memory import MemoryStore
from .protocol import Store
from .sql import SqlStore

MEMORY = "memory:"


def open_store(url: str) -> Store:
    """Open a store of record.

    An SQLite file is made, or brought up to date, here; also when several processes open it at
    once. PostgreSQL is brought up to date by `python -m store.migrate` only, and nothing is asked
    of it yet: `check` does.

    Args:
        url: `sqlite:///path/to.db`, `postgresql://user@host/database`, or `memory:` for a store
            that lives and dies with its value.

    Raises:
        StoreUnavailable: The address is none of these forms, or the file cannot be opened.
        StoreOutdated: A newer version of the code has migrated the file.
    """
    if url == MEMORY:
        return MemoryStore()
    database = Database(address(url))
    store = SqlStore(database)
    if database.is_sqlite:
        try:
            store.check()
        except StoreOutdated:
            # Most starts find it up to date, and need not load what migrates.
            from .migration import migrate  # noqa: PLC0415

            migrate(database)
            store.check()
    return store
