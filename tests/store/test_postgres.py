"""The contract, on PostgreSQL."""

from __future__ import annotations

import threading

import pytest

from store import open_store
from store.protocol import Ended, Store
from store.sql import SqlStore
from tests.store.contract import Contract
from tests.store.contract_sql import SqlContract
from tests.store.nouns import STATE, asked, cancel_of


@pytest.fixture
def store(postgres_store: Store) -> Store:
    return postgres_store


class TestPostgres(Contract, SqlContract):
    pass


def test_a_connection_gone_stale_is_replaced_unseen(postgres_store: Store) -> None:
    postgres_store.note(asked(), fence=1)
    assert isinstance(postgres_store, SqlStore)
    with postgres_store._database.alone() as other:
        other.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    assert isinstance(postgres_store.end(cancel_of(asked())), Ended)


def test_turns_are_taken_among_processes(shared_database: str) -> None:
    here, there = open_store(shared_database), open_store(shared_database)
    taken = threading.Event()

    def take() -> None:
        with there.turn(STATE):
            taken.set()

    thread = threading.Thread(target=take)
    with here.turn(STATE):
        thread.start()
        assert not taken.wait(0.2)
        with there.turn("quota/other"):
            pass
    assert taken.wait(5)

    thread.join()
    here.close()
    there.close()
