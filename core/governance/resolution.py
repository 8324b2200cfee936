"""Version resolution: always, before every execution.

A request is assessed again on what the state is now, and the two assessments are compared. What
drift does to the standing approvals is not written here strategy by strategy: a grant holds on to
its grant binding, the strategy says what goes into that (`binding`), and a grant counts exactly as
long as its binding is the present one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import Field, JsonValue

from ..errors import InvalidTransition, NotAuthorised, NothingToRefresh
from ..model import Value
from ..requirements import ANY, BY_PEOPLE, Requirement, RequirementKind, Strategy
from . import agenda, rights, waits
from .alternatives import every, outer_of
from .approval import without
from .assessment import Assessment
from .binding import binding_of, grant_binding_of
from .fulfilment import awaited, given_back, settle, with_findings
from .lifecycle import append, hold, intend
from .outcome import reject
from .people import SYSTEM, Directory, Person
from .request import (
    Answer,
    Category,
    Closing,
    MutationRequest,
    Rejection,
    RequirementState,
    Snapshot,
    Status,
)

MAX_DRIFT = 50
"""How many drifted paths a resolution names."""


class ResolutionOutcome(StrEnum):
    """What version resolution says; the first three execute."""

    VALIDATED = "validated"
    SURVIVED = "survived"
    REVALIDATED = "revalidated"
    RENEWED = "renewed"
    REVOKED = "revoked"
    INELIGIBLE = "ineligible"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    HELD = "held"

    @property
    def executes(self) -> bool:
        """Answer whether the engine may run in mode commit."""
        return self in {
            ResolutionOutcome.VALIDATED,
            ResolutionOutcome.SURVIVED,
            ResolutionOutcome.REVALIDATED,
        }


class Resolution(Value):
    """One stored answer of version resolution.

    Attributes:
        round: The round of the request it resolves.
        fence: The number of the ask.
        at: The time it was asked with.
        expected: The version the standing grants were given on.
        current: The version it was resolved on.
        same_effect: Whether the effect is what it was.
        drift: The paths of the state that changed between the two versions, at most `MAX_DRIFT`.
        assessment: The evaluation on the current version.
        added: Requirements demanded now and not before, by id.
        dropped: Requirements demanded before and no longer, by id.
        lapsed: Whose answers no longer hold, because what they answered for changed.
        revoked: Whose answers no longer hold, in whole or in part, because they lost the right.
        revoked_in_part: Of those who keep some of it, by person, the ids of what they lost.
        reasons: Why it is not eligible, each named.
    """

    round: int
    fence: int
    at: datetime
    outcome: ResolutionOutcome
    expected: int | None = None
    current: int | None = None
    same_effect: bool = True
    drift: tuple[str, ...] = ()
    assessment: Assessment | None = None
    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    lapsed: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()
    revoked_in_part: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    rejection: Rejection | None = None
    held: str | None = None

    @property
    def moved(self) -> bool:
        """Answer whether the state moved or the effect changed."""
        return self.expected != self.current or not self.same_effect


def assessed(
    request: MutationRequest,
    assessment: Assessment,
    at: datetime,
    *,
    strategy: Strategy | None = None,
    own_deadline: bool = False,
) -> MutationRequest:
    """Adopt the first assessment: what it would do, what it demands, and what is shown.

    Args:
        request: The request as created.
        assessment: What the evaluation found.
        at: The present.
        strategy: The requester's, if any; the strictest of all wins.
        own_deadline: The requester named a deadline; else the domain's default holds.

    Raises:
        InvalidTransition: It was assessed already, or has ended.
    """
    if request.status is not Status.CREATED:
        raise InvalidTransition(request.request_id, request.status.value, Status.PENDING.value)
    if not own_deadline:
        expires_at = request.created_at + assessment.expires_in
        request = request.model_copy(update={"expires_at": expires_at})
    request = request.model_copy(
        update={
            "mutations": assessment.mutations,
            "intent": assessment.intent,
            "tags": tuple(dict.fromkeys((*request.tags, *assessment.intent.tags))),
            "strategy": Strategy.strictest([assessment.strategy, strategy]),
            "held": None,
        }
    )
    if assessment.rejection is not None:
        return reject(request, assessment.rejection, actor_id=SYSTEM)
    wanted = request.expected_version
    request = request.model_copy(
        update={"on_state_moved": request.on_state_moved or assessment.on_state_moved}
    )
    request = _with_what_was_found(_adopted(request, assessment, round_=1), assessment, at)
    if wanted is not None and wanted != assessment.version:
        return _stale_at_once(request, assessment, at, wanted=wanted)
    return settle(request, at)


def eligibility(request: MutationRequest, directory: Directory, at: datetime) -> tuple[str, ...]:
    """Answer every reason for which the request may not be resolved now; none means it may.

    Args:
        request: The request, in which nothing counts that has grown too old (`agenda.lapse`).
        directory: Who has which right now.
        at: The present.
    """
    reasons: list[str] = []
    if request.status.is_terminal:
        reasons.append(f"it has ended: {request.status.value}")
    elif request.status is not Status.APPROVED:
        reasons.append(f"it is {request.status.value}, not Approved")
    if request.closing is not None:
        reasons.append(f"it is about to be {request.closing.status.value}")
    reasons += [
        f"unmet: {r.requirement.describe()}" for r in request.demanded if r.status != "fulfilled"
    ]
    old = {actor for r in awaited(request) for actor in r.lapsed}
    reasons += [f"the grant of {actor} has grown too old" for actor in sorted(old)]
    if at >= request.expires_at:
        reasons.append(f"its deadline was {request.expires_at.isoformat()}")
    parts = _revoked_in_part(request, directory)
    reasons += [
        f"{actor} may no longer answer {'all that' if actor in parts else 'what'} they granted"
        for actor in revoked(request, directory)
    ]
    if directory.find(request.context.actor_id) is None:
        reasons.append(f"its requester {request.context.actor_id} is no longer in the directory")
    return tuple(reasons)


def revoked(request: MutationRequest, directory: Directory) -> tuple[str, ...]:
    """Answer whose grants count no longer, or for less, as the directory gives them the right."""
    return tuple(a.actor_id for a in _grants(request) if rights.lost(request, a, directory))


def _revoked_in_part(request: MutationRequest, directory: Directory) -> dict[str, tuple[str, ...]]:
    """Answer what is lost of the grants of which something is left."""
    lost = ((a, rights.lost(request, a, directory)) for a in _grants(request))
    return {a.actor_id: ids for a, ids in lost if 0 < len(ids) < len(a.bindings)}


def _grants(request: MutationRequest) -> Iterable[Answer]:
    return (answer for answer in request.answers if answer.verdict == "grant")


def resolve(
    request: MutationRequest,
    assessment: Assessment,
    *,
    directory: Directory,
    at: datetime,
    fence: int,
    drift: Iterable[str] = (),
) -> Resolution:
    """Compare what was approved with what would be done now.

    Args:
        request: The request; Approved, or the answer says why not.
        assessment: The evaluation on the current version.
        directory: Who has which right now.
        at: The time handed in by the workflow.
        fence: The number of the ask.
        drift: The paths that changed since the expected version.
    """
    # What `resolved` concludes it concludes without what is too old by then, so this does as well.
    request = agenda.lapse(request, at)
    drifted = tuple(sorted(drift))[:MAX_DRIFT]

    def answer(outcome: ResolutionOutcome, **more: object) -> Resolution:
        known: dict[str, object] = {
            "round": request.round,
            "fence": fence,
            "at": at,
            "expected": request.snapshot.version if request.snapshot else None,
            "current": assessment.version,
            "same_effect": _same_effect(request, assessment),
            "drift": drifted,
            "assessment": assessment,
        }
        return Resolution.model_validate({**known, "outcome": outcome, **more})

    lost = revoked(request, directory)
    reasons = eligibility(_looked_at(request, assessment, at), directory, at)
    if directory.find(request.context.actor_id) is None:
        rejection = Rejection(category="policy", code="unauthorised", message=f"{reasons[-1]}.")
        return answer(ResolutionOutcome.REJECTED, rejection=rejection, reasons=reasons)
    if lost:
        parts = _revoked_in_part(request, directory)
        return answer(
            ResolutionOutcome.REVOKED, revoked=lost, revoked_in_part=parts, reasons=reasons
        )
    if reasons:
        return answer(ResolutionOutcome.INELIGIBLE, reasons=reasons)
    if assessment.rejection is not None:
        return answer(ResolutionOutcome.REJECTED, rejection=assessment.rejection)
    base = answer(ResolutionOutcome.VALIDATED)
    if is_superseded(request, assessment.version):
        return answer(ResolutionOutcome.SUPERSEDED)
    strategy = Strategy.strictest([request.strategy, assessment.strategy])
    if base.moved and strategy is Strategy.REJECT_STALE:
        return answer(ResolutionOutcome.REJECTED, rejection=_stale(base))
    return base.model_copy(update=_compared(request, assessment, base, at))


def resolved(request: MutationRequest, resolution: Resolution) -> MutationRequest:
    """Draw the conclusions of a resolution; the same ones wherever they are drawn.

    Raises:
        InvalidTransition: The request has ended.
    """
    _raise_if_ended(request)
    at, assessment = resolution.at, resolution.assessment
    if resolution.outcome is ResolutionOutcome.HELD:
        return hold(request, resolution.held or "unknown", at)
    request = agenda.lapse(request, at)
    match resolution.outcome:
        case ResolutionOutcome.INELIGIBLE:
            request = request.model_copy(update={"held": None})
            return _looked_at(request, assessment, at) if assessment else settle(request, at)
        case ResolutionOutcome.SUPERSEDED:
            return superseded_by_version(request, resolution.current)
        case ResolutionOutcome.REVOKED:
            for actor in resolution.revoked:
                ids = resolution.revoked_in_part.get(actor, ())
                request = _without_right(request, actor, ids, at)
            return settle(request, at)
        case ResolutionOutcome.REJECTED if resolution.rejection is not None:
            rejection = resolution.rejection
            if rejection.category == "stale":
                request = _noted(request, resolution, "RejectedAsStale", rejection.message)
            return reject(request, rejection, actor_id=SYSTEM)
        case _ if assessment is not None:
            return adopt(request, assessment, at, resolution=resolution)
        case _:
            return request


def _without_right(
    request: MutationRequest, actor_id: str, requirement_ids: Sequence[str], at: datetime
) -> MutationRequest:
    """Let a grant count no longer for what its giver lost the right to; nothing named: at all."""
    lost = [r for r in request.requirements if r.id in requirement_ids]
    granted = (
        f": {'; '.join(r.requirement.describe() for r in lost)}" if lost else " what they granted"
    )
    request = append(
        request,
        Category.APPROVAL,
        "Lapsed",
        actor_id=SYSTEM,
        at=at,
        reason=f"{actor_id} may no longer answer{granted}.",
        approver=actor_id,
        requirements=[*requirement_ids] or None,
    )
    if not requirement_ids:
        return without(request, [actor_id])
    left = {r.id: r.binding for r in request.requirements if r.id not in requirement_ids}
    kept = (a.holding(left) if a.actor_id == actor_id else a for a in request.answers)
    return request.model_copy(update={"answers": tuple(a for a in kept if a is not None)})


def adopt(
    request: MutationRequest,
    assessment: Assessment,
    at: datetime,
    *,
    resolution: Resolution | None = None,
    actor_id: str = SYSTEM,
) -> MutationRequest:
    """Adopt a later assessment: carry what it leaves untouched, ask again what it does not.

    Without a resolution it is a refresh: somebody asked what the waiting request would do today.

    Raises:
        InvalidTransition: The request has ended.
    """
    _raise_if_ended(request)
    if assessment.rejection is not None:
        return reject(request, assessment.rejection, actor_id=SYSTEM)
    if is_superseded(request, assessment.version):
        return superseded_by_version(request, assessment.version)
    found = _comparison(request, assessment)
    moved = request.snapshot is None or (
        request.snapshot.version != assessment.version or not _same_effect(request, assessment)
    )
    strategy = Strategy.strictest([request.strategy, assessment.strategy])
    if moved and strategy is Strategy.REJECT_STALE and request.snapshot is not None:
        return _rejected_as_stale(request, assessment, at, expected=request.snapshot.version)
    asked_again = bool(found.lapsed) or any(key in found.reset for key in request.fulfilled)
    renewed = bool(found.added) or (asked_again and not _is_met_anyway(request, assessment, at))
    proof = _proof(request, assessment, found, resolution)
    if found.added:
        request = _resolution_decision(request, "RequirementsAdded", actor_id, at, proof)
    if found.lapsed and renewed:
        request = _resolution_decision(request, "RenewedApprovalRequired", actor_id, at, proof)
    elif not moved:
        if not found.added and not _just_validated(request, assessment):
            request = _resolution_decision(request, "Validated", actor_id, at, proof)
    elif _survives(request, found):
        request = _resolution_decision(request, "ApprovalsSurvived", actor_id, at, proof)
    else:
        request = _resolution_decision(request, "RevalidationRequired", actor_id, at, proof)
    request = _told_of(request, found, at)
    if renewed:
        request = _given_back(request, at)
    request = request.model_copy(update={"strategy": strategy, "held": None})
    request = _adopted(request, assessment, round_=request.round + (1 if renewed else 0))
    return settle(_with_what_was_found(request, assessment, at), at)


def _is_met_anyway(request: MutationRequest, assessment: Assessment, at: datetime) -> bool:
    """Answer whether an approved request stays so: what is asked again is met by something else."""
    if request.status is not Status.APPROVED:
        return False
    carried = _adopted(request, assessment, round_=request.round)
    after = settle(_with_what_was_found(carried, assessment, at), at)
    return after.status is Status.APPROVED and after.closing is None


def _survives(request: MutationRequest, found: _Comparison) -> bool:
    """Answer whether there are grants, and every one of them holds for the effect as it is now."""
    by_effect = request.strategy is not Strategy.REVALIDATE_ON_LATEST
    return bool(found.kept) and not found.lapsed and by_effect


def _told_of(request: MutationRequest, found: _Comparison, at: datetime) -> MutationRequest:
    """Say which requirements are dropped, and which are asked again."""
    for dropped in found.dropped:
        request = append(
            request,
            Category.REQUIREMENT,
            "Dropped",
            actor_id=SYSTEM,
            at=at,
            reason="No policy demands it any more.",
            requirement=dropped,
        )
    for reset in found.reset:
        state = request.requirement(reset)
        approval = state is not None and state.requirement.kind in BY_PEOPLE
        request = append(
            request,
            Category.APPROVAL if approval else Category.REQUIREMENT,
            "Renewed" if approval else "Reopened",
            actor_id=SYSTEM,
            at=at,
            reason="What it answers for has changed; it is asked again.",
            requirement=reset,
        )
    return request


def _looked_at(request: MutationRequest, assessment: Assessment, at: datetime) -> MutationRequest:
    """Draw the conclusions of what an evaluation found where it looked, and of nothing else."""
    if request.status.is_terminal or request.closing is not None:
        return request
    return settle(_with_what_was_found(request, assessment, at), at)


def _with_what_was_found(
    request: MutationRequest, assessment: Assessment, at: datetime
) -> MutationRequest:
    """Take what an evaluation found where it looked.

    It looked before the request stood in the record as one that is told; what is to be told is
    looked at once more after that, so that nothing passes between the two.
    """
    findings = {
        key: finding.model_copy(update={"again_at": at})
        if finding.verdict == "not_yet" and finding.again_at is None
        else finding
        for key, finding in assessment.findings.items()
    }
    return with_findings(request, findings, at)


def _given_back(request: MutationRequest, at: datetime) -> MutationRequest:
    """Give back what is reserved in budgets; it keeps its place among those who ask for room."""
    for each in request.requirements:
        if each.requirement.kind == RequirementKind.QUOTA:
            request = given_back(request, each, at)
    return request


def is_superseded(request: MutationRequest, version: int | None) -> bool:
    """Answer whether the state moved on, and the request is not to outlive that."""
    return (
        request.on_state_moved == "supersede"
        and request.snapshot is not None
        and version is not None
        and request.snapshot.version != version
        and not request.status.is_terminal
    )


def superseded_by_version(request: MutationRequest, version: int | None) -> MutationRequest:
    """Intend the end of a request whose state moved on."""
    before = request.snapshot.version if request.snapshot else 0
    reason = (
        f"The state moved from version {before} to {version}, and this request asked to be "
        "superseded then."
    )
    return intend(request, Closing(status=Status.SUPERSEDED, actor_id=SYSTEM, reason=reason))


def _raise_if_ended(request: MutationRequest) -> None:
    if request.status.is_terminal:
        raise InvalidTransition(request.request_id, request.status.value, Status.PENDING.value)


class _Comparison(Value):
    """What an assessment does to requirements, by id, and to answers, by person.

    Attributes:
        added: Demanded now and not before.
        dropped: Demanded before and no longer.
        reset: Demanded before and now, and what it answers for has changed.
        lapsed: Whose answers no longer hold, in whole or in part, for one that was reset.
        kept: Whose grants still hold, in whole or in part.
    """

    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    reset: tuple[str, ...] = ()
    lapsed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def _comparison(request: MutationRequest, assessment: Assessment) -> _Comparison:
    now = _bindings(request, assessment)
    before = {r.id: r.binding for r in request.requirements}
    reset = tuple(key for key in now if key in before and before[key] != now[key])
    return _Comparison(
        added=tuple(key for key in now if key not in before),
        dropped=tuple(key for key in before if key not in now),
        reset=reset,
        lapsed=tuple(
            a.actor_id for a in request.answers if any(key in reset for key in a.bindings)
        ),
        kept=tuple(
            a.actor_id
            for a in request.answers
            if a.verdict == "grant" and any(now.get(k) == v for k, v in a.bindings.items())
        ),
    )


def _bindings(request: MutationRequest, assessment: Assessment) -> dict[str, str]:
    """Answer the grant bindings; nobody grants a choice, only what stands in its alternatives."""
    strategy = Strategy.strictest([request.strategy, assessment.strategy])
    return {
        r.id: r.id
        if r.kind in _BY_ITSELF
        else grant_binding_of(
            assessment.mutations,
            r.id,
            _held_to(r, strategy),
            covered=_covered(request, assessment, r.id),
            effect=assessment.effect_digest,
            version=assessment.version,
        )
        for r in every(assessment.requirements)
    }


_BY_ITSELF = frozenset({ANY, *waits.TOLD})
"""The kinds that hold on to nothing but what they demand."""


def _held_to(requirement: Requirement, strategy: Strategy) -> Strategy:
    """Answer what drift does to one requirement.

    A check says itself whether it is bound to the mutation only, or to the effect: then it has
    judged that effect, whatever people approved.
    """
    if requirement.kind != RequirementKind.CHECK:
        return strategy
    if not requirement.is_bound_to_effect:
        return Strategy.REVALIDATE_ON_LATEST
    return Strategy.strictest([strategy, Strategy.KEEP_IF_UNAFFECTED])


def _covered(request: MutationRequest, assessment: Assessment, requirement_id: str) -> str:
    """Answer what it answers for; the whole effect where an older assessment does not say.

    While the effect is the same every part of it is, however it is divided among what is demanded
    now: what is added or dropped beside it voids no grant.
    """
    old = request.requirement(requirement_id)
    if old is not None and _same_effect(request, assessment):
        return old.covered
    return assessment.covered.get(requirement_id, assessment.effect_digest)


def _adopted(request: MutationRequest, assessment: Assessment, *, round_: int) -> MutationRequest:
    """Take over everything the assessment found, keeping what still holds."""
    bindings = _bindings(request, assessment)
    renewed = round_ > request.round
    states: list[RequirementState] = []
    of = outer_of(assessment.requirements)
    for requirement in every(assessment.requirements):
        state = RequirementState(
            id=requirement.id,
            requirement=requirement,
            covered=_covered(request, assessment, requirement.id),
            binding=bindings[requirement.id],
            able=assessment.able.get(requirement.id, 0),
            able_escalated=assessment.able_escalated.get(requirement.id, 0),
            of=of[requirement.id],
            lifetime=requirement.lifetime or assessment.lifetime
            if requirement.kind in BY_PEOPLE
            else None,
        )
        old = request.requirement(requirement.id)
        if old is not None and old.binding == state.binding:
            state = state.model_copy(
                update={
                    "finding": old.finding,
                    "asked": old.asked,
                    "lapsed": old.lapsed,
                    "escalated_at": old.escalated_at,
                }
            )
        if (
            old is not None
            and old.binding == state.binding
            and not (renewed and old.status in {"open", "expired"})
            and not (old.status in {"open", "expired"} and old.of != state.of)
        ):
            state = state.model_copy(
                update={
                    "status": old.status,
                    "opened_at": old.opened_at,
                    "deadline": old.deadline,
                    "granted_by": old.granted_by,
                    "refused_by": old.refused_by,
                    "met_by": old.met_by,
                    "reminded_at": old.reminded_at,
                }
            )
        states.append(state)
    held_to = (answer.holding(bindings) for answer in request.answers)
    answers = tuple(answer for answer in held_to if answer is not None)
    # All are shown one thing, so where a check judges the effect it is part of that for everybody.
    shown_on = Strategy.strictest(
        [request.strategy, *(_held_to(r, request.strategy) for r in every(assessment.requirements))]
    )
    binding = binding_of(assessment.mutations, assessment.effect_digest, bindings, shown_on)
    return request.model_copy(
        update={
            "expected_version": assessment.version,
            "snapshot": Snapshot(
                round=round_,
                version=assessment.version,
                state_digest=assessment.state_digest,
                effect_digest=assessment.effect_digest,
                policy_set_digest=assessment.policy_set_digest,
            ),
            "effect": assessment.effect,
            "warnings": assessment.issues,
            "inverse": assessment.inverse,
            "irreversible": assessment.irreversible,
            "requirements": tuple(states),
            "answers": answers,
            "binding": binding,
            "bindings_seen": request.bindings_seen + (binding != request.binding),
        }
    )


def _compared(
    request: MutationRequest, assessment: Assessment, base: Resolution, at: datetime
) -> dict[str, object]:
    found = _comparison(request, assessment)
    update: dict[str, object] = {
        "added": found.added,
        "dropped": found.dropped,
        "lapsed": found.lapsed,
    }
    after = adopt(request, assessment, at)
    if after.status is not Status.APPROVED or after.closing is not None:
        return update | {"outcome": ResolutionOutcome.RENEWED}
    if not base.moved:
        return update
    survives = _survives(request, found)
    outcome = ResolutionOutcome.SURVIVED if survives else ResolutionOutcome.REVALIDATED
    return update | {"outcome": outcome}


def _same_effect(request: MutationRequest, assessment: Assessment) -> bool:
    return (
        request.snapshot is not None and request.snapshot.effect_digest == assessment.effect_digest
    )


def _just_validated(request: MutationRequest, assessment: Assessment) -> bool:
    """Answer whether the last decision says just this: asking again is no news."""
    last = request.decisions[-1]
    return last.code == "Validated" and last.metadata.get("to_version") == assessment.version


def _stale(resolution: Resolution) -> Rejection:
    by_version = resolution.expected != resolution.current
    message = (
        f"The state moved from version {resolution.expected} to {resolution.current}"
        if by_version
        else f"The effect changed on version {resolution.current}"
    )
    drift: list[JsonValue] = list(resolution.drift)
    return Rejection(
        category="stale",
        code="moved" if by_version else "effect_changed",
        message=f"{message}, and this request is rejected when it is stale.",
        metadata={
            "expected": resolution.expected,
            "current": resolution.current,
            "drift": drift,
        },
    )


def _rejected_as_stale(
    request: MutationRequest, assessment: Assessment, at: datetime, *, expected: int
) -> MutationRequest:
    passed = _passed(request, assessment, at, expected=expected)
    stale = _stale(passed)
    request = _noted(request, passed, "RejectedAsStale", stale.message)
    return reject(request, stale, actor_id=SYSTEM)


def _passed(
    request: MutationRequest, assessment: Assessment, at: datetime, *, expected: int
) -> Resolution:
    """Answer what is told of a state that moved on outside of any resolution."""
    return Resolution(
        round=request.round,
        fence=0,
        at=at,
        outcome=ResolutionOutcome.VALIDATED,
        expected=expected,
        current=assessment.version,
    )


def _stale_at_once(
    request: MutationRequest, assessment: Assessment, at: datetime, *, wanted: int
) -> MutationRequest:
    current = assessment.version
    if wanted > current:
        message = f"The request expects version {wanted}; the state is at version {current}."
        return reject(
            request,
            Rejection(category="validation", code="invalid_parameters", message=message),
            actor_id=SYSTEM,
        )
    if request.strategy is Strategy.REJECT_STALE:
        return _rejected_as_stale(request, assessment, at, expected=wanted)
    reason = f"The request was written on version {wanted}; it is shown on version {current}."
    passed = _passed(request, assessment, at, expected=wanted)
    return settle(_noted(request, passed, "RevalidationRequired", reason), at)


def _noted(
    request: MutationRequest, resolution: Resolution, code: str, reason: str
) -> MutationRequest:
    return append(
        request,
        Category.RESOLUTION,
        code,
        actor_id=SYSTEM,
        at=resolution.at,
        reason=reason,
        from_version=resolution.expected,
        to_version=resolution.current,
        drift=list(resolution.drift),
    )


def _resolution_decision(
    request: MutationRequest,
    code: str,
    actor_id: str,
    at: datetime,
    proof: dict[str, JsonValue],
) -> MutationRequest:
    sentences = {
        "Validated": "The state is what the decision was taken on.",
        "ApprovalsSurvived": "The state moved; every granted part of the effect is unchanged.",
        "RevalidationRequired": "The state moved; the policies and the check were asked again.",
        "RenewedApprovalRequired": "What was approved is not what would be done now.",
        "RequirementsAdded": "The policies demand more than they did.",
    }
    return append(
        request,
        Category.RESOLUTION,
        code,
        actor_id=actor_id,
        at=at,
        reason=sentences[code],
        decision_id=None,
        **proof,
    )


def _proof(
    request: MutationRequest,
    assessment: Assessment,
    found: _Comparison,
    resolution: Resolution | None,
) -> dict[str, JsonValue]:
    """Answer what anybody needs to check why grants survived or lapsed."""
    before = request.snapshot
    same = _same_effect(request, assessment)
    difference: dict[str, JsonValue] = {
        "approved": list(request.effect.lines) if request.effect else [],
        "now": list(assessment.effect.lines),
    }
    return {
        "from_version": before.version if before else None,
        "to_version": assessment.version,
        "effect_before": before.effect_digest if before else None,
        "effect_now": assessment.effect_digest,
        "drift": list(resolution.drift) if resolution else None,
        "grants_kept": list(found.kept),
        "grants_lapsed": list(found.lapsed) or None,
        "requirements_added": list(found.added) or None,
        "requirements_dropped": list(found.dropped) or None,
        "difference": None if same else difference,
    }


def first_grant_needs_refresh(request: MutationRequest, current_version: int | None) -> bool:
    """Answer whether the state drifted while nobody had granted yet.

    The first approver decides on today's effect, not on the one of two weeks ago.
    """
    return (
        request.status is Status.PENDING
        and request.closing is None
        and request.snapshot is not None
        and current_version is not None
        and request.snapshot.version != current_version
        and not any(a.verdict == "grant" for a in request.answers)
        and any(r.requirement.kind == RequirementKind.APPROVAL for r in request.requirements)
    )


def raise_unless_refreshable(request: MutationRequest, sender: Person) -> None:
    """Refuse to assess a request anew that does not wait, or for somebody it does not concern.

    Raises:
        NothingToRefresh: The request is not Pending, or about to end.
        NotAuthorised: The sender is neither its requester nor one of its approvers.
    """
    if request.status is not Status.PENDING or request.closing is not None:
        raise NothingToRefresh(
            f"Request {request.request_id!r} is {request.status.value}; only a waiting one can be "
            "assessed anew.",
            request_id=request.request_id,
        )
    asked = sender.id.lower() in request.requester_ids
    if not asked and not rights.is_concerned(request, sender):
        raise NotAuthorised(
            f"{sender.id} may not refresh request {request.request_id!r}; its requester and its "
            "approvers may.",
            request_id=request.request_id,
            actor_id=sender.id,
        )


def shown_difference(answer: Answer, request: MutationRequest) -> tuple[str, ...]:
    """Answer how today's effect differs from the one an approver saw, one line a change."""
    now = set(request.effect.lines) if request.effect else set()
    then = set(answer.effect.lines)
    return tuple(
        [f"- {line}" for line in answer.effect.lines if line not in now]
        + [
            f"+ {line}"
            for line in (request.effect.lines if request.effect else ())
            if line not in then
        ]
    )
