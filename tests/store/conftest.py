"""What the store's tests share: a fresh store on each database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import open_store, schema
from store.protocol import Store
from store.sql import SqlStore
from tests.fixtures.postgres import Postgres, postgres_url

__all__ = ["postgres_url"]


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a file that is not there yet."""
    return f"sqlite:///{tmp_path}/mutator.db"


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the schema of today and nothing in it, to be copied."""
    path: Path = tmp_path_factory.mktemp("migrated") / "mutator.db"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def sqlite_store(migrated_file: Path, tmp_path: Path, sqlite_url: str) -> Iterator[Store]:
    shutil.copy(migrated_file, tmp_path / "mutator.db")
    store = open_store(sqlite_url)
    yield store
    store.close()


@pytest.fixture(scope="session")
def shared_database(postgres: Postgres) -> str:
    """The address of a database that is emptied before each test: that is faster than a new one."""
    return postgres.database()


@pytest.fixture
def postgres_store(shared_database: str) -> Iterator[Store]:
    store = open_store(shared_database)
    assert isinstance(store, SqlStore)
    with store._database.engine.begin() as connection:
        for table in schema.metadata.sorted_tables:
            connection.execute(table.delete())
    yield store
    store.close()
