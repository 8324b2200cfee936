"""The contract, on SQLite."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, event

from store import awaited, budgets, reading
from store.protocol import Store
from store.sql import SqlStore
from tests.store.contract import Contract
from tests.store.contract_sql import SqlContract


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    return sqlite_store


class TestSqlite(Contract, SqlContract):
    pass


@pytest.mark.parametrize(
    ("question", "given"),
    [
        (budgets.CLAIM, {"request_id": "r1", "requirement_id": "q1"}),
        (budgets.QUEUE, {"budget": "a", "limit": 9}),
        (budgets._OPEN, {"budget": "a", "position": 1}),
        (budgets._COMMITTED, {"budget": "a", "since": "2026", "most": 9}),
        (awaited.ANYBODY, {"one": "request:r1", "other": None}),
        (awaited.TOLD_BY, {"some": ["request:r1"], "limit": 9}),
        (awaited.UNTOLD, {"limit": 9}),
        (awaited.STANDINGS, {"some": ["r1"]}),
        (reading._COMMENTS, {"request_id": "r1", "limit": 9}),
    ],
)
def test_what_is_asked_of_those_who_wait_is_found_by_an_index(
    sqlite_store: Store, question: Any, given: dict[str, object]
) -> None:
    assert isinstance(sqlite_store, SqlStore)
    with sqlite_store._database.engine.connect() as connection:
        plan = _plan(connection, question, given)

    assert any("INDEX" in step or "PRIMARY KEY" in step for step in plan)
    tables = ("reservations", "awaiting", "endings", "requests", "comments")
    assert not [step for step in plan if step.startswith(tuple(f"SCAN {t}" for t in tables))]


def _plan(connection: Connection, question: Any, given: dict[str, object]) -> list[str]:
    def explain(_1: Any, _2: Any, statement: str, parameters: Any, *rest: Any) -> tuple[str, Any]:
        return f"EXPLAIN QUERY PLAN {statement}", parameters

    event.listen(connection, "before_cursor_execute", explain, retval=True)
    return [row[3] for row in connection.execute(question, given)]
