"""What is due when nobody says anything: reminders, escalations, grants that grow too old.

Every moment is absolute and follows from the request alone, so a durable timer set to the next one
is all it takes. At a deadline the request expires first (`fulfilment.expire`), then the rest rings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple

from ..requirements import BY_PEOPLE
from . import fulfilment, rights, waits
from .lifecycle import append
from .people import SYSTEM
from .request import Category, MutationRequest, RequirementState, Status


class _What(IntEnum):
    """What is to be done; what changes who is asked comes before who is reminded."""

    END = 0
    LAPSE = 1
    ESCALATE = 2
    REMIND = 3


class _Moment(NamedTuple):
    """Something that is to be done, and when.

    Attributes:
        name: Of a grant who gave it, of a requirement its id.
        requirements: Of a grant what it is too old for then.
    """

    at: datetime
    what: _What
    name: str
    requirements: tuple[str, ...] = ()


def next_moment(request: MutationRequest) -> datetime:
    """Answer the next absolute time at which something is to be done if nothing happens.

    Something expires, is looked at again, is reminded of, is escalated, or has grown too old. What
    it answers has passed where that is still to be done.
    """
    looks = waits.next_look(request)
    moments = [fulfilment.next_deadline(request), *(moment.at for moment in _moments(request))]
    return min(moments if looks is None else [*moments, looks])


def ring(request: MutationRequest, at: datetime) -> MutationRequest:
    """Do everything that is due, in the order of its moments, each once.

    What expires and what is looked at is done elsewhere. Idempotent: at the same time nothing is
    due again.

    Args:
        request: The request as it is; nothing of it expires at `at` or before.
        at: The present.
    """
    while due := [moment for moment in _moments(request) if moment.at <= at]:
        request = fulfilment.settle(_done(request, due, at), at)
    return request


def lapse(request: MutationRequest, at: datetime) -> MutationRequest:
    """Let no grant count for what it is too old for, whether or not it has rung."""
    due = [] if _is_over(request) else [m for m in _lapses(request) if m.at <= at]
    return fulfilment.settle(_done(request, due, at), at) if due else request


def _is_over(request: MutationRequest) -> bool:
    return request.status.is_terminal or request.closing is not None


def _moments(request: MutationRequest) -> Iterator[_Moment]:
    """Answer everything that is to be done, due or not."""
    if _is_over(request):
        return
    if request.status is Status.PENDING or request.held is not None:
        yield from _lapses(request)
    if request.status is not Status.PENDING:
        return
    for each in dict.fromkeys(d.until for d in request.delegations):
        yield _Moment(each, _What.END, "")
    for state in fulfilment.awaited(request):
        asked = state.requirement
        if asked.kind not in BY_PEOPLE or state.opened_at is None:
            continue
        if asked.escalate_after is not None and not state.is_escalated:
            yield _Moment(state.opened_at + asked.escalate_after, _What.ESCALATE, state.id)
        if asked.remind_before is not None and state.reminded_at is None:
            early = _deadline(request, state) - asked.remind_before
            yield _Moment(max(state.opened_at, early), _What.REMIND, state.id)


def _lapses(request: MutationRequest) -> Iterator[_Moment]:
    lifetimes = {r.id: r.lifetime for r in request.requirements if r.lifetime is not None}
    for answer in request.answers if lifetimes else ():
        ends: dict[datetime, list[str]] = {}
        for key in answer.bindings if answer.verdict == "grant" else ():
            if key in lifetimes:
                ends.setdefault(answer.given_at(key) + lifetimes[key], []).append(key)
        for at, keys in ends.items():
            yield _Moment(at, _What.LAPSE, answer.actor_id, tuple(sorted(keys)))


def _deadline(request: MutationRequest, state: RequirementState) -> datetime:
    return min(request.expires_at, state.deadline or request.expires_at)


def _done(request: MutationRequest, due: Iterable[_Moment], at: datetime) -> MutationRequest:
    for moment in sorted(due):
        match moment.what:
            case _What.END:
                left = tuple(d for d in request.delegations if d.until != moment.at)
                request = request.model_copy(update={"delegations": left})
            case _What.LAPSE:
                request = _lapsed(request, moment, at)
            case _What.ESCALATE:
                request = _escalated(request, moment, at)
            case _:
                request = _reminded(request, moment, at)
    return request


def _lapsed(request: MutationRequest, moment: _Moment, at: datetime) -> MutationRequest:
    """Let a grant count no longer for what it is too old for."""
    gone, approver = frozenset(moment.requirements), moment.name
    states = [r for r in request.requirements if r.id in gone]
    request = append(
        request,
        Category.APPROVAL,
        "Lapsed",
        actor_id=SYSTEM,
        at=at,
        reason=f"The grant of {approver} has grown too old for "
        f"{'; '.join(r.requirement.describe() for r in states)}.",
        approver=approver,
        requirements=[*moment.requirements],
    )
    left = {r.id: r.binding for r in request.requirements if r.id not in gone}
    kept = (a.holding(left) if a.actor_id == approver else a for a in request.answers)
    request = request.model_copy(update={"answers": tuple(a for a in kept if a is not None)})
    for state in states:
        lapsed = tuple(sorted({*state.lapsed, approver}))
        request = _with(request, state.id, lapsed=lapsed)
    return request


def _escalated(request: MutationRequest, moment: _Moment, at: datetime) -> MutationRequest:
    """Let others answer as well."""
    (state,) = (r for r in request.requirements if r.id == moment.name)
    asked, others = state.requirement, state.requirement.escalate_to
    request = append(
        request,
        Category.APPROVAL,
        "Escalated",
        actor_id=SYSTEM,
        at=at,
        reason=f"{asked.describe()} is still open; {others.describe()} may answer as well.",
        requirement=state.id,
        who=[*others.tokens],
    )
    return _with(request, state.id, escalated_at=request.decisions[-1].at)


def _reminded(request: MutationRequest, moment: _Moment, at: datetime) -> MutationRequest:
    """Remind those who may answer."""
    (state,) = (r for r in request.requirements if r.id == moment.name)
    until, who = _deadline(request, state), rights.who(request, state)
    request = append(
        request,
        Category.APPROVAL,
        "Reminded",
        actor_id=SYSTEM,
        at=at,
        reason=f"{', '.join(who)}: {state.requirement.describe()} is due by {until.isoformat()}.",
        requirement=state.id,
        who=[*who],
        until=until.isoformat(),
    )
    return _with(request, state.id, reminded_at=request.decisions[-1].at)


def _with(request: MutationRequest, requirement_id: str, **update: object) -> MutationRequest:
    return request.model_copy(
        update={
            "requirements": tuple(
                r.model_copy(update=update) if r.id == requirement_id else r
                for r in request.requirements
            )
        }
    )
