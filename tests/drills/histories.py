"""Tells of a request whose history begins anew: just before, and when it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.workflow import _Definition

from tests.drills import points


def told_of_new_histories(reached: Callable[[str], None]) -> SimplePlugin:
    """Answer a worker's plugin that tells which of the two points is reached."""

    def wrap(runner: WorkflowRunner | None) -> WorkflowRunner:
        assert runner is not None
        return _Runner(runner, reached)

    return _Histories("histories", workflow_runner=wrap)


class _Histories(SimplePlugin):
    """A type of its own: the SDK warns of two plugins of one type."""


class _Runner(WorkflowRunner):
    def __init__(self, runner: WorkflowRunner, reached: Callable[[str], None]) -> None:
        self._runner = runner
        self._reached = reached

    def prepare_workflow(self, defn: _Definition) -> None:
        self._runner.prepare_workflow(defn)

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        self._runner.set_worker_level_failure_exception_types(types)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = self._runner.create_instance(det)
        go_on, continues = instance.activate, det.info.continued_run_id is not None

        def activate(activation: WorkflowActivation) -> Any:
            if continues and activation.history_length <= FIRST_TASK:
                self._reached(points.CONTINUED)
            completion = go_on(activation)
            for command in completion.successful.commands:
                if command.HasField("continue_as_new_workflow_execution"):
                    self._reached(points.CONTINUING)
            return completion

        cast("Any", instance).activate = activate
        return instance


FIRST_TASK = 3
"""Events when the first task of a run is handed out: run started; task scheduled and started."""
