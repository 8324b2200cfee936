"""What author code is handed, held to what it was: a rule answers, and alters nothing.

A frozen model still holds lists and maps that can be altered in place, and what is altered so shows
in no change set: it would be approved by nobody and stand in no history. So what is handed out is
looked at before and after. Only containers are kept, one level each; that takes microseconds where
a copy of the whole would take longer than the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel

from .annotations import arms
from .documents import escaped, holds_the_same


class _Place:
    """A value, what it is called there, and the place it lies in."""

    __slots__ = ("above", "name", "value")

    def __init__(self, value: Any, name: object, above: _Place | None = None) -> None:
        self.value = value
        self.name = name
        self.above = above

    def is_in_itself(self) -> bool:
        above = self.above
        while above is not None and above.value is not self.value:
            above = above.above
        return above is not None

    def said(self) -> str:
        tokens: list[str] = []
        here = self
        while here.above is not None:
            tokens.append(f"/{escaped(str(here.name))}")
            here = here.above
        return f"{''.join(reversed(tokens))} of {here.name}" if tokens else str(here.name)


class Handed:
    """Values as they were when this was made.

    Args:
        things: What is handed out, by what it is called in a sentence.
    """

    __slots__ = ("_kept",)

    def __init__(self, things: Mapping[str, Any]) -> None:
        self._kept: list[tuple[_Place, Any]] = []
        handed: Iterable[tuple[str, Any]] = things.items()
        todo = [_Place(thing, name) for name, thing in handed if not _is_still(_kind(thing))]
        while todo:
            here = todo.pop()
            kind = _kind(here.value)
            copied = _copier(kind)
            if copied is None or here.is_in_itself():
                continue
            held = copied(here.value)
            if not _is_fixed(kind):
                self._kept.append((here, held))
            kinds: set[Any] = set(map(type, held.values() if type(held) is dict else held))
            moving = {each for each in kinds if not _is_still(each)}
            if moving:
                named = held.items() if type(held) is dict else enumerate(held)
                todo.extend(_Place(v, name, here) for name, v in named if type(v) in moving)

    def altered(self) -> str | None:
        """Say what is another than it was: `/items of the state`; `None` where nothing is."""
        for place, held in self._kept:
            copied = _copier(_kind(place.value))
            if copied is None or not _same(held, copied(place.value)):
                return place.said()
        return None


def _kind(value: Any) -> Any:
    return type(value)


@cache
def _copier(kind: Any) -> Callable[[Any], Any] | None:
    """Answer what copies values of a class, one level deep; `None` where nothing is in them."""
    if issubclass(kind, BaseModel):
        return _fields_of_a_model
    if is_dataclass(kind):
        return _fields_of_a_dataclass
    for known, copied in _CONTAINERS.items():
        if issubclass(kind, known):
            return copied
    return None


def _fields_of_a_model(model: BaseModel) -> dict[str, Any]:
    now = model.__dict__
    held = {name: now[name] for name in type(model).__pydantic_fields__ if name in now}
    return {**held, **model.__pydantic_extra__} if model.__pydantic_extra__ else held


def _fields_of_a_dataclass(value: Any) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in fields(value) if hasattr(value, f.name)}


_CONTAINERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    dict: dict,
    list: list,
    tuple: list,
    deque: list,
    set: set,
    bytearray: bytes,
}


def _same(old: Any, new: Any) -> bool:
    """Answer whether a container holds what it held: the same objects, or what equals them."""
    if len(old) != len(new):
        return False
    if holds_the_same(old, new):
        return True
    if type(old) is dict:
        return all(_is_as(value, new.get(name, _GONE)) for name, value in old.items())
    if type(old) is list:
        return all(map(_is_as, old, new))
    return bool(old == new)


def _is_as(old: Any, new: Any) -> bool:
    # `True` equals 1, and is another document.
    return old is new or (type(old) is type(new) and bool(old == new))


_GONE: Final[Any] = object()


_SCALARS: Final = {
    *(str, int, float, bool, bytes, type(None), Decimal),
    *(date, datetime, time, timedelta, frozenset),
}


@cache
def _is_fixed(kind: type) -> bool:
    """Answer whether values of a class cannot themselves be altered, whatever they hold."""
    if issubclass(kind, BaseModel):
        return bool(kind.model_config.get("frozen")) and kind.model_config.get("extra") != "allow"
    return issubclass(kind, tuple)


@cache
def _is_still(kind: type) -> bool:
    """Answer whether nothing that can be altered is in any value of a class."""
    return _all_still(kind, ())


def _all_still(kind: Any, above: tuple[Any, ...]) -> bool:
    origin = get_origin(kind) or kind
    if origin is Literal or origin in _SCALARS or kind in above:
        return True
    if origin is tuple:
        parts = (arm for arg in get_args(kind) if arg is not ... for arm, _ in arms(arg))
        return kind is not tuple and all(_all_still(arm, (*above, kind)) for arm in parts)
    if not isinstance(kind, type):
        return False
    if issubclass(kind, BaseModel):
        return _is_fixed(kind) and all(
            _all_still(arm, (*above, kind))
            for info in kind.model_fields.values()
            for arm, _ in arms(info.annotation)
        )
    return issubclass(kind, Enum)
