"""What crosses from an activity into Temporal's history: a name and a sentence, nothing else."""

from __future__ import annotations

from typing import Any, cast

import pytest
from temporalio.exceptions import ApplicationError

from activities.crossing import ErrorsCross
from core.errors import InvalidValue, StoreUnavailable

DOCUMENT = '{"token": "hush-hush"}'


class Failing:
    """An activity that fails as the store does when a driver fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def execute_activity(self, input: Any) -> Any:  # noqa: A002 - the SDK's name
        raise self._error from ValueError(f"INSERT INTO states [parameters: {DOCUMENT}]")


@pytest.mark.parametrize(
    ("error", "retried"),
    [(StoreUnavailable("It is away."), True), (InvalidValue("It is odd.", path="/a"), False)],
)
async def test_an_error_crosses_by_name_without_what_caused_it(
    error: Exception, retried: bool
) -> None:
    crossing = ErrorsCross().intercept_activity(cast("Any", Failing(error)))

    with pytest.raises(ApplicationError) as crossed:
        await crossing.execute_activity(cast("Any", None))

    assert crossed.value.type == type(error).__name__
    assert crossed.value.message == str(error)
    assert crossed.value.non_retryable is not retried
    assert crossed.value.__cause__ is None
    assert crossed.value.__suppress_context__
