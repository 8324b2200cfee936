"""The one door: short, sorted, and each name leads somewhere."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import core

ROOT = Path(core.__file__).parent.parent


def test_the_door_is_sorted_and_short() -> None:
    assert core.__all__ == sorted(core.__all__)
    # About forty words to write a domain with, a dozen to use the engine without a worker, and a
    # dozen for what else a request waits for.
    assert len(core.__all__) <= 69
    assert len(set(core.__all__)) == len(core.__all__)


def test_every_name_leads_somewhere_and_says_what_it_is() -> None:
    for name in core.__all__:
        assert getattr(core, name).__doc__, name


def test_the_door_is_imports_and_all() -> None:
    body = ast.parse(Path(core.__file__).read_text("utf-8")).body

    assert all(isinstance(node, ast.Expr | ast.ImportFrom | ast.Assign) for node in body)


def test_the_core_imports_nothing_but_pydantic_and_rfc8785_from_outside() -> None:
    allowed = {"core", "pydantic", "pydantic_core", "rfc8785", *sys.stdlib_module_names}

    for path in sorted((ROOT / "core").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert all(name.partition(".")[0] in allowed for name in names), f"{path}: {names}"


def test_the_engine_does_not_know_its_governance() -> None:
    for path in sorted((ROOT / "core").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert "governance" not in (node.module or ""), f"{path}:{node.lineno}"


def test_the_door_opens_without_its_governance() -> None:
    code = "import sys, core; print([m for m in sys.modules if m.startswith('core.governance')])"

    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert ran.stdout.strip() == "[]"
