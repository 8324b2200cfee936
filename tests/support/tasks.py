"""Workflow tasks a test watches: told before a workflow is handed the answer of an activity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.workflow import _Definition

Told = Callable[[str, bool], None]
"""Told an activity's name and whether it was local. When it raises, the workflow task fails."""


Activate = Callable[[WorkflowActivation], Any]


def activated(around: Callable[[WorkflowInstanceDetails, Activate], Activate]) -> SimplePlugin:
    """Answer a worker's plugin that does something around every activation of a workflow.

    Args:
        around: Answers what is done in place of the activation that it is handed.
    """

    def wrap(runner: WorkflowRunner | None) -> WorkflowRunner:
        assert runner is not None
        return _Runner(runner, around)

    # A type of its own for each: the SDK warns of two plugins of one type.
    own: type[SimplePlugin] = type("Activated", (SimplePlugin,), {})
    return own("activated", workflow_runner=wrap)


def watched(tell: Told) -> SimplePlugin:
    """Answer a worker's plugin that tells of every answer, however workflows are run."""

    def around(_: WorkflowInstanceDetails, go_on: Activate) -> Activate:
        asked: dict[int, tuple[str, bool]] = {}

        def activate(activation: WorkflowActivation) -> Any:
            for job in activation.jobs:
                if job.HasField("resolve_activity") and not activation.is_replaying:
                    tell(*asked[job.resolve_activity.seq])
            completion = go_on(activation)
            for command in completion.successful.commands:
                remote, local = command.schedule_activity, command.schedule_local_activity
                for ask, is_local in ((remote, False), (local, True)):
                    if ask.activity_type:
                        asked[ask.seq] = (ask.activity_type, is_local)
            return completion

        return activate

    return activated(around)


class _Runner(WorkflowRunner):
    def __init__(
        self,
        runner: WorkflowRunner,
        around: Callable[[WorkflowInstanceDetails, Activate], Activate],
    ) -> None:
        self._runner = runner
        self._around = around

    def prepare_workflow(self, defn: _Definition) -> None:
        self._runner.prepare_workflow(defn)

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        self._runner.set_worker_level_failure_exception_types(types)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = self._runner.create_instance(det)
        cast("Any", instance).activate = self._around(det, instance.activate)
        return instance
