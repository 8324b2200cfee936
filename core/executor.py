"""Runs `apply`, and nothing else: no policies, no audit, no observers."""

from __future__ import annotations

from typing import Any

from .context import ExecutionContext
from .effects import SideEffect
from .errors import WrongType
from .mutation import Applied, Mutation, S


def run(
    mutation: Mutation[S], state: S, state_type: type[S], execution: ExecutionContext
) -> tuple[S, tuple[SideEffect, ...]]:
    """Apply one mutation within the run's deadline; late means nothing.

    Raises:
        ExecutionTimeout: The deadline passed before or while it ran.
        ExecutionCanceled: The run was cancelled before or while it ran.
        WrongType: `apply` answered with something else than the state's type, or side effects
            that are none.
        Exception: Whatever the mutation itself raises.
    """
    execution.raise_if_over()
    answer: Any = mutation.apply(state)
    execution.raise_if_over()
    side_effects: tuple[Any, ...]
    after, side_effects = (
        (answer.state, tuple(answer.side_effects)) if isinstance(answer, Applied) else (answer, ())
    )
    if not isinstance(after, state_type):
        message = (
            f"{mutation.name()}.apply answered {type(after).__name__}; "
            f"it must answer {state_type.__name__}."
        )
        raise WrongType(message, mutation_type=mutation.name())
    for each in side_effects:
        if not isinstance(each, SideEffect):
            message = f"{mutation.name()}.apply answered a {type(each).__name__} as a side effect."
            raise WrongType(message, mutation_type=mutation.name())
    return after, side_effects
