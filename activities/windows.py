"""When a change may be made: windows, freezes and exceptions, reckoned in instants.

Rules come again as RFC 5545 says, by `dateutil`; zones are those of the IANA database, by
`zoneinfo`. Both ends of a window are times on the wall of its calendar's zone, and mean the first
instant at which the clock there shows that time or has passed it: of what comes twice, when clocks
go back, the first; of what does not come, when they go forward, the instant at which they do. So
the longer of two windows never ends earlier, as it would by RFC 5545 (3.3.5), which counts on what
is missing. A window that comes again is not left out for that (as 3.3.10 would have it): a freeze
would be missing for a night. One that lies wholly in what does not come lasts as long as on other
days, from there.

Instants are reckoned month by month, each month of a window once in a process.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from functools import lru_cache, reduce
from itertools import islice, takewhile
from typing import Any, Final
from zoneinfo import ZoneInfo

from dateutil import rrule

from core.calendars import Calendar, Timing, Window
from core.errors import InvalidValue
from core.recurrence import Frequency, Recurrence

LOOKS_AHEAD: Final = timedelta(days=732)
"""How far a legal moment is looked for, beyond the last instant before which none can be."""

Span = tuple[datetime, datetime]
"""From an instant, which is part of it, to one that is not; in UTC."""

_SECOND: Final = timedelta(seconds=1)

_CLOCKS: Final = timedelta(days=2)
"""By how much wall clocks differ from UTC, and more."""

_CYCLE: Final = timedelta(days=146_097)
"""The calendar is the same again after 400 years, which are whole weeks."""


@dataclass(frozen=True, slots=True)
class Look:
    """Whether a moment is legal for one timing, and why, in words."""

    holds: bool
    why: str


@dataclass(frozen=True, slots=True)
class Moment:
    """What several timings say together.

    Attributes:
        looks: Of each timing, in their order: whether the moment that was asked for is legal.
        at: The earliest moment that is legal for all of them; `None`: there is none before
            `looked_until`.
        ends: When that ends again; `None`: not before `looked_until`, or there is no such moment.
        looked_until: How far was looked.
    """

    looks: tuple[Look, ...]
    at: datetime | None
    ends: datetime | None
    looked_until: datetime


def moment(
    timings: Sequence[tuple[Timing, Calendar | None]], at: datetime, until: datetime
) -> Moment:
    """Find the earliest moment from `at` on that is legal for all of the timings together.

    It looks up to `until`, and no further than `LOOKS_AHEAD` from `at`, or from the last instant
    of the timings where that is later.

    Args:
        timings: What is demanded, each with its calendar, or `None` where it has none; see
            `raise_unless_readable`.
        at: The present; aware.
        until: The first moment that is too late; aware.
    """
    at, until = at.astimezone(UTC), until.astimezone(UTC)
    first = max([at, *(t.not_before for t, _ in timings if t.not_before and t.not_before > at)])

    def together(since: datetime) -> tuple[Span, ...]:
        each = (_legal(calendar, since) for _, calendar in timings if calendar is not None)
        return reduce(_both, each, (_month(since),))

    looks = tuple(_look(timing, calendar, at) for timing, calendar in timings)
    if first >= until:
        return Moment(looks, None, None, until)
    stop = min(until, first + LOOKS_AHEAD)
    found = _first(together, first, stop)
    if found is None:
        return Moment(looks, None, None, stop)
    begins, ends = found
    return Moment(looks, begins, ends if ends < stop else None, stop)


def raise_unless_readable(calendar: Calendar) -> None:
    """Refuse a calendar that cannot be reckoned with.

    It takes no clock to say: a window that came in the past, and comes no more, is readable.

    Raises:
        InvalidValue: The zone is unknown, or a window never comes, not even once from its start
            on; the sentence names it.
    """
    try:
        ZoneInfo(calendar.timezone)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidValue(
            f"The time zone {calendar.timezone!r} is unknown; give a name of the IANA database, "
            "such as Europe/Rome."
        ) from error
    kinds = {
        "the window": calendar.allow,
        "the freeze": calendar.freeze,
        "the exception": calendar.exceptions,
    }
    for kind, windows in kinds.items():
        for window in windows:
            if _never_comes(window, calendar.timezone):
                raise InvalidValue(
                    f"Its calendar cannot be reckoned with: {_called(kind, window)} never comes: "
                    f"{window.rule} from {window.start.isoformat(' ')} on."
                )


def _look(timing: Timing, calendar: Calendar | None, at: datetime) -> Look:
    """Say whether a moment is legal for one timing, and what makes it so."""
    if timing.not_before is not None and at < timing.not_before:
        return Look(holds=False, why=f"it is not before {_written(timing.not_before)}")
    if calendar is None:
        return Look(holds=True, why="its time has come")
    zone, stop = calendar.timezone, at + LOOKS_AHEAD
    if open_now := _open_at(at, calendar.exceptions, zone):
        return Look(holds=True, why=_until("the exception", "allows it", open_now[0], zone, at))
    if open_now := _open_at(at, calendar.freeze, zone):
        frozen = (_until("the freeze", "lasts", window, zone, at) for window in open_now[:3])
        return Look(holds=False, why=" and ".join(frozen))
    if not calendar.allow:
        return Look(holds=True, why="nothing is frozen")
    if open_now := _open_at(at, calendar.allow, zone):
        return Look(holds=True, why=_until("the window", "is open", open_now[0], zone, at))
    coming = _first(lambda since: _any_of(calendar.allow, zone, since), at, stop)
    if coming is None:
        return Look(holds=False, why=f"no window opens before {_written(stop, zone)}")
    name = _called("the window", _open_at(coming[0], calendar.allow, zone)[0])
    return Look(holds=False, why=f"{name} opens at {_written(coming[0], zone)}")


def _open_at(at: datetime, windows: Iterable[Window], zone: str) -> list[Window]:
    """Answer which of the windows are open at an instant."""
    since = _month(at)[0]
    return [w for w in windows if any(a <= at < z for a, z in _open(w, zone, since))]


def _until(what: str, does: str, window: Window, zone: str, at: datetime) -> str:
    """Say of a window that is open until when it is."""
    stop = at + LOOKS_AHEAD
    said = f"{_called(what, window)} {does}"
    span = _first(lambda since: _open(window, zone, since), at, stop)
    ends = span[1] if span else stop
    return f"{said} until {_written(ends, zone)}" if ends < stop else said


def _called(kind: str, window: Window) -> str:
    return f"{kind} {window.name!r}" if window.name else kind


def _written(at: datetime, zone: str | None = None) -> str:
    at = at if zone is None else at.astimezone(ZoneInfo(zone))
    return at.strftime("%Y-%m-%d %H:%M %Z")


def _legal(calendar: Calendar, since: datetime) -> tuple[Span, ...]:
    """Answer when a calendar allows changes in the month that begins at `since`."""
    month, zone = _month(since), calendar.timezone
    allowed = _any_of(calendar.allow, zone, since) if calendar.allow else (month,)
    free = _both(allowed, _rest(_any_of(calendar.freeze, zone, since), month))
    return _any((*free, *_any_of(calendar.exceptions, zone, since)))


def _any_of(windows: Iterable[Window], zone: str, since: datetime) -> tuple[Span, ...]:
    """Answer when any of the windows is open in the month that begins at `since`."""
    return _any(span for window in windows for span in _open(window, zone, since))


def _first(
    of_month: Callable[[datetime], Iterable[Span]], first: datetime, stop: datetime
) -> Span | None:
    """Answer what is open first between two instants, whole across the ends of months."""
    since, found = _month(first)[0], None
    while since < stop:
        next_month = _month(since)[1]
        for span in of_month(since):
            begins, ends = max(span[0], first), min(span[1], stop)
            if begins >= ends:
                continue
            if found is not None and found[1] < begins:
                return found
            found = (begins, ends) if found is None else (found[0], ends)
        if found is not None and found[1] < next_month:
            return found
        since = next_month
    return found


def _month(at: datetime) -> Span:
    """Answer the month an instant is in."""
    first = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first, (first + timedelta(days=31)).replace(day=1)


def _any(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Answer what is in any of the spans: in order, none touching another."""
    found: list[Span] = []
    for begins, ends in sorted(spans):
        if found and begins <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], ends)
        else:
            found.append((begins, ends))
    return tuple(found)


