"""What every test of the core shares: modest random runs, and the nouns as fixtures."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

from core import Engine
from tests.core.builders import Clock, Ids

settings.register_profile(
    "modest",
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[p for p in Phase if p is not Phase.explain],
)
settings.register_profile("thorough", settings.get_profile("modest"), max_examples=1000)
# Few, and the same each time: for what holds altered lines, or lines that are run, to the tests.
settings.register_profile(
    "brief",
    settings.get_profile("modest"),
    max_examples=20,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "modest"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(clock: Clock) -> Engine:
    return Engine(clock=clock, new_id=Ids())
