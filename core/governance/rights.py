"""Who may answer what, and by which right: their own, or one that was handed on to them.

Whoever asks that asks here: when an answer arrives, when it is shown who may answer, and again
before a request executes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from ..errors import UnknownRequirement
from .alternatives import members
from .people import Directory, Person
from .request import Answer, MutationRequest, RequirementState


class Right(NamedTuple):
    """What somebody may answer, all of it by the same right.

    Attributes:
        states: The requirements.
        in_place_of: Whose right it is, where it was handed on; `None`: their own.
    """

    states: tuple[RequirementState, ...]
    in_place_of: str | None = None


def is_own(person: Person, state: RequirementState) -> bool:
    """Answer whether somebody may answer a requirement by a right of their own."""
    return person.may_answer(state.requirement, escalated=state.is_escalated)


def rights(
    request: MutationRequest, person: Person, states: Iterable[RequirementState], at: datetime
) -> tuple[Right, ...]:
    """Answer by which rights somebody may answer these requirements, the first of them first.

    By which they answer already comes first, then their own, then those in whose place nobody
    counts yet, in the order in which they were handed on. A right that was handed on holds until
    its time is over.
    """
    asked = tuple(states)
    me = person.id.lower()
    handed: dict[str, list[str]] = {}
    for each in request.delegations:
        if each.to.lower() == me and at < each.until:
            handed.setdefault(each.actor_id, []).extend(each.requirement_ids)
    found = [
        Right(tuple(r for r in asked if is_own(person, r))),
        *(Right(tuple(r for r in asked if r.id in ids), of) for of, ids in handed.items()),
    ]
    mine = request.answer_of(me)

    def rank(right: Right) -> int:
        if mine is not None and mine.in_place_of == right.in_place_of:
            return 0
        if right.in_place_of is None:
            return 1
        return 3 if request.answers_naming(right.in_place_of) else 2

    return tuple(sorted((right for right in found if right.states), key=rank))


def who(request: MutationRequest, state: RequirementState) -> tuple[str, ...]:
    """Answer who may answer a requirement, as requirements name them, delegates too."""
    names = state.requirement.answered_by(escalated=state.is_escalated)
    handed = (f"user:{d.to}".lower() for d in request.delegations if state.id in d.requirement_ids)
    return tuple(dict.fromkeys((*names, *handed)))


def is_concerned(request: MutationRequest, person: Person) -> bool:
    """Answer whether somebody may answer anything of a request, now or later."""
    names = person.tokens
    return any(not names.isdisjoint(who(request, state)) for state in request.requirements)


def lost(request: MutationRequest, answer: Answer, directory: Directory) -> tuple[str, ...]:
    """Answer the ids of what somebody answered and the directory gives them no right to any more.

    One that was handed on is looked at where it came from; that its time is over takes nothing
    back.
    """
    holder = directory.find(answer.in_place_of or answer.actor_id)
    if holder is None or directory.find(answer.actor_id) is None:
        return tuple(answer.bindings)
    answered = (r for r in request.requirements if r.id in answer.bindings)
    return tuple(r.id for r in answered if not is_own(holder, r))


def named(
    request: MutationRequest, states: Sequence[RequirementState], requirement_id: str | None
) -> Sequence[RequirementState]:
    """Answer which of the requirements somebody means: one, with its alternatives, or all.

    Raises:
        UnknownRequirement: None of that id is among them.
    """
    if requirement_id is None:
        return states
    state = request.requirement(requirement_id)
    wanted = {r.id for r in members(state.requirement)} if state else set()
    meant = [r for r in states if r.id in wanted]
    if not meant:
        raise UnknownRequirement(
            f"Request {request.request_id!r} has no approval requirement {requirement_id!r}; "
            f"it has: {', '.join(r.id for r in states) or 'none'}.",
            request_id=request.request_id,
            requirement_id=requirement_id,
        )
    return meant
