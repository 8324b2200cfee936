"""Requirements of which it suffices to meet one of several sets: their members and their ways.

A *way* is one set of plain requirements that meets the whole; a plain requirement has one way,
itself. A requirement with alternatives demands nothing of its own: people answer its members.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, product
from math import prod

from ..requirements import ANY, Requirement, united

Way = tuple[Requirement, ...]

MAX_WAYS = 256
"""In how many ways what is demanded of one request may be met."""


def members(requirement: Requirement) -> Iterator[Requirement]:
    """Answer a requirement and everything in its alternatives."""
    yield requirement
    for way in requirement.alternatives:
        for each in way:
            yield from members(each)


def every(requirements: Iterable[Requirement]) -> Way:
    """Answer what is demanded, and then all that stands in alternatives, each identity once."""
    demanded = tuple(requirements)
    inside = [m for r in demanded if r.alternatives for m in members(r)]
    if not inside:
        return demanded
    one = {r.id: r for r in united((*demanded, *inside))}
    return tuple(one[key] for key in dict.fromkeys(r.id for r in (*demanded, *inside)))


def outer_of(requirements: Iterable[Requirement]) -> dict[str, tuple[str, ...]]:
    """Answer for each requirement whose alternatives it is in; nothing where itself is demanded."""
    demanded = tuple(requirements)
    outer: dict[str, dict[str, None]] = {}
    for each in (m for r in demanded for m in members(r)):
        for inside in chain.from_iterable(each.alternatives):
            outer.setdefault(inside.id, {})[each.id] = None
    return {key: tuple(ids) for key, ids in outer.items()} | {r.id: () for r in demanded}


def ways(requirement: Requirement) -> tuple[Way, ...]:
    """Answer every way to meet it; an alternative that demands nothing is none."""
    if requirement.kind != ANY:
        return ((requirement,),)
    return tuple(
        tuple(chain.from_iterable(chosen))
        for way in requirement.alternatives
        if way
        for chosen in product(*map(ways, way))
    )


def ways_left(requirement: Requirement, lost: Collection[str]) -> tuple[Way, ...]:
    """Answer the ways in which nothing is lost, given the ids of what is."""
    return tuple(way for way in ways(requirement) if not any(r.id in lost for r in way))


def number_of_ways(requirements: Iterable[Requirement]) -> int:
    """Answer in how many ways all of them can be met, without making any."""
    return prod(
        sum(number_of_ways(way) for way in r.alternatives if way) if r.kind == ANY else 1
        for r in requirements
    )


def reached(demanded: Iterable[Requirement], full: Collection[str]) -> Iterator[str]:
    """Answer what is open where these are met: what waits for no earlier step beside it.

    Args:
        demanded: What stands side by side, its alternatives included.
        full: The ids of the plain requirements that are met.
    """
    group = tuple(demanded)
    unmet = min((r.step for r in group if not r.is_met(full)), default=None)
    for each in group:
        if unmet is None or each.step <= unmet:
            yield each.id
            for way in each.alternatives:
                yield from reached(way, full)
