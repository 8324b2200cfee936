"""Errors as they cross: a stable type, a sentence, the ids; and back again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core import errors
from core.errors import MutatorError

from .asks import Refusal

BY_TYPE: dict[str, type[MutatorError]] = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, MutatorError)
}
"""Every domain error by its type on the wire."""


def refusal_of(error: MutatorError) -> Refusal:
    """Answer an error as a value."""
    return Refusal(type=error.code, message=error.message, details=dict(error.details))


def error_of(type_: str, message: str, details: Mapping[str, Any] | None = None) -> MutatorError:
    """Make the error again; an unknown type becomes the base class."""
    error = BY_TYPE.get(type_, MutatorError)
    made = error.__new__(error)
    MutatorError.__init__(made, message, **dict(details or {}))
    return made
