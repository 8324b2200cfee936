"""Bring a schema to the newest revision, by Alembic, in one transaction, one process at a time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from .database import PATIENCE, Database
from .failures import outdated

SCRIPTS: Final = Path(__file__).parent / "migrations"

_ALONE = text("SELECT pg_advisory_xact_lock(7305463228)")
"""Any number will do, as long as every version of this code takes the same."""


def migrate(database: Database) -> tuple[str | None, str | None]:
    """Run the revisions that are missing; answer the revision before and the one after.

    Raises:
        StoreUnavailable: The database cannot be reached; nothing was changed.
        StoreOutdated: The schema is at a revision that this version does not know.
    """
    if database.is_sqlite:
        database.read(_write_ahead)
    return database.write(lambda connection, _: _upgrade(connection, database.name))


def revision_of(connection: Connection) -> str | None:
    """Answer the revision a schema is at; `None` where there is none."""
    return MigrationContext.configure(connection).get_current_revision()


def config(connection: Connection | None = None) -> Config:
    """Answer Alembic's settings; there is no file of them."""
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def newest() -> str | None:
    """Answer the newest revision there is a script for."""
    return ScriptDirectory.from_config(config()).get_current_head()


def _upgrade(connection: Connection, name: str) -> tuple[str | None, str | None]:
    if connection.dialect.name == "postgresql":
        connection.execute(_ALONE)
    before = revision_of(connection)
    if before == newest():
        return before, before
    try:
        command.upgrade(config(connection), "head")
    except CommandError as error:
        raise outdated(name, before) from error
    return before, revision_of(connection)


def _write_ahead(connection: Connection) -> None:
    """Turn on WAL, which stays on; SQLite does not wait by itself while others do the same."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        except OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return
