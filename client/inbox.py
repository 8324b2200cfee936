"""Which requests wait for a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from core.governance.people import Person
from core.governance.request import MutationRequest, RequirementState
from core.governance.rights import rights
from core.requirements import BY_PEOPLE, RequirementKind
from store.records import Records, RequestFilter

PAGE = 50


def open_to(
    request: MutationRequest, person: Person, at: datetime | None = None
) -> tuple[RequirementState, ...]:
    """Answer the requirements that wait for this person's answer now.

    Approvals, reviews, and checks that name who answers them; by a right of their own, or one that
    was handed on to them. None where they asked for it themselves, where the standing answer by
    that right is on what would be done now, and where the request has ended or is about to.

    Args:
        at: When they would answer; `None`: now.
    """
    if request.status.is_terminal or request.closing is not None:
        return ()
    if person.id.lower() in request.requester_ids:
        return ()
    awaited = {r.requirement_id for reason in request.pending for r in reason.leaves() if r.open}
    states = tuple(state for state in request.requirements if state.id in awaited)
    return (*_seats(request, person, states, at or datetime.now(UTC)), *_checks(person, states))


def waiting_for(records: Records, person: Person, *, limit: int) -> tuple[MutationRequest, ...]:
    """Answer the newest requests that wait for this person, at most `limit`."""
    found: list[MutationRequest] = []
    for request in _awaiting(records, person):
        if open_to(request, person):
            found.append(request)
        if len(found) == limit:
            break
    return tuple(found)


def _seats(
    request: MutationRequest,
    person: Person,
    states: tuple[RequirementState, ...],
    at: datetime,
) -> Iterator[RequirementState]:
    """Answer the approvals and reviews for which nobody answered yet by the person's right.

    Who has answered by one right counts by that alone, and is not asked for another.
    """
    told: set[str] = set()
    mine = request.answer_of(person.id)
    by_people = [state for state in states if state.requirement.kind in BY_PEOPLE]
    for right in rights(request, person, by_people, at):
        if mine is not None and mine.in_place_of != right.in_place_of:
            continue
        given = {
            (key, binding)
            for answer in request.answers_naming(person.id, right.in_place_of or person.id)
            for key, binding in answer.bindings.items()
        }
        for state in right.states:
            if state.id not in told and (state.id, state.binding) not in given:
                told.add(state.id)
                yield state


def _checks(person: Person, states: tuple[RequirementState, ...]) -> Iterator[RequirementState]:
    for state in states:
        if state.requirement.kind == RequirementKind.CHECK and person.may_answer(state.requirement):
            yield state


def _awaiting(records: Records, person: Person) -> Iterator[MutationRequest]:
    wanted = RequestFilter(awaiting=tuple(sorted(person.tokens)), open_only=True)
    after: str | None = None
    while page := records.requests(wanted, limit=PAGE, after=after):
        yield from page
        after = page[-1].request_id
