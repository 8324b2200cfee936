"""The real Temporal server of the tests, from its wheel."""

from __future__ import annotations

import sysconfig
from datetime import timedelta
from pathlib import Path

from temporalio.common import SearchAttributeKey
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from client.plugin import client_plugin
from wire.search_attributes import REGISTRY

TEMPORAL = Path(sysconfig.get_path("scripts")) / "temporal"

POLL_FASTER = (
    "history.transferProcessorMaxPollRPS=5000",
    "history.visibilityProcessorMaxPollRPS=5000",
    "history.timerProcessorMaxPollRPS=5000",
    'history.timerProcessorMaxTimeShift="10ms"',
    "frontend.WorkflowTimeSkippingEnabled=true",
)

_KEYS = {
    "Keyword": SearchAttributeKey.for_keyword,
    "KeywordList": SearchAttributeKey.for_keyword_list,
    "Datetime": SearchAttributeKey.for_datetime,
}


async def start_server(*settings: str) -> WorkflowEnvironment:
    """Start a server whose workflows can be moved forward in time, each by itself.

    Args:
        settings: Dynamic settings of the server besides, as `name=value`.
    """
    return await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False),
        dev_server_existing_path=str(TEMPORAL),
        dev_server_log_level="error",
        # The 5 s of the SDK are too few where the server is read from a cold disk.
        dev_server_startup_timeout=timedelta(minutes=1),
        search_attributes=[_KEYS[type_](name) for name, type_ in REGISTRY.items()],
        dev_server_extra_args=[
            word
            for setting in (*POLL_FASTER, *settings)
            for word in ("--dynamic-config-value", setting)
        ],
        plugins=[client_plugin()],
    )
