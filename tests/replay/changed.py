"""Workflows as a careless change would make them: what waits can no longer be replayed."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from wire.messages import RequestResult
    from wire.names import WORKFLOW_TYPE

from workflows.mutation_request import MutationRequestWorkflow


@workflow.defn(name=WORKFLOW_TYPE)
class NotesBeforeItAssesses(MutationRequestWorkflow):
    """Asks for another activity first."""

    @workflow.init
    def __init__(self, *payloads: Any) -> None:
        super().__init__(*payloads)

    @workflow.run
    async def run(self, *payloads: Any) -> RequestResult:
        return await super().run(*payloads)

    async def _assess(self) -> None:
        await self._note(0)
        await super()._assess()
