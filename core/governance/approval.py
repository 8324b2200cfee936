"""Who counts, and how often: grants, refusals and withdrawals, one pure function for each.

Rules (DESIGN 6.4): the requester never counts; one person counts once in a request, so people are
matched to seats exactly; the newest answer of a person counts; an outdated, late, duplicate or
unauthorised answer is refused by name.

Nobody stands behind two answers, neither as who gave it nor as in whose place it was given. So a
right that was handed on never fills a second seat: whoever of the two answers later counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import JsonValue

from ..errors import (
    DeadlinePassed,
    DuplicateDecision,
    NotAuthorised,
    NothingToWithdraw,
    OutdatedBinding,
    ReasonRequired,
    SelfApproval,
    StepNotOpen,
)
from ..requirements import RequirementKind
from . import fulfilment, rights
from .lifecycle import append, closed
from .people import Person
from .request import Answer, Category, MutationRequest, RequirementState
from .rights import Right


def grant(
    request: MutationRequest,
    sender: Person,
    at: datetime,
    *,
    requirement_id: str | None = None,
    reason: str = "",
    binding: str | None = None,
    decision_id: str | None = None,
    metadata: Mapping[str, JsonValue] | None = None,
    kind: RequirementKind = RequirementKind.APPROVAL,
) -> MutationRequest:
    """Record that a person grants the request, and do what follows from it.

    Where grants have a lifetime, the same grant again re-affirms it: its age runs anew.

    Args:
        request: The request as it is.
        sender: Who grants, as the directory knows them.
        at: When the decision counts as taken.
        requirement_id: Which requirement it is for, with all its alternatives where it has any;
            `None`: any that is open and that the sender may answer.
        reason: Why, where the requirement asks for it.
        binding: What the sender was shown; `None` counts only while there was one binding ever.
        decision_id: The sender's name for the message, kept with the decision.
        metadata: Kept with the decision.
        kind: What is granted: approvals, or reviews.

    Raises:
        DecisionRefused: It does not count; the class names why.
    """
    return _decide(
        request,
        sender,
        at,
        "grant",
        kind,
        requirement_id=requirement_id,
        reason=reason,
        binding=binding,
        decision_id=decision_id,
        metadata=metadata,
    )


def refuse(
    request: MutationRequest,
    sender: Person,
    at: datetime,
    *,
    requirement_id: str | None = None,
    reason: str = "",
    binding: str | None = None,
    decision_id: str | None = None,
    metadata: Mapping[str, JsonValue] | None = None,
    kind: RequirementKind = RequirementKind.APPROVAL,
) -> MutationRequest:
    """Record that a person refuses the request; a grant they gave before is taken back.

    Arguments and errors are those of `grant`.
    """
    return _decide(
        request,
        sender,
        at,
        "refuse",
        kind,
        requirement_id=requirement_id,
        reason=reason,
        binding=binding,
        decision_id=decision_id,
        metadata=metadata,
    )


def withdraw(
    request: MutationRequest,
    sender: Person,
    at: datetime,
    *,
    reason: str = "",
    decision_id: str | None = None,
) -> MutationRequest:
    """Take the sender's grant back, also one that was given in their place.

    Raises:
        RequestClosed: The request has ended, or is about to.
        NothingToWithdraw: The sender has no grant.
    """
    raise_if_closed(request)
    grants = [a for a in request.answers_naming(sender.id) if a.verdict == "grant"]
    if not grants:
        raise NothingToWithdraw(
            f"{sender.id} has no grant on request {request.request_id!r} to take back.",
            request_id=request.request_id,
            actor_id=sender.id,
        )
    request = _taken_back(request, grants, sender, at, reason=reason, decision_id=decision_id)
    return fulfilment.settle(_without_old(request, sender), at)


def without(request: MutationRequest, actor_ids: Iterable[str]) -> MutationRequest:
    """Take the standing answers of some people out."""
    gone = {actor.lower() for actor in actor_ids}
    return request.model_copy(
        update={"answers": tuple(a for a in request.answers if a.actor_id.lower() not in gone)}
    )


def raise_if_closed(request: MutationRequest) -> None:
    """Refuse whatever comes when the request has ended, or is about to.

    Raises:
        RequestClosed: It has.
    """
    if request.status.is_terminal or request.closing is not None:
        raise closed(request)


def raise_if_requester(request: MutationRequest, person: Person) -> None:
    """Refuse whoever asked, or for whom it was asked.

    Raises:
        SelfApproval: It is they.
    """
    if person.id.lower() in request.requester_ids:
        raise SelfApproval(
            f"{person.id} asked for request {request.request_id!r} and never counts towards it.",
            request_id=request.request_id,
            actor_id=person.id,
        )


def _decide(
    request: MutationRequest,
    sender: Person,
    at: datetime,
    verdict: Literal["grant", "refuse"],
    kind: RequirementKind,
    *,
    requirement_id: str | None,
    reason: str,
    binding: str | None,
    decision_id: str | None,
    metadata: Mapping[str, JsonValue] | None,
) -> MutationRequest:
    """Record an answer; it takes the place of every other that names the same people."""
    right = _answerable(
        request, sender, at, kind, requirement_id=requirement_id, reason=reason, binding=binding
    )
    given = {r.id: r.binding for r in right.states}
    standing = request.answers_naming(sender.id, right.in_place_of or sender.id)
    same = _standing(request, sender, right, [a for a in standing if a.verdict == verdict])
    earlier = same.bindings if same else {}
    again = verdict == "grant" and all(
        earlier.get(r.id) == r.binding or sender.id in r.lapsed for r in right.states
    )
    over = [a for a in standing if a is not same]
    grants = [a for a in over if a.verdict == "grant"]
    request = _taken_back(request, grants, sender, at, reason=reason)
    bindings = {**earlier, **given}
    extra: dict[str, JsonValue] = {"requirements": [*sorted(bindings)], "binding": request.binding}
    if metadata:
        extra["given"] = dict(metadata)
    request = append(
        request,
        Category.APPROVAL,
        "Refused" if verdict == "refuse" else "Reaffirmed" if again else "Granted",
        actor_id=sender.id,
        at=at,
        reason=reason,
        decision_id=decision_id,
        in_place_of=right.in_place_of,
        **extra,
    )
    answer = Answer(
        actor_id=sender.id,
        verdict=verdict,
        bindings=bindings,
        decision=request.decision_number,
        at=request.decisions[-1].at,
        since={key: same.given_at(key) for key in earlier if same and key not in given},
        reason=reason,
        effect=request.effect or Answer.model_fields["effect"].default,
        in_place_of=right.in_place_of,
    )
    kept = without(request, [a.actor_id for a in standing]).answers
    request = _without_old(request.model_copy(update={"answers": (*kept, answer)}), sender)
    return fulfilment.settle(request, at)


def _standing(
    request: MutationRequest, sender: Person, right: Right, said: Sequence[Answer]
) -> Answer | None:
    """Answer what the sender says already that this adds to, or refuse what adds nothing.

    Args:
        request: The request as it is.
        sender: Who answers.
        right: By which right.
        said: The standing answers of the same verdict that name the sender, or in whose place
            they answer.
    """
    mine = next((a for a in said if a.actor_id.lower() == sender.id.lower()), None)
    other = next((a for a in said if a.actor_id == right.in_place_of), None)
    if mine is not None and mine.in_place_of != right.in_place_of:
        by = f"in place of {mine.in_place_of}" if mine.in_place_of else "by their own right"
        instead = "; withdraw that to answer otherwise" if mine.verdict == "grant" else ""
        raise _duplicate(request, mine, f" {by}, and one person counts once{instead}")
    for each in (mine, other):
        if each is None or any(each.bindings.get(r.id) != r.binding for r in right.states):
            continue
        ages = any(r.lifetime is not None for r in right.states)
        if not (each is mine and each.verdict == "grant" and ages):
            raise _duplicate(request, each)
    return mine


def _duplicate(request: MutationRequest, standing: Answer, more: str = "") -> DuplicateDecision:
    said = "granted" if standing.verdict == "grant" else "refused"
    return DuplicateDecision(
        f"{standing.actor_id} has {said} request {request.request_id!r} already{more}.",
        request_id=request.request_id,
        actor_id=standing.actor_id,
    )


def _taken_back(
    request: MutationRequest,
    grants: Sequence[Answer],
    sender: Person,
    at: datetime,
    *,
    reason: str,
    decision_id: str | None = None,
) -> MutationRequest:
    """Take grants out because of what the sender says now: their own, or in their place."""
    for each in grants:
        mine = each.actor_id.lower() == sender.id.lower()
        request = append(
            request,
            Category.APPROVAL,
            "Withdrawn",
            actor_id=sender.id,
            at=at,
            reason=reason,
            decision_id=decision_id,
            approver=None if mine else each.actor_id,
        )
    return without(request, [a.actor_id for a in grants])


def _without_old(request: MutationRequest, sender: Person) -> MutationRequest:
    """Forget which grants of the sender have grown too old: they have spoken since."""
    if not any(sender.id in r.lapsed for r in request.requirements):
        return request
    return request.model_copy(
        update={
            "requirements": tuple(
                r.model_copy(update={"lapsed": tuple(a for a in r.lapsed if a != sender.id)})
                if sender.id in r.lapsed
                else r
                for r in request.requirements
            )
        }
    )


def _answerable(
    request: MutationRequest,
    sender: Person,
    at: datetime,
    kind: RequirementKind,
    *,
    requirement_id: str | None,
    reason: str,
    binding: str | None,
) -> Right:
    """Answer what this decision may count for, and by which right, or refuse it by name."""
    raise_if_closed(request)
    raise_if_requester(request, sender)
    approvals = [r for r in request.requirements if r.requirement.kind == kind]
    named = rights.named(request, approvals, requirement_id)
    mine = rights.rights(request, sender, named, at)
    if not mine:
        may = "; ".join(", ".join(rights.who(request, r)) for r in named)
        raise NotAuthorised(
            f"{sender.id} may not decide on request {request.request_id!r}; who may: "
            f"{may or 'nobody; it needs no approval'}.",
            request_id=request.request_id,
            actor_id=sender.id,
        )
    opened = [right for each in mine if (right := _opened(each)).states]
    if not opened:
        step = min(r.requirement.step for right in mine for r in right.states)
        raise StepNotOpen(
            f"Step {step} of request {request.request_id!r} opens when the steps before it are "
            "done; decide then.",
            request_id=request.request_id,
            step=step,
        )
    # Where one right is about nothing but what is met, another by which something is missing.
    chosen = min(opened, key=lambda right: all(r.status != "open" for r in right.states))
    right = Right(_in_time(request, chosen.states, at), chosen.in_place_of)
    raise_if_outdated(request, binding)
    if not reason.strip() and any(r.requirement.reason_required for r in right.states):
        raise ReasonRequired(
            f"A decision on request {request.request_id!r} must give a reason.",
            request_id=request.request_id,
        )
    return right


def _opened(right: Right) -> Right:
    return Right(tuple(r for r in right.states if r.status != "waiting"), right.in_place_of)


def _in_time(
    request: MutationRequest, opened: Sequence[RequirementState], at: datetime
) -> tuple[RequirementState, ...]:
    """Answer those that are still in time, or refuse: a deadline ends its alternative only."""
    due = {r.id: r.deadline for r in opened if r.deadline and r.status != "fulfilled"}
    left = [r for r in opened if r.status != "expired"]
    in_time = tuple(r for r in left if not (r.of and r.id in due and due[r.id] <= at))
    deadline = min([request.expires_at, *(due[r.id] for r in in_time or opened if r.id in due)])
    if at >= deadline or not in_time:
        raise DeadlinePassed(
            f"The deadline of request {request.request_id!r} was {deadline.isoformat()}.",
            request_id=request.request_id,
            deadline=deadline.isoformat(),
        )
    return in_time


def raise_if_outdated(request: MutationRequest, binding: str | None) -> None:
    """Refuse what was decided on something else than what would be done now.

    Raises:
        OutdatedBinding: What was shown to the sender has changed, or it is not said what was.
    """
    if binding is None and request.bindings_seen == 1:
        return
    if binding == request.binding:
        return
    told = "names no binding" if binding is None else "was taken on something else"
    raise OutdatedBinding(
        f"The decision {told}, and what request {request.request_id!r} would do has changed since "
        "it was first shown. Look at it again and decide with its present binding.",
        request_id=request.request_id,
        binding=request.binding,
    )
