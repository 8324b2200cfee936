"""What a request waits for, in words: everything unmet, on whom, and until when."""

from __future__ import annotations

from ..requirements import ANY, BY_PEOPLE, RequirementKind
from . import rights
from .request import MutationRequest, PendingReason, RequirementState, told_by
from .seating import beside, have, needed, places, seating_of, states_of


def pending_of(request: MutationRequest) -> tuple[PendingReason, ...]:
    """Answer everything unmet, what comes first, first."""
    return tuple(
        _reason(request, r)
        for r in sorted(request.demanded, key=lambda r: (r.requirement.step, r.id))
        if r.status != "fulfilled"
    )


def why_pending(request: MutationRequest) -> str:
    """Answer all of it in one sentence."""
    return "; ".join(_reason(request, r).text for r in request.demanded if r.status != "fulfilled")


def _reason(request: MutationRequest, state: RequirementState) -> PendingReason:
    told = PendingReason(
        kind=state.requirement.kind,
        requirement_id=state.id,
        text=_text(state),
        who=_who(request, state) if state.status == "open" else (),
        needed=needed(state),
        have=have(state),
        until=min(request.expires_at, state.deadline or request.expires_at),
        open=state.status == "open",
        again_at=state.finding.again_at if state.finding else None,
    )
    alternatives = _lacking(request, state) if state.requirement.kind == ANY else ()
    if not alternatives:
        return told
    nearest = min(alternatives, key=lambda way: sum(r.missing for r in way))
    title = f"{state.requirement.title}: " if state.requirement.title else ""
    said = "; or ".join(" and ".join(r.text for r in way) for way in alternatives)
    return told.model_copy(
        update={
            "text": f"{title}either {said}" if len(alternatives) > 1 else f"{title}{said}",
            "who": tuple(dict.fromkeys(t for way in alternatives for r in way for t in r.who)),
            "needed": sum(r.needed for r in nearest),
            "have": sum(r.have for r in nearest),
            "until": max(
                min((r.until for r in way if r.until), default=request.expires_at)
                for way in alternatives
            ),
            "alternatives": alternatives,
        }
    )


def _lacking(
    request: MutationRequest, state: RequirementState
) -> tuple[tuple[PendingReason, ...], ...]:
    """Answer for each way that is left what it lacks beside all that is met."""
    states, now = states_of(request), seating_of(request)
    left = next(left for requirement, left in now.ways if requirement.id == state.id)
    return tuple(
        tuple(
            _reason(request, _as_it_would_be(states[key], who))
            for key, who in beside(now, way, states).items()
            if len(who) < places(states[key])
        )
        for way in left
    )


def _as_it_would_be(state: RequirementState, who: tuple[str, ...]) -> RequirementState:
    """Answer what is met now as what it lacks where those who meet it sit elsewhere."""
    status = "open" if state.status == "fulfilled" else state.status
    return state.model_copy(update={"granted_by": who, "status": status})


def _who(request: MutationRequest, state: RequirementState) -> tuple[str, ...]:
    """Answer who can meet it: people, or what it is told by."""
    return rights.who(request, state) or told_by(state.requirement, asking=not state.holds)


def _text(state: RequirementState) -> str:
    requirement, finding = state.requirement, state.finding
    later = f" (step {requirement.step}, not open yet)" if state.status == "waiting" else ""
    if requirement.kind == RequirementKind.QUOTA and later:
        later = " (taken last)"
    if requirement.kind in BY_PEOPLE:
        title = f"{requirement.title}: " if requirement.title else ""
        who = ", ".join(requirement.answered_by(escalated=state.is_escalated))
        words = f"{title}{requirement.kind} by {requirement.needed} of {who}"
        have = f", {len(state.granted_by)} given" if state.granted_by else ""
        return f"{words}{have}{later}"
    if not requirement.is_whole:
        known = requirement.kind in {ANY, *RequirementKind}
        how = "a requirement that does not say what it needs" if known else "unknown requirement"
        return f"{how} {requirement.kind!r}: nothing here can meet it"
    if finding is None:
        return f"{requirement.describe()}{later}"
    again = ""
    if finding.again_at is not None and finding.again_at > finding.at:
        again = f"; looked at again at {finding.again_at.isoformat()}"
    return f"{requirement.describe()}: {finding.reason}{again}"