def _both(one: Iterable[Span], other: Sequence[Span]) -> tuple[Span, ...]:
    """Answer what is in both of two lists of spans that are in order."""
    found: list[Span] = []
    left, right = iter(one), iter(other)
    mine, theirs = next(left, None), next(right, None)
    while mine is not None and theirs is not None:
        begins, ends = max(mine[0], theirs[0]), min(mine[1], theirs[1])
        if begins < ends:
            found.append((begins, ends))
        if mine[1] < theirs[1]:
            mine = next(left, None)
        else:
            theirs = next(right, None)
    return tuple(found)


def _rest(spans: Iterable[Span], within: Span) -> tuple[Span, ...]:
    """Answer what of a span the others, which are in order, leave."""
    edges = [within[0], *(edge for span in spans for edge in span), within[1]]
    return tuple(
        (begins, ends)
        for begins, ends in zip(edges[::2], edges[1::2], strict=True)
        if begins < ends
    )


@lru_cache(maxsize=4096)
def _open(window: Window, zone: str, since: datetime) -> tuple[Span, ...]:
    """Answer when a window is open in the month that begins at `since`."""
    wall, (_, end) = ZoneInfo(zone), _month(since)
    first = since.replace(tzinfo=None) - window.duration - _CLOCKS
    last = end.replace(tzinfo=None) + _CLOCKS
    spans = (_span(start, window.duration, wall) for start in _starts(window, wall, first, last))
    return _both(_any(spans), (_month(since),))


def _span(start: datetime, duration: timedelta, wall: ZoneInfo) -> Span:
    """Answer the instants between two times on the wall; see the module for those in doubt."""
    begins, ends = _instant(start, wall), _instant(start + duration, wall)
    return begins, ends if begins < ends else begins + duration


