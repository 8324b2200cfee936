"""Recurrence rules as RFC 5545 writes them (3.3.10), read strictly; not when that is.

What a calendar of changes does not need is refused by name: `SECONDLY` and `MINUTELY`, `BYSECOND`
and `BYWEEKNO`. So is what the standard leaves open, or forbids and readers take differently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from .errors import InvalidValue
from .model import Value

MOST_A_DAY: Final = 48
"""How often a day something may begin."""

MOST_COUNTED: Final = 1000
"""The greatest COUNT, and the greatest INTERVAL."""

WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

LISTS: Final[Mapping[str, tuple[int, int]]] = {
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSETPOS": (-366, 366),
}
"""The parts that list numbers, with their bounds; where they may be negative, none is 0."""

LONGEST_MONTHS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""How many days each month has at most."""

PARTS: Final = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *LISTS)

_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_MOMENT = re.compile(r"(\d{8}T\d{6})(Z?)")


class Frequency(StrEnum):
    """In what periods a rule is told; other ones are refused."""

    YEARLY = "YEARLY"
    MONTHLY = "MONTHLY"
    WEEKLY = "WEEKLY"
    DAILY = "DAILY"
    HOURLY = "HOURLY"


class Recurrence(Value):
    """A rule, read.

    Attributes:
        interval: Every how many periods.
        count: How often in all; `None`: without end.
        until: The last moment at which it may begin; without an offset: by the clock on the wall.
        week_start: The day weeks begin with; 0 is Monday.
        days: Days of the week; each with 0, or with which of them in the month or year (1 the
            first, -1 the last).
        month_days: Negative ones count from the end; so do `year_days` and `positions`.
        positions: Which of what the other parts leave in a period.
    """

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    week_start: int = 0
    days: tuple[tuple[int, int], ...] = ()
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()


def read_rule(rule: str) -> Recurrence:
    """Read a recurrence rule such as `FREQ=WEEKLY;BYDAY=MO,TU`.

    Raises:
        InvalidValue: It is malformed, or has a part that is not supported; the sentence names it.
    """
    parts: dict[str, str] = {}
    for part in rule.upper().removeprefix("RRULE:").split(";"):
        name, _, value = part.partition("=")
        if not value:
            raise _wrong(rule, f"{part!r} is no part of a rule; write FREQ=WEEKLY;BYDAY=MO")
        if name not in PARTS:
            raise _wrong(rule, f"{name} is not supported; what is: {', '.join(PARTS)}")
        if name in parts:
            raise _wrong(rule, f"{name} stands in it twice")
        parts[name] = value
    frequency = parts.get("FREQ", "")
    if frequency not in set(Frequency):
        said = f"FREQ={frequency} is not supported" if frequency else "FREQ is missing"
        raise _wrong(rule, f"{said}; give one of {', '.join(Frequency)}")
    lists = {name: _numbers(rule, name, parts[name]) for name in LISTS if name in parts}
    read = Recurrence(
        frequency=Frequency(frequency),
        interval=_number(rule, "INTERVAL", parts.get("INTERVAL", "1"), 1, MOST_COUNTED),
        count=(
            _number(rule, "COUNT", parts["COUNT"], 1, MOST_COUNTED) if "COUNT" in parts else None
        ),
        until=_moment(rule, parts["UNTIL"]) if "UNTIL" in parts else None,
        week_start=_weekday(rule, parts.get("WKST", "MO")),
        days=tuple(_day(rule, each) for each in parts["BYDAY"].split(","))
        if "BYDAY" in parts
        else (),
        months=lists.get("BYMONTH", ()),
        month_days=lists.get("BYMONTHDAY", ()),
        year_days=lists.get("BYYEARDAY", ()),
        hours=lists.get("BYHOUR", ()),
        minutes=lists.get("BYMINUTE", ()),
        positions=lists.get("BYSETPOS", ()),
    )
    _raise_unless_it_makes_sense(rule, read, parts)
    return read


