"""How long the workflow waits for what, and how patiently it asks; all durations are fixed here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.common import RetryPolicy

from wire.names import Activity

ASK: Final = timedelta(seconds=60)
"""One ask of the outside lasts at most this long, Temporal's retries included."""

ATTEMPT: Final = timedelta(seconds=10)
"""One attempt of an activity; those that run author code get the plan's timeout instead."""

HEARTBEAT: Final = timedelta(seconds=3)
"""How long a worker may show no sign of life before what it runs is asked again."""

NOTE: Final = timedelta(seconds=15)
"""How long keeping the store's picture may delay what comes next."""

SETTLE: Final = timedelta(seconds=5)
"""How long an update waits before it answers `settled: false`."""

QUEUE: Final = timedelta(seconds=1)
"""How long a request waits after others kept winning the race for its state."""

BACKOFF: Final = tuple(timedelta(minutes=m) for m in (1, 2, 4, 8, 15))
"""The pauses between asks that found no answer; the last one repeats."""

BOUNDED: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=10),
)
"""Retries within an ask."""

LOCAL_FIRST_SINCE: Final = datetime(2026, 11, 21, 11, tzinfo=UTC)
"""Requests that started before it go the way of then, as their histories say: all remotely.

The start is recorded in the history, so this branch costs no event; `workflow.patched` would cost
two, and another write of visibility, for every request. It was right once, before any release.
"""

GRANT_AT_ONCE_SINCE: Final = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
"""Requests that started before it look up who grants and carry out in two asks, as then."""

ONCE: Final = RetryPolicy(maximum_attempts=1)
"""A local attempt is one: what does not answer at once is asked remotely, visible and patient."""

NEVER_LOCAL: Final = frozenset(
    {
        Activity.READ_SIGNAL_TIMES,  # reads the history it would hold open
        Activity.RUN_CHECK,  # takes as long as it takes
        Activity.FILE_CHECK,
        Activity.SUPERSEDE_REQUEST,  # tells another workflow
    }
)
"""Asks that are not tried in the workflow task."""

PATIENT: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=30),
)
"""Retries of an ending: it is asked until the store has answered."""
