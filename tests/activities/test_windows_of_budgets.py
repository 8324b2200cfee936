"""Where the windows of budgets begin and end: by the clock on the wall, also when that is set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.budgets import FOR_EVER, window_of
from core.budgets import Budget
from core.errors import InvalidValue

LEAST = timedelta(microseconds=1)
ZONES = (
    "UTC",
    "Europe/Rome",
    "America/New_York",
    "America/Havana",  # sets its clocks at midnight, and so begins days at one o'clock
    "America/Sao_Paulo",  # did, and had 23 o'clock twice
    "Australia/Lord_Howe",  # sets its clocks by half an hour
    "Asia/Kathmandu",  # is a quarter of an hour off
    "Pacific/Apia",  # left a day out
)


def utc(*fields: int) -> datetime:
    return datetime(*fields, tzinfo=UTC)  # type: ignore[misc, arg-type]  # year to microsecond


def at(zone: str, *fields: int, fold: int = 0) -> datetime:
    return datetime(*fields, tzinfo=ZoneInfo(zone), fold=fold)  # type: ignore[misc, arg-type]  # as above


def window(per: str, zone: str, moment: datetime) -> tuple[datetime, datetime]:
    """The first instant of the window, and the first after it."""
    since, until = window_of(
        Budget.model_validate({"limit": 1, "per": per, "timezone": zone}), moment
    )
    assert since.utcoffset() == until.utcoffset() == timedelta(0)
    return since + LEAST, until


def test_a_window_that_slides_ends_now_and_forgets_what_is_as_old_as_it_is_long() -> None:
    noon = utc(2026, 3, 1, 12)

    since, until = window_of(Budget(limit=1, per=timedelta(minutes=90)), noon)

    assert since == utc(2026, 3, 1, 10, 30)
    assert until == utc(2026, 3, 1, 13, 30)


def test_a_window_longer_than_any_calendar_is_as_long_as_one_can_be() -> None:
    noon = utc(2026, 3, 1, 12)

    assert window_of(Budget(limit=1, per=timedelta.max), noon) == (
        noon - FOR_EVER,
        noon + FOR_EVER,
    )


def test_what_is_committed_at_the_first_instant_of_a_period_counts_in_it() -> None:
    since, _ = window_of(Budget(limit=1, per="day"), utc(2026, 3, 1))

    assert since < utc(2026, 3, 1)
    assert utc(2026, 3, 1) - since == LEAST


@pytest.mark.parametrize(
    ("per", "first", "following"),
    [
        ("hour", utc(2026, 12, 31, 23), utc(2027, 1, 1)),
        ("day", utc(2026, 12, 31), utc(2027, 1, 1)),
        ("week", utc(2026, 12, 28), utc(2027, 1, 4)),
        ("month", utc(2026, 12, 1), utc(2027, 1, 1)),
    ],
)
def test_periods_begin_where_the_calendar_says(
    per: str, first: datetime, following: datetime
) -> None:
    assert window(per, "UTC", utc(2026, 12, 31, 23, 59, 59)) == (first, following)
    assert window(per, "UTC", first) == (first, following)
    assert window(per, "UTC", following - LEAST) == (first, following)
    assert window(per, "UTC", following)[0] == following


def test_weeks_begin_on_monday() -> None:
    sunday, monday = utc(2026, 3, 1, 12), utc(2026, 3, 2)

    assert window("week", "UTC", sunday) == (utc(2026, 2, 23), monday)


def test_months_are_as_long_as_they_are() -> None:
    assert window("month", "UTC", utc(2024, 2, 29)) == (utc(2024, 2, 1), utc(2024, 3, 1))


def test_periods_begin_in_the_zone_of_the_budget_whatever_zone_the_time_is_told_in() -> None:
    late = utc(2026, 7, 31, 22, 30)  # it is August in Rome

    first, following = window("month", "Europe/Rome", late)

    assert first == at("Europe/Rome", 2026, 8, 1) == utc(2026, 7, 31, 22)
    assert following == utc(2026, 8, 31, 22)
    assert window("month", "Europe/Rome", late.astimezone(ZoneInfo("Asia/Tokyo")))[0] == first


# Clocks that are set.


@pytest.mark.parametrize(
    ("day", "hours"), [((2026, 3, 28), 24), ((2026, 3, 29), 23), ((2026, 10, 25), 25)]
)
def test_a_day_on_which_the_clock_is_set_is_as_long_as_on_the_wall(
    day: tuple[int, int, int], hours: int
) -> None:
    first, following = window("day", "Europe/Rome", at("Europe/Rome", *day, 12))

    assert first == at("Europe/Rome", *day)
    assert following - first == timedelta(hours=hours)


def test_an_hour_that_comes_twice_is_two() -> None:
    first_pass = window("hour", "Europe/Rome", at("Europe/Rome", 2026, 10, 25, 2, 30))
    second_pass = window("hour", "Europe/Rome", at("Europe/Rome", 2026, 10, 25, 2, 30, fold=1))

    assert first_pass == (utc(2026, 10, 25, 0), utc(2026, 10, 25, 1))
    assert second_pass == (utc(2026, 10, 25, 1), utc(2026, 10, 25, 2))


def test_an_hour_that_is_left_out_is_none() -> None:
    before = window("hour", "Europe/Rome", at("Europe/Rome", 2026, 3, 29, 1, 30))
    behind = window("hour", "Europe/Rome", at("Europe/Rome", 2026, 3, 29, 3, 30))

    assert before == (utc(2026, 3, 29, 0), utc(2026, 3, 29, 1))
    assert behind == (utc(2026, 3, 29, 1), utc(2026, 3, 29, 2))


def test_where_the_clock_is_set_by_half_an_hour_one_hour_lasts_longer() -> None:
    zone = "Australia/Lord_Howe"
    backward = window("hour", zone, at(zone, 2026, 4, 5, 1, 45, fold=1))
    forward = window("hour", zone, at(zone, 2026, 10, 4, 2, 45))

    assert backward == (utc(2026, 4, 4, 14), utc(2026, 4, 4, 15, 30))
    assert backward == window("hour", zone, at(zone, 2026, 4, 5, 1, 45))
    assert forward == (utc(2026, 10, 3, 14, 30), utc(2026, 10, 3, 16))
    assert forward == window("hour", zone, at(zone, 2026, 10, 4, 1, 15))


def test_a_day_without_midnight_begins_when_it_would_be() -> None:
    zone = "America/Havana"

    first, _ = window("day", zone, at(zone, 2026, 3, 8, 12))

    assert first == utc(2026, 3, 8, 5)
    assert first.astimezone(ZoneInfo(zone)).hour == 1


def test_a_day_with_two_midnights_begins_with_the_first() -> None:
    zone = "America/Havana"

    first, following = window("day", zone, at(zone, 2026, 11, 1, 0, 30, fold=1))

    assert first == utc(2026, 11, 1, 4)
    assert following - first == timedelta(hours=25)


def test_a_day_that_is_left_out_takes_no_time() -> None:
    zone = "Pacific/Apia"

    assert window("day", zone, at(zone, 2011, 12, 29, 23))[1] == utc(2011, 12, 30, 10)
    assert window("day", zone, at(zone, 2011, 12, 31, 1))[0] == utc(2011, 12, 30, 10)


@settings(deadline=None)
@given(
    since_2005=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=31 * 365)),
    per=st.sampled_from(["hour", "day", "week", "month"]),
    zone=st.sampled_from(ZONES),
)
def test_windows_follow_one_another_without_a_gap_and_without_overlap(
    since_2005: timedelta, per: str, zone: str
) -> None:
    moment = utc(2005, 1, 1) + since_2005

    first, following = window(per, zone, moment)

    assert first <= moment < following
    assert window(per, zone, first) == (first, following)
    assert window(per, zone, following - LEAST) == (first, following)
    assert window(per, zone, following)[0] == following
    assert window(per, zone, first - LEAST)[1] == first


@pytest.mark.parametrize(
    "name", ["Europe/Atlantis", "America", "../zoneinfo/UTC", "/etc/localtime"]
)
def test_a_zone_that_is_none_is_named(name: str) -> None:
    with pytest.raises(InvalidValue, match=f"no time zone '{name}'; name one as"):
        window("day", name, utc(2026, 1, 1))


def test_a_window_that_slides_asks_for_no_zone() -> None:
    budget = Budget(limit=1, per=timedelta(hours=1), timezone="Europe/Atlantis")

    assert window_of(budget, utc(2026, 1, 1, 1))[0] == utc(2026, 1, 1)
