"""What a request waits for that nobody answers from a seat: it is looked at, and looked at again.

A check, a schedule, a dependency and a quota are alike here. An activity looks, and says in a
`Finding` that it holds, that it failed, or not yet and when to look again. What is found when a
request is resolved counts in the same way: what held and no longer does is waited for again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import JsonValue

from ..errors import (
    DeadlinePassed,
    DuplicateDecision,
    NotAuthorised,
    NotFulfillable,
    StepNotOpen,
    UnknownRequirement,
)
from ..requirements import Requirement, RequirementKind
from . import approval, fulfilment, rights
from .alternatives import ways_left
from .people import Person
from .request import Finding, MutationRequest, Rejection, RequirementState, Status
from .seating import LOOKED_AT, ended_of, is_quota, states_of

TOLD = frozenset({RequirementKind.SCHEDULE, RequirementKind.DEPENDENCY, RequirementKind.QUOTA})
"""The kinds that a wake-up may be about; a check says itself when it is to be asked again."""

THE_REQUEST = "the request"
"""Who demands what the start payload asks for."""


def demands(request: MutationRequest) -> tuple[Requirement, ...]:
    """Answer what the request demands of itself, besides what policies demand."""
    found: list[Requirement] = []
    if request.not_before is not None:
        found.append(Requirement.schedule(not_before=request.not_before))
    if request.depends_on:
        found.append(Requirement.dependency(*request.depends_on))
    return tuple(r.model_copy(update={"demanded_by": (THE_REQUEST,)}) for r in found)


def to_look_at(request: MutationRequest, at: datetime) -> tuple[RequirementState, ...]:
    """Answer what is open and unmet where nobody has looked yet, or where it is time to."""
    return tuple(
        r
        for r in _looked_at(request)
        if r.finding is None or (r.finding.again_at is not None and r.finding.again_at <= at)
    )


def quotas_beside(request: MutationRequest, requirement: Requirement) -> list[Requirement]:
    """Answer the other quotas that a request needs where it needs this one, and those it has.

    Of alternatives only what is in every way that is left, where this one is in some of them in
    every such way.
    """
    states, ended = states_of(request), ended_of(request)
    needed: set[str] = set()
    for each in request.demanded:
        left = [{r.id for r in way} for way in ways_left(each.requirement, ended)]
        left = [way for way in left if requirement.id in way] or left
        if each.status != "fulfilled" and left:
            needed |= set.intersection(*left)
    return [
        state.requirement
        for key, state in states.items()
        if key != requirement.id
        and is_quota(state)
        and state.requirement.is_whole
        and (state.holds or (state.status == "open" and key in needed))
    ]


def next_look(request: MutationRequest) -> datetime | None:
    """Answer when something is to be looked at again; nothing where somebody will say."""
    moments = [r.finding.again_at for r in _looked_at(request) if r.finding is not None]
    return min((m for m in moments if m is not None), default=None)


def told(request: MutationRequest, at: datetime, *, everything: bool = False) -> MutationRequest:
    """Let be looked at again whatever a wake-up may be about, or everything that nobody answers.

    A question that was filed with another system is answered from there, and is left alone.
    """
    open_to = {
        r.id
        for r in _looked_at(request)
        if r.requirement.kind in TOLD
        or (everything and (r.finding is None or r.finding.reference is None))
    }
    return request.model_copy(
        update={
            "requirements": tuple(
                r.model_copy(update={"finding": r.finding.model_copy(update={"again_at": at})})
                if r.id in open_to and r.finding is not None
                else r
                for r in request.requirements
            )
        }
    )


def looking(request: MutationRequest, requirement_id: str) -> MutationRequest:
    """Note that a requirement is being looked at: until something is found it is not due again."""
    return request.model_copy(
        update={
            "requirements": tuple(
                r.model_copy(update={"finding": r.finding.model_copy(update={"again_at": None})})
                if r.id == requirement_id and r.finding is not None
                else r
                for r in request.requirements
            )
        }
    )


def found(
    request: MutationRequest, findings: Mapping[str, Finding], at: datetime
) -> MutationRequest:
    """Take what looking brought, by requirement id, and do what follows from it.

    What was found for another binding than the requirement has now is outdated and left out.
    """
    if request.status.is_terminal or request.closing is not None:
        return request
    return fulfilment.settle(fulfilment.with_findings(request, findings, at), at)


def looked(
    request: MutationRequest, requirement_id: str, finding: Finding, at: datetime
) -> MutationRequest:
    """Take what a look brought, unless it is known by now.

    A look takes time: what was answered meanwhile stands, with the reference it was filed under.
    """
    state = request.requirement(requirement_id)
    if state is None or state.binding != finding.binding:
        return request
    known = state.finding
    if known is not None and (state.holds or state.has_failed):
        finding = known.model_copy(update={"reference": known.reference or finding.reference})
    return found(request, {requirement_id: finding}, at)


def fulfil(
    request: MutationRequest,
    sender: Person,
    at: datetime,
    *,
    verdict: Literal["passed", "failed"],
    requirement_id: str | None = None,
    name: str | None = None,
    reason: str = "",
    binding: str | None = None,
    decision_id: str | None = None,
    metadata: Mapping[str, JsonValue] | None = None,
) -> MutationRequest:
    """Take the answer to a callback check, or to a review, and do what follows from it.

    Args:
        request: The request as it is.
        sender: Who answers, as the directory knows them.
        at: When the answer counts as given.
        verdict: Whether the change may be made.
        requirement_id: Which requirement it answers; `None`: the only one the sender may answer.
        name: Without `requirement_id`, the check it answers, or the requirement's title.
        reason: Why.
        binding: What was judged: the binding shown with the request, or the requirement's own;
            `None` counts only while there was one binding ever.
        decision_id: The sender's name for the message, kept with the decision.
        metadata: Evidence, kept with the decision.

    Raises:
        NotFulfillable: The requirement is no callback check and no review.
        DecisionRefused: It does not count; the class names why.
    """
    approval.raise_if_closed(request)
    state = _named(request, sender, at, requirement_id, name)
    if state.requirement.kind == RequirementKind.REVIEW:
        answer: Any = approval.grant if verdict == "passed" else approval.refuse
        reviewed: MutationRequest = answer(
            request,
            sender,
            at,
            requirement_id=state.id,
            reason=reason,
            binding=request.binding if binding == state.binding else binding,
            decision_id=decision_id,
            metadata=metadata,
            kind=RequirementKind.REVIEW,
        )
        return reviewed
    _raise_unless_open(request, state, sender, at)
    if binding != state.binding:
        approval.raise_if_outdated(request, binding)
    wanted: Literal["holds", "failed"] = "holds" if verdict == "passed" else "failed"
    if state.finding is not None and state.finding.verdict == wanted:
        raise DuplicateDecision(
            f"{sender.id} says what is known already: {state.requirement.describe()} {verdict}.",
            request_id=request.request_id,
            actor_id=sender.id,
        )
    said = reason or f"{sender.id} says that it {verdict}."
    finding = Finding(
        verdict=wanted,
        at=at,
        binding=state.binding,
        actor_id=sender.id,
        reason=said,
        decision_id=decision_id,
        reference=state.finding.reference if state.finding else None,
        rejection=None if verdict == "passed" else check_failed(state, said, dict(metadata or {})),
        metadata=dict(metadata or {}),
    )
    return found(request, {state.id: finding}, at)


def check_failed(state: RequirementState, reason: str, evidence: dict[str, JsonValue]) -> Rejection:
    """Answer the rejection of a request whose check failed."""
    return Rejection(
        category="check",
        code="failed",
        message=f"{state.requirement.describe()} failed: {reason}"[:2000],
        metadata={"requirement": state.id, "evidence": evidence},
    )


def _looked_at(request: MutationRequest) -> tuple[RequirementState, ...]:
    if request.status is not Status.PENDING or request.closing is not None:
        return ()
    return tuple(
        r
        for r in fulfilment.awaited(request)
        if r.requirement.kind in LOOKED_AT and r.requirement.is_whole
    )


def _named(
    request: MutationRequest,
    sender: Person,
    at: datetime,
    requirement_id: str | None,
    name: str | None,
) -> RequirementState:
    answered = [r for r in request.requirements if _is_fulfillable(r.requirement)]
    if requirement_id is None:
        called = [r for r in answered if name in {None, *_names(r.requirement)}]
        mine = [r for r in called if rights.rights(request, sender, [r], at)] or (
            called if name or len(called) == 1 else []
        )
        if len(mine) == 1:
            return mine[0]
        known = ", ".join(r.id for r in mine or answered) or "none"
        raise UnknownRequirement(
            f"Say which requirement of request {request.request_id!r} is fulfilled: {known}.",
            request_id=request.request_id,
            requirement_id=None,
        )
    state = request.requirement(requirement_id)
    if state is None:
        raise UnknownRequirement(
            f"Request {request.request_id!r} has no requirement {requirement_id!r}; what can be "
            f"fulfilled: {', '.join(r.id for r in answered) or 'nothing'}.",
            request_id=request.request_id,
            requirement_id=requirement_id,
        )
    if not _is_fulfillable(state.requirement):
        raise NotFulfillable(
            f"{state.requirement.describe()} is no review and no check that others answer; fulfil "
            "answers only those.",
            request_id=request.request_id,
            requirement_id=requirement_id,
        )
    return state


def _names(requirement: Requirement) -> tuple[str, ...]:
    return tuple(each for each in (requirement.check_name, requirement.title) if each)


def _is_fulfillable(requirement: Requirement) -> bool:
    return requirement.kind == RequirementKind.REVIEW or (
        requirement.kind == RequirementKind.CHECK and bool(requirement.who)
    )


def _raise_unless_open(
    request: MutationRequest, state: RequirementState, sender: Person, at: datetime
) -> None:
    approval.raise_if_requester(request, sender)
    if not rights.is_own(sender, state):
        raise NotAuthorised(
            f"{sender.id} may not answer {state.requirement.describe()} of request "
            f"{request.request_id!r}; who may: {state.requirement.who.describe()}.",
            request_id=request.request_id,
            actor_id=sender.id,
        )
    if state.status == "waiting":
        raise StepNotOpen(
            f"Step {state.requirement.step} of request {request.request_id!r} opens when the steps "
            "before it are done; answer then.",
            request_id=request.request_id,
            step=state.requirement.step,
        )
    own = None if state.status == "fulfilled" else state.deadline
    deadline = min(request.expires_at, own or request.expires_at)
    if at >= deadline or state.status == "expired":
        raise DeadlinePassed(
            f"The deadline of request {request.request_id!r} was {deadline.isoformat()}.",
            request_id=request.request_id,
            deadline=deadline.isoformat(),
        )
