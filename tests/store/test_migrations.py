"""The schema that the revisions lead to is the one the code works with, on both databases."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from core.errors import StoreOutdated
from store import migrate, open_store, schema
from store.database import Database, address
from store.migration import config, newest
from store.migration import migrate as run_revisions
from store.protocol import Ask, RequestFilter, Reserved
from store.sql import SqlStore
from tests.fixtures.postgres import Postgres
from tests.store.nouns import (
    asked,
    at_once,
    claim,
    commit_of,
    demanding,
    everything,
    initial,
    quota,
    saying,
    waiting_for,
)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, sqlite_url: str) -> str:
    """The address of a database with nothing in it."""
    if request.param == "sqlite":
        return sqlite_url
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.empty_database()


def test_the_revisions_lead_to_the_schema_of_the_code(empty_url: str) -> None:
    assert migrate.main(["--url", empty_url]) == 0

    database = Database(address(empty_url))
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, schema.metadata) == []
    database.close()


def test_the_code_asks_for_the_newest_revision_and_there_is_one_line_of_them() -> None:
    scripts = ScriptDirectory.from_config(config())

    assert scripts.get_heads() == [schema.REVISION]
    assert newest() == schema.REVISION


def test_what_stands_in_an_older_schema_is_kept(empty_url: str) -> None:
    database = Database(address(empty_url))
    database.write(lambda connection, _: command.upgrade(config(connection), "0001"))
    store = SqlStore(database)
    with pytest.raises(StoreOutdated, match="0001"):
        store.check()
    request = waiting_for(asked("r1"), "user:ben")
    ending = commit_of(asked("r2"))
    ask = Ask(request_id="r1", round=0, fence=1, kind="assess")
    store.note(request, fence=1, ask=ask, answer="stored", seed=initial())
    store.end(ending)
    before = everything(store)

    assert run_revisions(database) == ("0001", schema.REVISION)

    store.check()
    assert everything(store) == before
    assert store.request("r1") == request
    assert store.request("r2") == ending.request
    assert store.answered(ask) == "stored"
    assert store.requests(RequestFilter(awaiting=("user:ben",))) == [request]
    store.note(demanding(asked("r1"), quota()), fence=1)
    assert isinstance(store.reserve(claim("r1", quota())), Reserved)
    assert store.add_comment(saying("at last"), most=1) == 1
    store.close()


def test_the_command_may_be_run_again(empty_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert migrate.main(["--url", empty_url]) == 0
    assert migrate.main(["--url", empty_url]) == 0

    assert "was up to date" in capsys.readouterr().out


def test_check_changes_nothing_and_says_what_to_run(
    empty_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if empty_url.startswith("sqlite"):
        (tmp_path / "mutator.db").touch()

    assert migrate.main(["--url", empty_url, "--check"]) == 1
    assert "python -m store.migrate" in capsys.readouterr().err

    migrate.main(["--url", empty_url])
    assert migrate.main(["--url", empty_url, "--check"]) == 0


def test_a_store_that_cannot_be_reached_is_another_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert migrate.main(["--url", f"sqlite:///{tmp_path}/nowhere/x.db"]) == 2
    assert migrate.main(["--url", f"sqlite:///{tmp_path}/x.db", "--check"]) == 2

    assert capsys.readouterr().err.count("unable to open") == 2


def test_the_address_is_taken_from_the_environment(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUTATOR_STORE_URL", sqlite_url)

    assert migrate.main([]) == 0

    assert (tmp_path / "mutator.db").exists()


def test_a_file_is_made_by_whoever_opens_it_first_of_many_threads(sqlite_url: str) -> None:
    stores = at_once([partial(open_store, sqlite_url) for _ in range(8)])

    for store in stores:
        store.check()
        store.close()


def test_a_file_is_made_by_whoever_opens_it_first_of_many_processes(
    sqlite_url: str, tmp_path: Path
) -> None:
    script = f"from store import open_store; open_store({sqlite_url!r}).check()"
    started = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(4)]

    assert [process.wait(60) for process in started] == [0] * 4

    with sqlite3.connect(tmp_path / "mutator.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_many_migrations_at_once_are_one(empty_url: str) -> None:
    def migrated() -> tuple[str | None, str | None]:
        database = Database(address(empty_url))
        try:
            return run_revisions(database)
        finally:
            database.close()

    found = at_once([migrated] * 4)

    assert sorted(found, key=str) == [*[(schema.REVISION,) * 2] * 3, (None, schema.REVISION)]


def test_a_schema_of_a_newer_version_is_left_alone(empty_url: str) -> None:
    migrate.main(["--url", empty_url])
    database = Database(address(empty_url))
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreOutdated, match="9999"):
        SqlStore(database).check()
    with pytest.raises(StoreOutdated, match="9999"):
        run_revisions(database)
    database.close()
