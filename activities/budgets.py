"""Asks for room in budgets; where their windows begin is reckoned here, in the zone they name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from temporalio import activity

from core.budgets import Budget, Use, can_all_again, share
from core.errors import InvalidValue, UnknownRequest
from core.governance.people import SYSTEM
from core.governance.request import Finding, MutationRequest
from core.governance.waits import quotas_beside
from core.requirements import Requirement
from store.protocol import Ended, Outdated, Queued, Reservation
from wire.asks import LookAt, LookedAt
from wire.names import Activity

from .asked import LATER, UNREADABLE, demanded, not_yet
from .outside import Outside
from .states import read_as

FOR_EVER: Final = timedelta(days=366 * 100)
"""The longest window that slides; a longer one is as long."""

SOON: Final = timedelta(seconds=1)
"""When to ask again for a request that was changing while it was asked for."""

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
        found = reserve_beside(self.outside, ask.request, state.requirement, ask.at)
        if isinstance(found, Ended):
            return LookedAt(ended=found.request, waiters=found.waiters)
        return LookedAt(finding=found)


def reserve(
    outside: Outside, request_id: str, requirement: Requirement, at: datetime
) -> Finding | Ended:
    """Ask for the room that a request wants, as the record shows it now; see `reserve_beside`.

    Args:
        outside: The store, and the domains whose states are budgets.
        request_id: Who wants it.
        requirement: The quota that demands it.
        at: The present.
    """
    if not requirement.is_whole:
        return not_yet(requirement.id, at, "it does not say which budget")
    request = outside.store.request(request_id)
    if request is None:
        raise UnknownRequest(request_id)
    known = request.requirement(requirement.id)
    if not request.status.is_terminal and (known is None or known.status != "open"):
        return not_yet(requirement.id, at, "it is not asked for now")
    return reserve_beside(outside, request, requirement, at)


def reserve_beside(
    outside: Outside, request: MutationRequest, requirement: Requirement, at: datetime
) -> Finding | Ended:
    """Ask for the room that a requirement wants, and for what the request needs beside it.

    All of them have room or none has any, so that nobody keeps from others what is of no use yet.

    Args:
        outside: The store, and the domains whose states are budgets.
        request: Who wants it; where the record has decided more, nothing is asked for.
        requirement: The quota that demands it.
        at: The workflow's time.
    """
    if not requirement.is_whole:
        return not_yet(requirement.id, at, "it does not say which budget")
    wanted = (requirement, *quotas_beside(request, requirement))
    try:
        own, *beside = (_asked(outside, request, each, at) for each in wanted)
    except UNREADABLE as error:
        return not_yet(
            requirement.id, at, f"the budget cannot be read: {error.message}", at + LATER
        )
    asked = own.model_copy(update={"beside": tuple(beside)})
    match outside.store.reserve(asked):
        case Ended() as ended:
            return ended
        case Outdated():
            return not_yet(
                requirement.id, at, "the request has changed since; it is asked again", at + SOON
            )
        case Queued() as queued:
            return not_yet(requirement.id, at, _lacking(asked, queued), _again(asked, queued))
        case _:
            reason = f"{own.amount} of {own.limit} reserved in {own.budget}"
            return Finding(
                verdict="holds", at=at, binding=requirement.id, actor_id=SYSTEM, reason=reason
            )


def _asked(
    outside: Outside, request: MutationRequest, requirement: Requirement, at: datetime
) -> Reservation:
    wanted = requirement.wanted
    budget = wanted.budget or read_as(outside, wanted.budget_id or "", Budget)
    since, until = window_of(budget, at)
    return Reservation(
        request_id=request.request_id,
        requirement_id=requirement.id,
        budget=wanted.key,
        amount=wanted.amount,
        limit=budget.limit,
        since=since,
        at=at,
        until=until,
        slides=budget.per if isinstance(budget.per, timedelta) else None,
        decision_number=request.decision_number,
    )


def _again(asked: Reservation, queued: Queued) -> datetime | None:
    """Answer when to ask again: when all can have room, as none has any before.

    Who asks for several looks again before that as well: what was found for one of them may be
    known before another is looked at, and until then room is kept that is of no use.
    """
    uses = {asked.requirement_id: queued.use, **dict(queued.beside)}
    shares = [
        share(
            uses[each.requirement_id], each.amount, each.limit, slides=each.slides, until=each.until
        )
        for each in asked.all
        if each.requirement_id in uses
    ]
    again_at = can_all_again(shares)
    if not asked.beside:
        return again_at
    return min(again_at or asked.at + LATER, asked.at + LATER)


def _lacking(asked: Reservation, queued: Queued) -> str:
    own = _full(queued.use, asked.amount, asked.limit)
    others = [each.budget for each in asked.beside if each.requirement_id in dict(queued.beside)]
    return f"{own}; none in {', '.join(others)}, and all is taken at once" if others else own


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
