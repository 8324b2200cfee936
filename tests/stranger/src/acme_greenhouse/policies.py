"""Who may change what in a greenhouse, and when."""

from __future__ import annotations

from core import (
    ActorType,
    Facts,
    MutationContext,
    Policy,
    PolicyDecision,
    Requirement,
    Severity,
    Strategy,
    all_of,
    allow,
    amend,
    any_of,
    deny,
    first_decisive,
    policy,
    require,
)

from .mutations import BedMutation, Clear, MoveVents, Sow, Warm
from .state import Greenhouse

WIDE_OPEN = 50
"""Percent from which the heating would warm the garden."""


@policy(MoveVents)
def no_heating_with_open_vents(
    mutation: MoveVents, state: Greenhouse, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Wide open vents turn the heating off."""
    if mutation.percent < WIDE_OPEN or not state.heating:
        return allow("The warmth stays inside.")
    return amend({"/heating": False}, reason="Nobody heats the garden.")


@policy(MoveVents)
def not_in_the_frost(
    mutation: MoveVents, state: Greenhouse, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Frost kills what an open vent lets it reach."""
    if mutation.percent > 0 and facts["outside"] < 0:
        return deny("It freezes outside.", severity=Severity.CRITICAL, outside=facts["outside"])
    return allow()


class ByNight(Policy):
    """What is done at night waits for the night's gardener; a rule with settings of its own."""

    version = 2
    applies_to = (BedMutation, MoveVents)

    def __init__(self, name: str, *, begins: int, ends: int) -> None:
        """Take the hours at which the night begins and ends."""
        self.name = name
        self._begins, self._ends = begins, ends

    def evaluate(
        self,
        mutation: BedMutation | MoveVents,
        state: Greenhouse,
        context: MutationContext,
        facts: Facts,
    ) -> PolicyDecision:
        """Ask the hour, never a clock."""
        if self._ends <= facts.at.hour < self._begins:
            return allow("It is day.")
        return require(Requirement.approval(groups=["night"], needed=1, title="By night"))


@policy(Clear)
def the_grower_agrees(
    mutation: Clear, state: Greenhouse, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Plants are gone for good."""
    return require(
        Requirement.approval(people=["grower"], covers=[f"/beds/{mutation.bed}"]),
        strategy=Strategy.REQUIRE_RENEWED_APPROVAL,
    )


@policy(Clear)
def two_gardeners_agree(
    mutation: Clear, state: Greenhouse, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Where the grower is away two gardeners are as good."""
    return require(
        Requirement.approval(
            roles=["gardener"], needed=2, covers=[f"/beds/{mutation.bed}"], reason_required=True
        )
    )


@policy(Clear)
def an_empty_bed_is_nobodys(
    mutation: Clear, state: Greenhouse, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Where nothing was sown nothing is lost."""
    bed = state.bed(mutation.bed)
    return deny("Something grows there.") if bed and bed.sown else allow("Nothing grows there.")


@policy(Warm, name="agents go slowly", enforce=False)
def agents_go_slowly(
    mutation: Warm, state: Greenhouse, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """A rule on probation: it is shown and decides nothing yet."""
    bed = state.bed(mutation.bed)
    step = abs(mutation.celsius - bed.warmth) if bed else 0
    agent = context.actor_type is ActorType.AGENT
    return deny(f"{step} degrees at once.") if agent and step > 2 else allow()


@policy(Sow)
def only_in_season(
    mutation: Sow, state: Greenhouse, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Nothing sown in December comes up."""
    return deny("It is winter.") if mutation.on.month in {12, 1} else allow("It is in season.")


may_clear = any_of(
    an_empty_bed_is_nobodys,
    the_grower_agrees,
    two_gardeners_agree,
    name="may clear",
    applies_to=(Clear,),
)

may_vent = all_of(not_in_the_frost, no_heating_with_open_vents, name="may vent", timeout=1.0)

POLICIES = (
    may_clear,
    may_vent,
    first_decisive(only_in_season, name="may sow"),
    ByNight("by night", begins=20, ends=6),
    agents_go_slowly,
)
