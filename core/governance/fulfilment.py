"""Which requirements are met, what the request waits for, and when it expires.

`settle` is the one function that draws the conclusions of any change: it fills seats, opens steps,
counts refusals, and moves the request between Pending and Approved.

Of a requirement with alternatives (`ANY`) one has to be met whole. A refusal or a deadline in one
of them ends that one only; what is *lost* is what has none left, and that ends the request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from ..requirements import BY_PEOPLE, Requirement, RequirementKind
from .alternatives import members, reached, ways, ways_left
from .lifecycle import append, intend, move
from .losses import lost, overdue, rejected, was_due
from .pending import pending_of, why_pending
from .people import SYSTEM
from .request import Category, Closing, Finding, MutationRequest, RequirementState, Status
from .seating import (
    LOOKED_AT,
    beside,
    ended_of,
    full_of,
    have,
    is_quota,
    needed,
    seating_of,
    states_of,
    tried,
    with_what_meets_it,
)


def settle(request: MutationRequest, at: datetime) -> MutationRequest:
    """Draw every conclusion from the standing answers and the requirements.

    Idempotent: on a settled request it changes nothing. Before the first assessment there is
    nothing to conclude: that no requirement is known does not mean that none is demanded.
    """
    if request.status.is_terminal or request.closing is not None or request.snapshot is None:
        return request
    request = _count(request, at)
    if (refused := lost(request)) is not None:
        return intend(_shown(request), rejected(request, refused))
    met = all(r.status == "fulfilled" for r in request.demanded)
    if met and request.status is not Status.APPROVED:
        request = move(
            request, Status.APPROVED, actor_id=SYSTEM, at=at, reason=_why_approved(request)
        )
    elif not met and request.status is not Status.PENDING:
        request = move(
            request, Status.PENDING, actor_id=SYSTEM, at=at, reason=why_pending(request)
        ).model_copy(update={"held": None})
    return _shown(request)


def next_deadline(request: MutationRequest) -> datetime:
    """Answer the next absolute time at which something expires if nothing happens."""
    return min([request.expires_at, *(r.deadline for r in awaited(request) if r.deadline)])


def expire(request: MutationRequest, at: datetime) -> MutationRequest:
    """Do what follows from a deadline that is reached; at the deadline is late.

    The expiry of the request is intended where it is its own deadline, or an open requirement's;
    one within an alternative ends that alternative, and the request where none is left.
    """
    if request.status.is_terminal or request.closing is not None or at < next_deadline(request):
        return request
    late = [r for r in awaited(request) if r.deadline and r.deadline <= at]
    marked = _expired(request, late)
    if (over := lost(marked)) is not None:
        return intend(request, overdue(over, late))
    if at >= request.expires_at:
        reason = f"The request's deadline was {request.expires_at.isoformat()}."
        return intend(request, Closing(status=Status.EXPIRED, actor_id=SYSTEM, reason=reason))
    for each in late:
        marked = append(
            marked,
            Category.of(each.requirement),
            "Expired",
            actor_id=SYSTEM,
            at=at,
            reason=f"{was_due(each.requirement, each.deadline)} Another alternative is left.",
            requirement=each.id,
        )
    return settle(marked, at)


def is_one_grant_away(request: MutationRequest) -> bool:
    """Answer whether one more grant could be the last thing the request waits for."""
    return (
        request.status is Status.PENDING
        and request.closing is None
        and sum(reason.missing for reason in request.pending) == 1
        and all(
            leaf.kind == RequirementKind.APPROVAL
            for reason in request.pending
            for leaf in reason.leaves()
        )
    )


def with_findings(
    request: MutationRequest, findings: Mapping[str, Finding], at: datetime
) -> MutationRequest:
    """Write down what looking brought, by requirement id; what is outdated is left out.

    So is room in a budget that nobody asks for now: it is given back.
    """
    states: list[RequirementState] = []
    for state in request.requirements:
        finding = findings.get(state.id)
        if finding is None or not _is_about(finding, state):
            states.append(state)
            continue
        if finding.verdict == "failed" and not state.has_failed:
            request = append(
                request,
                Category.REQUIREMENT,
                "Failed",
                actor_id=finding.actor_id,
                at=at,
                reason=finding.reason,
                decision_id=finding.decision_id,
                requirement=state.id,
                evidence=finding.metadata or None,
            )
        states.append(state.model_copy(update={"finding": finding, "asked": state.asked + 1}))
    return request.model_copy(update={"requirements": tuple(states)})


def awaited(request: MutationRequest) -> list[RequirementState]:
    """Answer what is open and lacks an answer, by which something unmet could still be met."""
    states, ended = states_of(request), ended_of(request)
    unmet = [r.requirement for r in request.demanded if r.status != "fulfilled"]
    keys = dict.fromkeys(r.id for each in unmet for way in ways_left(each, ended) for r in way)
    return [
        r for key in keys if (r := states.get(key)) and r.status == "open" and have(r) < needed(r)
    ]


def _count(
    request: MutationRequest, at: datetime, before: MutationRequest | None = None
) -> MutationRequest:
    """Fill seats and open steps, step by step; of alternatives one is taken, and only it counts."""
    before = before or request
    request = _refused(request)
    states, now = states_of(request), seating_of(request)
    demanded = [requirement for requirement, _ in now.ways]
    taken = full_of(now.filled, states)
    full = taken | {r.id for r in states.values() if r.holds and not is_quota(r)}
    opened = set(reached(demanded, full))
    filled: dict[str, tuple[str, ...]] = {}
    for requirement, left in now.ways if len(states) > len(demanded) else ():
        if requirement.alternatives and requirement.id in opened:
            opened |= tried(requirement, left, states, now.grants)
        for way in left if not requirement.is_met(full) else ():
            for key, who in beside(now, way, states).items():
                filled[key] = max(filled.get(key, ()), who, key=len)
    filled |= now.filled
    unmet = {m.id for each in demanded if not each.is_met(full) for m in members(each)}
    if idle := [r for r in states.values() if _is_idle(r, opened, taken | unmet)]:
        for each in idle:
            request = given_back(request, each, at, is_reached=each.id in opened)
        return _count(request, at, before)
    for requirement, left in now.ways:
        states[requirement.id] = with_what_meets_it(states[requirement.id], left, full)
    for key in dict.fromkeys(r.id for each in demanded for r in _inner_first(each)):
        if key in states:
            request, states[key] = _advance(
                request, states[key], filled.get(key, ()), at, full=full, reached=key in opened
            )
    request = request.model_copy(
        update={"requirements": tuple(states[r.id] for r in request.requirements)}
    )
    return _waited_for_anew(request, before) if len(states) > len(demanded) else request


def _waited_for_anew(request: MutationRequest, before: MutationRequest) -> MutationRequest:
    """Let a duration run anew where nothing waited for it meanwhile: another alternative did."""
    waited = {r.id for r in awaited(before)}
    anew = {r.id for r in awaited(request)} - waited
    if not anew:
        return request
    at = request.decisions[-1].at
    return request.model_copy(
        update={
            "requirements": tuple(
                r.model_copy(update=_opened(r, at)) if r.id in anew else r
                for r in request.requirements
            )
        }
    )


def given_back(
    request: MutationRequest, state: RequirementState, at: datetime, *, is_reached: bool = False
) -> MutationRequest:
    """Give back what is reserved; it is asked for again once something waits for it.

    Args:
        request: The request as it is.
        state: The quota.
        at: The present.
        is_reached: Whether all before it is met, and it is only that nothing waits for it.
    """
    if state.holds:
        request = append(
            request,
            Category.REQUIREMENT,
            "Released",
            actor_id=SYSTEM,
            at=at,
            reason="What was reserved is given back; it is asked for again when it is needed.",
            requirement=state.id,
        )
    update: dict[str, object] = {"status": "open", "finding": None}
    if not is_reached:
        update |= {"status": "waiting", "opened_at": None, "deadline": None}
    return request.model_copy(
        update={
            "requirements": tuple(
                r.model_copy(update=update) if r.id == state.id else r for r in request.requirements
            )
        }
    )


def _is_idle(state: RequirementState, opened: Collection[str], wanted: Collection[str]) -> bool:
    """Answer whether room that is reserved, or asked for, would be kept from others for nothing.

    Args:
        state: How far the requirement is.
        opened: What waits for nothing before it.
        wanted: By what something is met, or could be.
    """
    if not is_quota(state) or state.status not in {"open", "fulfilled"}:
        return False
    return state.id not in opened or (state.holds and state.id not in wanted)


def _refused(request: MutationRequest) -> MutationRequest:
    """Write down who refuses what; it says which ways are left."""
    refusals = [a for a in request.answers if a.verdict == "refuse"]
    told = tuple(
        r.model_copy(update={"refused_by": refused_by}) if refused_by != r.refused_by else r
        for r in request.requirements
        for refused_by in [tuple(sorted(a.actor_id for a in refusals if r.id in a.bindings))]
    )
    return request.model_copy(update={"requirements": told})


def _advance(
    request: MutationRequest,
    state: RequirementState,
    granted_by: tuple[str, ...],
    at: datetime,
    *,
    full: Collection[str],
    reached: bool,
) -> tuple[MutationRequest, RequirementState]:
    requirement = state.requirement
    category = Category.of(requirement)
    met = requirement.is_met(full)
    given = f"{len(granted_by)} of {requirement.needed}"
    update: dict[str, object] = {"granted_by": granted_by}
    if state.status == "waiting" and reached:
        request = append(
            request,
            category,
            "Requested" if category is Category.APPROVAL else "Opened",
            actor_id=SYSTEM,
            at=at,
            reason=requirement.describe(),
            requirement=state.id,
            demanded_by=list(requirement.demanded_by),
        )
        update |= _opened(state, request.decisions[-1].at)
    status = update.get("status", state.status)
    if status == "open" and met:
        request = _fulfilled(request, state, granted_by, at, full=full)
        update["status"] = "fulfilled"
    elif status == "fulfilled" and not met:
        request = append(
            request,
            Category.REQUIREMENT,
            "Reopened",
            actor_id=SYSTEM,
            at=at,
            reason=_why_reopened(state, given),
            requirement=state.id,
        )
        update |= _opened(state, request.decisions[-1].at)
    return request, state.model_copy(update=update)


def _fulfilled(
    request: MutationRequest,
    state: RequirementState,
    granted_by: tuple[str, ...],
    at: datetime,
    *,
    full: Collection[str],
) -> MutationRequest:
    """Say that it is met, and who said so: people, an alternative, or whoever looked."""
    requirement, finding = state.requirement, state.finding
    if finding is None:
        by_people = requirement.kind in BY_PEOPLE
        given = f"{len(granted_by)} of {requirement.needed}: {', '.join(granted_by)}"
        return append(
            request,
            Category.of(requirement),
            "QuorumSatisfied" if requirement.kind == RequirementKind.APPROVAL else "Fulfilled",
            actor_id=SYSTEM,
            at=at,
            reason=given if by_people else _by_which(state, full),
            requirement=state.id,
        )
    return append(
        request,
        Category.REQUIREMENT,
        "Reserved" if requirement.kind == RequirementKind.QUOTA else "Fulfilled",
        actor_id=finding.actor_id,
        at=at,
        reason=finding.reason,
        decision_id=finding.decision_id,
        requirement=state.id,
        evidence=finding.metadata or None,
    )


def _why_reopened(state: RequirementState, given: str) -> str:
    if state.finding is not None and not state.holds:
        return state.finding.reason
    if state.requirement.kind in BY_PEOPLE:
        return f"{given} remain"
    return "No alternative is met any more."


def _opened(state: RequirementState, at: datetime) -> dict[str, object]:
    """Answer what opening means, also when it is for another time: the duration runs from now."""
    duration = state.requirement.duration
    return {
        "status": "open",
        "opened_at": at,
        "deadline": None if duration is None else at + duration,
        "reminded_at": None,
    }


def _inner_first(requirement: Requirement) -> Iterator[Requirement]:
    """Answer a requirement after everything in its alternatives, which decides about it."""
    for way in requirement.alternatives:
        for each in way:
            yield from _inner_first(each)
    yield requirement


def _is_about(finding: Finding, state: RequirementState) -> bool:
    """Answer whether it tells of what is asked now; room is asked for once all else is met."""
    early = is_quota(state) and state.status == "waiting"
    looked_at = state.requirement.kind in LOOKED_AT
    return looked_at and finding.binding == state.binding and not early


def _expired(request: MutationRequest, late: Sequence[RequirementState]) -> MutationRequest:
    gone = {r.id for r in late}
    return request.model_copy(
        update={
            "requirements": tuple(
                r.model_copy(update={"status": "expired"}) if r.id in gone else r
                for r in request.requirements
            )
        }
    )


def _by_which(state: RequirementState, full: Collection[str]) -> str:
    met = (way for way in ways(state.requirement) if all(r.id in full for r in way))
    by = (way for way in met if not state.met_by or tuple(r.id for r in way) == state.met_by)
    return " and ".join(r.describe() for r in next(by, ()))


def _shown(request: MutationRequest) -> MutationRequest:
    pending = () if request.status is Status.APPROVED else pending_of(request)
    return (
        request if pending == request.pending else request.model_copy(update={"pending": pending})
    )


def _why_approved(request: MutationRequest) -> str:
    if not request.requirements:
        return "The policies demand nothing first."
    return "Every requirement is met."
