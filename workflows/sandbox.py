"""The rules under which workflow code runs, in a worker and in a replay alike."""

from __future__ import annotations

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

PASSED_THROUGH = (
    "annotated_types",
    "core",
    "pydantic",
    "pydantic_core",
    "rfc8785",
    "wire",
    "workflows.asking",
    "workflows.doors",
    "workflows.inbox",
    "workflows.options",
    "workflows.presence",
    "workflows.story",
)
"""Modules shared with the process: pure ones, held to that by lint and by a test over their syntax.

What is not passed through is run anew for every workflow; that was a third of all the time a worker
spent. The modules that define workflows stay inside, and are small. No author's module is ever
imported here.
"""


def sandboxed() -> SandboxedWorkflowRunner:
    """Answer the runner with the sandbox on."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    )
