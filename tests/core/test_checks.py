"""A check is declared within its bounds, and answers within them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.checks import LONGEST_CHECK, Callback, Check, failed, not_yet, passed
from core.errors import DefinitionError

MAKES = [lambda **more: Check(run=print, **more), Callback]


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"name": "CI"}, "The check name 'CI' must match"),
        ({"name": ""}, "The check name '' must match"),
        ({"name": "ci\n"}, "must match"),
        ({"name": "c" * 65}, "must match"),
        ({"timeout": 0}, "The check 'ci' takes more than 0 and at most 21600 s"),
        ({"timeout": LONGEST_CHECK + 1}, "takes more than 0 and at most"),
        ({"retries": -1}, "The check 'ci' is tried again 0 to 10 times"),
        ({"retries": 11}, "is tried again 0 to 10 times"),
    ],
    ids=str,
)
def test_a_check_out_of_its_bounds_is_refused_where_it_is_written(
    make: Any, wrong: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DefinitionError, match=sentence):
        make(**{"name": "ci", **wrong})


@pytest.mark.parametrize("make", MAKES)
def test_its_bounds_are_within(make: Any) -> None:
    for good in (
        {"name": "c" * 64, "timeout": LONGEST_CHECK, "retries": 10},
        {"name": "a.b_c-1", "timeout": 0.001, "retries": 0},
    ):
        assert make(**good).name == good["name"]


def test_a_check_passes_fails_or_is_asked_again() -> None:
    assert passed("fine", job=7).model_dump() == {
        "verdict": "passed",
        "reason": "fine",
        "evidence": {"job": 7},
        "again_in": None,
    }
    assert passed().reason == ""
    assert failed("no", job=7).model_dump() == {
        "verdict": "failed",
        "reason": "no",
        "evidence": {"job": 7},
        "again_in": None,
    }
    again = not_yet("running", timedelta(minutes=5), job=7)
    assert (again.verdict, again.reason, again.evidence) == ("not_yet", "running", {"job": 7})
    assert again.again_in == timedelta(minutes=5)


def test_it_is_asked_again_in_a_second_at_the_earliest_and_in_a_day_at_the_latest() -> None:
    assert not_yet("soon", timedelta(0)).again_in == timedelta(seconds=1)
    assert not_yet("late", timedelta(days=9)).again_in == timedelta(days=1)


def test_a_reason_is_cut_to_what_is_kept() -> None:
    for said in (passed("x" * 3000), failed("x" * 3000), not_yet("x" * 3000, timedelta(1))):
        assert said.reason == "x" * 2000
