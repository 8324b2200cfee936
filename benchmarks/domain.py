"""The domain that is measured: a quota; one mutation wants one approval, one is free by policy."""

from pydantic import BaseModel, ConfigDict, Field

from core import (
    Domain,
    Facts,
    Intent,
    Mutation,
    MutationContext,
    Policy,
    PolicyDecision,
    Requirement,
    allow,
    require,
)


class Quota(BaseModel):
    """How much of something is allowed."""

    model_config = ConfigDict(frozen=True)

    limit: int = 0


class IncreaseQuota(Mutation[Quota]):
    """Allow `amount` more."""

    amount: int = Field(ge=1)

    @property
    def intent(self) -> Intent:
        """Say what it is; the risk is the default, low."""
        return Intent(operation="increase", category="quota")

    def apply(self, state: Quota) -> Quota:
        """Add the amount."""
        return Quota(limit=state.limit + self.amount)


class GrantQuota(Mutation[Quota]):
    """The same, for which nobody is asked."""

    amount: int = Field(ge=1)

    @property
    def intent(self) -> Intent:
        """Say what it is; the risk is the default, low."""
        return Intent(operation="grant", category="quota")

    def apply(self, state: Quota) -> Quota:
        """Add the amount."""
        return Quota(limit=state.limit + self.amount)


class OneApprover(Policy):
    """One approval from the role `approver`, always."""

    name = "one_approver"
    applies_to = (IncreaseQuota,)

    def evaluate(
        self, mutation: IncreaseQuota, state: Quota, context: MutationContext, facts: Facts
    ) -> PolicyDecision:
        """Require it."""
        return require(Requirement.approval(roles=["approver"], needed=1))


class FreeGrants(Policy):
    """Nobody is asked for a grant."""

    name = "free_grants"
    applies_to = (GrantQuota,)

    def evaluate(
        self, mutation: GrantQuota, state: Quota, context: MutationContext, facts: Facts
    ) -> PolicyDecision:
        """Let it pass."""
        return allow("a grant is free")


domain = Domain(
    name="bench",
    state=Quota,
    mutations=[IncreaseQuota, GrantQuota],
    policies=[OneApprover(), FreeGrants()],
    initial=lambda _key: Quota(),
)
