"""Values to text and back: how documents and times stand in the tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from core.errors import InvalidValue, StoreOutdated

M = TypeVar("M", bound=BaseModel)

SCHEMA_VERSION: Final = 1
"""The newest form of documents that this version reads."""


def write(model: BaseModel) -> str:
    """Write a model as JSON text.

    Raises:
        InvalidValue: It holds what no document can, such as half of a character.
    """
    try:
        return model.model_dump_json()
    except PydanticSerializationError as error:
        raise _unwritable(type(model).__name__, error) from error


def read(kind: type[M], text: str) -> M:
    """Read a model from JSON text.

    Raises:
        StoreOutdated: A newer version wrote it, or what stands there is no such document.
    """
    try:
        found = kind.model_validate_json(text)
    except ValidationError as error:
        raise StoreOutdated(
            f"The store holds a {kind.__name__} that this version cannot read: "
            f"{error.error_count()} fields do not fit. Run the version that wrote it."
        ) from error
    written = getattr(found, "schema_version", SCHEMA_VERSION)
    if written > SCHEMA_VERSION:
        raise StoreOutdated(
            f"The store holds a {kind.__name__} of schema version {written}; this version reads up "
            f"to {SCHEMA_VERSION}. Run the newer version."
        )
    return found


def write_json(value: JsonValue) -> str:
    """Write plain JSON data as text.

    Raises:
        InvalidValue: As `write` does.
    """
    try:
        return to_json(value).decode()
    except PydanticSerializationError as error:
        raise _unwritable("value", error) from error


def _unwritable(kind: str, error: PydanticSerializationError) -> InvalidValue:
    return InvalidValue(f"A {kind} cannot be written as a document: {error}.")


def read_json(text: str) -> Any:
    """Read plain JSON data."""
    return from_json(text)


def moment(at: datetime) -> str:
    """Write a time so that text sorts as time does: UTC, microseconds, fixed width."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def read_moment(text: str) -> datetime:
    """Read a time."""
    return datetime.fromisoformat(text)
