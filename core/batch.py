"""Several changes of one state, one run and one version each: stop at a failure, or go on.

Mutations that belong together, all or nothing, are one run: hand `Engine.execute` the sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from .audit import Subject
from .context import MutationContext, never
from .engine import Engine
from .errors import AUTHORS
from .facts import Facts
from .mutation import Mutation, S
from .policy import Policy
from .result import ExecutionResult, Outcome


@dataclass(frozen=True, slots=True)
class BatchResult(Generic[S]):
    """What became of a batch.

    Attributes:
        results: One for each step that was run, in order, also of those that failed.
        state: The state after the last step that succeeded; as it was given where none did.
        version: Its version; one more for every committed step that changed something.
        skipped: How many steps were not run, after a failure or a cancellation.
        canceled: Whether the batch was cancelled; what it did until then is in the results.
    """

    results: tuple[ExecutionResult[S], ...]
    state: S
    version: int
    skipped: int = 0
    canceled: bool = False

    @property
    def is_success(self) -> bool:
        """Answer whether every step succeeded; a cancelled batch never did."""
        return not (self.canceled or self.skipped or self.failures)

    @property
    def failures(self) -> tuple[int, ...]:
        """Answer the positions, from 0, of the steps that were run and did not succeed."""
        return tuple(n for n, result in enumerate(self.results) if not result.is_success)

    @property
    def reason(self) -> str | None:
        """Say why the batch did not succeed, one sentence a step; `None` where it did."""
        if self.is_success:
            return None
        steps = len(self.results) + self.skipped
        said = [f"Step {n + 1} of {steps} {_how(self.results[n])}." for n in self.failures]
        if self.canceled:
            said.append("The batch was cancelled.")
        if self.skipped:
            said.append(f"{self.skipped} of {steps} steps were not run.")
        return " ".join(said)


def execute_batch(
    engine: Engine,
    steps: Sequence[Mutation[S] | Sequence[Mutation[S]]],
    state: S,
    *,
    context: MutationContext,
    facts: Facts,
    policies: Sequence[Policy] = (),
    subject: Subject | None = None,
    stop_on_first_failure: bool | None = None,
    canceled: Callable[[], bool] = never,
) -> BatchResult[S]:
    """Run the steps one after the other, each on the state that those before it led to.

    Each step is a run of its own, with its own execution id, deadline and result. A step that
    fails changes nothing. An empty batch is a success that changes nothing.

    Args:
        engine: Runs each step.
        steps: A mutation, or several that are one change, all or nothing.
        state: The state before. It is not altered.
        context: Who asks and why; its mode says how far each step goes. In mode validate no state
            comes of a step, so each is validated on the state given.
        facts: What the policies are told at every step.
        policies: Asked at every step.
        subject: What the first step is about; in mode commit the version rises with the steps.
        stop_on_first_failure: Whether a failure ends the batch; otherwise the other steps are run,
            best effort. `None`: as the engine's options have it.
        canceled: Answers whether the batch has been cancelled; asked before, in and after every
            step. It ends the batch in any case; where it raises, so does not knowing.

    Returns:
        A result for every ending, with what was done until then.
    """
    stop = stop_on_first_failure
    if stop is None:
        stop = engine.options.stop_batch_on_first_failure
    subject = subject or Subject(state_id="")
    results: list[ExecutionResult[S]] = []
    over = _is_over(canceled)
    for step in steps:
        if over or (stop and results and not results[-1].is_success):
            break
        result = engine.execute(
            step,
            state,
            context=context,
            facts=facts,
            policies=policies,
            subject=subject,
            canceled=canceled,
        )
        results.append(result)
        if result.is_success and result.state is not None:
            state = result.state
        if result.history is not None:
            subject = subject.model_copy(update={"version": result.history.version})
        over = result.outcome is Outcome.CANCELED or _is_over(canceled)
    return BatchResult(
        tuple(results), state, subject.version, skipped=len(steps) - len(results), canceled=over
    )


def _is_over(canceled: Callable[[], bool]) -> bool:
    try:
        return canceled()
    except AUTHORS:  # nobody knows whether it may go on, so it does not
        return True


def _how(result: ExecutionResult[S]) -> str:
    """Say how a step ended and what determined it."""
    if result.audit.error is not None:
        why = result.audit.error
    elif result.outcome is Outcome.INVALID:
        why = "; ".join(issue.message for issue in result.issues if issue.is_error)
    elif result.ruling.denials:
        why = "; ".join(f"{d.policy}: {d.reason}" for d in result.ruling.denials)
    else:
        why = f"it needs {'; '.join(r.describe() for r in result.unmet)}"
    return f"ended {result.outcome.value.replace('_', ' ')}: {why.rstrip('.')}"
