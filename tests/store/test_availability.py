"""What is asked of a store that is not there, busy or outdated is answered in the store's words."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import InvalidValue, StoreOutdated, StoreUnavailable
from store import database, open_records, open_store, turns
from store.protocol import Ask, Records, RequestFilter, Store
from tests.fixtures.postgres import Postgres
from tests.store.nouns import STATE, asked, cancel_of, claim, commit_of, quota, saying

NOBODY = "postgresql://mutator:secret@127.0.0.1:1/mutator"

QUESTIONS: list[Callable[[Store], object]] = [
    lambda store: store.check(),
    lambda store: store.request("r1"),
    lambda store: store.requests(RequestFilter()),
    lambda store: store.view("r1", STATE),
    lambda store: store.note(asked(), fence=1),
    lambda store: store.end(cancel_of(asked())),
    lambda store: store.undelivered_states(),
    lambda store: store.keep(Ask(request_id="r1", round=0, fence=1, kind="file"), 1),
    lambda store: store.standings(["r1"]),
    lambda store: store.reserve(claim("r1", quota())),
    lambda store: store.reserved("r1", "quota-1"),
    lambda store: store.queue("deploys"),
    lambda store: store.add_comment(saying("so"), most=1),
    lambda store: store.comments("r1"),
    lambda store: store.told_by(["request:r1"]),
    lambda store: store.untold(),
]


@pytest.mark.parametrize("ask", QUESTIONS)
def test_a_server_that_is_not_there_is_unavailable(ask: Callable[[Store], object]) -> None:
    store = open_store(NOBODY)

    with pytest.raises(StoreUnavailable) as refused:
        ask(store)

    assert "secret" not in refused.value.message
    assert "\n" not in refused.value.message


def test_a_turn_is_taken_where_no_server_keeps_the_queue() -> None:
    with open_store(NOBODY).turn(STATE):
        pass


def test_whoever_waits_too_long_goes_on_without_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    store = open_store("memory:")

    with store.turn(STATE), store.turn(STATE):
        pass


def test_what_no_database_can_hold_is_an_invalid_value(sqlite_store: Store) -> None:
    with pytest.raises(InvalidValue):
        sqlite_store.request("half of a \ud800 character")
    with pytest.raises(InvalidValue):
        sqlite_store.history(STATE, after=2**70)


def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="unable to open"):
        open_store(f"sqlite:///{tmp_path}/nowhere/mutator.db")


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "mutator.db").write_text("a letter to the reader, and rather longer than a header")

    with pytest.raises(StoreUnavailable, match="not a database"):
        open_store(f"sqlite:///{tmp_path}/mutator.db")


def test_readers_never_make_a_file(tmp_path: Path) -> None:
    records = open_records(f"sqlite:///{tmp_path}/mutator.db")

    with pytest.raises(StoreUnavailable):
        records.request("r1")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    ["", "mutator.db", "mysql://host/db", "sqlite://", "sqlite:///:memory:", "oracle+x://h/d"],
)
@pytest.mark.parametrize("opened", [open_store, open_records])
def test_an_address_of_another_kind_is_answered_with_the_kinds_there_are(
    opened: Callable[[str], Records], url: str
) -> None:
    with pytest.raises(StoreUnavailable, match=r"sqlite:///path/to\.db"):
        opened(url)


def test_a_file_may_have_any_name(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/why%3F 100%25 of %231.db")

    assert [path.name for path in tmp_path.glob("*.db")] == ["why? 100% of #1.db"]
    store.close()


def test_a_relative_file_is_meant_from_where_it_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///mutator.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    store.end(commit_of(asked()))

    assert [p.name for p in tmp_path.glob("*.db")] == ["mutator.db"]
    store.close()


def test_a_file_locked_by_somebody_for_too_long_is_unavailable(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(sqlite_url).close()
    monkeypatch.setattr(database, "_SQLITE_SETTINGS", ("PRAGMA busy_timeout=50",))
    store = open_store(sqlite_url)
    other = sqlite3.connect(tmp_path / "mutator.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable, match="locked"):
        store.end(cancel_of(asked()))
    other.execute("ROLLBACK")

    store.end(cancel_of(asked()))
    store.close()


def test_writers_behind_one_that_is_locked_out_do_not_wait_for_each_other_in_turn(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(sqlite_url).close()
    monkeypatch.setattr(database, "_SQLITE_SETTINGS", ("PRAGMA busy_timeout=500",))
    monkeypatch.setattr(database, "PATIENCE", 0.1)
    store = open_store(sqlite_url)
    other = sqlite3.connect(tmp_path / "mutator.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def refused(name: str) -> str:
        with pytest.raises(StoreUnavailable, match="locked") as no:
            store.end(cancel_of(asked(request_id=name)))
        return no.value.message

    with ThreadPoolExecutor(5) as pool:
        begun = time.monotonic()
        said = [*pool.map(refused, ["a", "b", "c", "d", "e"])]
        waited = time.monotonic() - begun
    other.execute("ROLLBACK")

    assert sum("others have been writing" in each for each in said) == 4
    assert waited < 1.5, "five times half a second, one after the other"
    store.end(cancel_of(asked()))
    store.close()


def test_a_database_without_the_schema_names_the_command(postgres: Postgres) -> None:
    store = open_store(postgres.empty_database())

    for ask in QUESTIONS:
        with pytest.raises(StoreOutdated, match=r"python -m store\.migrate"):
            ask(store)
    store.close()


def test_a_document_of_a_newer_version_is_outdated_code(
    sqlite_store: Store, tmp_path: Path
) -> None:
    sqlite_store.note(asked(), fence=1)
    other = sqlite3.connect(tmp_path / "mutator.db")
    other.execute(
        "UPDATE requests SET document = replace(document, :old, :new)",
        {"old": '"schema_version":1', "new": '"schema_version":2'},
    )
    other.commit()

    with pytest.raises(StoreOutdated, match="newer version"):
        sqlite_store.request("r1")


def test_the_side_that_reads_loads_nothing_that_writes(sqlite_url: str) -> None:
    open_store(sqlite_url).close()
    script = f"""
import sys
from store.records import RequestFilter, open_records
assert "sqlalchemy" not in sys.modules
records = open_records({sqlite_url!r})
assert records.requests(RequestFilter()) == []
loaded = {{"store.sql", "store.writing", "store.transactions", "alembic"}} & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_open_request_of_a_newer_version_is_left_out_and_hides_none_behind_it(
    sqlite_store: Store, tmp_path: Path
) -> None:
    names = ["a", "b", "c", "d", "e"]
    for name in names:
        sqlite_store.note(asked(request_id=name), fence=1)
    newer = "replace(document, '\"schema_version\":1', '\"schema_version\":2')"
    with sqlite3.connect(tmp_path / "mutator.db") as other:
        other.execute(
            f"UPDATE requests SET document = {newer} WHERE request_id IN ('a', 'b', 'd', 'e')"
        )

    assert [each.request_id for each in sqlite_store.open_requests()] == ["c"]
    assert [each.request_id for each in sqlite_store.open_requests(limit=2)] == ["c"]
    assert sqlite_store.open_requests(limit=1, after="c") == []
