"""Who answers for which part of an effect: everything somebody's, what is nobody's everybody's."""

from __future__ import annotations

from pydantic import JsonValue

from core.changes import diff
from core.effects import Effect
from core.governance.assessment import unfillable
from core.governance.people import Directory, Person
from core.requirements import Requirement
from tests.core.builders import assessment

BEFORE: dict[str, JsonValue] = {"a": 1, "b": 1, "c": 1}
AMONG = ("/a", "/b")


def effect(**after: int) -> Effect:
    return Effect(changes=diff(BEFORE, BEFORE | after))


def test_what_another_covers_is_not_asked_again() -> None:
    before = effect(a=2, b=2).digest(("/a",), among=AMONG)

    now = effect(a=2, b=3).digest(("/a",), among=AMONG)

    assert now == before


def test_g3_what_nobody_covers_counts_for_everybody() -> None:
    before = effect(a=2, c=2)

    now = effect(a=2, c=3)

    for covers in (("/a",), ("/b",)):
        assert now.digest(covers, among=AMONG) != before.digest(covers, among=AMONG)


def test_what_is_covered_is_asked_again() -> None:
    before = effect(a=2).digest(("/a",), among=AMONG)

    assert effect(a=3).digest(("/a",), among=AMONG) != before


def test_a_named_person_who_left_is_in_nobodys_way_while_others_fill_the_seats() -> None:
    directory = Directory.of([Person(id="ben"), Person(id="cleo")])
    asked = Requirement.approval(people=["ben", "zoe"], needed=1)

    assert unfillable(assessment(asked), directory, ["ana"]) is None
    both = Requirement.approval(people=["ben", "zoe"], needed=2)
    rejection = unfillable(assessment(both), directory, ["ana"])
    assert rejection is not None
    assert rejection.code == "no_approver"
