"""Quotas of customers: never negative, never beyond the plan's maximum, much only with finance.

```
billing_quotas/acme    IncreaseQuota(amount=20)       executes unattended
                       IncreaseQuota(amount=200)      waits for one of role `finance`
                       3 x IncreaseQuota(amount=90)   waits too: together it is much
                       DecreaseQuota(amount=500)      is invalid: the quota would be negative
```

A policy sees one mutation and the state before it, so how much a request of several raises the
limit is a fact: its provider sees all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from core import (
    Domain,
    Fact,
    FactQuestion,
    Facts,
    Intent,
    Issue,
    Mutation,
    MutationContext,
    PolicyDecision,
    Requirement,
    RiskLevel,
    Severity,
    allow,
    policy,
    require,
)

LARGE = 100
"""An increase of this much or more is a matter of money."""

Amount = Annotated[int, Field(gt=0, le=1_000_000, description="How much, in units of the quota")]


class Quota(BaseModel):
    """What a customer may use, and what their plan can ever allow; the default plan at first."""

    model_config = ConfigDict(frozen=True)

    plan: str = "standard"
    limit: int = Field(default=100, ge=0)
    maximum: int = Field(default=1000, ge=0)

    def to(self, limit: int) -> Quota:
        """Answer the same plan with another limit."""
        return Quota(plan=self.plan, limit=limit, maximum=self.maximum)


class QuotaMutation(Mutation[Quota]):
    """A change of the limit: each kind says where it leads, the rules are the same for all."""

    def target(self, limit: int) -> int:
        """Answer the limit that a limit becomes."""
        raise NotImplementedError

    def check(self, state: Quota) -> Iterable[Issue]:
        """A quota stays between nothing and the maximum of its plan."""
        limit = self.target(state.limit)
        if limit < 0:
            yield _issue("negative_quota", f"The quota would be {limit}.", limit)
        if limit > state.maximum:
            message = f"The quota would be {limit}; the plan {state.plan!r} ends at"
            yield _issue("over_maximum", f"{message} {state.maximum}.", limit)
        if limit == 0:
            message = "The customer could use nothing at all."
            yield _issue("nothing_left", message, limit, Severity.WARNING)

    def apply(self, state: Quota) -> Quota:
        """Answer the quota with its new limit."""
        return state.to(self.target(state.limit))


class IncreaseQuota(QuotaMutation):
    """Raise the limit."""

    amount: Amount

    @property
    def intent(self) -> Intent:
        """A large increase is money spent."""
        risk = RiskLevel.HIGH if self.amount >= LARGE else RiskLevel.LOW
        return Intent(
            operation="increase quota",
            category="billing",
            description=f"raise the quota by {self.amount}",
            risk=risk,
        )

    def target(self, limit: int) -> int:
        """Answer the limit that a limit becomes."""
        return limit + self.amount


class DecreaseQuota(QuotaMutation):
    """Lower the limit."""

    amount: Amount

    @property
    def intent(self) -> Intent:
        """A customer may notice, so it is no low risk."""
        return Intent(
            operation="decrease quota",
            category="billing",
            description=f"lower the quota by {self.amount}",
            risk=RiskLevel.MEDIUM,
        )

    def target(self, limit: int) -> int:
        """Answer the limit that a limit becomes."""
        return limit - self.amount


class SetQuota(QuotaMutation):
    """Set the limit, whatever it was."""

    limit: int

    @property
    def intent(self) -> Intent:
        """How large the step is shows only on a quota, so the policy looks at that."""
        return Intent(
            operation="set quota",
            category="billing",
            description=f"set the quota to {self.limit}",
            risk=RiskLevel.MEDIUM,
        )

    def target(self, limit: int) -> int:
        """Answer the limit that a limit becomes."""
        return self.limit


def growth(question: FactQuestion) -> int:
    """Answer by how much all mutations of a request together raise the limit."""
    before: int = question.state.limit
    after = before
    for mutation in question.mutations:
        if isinstance(mutation, QuotaMutation):
            after = mutation.target(after)
    return after - before


@policy(version=2)
def finance_approves_large_increases(
    mutation: QuotaMutation, quota: Quota, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Whatever raises the limit by `LARGE` or more, at one step or in all, needs one of finance."""
    grows = max(mutation.target(quota.limit) - quota.limit, facts["growth"])
    if grows < LARGE:
        return allow(f"It grows by less than {LARGE}.")
    return require(
        Requirement.approval(roles=["finance"], needed=1, title="A large increase"),
        reason=f"The quota grows by {grows}.",
    )


def _issue(code: str, message: str, limit: int, severity: Severity = Severity.ERROR) -> Issue:
    return Issue(code=code, message=message, path="/limit", attempted=limit, severity=severity)


domain = Domain(
    name="billing_quotas",
    state=Quota,
    mutations=[IncreaseQuota, DecreaseQuota, SetQuota],
    policies=[finance_approves_large_increases],
    initial=lambda _: Quota(),
    facts=[Fact("growth", growth, timeout=0.25)],
)
