"""The fake keeps the contract, so what is tested on it holds."""

from __future__ import annotations

import pytest

from store import MemoryStore, open_store
from store.protocol import Store
from tests.store.contract import Contract


@pytest.fixture
def store() -> Store:
    return MemoryStore()


class TestMemory(Contract):
    pass


def test_its_address_is_memory() -> None:
    assert isinstance(open_store("memory:"), MemoryStore)
