"""The command that brings the schema of a store up to date: `python -m store.migrate`.

Exit code 0: the schema is this version's. 1: with `--check`, it is not. 2: the store is of no use.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from core.errors import StoreError, StoreOutdated

from .database import Database, address
from .migration import migrate
from .reading import SqlRecords

SETTING = "MUTATOR_STORE_URL"
"""The environment variable that names the store."""

DEFAULT = "sqlite:///mutator.db"


def main(arguments: Sequence[str] | None = None) -> int:
    """Migrate the store, or with `--check` only say whether it needs to be.

    Args:
        arguments: As given after the command's name; `None`: those of the process.
    """
    asked = _parser().parse_args(arguments)
    url: str = asked.url or os.environ.get(SETTING) or DEFAULT
    try:
        database = Database(address(url), read_only=asked.check)
        try:
            return _check(database) if asked.check else _migrate(database)
        finally:
            database.close()
    except StoreError as error:
        print(error.message, file=sys.stderr)
        return 2


def _check(database: Database) -> int:
    try:
        SqlRecords(database).check()
    except StoreOutdated as error:
        print(error.message, file=sys.stderr)
        return 1
    print(f"The store at {database.name} is up to date.")
    return 0


def _migrate(database: Database) -> int:
    before, after = migrate(database)
    what = "was up to date" if before == after else f"went from {before or 'nothing'} to {after}"
    print(f"The store at {database.name} {what}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m store.migrate", description="Bring the schema of the store up to date."
    )
    parser.add_argument("--url", help=f"the store's address [env: {SETTING}, else {DEFAULT}]")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail when the schema is another"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
