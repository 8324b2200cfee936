"""What one evaluation of a request on one version of the state found.

Assessment, resolution and preview are the same evaluation; they differ in what it is compared with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import Field

from ..audit import MutationRecord
from ..effects import Effect, EffectPreview
from ..model import Value
from ..mutation import Intent, RiskLevel
from ..policy import Verdict
from ..requirements import BY_PEOPLE, Requirement, RequirementKind, Strategy, united
from ..result import ExecutionResult
from ..validation import Issue, Severity
from .alternatives import MAX_WAYS, answered_for, every, number_of_ways, ways
from .matching import choose
from .outcome import rejection_of
from .people import Directory
from .request import Finding, Rejection


class PolicyVerdict(Value):
    """One policy's verdict as people read it; the whole decision stands in the audit entry.

    Attributes:
        severity: How grave a denial is.
        winners: Of a composition, the parts whose answer this is.
        blockers: Of a composition, the parts that decide and did not allow it.
    """

    policy: str
    version: int
    verdict: Verdict
    reason: str = ""
    enforced: bool = True
    severity: Severity = Severity.INFO
    winners: tuple[str, ...] = ()
    blockers: tuple[str, ...] = ()


class CheckPlan(Value):
    """How a check of the domain is asked.

    Attributes:
        files: It is filed with another system, which answers later; else it is run.
        timeout: Seconds one attempt may take.
        retries: How often it is tried again at once when it raises.
    """

    files: bool = False
    timeout: float = 60.0
    retries: int = 2


class Plan(Value):
    """How the workflow is to ask for what comes next; it branches on this, never on settings.

    Attributes:
        local: Whether activities are tried in the workflow task first.
        local_timeout: Seconds such a first attempt may take.
        timeout: Seconds one attempt of an activity that runs author code may take.
        checks: How each check that is demanded is asked, by its name.
    """

    local: bool = False
    local_timeout: float = 1.0
    timeout: float = 30.0
    checks: dict[str, CheckPlan] = Field(default_factory=dict)


class Assessment(Value):
    """An evaluation in mode simulate: verdicts, requirements, effect, digests, warnings.

    Attributes:
        able: For each requirement, those in alternatives too, how many people could answer it.
        able_escalated: For each that can be escalated, how many could answer it then.
        covered: For each of them the digest of the part of the effect it answers for.
        rejection: Why the request cannot go on, where it cannot.
        strategy: The strictest that the domain and the policies name.
        expires_in: The deadline of a request that names none.
        findings: What looking at schedules, dependencies and reserved quota brought, by id.
        lifetime: How long a grant counts where its requirement does not say, by the risk.
        on_state_moved: What the domain does with open requests when their state moves.
    """

    at: datetime
    execution_id: str
    version: int
    state_digest: str
    policy_set_digest: str
    mutations: tuple[MutationRecord, ...]
    intent: Intent
    requirements: tuple[Requirement, ...] = ()
    able: dict[str, int]
    able_escalated: dict[str, int] = Field(default_factory=dict)
    covered: dict[str, str]
    effect_digest: str
    effect: EffectPreview
    issues: tuple[Issue, ...] = ()
    verdicts: tuple[PolicyVerdict, ...] = ()
    inverse: EffectPreview | None = None
    irreversible: str | None = None
    strategy: Strategy
    expires_in: timedelta
    rejection: Rejection | None = None
    plan: Plan = Plan()
    findings: dict[str, Finding] = Field(default_factory=dict)
    lifetime: timedelta | None = None
    on_state_moved: Literal["wait", "supersede"] = "wait"


def assess(
    result: ExecutionResult[Any],
    *,
    state_digest: str,
    policy_set_digest: str,
    strategy: Strategy,
    expires_in: timedelta,
    directory: Directory,
    requesters: Iterable[str],
    plan: Plan,
    demands: Iterable[Requirement] = (),
    lifetimes: Mapping[RiskLevel, timedelta] | None = None,
    on_state_moved: Literal["wait", "supersede"] = "wait",
) -> Assessment:
    """Make an assessment of a run in mode simulate.

    Args:
        result: The run.
        state_digest: Digest of the state it ran on.
        policy_set_digest: Digest of the policies that were asked.
        strategy: The domain's.
        expires_in: The domain's.
        directory: Who could answer the requirements.
        requesters: Who never counts.
        plan: How to ask for what comes next.
        demands: What the request demands of itself.
        lifetimes: How long a grant counts, by the risk.
        on_state_moved: What the domain does with open requests when their state moves.
    """
    own = tuple(demands)
    requirements = (
        united((*result.ruling.requirements, *own)) if own else result.ruling.requirements
    )
    answered = every(requirements)
    barred = tuple(requesters)
    reversible = result.intent.reversible
    return Assessment(
        at=result.audit.at,
        execution_id=result.execution_id,
        version=result.audit.version_before,
        state_digest=state_digest,
        policy_set_digest=policy_set_digest,
        mutations=result.audit.mutations,
        intent=result.intent,
        requirements=requirements,
        able={r.id: len(directory.able(r, barred)) for r in answered},
        able_escalated={
            r.id: len(directory.able(r, barred, escalated=True)) for r in answered if r.escalate_to
        },
        covered=covered(requirements, result.effect),
        effect_digest=result.effect.digest(),
        effect=EffectPreview.of(result.effect),
        issues=result.issues,
        verdicts=tuple(
            PolicyVerdict(
                policy=d.policy,
                version=d.policy_version,
                verdict=d.verdict,
                reason=d.reason[:500],
                enforced=d.enforced,
                severity=d.severity,
                winners=d.winners,
                blockers=d.blockers,
            )
            for d in result.ruling.decisions
        ),
        inverse=_inverse(result) if reversible else None,
        irreversible=None if reversible else "The mutation says it cannot be taken back.",
        strategy=Strategy.strictest([strategy, result.ruling.strategy]),
        expires_in=expires_in,
        rejection=rejection_of(result) or _too_many_ways(requirements),
        plan=plan,
        lifetime=(lifetimes or {}).get(result.intent.risk),
        on_state_moved=on_state_moved,
    )


def covered(requirements: Iterable[Requirement], effect: Effect) -> dict[str, str]:
    """Answer by id the digest of the part of an effect that each requirement answers for.

    What nobody surely answers for where it counts is part of that.

    Args:
        requirements: What is demanded; what stands in alternatives has its digest too.
        effect: What would be done.
    """
    demanded = tuple(requirements)
    among = answered_for(demanded)
    return {r.id: effect.digest(r.covers, among=[*among[r.id], *r.covers]) for r in every(demanded)}


def unfillable(
    assessment: Assessment, directory: Directory, requesters: Iterable[str]
) -> Rejection | None:
    """Answer why the approvals can never be given, or nothing when they can.

    A role or group that the directory does not know blocks by name; a seat that nobody can fill,
    with one person in one seat only, also once it is escalated, is found here and not after two
    weeks.
    """
    barred = tuple(requesters)
    demands: list[list[list[tuple[str, int]]]] = []
    for requirement in assessment.requirements:
        approvals = [[r for r in way if r.kind in BY_PEOPLE] for way in ways(requirement)]
        unknown = [_unknown(directory, way) for way in approvals]
        if unknown and all(unknown):
            names = [*dict.fromkeys(token for tokens in unknown for token in tokens)]
            return Rejection(
                category="unsatisfiable",
                code="no_approver",
                message=(
                    f"The directory has no {', '.join(names)}, which "
                    f"{', '.join(requirement.demanded_by) or 'a policy'} names. "
                    "Add it to the directory, then ask again."
                ),
                metadata={"requirement": requirement.id, "unknown": [*names]},
            )
        known = [way for way, lacks in zip(approvals, unknown, strict=True) if not lacks]
        demands.append([[(r.id, r.needed) for r in way] for way in known])
    people: dict[str, list[str]] = {}
    for requirement in every(assessment.requirements):
        if requirement.kind in BY_PEOPLE:
            for person in directory.able(requirement, barred, escalated=True):
                people.setdefault(person.id, []).append(requirement.id)
    filled = {key: len(who) for key, who in choose(demands, people).items()}
    for requirement, filling in zip(assessment.requirements, demands, strict=True):
        if not filling or any(all(filled.get(k, -1) >= n for k, n in way) for way in filling):
            continue
        found = (
            "no alternative can be filled"
            if requirement.alternatives
            else f"{filled[requirement.id]} of {requirement.needed} can be found"
        )
        return Rejection(
            category="unsatisfiable",
            code="no_approver",
            message=(
                f"Nobody can fill every seat of: {requirement.describe()}. Without the "
                f"requester, and with one seat a person, {found}."
            ),
            metadata={"requirement": requirement.id},
        )
    return None


def unsatisfiable(assessment: Assessment, deadline: datetime) -> Rejection | None:
    """Answer why what is demanded can never be met, or nothing when it may be.

    Looked for at submission only; later it may be that somebody is about to mend it.

    Args:
        assessment: The first one, with what was found.
        deadline: The request's.
    """
    for requirement in assessment.requirements:
        finding = assessment.findings.get(requirement.id)
        if requirement.kind == RequirementKind.QUOTA and requirement.is_whole:
            wanted = requirement.wanted
            if wanted.budget is not None and wanted.amount > wanted.budget.limit:
                return Rejection(
                    category="unsatisfiable",
                    code="no_budget",
                    message=f"There is never room for {requirement.describe()}. Ask for less.",
                    metadata={"requirement": requirement.id},
                )
        if requirement.kind != RequirementKind.SCHEDULE or finding is None:
            continue
        by = deadline
        if requirement.duration is not None:
            by = min(by, assessment.at + requirement.duration)
        if finding.verdict == "not_yet" and (finding.again_at is None or finding.again_at >= by):
            return Rejection(
                category="unsatisfiable",
                code="no_window",
                message=(
                    f"There is no moment for it before its deadline at {by.isoformat()}: "
                    f"{requirement.describe()}: {finding.reason}"
                ),
                metadata={"requirement": requirement.id},
            )
    return None


def _unknown(directory: Directory, way: Iterable[Requirement]) -> tuple[str, ...]:
    """Answer the roles and groups of a way that the directory does not have."""
    return tuple(
        token
        for r in way
        for who in (r.who, r.escalate_to)
        for token in directory.unknown(who)
        if not token.startswith("user:")
    )


def _too_many_ways(requirements: tuple[Requirement, ...]) -> Rejection | None:
    number = number_of_ways(requirements)
    if number <= MAX_WAYS:
        return None
    return Rejection(
        category="validation",
        code="too_large",
        message=(
            f"What the policies demand can be met in {number} ways; at most {MAX_WAYS} are "
            "followed. Let the domain's policies name fewer alternatives."
        ),
        metadata={"limit": MAX_WAYS, "actual": number},
    )


def _inverse(result: ExecutionResult[Any]) -> EffectPreview:
    return EffectPreview.of(Effect(changes=result.effect.changes.inverse()))
