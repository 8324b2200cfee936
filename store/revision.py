"""Whether a schema is the one this version of the code works with."""

from __future__ import annotations

from sqlalchemy import Connection, text

from .failures import outdated
from .schema import REVISION

_REVISION = text("SELECT version_num FROM alembic_version")


def check_revision(connection: Connection, name: str) -> None:
    """Raise unless the schema is at this version's revision.

    Args:
        connection: On the store's database.
        name: The store's address, for the sentence.

    Raises:
        StoreOutdated: It is not; the sentence names the command to run.
    """
    found = connection.execute(_REVISION).scalar()
    if found != REVISION:
        raise outdated(name, found)
