from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core import (
    Facts,
    Mode,
    Mutation,
    MutationContext,
    Outcome,
    RiskLevel,
    Verdict,
)
from core.engine import record
from examples.billing_quotas import DecreaseQuota, IncreaseQuota, Quota, SetQuota, domain
from tests.examples.desk import AT, MODEST, Desk, codes

desk = Desk(domain)

amounts = st.integers(min_value=1, max_value=1_000_000)
changes = st.one_of(
    st.builds(IncreaseQuota, amount=amounts),
    st.builds(DecreaseQuota, amount=amounts),
    st.builds(SetQuota, limit=st.integers(-2000, 2000)),
)
small = st.builds(IncreaseQuota, amount=st.integers(1, 99))
steps = st.one_of(
    small,
    st.builds(DecreaseQuota, amount=st.integers(1, 99)),
    st.builds(SetQuota, limit=st.integers(0, 1000)),
)


def test_every_customer_begins_with_the_default_plan() -> None:
    assert domain.initial is not None
    assert domain.initial("acme") == Quota(plan="standard", limit=100, maximum=1000)


@pytest.mark.parametrize("change", [IncreaseQuota(amount=99), SetQuota(limit=199)])
def test_a_small_increase_executes_unattended(change: Mutation[Quota]) -> None:
    result = desk.run(change, on=Quota())

    assert result.outcome is Outcome.COMMITTED
    assert result.state == Quota(limit=199)


@pytest.mark.parametrize("change", [IncreaseQuota(amount=100), SetQuota(limit=200)])
def test_a_large_increase_waits_for_one_of_finance_however_it_is_asked_for(
    change: Mutation[Quota],
) -> None:
    result = desk.run(change, on=Quota())

    assert result.outcome is Outcome.BLOCKED
    assert [r.describe() for r in result.unmet] == ["A large increase: 1 of role:finance"]
    assert desk.approve(change, on=Quota()).state == Quota(limit=200)


def test_the_intent_of_a_large_increase_says_high_risk() -> None:
    assert IncreaseQuota(amount=99).intent.risk is RiskLevel.LOW
    assert IncreaseQuota(amount=100).intent.risk is RiskLevel.HIGH


def test_no_quota_becomes_negative() -> None:
    result = desk.run(DecreaseQuota(amount=101), on=Quota())

    assert result.outcome is Outcome.INVALID
    assert codes(result) == ["negative_quota"]
    assert result.issues[0].path == "/limit"
    assert result.issues[0].attempted == -1


def test_no_quota_passes_the_maximum_of_its_plan_whoever_approves() -> None:
    result = desk.approve(IncreaseQuota(amount=901), on=Quota())

    assert result.outcome is Outcome.INVALID
    assert codes(result) == ["over_maximum"]


def test_a_quota_of_nothing_is_a_warning_to_whoever_looks() -> None:
    result = desk.run(DecreaseQuota(amount=100), on=Quota())

    assert result.outcome is Outcome.COMMITTED
    assert codes(result) == ["nothing_left"]


def test_an_increase_of_nothing_is_no_increase() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        IncreaseQuota(amount=0)


@MODEST
@given(st.lists(changes, max_size=12))
def test_whatever_is_asked_and_approved_a_quota_stays_between_nothing_and_its_maximum(
    asked: list[Mutation[Quota]],
) -> None:
    quota = Quota()
    for change in asked:
        demanded = desk.run(change, on=quota).unmet
        result = desk.run(change, on=quota, fulfilled=[r.id for r in demanded])
        quota = result.state or quota

        assert 0 <= quota.limit <= quota.maximum


@MODEST
@given(st.lists(st.one_of(steps, changes), min_size=1, max_size=6), st.integers(0, 1000))
def test_nothing_raises_a_quota_by_a_hundred_without_finance(
    asked: list[Mutation[Quota]], limit: int
) -> None:
    result = desk.run(*asked, on=Quota(limit=limit))

    assert result.state is None or result.state.limit - limit < 100


@MODEST
@given(st.lists(small, min_size=1, max_size=6), st.integers(0, 1000))
def test_small_steps_need_finance_exactly_when_together_they_are_large(
    asked: list[Mutation[Quota]], limit: int
) -> None:
    raised = sum(each.model_dump()["amount"] for each in asked)

    result = desk.run(*asked, on=Quota(limit=limit, maximum=2000))

    assert result.outcome is (Outcome.BLOCKED if raised >= 100 else Outcome.COMMITTED)


def test_an_increase_in_small_steps_waits_for_finance_as_one_step_does() -> None:
    asked = [IncreaseQuota(amount=99)] * 3

    result = desk.run(*asked, on=Quota())

    assert (result.outcome, result.state) == (Outcome.BLOCKED, None)
    assert [r.describe() for r in result.unmet] == ["A large increase: 1 of role:finance"]
    assert {d.reason for d in result.ruling.decisions} == {"The quota grows by 297."}
    assert desk.approve(*asked, on=Quota()).state == Quota(limit=397)


def test_a_large_step_needs_finance_also_where_a_later_one_takes_it_back() -> None:
    result = desk.run(IncreaseQuota(amount=500), DecreaseQuota(amount=500), on=Quota())

    assert result.ruling.verdict is Verdict.REQUIRE


def test_one_step_is_judged_by_the_quota_as_it_is_also_where_the_fact_is_older() -> None:
    result = desk.engine.execute(
        SetQuota(limit=180),
        Quota(limit=50),
        context=MutationContext(actor_id="dan", mode=Mode.COMMIT),
        facts=Facts(AT, values={"growth": 80}),
        policies=domain.policies,
    )

    assert result.outcome is Outcome.BLOCKED


def test_nobody_waits_longer_for_what_the_domain_looks_up() -> None:
    assert domain.is_local([record(IncreaseQuota(amount=1))])
