"""When changes may be made, against a naive model that looks at every minute of some weeks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import takewhile
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from activities import windows
from activities.windows import Look, Moment, moment, raise_unless_readable
from core.calendars import Calendar, Timing, Window
from core.errors import InvalidValue

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
STEP = timedelta(minutes=5)
"""Everything in the model happens at such a step, so looking at each of them misses nothing."""


def wall(text: str) -> datetime:
    """Make a time on the wall."""
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def once(start: str, duration: timedelta, name: str = "") -> Window:
    return Window(start=wall(start), duration=duration, name=name)


def again(start: str, duration: timedelta, rule: str, name: str = "") -> Window:
    return Window(start=wall(start), duration=duration, rule=rule, name=name)


def look(
    calendar: Calendar, at: str, until: str = "2100-01-01", not_before: datetime | None = None
) -> Moment:
    raise_unless_readable(calendar)
    timing = Timing(calendar=calendar, not_before=not_before)
    return moment([(timing, calendar)], utc(at), utc(until))


def opened(calendar: Calendar, at: str) -> tuple[datetime | None, datetime | None]:
    """Answer from when to when changes may be made, from an instant on."""
    found = look(calendar, at)
    return found.at, found.ends


# What is legal.


def test_without_windows_a_change_may_be_made_at_any_time() -> None:
    found = look(Calendar(), "2026-01-05 12:00", "2026-01-19 12:00")

    assert found == Moment(
        looks=(Look(holds=True, why="nothing is frozen"),),
        at=utc("2026-01-05 12:00"),
        ends=None,
        looked_until=utc("2026-01-19 12:00"),
    )


OFFICE = again("2016-01-04 09:00", 8 * HOUR, "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH", "office hours")
YEAR_END = again("2015-12-20 00:00", 20 * DAY, "FREQ=YEARLY", "the year's end")
REPAIR = once("2026-01-02 10:00", HOUR, "INC-7")


def test_it_waits_for_the_next_window() -> None:
    rome = Calendar(timezone="Europe/Rome", allow=(OFFICE,))

    found = look(rome, "2026-01-16 12:00")

    assert found.looks == (
        Look(holds=False, why="the window 'office hours' opens at 2026-01-19 09:00 CET"),
    )
    assert (found.at, found.ends) == (utc("2026-01-19 08:00"), utc("2026-01-19 16:00"))


def test_the_first_instant_of_a_window_is_part_of_it_and_the_last_is_not() -> None:
    rome = Calendar(timezone="Europe/Rome", allow=(OFFICE,))

    assert look(rome, "2026-01-19 08:00").looks[0].holds
    assert not look(rome, "2026-01-19 16:00").looks[0].holds
    assert opened(rome, "2026-01-19 15:59") == (utc("2026-01-19 15:59"), utc("2026-01-19 16:00"))


def test_a_freeze_beats_what_allows_it_and_an_exception_beats_a_freeze() -> None:
    rome = Calendar(
        timezone="Europe/Rome", allow=(OFFICE,), freeze=(YEAR_END,), exceptions=(REPAIR,)
    )

    frozen = look(rome, "2025-12-31 12:00")
    excepted = look(rome, "2026-01-02 09:30")
    frozen_again = look(rome, "2026-01-02 10:00")

    assert frozen.looks[0].why == 'the freeze "the year\'s end" lasts until 2026-01-09 00:00 CET'
    assert (frozen.at, frozen.ends) == (utc("2026-01-02 09:00"), utc("2026-01-02 10:00"))
    assert excepted.looks == (
        Look(holds=True, why="the exception 'INC-7' allows it until 2026-01-02 11:00 CET"),
    )
    # The freeze ends in the night of a Friday, and office hours begin again on Monday.
    assert frozen_again.at == utc("2026-01-12 08:00")


def test_an_exception_allows_also_what_is_in_no_window() -> None:
    calendar = Calendar(allow=(OFFICE,), exceptions=(once("2026-01-10 10:00", HOUR),))

    assert opened(calendar, "2026-01-10 09:00") == (
        utc("2026-01-10 10:00"),
        utc("2026-01-10 11:00"),
    )


def test_several_freezes_are_all_named() -> None:
    calendar = Calendar(
        freeze=(
            once("2026-01-01 00:00", 10 * DAY, "audit"),
            once("2026-01-01 00:00", 5 * DAY),
            once("2026-02-01 00:00", DAY, "not now"),
        )
    )

    assert look(calendar, "2026-01-02 12:00").looks[0].why == (
        "the freeze 'audit' lasts until 2026-01-11 00:00 UTC and "
        "the freeze lasts until 2026-01-06 00:00 UTC"
    )


def test_windows_that_touch_or_overlap_are_one_also_across_the_end_of_a_month() -> None:
    calendar = Calendar(
        allow=(
            once("2026-01-30 00:00", DAY),
            once("2026-01-31 00:00", DAY),
            once("2026-01-31 12:00", 2 * DAY),
        )
    )

    assert opened(calendar, "2026-01-29 00:00") == (
        utc("2026-01-30 00:00"),
        utc("2026-02-02 12:00"),
    )


# Several timings together.


def test_the_earliest_moment_is_one_that_all_of_them_allow() -> None:
    mornings = Calendar(allow=(again("2026-01-01 08:00", 4 * HOUR, "FREQ=DAILY"),))
    mondays = Calendar(allow=(again("2026-01-05 11:00", 9 * HOUR, "FREQ=WEEKLY"),))
    timings = [(Timing(calendar=each), each) for each in (mornings, mondays)]

    found = moment(timings, utc("2026-01-06 09:00"), utc("2026-02-01 00:00"))

    assert [each.holds for each in found.looks] == [True, False]
    assert (found.at, found.ends) == (utc("2026-01-12 11:00"), utc("2026-01-12 12:00"))


def test_calendars_of_several_zones_are_reckoned_in_one_time() -> None:
    rome = Calendar(timezone="Europe/Rome", allow=(OFFICE,))
    new_york = Calendar(timezone="America/New_York", allow=(OFFICE,))
    timings = [(Timing(calendar=each), each) for each in (rome, new_york)]

    found = moment(timings, utc("2026-01-05 00:00"), utc("2026-02-01 00:00"))

    assert (found.at, found.ends) == (utc("2026-01-05 14:00"), utc("2026-01-05 16:00"))


def test_an_instant_is_waited_for_and_then_a_window_after_it() -> None:
    rome = Calendar(timezone="Europe/Rome", allow=(OFFICE,))

    found = look(rome, "2026-01-05 10:00", not_before=utc("2026-01-07 20:00"))
    at_last = look(rome, "2026-01-08 10:00", not_before=utc("2026-01-07 20:00"))

    assert found.looks == (Look(holds=False, why="it is not before 2026-01-07 20:00 UTC"),)
    assert found.at == utc("2026-01-08 08:00")
    assert at_last.looks[0].holds


def test_an_instant_alone_holds_from_then_on() -> None:
    timing = Timing(not_before=datetime.fromisoformat("2026-01-07T21:00:00+01:00"))

    before = moment([(timing, None)], utc("2026-01-07 19:59"), utc("2026-02-01 00:00"))
    then = moment([(timing, None)], utc("2026-01-07 20:00"), utc("2026-02-01 00:00"))

    assert (before.at, before.looks[0].holds) == (utc("2026-01-07 20:00"), False)
    assert then.looks == (Look(holds=True, why="its time has come"),)


def test_an_instant_at_the_end_of_time_is_said_and_never_reached() -> None:
    never = datetime.fromisoformat("9999-12-31T23:30:00-12:00")

    found = moment(
        [(Timing(not_before=never), None)], utc("2026-01-01 00:00"), utc("2026-02-01 00:00")
    )

    assert found.at is None
    assert found.looks[0].why == "it is not before 9999-12-31 23:30 UTC-12:00"


# How far it looks.


def test_at_the_deadline_is_late() -> None:
    rome = Calendar(timezone="Europe/Rome", allow=(OFFICE,))

    assert look(rome, "2026-01-16 12:00", "2026-01-19 08:00").at is None
    assert look(rome, "2026-01-16 12:00", "2026-01-19 08:01").at == utc("2026-01-19 08:00")
    instant = look(Calendar(), "2026-01-16 12:00", "2026-01-19 08:00", utc("2026-01-19 08:00"))
    assert instant.at is None
    assert instant.looked_until == utc("2026-01-19 08:00")


def test_it_looks_two_years_ahead_and_says_so() -> None:
    over = Calendar(allow=(once("2020-01-01 00:00", DAY, "long ago"),))

    found = look(over, "2026-01-01 00:00")

    assert found.at is None
    assert found.looked_until == utc("2028-01-03 00:00")
    assert found.looks[0].why == "no window opens before 2028-01-03 00:00 UTC"


def test_it_looks_as_far_from_an_instant_that_is_years_away() -> None:
    later = Calendar(allow=(once("2032-06-01 00:00", DAY),))

    found = look(later, "2026-01-01 00:00", not_before=utc("2031-01-01 00:00"))

    assert found.at == utc("2032-06-01 00:00")


def test_a_freeze_without_end_has_none_in_words() -> None:
    always = Calendar(freeze=(again("2026-01-01 00:00", DAY, "FREQ=DAILY", "closed"),))

    found = look(always, "2026-01-01 12:00")

    assert found.looks[0].why == "the freeze 'closed' lasts"
    assert found.at is None


# Clocks that change.


def test_when_clocks_go_forward_a_window_is_an_hour_shorter() -> None:
    night = Calendar(
        timezone="Europe/Rome", allow=(again("2026-03-01 22:00", 8 * HOUR, "FREQ=DAILY"),)
    )

    assert opened(night, "2026-03-27 12:00") == (utc("2026-03-27 21:00"), utc("2026-03-28 05:00"))
    assert opened(night, "2026-03-28 12:00") == (utc("2026-03-28 21:00"), utc("2026-03-29 04:00"))
    assert opened(night, "2026-03-29 12:00") == (utc("2026-03-29 20:00"), utc("2026-03-30 04:00"))


def test_when_clocks_go_back_a_window_is_an_hour_longer() -> None:
    night = Calendar(
        timezone="Europe/Rome", allow=(again("2026-10-01 22:00", 8 * HOUR, "FREQ=DAILY"),)
    )

    assert opened(night, "2026-10-24 12:00") == (utc("2026-10-24 20:00"), utc("2026-10-25 05:00"))


def test_a_time_that_does_not_come_is_over_when_the_clock_has_passed_it() -> None:
    # In the night of 2026-03-08 New York has no time from 02:00 to 03:00, which is at 07:00 UTC.
    nightly = "FREQ=DAILY"
    begins = Calendar(
        timezone="America/New_York", allow=(again("2026-03-01 02:30", 3 * HOUR, nightly),)
    )
    ends = Calendar(
        timezone="America/New_York", allow=(again("2026-03-01 01:00", 1.5 * HOUR, nightly),)
    )
    within = Calendar(
        timezone="America/New_York", allow=(again("2026-03-01 02:50", HOUR / 3, nightly),)
    )

    assert opened(begins, "2026-03-08 05:00") == (utc("2026-03-08 07:00"), utc("2026-03-08 09:30"))
    assert opened(ends, "2026-03-08 05:00") == (utc("2026-03-08 06:00"), utc("2026-03-08 07:00"))
    assert opened(within, "2026-03-08 05:00") == (utc("2026-03-08 07:00"), utc("2026-03-08 07:10"))


@pytest.mark.parametrize("kind", ["allow", "freeze"])
@pytest.mark.parametrize(
    ("minutes_", "ends"),
    # To 02:45 and to 03:00 there is nothing of it: it lasts as long as on other days.
    [(15, "01:15"), (30, "01:30"), (31, "01:01"), (45, "01:15"), (61, "01:31"), (75, "01:45")],
)
def test_what_begins_in_the_missing_hour_ends_by_the_clock_on_the_wall(
    kind: str, minutes_: int, ends: str
) -> None:
    # In the night of 2026-03-29 Rome has no time from 02:00 to 03:00, which is at 01:00 UTC.
    window = again("2026-01-01 02:30", timedelta(minutes=minutes_), "FREQ=DAILY")
    rome = Calendar.model_validate({"timezone": "Europe/Rome", kind: (window,)})
    night = [utc("2026-03-29 00:30") + timedelta(minutes=n) for n in range(90)]

    in_force = [
        at for at in night if look(rome, at.isoformat(" ")[:16]).looks[0].holds is (kind == "allow")
    ]

    assert (in_force[0], in_force[-1] + timedelta(minutes=1)) == (
        utc("2026-03-29 01:00"),
        utc(f"2026-03-29 {ends}"),
    )
    assert len(in_force) == (in_force[-1] - in_force[0]) // timedelta(minutes=1) + 1


def test_a_longer_window_never_ends_earlier_also_where_the_hour_is_missing() -> None:
    def ends(minutes_: int) -> datetime | None:
        window = once("2026-03-29 01:50", timedelta(minutes=minutes_))
        return opened(Calendar(timezone="Europe/Rome", allow=(window,)), "2026-03-29 00:00")[1]

    found = [ends(each) for each in range(1, 140, 3)]

    assert found == sorted(found, key=lambda each: each or utc("1900-01-01"))


@pytest.mark.parametrize(
    ("zone", "missing", "after"),
    [
        ("Australia/Lord_Howe", "2026-10-04 02:10", "2026-10-03 15:30"),
        ("Pacific/Apia", "2011-12-30 17:00", "2011-12-30 10:00"),
        ("Europe/Dublin", "2026-03-29 01:59:59", "2026-03-29 01:00"),
        ("Asia/Beirut", "2026-03-29 00:00", "2026-03-28 22:00"),
    ],
)
def test_the_missing_time_is_passed_when_the_clock_goes_on(
    zone: str, missing: str, after: str
) -> None:
    # In Apia a whole day did not come.
    calendar = Calendar(timezone=zone, allow=(once(missing, 3 * DAY),))

    begins, ends = opened(calendar, "2011-12-01" if "2011" in after else "2026-01-01")

    assert begins == utc(after)
    whole = wall(missing).replace(tzinfo=ZoneInfo(zone)) + 3 * DAY
    assert ends == whole.astimezone(UTC)


def test_of_a_time_that_comes_twice_the_first_is_meant() -> None:
    # In the night of 2026-11-01 New York has the time from 01:00 to 02:00 twice.
    begins = Calendar(timezone="America/New_York", allow=(once("2026-11-01 01:30", 1.5 * HOUR),))
    ends = Calendar(timezone="America/New_York", allow=(once("2026-11-01 00:00", 1.5 * HOUR),))

    assert opened(begins, "2026-11-01 00:00") == (utc("2026-11-01 05:30"), utc("2026-11-01 08:00"))
    assert opened(ends, "2026-11-01 00:00") == (utc("2026-11-01 04:00"), utc("2026-11-01 05:30"))


def test_clocks_may_change_by_half_an_hour() -> None:
    # On Lord Howe the clock goes forward from 02:00 to 02:30 on 2026-10-04.
    calendar = Calendar(timezone="Australia/Lord_Howe", allow=(once("2026-10-04 01:00", 2 * HOUR),))

    found = opened(calendar, "2026-10-01 00:00")

    assert found == (utc("2026-10-03 14:30"), utc("2026-10-03 16:00"))


def test_the_first_and_last_day_of_a_month_are_so_on_the_wall() -> None:
    # They are 14 hours ahead of UTC on Kiritimati, and 11 behind it in Pago Pago.
    ahead = Calendar(timezone="Pacific/Kiritimati", allow=(once("2026-02-01 06:00", HOUR),))
    behind = Calendar(timezone="Pacific/Pago_Pago", allow=(once("2026-01-31 20:00", HOUR),))

    assert opened(ahead, "2026-01-10 00:00") == (utc("2026-01-31 16:00"), utc("2026-01-31 17:00"))
    assert opened(behind, "2026-01-10 00:00") == (utc("2026-02-01 07:00"), utc("2026-02-01 08:00"))


def test_until_means_a_time_on_the_wall_or_in_utc_as_it_is_written() -> None:
    def last(until: str) -> datetime:
        daily = again("2026-01-01 00:30", HOUR, f"FREQ=DAILY;UNTIL={until}")
        calendar = Calendar(timezone="Europe/Rome", allow=(daily,))
        found = [look(calendar, f"2026-01-{day:02} 12:00").at for day in range(1, 12)]
        return max(each for each in found if each is not None)

    assert last("20260106T003000") == utc("2026-01-05 23:30")
    assert last("20260106T002959") == utc("2026-01-04 23:30")
    assert last("20260105T233000Z") == utc("2026-01-05 23:30")
    assert last("20260105T232959Z") == utc("2026-01-04 23:30")


def test_until_in_utc_is_held_against_the_instant_at_which_it_begins() -> None:
    # What would begin at 02:30 begins at 03:00 in the night in which clocks go forward.
    def comes(until: str) -> bool:
        daily = again("2026-03-29 02:30", HOUR, f"FREQ=DAILY;UNTIL={until}")
        calendar = Calendar(timezone="Europe/Rome", allow=(daily,))
        timings = [(Timing(calendar=calendar), calendar)]
        return moment(timings, utc("2026-03-28"), utc("2026-04-01")).at is not None

    assert comes("20260329T010000Z")
    assert not comes("20260329T005959Z")


# G10: what cannot be reckoned with blocks, by name.


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "Europe", "UTC\0", " ", "/"])
def test_g10_a_zone_that_nobody_knows_is_refused_by_name(zone: str) -> None:
    with pytest.raises(InvalidValue, match=r"The time zone .* is unknown; give a name"):
        raise_unless_readable(Calendar(timezone=zone))


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MONTHLY;BYMONTHDAY=1;BYSETPOS=5",
        "FREQ=DAILY;BYDAY=MO;BYSETPOS=2",
        "FREQ=HOURLY;BYMONTH=12;BYYEARDAY=60",
        "FREQ=DAILY;INTERVAL=7;BYDAY=WE",
        "FREQ=HOURLY;INTERVAL=24;BYHOUR=5",
        "FREQ=YEARLY;INTERVAL=2;BYMONTH=1;BYYEARDAY=366",
        "FREQ=DAILY;UNTIL=20250101T000000",
        "FREQ=DAILY;UNTIL=20260105T085959",
        "FREQ=DAILY;UNTIL=20260105T085959Z",
        "FREQ=WEEKLY;BYDAY=TU;UNTIL=20260106T085959",
    ],
)
def test_g10_a_window_that_never_comes_is_refused_by_name_and_in_a_bounded_time(rule: str) -> None:
    calendar = Calendar(freeze=(again("2026-01-05 09:00", HOUR, rule, "mistaken"),))

    began = time.process_time()
    with pytest.raises(InvalidValue, match=f"the freeze 'mistaken' never comes: {rule} from"):
        raise_unless_readable(calendar)
    first = time.process_time() - began
    with pytest.raises(InvalidValue):
        raise_unless_readable(calendar)

    assert first < 3
    assert time.process_time() - began - first < 0.01


def test_g10_whether_it_ever_comes_is_reckoned_in_the_zone_of_its_calendar() -> None:
    daily = again("2026-01-05 09:00", HOUR, "FREQ=DAILY;UNTIL=20260105T083000Z")

    raise_unless_readable(Calendar(timezone="Europe/Rome", freeze=(daily,)))
    with pytest.raises(InvalidValue, match="never comes"):
        raise_unless_readable(Calendar(freeze=(daily,)))


@pytest.mark.parametrize(
    "rule", ["FREQ=DAILY;UNTIL=20260105T090000", "FREQ=DAILY;UNTIL=20260105T090000Z"]
)
def test_a_window_that_came_once_is_readable_whenever_that_was(rule: str) -> None:
    calendar = Calendar(freeze=(again("2026-01-05 09:00", HOUR, rule),))

    assert not look(calendar, "2026-01-05 09:00").looks[0].holds
    assert look(calendar, "2046-01-05 09:00").looks[0].holds


def test_a_window_that_comes_every_few_years_is_found() -> None:
    leap_days = Calendar(
        allow=(again("2024-02-29 00:00", DAY, "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"),)
    )

    assert look(leap_days, "2026-06-01 00:00").at == utc("2028-02-29 00:00")


@pytest.mark.parametrize("year", [1900, 2395, 2398, 2999])
def test_a_window_of_leap_days_comes_whatever_year_it_begins_in(year: int) -> None:
    yearly = again(f"{year}-03-01 00:00", DAY, "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29")

    raise_unless_readable(Calendar(allow=(yearly,)))


def test_a_look_at_a_calendar_of_ten_years_takes_few_milliseconds() -> None:
    rome = Calendar(
        timezone="Europe/Rome",
        allow=(OFFICE, again("2016-01-01 20:00", HOUR, "FREQ=HOURLY;INTERVAL=5")),
        freeze=(YEAR_END,),
        exceptions=(REPAIR,),
    )
    look(rome, "2026-01-01 00:00")

    def cold(month: int) -> float:
        began = time.process_time()
        look(rome, f"2025-{month:02}-10 12:00", f"2025-{month:02}-24 12:00")
        return time.process_time() - began

    assert sorted(cold(month) for month in range(1, 12))[5] < 0.01


# Against dateutil, walked from the start: where a rule is taken up makes no difference.

numbers = st.integers


def some(low: int, high: int) -> st.SearchStrategy[str]:
    each = numbers(low, high).filter(bool) if low < 0 else numbers(low, high)
    return st.lists(each, min_size=1, max_size=3).map(lambda found: ",".join(map(str, found)))


def days(*, numbered: bool = False) -> st.SearchStrategy[str]:
    named = st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])
    if numbered:
        named = st.builds("{}{}".format, st.sampled_from([-2, -1, 1, 2, 3]), named)
    return st.lists(named, min_size=1, max_size=4).map(",".join)


@st.composite
def rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"]))
    parts = {"FREQ": frequency}

    def maybe(name: str, value: st.SearchStrategy[object], *, of: str = frequency) -> None:
        if frequency == of and draw(st.integers(0, 3)) == 0:
            parts[name] = str(draw(value))

    maybe("INTERVAL", st.sampled_from([2, 3, 5, 7, 11]))
    maybe("WKST", st.sampled_from(["SU", "WE"]))
    maybe("BYMONTH", some(1, 12))
    maybe("BYDAY", days())
    for each in ("YEARLY", "MONTHLY"):
        maybe("BYDAY", days(numbered=True), of=each)
    for each in ("YEARLY", "MONTHLY", "DAILY", "HOURLY"):
        maybe("BYMONTHDAY", some(-31, 31), of=each)
    maybe("BYYEARDAY", some(-366, 366), of="YEARLY")
    maybe("BYHOUR", some(0, 23))
    maybe("BYMINUTE", some(0, 1))
    # Of the first week dateutil takes what is left of it for the whole; see the case below.
    if any(name.startswith("BY") for name in parts) and frequency != "WEEKLY":
        maybe("BYSETPOS", some(-3, 3))
    if draw(st.booleans()):
        parts["COUNT"] = str(draw(st.sampled_from([1, 2, 30, 1000])))
    return ";".join(f"{name}={value}" for name, value in parts.items())


@given(
    rule=rules(),
    start=st.builds(
        lambda year, seconds: wall(f"{year}-01-01") + timedelta(seconds=seconds),
        st.sampled_from([2016, 2097, 2398, 2990]),
        numbers(0, 3 * 365 * 86_400),
    ),
    first=numbers(-100, 1200),
)
@settings(max_examples=100, deadline=None)
def test_a_rule_taken_up_years_later_says_what_it_says_when_walked_from_its_start(
    rule: str, start: datetime, first: int
) -> None:
    with suppress(InvalidValue):
        raise_unless_readable(Calendar(allow=(again(start.isoformat(), HOUR, rule),)))
        assert_as_walked(rule, start, start + first * DAY)


def assert_as_walked(rule: str, start: datetime, since: datetime) -> None:
    until = since + 60 * DAY
    window = Window(start=start, duration=HOUR, rule=rule)

    found = list(windows._starts(window, ZoneInfo("UTC"), since, until))

    walked = takewhile(lambda each: each < until, rrulestr(rule, dtstart=start))
    assert found == [each for each in walked if each >= since]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY",
        "FREQ=YEARLY;INTERVAL=3",
        "FREQ=YEARLY;BYMONTH=3,11",
        "FREQ=YEARLY;BYDAY=1MO;BYSETPOS=-1",
        "FREQ=MONTHLY",
        "FREQ=MONTHLY;INTERVAL=5",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=WEEKLY",
        "FREQ=WEEKLY;INTERVAL=3;BYDAY=SU,MO",
        "FREQ=WEEKLY;INTERVAL=3;BYDAY=SU,MO;WKST=SU",
        "FREQ=DAILY;INTERVAL=11",
        "FREQ=DAILY;INTERVAL=11;COUNT=30",
        "FREQ=HOURLY;INTERVAL=7",
    ],
)
def test_a_rule_is_taken_up_in_its_own_pace(rule: str) -> None:
    start = wall("2018-05-17 09:10:20")

    for later in range(0, 7 * 365, 50):
        assert_as_walked(rule, start, start + later * DAY)


def test_positions_are_counted_in_whole_weeks_also_in_the_first() -> None:
    # It begins on a Friday, which is the second of the two in its week.
    first = again("2016-01-01 00:00", HOUR, "FREQ=WEEKLY;BYDAY=MO,FR;BYSETPOS=1")

    assert opened(Calendar(allow=(first,)), "2015-12-01 00:00")[0] == utc("2016-01-04 00:00")


# Against the naive model.

ZONES = {
    "Europe/Rome": ["2026-03-29", "2026-10-25"],
    "America/New_York": ["2026-03-08", "2026-11-01"],
    "Australia/Lord_Howe": ["2026-04-05", "2026-10-04"],
}
"""When their clocks change."""


class Minutes(NamedTuple):
    """Every step of the weeks around a change, and which instant a time on the wall is."""

    instants: list[datetime]
    first: dict[datetime, datetime]

    def at(self, local: datetime) -> datetime:
        """Answer the first instant at which the clock shows that time, or has passed it."""
        while local not in self.first:
            local += STEP
        return self.first[local]


@cache
def minutes(zone: str, change: str) -> Minutes:
    begin = utc(change) - 60 * DAY
    instants = [begin + n * STEP for n in range(100 * DAY // STEP)]
    first: dict[datetime, datetime] = {}
    for each in instants:
        first.setdefault(each.astimezone(ZoneInfo(zone)).replace(tzinfo=None), each)
    return Minutes(instants, first)


def occurrences(window: Window, of: Minutes) -> Iterator[tuple[datetime, datetime]]:
    local = list(of.first)
    starts = [window.start] if window.rule is None else rrulestr(window.rule, dtstart=window.start)
    for start in takewhile(lambda each: each < local[-1] - 5 * DAY, starts):
        if start > local[0]:
            begins, ends = of.at(start), of.at(start + window.duration)
            yield begins, begins + window.duration if begins == ends else ends


def covered(windows_: tuple[Window, ...], of: Minutes) -> set[datetime]:
    """Answer every step in any of the windows."""
    return {
        begins + n * STEP
        for window in windows_
        for begins, ends in occurrences(window, of)
        for n in range((ends - begins) // STEP)
    }


def steps(least: timedelta, most: timedelta) -> st.SearchStrategy[timedelta]:
    return numbers(least // STEP, most // STEP).map(lambda n: n * STEP)


@st.composite
def some_windows(draw: st.DrawFn, change: datetime, most: int) -> tuple[Window, ...]:
    found = []
    for _ in range(draw(numbers(0, most))):
        rule = draw(
            st.sampled_from(
                [
                    None,
                    None,
                    "FREQ=DAILY",
                    "FREQ=DAILY;INTERVAL=3",
                    "FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,30",
                    "FREQ=DAILY;BYHOUR=2;BYMINUTE=5,20,40,55",
                    "FREQ=DAILY;COUNT=40",
                    "FREQ=WEEKLY;BYDAY=SA,SU",
                    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU",
                    "FREQ=HOURLY;INTERVAL=7",
                    "FREQ=MONTHLY;BYDAY=-1SU,1SU",
                ]
            )
        )
        where = draw(st.sampled_from(["missing", "near", "anywhere"]))
        around = {
            # All the clocks of `ZONES` go forward at 02:00.
            "missing": steps(2 * HOUR, 3 * HOUR),
            "near": steps(-4 * HOUR, 4 * HOUR),
            "anywhere": steps(-40 * DAY, 12 * DAY),
        }
        start = change + draw(around[where])
        short = where != "anywhere" or rule == "FREQ=HOURLY;INTERVAL=7"
        longest = {"missing": 1.5 * HOUR}.get(where, 4 * HOUR if short else 4 * DAY)
        found.append(Window(start=start, duration=draw(steps(STEP, longest)), rule=rule))
    return tuple(found)


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Calendar], str, str, datetime]:
    zone = draw(st.sampled_from(sorted(ZONES)))
    change = draw(st.sampled_from(ZONES[zone]))
    calendars = [
        Calendar(
            timezone=zone,
            allow=draw(some_windows(wall(change), 3)),
            freeze=draw(some_windows(wall(change), 2)),
            exceptions=draw(some_windows(wall(change), 1)),
        )
        for _ in range(draw(numbers(1, 2)))
    ]
    at = utc(change) + draw(st.one_of(steps(-DAY, DAY), steps(-8 * DAY, 8 * DAY)))
    return calendars, zone, change, at


@given(situations())
@settings(max_examples=100, deadline=None)
def test_it_agrees_with_a_model_that_looks_at_every_minute(
    situation: tuple[list[Calendar], str, str, datetime],
) -> None:
    calendars, zone, change, at = situation
    model = minutes(zone, change)
    legal: list[set[datetime]] = []
    for calendar in calendars:
        allowed = covered(calendar.allow, model) if calendar.allow else set(model.instants)
        frozen = covered(calendar.freeze, model)
        legal.append((allowed - frozen) | covered(calendar.exceptions, model))
    until = at + 21 * DAY
    ahead = [each for each in model.instants if at <= each < until]
    together = set.intersection(*legal)
    earliest = next((each for each in ahead if each in together), None)
    over = next((e for e in ahead if earliest and e > earliest and e not in together), None)

    timings = [(Timing(calendar=each), each) for each in calendars]
    found = moment(timings, at, until)

    assert [each.holds for each in found.looks] == [at in each for each in legal]
    assert (found.at, found.ends) == (earliest, over)
    assert found.looked_until == until
