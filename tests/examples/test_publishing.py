from __future__ import annotations

import json
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core import SideEffect
from examples.feature_flags import DisableFlag, FlagFile, publish, published_version, seed
from tests.examples.publisher import Publisher, dispatch

EFFECT = SideEffect(contract="flagd.publish")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MUTATOR_FLAGS_DIR", str(tmp_path / "flags"))
    return tmp_path / "flags"


@pytest.fixture
def web() -> FlagFile:
    flags = seed("web")
    assert flags is not None
    return flags


def numbered(number: int) -> FlagFile:
    """Answer a flag set that says which version it should be, and is too long for one write."""
    variants = {f"v{n}": "x" * 100 for n in range(200)}
    flag = {"state": "ENABLED", "variants": variants, "metadata": {"number": number}}
    return FlagFile.model_validate({"flags": {"beta": flag}})


def number_in(path: Path) -> int:
    document = json.loads(path.read_bytes())
    number: int = document["flags"]["beta"]["metadata"]["number"]
    assert document["metadata"]["stateVersion"] == number
    return number


def test_what_is_published_is_the_state_and_its_version_named_after_the_key(
    directory: Path,
) -> None:
    publisher = Publisher()

    publisher.approved(DisableFlag(flag="dark-mode"))

    expected = publisher.state.model_dump(mode="json")
    expected["metadata"]["stateVersion"] = 1
    assert json.loads((directory / "web.json").read_bytes()) == expected


def test_a_newer_file_is_never_overwritten_by_an_older_dispatch(directory: Path) -> None:
    publish(EFFECT, dispatch(numbered(7), 7))
    publish(EFFECT, dispatch(numbered(6), 6))

    assert number_in(directory / "web.json") == 7


def test_a_dispatch_that_runs_twice_writes_once(directory: Path) -> None:
    publish(EFFECT, dispatch(numbered(1), 1))
    first = (directory / "web.json").stat()

    publish(EFFECT, dispatch(numbered(1), 1))

    again = (directory / "web.json").stat()
    assert (again.st_ino, again.st_mtime_ns) == (first.st_ino, first.st_mtime_ns)


def test_a_file_that_somebody_broke_is_written_again(directory: Path) -> None:
    publish(EFFECT, dispatch(numbered(3), 3))
    (directory / "web.json").write_text("{", "utf-8")

    publish(EFFECT, dispatch(numbered(3), 3))

    assert number_in(directory / "web.json") == 3


def test_what_a_crash_left_behind_is_in_nobodys_way(directory: Path) -> None:
    directory.mkdir()
    (directory / ".web.json.tmp").write_bytes(b"x" * 100_000)

    publish(EFFECT, dispatch(numbered(1), 1))

    assert number_in(directory / "web.json") == 1
    assert sorted(path.name for path in directory.iterdir()) == [".web.lock", "web.json"]


def test_a_publication_that_fails_leaves_the_file_before(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(EFFECT, dispatch(numbered(1), 1))

    def full(_: int) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr("examples.feature_flags.publishing.os.fsync", full)
        with pytest.raises(OSError, match="no space"):
            publish(EFFECT, dispatch(numbered(2), 2))
    assert number_in(directory / "web.json") == 1

    publish(EFFECT, dispatch(numbered(2), 2))
    assert number_in(directory / "web.json") == 2


def test_a_newer_file_has_a_later_time_also_when_the_clock_stands_still(directory: Path) -> None:
    path = directory / "web.json"
    publish(EFFECT, dispatch(numbered(1), 1))
    ahead = time.time() + 60
    os.utime(path, (ahead, ahead))
    before = path.stat().st_mtime

    publish(EFFECT, dispatch(numbered(2), 2))

    assert path.stat().st_mtime > before


def test_handlers_at_once_and_out_of_order_leave_the_newest_and_a_reader_sees_it_grow(
    directory: Path,
) -> None:
    publish(EFFECT, dispatch(numbered(1), 1))
    path, done, seen = directory / "web.json", threading.Event(), [1]

    def read() -> None:
        while not done.is_set():
            seen.append(number_in(path))

    versions = [version for version in range(1, 101) for _ in range(2)]
    random.Random(1).shuffle(versions)
    with ThreadPoolExecutor(9) as threads:
        reader = threads.submit(read)
        writers = [threads.submit(publish, EFFECT, dispatch(numbered(v), v)) for v in versions]
        for writer in writers:
            writer.result(timeout=30)
        done.set()
        reader.result(timeout=30)

    assert number_in(path) == 100
    assert seen == sorted(seen)


def test_a_flag_set_whose_name_leads_elsewhere_is_not_published(
    directory: Path, web: FlagFile
) -> None:
    with pytest.raises(ValueError, match="no name that a file could have"):
        publish(EFFECT, dispatch(web, 1, key="../elsewhere"))

    assert not directory.exists()


def test_a_file_of_somebody_else_counts_as_older(directory: Path, web: FlagFile) -> None:
    directory.mkdir()
    (directory / "web.json").write_text('{"flags": {}, "metadata": {"stateVersion": "x"}}')

    publish(EFFECT, dispatch(web, 1))

    assert published_version(directory / "web.json") == 1
