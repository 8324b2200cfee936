"""Side effects are handed to their handlers; one that fails is tried again, then out of the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.dispatch import MAX_ATTEMPTS, Dispatching
from core.governance.request import WishedMutation
from tests.activities.desk import Desk, opened, run
from wire.asks import Dispatched, DispatchSideEffects

HALF = os.fsdecode(b"caf\xe9")
"""The name of a file on an old disk: no encoding of Unicode holds its last character."""

PUT = (WishedMutation(type="Put", parameters={"key": "x", "value": 1}),)


def dispatch(desk: Desk) -> Dispatched:
    ask = DispatchSideEffects(state_id="box/a")
    answer: Dispatched = run(Dispatching(desk.outside).dispatch_side_effects, ask)
    return answer


def raising(error: BaseException) -> Callable[..., None]:
    def handler(*_: Any) -> None:
        raise error

    return handler


class Unreadable(Exception):
    def __str__(self) -> str:
        raise SystemExit("nobody asks")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConnectionError("it is not there"), "ConnectionError: it is not there"),
        (SystemExit("bye"), "SystemExit: bye"),
        (FileNotFoundError(HALF), r"FileNotFoundError: caf\udce9"),
        (ValueError("a\0b"), r"ValueError: a\x00b"),
        (Unreadable(), "Unreadable"),
    ],
)
def test_g9_a_handler_that_fails_for_good_is_not_in_the_way_whatever_it_raises(
    tmp_path: Path, error: BaseException, says: str
) -> None:
    with opened(tmp_path, handlers={"box.changed": raising(error)}) as desk:
        desk.executed("r", mutations=PUT)

        for attempt in range(1, MAX_ATTEMPTS):
            with pytest.raises(ApplicationError) as refused:
                dispatch(desk)
            assert refused.value.message.endswith(f": {says}")
            assert [each.attempts for each in desk.store.undelivered("box/a")] == [attempt]

        assert dispatch(desk) == Dispatched(failed=1, more=True)
        assert desk.store.undelivered("box/a") == []