def most_a_day(read: Recurrence) -> int:
    """Answer how often a day what follows the rule may begin."""
    hours = 24 if read.frequency is Frequency.HOURLY and not read.hours else len(read.hours) or 1
    return hours * (len(read.minutes) or 1)


def _raise_unless_it_makes_sense(rule: str, read: Recurrence, parts: Mapping[str, str]) -> None:
    """Refuse parts that do not go together, as the table of RFC 5545 has it."""
    of, numbered = read.frequency, [nth for _, nth in read.days if nth]
    if read.count is not None and read.until is not None:
        raise _wrong(rule, "give COUNT or UNTIL, not both")
    if read.month_days and of is Frequency.WEEKLY:
        raise _wrong(rule, "BYMONTHDAY does not go with FREQ=WEEKLY")
    longest = max(LONGEST_MONTHS[month - 1] for month in read.months or (1,))
    if read.month_days and min(map(abs, read.month_days)) > longest:
        raise _wrong(rule, f"none of its months has a day {read.month_days[0]}")
    if read.year_days and of not in {Frequency.YEARLY, Frequency.HOURLY}:
        raise _wrong(rule, f"BYYEARDAY does not go with FREQ={of}")
    if numbered and of not in {Frequency.YEARLY, Frequency.MONTHLY}:
        raise _wrong(rule, f"a numbered day such as 1MO does not go with FREQ={of}")
    if numbered and len(numbered) < len(read.days):
        raise _wrong(rule, "BYDAY has days with a number and days without; give one or the other")
    weeks = 53 if of is Frequency.YEARLY and not read.months else 5
    if any(abs(nth) > weeks for nth in numbered):
        raise _wrong(rule, f"BYDAY takes a number from -{weeks} to {weeks} here")
    if read.positions and not any(name.startswith("BY") and name != "BYSETPOS" for name in parts):
        raise _wrong(rule, "BYSETPOS needs another part to choose from, such as BYDAY")
    if most_a_day(read) > MOST_A_DAY:
        raise _wrong(rule, f"it begins {most_a_day(read)} times a day; at most {MOST_A_DAY}")


def _numbers(rule: str, name: str, value: str) -> tuple[int, ...]:
    least, most = LISTS[name]
    return tuple(sorted({_number(rule, name, each, least, most) for each in value.split(",")}))


def _number(rule: str, name: str, value: str, least: int, most: int) -> int:
    if re.fullmatch(r"[+-]?\d{1,4}", value, re.ASCII):
        number = int(value)
        if least <= number <= most and not (least < 0 and number == 0):
            return number
    but = ", but not 0" if least < 0 else ""
    raise _wrong(rule, f"{name} takes {least} to {most}{but}; not {value!r}")


def _day(rule: str, value: str) -> tuple[int, int]:
    found = _DAY.fullmatch(value)
    if found is None or (found[1] and not int(found[1])):
        raise _wrong(rule, f"BYDAY takes days such as MO, 1MO and -1FR; not {value!r}")
    return WEEKDAYS.index(found[2]), int(found[1] or 0)


def _weekday(rule: str, value: str) -> int:
    if value not in WEEKDAYS:
        raise _wrong(rule, f"WKST takes one of {', '.join(WEEKDAYS)}; not {value!r}")
    return WEEKDAYS.index(value)


def _moment(rule: str, value: str) -> datetime:
    if found := _MOMENT.fullmatch(value):
        try:
            local = datetime.strptime(found[1], "%Y%m%dT%H%M%S")  # noqa: DTZ007 - by the wall clock
        except ValueError:
            pass
        else:
            return local.replace(tzinfo=UTC) if found[2] else local
    raise _wrong(
        rule,
        "UNTIL takes a moment such as 20271231T235959, or with a Z in UTC; a day alone is read as "
        f"its first moment by some and as its last by others; not {value!r}",
    )


def _wrong(rule: str, what: str) -> InvalidValue:
    return InvalidValue(f"The rule {rule!r} cannot be followed: {what}.")
