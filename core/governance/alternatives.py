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


def answered_for(requirements: Iterable[Requirement]) -> dict[str, frozenset[str]]:
    """Answer for each requirement what is surely answered for where it counts.

    That is by itself, by what stands beside it in its own way, and by what is demanded in any case;
    of a choice beside it only what each of its ways answers for. Only what is bound to the effect
    answers for any of it.

    Args:
        requirements: What is demanded.

    Returns:
        By id, JSON Pointer prefixes as in `covers`.
    """
    found: dict[str, list[frozenset[str]]] = {}
    for each, prefixes in _with_what_is_beside(tuple(requirements), frozenset()):
        found.setdefault(each.id, []).append(prefixes)
    return {key: _in_each(sets) for key, sets in found.items()}


def _with_what_is_beside(
    group: Way, known: frozenset[str]
) -> Iterator[tuple[Requirement, frozenset[str]]]:
    """Answer each that stands in a group, its alternatives too, with what is answered for there."""
    known = known.union(*map(_surely, group))
    for each in group:
        yield each, known
        for way in each.alternatives:
            yield from _with_what_is_beside(way, known)


def _surely(requirement: Requirement) -> frozenset[str]:
    """Answer what is answered for once it is met, in whatever way."""
    if requirement.kind != ANY:
        return frozenset(requirement.covers if requirement.is_bound_to_effect else ())
    sets = [way for way in requirement.alternatives if way]
    return _in_each([frozenset().union(*map(_surely, way)) for way in sets])


def _in_each(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    """Answer what lies under a prefix of each of these sets."""
    several = [*sets]
    return frozenset(
        prefix
        for prefix in frozenset().union(*several)
        if all(any(f"{prefix}/".startswith(f"{p}/") for p in each) for each in several)
    )


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
