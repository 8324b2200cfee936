"""G1: there is no second write path; held by what the source of the store says."""

from __future__ import annotations

import ast
from pathlib import Path

import store

SOURCE = Path(store.__file__).parent
WRITES = {"insert", "update", "delete", "_New"}


def _calls(tree: ast.AST) -> list[tuple[str, str]]:
    """Answer each statement that writes, with the table it writes to."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Name):
            name = node.func.id if isinstance(node.func, ast.Name) else None
            if isinstance(node.func, ast.Attribute):
                name = node.func.attr
            if name in WRITES:
                found.append((name, node.args[0].id))
    return found


def _modules() -> dict[str, ast.Module]:
    return {
        path.name: ast.parse(path.read_text("utf-8"))
        for path in SOURCE.rglob("*.py")
        if "versions" not in path.parts
    }


def test_g1_one_module_holds_every_statement_that_writes() -> None:
    writing = {name for name, tree in _modules().items() if _calls(tree)}

    assert writing == {"writing.py"}


def test_g1_no_module_writes_by_text() -> None:
    for name, tree in _modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = node.value.upper().split()
                assert words[:1] not in (["UPDATE"], ["DELETE"]), name
                assert words[:2] != ["INSERT", "INTO"], name


def test_g1_one_function_writes_states() -> None:
    tree = _modules()["writing.py"]
    statements = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and any(table == "states" for _, table in _calls(node))
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    functions = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(n, ast.Name) and n.id in statements for n in ast.walk(node))
    }

    assert [table for _, table in _calls(tree)].count("states") == len(statements) == 2
    assert functions == {"write_state"}


def test_g1_a_state_is_opened_by_a_note_and_changed_by_an_ending_only() -> None:
    users = [
        (name, node.lineno)
        for name, tree in _modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "write_state"
    ]

    assert [name for name, _ in users] == ["transactions.py"] * 2


def test_g14_nothing_updates_or_deletes_a_record() -> None:
    tree = _modules()["writing.py"]
    kept = {"endings", "history", "audit", "asks"}

    assert {(kind, table) for kind, table in _calls(tree) if table in kept} == {
        ("insert", "endings"),
        ("insert", "history"),
        ("_New", "asks"),
        ("_New", "audit"),
    }
