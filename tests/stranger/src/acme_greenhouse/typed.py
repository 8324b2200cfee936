"""What a type checker knows of the door; nobody calls it, both checkers read it.

Every line marked as an error has to be one: a mark that is not needed is an error itself.
"""

from __future__ import annotations

from typing import assert_type

from pydantic import BaseModel

from core import (
    Applied,
    ChangeSet,
    Domain,
    Engine,
    ExecutionResult,
    Facts,
    Mutation,
    MutationContext,
    Policy,
    Requirement,
    all_of,
)

from . import domain
from .mutations import MoveVents, Sow, Warm
from .policies import may_vent, only_in_season
from .state import Greenhouse


class Shed(BaseModel):
    """Another state than a greenhouse."""


def typed(engine: Engine, house: Greenhouse, context: MutationContext, facts: Facts) -> None:
    """Say the types of what an author meets."""
    assert_type(domain, Domain[Greenhouse])
    assert_type(domain.mutation("Warm"), type[Mutation[Greenhouse]])
    assert_type(domain.read_state({}, 1), Greenhouse)
    assert_type(MoveVents(percent=5).apply(house), Applied[Greenhouse])
    assert_type(may_vent, Policy)

    one = engine.execute(MoveVents(percent=5), house, context=context, facts=facts)
    assert_type(one, ExecutionResult[Greenhouse])
    assert_type(one.state, Greenhouse | None)
    assert_type(one.effect.changes, ChangeSet)
    assert_type(one.unmet, tuple[Requirement, ...])

    wishes = [Warm(bed="a", celsius=20), MoveVents(percent=5)]
    several = engine.execute(wishes, house, context=context, facts=facts)
    assert_type(several.state, Greenhouse | None)

    engine.execute(MoveVents(percent=5), Shed(), context=context, facts=facts)  # type: ignore[misc]
    MoveVents(percent=5).apply(Shed())  # type: ignore[arg-type]
    Domain("sheds", Shed, [Sow])  # type: ignore[misc]
    all_of(only_in_season)  # type: ignore[call-arg]  # a name is asked for
    one.state = None  # type: ignore[misc]  # results are frozen
