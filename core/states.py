"""Two states compared part by part: what did not change is neither read, written nor validated.

A state after `apply` shares with the state before whatever the mutation left alone. So only the
parts that are other objects are looked into, and a change of one field of a large state costs what
that field costs. `settle_wholly` is the same for any model, and the law the other is held to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, JsonValue, ValidationError

from .changes import ChangeSet, diff
from .digests import MAX_LEVELS, jsonable
from .documents import escaped, holds_the_same
from .errors import MutatorError, WrongType
from .mutation import S
from .reading import read
from .survey import Survey, survey


def settle(before: S, after: Any) -> tuple[S, ChangeSet]:
    """Answer the state that will be read where `after` is written, and what changes to get there.

    Where nothing changes that is the state before.

    Args:
        before: The state before, as it was read.
        after: What `apply` answered; `model_copy(update=...)` does not validate, so it may hold
            what its model does not allow.

    Raises:
        WrongType: It does not validate, or no document can hold it.
    """
    models = _read_as_written(type(before)) if type(after) is type(before) else None
    if models:
        try:
            read = _validated(after, before, models)
            parts = _Parts()
            old, new = parts.of(before, read, survey(type(before)))
        except (ValidationError, MutatorError, _NotKnown):
            pass  # the other way takes it, or says what is wrong with it, and where
        else:
            changes = diff(old, new, identity=survey(type(before)))
            if not parts.shortened.intersection(changes.paths):
                return (read if changes else before), changes
    return settle_wholly(before, after)


def settle_wholly(before: S, after: Any) -> tuple[S, ChangeSet]:
    """Answer the same as `settle` by writing, reading and comparing whole documents."""
    read = _read(type(before), _written(after))
    # What is read need not be what was answered ("120" for 120): what is read is written.
    changes = diff(jsonable(before), _written(read), identity=survey(type(before)))
    return (read if changes else before), changes


def _written(state: Any) -> JsonValue:
    """Write a state as plain data; a value its model does not allow is the mutation's mistake."""
    try:
        return jsonable(state)
    except MutatorError as error:
        message = f"`apply` answered a state that no document can hold: {error}"
        raise WrongType(message) from error


