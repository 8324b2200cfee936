"""An activity whose worker lives is left alone, however long it takes.

What happens to a dead worker's activities stands in `test_killed_worker.py`.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import ActivityFailureError
from temporalio.common import RetryPolicy

from core.governance.request import WishedMutation
from tests.support import box
from tests.support.world import World
from wire.asks import Preview, PreviewMutation
from wire.names import Activity


async def preview(world: World) -> Preview:
    """Ask for something that takes longer than a worker may be silent."""
    found: Preview = await world.client.execute_activity(
        Activity.PREVIEW_MUTATION,
        PreviewMutation(
            state_id=f"box/{world.fresh('s')}",
            mutations=(WishedMutation(type="Add", parameters={"key": "x"}),),
            actor_id="ana",
            at=datetime.now(UTC),
        ),
        id=world.fresh("preview"),
        task_queue=world.task_queue,
        result_type=Preview,
        start_to_close_timeout=timedelta(seconds=10),
        heartbeat_timeout=timedelta(seconds=1),
        retry_policy=RetryPolicy(maximum_attempts=1),
    )
    return found


async def test_slow_author_code_is_not_taken_for_a_dead_worker(world: World) -> None:
    box.KNOBS.sleep = 1.9

    found = await preview(world)

    assert found.rejection is None


async def test_code_that_blocks_the_store_is_not_taken_for_a_dead_worker(world: World) -> None:
    world.hooks.hooks["view.before"] = lambda: time.sleep(2.5)

    assert (await preview(world)).rejection is None


async def test_without_signs_of_life_it_would_be(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.alive.SIGNS", 0.1)
    box.KNOBS.sleep = 1.9

    with pytest.raises(ActivityFailureError):
        await preview(world)
