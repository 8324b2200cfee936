"""What the rules of a greenhouse need from outside."""

from __future__ import annotations

from datetime import timedelta

from core import Fact, FactQuestion

from .mutations import MoveVents

WEATHER = {"north": -3, "south": 12}
"""Degrees outside; a service elsewhere, for all that the rules know."""


async def outside(question: FactQuestion) -> int:
    """Ask how warm it is where the greenhouse stands."""
    return WEATHER[question.state_id.partition("/")[2]]


FACTS = (
    Fact("outside", outside, timeout=0.2, max_age=timedelta(minutes=5), applies_to=(MoveVents,)),
)
