"""Who answers for which part of an effect: everything somebody's, what is nobody's everybody's."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from core.budgets import Budget
from core.changes import diff
from core.effects import Effect
from core.governance.assessment import covered, unfillable
from core.governance.people import Directory, Person
from core.requirements import Requirement, either
from tests.core.builders import AT, assessment, by

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


# What is demanded together.

A, B, C = (by("ben", covers=[f"/{key}"]) for key in "abc")
FOR_NOTHING = [
    Requirement.schedule(not_before=AT),
    Requirement.quota("deploys", Budget(limit=5, per="day")),
    Requirement.dependency("r0"),
    Requirement.check("lint", bound_to="mutation"),
    Requirement.check("lint", bound_to="mutation", covers=["/b"]),
    Requirement(kind="seance"),
]


def parts(requirement: Requirement, *demanded: Requirement) -> str:
    """Answer of which parts of the effect a change is asked of a requirement again."""
    before = covered(demanded, effect(a=2, b=2, c=2))[requirement.id]
    return "".join(
        key
        for key in "abc"
        if covered(demanded, effect(**{"a": 2, "b": 2, "c": 2, key: 3}))[requirement.id] != before
    )


def test_each_of_those_who_cover_everything_together_answers_for_their_own_part() -> None:
    assert [parts(r, A, B, C) for r in (A, B, C)] == ["a", "b", "c"]


@pytest.mark.parametrize("beside", FOR_NOTHING, ids=lambda r: r.kind)
def test_g3_what_is_not_bound_to_the_effect_answers_for_none_of_it(beside: Requirement) -> None:
    assert parts(A, A, beside) == "abc"
    assert parts(A, A, B, beside) == "ac"
    assert parts(A, *either([(A, beside), (B,)])) == "abc"


@pytest.mark.parametrize(
    "beside", [Requirement.check("lint", covers=["/b"]), Requirement.review(people=["eve"])]
)
def test_what_is_bound_to_the_effect_answers_for_what_it_covers(beside: Requirement) -> None:
    assert parts(A, A, beside) == ("ac" if beside.covers == ("/b",) else "a")


def test_g3_an_alternative_that_is_not_taken_answers_for_nothing() -> None:
    assert parts(A, *either([(A,), (B,)])) == "abc"
    assert parts(A, A, *either([(B,), (C,)])) == "abc"


def test_a_member_shares_with_its_own_way_and_with_what_is_demanded_in_any_case() -> None:
    (one_of,) = either([(A, B), (C,)])

    assert [parts(r, one_of) for r in (A, B, C)] == ["ac", "bc", "abc"]
    assert parts(A, *either([(A,), (C,)]), B) == "ac"


def test_what_each_way_of_a_choice_covers_it_answers_for_as_a_whole() -> None:
    (for_b,) = either([(B,), (B.model_copy(update={"needed": 2}), C)])
    (inside,) = either([(for_b, C), (by("eve", covers=["/b"]),)])

    assert parts(A, A, for_b) == "ac"
    assert parts(A, A, inside) == "ac"
    assert parts(C, inside) == "ac"
    assert parts(B, A, inside) == "b"


def test_a_part_of_what_one_way_covers_is_covered_by_both() -> None:
    before: dict[str, JsonValue] = {"a": 1, "b": {"x": 1, "y": 1}}
    in_b, in_x = (by("eve", covers=[prefix]) for prefix in ("/b", "/b/x"))
    demanded = (A, *either([(in_b,), (in_x,)]))

    def of(**b: int) -> str:
        after: dict[str, JsonValue] = {"a": 2, "b": {**b}}
        return covered(demanded, Effect(changes=diff(before, after)))[A.id]

    assert of(x=3, y=2) == of(x=2, y=2)
    assert of(x=2, y=3) != of(x=2, y=2)


def test_g3_what_stands_in_two_places_answers_for_what_is_nobodys_in_either() -> None:
    assert parts(A, *either([(A, B), (A, C)])) == "abc"
    assert parts(A, A, *either([(A, B), (C,)])) == "abc"


def test_a_choice_of_nothing_answers_for_nothing() -> None:
    nothing = Requirement(kind="any", alternatives=((),))

    assert parts(A, A, nothing) == "abc"


# Who can answer.


def test_a_named_person_who_left_is_in_nobodys_way_while_others_fill_the_seats() -> None:
    directory = Directory.of([Person(id="ben"), Person(id="cleo")])
    asked = Requirement.approval(people=["ben", "zoe"], needed=1)

    assert unfillable(assessment(asked), directory, ["ana"]) is None
    both = Requirement.approval(people=["ben", "zoe"], needed=2)
    rejection = unfillable(assessment(both), directory, ["ana"])
    assert rejection is not None
    assert rejection.code == "no_approver"
