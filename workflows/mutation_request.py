"""The workflow of a request: its type, its beginning and its end; the story is in `story`."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from wire.messages import RequestResult
    from wire.names import WORKFLOW_TYPE

    from .story import Story


@workflow.defn(name=WORKFLOW_TYPE)
class MutationRequestWorkflow(Story):
    """One request, from its submission to its ending."""

    @workflow.init
    def __init__(self, *payloads: Any) -> None:
        """Read the wish, before any signal is delivered."""
        super().__init__(*payloads)

    @workflow.run
    async def run(self, *payloads: Any) -> RequestResult:
        """Live the story to its end."""
        return await self.live()
