"""One page of requests under any filter, by indexes that stand in the order of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, literal, select, tuple_, union, union_all

from .protocol import RequestFilter
from .schema import awaiting, endings, requests


def page_of(
    wanted: RequestFilter, shown: ColumnElement[Any], *, limit: int, after: str | None
) -> Select[Any]:
    """Answer the statement for one page, newest first.

    A filter by several tokens or several statuses reads the newest of each of them and merges:
    no index holds them in one order.

    Args:
        wanted: Which requests.
        shown: What to answer of each.
        limit: The most to answer.
        after: The last id of the page before; an unknown one has nothing after it.
    """
    if wanted.awaiting:
        ways = [_awaiting(token, wanted) for token in dict.fromkeys(wanted.awaiting)]
    elif len(wanted.statuses) > 1:
        ways = [_status((status,), wanted) for status in dict.fromkeys(wanted.statuses)]
    else:
        ways = [_status(wanted.statuses, wanted)]
    newest = _merged([_page(way, limit, after) for way in ways], distinct=bool(wanted.awaiting))
    asked = (
        select(shown)
        .select_from(
            newest.join(requests, requests.c.request_id == newest.c.request_id).outerjoin(
                endings, endings.c.request_id == newest.c.request_id
            )
        )
        .order_by(newest.c.created_at.desc(), newest.c.request_id.desc())
    )
    return asked.limit(limit)


def _awaiting(token: str, wanted: RequestFilter) -> Select[Any]:
    way = select(awaiting.c.created_at, awaiting.c.request_id).where(
        awaiting.c.token == literal(token.lower())
    )
    rest = _narrowed(wanted, wanted.statuses)
    if rest:
        way = way.join(requests, requests.c.request_id == awaiting.c.request_id).where(*rest)
    return way


def _status(statuses: Sequence[str], wanted: RequestFilter) -> Select[Any]:
    way = select(requests.c.created_at, requests.c.request_id).where(*_narrowed(wanted, statuses))
    return way.where(~requests.c.ended) if wanted.open_only else way


def _narrowed(wanted: RequestFilter, statuses: Sequence[str]) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.state_id is not None:
        found.append(requests.c.state_id == literal(wanted.state_id))
    if wanted.requester is not None:
        found.append(requests.c.requester == literal(wanted.requester.lower()))
    if statuses:
        found.append(requests.c.status.in_(statuses))
    return found


def _page(way: Select[Any], limit: int, after: str | None) -> Select[Any]:
    created_at, request_id = way.selected_columns
    if after is not None:
        last = (
            select(requests.c.created_at)
            .where(requests.c.request_id == literal(after))
            .scalar_subquery()
        )
        way = way.where(tuple_(created_at, request_id) < tuple_(last, literal(after)))
    return way.order_by(created_at.desc(), request_id.desc()).limit(limit)


def _merged(ways: Sequence[Select[Any]], *, distinct: bool) -> Any:
    if len(ways) == 1:
        return ways[0].subquery()
    # A part with an order of its own must be a table of its own: SQLite takes it no other way.
    parts = [select(way.subquery()) for way in ways]
    return (union if distinct else union_all)(*parts).subquery()
