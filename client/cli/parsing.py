"""Read what is typed: parameters, durations, moments, ranges, a payload file."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from core.documents import escaped
from core.domain import problems
from core.errors import InvalidParameters
from wire.messages import MAX_START
from wire.varying import Vary

from ..errors import UnreadablePayload
from .exits import Usage

MAX_FILE = 4 * MAX_START
"""Bytes of a payload file: a start payload, with room for the white space of a careful hand."""

STDIN = "-"

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_NUMBER = r"-?(?:0|[1-9]\d*)(?:\.\d+)?"
_RANGE = re.compile(rf"(?P<first>{_NUMBER})\.\.(?P<last>{_NUMBER})(?::(?P<step>{_NUMBER}))?")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")


def parameters_of(pairs: Iterable[str], objects: Iterable[str]) -> dict[str, Any]:
    """Answer a mutation's parameters.

    Args:
        pairs: `key=value`; a value that is JSON is taken as JSON, anything else as text. Quote it
            twice to have text that looks like JSON: `version='"1.10"'`.
        objects: JSON objects; their keys are taken as they are.

    Raises:
        InvalidParameters: One is neither, or a key comes twice.
    """
    found: dict[str, Any] = {}
    for written in objects:
        given = _object(written)
        _add(found, given)
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InvalidParameters(f"A parameter is written key=value, not {pair!r}.")
        _add(found, {key: _value(value)})
    return found


def duration_of(written: str) -> timedelta:
    """Read a duration such as `90s`, `15m`, `2h`, `3d` or `1h30m`.

    Raises:
        Usage: It is none, or zero.
    """
    try:
        if not _DURATION.fullmatch(written):
            raise ValueError(written)  # noqa: TRY301 - both ways of being none end in one sentence
        parts = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", written)
        duration = sum(
            (timedelta(**{_UNITS[unit]: float(number)}) for number, unit in parts), timedelta()
        )
    except (ValueError, OverflowError) as error:
        raise Usage(f"{written!r} is no duration; write 90s, 15m, 2h, 3d or 1h30m.") from error
    if not duration:
        raise Usage("A duration is longer than nothing.")
    return duration


def moment_of(written: str) -> datetime:
    """Read a moment: `2026-12-01T09:00Z`, or a duration from now such as `3d`.

    Raises:
        Usage: It is neither, or has no offset.
    """
    try:
        if _DURATION.fullmatch(written):
            return datetime.now(UTC) + duration_of(written)
        moment = datetime.fromisoformat(written)
    except (ValueError, OverflowError) as error:
        raise Usage(
            f"{written!r} is no moment; write 2026-12-01T09:00Z, or 90s, 2h, 3d from now."
        ) from error
    if moment.tzinfo is None:
        full = moment.isoformat(timespec="minutes" if not moment.second else "seconds")
        raise Usage(f"{written!r} has no offset; write {full}Z, or {full}+02:00.")
    return moment


def vary_of(written: str) -> Vary:
    """Read what a preview varies: `NAME=FIRST..LAST[:STEP]`, or `NAME=VALUE,VALUE`.

    A value is read as those of parameters are; a name that begins with a slash is a JSON Pointer.

    Raises:
        Usage: It is neither.
        InvalidParameters: It has no values, or more than are tried.
    """
    name, equals, values = written.partition("=")
    if not equals or not name or not values:
        raise Usage(f"{written!r} is no range; write amount=10..100:10, or plan=free,basic,large.")
    parameter = name if name.startswith("/") else f"/{escaped(name)}"
    asked: dict[str, Any] = {"parameter": parameter}
    if (found := _RANGE.fullmatch(values)) is None:
        asked["values"] = [_value(each) for each in values.split(",")]
    else:
        asked |= {key: json.loads(number) for key, number in found.groupdict().items() if number}
    try:
        return Vary.model_validate(asked)
    except ValidationError as error:
        raise InvalidParameters(f"{written!r} cannot be tried: {problems(error)}.") from error


def payload_from(path: str) -> dict[str, Any]:
    """Read a start payload from a file, or from standard input where the path is `-`.

    Raises:
        UnreadablePayload: It is not there, has more than `MAX_FILE` bytes, or is no JSON object.
    """
    where = "standard input" if path == STDIN else repr(path)
    try:
        if path == STDIN:
            content = sys.stdin.buffer.read(MAX_FILE + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise UnreadablePayload(
            f"The payload file {where} cannot be read: {error.strerror or error}.", path=path
        ) from error
    if len(content) > MAX_FILE:
        raise UnreadablePayload(
            f"The payload in {where} has more than {MAX_FILE} bytes; at most {MAX_START} bytes of "
            "payload are taken.",
            path=path,
        )
    try:
        payload = json.loads(content)
    except (ValueError, RecursionError) as error:
        said = error if isinstance(error, json.JSONDecodeError) else "not readable as text"
        raise UnreadablePayload(f"The payload in {where} is no JSON: {said}.", path=path) from error
    if not isinstance(payload, dict):
        raise UnreadablePayload(
            f"The payload in {where} is a JSON {type(payload).__name__}; it must be an object.",
            path=path,
        )
    return payload


def _value(written: str) -> Any:
    try:
        return json.loads(written, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return written


def _object(written: str) -> dict[str, Any]:
    try:
        given = json.loads(written, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidParameters(f"--param takes a JSON object; {written!r} is no JSON.") from error
    if not isinstance(given, dict):
        raise InvalidParameters(f"--param takes a JSON object, not {written!r}.")
    return given


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _add(found: dict[str, Any], given: dict[str, Any]) -> None:
    twice = found.keys() & given.keys()
    if twice:
        raise InvalidParameters(f"The parameter {min(twice)!r} is given twice.")
    found |= given
