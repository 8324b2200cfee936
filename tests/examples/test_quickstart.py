from __future__ import annotations

from pathlib import Path

from core import Outcome
from examples import quickstart
from examples.quickstart import IncreaseQuota, Quota, domain
from tests.examples.desk import Desk, codes

desk = Desk(domain)


def test_a_small_increase_executes_unattended() -> None:
    result = desk.run(IncreaseQuota(amount=20), on=Quota())

    assert result.outcome is Outcome.COMMITTED
    assert result.state == Quota(limit=120)


def test_an_increase_that_doubles_the_quota_waits_for_finance() -> None:
    result = desk.run(IncreaseQuota(amount=100), on=Quota())

    assert result.outcome is Outcome.BLOCKED
    assert [r.describe() for r in result.unmet] == ["1 of role:finance"]


def test_a_quota_ends_at_its_maximum() -> None:
    result = desk.run(IncreaseQuota(amount=901), on=Quota())

    assert result.outcome is Outcome.INVALID
    assert codes(result) == ["over_maximum"]


def test_a_domain_takes_less_than_forty_lines() -> None:
    lines = Path(quickstart.__file__).read_text("utf-8").splitlines()

    assert len([line for line in lines if line.strip()]) < 40
