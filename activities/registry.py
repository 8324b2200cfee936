"""Every activity a worker registers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .assess import Assessing
from .authenticate import Authenticating
from .budgets import Reserving
from .checks import Checking
from .comments import Commenting
from .dependencies import Depending
from .dispatch import Dispatching
from .execute import Executing
from .outside import Outside
from .preview import Previewing
from .record import Recording
from .resolve import Resolving
from .schedule import Scheduling
from .supersede import Superseding
from .temporal import Reconciling, Telling


def all_activities(outside: Outside) -> Sequence[Callable[..., Any]]:
    """Answer the activities, each with what it needs of the outside."""
    recording, checking, telling = Recording(outside), Checking(outside), Telling(outside)
    return [
        Assessing(outside).assess_request,
        Authenticating(outside).authenticate,
        Resolving(outside).resolve_version,
        Scheduling(outside).next_window,
        Depending(outside).read_dependencies,
        Reserving(outside).reserve_quota,
        checking.run_check,
        checking.file_check,
        Executing(outside).execute_mutation,
        recording.record_outcome,
        recording.record_progress,
        Superseding(outside).supersede_request,
        Commenting(outside).store_comment,
        Previewing(outside).preview_mutation,
        Dispatching(outside).dispatch_side_effects,
        telling.read_signal_times,
        telling.send_wakeups,
        Reconciling(outside).reconcile,
    ]
