"""Hands a right on: somebody else may answer in one's place, for a time.

What is handed on is a right, not a seat: an answer that needs it is given in place of whoever
handed it on, and the two of them count once (`approval`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from ..errors import DeadlinePassed, NotAuthorised, NothingToDelegate
from ..requirements import BY_PEOPLE
from . import approval, fulfilment, rights
from .lifecycle import append
from .people import Person
from .request import Category, Delegation, MutationRequest

MAX_DELEGATION: Final = timedelta(days=90)
"""For how long a right may be handed on."""


def delegate(
    request: MutationRequest,
    sender: Person,
    at: datetime,
    *,
    to: Person,
    until: datetime,
    requirement_id: str | None = None,
    reason: str = "",
    decision_id: str | None = None,
) -> MutationRequest:
    """Let another person answer what the sender may answer by a right of their own.

    The sender keeps the right. Handed on again, what was handed on before is replaced, so a right
    is in one other hand at a time.

    Args:
        request: The request as it is.
        sender: Whose right it is, as the directory knows them.
        at: From when it is handed on.
        to: Who may use it, as the directory knows them.
        until: When that ends: after `at`, and at most `MAX_DELEGATION` after it. What ends after
            the request's deadline ends there.
        requirement_id: Which requirement it is about, with all its alternatives where it has any;
            `None`: every approval and review of the request that the sender may answer now.
        reason: Why.
        decision_id: The sender's name for the message, kept with the decision.

    Raises:
        RequestClosed: The request has ended, or is about to.
        SelfApproval: One of the two asked for the request.
        DeadlinePassed: The request's deadline is reached.
        UnknownRequirement: No approval or review has that id.
        NotAuthorised: The sender has no such right of their own; what they hold from another they
            cannot hand on.
        NothingToDelegate: It is handed to the sender, or to somebody who may answer all of it
            anyway, or until no time that is allowed.
    """
    approval.raise_if_closed(request)
    for person in (sender, to):
        approval.raise_if_requester(request, person)
    if at >= request.expires_at:
        raise DeadlinePassed(
            f"The deadline of request {request.request_id!r} was {request.expires_at.isoformat()}.",
            request_id=request.request_id,
            deadline=request.expires_at.isoformat(),
        )
    if to.id.lower() == sender.id.lower():
        raise _nothing(request, sender, f"{sender.id} has it already")
    if not at < until <= at + MAX_DELEGATION:
        latest = (at + MAX_DELEGATION).isoformat()
        raise _nothing(request, sender, f"it is handed on until after now, and at most {latest}")
    answered = [r for r in request.requirements if r.requirement.kind in BY_PEOPLE]
    mine = [r for r in rights.named(request, answered, requirement_id) if rights.is_own(sender, r)]
    if not mine:
        raise NotAuthorised(
            f"{sender.id} may answer nothing of that on request {request.request_id!r} by a right "
            "of their own, and hands nothing on.",
            request_id=request.request_id,
            actor_id=sender.id,
        )
    if all(rights.is_own(to, r) for r in mine):
        raise _nothing(request, sender, f"{to.id} may answer all of that anyway, and counts once")
    handed = Delegation(
        actor_id=sender.id,
        to=to.id,
        since=at,
        until=min(until, request.expires_at),
        requirement_ids=tuple(r.id for r in mine),
    )
    request = append(
        request,
        Category.APPROVAL,
        "Delegated",
        actor_id=sender.id,
        at=at,
        reason=reason,
        decision_id=decision_id,
        to=to.id,
        until=handed.until.isoformat(),
        requirements=[*handed.requirement_ids],
    )
    others = (_without(each, handed) for each in request.delegations)
    delegations = (*(each for each in others if each.requirement_ids), handed)
    return fulfilment.settle(request.model_copy(update={"delegations": delegations}), at)


def _without(earlier: Delegation, handed: Delegation) -> Delegation:
    """Answer what is left of a delegation when some of its rights are handed on anew."""
    if earlier.actor_id.lower() != handed.actor_id.lower():
        return earlier
    left = tuple(key for key in earlier.requirement_ids if key not in handed.requirement_ids)
    return earlier.model_copy(update={"requirement_ids": left})


def _nothing(request: MutationRequest, sender: Person, why: str) -> NothingToDelegate:
    return NothingToDelegate(
        f"{sender.id} hands on no right on request {request.request_id!r}: {why}.",
        request_id=request.request_id,
        actor_id=sender.id,
    )
