"""Which requests wait for a person."""

from __future__ import annotations

from collections.abc import Iterator

from core.governance.people import Person
from core.governance.request import MutationRequest, RequirementState
from core.requirements import RequirementKind
from store.records import Records, RequestFilter

PAGE = 50

ANSWERABLE = frozenset({RequirementKind.APPROVAL.value, RequirementKind.REVIEW.value})
"""The kinds that a person answers."""


def open_to(request: MutationRequest, person: Person) -> tuple[RequirementState, ...]:
    """Answer the requirements that wait for this person's answer now.

    None where they asked for it themselves, where their standing answer is on what would be done
    now, and where the request has ended or is about to.
    """
    if request.status.is_terminal or request.closing is not None:
        return ()
    if person.id.lower() in request.requester_ids:
        return ()
    standing = request.answer_of(person.id)
    given = standing.bindings if standing else {}
    awaited = {r.requirement_id for reason in request.pending for r in reason.leaves() if r.open}
    return tuple(
        state
        for state in request.requirements
        if state.id in awaited
        and state.requirement.kind in ANSWERABLE
        and person.may_answer(state.requirement)
        and given.get(state.id) != state.binding
    )


def waiting_for(records: Records, person: Person, *, limit: int) -> tuple[MutationRequest, ...]:
    """Answer the newest requests that wait for this person, at most `limit`."""
    found: list[MutationRequest] = []
    for request in _awaiting(records, person):
        if open_to(request, person):
            found.append(request)
        if len(found) == limit:
            break
    return tuple(found)


def _awaiting(records: Records, person: Person) -> Iterator[MutationRequest]:
    wanted = RequestFilter(awaiting=tuple(sorted(person.tokens)), open_only=True)
    after: str | None = None
    while page := records.requests(wanted, limit=PAGE, after=after):
        yield from page
        after = page[-1].request_id
