"""A whole domain on one screen: a quota grows by itself a little, and much only with finance."""

from pydantic import BaseModel, Field

from core import (
    Domain,
    Intent,
    Issue,
    Mutation,
    PolicyDecision,
    Requirement,
    allow,
    policy,
    require,
)


class Quota(BaseModel):
    limit: int = Field(default=100, ge=0)


class IncreaseQuota(Mutation[Quota]):
    amount: int = Field(gt=0)

    @property
    def intent(self) -> Intent:
        return Intent(operation="increase quota", description=f"raise the quota by {self.amount}")

    def check(self, state: Quota) -> list[Issue]:
        over = Issue(code="over_maximum", message="A quota ends at 1000.", path="/limit")
        return [over] if state.limit + self.amount > 1000 else []

    def apply(self, state: Quota) -> Quota:
        return Quota(limit=state.limit + self.amount)


@policy(IncreaseQuota)
def finance_first(mutation: IncreaseQuota, quota: Quota, *_: object) -> PolicyDecision:
    if mutation.amount < quota.limit:
        return allow("It does not double the quota.")
    return require(Requirement.approval(roles=["finance"], needed=1))


domain = Domain("quotas", Quota, [IncreaseQuota], [finance_first], lambda _: Quota())
