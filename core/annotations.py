"""What documents a type annotation makes: without its wrappings, its items, its fields.

Models, dataclasses, typed dictionaries and named tuples, generic ones too; lists, sets, maps and
unions; named aliases, new types and type variables. What is written by a serialiser of its own
cannot be seen here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    TypeAlias,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import BaseModel, RootModel
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.fields import FieldInfo

from .errors import DefinitionError

Member: TypeAlias = tuple[Any, tuple[Any, ...]]
"""An annotation, and the metadata around it."""


def arms(annotation: Any, metadata: tuple[Any, ...] = ()) -> Iterator[Member]:
    """Yield what a place can hold, without the wrappings, each with the metadata around it."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from arms(args[0], (*args[1:], *metadata))
    elif hasattr(annotation, "__value__"):  # a named type alias
        given = dict(zip(getattr(origin, "__type_params__", ()), args, strict=False))
        yield from arms(_filled(annotation.__value__, given), metadata)
    elif hasattr(annotation, "__supertype__"):  # a NewType
        yield from arms(annotation.__supertype__, metadata)
    elif isinstance(annotation, TypeVar):
        for each in (annotation.__bound__, *annotation.__constraints__):
            yield from arms(each, metadata)
    elif origin is UnionType or not (origin is None or origin is Literal or is_class(origin)):
        for member in args:  # of a union; of Required, Final and their like
            yield from arms(member, metadata)
    elif is_class(annotation) and issubclass(annotation, RootModel):
        info = _model_fields(annotation)["root"]
        yield from arms(info.annotation, (*info.metadata, *metadata))
    elif annotation is not None and annotation is not type(None):
        yield annotation, metadata


def inner(annotation: Any) -> list[Any]:
    """Answer what the items of a list or set, or the values of a map, are annotated as."""
    kind, args = get_origin(annotation) or annotation, get_args(annotation)
    if not is_class(kind) or _is_typed_dict(kind):
        return []
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):  # a named tuple is written as a list
        return list(_hints(annotation).values())
    if issubclass(kind, Mapping):
        return list(args[1:])
    return [arg for arg in args if arg is not Ellipsis] if issubclass(kind, Iterable) else []


def fields(annotation: Any) -> Iterator[tuple[str, Member]]:
    """Yield the fields that documents of an annotation have, by each name they may be written."""
    kind = get_origin(annotation) or annotation
    if not is_class(kind):
        return
    if issubclass(kind, BaseModel):
        for name, info in _model_fields(kind).items():
            for written in dict.fromkeys((name, info.serialization_alias or name)):
                yield written, (info.annotation, tuple(info.metadata))
        for name, computed in kind.model_computed_fields.items():
            for written in dict.fromkeys((name, computed.alias or name)):
                yield written, (computed.return_type, ())
    elif dataclasses.is_dataclass(kind) or _is_typed_dict(kind):
        for name, hint in _hints(annotation).items():
            yield name, (hint, ())


def _model_fields(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    if not model.__pydantic_complete__:
        try:
            model.model_rebuild()
        except PydanticUndefinedAnnotation as error:
            raise _unreadable(model, error) from error
    return model.model_fields


def _hints(annotation: Any) -> dict[str, Any]:
    """Answer the annotations of a dataclass, typed dictionary or named tuple."""
    kind = get_origin(annotation) or annotation
    try:
        hints = get_type_hints(kind, include_extras=True)
    except NameError as error:
        raise _unreadable(kind, error) from error
    given = dict(zip(getattr(kind, "__parameters__", ()), get_args(annotation), strict=False))
    return {name: _filled(hint, given) for name, hint in hints.items()}


def _filled(hint: Any, given: Mapping[Any, Any]) -> Any:
    """Put what a generic class was given for its type variables into one of its annotations."""
    if isinstance(hint, TypeVar):
        return given.get(hint, hint)
    wanted = () if is_class(hint) else getattr(hint, "__parameters__", ())
    return hint[tuple(given.get(each, each) for each in wanted)] if wanted else hint


def _unreadable(kind: type, error: Exception) -> DefinitionError:
    message = f"The annotations of {kind.__name__} cannot be read: {error}; define them before it."
    return DefinitionError(message)


def is_class(annotation: Any) -> bool:
    """Answer whether it is a class, without arguments for its type variables."""
    return isinstance(annotation, type)


def is_map(annotation: Any) -> bool:
    """Answer whether it is a map; typed dictionaries are maps too."""
    kind = get_origin(annotation) or annotation
    return is_class(kind) and issubclass(kind, Mapping)


def is_list(annotation: Any) -> bool:
    """Answer whether it is a list or tuple: in order, and no text."""
    kind = get_origin(annotation) or annotation
    return is_class(kind) and issubclass(kind, Sequence) and kind not in {str, bytes}


def _is_typed_dict(kind: type) -> bool:
    return issubclass(kind, dict) and hasattr(kind, "__total__")
