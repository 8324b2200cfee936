"""What the tests of single activities share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.activities.desk import Desk, opened


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """The activities on a store in a file of its own."""
    with opened(tmp_path) as made:
        yield made