def _read(state_type: type[S], document: JsonValue) -> S:
    """Read the new state as the next request will."""
    try:
        return read(state_type, document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "/".join(str(part) for part in first["loc"])
        message = (
            f"`apply` answered a {state_type.__name__} that does not validate: "
            f"{where or 'the whole'}: {first['msg']}"
        )
        raise WrongType(message) from error


# --- part by part


class _NotKnown(Exception):
    """A model stands where the state's own models name another."""


def _validated(new: Any, old: Any, models: frozenset[type[BaseModel]]) -> Any:
    """Validate every model that is not the one that stood there before, from the inside out."""
    if new is old:
        return new
    if isinstance(new, BaseModel):
        model = type(new)
        if model not in models:
            raise _NotKnown
        stood = old.__dict__ if type(old) is model else {}
        held = new.__dict__
        fields = {
            name: _validated(held[name], stood.get(name), models)
            for name in model.__pydantic_fields__
            if name in held
        }
        return model.__pydantic_validator__.validate_python(fields)
    kind = type(new)
    if kind is dict:
        stood = old if type(old) is dict else {}
        return {
            key: value if value is (was := stood.get(key)) else _validated(value, was, models)
            for key, value in new.items()
        }
    if kind is list or kind is tuple:
        first, last = _moved(old, new) if type(old) is kind else (0, len(new))
        between = (_validated(item, None, models) for item in new[first:last])
        return kind((*new[:first], *between, *new[last:]))
    return new


class _Parts:
    """Plain data of two states, of what differs only.

    Attributes:
        shortened: The paths of keyed lists in which items that stayed are shown by their key alone.
    """

    def __init__(self) -> None:
        self.shortened: set[str] = set()

    def of(
        self, old: Any, new: Any, keys: Survey | None, path: str = ""
    ) -> tuple[JsonValue, JsonValue]:
        """Write both, without what is the same object in both."""
        if isinstance(old, BaseModel) and type(old) is type(new):
            return self._maps(old.__dict__, new.__dict__, keys, path, type(old).__pydantic_fields__)
        if type(old) is dict and type(new) is dict:
            return self._maps(old, new, keys, path, None)
        if type(old) is list and type(new) is list and keys is not None and keys.key is not None:
            return self._keyed(old, new, keys.key, path)
        return _part(old, path), _part(new, path)

    def _maps(
        self,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        keys: Survey | None,
        path: str,
        fields: Mapping[str, Any] | None,
    ) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
        olds: dict[str, JsonValue] = {}
        news: dict[str, JsonValue] = {}
        for name in old if fields is None else fields:
            was, now = old[name], new.get(name, _GONE)
            if was is now:
                continue
            if now is _GONE:
                olds[name] = _part(was, f"{path}/")
                continue
            kind = type(was)
            if kind is type(now) and (was == now if kind in _SCALARS else holds_the_same(was, now)):
                continue
            part = (keys.fields.get(name) or keys.items) if keys is not None else None
            olds[name], news[name] = self.of(was, now, part, f"{path}/{escaped(name)}")
        if fields is None:
            added = new.keys() - old.keys()
            news.update((name, _part(new[name], f"{path}/")) for name in added)
        return olds, news

    def _keyed(
        self, old: Sequence[Any], new: Sequence[Any], key: str, path: str
    ) -> tuple[JsonValue, JsonValue]:
        self.shortened.add(path)
        first, last = _moved(old, new)
        upto = last + len(old) - len(new)
        before, after = (
            [_by_key(item, key) for item in items] for items in (new[:first], new[last:])
        )
        differing = old[first:upto], new[first:last]
        gone, come = ([_part(item, f"{path}/") for item in items] for items in differing)
        return [*before, *gone, *after], [*before, *come, *after]


def _part(value: Any, path: str) -> JsonValue:
    """Write what lies at a path, which may be nested only as deep as the whole leaves to it."""
    return jsonable(value, levels=MAX_LEVELS - path.count("/"))


def _by_key(item: Any, key: str) -> JsonValue:
    """Write an item that stayed, so that it is known by its key; what is no model has none."""
    if not isinstance(item, BaseModel):
        return None
    value = item.__dict__[key]
    return {key: value if type(value) is str else jsonable(value)}


def _moved(old: Sequence[Any], new: Sequence[Any]) -> tuple[int, int]:
    """Answer the part of a list outside of which it holds the same objects as the old one."""
    least = min(len(old), len(new))
    first = 0
    while first < least and new[first] is old[first]:
        first += 1
    stayed = 0
    while stayed < least - first and new[-1 - stayed] is old[-1 - stayed]:
        stayed += 1
    return first, len(new) - stayed


_GONE: Final[Any] = object()
_SCALARS: Final = frozenset({str, int, bool})


# --- which models are read as they were written

_PLAIN: Final = {
    *("str", "int", "float", "bool", "none", "decimal", "uuid"),
    *("date", "time", "datetime", "timedelta"),
}


@cache
def _read_as_written(model: type[BaseModel]) -> frozenset[type[BaseModel]] | None:
    """Answer the models of a state that always reads as it was written; nothing of any other.

    Such a state consists of plain fields, maps, lists and such models. Nothing in it could read
    differently than it was written: no unions, no `Any`, no custom serialisation, no aliases,
    nothing that runs before validation, and nothing that is not known here.
    """
    schema: Any = model.__pydantic_core_schema__
    definitions = {}
    if schema["type"] == "definitions":
        definitions = {each["ref"]: each for each in schema["definitions"]}
    seen: set[str] = set()
    models: set[type[BaseModel]] = set()
    todo: list[Any] = [schema]
    while todo:
        each = todo.pop()
        if each["type"] == "model":
            models.add(each["cls"])
        if each["type"] == "definition-ref":
            if each["schema_ref"] not in seen:
                seen.add(each["schema_ref"])
                todo.append(definitions.get(each["schema_ref"], _UNKNOWN))
            continue
        inner = None if "serialization" in each or each.get("strict") else _inner(each)
        if inner is None:
            return None
        todo.extend(inner)
    # Where a model is expected, one derived from it may stand, and is written as what is expected.
    alone = all(one is other or not issubclass(one, other) for one in models for other in models)
    return frozenset(models) if alone else None


_UNKNOWN: Final = {"type": "unknown"}


def _inner(schema: Any) -> Sequence[Any] | None:
    """Answer the schemas inside of one, or nothing where it is not known to be plain."""
    kind = schema["type"]
    if kind in _PLAIN:
        return ()
    if kind in {"definitions", "default", "nullable", "function-after"}:
        return (schema["schema"],)
    if kind == "model":
        return None if _is_special(schema) else (schema["schema"],)
    if kind == "model-fields":
        fields = schema["fields"].values()
        return None if _is_special(schema) else [field["schema"] for field in fields]
    if kind == "dict":
        keys = schema.get("keys_schema", _UNKNOWN)
        return (schema.get("values_schema", _UNKNOWN),) if keys["type"] == "str" else None
    if kind in {"list", "set", "frozenset"}:
        return (schema.get("items_schema", _UNKNOWN),)
    if kind == "tuple":
        return list(schema["items_schema"])
    if kind == "enum":
        values = (member.value for member in schema["members"])
        return () if all(type(value) in _SCALARS for value in values) else None
    if kind == "literal":
        return () if all(type(value) in _SCALARS for value in schema["expected"]) else None
    return None


def _is_special(schema: Any) -> bool:
    """Answer whether a model, or one of its fields, is written or read in a way of its own."""
    config, fields = schema.get("config", {}), schema.get("fields", {}).values()
    return bool(
        any(schema.get(name) for name in ("root_model", "custom_init", "computed_fields"))
        or config.get("extra_fields_behavior") == "allow"
        or any(name == "strict" or name.startswith("ser_") for name in config)
        or any(field.keys() - {"type", "schema", "metadata", "frozen"} for field in fields)
    )
