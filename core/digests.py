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

__all__ = ["MAX_LEVELS", "JsonValue", "canonical", "digest", "jsonable", "verify"]

SCHEME: Final = "v1:sha256"

MAX_INTEGER: Final = 2**53 - 1
"""The greatest integer that every JSON reader keeps exactly; beyond it integers are strings."""

MAX_LEVELS: Final = 100
"""How deep lists and maps may stand in one another; some JSON readers give up at 200, and what is
kept of a document holds it some levels deeper."""

_HOLDING_LEVELS: Final = 2 * MAX_LEVELS

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


def jsonable(value: object, *, levels: int = MAX_LEVELS) -> JsonValue:
    """Turn a Python value or a pydantic model into plain JSON data.

    Models go through `model_dump(mode="json")`. Decimals become strings, dates ISO 8601, enum
    members their values, tuples lists, map keys strings. Sets become lists sorted by the canonical
    form of their items. Whole numbers beyond `MAX_INTEGER` in magnitude become strings of digits,
    floats too, but from 1e21 on floats stay numbers: so a document reads back as it was written.
    What a model's own serializer makes is taken as it is: a set that it makes a list of has another
    order, and the document another digest, in every process; it has to sort.

    Args:
        value: Anything pydantic can write as JSON. Data that is plain already is answered as it is,
            not copied.
        levels: How deep lists and maps may stand in one another; more than `MAX_LEVELS` for what
            holds documents.

    Returns:
        `None`, booleans, numbers, strings, lists and maps with string keys only.

    Raises:
        InvalidValue: NaN, infinity, an object that JSON has no form for, two keys that become one,
            or nesting deeper than `levels`; `path` is the JSON Pointer of the culprit where it is
            known.
    """
    data: Any = _dump(value, "") if isinstance(value, BaseModel) else value
    return data if _is_plain(data, levels) else _plain_copy(data, "", levels)


def canonical(value: object) -> bytes:
    """Write a value in its canonical form: RFC 8785, UTF-8.

    Equal numbers are written alike whatever their Python type (`1` and `1.0`), booleans are not
    numbers, and the order of keys does not matter.

    Args:
        value: Whatever `jsonable` takes, and twice as deep: entries hold documents.

    Raises:
        InvalidValue: What `jsonable` refuses, or text that is not Unicode (a lone surrogate).
    """
    try:
        if not _is_plain(value, _HOLDING_LEVELS):
            value = _whole_as_integers(jsonable(value, levels=_HOLDING_LEVELS))
            if not _is_plain(value, _HOLDING_LEVELS):
                return rfc8785.dumps(value)
        text = _encoder.encode(value)
        if not text.isascii() and _BEYOND_BMP.search(text):
            return rfc8785.dumps(value)  # type: ignore[arg-type]  # its alias is narrower
        return text.encode()
    except (UnicodeEncodeError, rfc8785.CanonicalizationError) as error:
        message = f"The value has no canonical form: {error}."
        raise InvalidValue(message) from error


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


def _is_plain(value: Any, levels: int) -> bool:  # noqa: C901, PLR0912 -- every run looks at every value, and a call costs as much as a look
    """Whether the value is JSON data that the standard encoder writes as RFC 8785 would."""
    kind = type(value)
    if kind is dict:
        if not levels:
            raise _too_deep()
        for key, item in value.items():
            if type(key) is not str:
                return False
            kind = type(item)
            if kind is str or kind is bool or item is None:
                continue
            if kind is int and -MAX_INTEGER <= item <= MAX_INTEGER:
                continue
            if not _is_plain(item, levels - 1):
                return False
        return True
    if kind is list:
        if not levels:
            raise _too_deep()
        for item in value:
            if type(item) is not str and not _is_plain(item, levels - 1):
                return False
        return True
    if kind is int:
        return bool(-MAX_INTEGER <= value <= MAX_INTEGER)
    if kind is float:
        return bool(_LEAST_ALIKE <= abs(value) < _MOST_ALIKE and value % 1)
    return kind is str or kind is bool or value is None


def _below(levels: int) -> int:
    if levels:
        return levels - 1
    raise _too_deep()


def _plain_copy(value: object, path: str, levels: int) -> JsonValue:  # noqa: C901 -- one line a kind
    """Build plain JSON data from any value; `path` is where it is, for the error."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _plain_copy(value.value, path, levels)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value) if -MAX_INTEGER <= value <= MAX_INTEGER else int.__repr__(value)
    if isinstance(value, float | Decimal):
        return _number(value, path)
    if isinstance(value, Mapping):
        return _plain_map(value, path, _below(levels))
    if isinstance(value, list | tuple | deque):
        below = _below(levels)
        return [_plain_copy(item, f"{path}/{index}", below) for index, item in enumerate(value)]
    if isinstance(value, set | frozenset):
        below = _below(levels)
        return sorted((_plain_copy(item, path, below) for item in value), key=canonical)
    if isinstance(value, BaseModel):
        return _plain_copy(_dump(value, path), path, levels)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return _plain_map({name: getattr(value, name) for name in names}, path, _below(levels))
    try:
        return _plain_copy(to_jsonable_python(value), path, levels)
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


def _plain_map(value: Mapping[Any, Any], path: str, levels: int) -> dict[str, JsonValue]:
    copy: dict[str, JsonValue] = {}
    for key, item in value.items():
        name = key if type(key) is str else _plain_copy(key, path, levels)
        if isinstance(name, bool | int):
            name = json.dumps(name)
        if not isinstance(name, str):
            message = f"A JSON map has no key of type {type(key).__name__}."
            raise InvalidValue(message, path=path)
        if name in copy:
            message = f"Two keys of one map are both written {name!r}."
            raise InvalidValue(message, path=path)
        there = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
        copy[name] = _plain_copy(item, there, levels)
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
            names, others = {}, {}
            if isinstance(source, BaseModel):
                names, others = _names(type(source)), source.__pydantic_extra__ or {}
            sources = [
                others[key] if key in others else getattr(source, str(names.get(key, key)), None)
                for key in dumped
            ]
        if len(sources) == len(dumped):
            pairs = zip(dumped.items(), sources, strict=True)
            return {key: _mended(item, origin) for (key, item), origin in pairs}
    elif isinstance(source, _LISTS) and isinstance(dumped, list) and len(source) == len(dumped):
        items = list(map(_mended, dumped, source))
        return sorted(items, key=canonical) if isinstance(source, set | frozenset) else items
    return dumped


@cache
def _names(model: type[BaseModel]) -> dict[str, str]:
    """Answer what is written under another name than its own, by that name."""
    if not model.model_config.get("serialize_by_alias"):
        return {}
    aliases = {name: info.serialization_alias for name, info in model.model_fields.items()}
    computed = {name: info.alias for name, info in model.model_computed_fields.items()}
    return {alias: name for name, alias in (aliases | computed).items() if alias}


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
    return InvalidValue(f"The value is nested deeper than {MAX_LEVELS} levels, or contains itself.")
