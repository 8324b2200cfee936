"""The front page: short, its domain is the source, its guarantees have tests."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.pages import ROOT, blocks, rows

README = ROOT / "README.md"
QUOTE = re.compile(r"<!-- quote: (?P<path>\S+) -->\n```python\n(?P<text>.*?)```", re.DOTALL)


def test_the_readme_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) < 200


def test_what_the_readme_quotes_is_the_source() -> None:
    quotes = {m["path"]: m["text"] for m in QUOTE.finditer(README.read_text("utf-8"))}

    assert quotes == {path: (ROOT / path).read_text("utf-8") for path in quotes}
    assert "examples/quickstart.py" in quotes


def test_the_domain_of_the_readme_takes_less_than_forty_lines() -> None:
    block = blocks(README, "python")[0]

    assert len([line for line in block.text.splitlines() if line.strip()]) < 40


def test_every_guarantee_has_a_test_that_begins_with_its_number() -> None:
    promised = [row[0] for row in rows(README, under="What is guaranteed") if row[0]]
    names = _test_names()

    assert promised == ["G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "G9", "G10", "G11", "G14"]
    for number in promised:
        assert any(name.startswith(f"test_{number.lower()}_") for name in names), number


def test_every_room_of_the_layout_is_there() -> None:
    for room, _ in rows(README, under="Layout")[1:]:
        assert Path(ROOT, room.strip("`")).exists(), room


def _test_names() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        found |= set(re.findall(r"def (test_\w+)", path.read_text("utf-8")))
    return found
