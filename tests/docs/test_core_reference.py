"""The reference of `core` has every public name with its parts, every setting and every error."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cached_property
from importlib import import_module
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from pydantic import BaseModel, JsonValue

import core
import core.errors
from core.errors import MutatorError
from core.options import DEFAULT, PERFORMANCE, STRICT, Options
from tests.docs.pages import DOCS, ROOT, blocks, pages, plain, rows

CORE = DOCS / "reference" / "core.md"
_NAMES = ["name", "what it is", "its parts"]
_BEHIND = ["behind the door", "what it is", "its parts", "raises"]


def tables() -> Iterator[list[str]]:
    """Answer the rows of all tables of public names, as they are written."""
    reading = False
    for row in rows(CORE):
        if row == _NAMES or row[0] in {"setting", "preset", "error", _BEHIND[0]}:
            reading = row == _NAMES
        elif reading:
            yield row


def parts(value: Any) -> list[str]:
    """Answer what a reader has to know of a public name: members, fields, methods, arguments."""
    if not isinstance(value, type):
        return list(inspect.signature(value).parameters) if callable(value) else []
    if issubclass(value, Enum):
        return [member.value for member in value]
    if issubclass(value, BaseModel):
        found = list(value.model_fields)
    elif is_dataclass(value):
        found = [field.name for field in fields(value)]
    else:
        found = [p for p in inspect.signature(value).parameters if p not in {"args", "kwargs"}]
    said = [*inspect.get_annotations(value), *vars(value)]
    for name in dict.fromkeys(said):
        member = vars(value).get(name)
        if name.startswith(("_", "model_")) or name in found:
            continue
        if inspect.isfunction(member) or isinstance(member, staticmethod | classmethod):
            found.append(f"{name}()")
        elif name in inspect.get_annotations(value) or isinstance(
            member, property | cached_property
        ):
            found.append(name)
    return found


def said(name: str) -> str:
    """Answer the first line of a public name's docstring, as a cell."""
    return said_of(getattr(core, name))


def said_of(value: Any) -> str:
    return (inspect.getdoc(value) or "").splitlines()[0].replace("|", r"\|")


def parts_of(name: str) -> list[str]:
    return parts(getattr(core, name))


def test_every_public_name_is_in_the_reference_once() -> None:
    names = [plain(written[0]) for written in tables()]

    assert sorted(names) == sorted(core.__all__)


@pytest.mark.parametrize("name", core.__all__)
def test_the_reference_says_of_a_name_what_the_code_says(name: str) -> None:
    (written,) = (cells for cells in tables() if plain(cells[0]) == name)
    _, says, has = written

    shown = {plain(part) for part in has.split(", ") if part}
    assert (says, shown) == (said(name), set(parts_of(name))), (
        f"write: | `{name}` | {said(name)} | {', '.join(f'`{p}`' for p in parts_of(name))} |"
    )


def test_every_setting_of_the_engine_is_in_the_reference() -> None:
    declared = {
        name: (repr(info.get_default()), _bounds(info.metadata))
        for name, info in Options.model_fields.items()
    }

    written = {plain(cells[0]): (plain(cells[1]), cells[2]) for cells in _under("Options")}

    assert written == declared


def test_the_presets_are_what_the_reference_says() -> None:
    differing = {
        name: {key: value for key, value in options if value != getattr(DEFAULT, key)}
        for name, options in (
            ("DEFAULT", DEFAULT),
            ("STRICT", STRICT),
            ("PERFORMANCE", PERFORMANCE),
        )
    }

    written = {
        plain(cells[0]).rpartition(".")[2]: _settings(plain(cells[1]))
        for cells in _under("Presets")
    }

    assert written == differing


def test_every_error_of_the_core_is_in_a_reference() -> None:
    for module in pkgutil.walk_packages(core.__path__, "core."):
        import_module(module.name)
    # What `core.errors` declares is in the reference of errors, which has a test of its own.
    beside = {
        f"{each.__module__}.{each.__name__}": (inspect.getdoc(each) or "").splitlines()[0]
        for each in _below(MutatorError)
        if each.__module__.startswith("core.") and each.__module__ != core.errors.__name__
    }

    written = {plain(cells[0]): cells[1] for cells in _under("Beside what raises them")}

    assert written == beside
    assert all(cells[2] for cells in _under("Beside what raises them"))


def behind() -> dict[str, list[str]]:
    """Answer the rows of what lies behind the door, by the whole name."""
    found: dict[str, list[str]] = {}
    reading = False
    for row in rows(CORE):
        if row == _BEHIND or len(row) != len(_BEHIND):
            reading = row == _BEHIND
        elif reading:
            assert plain(row[0]) not in found, f"{row[0]} is there twice"
            found[plain(row[0])] = row
    return found


def raised(value: Any) -> list[str]:
    """Answer the errors that a function's docstring names."""
    _, _, section = (inspect.getdoc(value) or "").partition("Raises:\n")
    return re.findall(r"^    (\w+): ", section.partition("\n\n")[0], re.MULTILINE)


