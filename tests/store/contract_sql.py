"""What the stores on a database promise besides: all or nothing, whatever fails, and one truth."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from core.errors import StoreError, StoreUnavailable
from store import schema
from store.protocol import Ask, Ended, Store
from store.records import open_records
from store.sql import SqlStore
from tests.store.nouns import (
    STATE,
    asked,
    cancel_of,
    claim,
    commit_of,
    demanding,
    initial,
    quota,
    saying,
    tried,
    waiting_for,
)

BROKEN = {
    "sqlite": "SELECT json('this is what a failing disk looks like')",
    "postgresql": "DO $$ BEGIN RAISE 'as a failing disk does' USING ERRCODE = '58030'; END $$",
}


ASKING = """
import sys
from store import open_store
from tests.store.nouns import claim, quota
_, url, first = sys.argv
store = open_store(url)
for number in range(int(first), 24, 3):
    store.reserve(claim(f"r{number}", quota()))
"""
"""What a process runs that asks for room for every third request."""


class SqlContract:
    """See `tests.store.contract`."""

    def test_g7_a_failure_at_any_statement_leaves_nothing_behind(self, store: Store) -> None:
        store.note(waiting_for(asked(), "user:ben"), fence=1, seed=initial())

        assert _fails_everywhere(store, lambda: store.end(commit_of(asked()))) >= 7
        assert _fails_everywhere(store, lambda: store.end(commit_of(asked("r2"), 1))) >= 7
        assert _fails_everywhere(store, lambda: store.end(cancel_of(asked("r3")))) >= 5

    def test_g7_a_failing_note_leaves_nothing_behind(self, store: Store) -> None:
        ask = Ask(request_id="r1", round=0, fence=1, kind="assess")

        def note(number: int) -> Callable[[], object]:
            return lambda: store.note(
                waiting_for(asked(), f"user:{number}"),
                fence=number,
                ask=ask.model_copy(update={"fence": number}),
                answer=1,
                audit=[tried(asked())],
                seed=initial(),
            )

        assert _fails_everywhere(store, note(1)) >= 5
        assert _fails_everywhere(store, note(2)) >= 7

    def test_g7_failing_claims_leave_nothing_behind(self, store: Store) -> None:
        kept, wanted = quota("kept"), quota()
        store.note(demanding(asked(), kept, wanted), fence=1)
        ready = demanding(asked(), wanted, holding=[kept])

        assert _fails_everywhere(store, lambda: store.reserve(claim("r1", kept))) >= 5
        assert _fails_everywhere(store, lambda: store.reserve(claim("r1", wanted, limit=0))) >= 5
        assert _fails_everywhere(store, lambda: store.reserve(claim("r1", wanted))) >= 5
        assert _fails_everywhere(store, lambda: store.note(ready, fence=1)) >= 6
        assert _fails_everywhere(store, lambda: store.end(commit_of(ready))) >= 10

    def test_g7_what_fails_to_be_kept_or_said_leaves_nothing_behind(self, store: Store) -> None:
        ask = Ask(request_id="r1", round=0, fence=1, kind="file")
        store.note(asked(), fence=1)

        assert _fails_everywhere(store, lambda: store.keep(ask, 1)) >= 1
        assert _fails_everywhere(store, lambda: store.add_comment(saying("so"), most=2)) >= 3

    def test_who_demands_no_quota_pays_for_none(self, store: Store) -> None:
        request = waiting_for(asked(), "user:ben")

        with _seen(engine(store)) as statements:
            store.note(request, fence=1, seed=initial())
            store.note(request, fence=2)
            store.end(commit_of(request, fence=2))

        assert not [each for each in statements if "reservations" in each]

    def test_an_ending_stands_though_nobody_can_say_who_waits(self, store: Store) -> None:
        ending = commit_of(asked())

        def break_it(_1: Any, _2: Any, statement: str, parameters: Any, *rest: Any) -> Any:
            asks = statement.startswith("SELECT 1")
            return (BROKEN[engine(store).dialect.name], ()) if asks else (statement, parameters)

        event.listen(engine(store), "before_cursor_execute", break_it, retval=True)
        answer = store.end(ending)
        event.remove(engine(store), "before_cursor_execute", break_it)

        assert answer == Ended(ending.request, waiters=True)
        assert store.end(ending) == Ended(ending.request, waiters=False)

    def test_processes_that_ask_at_once_get_no_more_than_there_is(self, store: Store) -> None:
        for number in range(24):
            store.note(demanding(asked(f"r{number}"), quota()), fence=1)
        started = [
            subprocess.Popen([sys.executable, "-c", ASKING, address(store), str(first)])
            for first in range(3)
        ]

        assert [process.wait(60) for process in started] == [0] * 3

        served = [n for n in range(24) if store.reserved(f"r{n}", quota().id)]
        assert len(served) == 10
        assert len(store.queue("deploys")) == 14

    def test_g7_a_process_that_dies_before_the_commit_leaves_nothing_behind(
        self, store: Store
    ) -> None:
        before = rows(store)

        def die(connection: object) -> None:
            raise KeyboardInterrupt

        event.listen(engine(store), "commit", die)
        with pytest.raises(KeyboardInterrupt):
            store.end(commit_of(asked()))
        event.remove(engine(store), "commit", die)

        assert rows(store) == before
        assert isinstance(store.end(commit_of(asked())), Ended)

    def test_awaiting_rows_are_of_open_requests_only(self, store: Store) -> None:
        store.note(waiting_for(asked("r1"), "user:ben", "role:ops"), fence=1)
        store.note(waiting_for(asked("r2"), "user:ben"), fence=1)

        store.end(cancel_of(asked("r1")))

        assert [row.request_id for row in rows(store)["awaiting"]] == ["r2"]

    def test_an_ended_request_has_one_document(self, store: Store) -> None:
        store.note(asked(), fence=1)

        store.end(cancel_of(asked()))

        (request,), (ending,) = rows(store)["requests"], rows(store)["endings"]
        assert request.ended
        assert request.document is None
        assert ending.document

    def test_records_read_and_cannot_write(self, store: Store) -> None:
        assert isinstance(store, SqlStore)
        store.end(commit_of(asked()))
        records = open_records(address(store))

        assert records.request("r1") == store.request("r1")
        assert records.history(STATE) == store.history(STATE)
        writer = SqlStore(records._database)  # type: ignore[attr-defined]
        with pytest.raises(StoreError):
            writer.end(cancel_of(asked("r2")))
        records.close()
        assert store.request("r2") is None


def engine(store: Store) -> Engine:
    assert isinstance(store, SqlStore)
    return store._database.engine


def address(store: Store) -> str:
    assert isinstance(store, SqlStore)
    return store._database.url.render_as_string(hide_password=False)


def rows(store: Store) -> dict[str, list[Any]]:
    """Answer every row there is, but for numbers that count attempts as well."""
    with engine(store).connect() as connection:
        return {
            table.name: sorted(
                connection.execute(
                    select(*(c for c in table.c if (table.name, c.name) != ("audit", "position")))
                ).all(),
                key=str,
            )
            for table in schema.metadata.sorted_tables
        }


def _fails_everywhere(store: Store, call: Callable[[], object]) -> int:
    """Fail each statement of a call in turn, then let it through; answer how many there were."""
    before = rows(store)
    number = 0
    while True:
        with _failing(engine(store), number) as failed, suppress(StoreUnavailable):
            call()
        if not failed:
            assert rows(store) != before
            return number
        assert rows(store) == before
        number += 1


@contextmanager
def _failing(engine: Engine, number: int) -> Iterator[list[str]]:
    """Let the statement of that number fail in the database itself; yield those that did.

    What is asked after the commit is not counted: it is no part of what is all or nothing.
    """
    seen = 0
    failed: list[str] = []
    committed: list[object] = []

    def replace(_1: Any, _2: Any, statement: str, parameters: Any, *rest: Any) -> tuple[str, Any]:
        nonlocal seen
        *_, many = rest
        seen += 1
        if seen - 1 != number or committed:
            return statement, parameters
        failed.append(statement)
        broken = BROKEN[engine.dialect.name]
        return broken, [()] if many else ()

    def commit(connection: object) -> None:
        committed.append(connection)

    event.listen(engine, "before_cursor_execute", replace, retval=True)
    event.listen(engine, "commit", commit)
    try:
        yield failed
    finally:
        event.remove(engine, "before_cursor_execute", replace)
        event.remove(engine, "commit", commit)


@contextmanager
def _seen(engine: Engine) -> Iterator[list[str]]:
    """Yield every statement that is made meanwhile."""
    statements: list[str] = []

    def note(_1: Any, _2: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)
