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
    Final,
    ForwardRef,
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
    """Yield what a place can hold, without the wrappings, each with the metadata around it.

    Raises:
        DefinitionError: Something is annotated by a name that leads to nothing.
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from arms(args[0], (*args[1:], *metadata))
    elif (meant := _meant(annotation)) is not None:
        for each in meant:
            yield from arms(each, metadata)
    elif origin is UnionType or not (origin is None or origin is Literal or is_class(origin)):
        for member in args:  # of a union; of Required, Final and their like
            yield from arms(member, metadata)
    elif is_class(annotation) and issubclass(annotation, RootModel):
        info = _model_fields(annotation)["root"]
        yield from arms(info.annotation, (*info.metadata, *metadata))
    elif isinstance(annotation, str | ForwardRef):
        raise DefinitionError(f"The annotation {annotation!r} cannot be read; define it before it.")
    elif annotation is not None and annotation is not type(None):
        yield annotation, metadata


def _meant(annotation: Any) -> list[Any] | None:
    """Answer what an alias, new type or type variable stands for; `None` for all else."""
    if hasattr(annotation, "__value__"):  # a named type alias
        origin = get_origin(annotation)
        given = zip(getattr(origin, "__type_params__", ()), get_args(annotation), strict=False)
        return [_filled(_resolved(annotation.__value__, origin or annotation), dict(given))]
    if hasattr(annotation, "__supertype__"):  # a NewType
        return [_resolved(annotation.__supertype__, annotation)]
    if isinstance(annotation, TypeVar):
        bounds = (annotation.__bound__, *annotation.__constraints__)
        return [_resolved(each, annotation) for each in bounds]
    return None


def inner(annotation: Any) -> list[Any]:
    """Answer what the items of a list or set, or the values of a map, are annotated as.

    The values of a model, or typed dictionary, are those of names that are none of its fields.
    """
    kind, args = get_origin(annotation) or annotation, get_args(annotation)
    if not is_class(kind):
        return []
    if issubclass(kind, BaseModel):
        return _extras(kind)
    if _is_typed_dict(kind):
        return _extra_items(kind)
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
    if model is BaseModel:
        return {}
    if not model.__pydantic_complete__:
        try:
            model.model_rebuild()
        except PydanticUndefinedAnnotation as error:
            raise _unreadable(model, error) from error
    return model.model_fields


def _extras(model: type[BaseModel]) -> list[Any]:
    if model.model_config.get("extra") != "allow":
        return []
    given: dict[Any, Any] = {}
    for each in model.__mro__[: model.__mro__.index(BaseModel)]:
        generic = vars(each).get("__pydantic_generic_metadata__", {})
        if origin := generic.get("origin"):
            parameters = origin.__pydantic_generic_metadata__["parameters"]
            given |= zip(parameters, [_filled(arg, given) for arg in generic["args"]], strict=True)
        if hint := getattr(each, "__annotations__", {}).get("__pydantic_extra__"):
            return [_filled(value, given) for value in get_args(_resolved(hint, each))[1:]]
    return []


def _extra_items(kind: Any) -> list[Any]:
    found = [_resolved(each, kind) for name, each in vars(kind).items() if name == _EXTRA_ITEMS]
    bases = [get_origin(base) or base for base in getattr(kind, "__orig_bases__", ())]
    return [*found, *(each for base in bases if is_class(base) for each in _extra_items(base))]


_EXTRA_ITEMS: Final = "__extra_items__"


def _resolved(hint: Any, owner: Any) -> Any:
    """Put things where an annotation has their names, which are known where its owner stands."""
    named = (owner, *getattr(owner, "__type_params__", ()))
    place = type("place", (), {"__annotations__": {"it": hint}, "__module__": owner.__module__})
    try:
        hints = get_type_hints(
            place, localns={each.__name__: each for each in named}, include_extras=True
        )
    except Exception as error:  # whatever the text of an annotation comes to
        raise _unreadable(owner, error) from error
    return hints["it"]


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


def _unreadable(kind: Any, error: Exception) -> DefinitionError:
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
