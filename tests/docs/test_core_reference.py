"""The reference of `core` has every public name with its parts, every setting and every error."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cached_property
from importlib import import_module
from typing import Any

import pytest
from pydantic import BaseModel

import core
import core.errors
from core.errors import MutatorError
from core.options import DEFAULT, PERFORMANCE, STRICT, Options
from tests.docs.pages import DOCS, plain, rows

CORE = DOCS / "reference" / "core.md"
_NAMES = ["name", "what it is", "its parts"]


def tables() -> Iterator[list[str]]:
    """Answer the rows of all tables of public names, as they are written."""
    reading = False
    for row in rows(CORE):
        if row == _NAMES or row[0] in {"setting", "preset", "error"}:
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
    return (inspect.getdoc(getattr(core, name)) or "").splitlines()[0].replace("|", r"\|")


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
