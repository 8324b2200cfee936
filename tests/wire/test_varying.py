"""A parameter over a range: which values are tried, where they are put, how they are joined."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.governance.request import PendingReason, Rejection, WishedMutation
from core.policy import Verdict
from tests.core.builders import AT
from wire.asks import PreviewMutation
from wire.varying import MAX_VALUES, Varied, Vary, joined

ADD = WishedMutation(type="Add", parameters={"key": "x", "limits": {"low": 1}})


def vary(parameter: str = "/amount", **more: Any) -> Vary:
    return Vary.model_validate({"parameter": parameter, **more})


def fares(value: int, verdict: Verdict, *demanded: str, code: str = "") -> Varied:
    pending = tuple(PendingReason(kind="approval", requirement_id=d, text=d) for d in demanded)
    no = Rejection(category="policy", code=code, message=f"{value}") if code else None
    return Varied(first=value, last=value, verdict=verdict, pending=pending, rejection=no)


@pytest.mark.parametrize(
    ("range_", "values"),
    [
        ({"first": 10, "last": 30, "step": 10}, (10, 20, 30)),
        ({"first": 10, "last": 35, "step": 10}, (10, 20, 30)),
        ({"first": 1, "last": 3}, (1, 2, 3)),
        ({"first": 7, "last": 7, "step": 5}, (7,)),
        ({"first": 0, "last": 0.3, "step": 0.1}, (0, 0.1, 0.2, 0.3)),
        ({"first": -1, "last": 1, "step": 0.5}, (-1, -0.5, 0, 0.5, 1)),
        ({"first": 2**60, "last": 2**60 + 1}, (2**60, 2**60 + 1)),
        ({"values": ["b", None, True, 2]}, ("b", None, True, 2)),
    ],
)
def test_the_values_of_a_range_are_those_that_are_written(
    range_: dict[str, Any], values: tuple[Any, ...]
) -> None:
    tried = vary(**range_).tried

    assert tried == values
    assert [type(each) for each in tried] == [type(each) for each in values]


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ({}, "give values, or first and last"),
        ({"first": 1}, "give values, or first and last"),
        ({"last": 1}, "give values, or first and last"),
        ({"values": [1], "first": 1, "last": 2}, "give values, or first and last"),
        ({"values": [1], "last": 2}, "give values, or first and last"),
        ({"first": 2, "last": 1}, "1 to 100 values, not 0"),
        ({"first": 1, "last": 101}, "1 to 100 values, not 101"),
        ({"first": 1, "last": 2, "step": 0}, "greater than 0"),
        ({"first": 1, "last": float("inf")}, "finite"),
        ({"values": list(range(101))}, "at most 100"),
        ({"parameter": "amount", "values": [1]}, "pattern"),
        ({"parameter": "", "values": [1]}, "pattern"),
        ({"parameter": "/a//b", "values": [1]}, "pattern"),
    ],
)
def test_what_is_no_range_is_refused_by_name(written: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        vary(**written)


def test_the_most_values_are_taken() -> None:
    assert len(vary(first=1, last=MAX_VALUES).tried) == MAX_VALUES
    assert len(vary(values=[0] * MAX_VALUES).tried) == MAX_VALUES


def test_a_value_is_put_where_the_pointer_says_and_nowhere_else() -> None:
    top, below = vary("/amount", values=[5]), vary("/limits/high", values=[5], mutation=1)

    (added,) = top.put([ADD], 5)
    first, second = below.put([ADD, ADD], 5)

    assert added.parameters == {"key": "x", "limits": {"low": 1}, "amount": 5}
    assert first == ADD
    assert second.parameters == {"key": "x", "limits": {"low": 1, "high": 5}}
    assert ADD.parameters == {"key": "x", "limits": {"low": 1}}
    assert vary("/a~1b", values=[1]).put([ADD], 1)[0].parameters["a/b"] == 1


def test_whether_a_parameter_is_given_already_is_seen() -> None:
    assert vary("/limits/low", values=[5]).is_given([ADD])
    assert not vary("/limits/high", values=[5]).is_given([ADD])
    assert not vary("/key/deeper", values=[5]).is_given([ADD])


@pytest.mark.parametrize(
    ("varied", "named"),
    [
        ({"parameter": "/key/deeper", "values": [1]}, "no map to put 'deeper' in"),
        ({"parameter": "/amount", "values": [1], "mutation": 1}, "there is no mutation 1"),
    ],
)
def test_a_parameter_that_has_no_place_is_refused(varied: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        PreviewMutation.model_validate(
            {
                "state_id": "box/a",
                "mutations": [ADD.model_dump()],
                "actor_id": "ana",
                "at": AT,
                "vary": varied,
            }
        )


def test_a_preview_is_of_the_first_value_unless_it_is_given_one() -> None:
    ask = PreviewMutation(
        state_id="box/a", mutations=(ADD,), actor_id="ana", at=AT, vary=vary(values=[3, 4])
    )
    own = WishedMutation(type="Add", parameters={"key": "x", "amount": 9})

    assert ask.wish().mutations[0].parameters["amount"] == 3
    assert ask.wish_with(4).mutations[0].parameters["amount"] == 4
    assert ask.model_copy(update={"mutations": (own,)}).wish().mutations == (own,)


def test_neighbours_that_fare_alike_are_one_range() -> None:
    found = [
        fares(1, Verdict.ALLOW),
        fares(2, Verdict.ALLOW),
        fares(3, Verdict.REQUIRE, "a"),
        fares(4, Verdict.REQUIRE, "b", "a"),
        fares(5, Verdict.REQUIRE, "a", "b"),
        fares(6, Verdict.DENY, code="denied"),
        fares(7, Verdict.DENY, code="policy_failed"),
        fares(8, Verdict.ALLOW),
    ]

    ranges = joined(found)

    assert [(r.first, r.last, r.count) for r in ranges] == [
        *((1, 2, 2), (3, 3, 1), (4, 5, 2), (6, 6, 1), (7, 7, 1), (8, 8, 1)),
    ]
    assert [r.requirement_id for r in ranges[2].pending] == ["b", "a"]


@given(st.lists(st.sampled_from(list(Verdict)), max_size=30))
def test_joining_loses_no_value_and_leaves_no_two_neighbours_alike(verdicts: list[Verdict]) -> None:
    found = [
        fares(i, verdict, code="x" * (verdict == "deny")) for i, verdict in enumerate(verdicts)
    ]

    ranges = joined(found)

    spread = [r.verdict for r in ranges for _ in range(r.count)]
    assert spread == verdicts
    assert not any(a.is_like(b) for a, b in pairwise(ranges))
    assert [r.first for r in ranges] == [
        sum(r.count for r in ranges[:i]) for i in range(len(ranges))
    ]
