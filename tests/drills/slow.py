"""A domain whose one mutation takes its time: a worker can be stopped in the midst of it."""

from __future__ import annotations

import time

from core import Applied
from tests.support.box import Add, Box, make


class SlowAdd(Add):
    """Add, slowly."""

    def apply(self, state: Box) -> Box | Applied[Box]:
        time.sleep(1)
        return super().apply(state)


domain = make("slow", mutations=(SlowAdd,))
