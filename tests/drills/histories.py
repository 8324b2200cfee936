"""Tells of a request whose history begins anew: just before, and when it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowInstanceDetails

from tests.drills import points
from tests.support.tasks import Activate, activated

FIRST_TASK = 3
"""Events when the first task of a run is handed out: run started; task scheduled and started."""


def told_of_new_histories(reached: Callable[[str], None]) -> SimplePlugin:
    """Answer a worker's plugin that tells which of the two points is reached."""

    def around(det: WorkflowInstanceDetails, go_on: Activate) -> Activate:
        continues = det.info.continued_run_id is not None

        def activate(activation: WorkflowActivation) -> Any:
            if continues and activation.history_length <= FIRST_TASK:
                reached(points.CONTINUED)
            completion = go_on(activation)
            for command in completion.successful.commands:
                if command.HasField("continue_as_new_workflow_execution"):
                    reached(points.CONTINUING)
            return completion

        return activate

    return activated(around)
