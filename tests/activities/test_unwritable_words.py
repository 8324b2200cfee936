"""A "no" in words that no database can hold is a "no" all the same, and stands in the record."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core import Domains, Intent, Issue, Mutation, PolicyDecision, allow, deny, policy
from core.governance.request import Status, WishedMutation
from tests.activities.desk import Desk, opened
from tests.support import box

HALF = os.fsdecode(b"caf\xe9")
"""The name of a file on an old disk: no encoding of Unicode holds its last character."""


def with_policy(desk: Desk, said: list[PolicyDecision]) -> Desk:
    @policy()
    def says(*_: Any) -> PolicyDecision:
        return said[-1]

    domains = Domains([box.make("box", policies=[says])])
    return replace(desk, outside=replace(desk.outside, domains=domains))


def test_g8_a_denial_at_submission_is_recorded_whatever_its_words(desk: Desk) -> None:
    request = with_policy(desk, [deny(f"{HALF} is locked\0")]).open()

    assert request.closing is not None
    assert request.closing.rejection is not None
    assert request.closing.rejection.code == "denied"
    assert request.closing.rejection.message == r"says: caf\udce9 is locked\x00"
    assert desk.store.request("r") is not None


def test_g8_a_denial_before_the_commit_is_recorded_whatever_its_words(desk: Desk) -> None:
    said = [allow(HALF)]
    desk = with_policy(desk, said)
    request = desk.open()
    assert request.status is Status.APPROVED

    said.append(deny(f"{HALF} is locked"))

    closing = desk.change(request).closing
    assert closing is not None
    assert closing.status is Status.REJECTED


class Spoken(Mutation[box.Box]):
    finding: str = ""

    @property
    def intent(self) -> Intent:
        return Intent(operation=HALF, category=HALF, tags=(HALF,))

    def check(self, state: box.Box) -> Iterable[Issue]:
        if self.finding:
            yield Issue(code=self.finding, message=HALF)

    def apply(self, state: box.Box) -> box.Box:
        return box.Box(numbers={"x": 1})


@pytest.mark.parametrize("finding", ["", "locked"])
def test_g8_intents_and_findings_are_recorded_whatever_their_words(
    tmp_path: Path, finding: str
) -> None:
    wished = (WishedMutation(type="Spoken", parameters={"finding": finding}),)
    with opened(tmp_path, mutations=(Spoken,)) as desk:
        request = desk.open(mutations=wished)

        if finding:
            assert request.closing is not None
            assert request.closing.rejection is not None
            assert request.closing.rejection.message == r"caf\udce9"
        else:
            assert request.tags == (r"caf\udce9",)
            assert desk.execute(request).status is Status.EXECUTED
