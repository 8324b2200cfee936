"""How a request shows itself in the Temporal web UI and in visibility."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

from core.governance.request import MutationRequest
from wire import search_attributes
from wire.search_attributes import AttributeValue
from wire.words import current


class Presence:
    """What was shown last; only what differs is written again."""

    def __init__(self) -> None:
        """Begin with what the caller set at the start."""
        self._shown: dict[str, AttributeValue] = {}

    def details(self, request: MutationRequest) -> None:
        """Show the present in words; costs no event."""
        workflow.set_current_details(current(request))

    def attributes(self, request: MutationRequest) -> None:
        """Make the request findable as it is; one event, none when nothing differs."""
        wanted = search_attributes.of(request)
        changed = {key: value for key, value in wanted.items() if self._shown.get(key) != value}
        if changed:
            workflow.upsert_search_attributes([_update(k, v) for k, v in changed.items()])
            self._shown = wanted


def _update(name: str, value: AttributeValue) -> SearchAttributeUpdate[Any]:
    if isinstance(value, datetime):
        return SearchAttributeKey.for_datetime(name).value_set(value)
    if isinstance(value, list):
        return SearchAttributeKey.for_keyword_list(name).value_set(value)
    return SearchAttributeKey.for_keyword(name).value_set(value)
