"""Start a request, once: the same id with the same content joins, with other content is refused.

The workflow id is the request id. While Temporal remembers it, the content's digest in the memo
tells whether a second start means the same wish; after its retention the store does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from temporalio.client import WorkflowExecutionDescription
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from core.errors import RequestIdReused
from core.governance.request import Wish
from core.model import Value
from wire import search_attributes, words
from wire.messages import Start
from wire.names import CONTENT_DIGEST_MEMO, WORKFLOW_TYPE

from . import reading
from .outside import Outside
from .translate import in_our_words

MAX_SUMMARY_BYTES = 380
"""The server takes 400 bytes, encoded."""


class Submitted(Value):
    """The request that stands for a wish.

    Attributes:
        joined: It was there before, with the same content; nothing was started.
    """

    request_id: str
    joined: bool = False


async def submit(outside: Outside, start: Start, *, known_id: bool) -> Submitted:
    """Start the request, or join the one that is the same.

    Args:
        known_id: Whether the id came from the caller; a fresh one need not be looked for.

    Raises:
        RequestIdReused: The id belongs to other content.
        ServerUnavailable: No server answers; the same call may be made again.
    """
    wish = start.wish()
    digest = wish.content_digest()
    request_id = str(start.request_id)
    if known_id:
        recorded = await outside.recorded(request_id)
        if recorded is not None:
            return _joined(request_id, digest, recorded.content_digest)
    with in_our_words(outside.client):
        try:
            await outside.client.start_workflow(
                WORKFLOW_TYPE,
                start.model_dump(mode="json", exclude_defaults=True),
                id=request_id,
                task_queue=outside.task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                memo={CONTENT_DIGEST_MEMO: digest},
                search_attributes=attributes_of(wish),
                static_summary=_cut(words.summary_of(wish)),
                static_details=words.details_of(wish),
            )
        except WorkflowAlreadyStartedError:
            return _joined(request_id, digest, await _running_digest(outside, request_id))
    return Submitted(request_id=request_id)


def attributes_of(wish: Wish) -> TypedSearchAttributes:
    """Answer the search attributes a request starts with."""
    return TypedSearchAttributes(list(_pairs(search_attributes.at_start(wish))))


def _pairs(
    values: Mapping[str, search_attributes.AttributeValue],
) -> Iterator[SearchAttributePair[Any]]:
    for name, value in values.items():
        if isinstance(value, datetime):
            yield SearchAttributePair(SearchAttributeKey.for_datetime(name), value)
        elif isinstance(value, str):
            yield SearchAttributePair(SearchAttributeKey.for_keyword(name), value)
        elif value:
            yield SearchAttributePair(SearchAttributeKey.for_keyword_list(name), value)


async def _running_digest(outside: Outside, request_id: str) -> str | None:
    """Answer the digest of the content that holds the id: its memo, its record, its workflow."""
    with in_our_words(outside.client, request_id=request_id):
        described: WorkflowExecutionDescription = await outside.handle(request_id).describe()
        in_memo = await described.memo_value(CONTENT_DIGEST_MEMO, None, type_hint=str)
    if in_memo is not None:
        return in_memo
    request = await reading.known(outside, request_id)
    return request.content_digest if request else None


def _joined(request_id: str, wanted: str, found: str | None) -> Submitted:
    if found != wanted:
        raise RequestIdReused(request_id)
    return Submitted(request_id=request_id, joined=True)


def _cut(text: str) -> str:
    return text.encode()[:MAX_SUMMARY_BYTES].decode(errors="ignore")
