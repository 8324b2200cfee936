"""A database behind one address: connections, their settings, transactions.

SQLite: WAL, `synchronous=NORMAL`, one writer at a time from `BEGIN IMMEDIATE` on. PostgreSQL: READ
COMMITTED with row locks. Drivers' errors leave as the store's own, see `failures`.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from core.errors import MutatorError, StoreUnavailable

from .failures import is_transient, translated

T = TypeVar("T")

Together: TypeAlias = Callable[[], object]

POOL: Final = 16
"""Connections kept; as many again are opened when all of them are busy."""

PATIENCE: Final = 10
"""Seconds to wait for a connection, a lock, or a server that does not answer."""

_SQLITE_SETTINGS = (f"PRAGMA busy_timeout={PATIENCE * 1000}", "PRAGMA synchronous=NORMAL")
_POSTGRES_SETTINGS = (
    "; ".join(
        (
            f"SET lock_timeout = '{PATIENCE}s'",
            f"SET statement_timeout = '{3 * PATIENCE}s'",
            f"SET idle_in_transaction_session_timeout = '{3 * PATIENCE}s'",
        )
    ),
)
_FORMS = "sqlite:///path/to.db, postgresql://user@host/database"


def address(url: str) -> URL:
    """Read the address of a store; a relative path of SQLite's is meant from here and now.

    Raises:
        StoreUnavailable: It is none of the forms the store knows.
    """
    try:
        read = make_url(url)
    except ArgumentError:
        raise StoreUnavailable(
            f"The address of the store cannot be read; write it as one of: {_FORMS}."
        ) from None
    if read.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return read.set(drivername="postgresql+psycopg")
    if read.drivername in {"sqlite", "sqlite+pysqlite"} and read.database not in {
        None,
        "",
        ":memory:",
    }:
        return read.set(drivername="sqlite", database=str(Path(str(read.database)).absolute()))
    raise StoreUnavailable(
        f"There is no store at {read.render_as_string(hide_password=True)!r}; "
        f"write its address as one of: {_FORMS}."
    )


def lock_number(name: str) -> int:
    """Answer the 64 bits that PostgreSQL locks instead of a name."""
    found = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(found[:8], "big", signed=True)


class Database:
    """Transactions on one database.

    Args:
        url: As `address` answers it.
        read_only: Refuse to write, and never make a file that is not there.
    """

    def __init__(self, url: URL, *, read_only: bool = False) -> None:
        self.url = url
        self.name = url.render_as_string(hide_password=True)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.read_only = read_only
        self.engine = _engine(url, read_only=read_only)
        # In autocommit: a read is one statement, and one statement sees one moment.
        self._reading = (
            self.engine
            if self.is_sqlite
            else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        )
        # SQLite lets its writers poll; queueing here is faster.
        self._queue = threading.Lock() if self.is_sqlite else None

    def read(self, work: Callable[[Connection], T]) -> T:
        """Do what reads, in one statement.

        Raises:
            StoreUnavailable: The database cannot be reached.
            StoreOutdated: Its schema is not the one this version needs.
        """
        return self._once_more(lambda: self._read(work))

    def write(self, work: Callable[[Connection, Together], T]) -> T:
        """Do what writes, in one transaction.

        Args:
            work: May be called twice and must bear it. It is handed a connection, and a function
                that says: from here on nothing is read any more. Then PostgreSQL is sent the rest
                and the commit in one go.

        Raises:
            StoreUnavailable: Nothing was written; where the connection broke during the commit,
                asking again tells.
            StoreOutdated: The schema is not the one this version needs; nothing was written.
        """
        return self._once_more(lambda: self._write(work))

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """Give a connection of its own, in autocommit, outside the pool.

        Raises:
            StoreUnavailable: The database cannot be reached.
        """
        with translated(self.name), self._apart.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.engine.dispose()

    @cached_property
    def _apart(self) -> Engine:
        engine = _engine(self.url, read_only=self.read_only, poolclass=NullPool)
        return engine if self.is_sqlite else engine.execution_options(isolation_level="AUTOCOMMIT")

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._reading.connect() as connection:
            return work(connection)

    def _write(self, work: Callable[[Connection, Together], T]) -> T:
        with self._place(), self.engine.connect() as connection:
            try:
                with ExitStack() as pipeline:
                    if self.is_sqlite:
                        connection.exec_driver_sql("BEGIN IMMEDIATE")
                    answer = work(connection, partial(self._send_together, connection, pipeline))
                    connection.commit()
            except MutatorError:
                raise  # we said no, and the connection is as good as before
            except BaseException:
                # SQLAlchemy takes a failed commit for the end of the transaction. SQLite may hold
                # it open, and in a pipeline the commit may never have been made.
                connection.invalidate()
                raise
            return answer

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Wait for one's place among the writers, no longer than for a lock of the database."""
        if self._queue is None:
            yield
            return
        if not self._queue.acquire(timeout=PATIENCE):
            raise StoreUnavailable(
                f"The store at {self.name} is locked: others have been writing for {PATIENCE} s. "
                "Nothing was written."
            )
        try:
            yield
        finally:
            self._queue.release()

    def _send_together(self, connection: Connection, pipeline: ExitStack) -> None:
        """Let PostgreSQL's driver wait for no answer until the commit."""
        if not self.is_sqlite:
            driver: Any = connection.connection.driver_connection
            pipeline.enter_context(driver.pipeline())

    def _once_more(self, attempt: Callable[[], T]) -> T:
        """Try again what failed for no fault of its own: a connection gone stale, a deadlock."""
        with translated(self.name):
            try:
                return attempt()
            except DBAPIError as error:
                if not is_transient(error):
                    raise
            return attempt()


def _engine(url: URL, *, read_only: bool, **more: Any) -> Engine:
    sqlite = url.get_backend_name() == "sqlite"
    pool = {"pool_size": POOL, "max_overflow": POOL, "pool_timeout": PATIENCE} if not more else {}
    if sqlite:
        mode = "rw" if read_only else "rwc"
        url = url.set(database=f"file:{quote(str(url.database))}").update_query_dict(
            {"uri": "true", "mode": mode}
        )
        # Its driver would begin transactions by itself, and never IMMEDIATE.
        arguments: dict[str, Any] = {"check_same_thread": False, "isolation_level": None}
    else:
        arguments = {"connect_timeout": PATIENCE, "application_name": "mutator"}
    try:
        engine = create_engine(url, connect_args=arguments, **pool, **more)
    except (NoSuchModuleError, ImportError) as error:
        raise StoreUnavailable(f"There is no driver for the store's address: {error}.") from error

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        settings = _SQLITE_SETTINGS if sqlite else _POSTGRES_SETTINGS
        if read_only:
            only = "PRAGMA query_only=ON" if sqlite else "SET default_transaction_read_only = on"
            settings = (*settings, only)
        for setting in settings:
            cursor.execute(setting)
        cursor.close()
        if not sqlite:
            connection.commit()

    return engine
