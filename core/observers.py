"""Observers watch a run and never alter it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from .errors import AUTHORS
from .secrets import told

if TYPE_CHECKING:
    from .context import ExecutionContext, MutationContext
    from .mutation import Intent, Mutation
    from .result import ExecutionResult
    from .survey import Survey


class Observer:
    """Override the hooks you need; lower `order` first, after-hooks in reverse.

    One that raises is recorded in the result and changes nothing; the time that observers take is
    none of the run's. One that alters what it is shown before the run makes it fail, by name.
    """

    order: int = 0

    def applies(self, intent: Intent, context: MutationContext) -> bool:
        """Answer whether this run is watched."""
        return True

    def before(self, mutations: Sequence[Mutation[Any]], run: ExecutionContext) -> None:
        """See a run begin."""

    def after(self, result: ExecutionResult[Any], run: ExecutionContext) -> None:
        """See a run succeed."""

    def blocked(self, result: ExecutionResult[Any], run: ExecutionContext) -> None:
        """See policies refuse a run."""

    def invalid(self, result: ExecutionResult[Any], run: ExecutionContext) -> None:
        """See a check refuse a run."""

    def failed(self, result: ExecutionResult[Any], run: ExecutionContext) -> None:
        """See a run fail, time out or be cancelled."""


class Logger(Protocol):
    """What the logging observer needs of a logger; the standard library's fits."""

    def info(self, msg: str, *args: object) -> None:
        """Write one line."""


class LoggingObserver(Observer):
    """Writes one line for every ending to the logger it is handed."""

    def __init__(self, logger: Logger) -> None:
        """Keep the logger."""
        self._logger = logger

    def _line(self, result: ExecutionResult[Any], run: ExecutionContext) -> None:
        self._logger.info(
            "%s %s on %s: %s after %.6f s",
            run.execution_id,
            result.intent.operation,
            result.audit.subject.state_id,
            result.outcome.value,
            run.elapsed(),
        )

    after = blocked = invalid = failed = _line


def notify(
    observers: Sequence[Observer],
    hook: Callable[[Observer], None],
    failures: list[str],
    secret: Sequence[Survey] = (),
) -> None:
    """Call a hook on each observer; keep what one raises and go on.

    Args:
        observers: In the order in which they are called.
        hook: Calls one.
        failures: Takes a sentence for each that raised.
        secret: What of the run is secret: then only the type of an error is told.
    """
    for observer in observers:
        try:
            hook(observer)
        except AUTHORS as error:  # watching must never change what is watched
            failures.append(f"{type(observer).__name__}: {told(error, secret)}")
