"""What an approver saw, and what a counted grant holds on to.

The *binding* judges whether an arriving decision is outdated, nothing else. The *grant binding*
judges, at each resolution, whether a counted grant still counts; which facts go into it is the
whole difference between the strategies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..audit import MutationRecord
from ..digests import digest
from ..requirements import Strategy


def binding_of(
    mutations: Sequence[MutationRecord],
    effect_digest: str,
    requirement_ids: Iterable[str],
    strategy: Strategy,
) -> str:
    """Digest what is shown to whoever decides: mutation, effect, requirement set.

    Under `revalidate_on_latest` the approval is for the mutation on whatever the state will be, so
    the effect is left out.
    """
    return digest(
        {
            "mutations": [m.digest for m in mutations],
            "effect": None if strategy is Strategy.REVALIDATE_ON_LATEST else effect_digest,
            "requirements": sorted(requirement_ids),
        }
    )


def grant_binding_of(
    mutations: Sequence[MutationRecord],
    requirement_id: str,
    strategy: Strategy,
    *,
    covered: str,
    effect: str,
    version: int,
) -> str:
    """Digest what a grant towards one requirement was given on.

    Always the mutation and the requirement; the covered part of the effect unless the approval is
    for the mutation on any state; the whole effect and the version where drift alone voids every
    approval, whatever it covers.

    Args:
        mutations: What is approved.
        requirement_id: Which requirement it answers.
        strategy: What drift does to approvals.
        covered: Digest of the part of the effect the requirement answers for.
        effect: Digest of the whole effect.
        version: The version it was shown on.
    """
    by_effect = strategy is not Strategy.REVALIDATE_ON_LATEST
    by_version = strategy in {Strategy.REJECT_STALE, Strategy.REQUIRE_RENEWED_APPROVAL}
    held_on_to = effect if by_version else covered
    return digest(
        {
            "mutations": [m.digest for m in mutations],
            "requirement": requirement_id,
            "effect": held_on_to if by_effect else None,
            "version": version if by_version else None,
        }
    )
