"""The sandbox in which recorded histories are replayed, so that it finds what must not be there.

A worker runs the workflows outside of it: they are our own, small and pure, held to that by
lint, by a test over their syntax, and by the replays, which load every workflow module inside the
sandbox. Why, and what that costs and saves, is told in `docs/decisions`.
"""

from __future__ import annotations

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

PASSED_THROUGH = ("core", "wire", "pydantic", "pydantic_core", "annotated_types", "rfc8785")
"""Modules shared with the process: pure ones. No author's module is ever imported here."""


def sandboxed() -> SandboxedWorkflowRunner:
    """Answer the runner with the sandbox on."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    )
