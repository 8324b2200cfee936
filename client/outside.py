"""What the client reaches: Temporal, and the read-only side of the store where one was given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from temporalio.client import Client, WorkflowHandle

from core.errors import UnknownRequest
from core.governance.request import MutationRequest
from store.records import Records
from wire.messages import MAX_ID, RequestResult
from wire.names import TASK_QUEUE

from .errors import NoStore

T = TypeVar("T")


@dataclass(frozen=True)
class Outside:
    """Temporal and, perhaps, the store of record.

    Attributes:
        records: Without them what has left Temporal is unknown, and lists cannot be read.
        task_queue: Where the workers listen.
    """

    client: Client
    records: Records | None = None
    task_queue: str = TASK_QUEUE

    def handle(self, request_id: str) -> WorkflowHandle[object, RequestResult]:
        """Answer a handle on the request's workflow, whichever run it is in.

        Raises:
            UnknownRequest: No request can have that id.
        """
        if not 0 < len(request_id) <= MAX_ID:
            raise UnknownRequest(request_id)
        return self.client.get_workflow_handle(request_id, result_type=RequestResult)

    async def recorded(self, request_id: str) -> MutationRequest | None:
        """Answer what the store holds of a request; nothing where there is no store.

        Raises:
            StoreUnavailable: It cannot be reached.
        """
        if self.records is None:
            return None
        return await asyncio.to_thread(self.records.request, request_id)

    async def read(self, question: str, ask: Callable[[Records], T]) -> T:
        """Ask the store in a thread.

        Args:
            question: What is asked, for the sentence when there is no store.

        Raises:
            NoStore: None was given.
            StoreUnavailable: It cannot be reached.
        """
        if self.records is None:
            raise NoStore(question)
        return await asyncio.to_thread(ask, self.records)
