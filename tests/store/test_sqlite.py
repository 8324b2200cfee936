"""The contract, on SQLite."""

from __future__ import annotations

import pytest

from store.protocol import Store
from tests.store.contract import Contract
from tests.store.contract_sql import SqlContract


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    return sqlite_store


class TestSqlite(Contract, SqlContract):
    pass
