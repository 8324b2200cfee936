"""What a recorded history says was asked: in workflow tasks, and remotely."""

from __future__ import annotations

import json
from collections.abc import Iterator

from temporalio.client import WorkflowHistory

LOCAL_ACTIVITY = "core_local_activity"
"""The marker that the SDK records for an activity that ran in a workflow task."""


def asked_remotely(history: WorkflowHistory) -> list[str]:
    """Answer the activities that were scheduled, in their order."""
    return [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


def asked_locally(history: WorkflowHistory) -> list[str]:
    """Answer the activities that ran in workflow tasks, in their order; failed ones too."""
    return [name for name, _ in _locally(history)]


def failed_locally(history: WorkflowHistory) -> list[str]:
    """Answer the activities whose attempt in a workflow task brought nothing."""
    return [name for name, failed in _locally(history) if failed]


def _locally(history: WorkflowHistory) -> Iterator[tuple[str, bool]]:
    for event in history.events:
        marker = event.marker_recorded_event_attributes
        if marker.marker_name == LOCAL_ACTIVITY:
            said = json.loads(marker.details["data"].payloads[0].data)
            yield said["activity_type"], marker.HasField("failure")
