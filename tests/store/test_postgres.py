"""The contract, on PostgreSQL."""

from __future__ import annotations

import pytest

from store.protocol import Store
from tests.store.contract import Contract
from tests.store.contract_sql import SqlContract


@pytest.fixture
def store(postgres_store: Store) -> Store:
    return postgres_store


class TestPostgres(Contract, SqlContract):
    pass
