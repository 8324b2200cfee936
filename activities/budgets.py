"""Asks for room in budgets; where their windows begin is reckoned here, in the zone they name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from temporalio import activity

from core.budgets import Budget, Use, room_again
from core.errors import InvalidValue
from core.governance.people import SYSTEM
from core.governance.request import Finding
from core.requirements import Requirement
from store.protocol import Ended, Queued, Reservation
from wire.asks import LookAt, LookedAt
from wire.names import Activity

from .asked import LATER, UNREADABLE, demanded
from .outside import Outside
from .states import read_as

FOR_EVER: Final = timedelta(days=366 * 100)
"""The longest window that slides; a longer one is as long."""

_HOUR: Final = timedelta(hours=1)
_LEAST: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Reserving:
    """The activity `reserve_quota`."""

    outside: Outside

    @activity.defn(name=Activity.RESERVE_QUOTA, no_thread_cancel_exception=True)
    def reserve_quota(self, ask: LookAt) -> LookedAt:
        """Take room in a budget, or a place among those who wait for it."""
        state = demanded(self.outside, ask)
        if isinstance(state, LookedAt):
            return state
        found = reserve(self.outside, ask.request.request_id, state.requirement, ask.at)
        if isinstance(found, Ended):
            return LookedAt(ended=found.request, waiters=found.waiters)
        return LookedAt(finding=found)


def reserve(
    outside: Outside, request_id: str, requirement: Requirement, at: datetime
) -> Finding | Ended:
    """Ask for the room that a request wants; whoever asked first has its place kept.

    Args:
        outside: The store, and the domains whose states are budgets.
        request_id: Who wants it.
        requirement: The quota that demands it.
        at: The workflow's time.
    """

    def not_yet(reason: str, again_at: datetime | None) -> Finding:
        return Finding(
            verdict="not_yet",
            at=at,
            binding=requirement.id,
            actor_id=SYSTEM,
            reason=reason,
            again_at=again_at,
        )

    if not requirement.is_whole:
        return not_yet("it does not say which budget", None)
    wanted = requirement.wanted
    try:
        budget = wanted.budget or read_as(outside, wanted.budget_id or "", Budget)
        since, next_period = window_of(budget, at)
    except UNREADABLE as error:
        return not_yet(f"the budget cannot be read: {error.message}", at + LATER)
    asked = Reservation(
        request_id=request_id,
        requirement_id=requirement.id,
        budget=wanted.key,
        amount=wanted.amount,
        limit=budget.limit,
        since=since,
        at=at,
    )
    match outside.store.reserve(asked):
        case Ended() as ended:
            return ended
        case Queued(use):
            slides = budget.per if isinstance(budget.per, timedelta) else None
            again_at = room_again(
                use, wanted.amount, budget.limit, slides=slides, next_period=next_period
            )
            return not_yet(_full(use, wanted.amount, budget.limit), again_at)
        case _:
            reason = f"{wanted.amount} of {budget.limit} reserved in {wanted.key}"
            return Finding(
                verdict="holds", at=at, binding=requirement.id, actor_id=SYSTEM, reason=reason
            )


def _full(use: Use, amount: int, limit: int) -> str:
    left = max(0, limit - use.reserved - sum(each for _, each in use.committed))
    ahead = f", {use.ahead} asked earlier" if use.ahead else ""
    never = "; it never has so much" if amount > limit else ""
    return f"{left} of {limit} left, {amount} wanted{ahead}{never}"


def window_of(budget: Budget, at: datetime) -> tuple[datetime, datetime]:
    """Answer after which instant commits count, and when the window is a new one; in UTC.

    A window that slides ends now: what was committed one window ago counts no more. A calendar
    period begins with its first instant, and what is committed at that instant is in it, so the
    answer is the last microsecond before. Where clocks go forward or back a period is as long as
    the clock on the wall says: a day of 23 or 25 hours, and the hour that comes twice is two.

    Args:
        budget: Its window, and the zone of calendar periods.
        at: The present; aware.

    Raises:
        InvalidValue: There is no such time zone.
    """
    at = at.astimezone(UTC)
    if isinstance(budget.per, timedelta):
        slides = min(budget.per, FOR_EVER)
        return at - slides, at + slides
    zone = _zone(budget.timezone)
    if budget.per == "hour":
        since, until = _hour(at, zone)
    else:
        first, following = _PERIODS[budget.per](at.astimezone(zone).date())
        since, until = _begin(first, zone), _begin(following, zone)
    return since - _LEAST, until


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise InvalidValue(
            f"There is no time zone {name!r}; name one as the IANA database does, "
            "such as Europe/Rome.",
            path="/timezone",
        ) from error


def _hour(at: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Answer the last instant at which the clock showed a full hour, and the next one.

    Looked for again where the clock was set by less than an hour in between.
    """
    since = at
    while past := _past_the_hour(since, zone):
        since -= past
    until = since + _HOUR
    while past := _past_the_hour(until, zone):
        until += _HOUR - past
    return since, until


def _past_the_hour(at: datetime, zone: tzinfo) -> timedelta:
    local = at.astimezone(zone)
    return timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


def _begin(day: date, zone: tzinfo) -> datetime:
    """Answer the first instant of a day; where midnight is left out, that at which it would be."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _day(today: date) -> tuple[date, date]:
    return today, today + timedelta(days=1)


def _week(today: date) -> tuple[date, date]:
    monday = today - timedelta(days=today.weekday())
    return monday, monday + timedelta(days=7)


def _month(today: date) -> tuple[date, date]:
    first = today.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


_PERIODS: Final[dict[str, Callable[[date], tuple[date, date]]]] = {
    "day": _day,
    "week": _week,
    "month": _month,
}
