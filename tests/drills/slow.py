"""Domains whose one mutation takes its time: a worker can be stopped in the midst of it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from core import Applied
from tests.support.box import Add, Box, make

BEGUN = "SLOW_BEGUN"
"""The variable that names the file to which a byte is added whenever the mutation begins."""


class SlowAdd(Add):
    """Add, slowly; yet within the time of an attempt in a workflow task."""

    def apply(self, state: Box) -> Box | Applied[Box]:
        with Path(os.environ[BEGUN]).open("ab") as begun:
            begun.write(b".")
        time.sleep(0.7)
        return super().apply(state)


local_first = make("slow", mutations=(SlowAdd,))
remote = make("remote-slow", mutations=(SlowAdd,), run="remote")
