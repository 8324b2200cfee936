"""The core takes time, ids and chance as arguments: no name in it reaches for them.

Read from the syntax trees, so that it holds for lines that no test runs. What a workflow passes
through its sandbox (`core`, `wire`) and the workflow itself are held to the same.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ROOMS = ("core", "wire", "workflows")
"""Each of them must be there: a room that is skipped silently would pass for ever."""

MODULES = {
    "asyncio",
    "builtins",
    "concurrent",
    "contextvars",
    "ctypes",
    "getpass",
    "glob",
    "http",
    "importlib",
    "io",
    "locale",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "platform",
    "queue",
    "random",
    "sched",
    "secrets",
    "select",
    "shelve",
    "shutil",
    "signal",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
    "warnings",
    "weakref",
}
"""Clocks, ids, chance, the environment, threads and the outside."""

CALLS = {
    "__import__",
    "breakpoint",
    "compile",
    "eval",
    "exec",
    "globals",
    "hash",
    "id",
    "input",
    "open",
    "print",
}
"""The outside again, and what differs from process to process (`hash` of a text, `id`)."""

EXCUSED = {
    # Identity is one within a process, and its keys are looked up, never listed or written.
    "core/changes.py": {"hash", "id"},
    # Commands: they print the set-up of a server and the schemas; a workflow runs neither.
    "wire/schemas.py": {"sys"},
    "wire/search_attributes.py": {"sys"},
    # A workflow waits, in the loop that Temporal gives it; the linter bans what is not replayed.
    "workflows": {"asyncio"},
}
"""What a file, or a room, may nevertheless; each with its reason."""

ONLY_ONE = {"wire/search_attributes.py"}
"""Where a set is listed that holds one element."""

NOW = {"now", "utcnow", "today", "fromtimestamp", "utcfromtimestamp"}


def files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def offences(tree: ast.AST, room: str, path: str) -> Iterator[str]:
    excused = EXCUSED.get(room, set()) | EXCUSED.get(path, set())
    modules, calls = MODULES - excused, CALLS - excused
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    if alias.name.partition(".")[0] in modules:
                        yield f"{path}:{node.lineno} imports {alias.name}"
            case ast.ImportFrom(module=str(module), level=0):
                if module.partition(".")[0] in modules:
                    yield f"{path}:{node.lineno} imports from {module}"
            case ast.Call(func=ast.Name(id=name)) if name in calls:
                yield f"{path}:{node.lineno} calls {name}"
            case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr=name) if name in NOW:
                yield f"{path}:{node.lineno} reads the time: {name}"
            case ast.AsyncFunctionDef() | ast.Await() if room != "workflows":
                yield f"{path}:{node.lineno} waits"
            case ast.Global() | ast.Nonlocal():
                yield f"{path}:{node.lineno} changes what lies outside the function"


def set_like(node: ast.expr) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr() | ast.Sub(), left=left, right=right):
            return set_like(left) or set_like(right)
    return False


def unordered(tree: ast.AST, path: str) -> Iterator[str]:
    """Yield where the order of a set, which differs from process to process, decides something."""
    ordering = {"list", "tuple", "enumerate", "iter", "next", "zip", "map", "dict"}
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            continue
        sets = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and set_like(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

        def is_set(node: ast.expr, sets: frozenset[str] = frozenset(sets)) -> bool:
            return set_like(node) or (isinstance(node, ast.Name) and node.id in sets)

        for node in ast.walk(function):
            match node:
                case ast.For(iter=source) if is_set(source):
                    yield f"{path}:{node.lineno} goes through a set"
                case ast.ListComp(generators=made) | ast.DictComp(generators=made):
                    if any(is_set(each.iter) for each in made):
                        yield f"{path}:{node.lineno} lists a set"
                case ast.Call(func=ast.Name(id=name), args=args) if name in ordering:
                    if any(is_set(each) for each in args):
                        yield f"{path}:{node.lineno} orders a set by chance"
                case ast.Call(func=ast.Attribute(attr="join" | "extend"), args=args):
                    if any(is_set(each) for each in args):
                        yield f"{path}:{node.lineno} joins a set"


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_that_is_replayed_reaches_for_time_ids_chance_or_the_outside(room: str) -> None:
    assert files(room), f"the room {room} is gone; name the rooms anew"

    found = [
        offence
        for path in files(room)
        for offence in offences(
            ast.parse(path.read_text("utf-8")), room, path.relative_to(ROOT).as_posix()
        )
    ]

    assert found == []


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_is_decided_by_the_order_of_a_set(room: str) -> None:
    found = [
        offence
        for path in files(room)
        if (name := path.relative_to(ROOT).as_posix()) not in ONLY_ONE
        for offence in unordered(ast.parse(path.read_text("utf-8")), name)
    ]

    assert sorted(set(found)) == []


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "import os.path",
        "from uuid import uuid4",
        "from datetime import datetime\nat = datetime.now()",
        "at = datetime.utcnow()",
        "day = date.today()",
        "open('x')",
        "print('x')",
        "hash('x')",
        "async def wait(): ...",
        "def f():\n    global x",
    ],
)
def test_the_reader_finds_what_it_looks_for(line: str) -> None:
    assert list(offences(ast.parse(line), "core", "core/x.py"))


@pytest.mark.parametrize(
    "line",
    [
        "for x in {1, 2}: ...",
        "for x in set(y): ...",
        "a = [x for x in frozenset(y)]",
        "a = {x for x in y}\nb = list(a)",
        "a = set(y) - {1}\nb = ','.join(a)",
        "a = set(y)\nb = {x: 1 for x in a}",
    ],
)
def test_the_reader_finds_sets_that_decide(line: str) -> None:
    assert list(unordered(ast.parse(line), "core/x.py"))


@pytest.mark.parametrize(
    "line", ["for x in sorted({1, 2}): ...", "a = any(x for x in set(y))", "b = 1 in {1, 2}"]
)
def test_the_reader_lets_ordered_sets_be(line: str) -> None:
    assert not list(unordered(ast.parse(line), "core/x.py"))
