"""How much may be committed in a window of time, and when there is room again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field

from .calendars import TimeZone
from .model import Value

Period = Literal["hour", "day", "week", "month"]


class Budget(Value):
    """A limit on what is committed in a window.

    Attributes:
        limit: How much; executions, or whole units of whatever is counted, such as cents.
        per: A duration, more than nothing: the window slides, and ends now. Or the name of a
            calendar period.
        timezone: Where calendar periods begin; weeks begin on Monday.
    """

    limit: int = Field(ge=0, le=10**15)
    per: Annotated[timedelta, Field(gt=timedelta(0))] | Period
    timezone: TimeZone = "UTC"

    def describe(self) -> str:
        """Answer in words how much may be committed, and in what window."""
        window = f"in {_span(self.per)}" if isinstance(self.per, timedelta) else f"per {self.per}"
        return f"{self.limit} {window}"


class Quota(Value):
    """What a quota requirement demands: room for an amount in a budget.

    Attributes:
        key: Which budget: whoever names the same key shares it. A policy writes into it whatever
            the budget is for: a state, an actor, a category.
        amount: How much this request takes.
        budget: The budget itself.
        budget_id: Or the id of a state that is one, read whenever it is looked at.
    """

    key: str = Field(min_length=1, max_length=200)
    amount: int = Field(default=1, ge=1, le=10**15)
    budget: Budget | None = None
    budget_id: str | None = None

    def describe(self) -> str:
        """Answer in words what is demanded."""
        of = self.budget.describe() if self.budget else f"as {self.budget_id} says"
        return f"{self.amount} of the budget {self.key} ({of})"


class Use(Value):
    """What a budget is used for, as the store has it when somebody asks for room.

    Attributes:
        committed: What was committed in the window: when, and how much; oldest first.
        reserved: How much is reserved by others and not committed yet.
        ahead: How much those ask for who asked earlier and wait.
    """

    committed: tuple[tuple[datetime, int], ...] = ()
    reserved: int = 0
    ahead: int = 0

    def has_room(self, amount: int, limit: int) -> bool:
        """Answer whether it fits, with everybody who asked earlier served first."""
        taken = sum(each for _, each in self.committed)
        return taken + self.reserved + self.ahead + amount <= limit


def room_again(
    use: Use, amount: int, limit: int, *, slides: timedelta | None, next_period: datetime
) -> datetime | None:
    """Answer the earliest moment at which there can be room; nothing where only others can tell.

    Nor is there one that no calendar has, where many wait for room in a window of centuries. It is
    never too late: others may give room back earlier, and whoever waits is told then.

    Args:
        use: What was found.
        amount: How much is wanted.
        limit: The budget's.
        slides: How long the window is, where it slides.
        next_period: When the next calendar period begins; where it slides, `slides` from now.
    """
    wanted = use.reserved + use.ahead + amount
    if amount > limit:
        return None
    if slides is None:
        return next_period
    left = sum(each for _, each in use.committed)
    # Those ahead fill the budget before there is room, each time for as long as the window is.
    begins, times = next_period, -(-wanted // limit) - 2
    for at, each in _oldest_first(use.committed):
        left -= each
        if left + wanted <= limit:
            begins, times = at, 1
            break
    try:
        return begins + slides * times
    except OverflowError:
        return None


class Share(NamedTuple):
    """What a request that asks in several budgets at once finds in one of them.

    Attributes:
        has_room: Whether what it wants of this one fits.
        again_at: Where it does not, when it can at the earliest; `None`: only others can tell.
        next_window: When what is committed now counts no more; `None`: nobody says.
    """

    has_room: bool
    again_at: datetime | None = None
    next_window: datetime | None = None


def share(
    use: Use, amount: int, limit: int, *, slides: timedelta | None, until: datetime | None
) -> Share:
    """Answer what is found in one of several budgets; see `room_again`, where `until` is known."""
    if use.has_room(amount, limit):
        return Share(has_room=True, next_window=until)
    again_at = until and room_again(use, amount, limit, slides=slides, next_period=until)
    return Share(has_room=False, again_at=again_at, next_window=until)


def can_all_again(shares: Iterable[Share]) -> datetime | None:
    """Answer the earliest moment at which all can have room; nothing where only others can tell."""
    return None if (at := _last(shares)) == _NEVER else at


def lets_pass(shares: Sequence[Share]) -> tuple[bool, ...]:
    """Answer in which budgets whoever asked later may pass a request that cannot have all now.

    In each budget the order is that of asking, and a place keeps room from all who come later:
    else two requests could take from each other for ever what a third needs at once. But room is
    kept only where that helps. Who waits for the first of the next month stands in nobody's way in
    an hourly budget: what others commit there counts no more by then. Once the month has come it
    is overtaken nowhere, and waits an hour at most for what has passed. Where it waits longest it
    lets nobody pass.
    """
    last = _last(shares)
    return tuple(
        (share.has_room or (share.again_at or _NEVER) < last)
        and share.next_window is not None
        and share.next_window <= last
        for share in shares
    )


_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def _last(shares: Iterable[Share]) -> datetime:
    waits = (share.again_at or _NEVER for share in shares if not share.has_room)
    return max(waits, default=_NEVER)


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _oldest_first(committed: Iterable[tuple[datetime, int]]) -> list[tuple[datetime, int]]:
    return sorted(committed, key=lambda each: each[0])
