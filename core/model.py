"""The one base of every value: frozen, plain JSON on the wire, unknown fields ignored."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any, Self

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


@cache
def _derived(model: type[Value]) -> tuple[str, ...]:
    return tuple(
        name
        for each in model.__mro__
        for name, value in vars(each).items()
        if isinstance(value, cached_property)
    )
