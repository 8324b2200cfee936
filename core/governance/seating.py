"""Who sits where, and by which of several alternatives what is demanded is met.

Seats are matched anew whenever anything changes; what is met already goes on as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from ..requirements import ANY, BY_PEOPLE, Requirement, RequirementKind
from .alternatives import Way, reached, ways_left
from .matching import choose, match
from .request import MutationRequest, RequirementState

LOOKED_AT: Final = frozenset(set(RequirementKind) - BY_PEOPLE)
"""The kinds that nobody answers from a seat: they are looked at."""


class Seating(NamedTuple):
    """Who sits where.

    Attributes:
        ways: What is demanded, in order of precedence, each with the ways that are left to meet it.
        grants: For each person the requirements they may count for.
        filled: Who fills the seats of the ways that are taken.
    """

    ways: list[tuple[Requirement, Sequence[Way]]]
    grants: dict[str, tuple[str, ...]]
    filled: dict[str, tuple[str, ...]]


def seating_of(request: MutationRequest) -> Seating:
    """Seat everybody who grants, in one choice of alternatives."""
    grants = {a.actor_id: tuple(a.bindings) for a in request.answers if a.verdict == "grant"}
    states, ended = states_of(request), ended_of(request)
    # Within a step what is fulfilled comes first: a further grant never unfulfils it.
    ordered = sorted(
        request.demanded, key=lambda r: (r.requirement.step, r.status != "fulfilled", r.id)
    )
    left = [(r.requirement, _left(r.requirement, states, ended)) for r in ordered]
    filled = choose(
        [[_seats(way, states) for way in each] for _, each in left],
        grants,
        seated={r.id: r.granted_by for r in request.requirements},
    )
    return Seating(left, grants, filled)


def tried(
    requirement: Requirement,
    left: Sequence[Way],
    states: Mapping[str, RequirementState],
    grants: Mapping[str, Sequence[str]],
) -> set[str]:
    """Answer what is open in alternatives: each goes on by itself, whatever else people sit in."""
    alone = [full_of(match(_seats(way, states), grants), states) for way in left]
    return {key for full in alone for way in requirement.alternatives for key in reached(way, full)}


def beside(
    now: Seating, way: Way, states: Mapping[str, RequirementState]
) -> dict[str, tuple[str, ...]]:
    """Answer who would sit in a way that is not taken, beside those who sit already."""
    taken = [(key, places(states[key])) for key in sorted(now.filled)]
    filled = match([*dict([*taken, *_seats(way, states)]).items()], now.grants)
    return {r.id: filled[r.id] for r in way}


def full_of(
    filled: Mapping[str, Collection[str]], states: Mapping[str, RequirementState]
) -> frozenset[str]:
    """Answer which of the requirements have all their seats filled."""
    return frozenset(key for key, who in filled.items() if len(who) >= places(states[key]))


def ended_of(request: MutationRequest) -> frozenset[str]:
    """Answer the ids of what was refused, has failed or has expired."""
    return frozenset(
        r.id for r in request.requirements if r.status == "expired" or r.has_failed or is_refused(r)
    )


def is_refused(state: RequirementState) -> bool:
    """Answer whether so many refuse it that nobody else can help.

    It is counted by itself: how many could answer is known, and not who sits elsewhere by then.
    """
    if state.requirement.kind not in BY_PEOPLE or not state.refused_by:
        return False
    limit = state.requirement.refusals
    if limit is None:
        able = max(state.able, state.able_escalated if state.is_escalated else 0)
        return able - len(state.refused_by) < state.requirement.needed
    return len(state.refused_by) >= limit


def is_quota(state: RequirementState) -> bool:
    """Answer whether it is room in a budget, which is taken last and given back."""
    return state.requirement.kind == RequirementKind.QUOTA


def places(state: RequirementState) -> int:
    """Answer how many must sit; what is looked at is a seat that nobody fills until it holds."""
    if state.requirement.kind in BY_PEOPLE:
        return state.requirement.needed
    return 0 if state.holds else 1


def needed(state: RequirementState) -> int:
    """Answer how many answers it takes."""
    return state.requirement.needed


def have(state: RequirementState) -> int:
    """Answer how many of them have been given."""
    return needed(state) if state.status == "fulfilled" else len(state.granted_by)


def with_what_meets_it(
    state: RequirementState, left: Sequence[Way], full: Collection[str]
) -> RequirementState:
    """Say which of its alternatives it is met by."""
    if state.requirement.kind != ANY:
        return state
    met = (_ids(way) for way in left if all(r.id in full for r in way))
    return state.model_copy(update={"met_by": next(met, ())})


def states_of(request: MutationRequest) -> dict[str, RequirementState]:
    """Answer the requirements by id."""
    return {r.id: r for r in request.requirements}


def _left(
    requirement: Requirement, states: Mapping[str, RequirementState], ended: Collection[str]
) -> Sequence[Way]:
    """Answer the ways it can be met in; what is met already goes on as it is."""
    if requirement.kind != ANY:
        return [(requirement,)]
    known = [way for way in ways_left(requirement, ended) if all(r.id in states for r in way)]
    now = states[requirement.id].met_by

    def rank(way: Way) -> tuple[bool, bool]:
        return _ids(way) != now, any(states[r.id].status != "fulfilled" for r in way)

    return sorted(known, key=rank)


def _seats(way: Way, states: Mapping[str, RequirementState]) -> list[tuple[str, int]]:
    return [(r.id, places(states[r.id])) for r in way]


def _ids(way: Way) -> tuple[str, ...]:
    return tuple(r.id for r in way)
