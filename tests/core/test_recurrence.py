"""Recurrence rules are read strictly, and calendars refuse what nobody could follow."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core import Requirement
from core.calendars import Calendar, Timing, Window
from core.errors import DefinitionError, InvalidValue
from core.recurrence import Frequency, Recurrence, most_a_day, read_rule

NINE = datetime(2026, 1, 5, 9)  # noqa: DTZ001 - by the clock on the wall
HOUR = timedelta(hours=1)


def test_every_part_is_read() -> None:
    rule = (
        "FREQ=MONTHLY;INTERVAL=2;COUNT=10;WKST=SU;BYMONTH=6,1;BYMONTHDAY=-1,+15;BYDAY=MO,TU;"
        "BYHOUR=9,17;BYMINUTE=30;BYSETPOS=-1"
    )

    assert read_rule(rule) == Recurrence(
        frequency=Frequency.MONTHLY,
        interval=2,
        count=10,
        week_start=6,
        days=((0, 0), (1, 0)),
        months=(1, 6),
        month_days=(-1, 15),
        hours=(9, 17),
        minutes=(30,),
        positions=(-1,),
    )


@pytest.mark.parametrize(
    ("rule", "field", "value"),
    [
        ("freq=daily", "frequency", Frequency.DAILY),
        ("RRULE:FREQ=YEARLY;BYYEARDAY=-1,100", "year_days", (-1, 100)),
        ("FREQ=MONTHLY;BYDAY=1MO,-1FR", "days", ((0, 1), (4, -1))),
        ("FREQ=YEARLY;BYDAY=+53SU", "days", ((6, 53),)),
        ("FREQ=YEARLY;BYMONTH=2,4;BYMONTHDAY=30", "month_days", (30,)),
        ("FREQ=MONTHLY;BYMONTHDAY=31", "month_days", (31,)),
        ("FREQ=HOURLY;BYYEARDAY=1", "year_days", (1,)),
        ("FREQ=DAILY;UNTIL=20271231T235959", "until", datetime(2027, 12, 31, 23, 59, 59)),  # noqa: DTZ001
        (
            "FREQ=DAILY;UNTIL=20271231T235959Z",
            "until",
            datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC),
        ),
        ("FREQ=DAILY;BYHOUR=9,9,3", "hours", (3, 9)),
    ],
)
def test_a_part_is_read_as_the_standard_means_it(rule: str, field: str, value: object) -> None:
    assert getattr(read_rule(rule), field) == value


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("", "'' is no part of a rule"),
        ("FREQ=DAILY;", "'' is no part of a rule"),
        ("every day", "'EVERY DAY' is no part of a rule; write FREQ=WEEKLY;BYDAY=MO"),
        ("INTERVAL=2", "FREQ is missing; give one of YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY"),
        ("FREQ=MINUTELY", "FREQ=MINUTELY is not supported"),
        ("FREQ=SECONDLY", "FREQ=SECONDLY is not supported"),
        ("FREQ=DAILY;BYSECOND=1", "BYSECOND is not supported; what is: FREQ, INTERVAL"),
        ("FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO is not supported"),
        ("FREQ=YEARLY;BYEASTER=0", "BYEASTER is not supported"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ stands in it twice"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20271231T235959", "give COUNT or UNTIL, not both"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY does not go with FREQ=WEEKLY"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "none of its months has a day 30"),
        ("FREQ=DAILY;BYMONTH=4,6;BYMONTHDAY=-31,31", "none of its months has a day -31"),
        ("FREQ=DAILY;BYYEARDAY=1", "BYYEARDAY does not go with FREQ=DAILY"),
        ("FREQ=WEEKLY;BYDAY=1MO", "a numbered day such as 1MO does not go with FREQ=WEEKLY"),
        ("FREQ=MONTHLY;BYDAY=1MO,TU", "give one or the other"),
        ("FREQ=MONTHLY;BYDAY=6MO", "BYDAY takes a number from -5 to 5 here"),
        ("FREQ=YEARLY;BYMONTH=1;BYDAY=-6MO", "BYDAY takes a number from -5 to 5 here"),
        ("FREQ=YEARLY;BYDAY=54MO", "BYDAY takes a number from -53 to 53 here"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY takes days such as MO, 1MO and -1FR; not '0MO'"),
        ("FREQ=WEEKLY;BYDAY=XX", "not 'XX'"),
        ("FREQ=WEEKLY;WKST=XX", "WKST takes one of MO, TU, WE, TH, FR, SA, SU; not 'XX'"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS needs another part to choose from"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0", "BYSETPOS takes -366 to 366, but not 0; not '0'"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL takes 1 to 1000; not '0'"),
        ("FREQ=DAILY;COUNT=1001", "COUNT takes 1 to 1000; not '1001'"),
        ("FREQ=DAILY;COUNT=many", "not 'MANY'"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR takes 0 to 23; not '24'"),
        ("FREQ=DAILY;BYHOUR=1,", "BYHOUR takes 0 to 23; not ''"),
        ("FREQ=DAILY;BYHOUR=\u0661", "not '\u0661'"),
        ("FREQ=DAILY;UNTIL=20271231", "a day alone is read as its first moment by some"),
        ("FREQ=DAILY;UNTIL=20271331T000000", "not '20271331T000000'"),
        ("FREQ=HOURLY;BYMINUTE=0,20,40", "it begins 72 times a day; at most 48"),
        ("FREQ=DAILY;BYHOUR=0,6,12,18;BYMINUTE=0,1,2,3,4,5,6,7,8,9,10,11,12", "52 times a day"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(rule: str, said: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        read_rule(rule)

    assert refused.value.message.startswith(f"The rule {rule!r} cannot be followed: ")
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("rule", "times"),
    [
        ("FREQ=HOURLY", 24),
        ("FREQ=HOURLY;BYHOUR=9,10", 2),
        ("FREQ=HOURLY;BYMINUTE=0,30", 48),
        ("FREQ=DAILY", 1),
        ("FREQ=WEEKLY;BYHOUR=9,10;BYMINUTE=0,30", 4),
    ],
)
def test_it_is_known_how_often_a_day_a_rule_begins(rule: str, times: int) -> None:
    assert most_a_day(read_rule(rule)) == times


@given(st.text(alphabet="FREQ=DAILYWK;BUNTCO,0123456789+-Z:MHSP ", max_size=60))
def test_any_other_text_is_refused_as_a_value_and_never_otherwise(text: str) -> None:
    with suppress(InvalidValue):
        assert read_rule(text).frequency in Frequency


def test_a_window_is_refused_with_the_sentence_about_its_rule() -> None:
    with pytest.raises(ValidationError, match="FREQ=MINUTELY is not supported"):
        Window(start=NINE, duration=HOUR, rule="FREQ=MINUTELY")


def test_a_window_begins_on_a_second() -> None:
    with pytest.raises(ValidationError, match="give the start to the second"):
        Window(start=NINE.replace(microsecond=1), duration=HOUR)


@pytest.mark.parametrize(
    ("rule", "days", "too_many"),
    [
        ("FREQ=DAILY", 366, False),
        ("FREQ=HOURLY", 15, False),
        ("FREQ=HOURLY", 16, True),
        ("FREQ=HOURLY;BYHOUR=9", 366, False),
        ("FREQ=DAILY;BYHOUR=9,10", 200, True),
    ],
)
def test_a_window_does_not_begin_again_hundreds_of_times_before_it_is_over(
    rule: str, days: int, *, too_many: bool
) -> None:
    def made() -> Window:
        return Window(start=NINE, duration=timedelta(days=days), rule=rule)

    if too_many:
        with pytest.raises(ValidationError, match="more than 400 of"):
            made()
    else:
        assert made().recurrence == read_rule(rule)


@pytest.mark.parametrize("year", [1899, 3000])
def test_a_window_begins_in_years_that_clocks_are_known_for(year: int) -> None:
    with pytest.raises(ValidationError):
        Window(start=NINE.replace(year=year), duration=HOUR)


def test_a_window_without_a_rule_is_once() -> None:
    assert Window(start=NINE, duration=HOUR).recurrence is None


def test_a_schedule_demands_something_and_one_calendar() -> None:
    with pytest.raises(DefinitionError, match="give not_before, a calendar, or both"):
        Requirement.schedule()
    with pytest.raises(ValidationError, match="not both"):
        Timing(calendar=Calendar(), calendar_id="calendars/web")


def test_a_schedule_says_in_words_what_it_demands() -> None:
    calendar = Calendar(
        allow=(Window(start=NINE, duration=HOUR, name="Mondays"),),
        freeze=(Window(start=NINE, duration=HOUR),),
    )
    instant = datetime(2026, 1, 5, 9, tzinfo=UTC)

    said = [
        Timing(not_before=instant, calendar=calendar).describe(),
        Timing(not_before=instant).describe(),
        Timing(calendar=Calendar()).describe(),
        Timing(calendar_id="calendars/web").describe(),
    ]

    assert said == [
        "not before 2026-01-05 09:00 UTC and when its calendar allows it (Mondays)",
        "not before 2026-01-05 09:00 UTC",
        "when its calendar allows it",
        "when calendars/web allows it",
    ]
