"""Who counts, and how often: grants, refusals and withdrawals, one pure function for each.

Rules (DESIGN 6.4): the requester never counts; one person counts once in a request, so people are
matched to seats exactly; the newest answer of a person counts; an outdated, late, duplicate or
unauthorised answer is refused by name.
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
    UnknownRequirement,
)
from ..requirements import RequirementKind
from . import fulfilment
from .alternatives import members
from .lifecycle import append, closed
from .people import Person
from .request import Answer, Category, MutationRequest, RequirementState


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

    Args:
        request: The request as it is.
        sender: Who grants, as the directory knows them.
        at: When the decision counts as taken.
        requirement_id: Which requirement it is for, with all its alternatives where it has any;
            `None`: any that is open and names the sender.
        reason: Why, where the requirement asks for it.
        binding: What the sender was shown; `None` counts only while there was one binding ever.
        decision_id: The sender's name for the message, kept with the decision.
        metadata: Kept with the decision.
        kind: What is granted: approvals, or reviews.

    Raises:
        DecisionRefused: It does not count; the class names why.
    """
    open_to = _answerable(
        request, sender, at, kind, requirement_id=requirement_id, reason=reason, binding=binding
    )
    standing = request.answer_of(sender.id)
    given = {r.id: r.binding for r in open_to}
    if standing is not None and standing.verdict == "grant":
        if all(standing.bindings.get(key) == value for key, value in given.items()):
            raise DuplicateDecision(
                f"{sender.id} has granted request {request.request_id!r} already.",
                request_id=request.request_id,
                actor_id=sender.id,
            )
        given = standing.bindings | given
    return _answer(
        request,
        sender,
        at,
        verdict="grant",
        bindings=given,
        reason=reason,
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
    open_to = _answerable(
        request, sender, at, kind, requirement_id=requirement_id, reason=reason, binding=binding
    )
    standing = request.answer_of(sender.id)
    given = {r.id: r.binding for r in open_to}
    if standing is not None and standing.verdict == "refuse":
        if all(standing.bindings.get(key) == value for key, value in given.items()):
            raise DuplicateDecision(
                f"{sender.id} has refused request {request.request_id!r} already.",
                request_id=request.request_id,
                actor_id=sender.id,
            )
        given = standing.bindings | given
    if standing is not None and standing.verdict == "grant":
        request = append(
            request, Category.APPROVAL, "Withdrawn", actor_id=sender.id, at=at, reason=reason
        )
    return _answer(
        request,
        sender,
        at,
        verdict="refuse",
        bindings=given,
        reason=reason,
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
    """Take the sender's grant back.

    Raises:
        RequestClosed: The request has ended, or is about to.
        NothingToWithdraw: The sender has no grant.
    """
    _raise_if_closed(request)
    standing = request.answer_of(sender.id)
    if standing is None or standing.verdict != "grant":
        raise NothingToWithdraw(
            f"{sender.id} has no grant on request {request.request_id!r} to take back.",
            request_id=request.request_id,
            actor_id=sender.id,
        )
    request = append(
        request,
        Category.APPROVAL,
        "Withdrawn",
        actor_id=sender.id,
        at=at,
        reason=reason,
        decision_id=decision_id,
    )
    return fulfilment.settle(without(request, [sender.id]), at)


def without(request: MutationRequest, actor_ids: Iterable[str]) -> MutationRequest:
    """Take the standing answers of some people out."""
    gone = {actor.lower() for actor in actor_ids}
    return request.model_copy(
        update={"answers": tuple(a for a in request.answers if a.actor_id.lower() not in gone)}
    )


def _raise_if_closed(request: MutationRequest) -> None:
    if request.status.is_terminal or request.closing is not None:
        raise closed(request)


def _answer(
    request: MutationRequest,
    sender: Person,
    at: datetime,
    *,
    verdict: Literal["grant", "refuse"],
    bindings: Mapping[str, str],
    reason: str,
    decision_id: str | None,
    metadata: Mapping[str, JsonValue] | None,
) -> MutationRequest:
    extra: dict[str, JsonValue] = {"requirements": [*sorted(bindings)], "binding": request.binding}
    if metadata:
        extra["given"] = dict(metadata)
    code = "Granted" if verdict == "grant" else "Refused"
    request = append(
        request,
        Category.APPROVAL,
        code,
        actor_id=sender.id,
        at=at,
        reason=reason,
        decision_id=decision_id,
        **extra,
    )
    answer = Answer(
        actor_id=sender.id,
        verdict=verdict,
        bindings=dict(bindings),
        decision=request.decision_number,
        at=request.decisions[-1].at,
        reason=reason,
        effect=request.effect or Answer.model_fields["effect"].default,
    )
    answers = (*without(request, [sender.id]).answers, answer)
    return fulfilment.settle(request.model_copy(update={"answers": answers}), at)


def _answerable(
    request: MutationRequest,
    sender: Person,
    at: datetime,
    kind: RequirementKind,
    *,
    requirement_id: str | None,
    reason: str,
    binding: str | None,
) -> tuple[RequirementState, ...]:
    """Answer the requirements this decision may count for, or refuse it by name."""
    _raise_if_closed(request)
    if sender.id.lower() in request.requester_ids:
        raise SelfApproval(
            f"{sender.id} asked for request {request.request_id!r} and never counts towards it.",
            request_id=request.request_id,
            actor_id=sender.id,
        )
    approvals = [r for r in request.requirements if r.requirement.kind == kind]
    named = _named(request, approvals, requirement_id)
    mine = [r for r in named if sender.may_answer(r.requirement)]
    if not mine:
        may = (
            "; ".join(r.requirement.who.describe() for r in named) or "nobody; it needs no approval"
        )
        raise NotAuthorised(
            f"{sender.id} may not decide on request {request.request_id!r}; who may: {may}.",
            request_id=request.request_id,
            actor_id=sender.id,
        )
    opened = [r for r in mine if r.status != "waiting"]
    if not opened:
        step = min(r.requirement.step for r in mine)
        raise StepNotOpen(
            f"Step {step} of request {request.request_id!r} opens when the steps before it are "
            "done; decide then.",
            request_id=request.request_id,
            step=step,
        )
    open_to = _in_time(request, opened, at)
    raise_if_outdated(request, binding)
    if not reason.strip() and any(r.requirement.reason_required for r in open_to):
        raise ReasonRequired(
            f"A decision on request {request.request_id!r} must give a reason.",
            request_id=request.request_id,
        )
    return open_to


def _named(
    request: MutationRequest, approvals: Sequence[RequirementState], requirement_id: str | None
) -> Sequence[RequirementState]:
    if requirement_id is None:
        return approvals
    state = request.requirement(requirement_id)
    wanted = {r.id for r in members(state.requirement)} if state else set()
    named = [r for r in approvals if r.id in wanted]
    if not named:
        raise UnknownRequirement(
            f"Request {request.request_id!r} has no approval requirement {requirement_id!r}; "
            f"it has: {', '.join(r.id for r in approvals) or 'none'}.",
            request_id=request.request_id,
            requirement_id=requirement_id,
        )
    return named


def _in_time(
    request: MutationRequest, opened: Sequence[RequirementState], at: datetime
) -> tuple[RequirementState, ...]:
    """Answer those that are still in time, or refuse: a deadline ends its alternative only."""
    due = {r.id: r.deadline for r in opened if r.deadline and r.status != "fulfilled"}
    in_time = tuple(r for r in opened if not (r.of and r.id in due and due[r.id] <= at))
    deadline = min([request.expires_at, *(due[r.id] for r in in_time or opened if r.id in due)])
    if at >= deadline:
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