@pytest.mark.parametrize("name", behind())
def test_the_reference_says_of_what_lies_behind_the_door_what_the_code_says(name: str) -> None:
    module, _, last = name.rpartition(".")
    value = getattr(import_module(module), last)
    if not (isinstance(value, type) or inspect.isfunction(value)):
        assert behind()[name][1]  # a constant has no docstring that could be read
        return

    _, says, has, raises = behind()[name]

    errors = raised(value) if inspect.isfunction(value) else []
    shown = {plain(part) for part in has.split(", ") if part}
    assert (says, shown, plain(raises)) == (said_of(value), set(parts(value)), ", ".join(errors)), (
        f"write: {row_of(name, value)}"
    )


def row_of(name: str, value: Any) -> str:
    errors = raised(value) if inspect.isfunction(value) else []
    has, raises = (", ".join(f"`{each}`" for each in cell) for cell in (parts(value), errors))
    return f"| `{name}` | {said_of(value)} | {has} | {raises} |"


def test_everything_that_is_imported_from_behind_the_door_is_in_a_reference() -> None:
    in_pages = [block.text for page in pages() for block in blocks(page, "python")]
    in_examples = [path.read_text("utf-8") for path in (ROOT / "examples").rglob("*.py")]
    imported = {
        (node.module, alias.name)
        for text in (*in_pages, *in_examples)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("core.")
        for alias in node.names
    }

    missing = [f"{module}.{name}" for module, name in imported if not is_written(module, name)]

    assert ("core.history", "replay") in imported
    assert not missing, f"write what these are under 'Behind the door': {sorted(missing)}"


def is_written(module: str | None, name: str) -> bool:
    """Answer whether a name behind the door is public, in the tables here, or an error."""
    value = getattr(import_module(module or ""), name)
    whole = {f"{module}.{name}", f"{getattr(value, '__module__', module)}.{name}"}
    beside = {plain(cells[0]) for cells in _under("Beside what raises them")}
    is_public = name in core.__all__ and getattr(core, name) is value
    return is_public or bool(whole & {*behind(), *beside}) or hasattr(core.errors, name)


def test_every_type_that_a_public_name_answers_or_has_is_in_the_reference() -> None:
    assert types_behind() <= set(behind()), sorted(types_behind() - set(behind()))
    assert {"core.metrics.Summary", "core.policy.Ruling"} <= types_behind()


def types_behind() -> set[str]:
    """Answer the types of core that a reader meets from a public name on, step by step."""
    known: dict[str, Any] = {"JsonValue": JsonValue}
    for module in pkgutil.walk_packages(core.__path__, "core."):
        if ".governance" not in module.name:
            known |= {k: v for k, v in vars(import_module(module.name)).items() if k[0].isupper()}
    found: set[str] = set()
    todo = [getattr(core, name) for name in core.__all__]
    while todo:
        for each in met(todo.pop(), known):
            whole = f"{each.__module__}.{each.__name__}"
            is_ours = whole.startswith("core.") and each.__name__ not in core.__all__
            if is_ours and whole not in found and "[" not in whole:
                found.add(whole)
                todo.append(each)
    return found


def met(value: Any, known: dict[str, Any]) -> Iterator[type]:
    """Yield the types of a name's fields, and those that it or its methods answer."""
    if inspect.isfunction(value):
        yield from types_in(get_type_hints(value, localns=known).get("return"))
    if isinstance(value, type):
        for name, hint in get_type_hints(value, localns=known).items():
            if not name.startswith("_"):
                yield from types_in(hint)
        for name, member in vars(value).items():
            function = getattr(member, "fget", getattr(member, "func", None)) or member
            if not name.startswith("_"):
                yield from met(getattr(function, "__func__", function), known)


def types_in(hint: Any) -> Iterator[type]:
    """Yield the types that an annotation is made of."""
    for each in (hint, get_origin(hint)):
        if isinstance(each, type):
            yield each
    for argument in get_args(hint):
        yield from types_in(argument)


def test_the_reader_of_parts_finds_what_it_looks_for() -> None:
    assert parts(core.Mode) == ["simulate", "validate", "commit"]
    assert parts(core.deny) == ["reason", "severity", "metadata"]
    assert "is_success" in parts(core.ExecutionResult)
    assert {"changes", "inverse()", "is_empty"} <= set(parts(core.ChangeSet))
    assert {"order", "before()"} <= set(parts(core.Observer))
    assert {"schema_version", "apply()", "intent"} <= set(parts(core.Mutation))


def _under(heading: str) -> list[list[str]]:
    return rows(CORE, under=heading)[1:]


def _settings(cell: str) -> dict[str, Any]:
    pairs = [part.partition("=") for part in cell.split(", ") if "=" in part]
    return {name: {"True": True, "False": False}[value] for name, _, value in pairs}


def _bounds(metadata: list[Any]) -> str:
    found = {name: getattr(m, name) for m in metadata for name in ("gt", "le") if hasattr(m, name)}
    return f"above {found['gt']} s, at most {found['le']} s" if found else ""


def _below(error: type[MutatorError]) -> Iterator[type[MutatorError]]:
    for each in error.__subclasses__():
        yield each
        yield from _below(each)
