"""Who has to agree: a change is as risky as what it does or the flag it touches, the greater."""

from __future__ import annotations

from datetime import datetime

from core import (
    Facts,
    MutationContext,
    PolicyDecision,
    Requirement,
    RiskLevel,
    allow,
    deny,
    policy,
    require,
)
from core.budgets import Budget

from .flags import FlagFile, pointer
from .mutations import ChangeRollout, ChangeVariant, EnableFlag, FlagMutation


def risk_of(mutation: FlagMutation, state: FlagFile) -> RiskLevel:
    """Answer the greater of both risks; a flag that does not exist fails the check, not this."""
    flag = state.flags.get(mutation.flag)
    return max(mutation.risk, flag.risk if flag else RiskLevel.LOW, key=lambda risk: risk.rank)


@policy()
def the_team_approves_medium_risk(
    mutation: FlagMutation, state: FlagFile, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """One of the team that owns the flag, or a release manager where nobody does."""
    if risk_of(mutation, state) is not RiskLevel.MEDIUM:
        return allow("The risk is not medium.")
    flag = state.flags.get(mutation.flag)
    title = f"A change of {mutation.flag}"
    if flag is None or flag.team is None:
        return require(Requirement.approval(roles=["release-manager"], needed=1, title=title))
    return require(Requirement.approval(groups=[flag.team], needed=1, title=title))


@policy()
def two_release_managers_approve_high_risk(
    mutation: FlagMutation, state: FlagFile, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Two release managers; for critical flags the next rule is enough."""
    if risk_of(mutation, state) is not RiskLevel.HIGH:
        return allow("The risk is not high.")
    title = f"A risky change of {mutation.flag}"
    return require(Requirement.approval(roles=["release-manager"], needed=2, title=title))


@policy()
def two_of_three_decide_on_critical_flags(
    mutation: FlagMutation, state: FlagFile, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Two of the three release managers, whatever the change: also a small one, also back.

    What they agree to is this flag only, so what happens to other flags voids nothing.
    """
    if risk_of(mutation, state) is not RiskLevel.CRITICAL:
        return allow("The flag is not critical.")
    return require(
        Requirement.approval(
            roles=["release-manager"],
            needed=2,
            covers=[pointer(mutation.flag)],
            title=f"The critical flag {mutation.flag}",
        ),
        reason=f"{mutation.flag} is marked critical.",
    )


@policy(EnableFlag, ChangeVariant, ChangeRollout)
def in_a_freeze_flags_are_only_disabled(
    mutation: FlagMutation, state: FlagFile, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Until the instant in the file's metadata `frozenUntil` nothing but the way back is open."""
    until = state.metadata.get("frozenUntil")
    if until is not None and facts["at"] < datetime.fromisoformat(str(until)):
        return deny(f"The flags are frozen until {until}; they can only be disabled.")
    return allow("There is no freeze.")


@policy(ChangeRollout)
def a_rollout_soaks_before_its_next_step(
    mutation: ChangeRollout, state: FlagFile, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """One step in the time that the flag's metadata `soakSeconds` say; the next one waits."""
    flag = state.flags.get(mutation.flag)
    if flag is None or flag.soak is None:
        return allow("The flag names no time to soak.")
    flag_set = state.metadata.get("flagSetId", "")
    return require(
        Requirement.quota(
            f"rollouts/{flag_set}/{mutation.flag}",
            Budget(limit=1, per=flag.soak),
            title=f"The soak time of {mutation.flag}",
        )
    )
