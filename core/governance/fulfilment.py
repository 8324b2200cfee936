"""Which requirements are met, what the request waits for, and when it expires.

`settle` is the one function that draws the conclusions of any change: it fills seats, opens steps,
counts refusals, and moves the request between Pending and Approved.

Of a requirement with alternatives (`ANY`) one has to be met whole. A refusal or a deadline in one
of them ends that one only; what is *lost* is what has none left, and that ends the request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from ..requirements import ANY, BY_PEOPLE, Requirement, RequirementKind
from . import rights
from .alternatives import Way, members, reached, ways, ways_left
from .lifecycle import append, intend, move
from .matching import choose, match
from .people import SYSTEM
from .request import (
    Answer,
    Category,
    Cause,
    Closing,
    Decision,
    Finding,
    MutationRequest,
    PendingReason,
    Rejection,
    RequirementState,
    Status,
    told_by,
)

LOOKED_AT: Final = frozenset(set(RequirementKind) - BY_PEOPLE)
"""The kinds that nobody answers from a seat: they are looked at."""


def settle(request: MutationRequest, at: datetime) -> MutationRequest:
    """Draw every conclusion from the standing answers and the requirements.

    Idempotent: on a settled request it changes nothing. Before the first assessment there is
    nothing to conclude: that no requirement is known does not mean that none is demanded.
    """
    if request.status.is_terminal or request.closing is not None or request.snapshot is None:
        return request
    request = _count(request, at)
    if (refused := _lost(request)) is not None:
        return intend(_shown(request), _no(request, refused))
    met = all(r.status == "fulfilled" for r in request.demanded)
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
    if (over := _lost(marked)) is not None:
        return intend(request, _overdue(over, late))
    if at >= request.expires_at:
        reason = f"The request's deadline was {request.expires_at.isoformat()}."
        return intend(request, Closing(status=Status.EXPIRED, actor_id=SYSTEM, reason=reason))
    for each in late:
        marked = append(
            marked,
            _category(each.requirement),
            "Expired",
            actor_id=SYSTEM,
            at=at,
            reason=f"{_was_due(each.requirement, each.deadline)} Another alternative is left.",
            requirement=each.id,
        )
    return settle(marked, at)


def pending_of(request: MutationRequest) -> tuple[PendingReason, ...]:
    """Answer everything unmet, what comes first, first."""
    return tuple(
        _reason(request, r)
        for r in sorted(request.demanded, key=lambda r: (r.requirement.step, r.id))
        if r.status != "fulfilled"
    )


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
    states, ended = _states(request), _ended(request)
    unmet = [r.requirement for r in request.demanded if r.status != "fulfilled"]
    keys = dict.fromkeys(r.id for each in unmet for way in ways_left(each, ended) for r in way)
    return [
        r for key in keys if (r := states.get(key)) and r.status == "open" and _have(r) < _needed(r)
    ]


def _count(
    request: MutationRequest, at: datetime, before: MutationRequest | None = None
) -> MutationRequest:
    """Fill seats and open steps, step by step; of alternatives one is taken, and only it counts."""
    before = before or request
    request = _refused(request)
    states, now = _states(request), _seating(request)
    demanded = [requirement for requirement, _ in now.ways]
    taken = _full(now.filled, states)
    full = taken | {r.id for r in states.values() if r.holds and not _is_quota(r)}
    opened = set(reached(demanded, full))
    filled: dict[str, tuple[str, ...]] = {}
    for requirement, left in now.ways if len(states) > len(demanded) else ():
        if requirement.alternatives and requirement.id in opened:
            opened |= _tried(requirement, left, states, now.grants)
        for way in left if not requirement.is_met(full) else ():
            for key, who in _beside(now, way, states).items():
                filled[key] = max(filled.get(key, ()), who, key=len)
    filled |= now.filled
    unmet = {m.id for each in demanded if not each.is_met(full) for m in members(each)}
    if idle := [r for r in states.values() if _is_idle(r, opened, taken | unmet)]:
        for each in idle:
            request = given_back(request, each, at, is_reached=each.id in opened)
        return _count(request, at, before)
    for requirement, left in now.ways:
        states[requirement.id] = _met_by(states[requirement.id], left, full)
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
    if not _is_quota(state) or state.status not in {"open", "fulfilled"}:
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


class _Seating(NamedTuple):
    """Who sits where.

    Attributes:
        ways: What is demanded, in order of precedence, each with the ways that are left to meet it.
        grants: For each person the requirements they may count for.
        filled: Who fills the seats of the ways that are taken.
    """

    ways: list[tuple[Requirement, Sequence[Way]]]
    grants: dict[str, tuple[str, ...]]
    filled: dict[str, tuple[str, ...]]


def _seating(request: MutationRequest) -> _Seating:
    """Seat everybody who grants, in one choice of alternatives."""
    grants = {a.actor_id: tuple(a.bindings) for a in request.answers if a.verdict == "grant"}
    states, ended = _states(request), _ended(request)
    # Within a step what is fulfilled comes first: a further grant never unfulfils it.
    ordered = sorted(
        request.demanded, key=lambda r: (r.requirement.step, r.status != "fulfilled", r.id)
    )
    left = [(r.requirement, _left(r.requirement, states, ended)) for r in ordered]
    filled = choose(
        [[_seats(way, states) for way in each] for _, each in left],
        grants,
        seated={r.id: r.granted_by for r in request.requirements},
    )
    return _Seating(left, grants, filled)


def _left(
    requirement: Requirement, states: Mapping[str, RequirementState], ended: Collection[str]
) -> Sequence[Way]:
    """Answer the ways it can be met in; what is met already goes on as it is."""
    if requirement.kind != ANY:
        return [(requirement,)]
    known = [way for way in ways_left(requirement, ended) if all(r.id in states for r in way)]
    now = states[requirement.id].met_by

    def rank(way: Way) -> tuple[bool, bool]:
        return _ids(way) != now, any(states[r.id].status != "fulfilled" for r in way)

    return sorted(known, key=rank)


def _met_by(
    state: RequirementState, left: Sequence[Way], full: Collection[str]
) -> RequirementState:
    """Say which of its alternatives it is met by."""
    if state.requirement.kind != ANY:
        return state
    met = (_ids(way) for way in left if all(r.id in full for r in way))
    return state.model_copy(update={"met_by": next(met, ())})


def _ids(way: Way) -> tuple[str, ...]:
    return tuple(r.id for r in way)


def _tried(
    requirement: Requirement,
    left: Sequence[Way],
    states: Mapping[str, RequirementState],
    grants: Mapping[str, Sequence[str]],
) -> set[str]:
    """Answer what is open in alternatives: each goes on by itself, whatever else people sit in."""
    alone = [_full(match(_seats(way, states), grants), states) for way in left]
    return {key for full in alone for way in requirement.alternatives for key in reached(way, full)}


def _beside(
    now: _Seating, way: Way, states: Mapping[str, RequirementState]
) -> dict[str, tuple[str, ...]]:
    """Answer who would sit in a way that is not taken, beside those who sit already."""
    taken = [(key, _places(states[key])) for key in sorted(now.filled)]
    filled = match([*dict([*taken, *_seats(way, states)]).items()], now.grants)
    return {r.id: filled[r.id] for r in way}


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
    category = _category(requirement)
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
            _category(requirement),
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


def _states(request: MutationRequest) -> dict[str, RequirementState]:
    return {r.id: r for r in request.requirements}


def _category(requirement: Requirement) -> Category:
    approval = requirement.kind == RequirementKind.APPROVAL
    return Category.APPROVAL if approval else Category.REQUIREMENT


def _inner_first(requirement: Requirement) -> Iterator[Requirement]:
    """Answer a requirement after everything in its alternatives, which decides about it."""
    for way in requirement.alternatives:
        for each in way:
            yield from _inner_first(each)
    yield requirement


def _is_quota(state: RequirementState) -> bool:
    return state.requirement.kind == RequirementKind.QUOTA


def _needed(state: RequirementState) -> int:
    return state.requirement.needed


def _have(state: RequirementState) -> int:
    return _needed(state) if state.status == "fulfilled" else len(state.granted_by)


def _places(state: RequirementState) -> int:
    """Answer how many must sit; what is looked at is a seat that nobody fills until it holds."""
    if state.requirement.kind in BY_PEOPLE:
        return state.requirement.needed
    return 0 if state.holds else 1


def _seats(way: Way, states: Mapping[str, RequirementState]) -> list[tuple[str, int]]:
    return [(r.id, _places(states[r.id])) for r in way]


def _full(
    filled: Mapping[str, Collection[str]], states: Mapping[str, RequirementState]
) -> frozenset[str]:
    """Answer which of the requirements have all their seats filled."""
    return frozenset(key for key, who in filled.items() if len(who) >= _places(states[key]))


def _is_about(finding: Finding, state: RequirementState) -> bool:
    """Answer whether it tells of what is asked now; room is asked for once all else is met."""
    early = _is_quota(state) and state.status == "waiting"
    looked_at = state.requirement.kind in LOOKED_AT
    return looked_at and finding.binding == state.binding and not early


def _is_refused(state: RequirementState) -> bool:
    if state.requirement.kind not in BY_PEOPLE or not state.refused_by:
        return False
    limit = state.requirement.refusals
    if limit is None:
        able = max(state.able, state.able_escalated if state.is_escalated else 0)
        return able - len(state.refused_by) < state.requirement.needed
    return len(state.refused_by) >= limit


def _ended(request: MutationRequest) -> frozenset[str]:
    """Answer the ids of what was refused, has failed or has expired."""
    return frozenset(
        r.id
        for r in request.requirements
        if r.status == "expired" or r.has_failed or _is_refused(r)
    )


def _lost(request: MutationRequest) -> RequirementState | None:
    """Answer the first requirement that had a way to be met and has none left."""
    if not (ended := _ended(request)):
        return None
    return next(
        (
            r
            for r in request.demanded
            if ways(r.requirement) and not ways_left(r.requirement, ended)
        ),
        None,
    )


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


def _overdue(over: RequirementState, late: Sequence[RequirementState]) -> Closing:
    """Answer the expiry of a request by the last deadline that something lost had left."""
    inside = {r.id for r in members(over.requirement)}
    deadline = max((r.deadline for r in late if r.id in inside and r.deadline), default=None)
    reason = _was_due(over.requirement, deadline)
    cause = Cause(
        category=_category(over.requirement),
        code="Expired",
        actor_id=SYSTEM,
        reason=reason,
        metadata={"requirement": over.id},
    )
    return Closing(status=Status.EXPIRED, actor_id=SYSTEM, reason=reason, cause=cause)


_FAILED: Final = {
    RequirementKind.CHECK: ("check", "failed"),
    RequirementKind.SCHEDULE: ("unsatisfiable", "no_window"),
    RequirementKind.DEPENDENCY: ("dependency", "ended"),
    RequirementKind.QUOTA: ("quota", "over_budget"),
}
"""How a request is rejected where whoever looked does not say it."""


def _no(request: MutationRequest, lost: RequirementState) -> Closing:
    """Answer the end of a request that has no way left: by what failed last, or who refused."""
    inside = {r.id for r in members(lost.requirement)}
    states = [r for r in request.requirements if r.id in inside]
    failed = {r.id: r for r in states if r.has_failed}
    refused = [r for r in states if _is_refused(r)]
    refusals = {
        a.decision: a
        for a in request.answers
        if a.verdict == "refuse" and any(r.id in a.bindings for r in refused)
    }
    last = next(
        d
        for d in reversed(request.decisions)
        if d.number in refusals
        or (d.code == "Failed" and str(d.metadata.get("requirement")) in failed)
    )
    if last.number in refusals:
        return _rejected(request, lost, refused, refusals[last.number])
    return _failed(failed[str(last.metadata["requirement"])], last)


def _failed(state: RequirementState, decision: Decision) -> Closing:
    category, code = _FAILED[RequirementKind(state.requirement.kind)]
    said = Rejection(
        category=category,
        code=code,
        message=f"{state.requirement.describe()}: {decision.reason}",
        metadata={"requirement": state.id},
    )
    given = state.finding.rejection if state.finding else None
    return Closing(
        status=Status.REJECTED,
        actor_id=decision.actor_id,
        reason=decision.reason,
        rejection=given or said,
    )


def _rejected(
    request: MutationRequest,
    lost: RequirementState,
    refused: Sequence[RequirementState],
    last: Answer,
) -> Closing:
    refusing = {actor for r in refused for actor in r.refused_by}
    review = all(r.requirement.kind == RequirementKind.REVIEW for r in refused)
    said = "The review failed, by" if review else "Refused by"
    message = f"{said} {', '.join(sorted(refusing))}" + (f": {last.reason}" if last.reason else ".")
    given = next(
        (d.metadata.get("given") for d in request.decisions if d.number == last.decision), None
    )
    return Closing(
        status=Status.REJECTED,
        actor_id=last.actor_id,
        reason=message,
        rejection=Rejection(
            category="approval",
            code="review_failed" if review else "refused",
            message=message,
            metadata={"requirement": lost.id, "given": given},
        ),
    )


def _reason(request: MutationRequest, state: RequirementState) -> PendingReason:
    told = PendingReason(
        kind=state.requirement.kind,
        requirement_id=state.id,
        text=_text(state),
        who=_who(request, state) if state.status == "open" else (),
        needed=_needed(state),
        have=_have(state),
        until=state.deadline or request.expires_at,
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
    states, now = _states(request), _seating(request)
    left = next(left for requirement, left in now.ways if requirement.id == state.id)
    return tuple(
        tuple(
            _reason(request, _as_it_would_be(states[key], who))
            for key, who in _beside(now, way, states).items()
            if len(who) < _places(states[key])
        )
        for way in left
    )


def _as_it_would_be(state: RequirementState, who: tuple[str, ...]) -> RequirementState:
    """Answer what is met now as what it lacks where those who meet it sit elsewhere."""
    status = "open" if state.status == "fulfilled" else state.status
    return state.model_copy(update={"granted_by": who, "status": status})


def _by_which(state: RequirementState, full: Collection[str]) -> str:
    met = (way for way in ways(state.requirement) if all(r.id in full for r in way))
    by = [way for way in met if not state.met_by or _ids(way) == state.met_by]
    return " and ".join(r.describe() for r in next(iter(by), ()))


def _was_due(requirement: Requirement, deadline: datetime | None) -> str:
    return f"{requirement.describe()}: the deadline was {_iso(deadline)}."


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
    return "; ".join(_reason(request, r).text for r in request.demanded if r.status != "fulfilled")


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
    is_later = finding.again_at is not None and finding.again_at > finding.at
    again = f"; looked at again at {_iso(finding.again_at)}" if is_later else ""
    return f"{requirement.describe()}: {finding.reason}{again}"


def _iso(at: datetime | None) -> str:
    return at.isoformat() if at else "never"
