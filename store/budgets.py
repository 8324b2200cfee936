"""Room in budgets, on a database: who has it, who waits for it, and what it is used for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, Double, bindparam, case, cast, func, select

from core.budgets import Use

from . import documents, rows, waiting, writing
from .database import Together
from .protocol import Ended, Queued, Reservation, Reserved
from .schema import RESERVED, WAITING, reservations

_LAST: Final = 2**62
"""A place behind every other."""

_row = reservations.c
_open = (_row.budget == bindparam("budget"), _row.consumed_at.is_(None))
# Exact up to ten times the largest limit; beyond that there is no room, however much it is.
_amount = cast(_row.amount, Double)

CLAIM = select(_row.budget, _row.amount, _row.position, _row.state, _row.reserved_at).where(
    _row.request_id == bindparam("request_id"),
    _row.requirement_id == bindparam("requirement_id"),
)
QUEUE = (
    select(_row.request_id)
    .where(*_open, _row.state == WAITING)
    .group_by(_row.request_id)
    .order_by(func.min(_row.position))
    .limit(bindparam("limit"))
)
_OPEN = select(
    func.coalesce(func.max(_row.position), 0).label("last"),
    func.coalesce(func.sum(case((_row.state == RESERVED, _amount))), 0).label("reserved"),
    func.coalesce(
        func.sum(
            case(((_row.state == WAITING) & (_row.position < bindparam("position")), _amount))
        ),
        0,
    ).label("ahead"),
).where(*_open)
_COMMITTED = (
    select(_row.consumed_at, _row.amount, func.sum(_amount).over().label("total"))
    .where(_row.budget == bindparam("budget"), _row.consumed_at > bindparam("since"))
    .order_by(_row.consumed_at, _row.position, _row.request_id, _row.requirement_id)
    .limit(bindparam("most"))
)


def reserving(wanted: Reservation) -> Callable[[Connection, Together], Reserved | Queued | Ended]:
    """Answer the transaction that asks for room; locks in the order request, budget."""
    key = {"request_id": wanted.request_id, "requirement_id": wanted.requirement_id}

    def transaction(at: Connection, together: Together) -> Reserved | Queued | Ended:
        if writing.lock_known(at, wanted.request_id):
            return Ended(writing.standing(at, wanted.request_id, ended=True))
        claim = at.execute(CLAIM, key).first()
        if claim is not None:
            waiting.raise_unless_same_budget(wanted, claim.budget)
            if claim.state == RESERVED:
                return Reserved(at=documents.read_moment(claim.reserved_at))
        writing.lock_budget(at, wanted.budget)
        last, use = _use(at, wanted, _LAST if claim is None else claim.position)
        room = use.has_room(wanted.amount, wanted.limit)
        row = rows.reservation_row(wanted, last + 1, state=RESERVED if room else WAITING)
        together()
        if claim is None:
            writing.add_claim(at, row)
        elif (claim.state, claim.amount) != (row["state"], row["amount"]):
            writing.update_claim(at, row)
        return Reserved(at=wanted.at) if room else Queued(use)

    return transaction


def _use(at: Connection, wanted: Reservation, position: int) -> tuple[int, Use]:
    """Read the last place of a locked budget, and what is used of it.

    What is open is read first: what is consumed between the two is counted twice rather than not
    at all, and whoever consumed it tells those who wait.
    """
    live = at.execute(_OPEN, {"budget": wanted.budget, "position": position}).one()
    since = documents.moment(wanted.since)
    window = {"budget": wanted.budget, "since": since, "most": waiting.MOST_USES}
    used = at.execute(_COMMITTED, window).all()
    return live.last, waiting.use_of(
        [(documents.read_moment(each.consumed_at), each.amount) for each in used],
        total=int(used[0].total) if used else 0,
        reserved=int(live.reserved),
        ahead=int(live.ahead),
    )
