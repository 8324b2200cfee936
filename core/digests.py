"""Plain JSON data, its one canonical form (RFC 8785), and digests that name their scheme."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Final

import rfc8785
from pydantic import BaseModel, JsonValue, RootModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from .errors import InvalidValue, UnknownDigestScheme

__all__ = ["JsonValue", "canonical", "digest", "jsonable", "verify"]

SCHEME: Final = "v1:sha256"

MAX_INTEGER: Final = 2**53 - 1
"""The greatest integer that every JSON reader keeps exactly; beyond it integers are strings."""

# The standard encoder is ten times faster than rfc8785 and writes the same bytes for what
# `_is_plain` lets through; a property test holds the two together.
_encoder = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)
# Python sorts keys by code point, RFC 8785 by UTF-16 unit: they differ only beyond the BMP.
_BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")
# Between these, and with a fraction, Python and ECMAScript print a float alike.
_LEAST_ALIKE, _MOST_ALIKE = 1e-4, 1e15
_EXPONENT_FROM = 1e21
# What in a core schema lets a set through, or hides whether it does.
_UNORDERED = re.compile(
    r"'type': '(?:set|frozenset|any|is-instance|is-subclass|callable|custom-error|function-plain)'"
    r"|'extra_behavior': 'allow'|'extra_fields_behavior': 'allow'|polymorphic"
)


def jsonable(value: object) -> JsonValue:
    """Turn a Python value or a pydantic model into plain JSON data.

    Models go through `model_dump(mode="json")`. Decimals become strings, dates ISO 8601, enum
    members their values, tuples lists, map keys strings. Sets become lists sorted by the canonical
    form of their items. Whole numbers beyond `MAX_INTEGER` in magnitude become strings of digits,
    floats too, but from 1e21 on floats stay numbers: so a document reads back as it was written.

    Args:
        value: Anything pydantic can write as JSON. Data that is plain already is answered as it is,
            not copied.

    Returns:
        `None`, booleans, numbers, strings, lists and maps with string keys only.

    Raises:
        InvalidValue: NaN, infinity, an object that JSON has no form for, two keys that become one,
            or nesting without end; `path` is the JSON Pointer of the culprit where it is known.
    """
    try:
        data: Any = _dump(value, "") if isinstance(value, BaseModel) else value
        return data if _is_plain(data) else _plain_copy(data, "")
    except RecursionError:
        raise _too_deep() from None


def canonical(value: object) -> bytes:
    """Write a value in its canonical form: RFC 8785, UTF-8.

    Equal numbers are written alike whatever their Python type (`1` and `1.0`), booleans are not
    numbers, and the order of keys does not matter.

    Args:
        value: Whatever `jsonable` takes.

    Raises:
        InvalidValue: What `jsonable` refuses, or text that is not Unicode (a lone surrogate).
    """
    try:
        if not _is_plain(value):
            value = _whole_as_integers(jsonable(value))
            if not _is_plain(value):
                return rfc8785.dumps(value)
        text = _encoder.encode(value)
        if not text.isascii() and _BEYOND_BMP.search(text):
            return rfc8785.dumps(value)  # type: ignore[arg-type]  # its alias is narrower
        return text.encode()
    except (UnicodeEncodeError, rfc8785.CanonicalizationError) as error:
        message = f"The value has no canonical form: {error}."
        raise InvalidValue(message) from error
    except RecursionError:
        raise _too_deep() from None


def digest(value: object) -> str:
    """Digest a value: `v1:sha256:` and 64 hexadecimal digits over its canonical form.

    Args:
        value: Whatever `jsonable` takes.

    Raises:
        InvalidValue: As `canonical` does.
    """
    return f"{SCHEME}:{hashlib.sha256(canonical(value)).hexdigest()}"


def verify(value: object, written: str) -> bool:
    """Say whether a value still has the digest that was written for it.

    Args:
        value: Whatever `jsonable` takes.
        written: A digest as `digest` wrote it, by this version or an earlier one; it is compared
            under the scheme that it names.

    Raises:
        UnknownDigestScheme: The scheme is not one this version knows.
        InvalidValue: As `canonical` does.
    """
    scheme, _, hexadecimal = written.rpartition(":")
    if scheme != SCHEME:
        raise UnknownDigestScheme(scheme)
    return hashlib.sha256(canonical(value)).hexdigest() == hexadecimal


def _is_plain(value: Any) -> bool:
    """Whether the value is JSON data that the standard encoder writes as RFC 8785 would."""
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                return False
            kind = type(item)
            if kind is str or kind is bool or item is None:
                continue
            if not _is_plain(item):
                return False
        return True
    if kind is list:
        return all(type(item) is str or _is_plain(item) for item in value)
    if kind is int:
        return bool(-MAX_INTEGER <= value <= MAX_INTEGER)
    if kind is float:
        return bool(_LEAST_ALIKE <= abs(value) < _MOST_ALIKE and value % 1)
    return kind is str or kind is bool or value is None


def _plain_copy(value: object, path: str) -> JsonValue:  # noqa: C901 -- one line a kind
    """Build plain JSON data from any value; `path` is where it is, for the error."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _plain_copy(value.value, path)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value) if -MAX_INTEGER <= value <= MAX_INTEGER else int.__repr__(value)
    if isinstance(value, float | Decimal):
        return _number(value, path)
    if isinstance(value, Mapping):
        return _plain_map(value, path)
    if isinstance(value, list | tuple | deque):
        return [_plain_copy(item, f"{path}/{index}") for index, item in enumerate(value)]
    if isinstance(value, set | frozenset):
        return sorted((_plain_copy(item, path) for item in value), key=canonical)
    if isinstance(value, BaseModel):
        return _plain_copy(_dump(value, path), path)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return _plain_map({name: getattr(value, name) for name in names}, path)
    try:
        return _plain_copy(to_jsonable_python(value), path)
    except PydanticSerializationError as error:
        message = f"A value of type {type(value).__name__} cannot be written as JSON."
        raise InvalidValue(message, path=path) from error


