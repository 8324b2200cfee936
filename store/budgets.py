"""Room in budgets, on a database: who has it, who waits for it, and what it is used for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, Double, bindparam, case, cast, func, select

from core.budgets import Share, Use, lets_pass, share

from . import documents, rows, waiting, writing
from .database import Together
from .protocol import Ended, Outdated, Queued, Reservation, Reserved
from .schema import IDLE, RESERVED, WAITING, requests, reservations

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
_CLAIMS = (
    select(reservations)
    .where(_row.request_id == bindparam("request_id"), _row.consumed_at.is_(None))
    .order_by(_row.budget, _row.position)
)
_DECIDED = select(requests.c.decision_number).where(
    requests.c.request_id == bindparam("request_id")
)
_LAST_PLACE = select(func.coalesce(func.max(_row.position), 0)).where(*_open)
_OPEN = select(
    func.coalesce(func.sum(case((_row.state == RESERVED, _amount))), 0).label("reserved"),
    func.coalesce(
        func.sum(
            case(((_row.state == WAITING) & (_row.position < bindparam("position")), _amount))
        ),
        0,
    ).label("ahead"),
).where(*_open, _row.request_id != bindparam("asker", ""))
_COMMITTED = (
    select(_row.consumed_at, _row.amount, func.sum(_amount).over().label("total"))
    .where(_row.budget == bindparam("budget"), _row.consumed_at > bindparam("since"))
    .order_by(_row.consumed_at, _row.position, _row.request_id, _row.requirement_id)
    .limit(bindparam("most"))
)


def reserving(
    wanted: Reservation,
) -> Callable[[Connection, Together], Reserved | Queued | Outdated | Ended]:
    """Answer the transaction that asks for room; locks in the order request, budgets by key."""
    key = {"request_id": wanted.request_id}

    def transaction(at: Connection, together: Together) -> Reserved | Queued | Outdated | Ended:
        if writing.lock_known(at, wanted.request_id):
            return Ended(writing.standing(at, wanted.request_id, ended=True))
        decided = at.execute(_DECIDED, key).scalar_one()
        if wanted.decision_number is not None and wanted.decision_number < decided:
            return Outdated(decided)
        claims = {row["requirement_id"]: {**row} for row in at.execute(_CLAIMS, key).mappings()}
        for each in wanted.all:
            if each.requirement_id in claims:
                waiting.raise_unless_same_budget(each, claims[each.requirement_id]["budget"])
        if all(_is_reserved(claims.get(each.requirement_id)) for each in wanted.all):
            reserved_at = claims[wanted.requirement_id]["reserved_at"]
            return Reserved(at=documents.read_moment(reserved_at))
        for budget in sorted(
            {each.budget for each in wanted.all} | {each["budget"] for each in claims.values()}
        ):
            writing.lock_budget(at, budget)
        uses = _uses(at, wanted, claims)
        shares = tuple(
            Share(has_room=True, next_window=each.until)
            if _is_reserved(claims.get(each.requirement_id))
            else share(use, each.amount, each.limit, slides=each.slides, until=each.until)
            for each, use in zip(wanted.all, uses, strict=True)
        )
        room = all(each.has_room for each in shares)
        asked = {
            each.requirement_id: rows.reservation_row(
                each, 0, state=RESERVED if room else IDLE if passed else WAITING
            )
            for each, passed in zip(wanted.all, lets_pass(shares), strict=True)
        }
        _stand(at, claims, asked, together)
        if room:
            known = claims.get(wanted.requirement_id)
            since = known["reserved_at"] if known and _is_reserved(known) else None
            return Reserved(at=documents.read_moment(since) if since else wanted.at)
        return Queued(
            uses[0],
            tuple(
                (each.requirement_id, use)
                for each, use, found in zip(wanted.beside, uses[1:], shares[1:], strict=True)
                if not found.has_room
            ),
        )

    return transaction


def _is_reserved(claim: rows.Row | None) -> bool:
    return claim is not None and claim["state"] == RESERVED


def _stand(
    at: Connection,
    claims: dict[str, rows.Row],
    asked: dict[str, rows.Row],
    together: Together,
) -> None:
    """Write what is asked for; whoever asks for more than it has places for goes behind."""
    if asked.keys() <= claims.keys():
        together()
        for key, row in asked.items():
            known = claims[key]
            stays = known["state"] == row["state"] == RESERVED
            if not stays and (known["state"], known["amount"]) != (row["state"], row["amount"]):
                writing.update_claim(at, row)
        return
    anew = claims | {
        key: row
        for key, row in asked.items()
        if not (_is_reserved(row) and _is_reserved(claims.get(key)))
    }
    last = {budget: _last(at, budget) for budget in {row["budget"] for row in anew.values()}}
    together()
    if claims:
        writing.leave(at, next(iter(asked.values()))["request_id"], staying=())
    for row in anew.values():
        last[row["budget"]] += 1
        writing.add_claim(at, row | {"position": last[row["budget"]]})


def _last(at: Connection, budget: str) -> int:
    return int(at.execute(_LAST_PLACE, {"budget": budget}).scalar_one())


def _uses(at: Connection, wanted: Reservation, claims: dict[str, rows.Row]) -> list[Use]:
    """Read what locked budgets are used for, for each of those that a request asks for.

    Of two that the same request wants of one budget, the second finds the first before it.
    """
    is_anew = any(each.requirement_id not in claims for each in wanted.all)
    found = []
    for number, each in enumerate(wanted.all):
        own = [
            claim["amount"]
            for key, claim in claims.items()
            if key != each.requirement_id
            and claim["budget"] == each.budget
            and claim["state"] == RESERVED
        ]
        before = [
            other.amount
            for other in wanted.all[:number]
            if other.budget == each.budget and not _is_reserved(claims.get(other.requirement_id))
        ]
        position = _LAST if is_anew else claims[each.requirement_id]["position"]
        use = _use(at, each, position)
        found.append(
            use.model_copy(
                update={"reserved": use.reserved + sum(own), "ahead": use.ahead + sum(before)}
            )
        )
    return found


def _use(at: Connection, wanted: Reservation, position: int) -> Use:
    """Read what is used of a locked budget by others.

    What is open is read first: what is consumed between the two is counted twice rather than not
    at all, and whoever consumed it tells those who wait.
    """
    asked = {"budget": wanted.budget, "position": position, "asker": wanted.request_id}
    live = at.execute(_OPEN, asked).one()
    since = documents.moment(wanted.since)
    window = {"budget": wanted.budget, "since": since, "most": waiting.MOST_USES}
    used = at.execute(_COMMITTED, window).all()
    return waiting.use_of(
        [(documents.read_moment(each.consumed_at), each.amount) for each in used],
        total=int(used[0].total) if used else 0,
        reserved=int(live.reserved),
        ahead=int(live.ahead),
    )
