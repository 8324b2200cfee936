"""The engine's settings, with their presets."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .model import Value

Seconds = Annotated[float, Field(gt=0, le=3600)]


class Options(Value):
    """How the engine runs.

    Attributes:
        always_validate: Check in simulate as well; commit and validate always check.
        timeout: Seconds a run may take.
        fact_timeout: Seconds one attempt to look a fact up may take, where the fact names none.
        stop_batch_on_first_failure: Whether a batch of steps ends with the first that fails.
        detailed_metrics: Whether each policy's duration and the new state's size are kept.
        check_determinism: Apply twice and compare; names who altered what was given, too.
    """

    always_validate: bool = True
    timeout: Seconds = 5.0
    fact_timeout: Seconds = 2.0
    stop_batch_on_first_failure: bool = True
    detailed_metrics: bool = False
    check_determinism: bool = False


DEFAULT = Options()
STRICT = Options(detailed_metrics=True, check_determinism=True)
PERFORMANCE = Options(always_validate=False)
