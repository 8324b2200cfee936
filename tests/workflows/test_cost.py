"""What a request costs in Temporal is what the page says, or the page is brought up to date."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import DOCS
from tests.support.cost import KINDS, Cost, count
from tests.support.world import World

PAGE = DOCS / "explanation" / "cost.md"

TRIES = 4
"""A machine that is busy makes a request dearer now and then, never cheaper."""


def of_the_page() -> dict[str, Cost]:
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    return {name: Cost(int(events), int(actions)) for name, events, actions in rows}


def test_the_page_names_each_kind_of_request() -> None:
    assert list(of_the_page()) == list(KINDS)


@pytest.mark.parametrize("name", KINDS)
async def test_a_request_costs_what_the_page_says(world: World, name: str) -> None:
    said, found = of_the_page()[name], await count(world, name)
    for _ in range(TRIES - 1):
        if found <= said:
            break
        found = min(found, await count(world, name))

    assert found == said, "`python -m tests.support.cost` prints the table of the page"


def test_one_approval_with_deadline_and_attributes_stays_within_its_budget() -> None:
    assert of_the_page()["one approval, by update"].events <= 20
