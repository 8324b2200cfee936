"""What a driver says, in the store's words: no error of a driver leaves the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from core.errors import InvalidValue, StoreOutdated, StoreUnavailable

MIGRATE: Final = "python -m store.migrate"
"""The command that brings a schema up to date."""

_OUTDATED = ("no such table", "no such column", "has no column named")
_UNDEFINED = {"42P01", "42703"}  # PostgreSQL: undefined table, undefined column
_LOST = {"40001", "40P01"}  # PostgreSQL: serialization failure, deadlock


def is_transient(error: DBAPIError) -> bool:
    """Answer whether the same transaction may succeed at once: nothing was wrong with it."""
    return error.connection_invalidated or _state(error) in _LOST


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Raise the store's errors in place of a driver's.

    Args:
        name: The store's address, without its password.

    Raises:
        StoreUnavailable: It cannot be reached, is busy beyond patience, or failed.
        StoreOutdated: A table or column is missing.
        InvalidValue: The value is one that the database cannot hold.
    """
    try:
        yield
    except (DataError, IntegrityError, UnicodeEncodeError, OverflowError) as error:
        raise InvalidValue(f"The store at {name} cannot hold the value: {_said(error)}.") from error
    except DBAPIError as error:
        if _state(error) in _UNDEFINED or any(hint in str(error.orig) for hint in _OUTDATED):
            raise outdated(name) from error
        raise StoreUnavailable(
            f"The store at {name} does not answer: {_said(error)}. Nothing was written."
        ) from error
    except SQLAlchemyError as error:
        raise StoreUnavailable(
            f"The store at {name} cannot be used: {_said(error)}. Nothing was written."
        ) from error


def outdated(name: str, found: str | None = None) -> StoreOutdated:
    """Answer the error that names the command to run."""
    what = f"is at revision {found}" if found else "has no tables, or older ones,"
    return StoreOutdated(
        f"The schema of the store at {name} {what} that this version does not work with. "
        f"Run: {MIGRATE}"
    )


def _state(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def _said(error: Exception) -> str:
    """Answer the first line of what the driver said."""
    told = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return (told.splitlines() or ["no reason given"])[0].rstrip(".")[:300]
