"""When a change may be made: windows that allow, freezes that deny, exceptions to both.

Values only, in the wall-clock time of one place; reckoning with time zones and rules needs their
database, and is done outside (`activities`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import AwareDatetime, Field, NaiveDatetime, StringConstraints, model_validator

from .model import Value

LONGEST_WINDOW: Final = timedelta(days=366)
"""How long one occurrence of a window may last."""

TimeZone = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""A name of the IANA time zone database, such as `Europe/Rome`."""


class Window(Value):
    """A span of wall-clock time, once or again and again.

    It begins and ends by the clock on the wall of its calendar's time zone: from 22:00 to 06:00 is
    that also in the night in which the clock is changed.

    Attributes:
        start: When it begins, or began first; without an offset.
        duration: How long it lasts on the clock; more than nothing, at most `LONGEST_WINDOW`.
        rule: When it comes again, as an RFC 5545 recurrence rule such as `FREQ=WEEKLY;BYDAY=MO,TU`;
            `None`: it is once.
        name: What people read.
    """

    start: NaiveDatetime
    duration: timedelta = Field(gt=timedelta(0), le=LONGEST_WINDOW)
    rule: Annotated[str, StringConstraints(max_length=500)] | None = None
    name: Annotated[str, StringConstraints(max_length=200)] = ""


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
