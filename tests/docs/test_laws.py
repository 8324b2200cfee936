"""The laws page claims no more than the tests hold."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from tests.docs.pages import DOCS, ROOT, plain, rows

LAWS = [
    [plain(cell) for cell in row]
    for row in rows(DOCS / "explanation" / "laws.md")
    if row != ["law", "holds", "test"]
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law[2])
def test_a_law_holds_as_its_test_looks_at_it(law: list[str]) -> None:
    said, holds, test = law

    assert said
    assert test in known(), f"the tests of core have no {test}"
    assert holds == ("always" if known()[test] else "in each case")


def test_no_law_is_written_twice() -> None:
    assert len({law[0] for law in LAWS}) == len(LAWS)
    assert len({law[2] for law in LAWS}) == len(LAWS)


@cache
def known() -> dict[str, bool]:
    """Answer the tests of core, each with whether its cases are made up at random."""
    found: dict[str, bool] = {}
    for path in sorted((ROOT / "tests" / "core").glob("test_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                at_random = any("given" in ast.dump(each) for each in node.decorator_list)
                found[node.name] = at_random or found.get(node.name, False)
    return found
