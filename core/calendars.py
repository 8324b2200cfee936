"""When a change may be made: windows that allow, freezes that deny, exceptions to both.

Values only, in the wall-clock time of one place; reckoning with time zones and rules needs their
database, and is done outside (`activities`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Final

from pydantic import AwareDatetime, Field, NaiveDatetime, StringConstraints, model_validator

from .errors import InvalidValue
from .model import Value
from .recurrence import Recurrence, most_a_day, read_rule

LONGEST_WINDOW: Final = timedelta(days=366)
"""How long one occurrence of a window may last."""

FIRST_START: Final = datetime(1900, 1, 1)  # noqa: DTZ001 - by the clock on the wall
LAST_START: Final = datetime(3000, 1, 1)  # noqa: DTZ001 - as above

MOST_AT_ONCE: Final = 400
"""How many occurrences of one window may be open at the same time."""

TimeZone = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""A name of the IANA time zone database, such as `Europe/Rome`."""


class Window(Value):
    """A span of wall-clock time, once or again and again.

    It begins and ends by the clock on the wall of its calendar's time zone: from 22:00 to 06:00 is
    that also in the night in which the clock is changed.

    Attributes:
        start: When it begins, or began first; without an offset, to the second, in the years 1900
            to 2999. Where the rule leaves it out, the first is what the rule names after it.
        duration: How long it lasts on the clock; more than nothing, at most `LONGEST_WINDOW`.
        rule: When it comes again, as an RFC 5545 recurrence rule such as `FREQ=WEEKLY;BYDAY=MO,TU`;
            see `core.recurrence`. `None`: it is once.
        name: What people read.
    """

    start: NaiveDatetime = Field(ge=FIRST_START, lt=LAST_START)
    duration: timedelta = Field(gt=timedelta(0), le=LONGEST_WINDOW)
    rule: Annotated[str, StringConstraints(max_length=500)] | None = None
    name: Annotated[str, StringConstraints(max_length=200)] = ""

    @cached_property
    def recurrence(self) -> Recurrence | None:
        """Answer the rule, read; `None`: it is once.

        Raises:
            InvalidValue: Never of a window that was validated.
        """
        return None if self.rule is None else read_rule(self.rule)

    @model_validator(mode="after")
    def _can_be_followed(self) -> Window:
        try:
            recurrence = self.recurrence
        except InvalidValue as error:
            raise ValueError(error.message) from error
        if self.start.microsecond:
            raise ValueError("give the start to the second")
        days = self.duration // timedelta(days=1) + 1
        if recurrence is not None and most_a_day(recurrence) * days > MOST_AT_ONCE:
            raise ValueError(
                f"the rule {self.rule!r} begins again so often that more than {MOST_AT_ONCE} of "
                f"{self.duration} would be open at once; let it begin less often, or be shorter"
            )
        return self


class Calendar(Value):
    """When changes may be made.

    A moment is legal in an exception; else in no freeze, and in a window where there are any.

    Attributes:
        timezone: Of all its windows.
        allow: Windows in which changes may be made; none: always.
        freeze: Windows in which none may be made, whatever allows it.
        exceptions: Windows in which changes may be made all the same.
    """

    timezone: TimeZone = "UTC"
    allow: Annotated[tuple[Window, ...], Field(max_length=200)] = ()
    freeze: Annotated[tuple[Window, ...], Field(max_length=200)] = ()
    exceptions: Annotated[tuple[Window, ...], Field(max_length=200)] = ()


class Timing(Value):
    """What a schedule demands: an instant that has passed, a calendar that allows it, or both.

    Attributes:
        not_before: The instant.
        calendar: The calendar itself.
        calendar_id: Or the id of a state that is one, read whenever it is looked at.
    """

    not_before: AwareDatetime | None = None
    calendar: Calendar | None = None
    calendar_id: str | None = None

    @model_validator(mode="after")
    def _demands_one_thing(self) -> Timing:
        if self.calendar is not None and self.calendar_id is not None:
            raise ValueError("give the calendar itself or the id of a state that is one, not both")
        if self.not_before is None and self.calendar is None and self.calendar_id is None:
            raise ValueError("give not_before, a calendar, or both")
        return self

    def describe(self) -> str:
        """Answer in words what is demanded."""
        words = [f"not before {_written(self.not_before)}"] if self.not_before else []
        if self.calendar_id:
            words.append(f"when {self.calendar_id} allows it")
        elif self.calendar:
            names = [w.name for w in (*self.calendar.allow, *self.calendar.freeze) if w.name]
            called = f" ({', '.join(names)})" if names else ""
            words.append(f"when its calendar allows it{called}")
        return " and ".join(words)


def _written(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M %Z")
