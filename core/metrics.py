"""What one run cost, and what many did; durations in seconds."""

from __future__ import annotations

from collections import Counter, deque
from math import ceil
from typing import TYPE_CHECKING, Any

from pydantic import Field

from .errors import DefinitionError
from .model import Value
from .observers import Observer

if TYPE_CHECKING:
    from .context import ExecutionContext
    from .result import ExecutionResult


class Metrics(Value):
    """The cost of one run.

    Attributes:
        stages: Seconds by stage (policies, check, apply, changes).
        total: Seconds of the whole run.
        policies: How many policies were asked.
        changes: How many changes resulted.
        state_bytes: Size of the new state's canonical document, where the options ask for it.
        by_policy: Seconds by policy, where the options ask for it.
    """

    stages: dict[str, float] = Field(default_factory=dict)
    total: float = 0.0
    policies: int = 0
    changes: int = 0
    state_bytes: int | None = None
    by_policy: dict[str, float] = Field(default_factory=dict)


class Summary(Value):
    """Many durations in a few figures, in seconds.

    `count`, `min`, `mean` and `max` are of all of them; the percentiles of the newest (see
    `Durations`). A percentile is the least measured duration that so many per cent do not exceed,
    so it is never one that nobody measured.
    """

    count: int = 0
    min: float = 0.0
    mean: float = 0.0
    max: float = 0.0
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0


class Durations:
    """Durations as they come, in bounded memory.

    Args:
        window: How many of the newest are kept for the percentiles, 1 or more.

    Raises:
        DefinitionError: The window holds nothing.
    """

    def __init__(self, window: int = 4096) -> None:
        if window < 1:
            message = f"A window of durations holds 1 or more, not {window}."
            raise DefinitionError(message)
        self.count = 0
        self.least = self.most = self.sum = 0.0
        self._newest: deque[float] = deque(maxlen=window)

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.least = min(self.least, seconds) if self.count else seconds
        self.most = max(self.most, seconds) if self.count else seconds
        self.count += 1
        self.sum += seconds
        self._newest.append(seconds)

    def summary(self) -> Summary:
        """Answer the figures; zeros where nothing was counted."""
        if not self.count:
            return Summary()
        ordered = sorted(self._newest)
        p50, p95, p99 = (ordered[ceil(len(ordered) * q / 100) - 1] for q in (50, 95, 99))
        mean = self.sum / self.count
        return Summary(
            count=self.count, min=self.least, mean=mean, max=self.most, p50=p50, p95=p95, p99=p99
        )


class Report(Value):
    """What many runs cost.

    Attributes:
        total: The durations of whole runs.
        stages: Those of each stage, over the runs that came to it; by stage.
        outcomes: How many runs ended how; by outcome.
        throughput: Runs a second, from the beginning of the first to the end of the last; 0 where
            no time passed.
    """

    total: Summary = Summary()
    stages: dict[str, Summary] = Field(default_factory=dict)
    outcomes: dict[str, int] = Field(default_factory=dict)
    throughput: float = 0.0


class Collector(Observer):
    """Collects what runs cost; hand it to an engine as an observer.

    Not for engines that run in several threads at once: give each its own.

    Args:
        window: How many of the newest durations are kept for the percentiles, 1 or more; the
            memory needed is so many numbers for the whole and for each stage.

    Raises:
        DefinitionError: The window holds nothing.
    """

    def __init__(self, window: int = 4096) -> None:
        self._window = window
        self._total = Durations(window)
        self._stages: dict[str, Durations] = {}
        self._outcomes: Counter[str] = Counter()
        self._began: float | None = None
        self._ended = 0.0

    def _take(self, result: ExecutionResult[Any], run: ExecutionContext) -> None:
        began, spent = run.started_at, result.metrics.total
        self._began = began if self._began is None else min(self._began, began)
        self._ended = max(self._ended, began + spent)
        self._outcomes[result.outcome.value] += 1
        self._total.add(spent)
        for stage, seconds in result.metrics.stages.items():
            self._stages.setdefault(stage, Durations(self._window)).add(seconds)

    after = blocked = invalid = failed = _take

    def report(self) -> Report:
        """Answer what was collected until now."""
        elapsed = 0.0 if self._began is None else self._ended - self._began
        return Report(
            total=self._total.summary(),
            stages={name: each.summary() for name, each in sorted(self._stages.items())},
            outcomes=dict(sorted(self._outcomes.items())),
            throughput=self._total.count / elapsed if elapsed > 0 else 0.0,
        )