def _instant(local: datetime, wall: ZoneInfo) -> datetime:
    """Answer the first instant at which the clock shows a time, or has passed it; in UTC."""

    def shown(at: datetime) -> datetime:
        return at.astimezone(wall).replace(tzinfo=None)

    at = local.replace(tzinfo=wall).astimezone(UTC)
    if shown(at) == local:
        return at
    # It does not come. Reckoned by the offset of afterwards it is before clocks go forward, by that
    # of before it is after; they do so at a whole second in between.
    local, at = local.replace(microsecond=0), at.replace(microsecond=0)
    before = local.replace(tzinfo=wall, fold=1).astimezone(UTC)
    seconds = range((at - before) // _SECOND)
    passed = bisect_right(seconds, local, key=lambda after: shown(before + after * _SECOND))
    return before + passed * _SECOND


def _starts(window: Window, wall: ZoneInfo, first: datetime, last: datetime) -> Iterator[datetime]:
    """Answer when a window begins, by the clock on the wall, from `first` to before `last`."""
    rule = window.recurrence
    if rule is None:
        if first <= window.start < last:
            yield window.start
        return
    # What is counted is counted from the start.
    begun = takewhile(
        lambda start: start < last and not _is_over(start, rule.until, wall),
        islice(
            _begun(window, rule, first if rule.count is None else window.start, last), rule.count
        ),
    )
    yield from (start for start in begun if first <= start)


def _is_over(start: datetime, until: datetime | None, wall: ZoneInfo) -> bool:
    if until is None:
        return False
    return (start if until.tzinfo is None else _instant(start, wall)) > until


@lru_cache(maxsize=4096)
def _never_comes(window: Window, zone: str) -> bool:
    """Answer whether a window does not come in all of the calendar's 400 years."""
    rule = window.recurrence
    if rule is None:
        return False
    try:
        first = next(_begun(window, rule, window.start, window.start), None)
    except ValueError:
        # Of hours that the interval steps over dateutil makes no rule.
        return True
    return first is None or _is_over(first, rule.until, ZoneInfo(zone))


def _begun(window: Window, rule: Recurrence, first: datetime, last: datetime) -> Iterator[datetime]:
    """Answer every begin from about `first` on; until `last` and beyond.

    It is reckoned in years just before the last that `dateutil` knows: there it gives up, and else
    would look for what does not come again through eight thousand years.
    """
    later = _CYCLE * ((MAXYEAR - 400 - last.year) // 400)
    begin = _period(window.start, rule, max(first, window.start)) + later
    for start in rrule.rrule(dtstart=begin, **_parts(window.start, rule)):
        if start - later >= window.start:
            yield start - later


def _period(start: datetime, rule: Recurrence, first: datetime) -> datetime:
    """Answer a moment in the last period that the rule counts, at or before `first`.

    In a week it is the first, as `dateutil` takes what is left of it for the whole.
    """
    every = rule.interval
    match rule.frequency:
        case Frequency.YEARLY:
            years = (first.year - start.year) // every * every
            return datetime(start.year + years, 1, 1)  # noqa: DTZ001 - by the clock on the wall
        case Frequency.MONTHLY:
            months = (first.year - start.year) * 12 + first.month - start.month
            years, month = divmod(start.month - 1 + months // every * every, 12)
            return datetime(start.year + years, month + 1, 1)  # noqa: DTZ001 - as above
        case Frequency.WEEKLY:
            into = timedelta(days=(start.weekday() - rule.week_start) % 7)
            begin, step = start.replace(hour=0, minute=0, second=0) - into, timedelta(weeks=every)
        case Frequency.DAILY:
            begin, step = start, timedelta(days=every)
        case Frequency.HOURLY:
            begin, step = start, timedelta(hours=every)
    return begin + (first - begin) // step * step


def _parts(start: datetime, rule: Recurrence) -> dict[str, Any]:
    """Answer the parts of a rule for `dateutil`, with all that follows from the start written out.

    So it does not matter where in a period `dateutil` is told to begin.
    """
    of = rule.frequency
    dayless = not (rule.days or rule.month_days or rule.year_days)
    in_month = dayless and of in {Frequency.YEARLY, Frequency.MONTHLY}
    days = [rrule.weekday(day, nth or None) for day, nth in rule.days]
    return {
        "freq": getattr(rrule, of),
        "interval": rule.interval,
        "wkst": rule.week_start,
        "bymonth": rule.months or (start.month if dayless and of is Frequency.YEARLY else None),
        "bymonthday": rule.month_days or (start.day if in_month else None),
        "byyearday": rule.year_days or None,
        "byweekday": days or (start.weekday() if dayless and of is Frequency.WEEKLY else None),
        "byhour": rule.hours or (None if of is Frequency.HOURLY else start.hour),
        "byminute": rule.minutes or start.minute,
        "bysecond": start.second,
        "bysetpos": rule.positions or None,
    }
