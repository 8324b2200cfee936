"""Which requirements are met, what the request waits for, and when it expires.

`settle` is the one function that draws the conclusions of any change: it fills seats, opens steps,
counts refusals, and moves the request between Pending and Approved.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..requirements import RequirementKind
from .lifecycle import append, intend, move
from .matching import match
from .people import SYSTEM
from .request import (
    Category,
    Cause,
    Closing,
    MutationRequest,
    PendingReason,
    Rejection,
    RequirementState,
    Status,
)


def settle(request: MutationRequest, at: datetime) -> MutationRequest:
    """Draw every conclusion from the standing answers and the requirements.

    Idempotent: on a settled request it changes nothing. Before the first assessment there is
    nothing to conclude: that no requirement is known does not mean that none is demanded.
    """
    if request.status.is_terminal or request.closing is not None or request.snapshot is None:
        return request
    request = _count(request, at)
    refused = next((r for r in request.requirements if _is_refused(r)), None)
    if refused is not None:
        return intend(_shown(request), _rejected(request, refused))
    met = all(r.status == "fulfilled" for r in request.requirements)
    if met and request.status is not Status.APPROVED:
        request = move(
            request, Status.APPROVED, actor_id=SYSTEM, at=at, reason=_why_approved(request)
        )
    elif not met and request.status is not Status.PENDING:
        request = move(
            request, Status.PENDING, actor_id=SYSTEM, at=at, reason=_why_pending(request)
        ).model_copy(update={"held": None})
    return _shown(request)


def next_deadline(request: MutationRequest) -> datetime:
    """Answer the next absolute time at which the request expires if nothing happens."""
    open_until = [r.deadline for r in request.requirements if r.deadline and r.status == "open"]
    return min([request.expires_at, *open_until])


def expire(request: MutationRequest, at: datetime) -> MutationRequest:
    """Intend the expiry of a request whose deadline, or an open requirement's, is reached.

    At the deadline is late. Before it nothing changes.
    """
    if request.status.is_terminal or request.closing is not None or at < next_deadline(request):
        return request
    late = next(
        (r for r in request.requirements if r.status == "open" and r.deadline and r.deadline <= at),
        None,
    )
    if late is None:
        reason = f"The request's deadline was {request.expires_at.isoformat()}."
        return intend(request, Closing(status=Status.EXPIRED, actor_id=SYSTEM, reason=reason))
    approval = late.requirement.kind == RequirementKind.APPROVAL
    reason = f"{late.requirement.describe()}: the deadline was {_iso(late.deadline)}."
    cause = Cause(
        category=Category.APPROVAL if approval else Category.REQUIREMENT,
        code="Expired",
        actor_id=SYSTEM,
        reason=reason,
        metadata={"requirement": late.id},
    )
    return intend(
        request, Closing(status=Status.EXPIRED, actor_id=SYSTEM, reason=reason, cause=cause)
    )


def pending_of(request: MutationRequest) -> tuple[PendingReason, ...]:
    """Answer everything unmet, what comes first, first."""
    return tuple(
        PendingReason(
            kind=r.requirement.kind,
            requirement_id=r.id,
            text=_text(r),
            who=r.requirement.who.tokens if r.status == "open" else (),
            needed=r.requirement.needed,
            have=len(r.granted_by),
            until=r.deadline or request.expires_at,
            open=r.status == "open",
        )
        for r in sorted(request.requirements, key=lambda r: (r.requirement.step, r.id))
        if r.status != "fulfilled"
    )


def is_one_grant_away(request: MutationRequest) -> bool:
    """Answer whether one more grant could be the last thing the request waits for."""
    return (
        request.status is Status.PENDING
        and request.closing is None
        and sum(reason.needed - reason.have for reason in request.pending) == 1
    )


def _count(request: MutationRequest, at: datetime) -> MutationRequest:
    """Fill seats and open steps, step by step."""
    grants = {a.actor_id: tuple(a.bindings) for a in request.answers if a.verdict == "grant"}
    # Within a step what is fulfilled comes first: a further grant never unfulfils it.
    ordered = sorted(
        request.requirements, key=lambda r: (r.requirement.step, r.status != "fulfilled", r.id)
    )
    filled = match(
        [(r.id, _seats(r)) for r in ordered],
        grants,
        seated={r.id: r.granted_by for r in ordered},
    )
    reached = True
    states: dict[str, RequirementState] = {}
    for step in sorted({r.requirement.step for r in ordered}):
        of_step = [r for r in ordered if r.requirement.step == step]
        for each in of_step:
            request, states[each.id] = _advance(request, each, filled[each.id], at, reached=reached)
        reached = reached and all(states[r.id].status == "fulfilled" for r in of_step)
    return request.model_copy(
        update={"requirements": tuple(states[r.id] for r in request.requirements)}
    )


def _advance(
    request: MutationRequest,
    state: RequirementState,
    granted_by: tuple[str, ...],
    at: datetime,
    *,
    reached: bool,
) -> tuple[MutationRequest, RequirementState]:
    approval = state.requirement.kind == RequirementKind.APPROVAL
    category = Category.APPROVAL if approval else Category.REQUIREMENT
    update: dict[str, object] = {
        "granted_by": granted_by,
        "refused_by": tuple(
            sorted(
                a.actor_id
                for a in request.answers
                if a.verdict == "refuse" and state.id in a.bindings
            )
        ),
    }
    met = approval and len(granted_by) >= state.requirement.needed
    if state.status == "waiting" and reached:
        request = append(
            request,
            category,
            "Requested" if approval else "Opened",
            actor_id=SYSTEM,
            at=at,
            reason=state.requirement.describe(),
            requirement=state.id,
            demanded_by=list(state.requirement.demanded_by),
        )
        update |= _opened(state, request.decisions[-1].at)
    status = update.get("status", state.status)
    if status == "open" and met:
        request = append(
            request,
            category,
            "QuorumSatisfied" if approval else "Fulfilled",
            actor_id=SYSTEM,
            at=at,
            reason=f"{len(granted_by)} of {state.requirement.needed}: {', '.join(granted_by)}",
            requirement=state.id,
        )
        update["status"] = "fulfilled"
    elif status == "fulfilled" and approval and not met:
        request = append(
            request,
            Category.REQUIREMENT,
            "Reopened",
            actor_id=SYSTEM,
            at=at,
            reason=f"{len(granted_by)} of {state.requirement.needed} remain",
            requirement=state.id,
        )
        update |= _opened(state, request.decisions[-1].at)
    return request, state.model_copy(update=update)


def _opened(state: RequirementState, at: datetime) -> dict[str, object]:
    """Answer what opening means, also when it is for another time: the duration runs from now."""
    duration = state.requirement.duration
    return {
        "status": "open",
        "opened_at": at,
        "deadline": None if duration is None else at + duration,
    }


def _seats(state: RequirementState) -> int:
    return state.requirement.needed if state.requirement.kind == RequirementKind.APPROVAL else 0


def _is_refused(state: RequirementState) -> bool:
    if state.requirement.kind != RequirementKind.APPROVAL or not state.refused_by:
        return False
    limit = state.requirement.refusals
    if limit is None:
        return state.able - len(state.refused_by) < state.requirement.needed
    return len(state.refused_by) >= limit


def _rejected(request: MutationRequest, refused: RequirementState) -> Closing:
    last = next(
        a for a in reversed(request.answers) if a.verdict == "refuse" and refused.id in a.bindings
    )
    who = ", ".join(refused.refused_by)
    message = f"Refused by {who}" + (f": {last.reason}" if last.reason else ".")
    given = next(
        (d.metadata.get("given") for d in request.decisions if d.number == last.decision), None
    )
    return Closing(
        status=Status.REJECTED,
        actor_id=last.actor_id,
        reason=message,
        rejection=Rejection(
            category="approval",
            code="refused",
            message=message,
            metadata={"requirement": refused.id, "given": given},
        ),
    )


def _shown(request: MutationRequest) -> MutationRequest:
    pending = () if request.status is Status.APPROVED else pending_of(request)
    return (
        request if pending == request.pending else request.model_copy(update={"pending": pending})
    )


def _why_approved(request: MutationRequest) -> str:
    if not request.requirements:
        return "The policies demand nothing first."
    return "Every requirement is met."


def _why_pending(request: MutationRequest) -> str:
    unmet: Sequence[RequirementState] = [r for r in request.requirements if r.status != "fulfilled"]
    return "; ".join(_text(r) for r in unmet)


def _text(state: RequirementState) -> str:
    requirement = state.requirement
    if requirement.kind == RequirementKind.APPROVAL:
        title = f"{requirement.title}: " if requirement.title else ""
        words = f"{title}approval by {requirement.needed} of {requirement.who.describe()}"
        have = f", {len(state.granted_by)} given" if state.granted_by else ""
        later = f" (step {requirement.step}, not open yet)" if state.status == "waiting" else ""
        return f"{words}{have}{later}"
    known = {kind.value for kind in RequirementKind}
    if requirement.kind not in known:
        return f"unknown requirement {requirement.kind!r}: nothing here can meet it"
    return requirement.describe()


def _iso(at: datetime | None) -> str:
    return at.isoformat() if at else "never"
