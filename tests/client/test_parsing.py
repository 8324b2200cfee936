"""What is typed on the command line, read."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from client.cli.exits import Usage
from client.cli.parsing import MAX_FILE, duration_of, parameters_of, payload_from
from client.errors import UnreadablePayload
from core.errors import InvalidParameters


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("amount=20", 20),
        ("on=true", True),
        ("flag=beta", "beta"),
        ("flag=", ""),
        ("at=a=b", "a=b"),
        ('version="1.10"', "1.10"),
        ('who=["ana", "ben"]', ["ana", "ben"]),
        ("odd=NaN", "NaN"),
        ("open=[1,", "[1,"),
    ],
)
def test_a_value_is_json_where_it_is_json_and_text_elsewhere(written: str, value: object) -> None:
    assert parameters_of([written], []) == {written.partition("=")[0]: value}


def test_objects_and_pairs_are_one_set_of_parameters() -> None:
    assert parameters_of(["b=2"], ['{"a": 1}']) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("pairs", "objects"),
    [
        (["amount"], []),
        (["=1"], []),
        (["a=1", "a=2"], []),
        (["a=1"], ['{"a": 1}']),
        ([], ["[1]"]),
        ([], ["{"]),
        ([], ['{"a": NaN}']),
    ],
)
def test_what_is_no_parameter_is_refused(pairs: list[str], objects: list[str]) -> None:
    with pytest.raises(InvalidParameters):
        parameters_of(pairs, objects)


@pytest.mark.parametrize(
    ("written", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1h30m", timedelta(minutes=90)),
        ("2h", timedelta(hours=2)),
        ("1.5d", timedelta(hours=36)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_a_duration_names_its_units(written: str, duration: timedelta) -> None:
    assert duration_of(written) == duration


@pytest.mark.parametrize("written", ["", "5", "3y", "h", "0s", "-1h", "1h x", "9" * 400 + "w"])
def test_what_is_no_duration_is_refused(written: str) -> None:
    with pytest.raises(Usage):
        duration_of(written)


def test_a_payload_file_is_one_json_object(tmp_path: Path) -> None:
    path = tmp_path / "payload.json"
    path.write_text(json.dumps({"state_id": "box/1"}))

    assert payload_from(str(path)) == {"state_id": "box/1"}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b" " * (MAX_FILE + 1)],
    ids=["empty", "cut", "list", "null", "binary", "deep", "large"],
)
def test_an_unreadable_payload_is_named_with_its_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "payload.json"
    path.write_bytes(content)

    with pytest.raises(UnreadablePayload, match=r"payload\.json"):
        payload_from(str(path))


def test_a_payload_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePayload, match="No such file"):
        payload_from(str(tmp_path / "nothing.json"))
    with pytest.raises(UnreadablePayload, match="directory"):
        payload_from(str(tmp_path))