def _number(value: float | Decimal, path: str) -> JsonValue:
    # Not math.isfinite: a signalling NaN makes it raise.
    if value.is_finite() if isinstance(value, Decimal) else value - value == 0:
        if isinstance(value, Decimal):
            return str(value)
        # RFC 8785 writes these in digits, which are an integer to whoever reads them.
        return str(int(value)) if MAX_INTEGER < abs(value) < _EXPONENT_FROM else float(value)
    message = f"JSON has no number {value}."
    raise InvalidValue(message, path=path)


def _plain_map(value: Mapping[Any, Any], path: str) -> dict[str, JsonValue]:
    copy: dict[str, JsonValue] = {}
    for key, item in value.items():
        name = key if type(key) is str else _plain_copy(key, path)
        if isinstance(name, bool | int):
            name = json.dumps(name)
        if not isinstance(name, str):
            message = f"A JSON map has no key of type {type(key).__name__}."
            raise InvalidValue(message, path=path)
        if name in copy:
            message = f"Two keys of one map are both written {name!r}."
            raise InvalidValue(message, path=path)
        copy[name] = _plain_copy(item, f"{path}/{name.replace('~', '~0').replace('/', '~1')}")
    return copy


def _dump(model: BaseModel, path: str) -> Any:
    try:
        dumped = model.model_dump(mode="json")
    except ValueError as error:  # pydantic's errors of serialisation, and of a circle
        message = f"{type(model).__name__} cannot be written as JSON: {error}."
        raise InvalidValue(message, path=path) from error
    return _mended(dumped, model) if _may_lose(type(model)) else dumped


@cache
def _may_lose(model: type[BaseModel]) -> bool:
    """Whether a set, or what nobody annotated, can be in the model; when in doubt it can."""
    return _UNORDERED.search(str(model.__pydantic_core_schema__)) is not None


_LISTS = (list, tuple, deque, set, frozenset)


def _mended(dumped: Any, source: Any) -> Any:
    """Put right in `dumped` what pydantic lost of `source`, which it was dumped from.

    A set is dumped in the order of its hashes, which differs from process to process; and what is
    not a number becomes null where the annotation does not say float.
    """
    if dumped is None and isinstance(source, float):
        return source
    if isinstance(source, RootModel):
        return _mended(dumped, source.root)
    if isinstance(dumped, dict):
        if isinstance(source, Mapping):
            sources: Sequence[Any] = list(source.values())
        else:
            names = _names(type(source)) if isinstance(source, BaseModel) else {}
            sources = [getattr(source, str(names.get(key, key)), None) for key in dumped]
        if len(sources) == len(dumped):
            pairs = zip(dumped.items(), sources, strict=True)
            return {key: _mended(item, origin) for (key, item), origin in pairs}
    elif isinstance(source, _LISTS) and isinstance(dumped, list) and len(source) == len(dumped):
        items = list(map(_mended, dumped, source))
        return sorted(items, key=canonical) if isinstance(source, set | frozenset) else items
    return dumped


@cache
def _names(model: type[BaseModel]) -> dict[str, str]:
    return {info.serialization_alias or name: name for name, info in model.model_fields.items()}


def _whole_as_integers(value: JsonValue) -> JsonValue:
    """Replace floats that are whole numbers, which RFC 8785 writes as integers."""
    if isinstance(value, float):
        return int(value) if abs(value) <= MAX_INTEGER and value % 1 == 0 else value
    if isinstance(value, dict):
        return {key: _whole_as_integers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_as_integers(item) for item in value]
    return value


def _too_deep() -> InvalidValue:
    return InvalidValue("The value is nested too deeply, or contains itself.")
