"""The one base of every value: frozen, plain JSON on the wire, unknown fields ignored."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen value; a change is a new value (`model_copy(update=...)`)."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_bytes="base64")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Answer a copy with some fields changed; what was derived is derived anew."""
        copy = super().model_copy(update=update, deep=deep)
        if update:
            for name in _derived(type(self)):
                copy.__dict__.pop(name, None)
        return copy


V = TypeVar("V", bound=Value)


def built(model: type[V], **fields: Any) -> V:
    """Make a value of fields that are valid already; all of them are named and none is checked.

    For values that are made by the dozen in every run: it does not look for defaults either.

    Raises:
        TypeError: A field is missing, or is none of the model's.
    """
    names = _names(model)
    if len(fields) != len(names) or not names.issuperset(fields):
        wrong = ", ".join(sorted(names.symmetric_difference(fields)))
        message = f"{model.__name__} is built of all its fields and no other; wrong: {wrong}."
        raise TypeError(message)
    made = model.__new__(model)
    _set(made, "__dict__", fields)
    _set(made, "__pydantic_fields_set__", names)
    _set(made, "__pydantic_extra__", None)
    _set(made, "__pydantic_private__", None)
    return made


def bytes_of(value: Value) -> int:
    """Answer how many bytes a value has as JSON."""
    return len(value.model_dump_json().encode())


_set = object.__setattr__


@cache
def _names(model: type[Value]) -> set[str]:
    return set(model.__pydantic_fields__)


@cache
def _derived(model: type[Value]) -> tuple[str, ...]:
    return tuple(
        name
        for each in model.__mro__
        for name, value in vars(each).items()
        if isinstance(value, cached_property)
    )
