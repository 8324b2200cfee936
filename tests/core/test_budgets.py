"""When there is room again: never told too late, whoever is ahead."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.budgets import (
    Budget,
    Period,
    Share,
    Use,
    can_all_again,
    lets_pass,
    room_again,
    share,
)
from core.governance.request import told_by
from core.requirements import Requirement
from tests.core.builders import AT

HOUR = timedelta(hours=1)


def again(use: Use, amount: int, limit: int) -> timedelta | None:
    found = room_again(use, amount, limit, slides=HOUR, next_period=AT + HOUR)
    return None if found is None else found - AT


def test_room_comes_when_enough_of_what_was_committed_has_left_the_window() -> None:
    committed = tuple((AT - timedelta(minutes=50 - n), 1) for n in range(4))

    assert again(Use(committed=committed), 1, 4) == timedelta(minutes=10)
    assert again(Use(committed=committed), 3, 4) == timedelta(minutes=12)
    assert again(Use(committed=committed, reserved=1), 3, 4) == timedelta(minutes=13)


def test_those_ahead_fill_the_window_as_often_as_they_need_to() -> None:
    assert again(Use(ahead=10), 1, 10) == HOUR
    assert again(Use(ahead=20), 1, 10) == 2 * HOUR
    assert again(Use(ahead=19), 1, 10) == HOUR
    assert again(Use(reserved=10, ahead=10), 1, 10) == 2 * HOUR


@pytest.mark.parametrize(
    ("per", "said"),
    [
        (HOUR, "4 in 1 h"),
        (timedelta(days=30), "4 in 30 d"),
        (timedelta(minutes=90), "4 in 90 min"),
        (timedelta(seconds=2.5), "4 in 2.5 s"),
        ("month", "4 per month"),
    ],
)
def test_a_budget_is_told_in_words(per: timedelta | Period, said: str) -> None:
    assert Budget(limit=4, per=per).describe() == said


@pytest.mark.parametrize("per", [timedelta(0), -HOUR, timedelta.min, "PT0S", 0, "-PT1H"])
def test_a_window_of_nothing_limits_nothing_and_is_refused(per: Any) -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        Budget(limit=1, per=per)

    shortest = Budget(limit=1, per=timedelta(microseconds=1))
    assert shortest.per == timedelta(microseconds=1)


def test_there_is_room_when_all_that_is_taken_or_asked_for_earlier_leaves_some() -> None:
    use = Use(committed=((AT, 2), (AT, 1)), reserved=3, ahead=4)

    assert use.has_room(1, 11)
    assert not use.has_room(2, 11)
    assert Use().has_room(5, 5)


def test_what_never_fits_has_no_moment() -> None:
    assert again(Use(), 5, 4) is None


def test_room_that_comes_after_the_end_of_the_calendar_has_no_moment() -> None:
    century = timedelta(days=36_600)

    def found(use: Use, slides: timedelta) -> datetime | None:
        return room_again(use, 1, 1, slides=slides, next_period=AT + century)

    assert found(Use(ahead=1), century) == AT + century
    assert found(Use(ahead=1000), century) is None
    assert found(Use(ahead=10**15), century) is None
    assert found(Use(committed=((AT, 1),)), timedelta.max) is None


def test_a_calendar_budget_is_looked_at_when_its_next_period_begins() -> None:
    begins = AT + timedelta(minutes=7)

    assert room_again(Use(ahead=50), 1, 10, slides=None, next_period=begins) == begins


@given(
    limit=st.integers(1, 4),
    ahead=st.lists(st.integers(1, 4), max_size=12),
    amount=st.integers(1, 4),
)
def test_whoever_waits_is_never_told_a_moment_that_is_too_late(
    limit: int, ahead: list[int], amount: int
) -> None:
    ahead = [min(each, limit) for each in ahead]
    amount = min(amount, limit)
    told = again(Use(ahead=sum(ahead)), amount, limit)

    # The soonest it can be: everybody commits the moment there is room, first come first served.
    commits: list[tuple[timedelta, int]] = []
    now = timedelta(0)
    for each in [*ahead, amount]:
        while sum(size for at, size in commits if at > now - HOUR) + each > limit:
            now = min(at for at, _ in commits if at > now - HOUR) + HOUR
        commits.append((now, each))

    if sum(ahead) + amount > limit:
        assert told is not None
        assert told <= now


@pytest.mark.parametrize("kind", ["check", "schedule", "dependency", "quota"])
def test_a_requirement_made_by_hand_that_says_nothing_is_never_met(kind: str) -> None:

    bare = Requirement(kind=kind)

    assert not bare.is_whole
    assert told_by(bare, asking=True) == ()


HOUR, MONTH = timedelta(hours=1), timedelta(days=30)


def test_a_share_says_whether_there_is_room_and_else_when() -> None:
    full = Use(reserved=1)
    until = AT + HOUR

    assert share(Use(), 1, 1, slides=HOUR, until=until) == Share(has_room=True, next_window=until)
    assert share(full, 1, 1, slides=HOUR, until=until) == Share(
        has_room=False,
        again_at=room_again(full, 1, 1, slides=HOUR, next_period=until),
        next_window=until,
    )
    assert share(full, 1, 1, slides=None, until=None) == Share(has_room=False)


def test_all_can_have_room_when_the_last_of_them_can() -> None:
    soon, late = (Share(has_room=False, again_at=AT + each) for each in (HOUR, MONTH))

    assert can_all_again([soon, Share(has_room=True), late]) == AT + MONTH
    assert can_all_again([soon, Share(has_room=False)]) is None
    assert can_all_again([Share(has_room=True)]) is None


def test_whoever_waits_for_the_month_stands_in_nobodys_way_in_the_hour() -> None:
    hourly = Share(has_room=True, next_window=AT + HOUR)
    monthly = Share(has_room=False, again_at=AT + MONTH, next_window=AT + MONTH)

    assert lets_pass([hourly, monthly]) == (True, False)
    assert lets_pass([hourly._replace(next_window=None), monthly]) == (False, False)
    assert lets_pass([hourly._replace(next_window=AT + MONTH + HOUR), monthly]) == (False, False)


def test_where_it_waits_longest_it_lets_nobody_pass() -> None:
    soon = Share(has_room=False, again_at=AT + HOUR, next_window=AT + HOUR)
    late = Share(has_room=False, again_at=AT + MONTH, next_window=AT + MONTH)

    assert lets_pass([soon, late]) == (True, False)
    assert lets_pass([soon]) == (False,)
