"""States are read for whoever asks; what their domain cannot say is a "no" that is named."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from activities.states import first_version
from core.errors import InvalidValue
from tests.activities.desk import opened


def exits(_: str) -> Any:
    sys.exit("not today")


def raises(_: str) -> Any:
    raise FileNotFoundError(os.fsdecode(b"caf\xe9"))


@pytest.mark.parametrize(
    ("initial", "says"),
    [
        (exits, "SystemExit: not today"),
        (raises, r"FileNotFoundError: caf\udce9"),
    ],
)
def test_g8_a_domain_that_cannot_say_how_a_state_begins_ends_the_request_by_name(
    tmp_path: Path, initial: Callable[[str], Any], says: str
) -> None:
    with opened(tmp_path, initial=initial) as desk:
        with pytest.raises(InvalidValue) as refused:
            first_version(desk.outside, desk.outside.domains.of("box/a"), "box/a")
        request = desk.open()

    assert refused.value.message.endswith(says)
    assert request.closing is not None
    assert request.closing.rejection is not None
    assert request.closing.rejection.code == "invalid_parameters"
    assert says in request.closing.rejection.message
