"""The door for readers: what client and console may ask of the store, and nothing that writes."""

from __future__ import annotations

from .protocol import Comment, Records, RequestFilter, StoredState

__all__ = ["Comment", "Records", "RequestFilter", "StoredState", "open_records"]


def open_records(url: str) -> Records:
    """Open the read-only side of a store.

    Nothing is made and nothing can be written: the connections themselves refuse to.

    Args:
        url: `sqlite:///path/to.db` or `postgresql://user@host/database`.

    Raises:
        StoreUnavailable: The address is none of these forms. Whether a store is there is found at
            the first question.
    """
    # Whoever only speaks with Temporal starts without SQLAlchemy: that is half of the time.
    from .database import Database, address  # noqa: PLC0415
    from .reading import SqlRecords  # noqa: PLC0415

    return SqlRecords(Database(address(url), read_only=True))
