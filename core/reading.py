"""Models made of their documents: what a model is written as, it is read from.

`jsonable` writes fields by name (by alias where the model says `serialize_by_alias`), and dates,
decimals, tuples and the like in the forms that JSON has for them. `read` takes all of that, from a
model in strict mode too. A model that would not read its own document, or read it as another, is
refused before anything is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from .digests import jsonable
from .errors import DefinitionError

M = TypeVar("M", bound=BaseModel)


def read(model: type[M], document: JsonValue | Mapping[str, JsonValue]) -> M:
    """Make a model of its document.

    Fields may stand by their names and by their aliases. Where anything is strict, so is the
    reading, by the rules of JSON: a date is a text, and a number is none.

    Args:
        model: What to make.
        document: What `jsonable` answered for it, or what somebody says in its place.

    Raises:
        pydantic.ValidationError: It is no document of the model.
    """
    if not _is_strict(model):
        return model.model_validate(document, by_alias=True, by_name=True)
    text = json.dumps(jsonable(document))
    try:
        return model.model_validate_json(text, by_alias=True, by_name=True)
    except ValidationError as error:
        if not all(map(_is_great, error.errors(include_url=False, include_context=False))):
            raise
    return model.model_validate(document, strict=False, by_alias=True, by_name=True)


@cache
def _is_strict(model: type[BaseModel]) -> bool:
    return "'strict': True" in str(model.__pydantic_core_schema__)


def _is_great(problem: Any) -> bool:
    """Whether it is about a number that is written as text, since not every reader keeps it."""
    given = problem["input"]
    wanted = problem["type"] in {"int_type", "float_type"}
    return wanted and isinstance(given, str) and _GREAT.fullmatch(given) is not None


_GREAT: Final = re.compile(r"-?[0-9]{16,}")


@cache
def require_readable(model: type[BaseModel]) -> None:
    """Refuse a model that would not be read from its own document, or be another then.

    What validators of its own make of a document is the model's affair and not looked at.

    Raises:
        DefinitionError: It names the model and the field.
    """
    schema: Any = model.__pydantic_core_schema__
    for form in _forms(schema):
        for problem in form.problems():
            message = f"{form.name} cannot be read as it is written: {problem}."
            raise DefinitionError(message)


@dataclass(frozen=True)
class _Form:
    """What the fields of a model, dataclass or typed dictionary are written and read as.

    Attributes:
        name: What it is called.
        fields: pydantic's schemas of the fields, by name.
        computed: The names under which computed fields are written.
        by_alias: Whether it is written by alias.
        closed: Whether it takes no other names than those of its fields.
    """

    name: str
    fields: Mapping[str, Any]
    computed: tuple[str, ...]
    by_alias: bool
    closed: bool

    def problems(self) -> Iterator[str]:
        """Say what is written and not read, or read as something else."""
        written = self._written()
        for name, field in self.fields.items():
            label = written.get(name)
            if label is None and field["schema"]["type"] != "default":
                yield f"{name!r} is left out and has no default"
            if label not in {None, name} and [label] not in _ways(field):
                yield f"{name!r} is written as {label!r} and not read from it"
            others = {each for other, each in written.items() if other != name}
            for first, *_ in _ways(field):
                if first in others.union(self.computed):
                    yield f"{name!r} is read from {first!r}, where another field is written"
        if self.closed:
            for label in sorted({*self.computed}.difference(self.fields)):
                yield f"{label!r} is computed and written, and extra='forbid' refuses to read it"

    def _written(self) -> dict[str, str]:
        """Answer what each field is written as; what is left out has no label."""
        return {
            name: (self.by_alias and field.get("serialization_alias")) or name
            for name, field in self.fields.items()
            if not field.get("serialization_exclude")
        }


def _ways(field: Any) -> list[list[Any]]:
    """Answer the ways by which a field is looked for besides its name: each a name, or a path."""
    alias = field.get("validation_alias", [])
    if isinstance(alias, str):
        return [[alias]]
    return alias if not alias or isinstance(alias[0], list) else [alias]


_BEFORE: Final = {"function-before", "function-wrap", "function-plain"}
_FIELDS: Final = {"model-fields", "dataclass-args", "typed-dict"}
_NO_SCHEMAS: Final = {"config", "default", "expected", "members", "metadata"}


def _forms(schema: Any) -> Iterator[_Form]:
    """Yield the forms in pydantic's schema of a model, but those with a way of their own."""
    todo: list[tuple[Any, str, Mapping[str, Any], bool]] = [(schema, "", {}, False)]
    while todo:
        each, name, config, own = todo.pop()
        if isinstance(each, list | tuple):
            todo.extend((part, name, config, own) for part in each)
        if not isinstance(each, dict):
            continue
        kind = each.get("type")
        if "cls" in each:
            name, config = each["cls"].__name__, each.get("config", {})
        own = own or kind in _BEFORE or "serialization" in each
        if kind in _FIELDS:
            if not own:
                yield _form(each, name, config)
            own = False
        for key, part in each.items():
            if key in {"fields", "choices"} and isinstance(part, dict):
                todo.extend((inner, name, config, own) for inner in part.values())
            elif key not in _NO_SCHEMAS:
                todo.append((part, name, config, own))


def _form(schema: Any, name: str, config: Mapping[str, Any]) -> _Form:
    fields = schema["fields"]
    if isinstance(fields, list):  # a dataclass's
        fields = {each["name"]: each for each in fields}
    by_alias = bool(config.get("serialize_by_alias"))
    computed = [
        (by_alias and each.get("alias")) or each["property_name"]
        for each in schema.get("computed_fields", [])
    ]
    extra = schema.get("extra_behavior", config.get("extra_fields_behavior"))
    return _Form(name, fields, tuple(computed), by_alias, extra == "forbid")
