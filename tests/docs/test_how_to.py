"""A how-to page with a domain and commands is lived through; what it says is what is printed."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from core.requirements import RequirementKind
from tests.docs.living import Story, says
from tests.docs.pages import DOCS, blocks, commands

HOW_TO = DOCS / "how-to"


def is_a_story(page: Path) -> bool:
    """Answer whether a page has a domain and commands, and asks no more of its worker."""
    typed = [words for block in blocks(page, "shell") for words in commands(block)]
    starts = any(words[:2] == ["python", "worker.py"] for words in typed)
    return bool(blocks(page, "python") and typed) and not starts


LIVED = {page.stem: page for page in sorted(HOW_TO.glob("*.md")) if is_a_story(page)}
BY_KIND = {
    RequirementKind.APPROVAL: "keep-approvals-moving",
    RequirementKind.CHECK: "ask-another-system",
    RequirementKind.SCHEDULE: "change-in-a-window",
    RequirementKind.DEPENDENCY: "wait-for-another-request",
    RequirementKind.QUOTA: "share-a-budget",
    RequirementKind.REVIEW: "have-it-reviewed",
}


@pytest.mark.parametrize("page", LIVED.values(), ids=LIVED)
async def test_a_page_is_lived_through_and_says_what_is_printed(page: Path, tmp_path: Path) -> None:
    async with AsyncExitStack() as house:
        await Story(page, tmp_path, house).live()


def test_every_reason_to_wait_has_a_page_that_is_lived_through() -> None:
    assert set(BY_KIND) == set(RequirementKind)
    assert {*BY_KIND.values(), "replace-a-request"} <= set(LIVED)


def test_what_a_page_says_is_compared_line_by_line() -> None:
    printed = "one  Pending until 2026-07-01 10:00 UTC: it waits for\n  - a check; who can: ci\n"

    assert says("one  Pending until 2020-01-01 00:00 UTC: ...\n  - a check; who can: ci\n", printed)
    assert says("one  Pending...\n...\n", printed)
    assert says("...\n  - a check; ...\n", printed)
    assert not says("one  Pending until 2020-01-01 00:00 UTC: it waits for\n", printed)
    assert not says("one  Executed...\n...\n", printed)
    assert not says("one  Pending...\n  - a check; who can: ana\n", printed)
