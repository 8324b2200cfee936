"""Who waits for what, on a database: by the tokens in `awaiting`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, bindparam, exists, func, literal_column, select

from core.governance.request import MutationRequest, Status

from . import documents
from .protocol import Standing
from .schema import awaiting, endings, requests
from .waiting import is_compensated

_REQUEST = "request:"
_AFTER = "request;"
"""What comes after every token that begins with `_REQUEST`."""

_some: Any = bindparam("some", expanding=True)

_two: tuple[Any, Any] = (bindparam("one"), bindparam("other"))
# Few ask for more than two, and a list of any length is made into a statement each time.
ANYBODY: Select[Any] = (
    select(literal_column("1"))
    .select_from(awaiting)
    .where(awaiting.c.token.in_(_two))
    .limit(literal_column("1"))
)

TOLD_BY = (
    select(awaiting.c.created_at, awaiting.c.request_id)
    .where(awaiting.c.token.in_(_some))
    .distinct()
    .order_by(awaiting.c.created_at, awaiting.c.request_id)
    .limit(bindparam("limit"))
)

# From the few that wait to what they wait for: most endings are of requests nobody waits for.
UNTOLD = (
    select(awaiting.c.created_at, awaiting.c.request_id)
    .where(
        awaiting.c.token >= _REQUEST,
        awaiting.c.token < _AFTER,
        exists().where(endings.c.request_id == func.substr(awaiting.c.token, len(_REQUEST) + 1)),
    )
    .distinct()
    .order_by(awaiting.c.created_at, awaiting.c.request_id)
    .limit(bindparam("limit"))
)

STANDINGS = (
    select(
        requests.c.request_id,
        requests.c.status,
        requests.c.created_at,
        endings.c.document.label("record"),
    )
    .select_from(requests.outerjoin(endings, endings.c.request_id == requests.c.request_id))
    .where(requests.c.request_id.in_(_some))
)


def standing(row: Any) -> Standing:
    """Read where a request stands."""
    has_executed = row.status == Status.EXECUTED.value
    return Standing(
        request_id=row.request_id,
        status=row.status,
        created_at=documents.read_moment(row.created_at),
        compensated=has_executed and is_compensated(documents.read(MutationRequest, row.record)),
    )
