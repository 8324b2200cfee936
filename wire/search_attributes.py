"""The one registry of search attributes: names, types, and how a request fills them.

`python -m wire.search_attributes` prints `NAME TYPE` lines for whoever creates them on a server.
An unregistered attribute refuses the start; an oversized one terminates the workflow: so ids are
cut to 200 characters and everything to 2,000 bytes as the server counts them, a list ending in
`more`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from core.governance.request import MutationRequest, Wish

KEYWORD: Final = "Keyword"
KEYWORD_LIST: Final = "KeywordList"
DATETIME: Final = "Datetime"

STATUS: Final = "MutationStatus"
STATE_ID: Final = "MutationStateId"
TYPE: Final = "MutationType"
CATEGORY: Final = "MutationCategory"
RISK: Final = "MutationRisk"
REQUESTER: Final = "MutationRequester"
PENDING_REASONS: Final = "MutationPendingReasons"
APPROVERS: Final = "MutationApprovers"
TAGS: Final = "MutationTags"
EXPIRES_AT: Final = "MutationExpiresAt"

REGISTRY: Final[dict[str, str]] = {
    STATUS: KEYWORD,
    STATE_ID: KEYWORD,
    TYPE: KEYWORD,
    CATEGORY: KEYWORD,
    RISK: KEYWORD,
    REQUESTER: KEYWORD,
    PENDING_REASONS: KEYWORD_LIST,
    APPROVERS: KEYWORD_LIST,
    TAGS: KEYWORD_LIST,
    EXPIRES_AT: DATETIME,
}

MAX_ID: Final = 200
MAX_BYTES: Final = 2000
MORE: Final = "more"

AttributeValue = str | list[str] | datetime


def at_start(wish: Wish) -> dict[str, AttributeValue]:
    """Answer the attributes a request starts with."""
    types = {m.type for m in wish.mutations}
    return {
        STATUS: "Created",
        STATE_ID: _id(wish.state_id),
        TYPE: "batch" if len(wish.mutations) > 1 else _cut(next(iter(types))),
        REQUESTER: _id(wish.actor_id),
        TAGS: _list(wish.tags),
    }


def of(request: MutationRequest) -> dict[str, AttributeValue]:
    """Answer the attributes of a request as it is."""
    values: dict[str, AttributeValue] = {
        STATUS: request.status.value,
        STATE_ID: _id(request.state_id),
        TYPE: "batch" if len(request.mutations) > 1 else _cut(request.mutations[0].type),
        REQUESTER: _id(request.context.actor_id),
        PENDING_REASONS: _list(
            each.kind for reason in request.pending for each in reason.leaves() if each.open
        ),
        APPROVERS: _list(request.awaiting),
        TAGS: _list(request.tags),
        EXPIRES_AT: request.expires_at,
    }
    if request.intent is not None:
        values[CATEGORY] = _cut(request.intent.category)
        values[RISK] = request.intent.risk.value
    return values


def _cut(text: str) -> str:
    text = text[:MAX_ID]
    while _size(text) > MAX_BYTES:
        text = text[:-1]
    return text


def _size(text: str) -> int:
    """Answer the bytes of a text as the server counts them: encoded, and escaped to ASCII."""
    return len(json.dumps(text))


def _id(text: str) -> str:
    return _cut(text.lower())


def _list(items: Iterable[str]) -> list[str]:
    kept: list[str] = []
    size = 0
    for item in dict.fromkeys(_id(item) for item in items):
        size += _size(item) + 1
        if size > MAX_BYTES - _size(MORE) - 1:
            return [*kept, MORE]
        kept.append(item)
    return kept


def main() -> None:
    """Print the registry."""
    for name, type_ in REGISTRY.items():
        sys.stdout.write(f"{name} {type_}\n")


if __name__ == "__main__":
    main()
