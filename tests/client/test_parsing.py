"""What is typed on the command line, read."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from client.cli.exits import Usage
from client.cli.parsing import (
    MAX_FILE,
    duration_of,
    moment_of,
    parameters_of,
    payload_from,
    vary_of,
)
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


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-12-01T09:00Z", datetime(2026, 12, 1, 9, tzinfo=UTC)),
        ("2026-12-01T09:00:30+02:00", datetime(2026, 12, 1, 7, 0, 30, tzinfo=UTC)),
        ("2026-12-01 09:00+00:00", datetime(2026, 12, 1, 9, tzinfo=UTC)),
    ],
)
def test_a_moment_has_an_offset(written: str, moment: datetime) -> None:
    assert moment_of(written) == moment


def test_a_duration_as_a_moment_is_from_now() -> None:
    before = datetime.now(UTC)

    moment = moment_of("1h30m")

    assert before <= moment - timedelta(minutes=90) <= datetime.now(UTC)


@pytest.mark.parametrize("written", ["2026-12-01", "2026-12-01T09:00", "2026-12-01 09:00:30"])
def test_what_a_moment_without_an_offset_is_told_to_be_is_one(written: str) -> None:
    with pytest.raises(Usage) as refused:
        moment_of(written)

    for told in re.findall(r"\d{4}-\S+(?:Z|\+02:00)", str(refused.value.message)):
        assert moment_of(told).replace(tzinfo=None) == datetime.fromisoformat(written)


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("soon", "is no moment"),
        ("", "is no moment"),
        ("2026-13-01T09:00Z", "is no moment"),
        ("2026-12-01T09:00", "has no offset"),
        ("2026-12-01", "has no offset"),
        ("0s", "longer than nothing"),
        ("999999w", "is no moment"),
    ],
)
def test_what_is_no_moment_is_refused(written: str, named: str) -> None:
    with pytest.raises(Usage, match=named):
        moment_of(written)


@pytest.mark.parametrize(
    ("written", "parameter", "tried"),
    [
        ("amount=10..30:10", "/amount", (10, 20, 30)),
        ("amount=-1..1", "/amount", (-1, 0, 1)),
        ("amount=0.5..1.5:0.5", "/amount", (0.5, 1, 1.5)),
        ("plan=free,basic", "/plan", ("free", "basic")),
        ("on=true,false", "/on", (True, False)),
        ("/limits/high=1,2", "/limits/high", (1, 2)),
        ("a/b=1", "/a~1b", (1,)),
        ("since=1..x", "/since", ("1..x",)),
        ("version=01..03", "/version", ("01..03",)),
    ],
)
def test_a_range_is_numbers_with_a_step_or_values(
    written: str, parameter: str, tried: tuple[object, ...]
) -> None:
    vary = vary_of(written)

    assert (vary.parameter, vary.tried) == (parameter, tried)


@pytest.mark.parametrize("written", ["amount", "amount=", "=1..2", ""])
def test_what_is_no_range_is_refused(written: str) -> None:
    with pytest.raises(Usage, match="is no range"):
        vary_of(written)


@pytest.mark.parametrize("written", ["amount=1..1000", "amount=2..1", "amount=1..2:0"])
def test_a_range_that_cannot_be_tried_is_refused(written: str) -> None:
    with pytest.raises(InvalidParameters, match="cannot be tried"):
        vary_of(written)


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
