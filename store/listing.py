"""One page of requests under any filter, by indexes that stand in the order of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, literal, select, tuple_, union, union_all

from .protocol import RequestFilter
from .schema import awaiting, endings, requests

_MOST_WAYS = 100
"""Tokens asked for one by one; databases bound how many questions are one."""


def page_of(
    wanted: RequestFilter, shown: ColumnElement[Any], *, limit: int, after: str | None
) -> Select[Any]:
    """Answer the statement for one page, newest first.

    Several tokens, or several statuses, are asked for one by one and merged: no index holds them
    in one order. An inbox narrowed to a state or requester is looked for among the few of these.

    Args:
        wanted: Which requests.
        shown: What to answer of each.
        limit: The most to answer.
        after: The last id of the page before; an unknown one has nothing after it.
    """
    tokens = dict.fromkeys(token.lower() for token in wanted.awaiting)
    few = wanted.state_id is not None or wanted.requester is not None
    if tokens and not few and len(tokens) <= _MOST_WAYS:
        ways = [_inbox(token, wanted) for token in tokens]
    else:
        ways = [_way(statuses, wanted) for statuses in _apart(wanted.statuses)]
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


def _inbox(token: str, wanted: RequestFilter) -> Select[Any]:
    """Answer who waits for a token; its rows are in the order of the page already."""
    way = select(awaiting.c.created_at, awaiting.c.request_id).where(
        awaiting.c.token == literal(token)
    )
    if wanted.statuses:
        way = way.join(requests, requests.c.request_id == awaiting.c.request_id).where(
            requests.c.status.in_(wanted.statuses)
        )
    return way


def _way(statuses: Sequence[str], wanted: RequestFilter) -> Select[Any]:
    """Answer requests of a state, a requester, a status, or all."""
    way = select(requests.c.created_at, requests.c.request_id)
    if wanted.state_id is not None:
        way = way.where(requests.c.state_id == literal(wanted.state_id))
    if wanted.requester is not None:
        way = way.where(requests.c.requester == literal(wanted.requester.lower()))
    if statuses:
        way = way.where(requests.c.status.in_(statuses))
    if wanted.open_only:
        way = way.where(~requests.c.ended)
    if wanted.awaiting:
        way = way.where(
            exists().where(
                awaiting.c.token.in_([token.lower() for token in wanted.awaiting]),
                awaiting.c.created_at == requests.c.created_at,
                awaiting.c.request_id == requests.c.request_id,
            )
        )
    return way


def _apart(statuses: Sequence[str]) -> list[tuple[str, ...]]:
    return [(status,) for status in dict.fromkeys(statuses)] or [()]


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
