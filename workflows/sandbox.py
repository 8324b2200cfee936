"""The rules under which workflow code runs, in a worker and in a replay alike."""

from __future__ import annotations

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

PASSED_THROUGH = ("core", "wire", "pydantic", "pydantic_core", "annotated_types", "rfc8785")
"""Modules shared with the process: pure ones, held to that by lint and by a test over their syntax.

Passing them through costs a sixth of the memory and a quarter of the time of loading them anew for
every workflow; no author's module is ever imported here.
"""


def sandboxed() -> SandboxedWorkflowRunner:
    """Answer the runner with the sandbox on."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    )
