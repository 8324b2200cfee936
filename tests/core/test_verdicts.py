"""What is kept and shown of a "no": its category, how grave it is, and who said so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core import Severity, all_of, amend, any_of, deny, policy, require
from core.governance.assessment import Assessment, Plan, PolicyVerdict, assess
from core.governance.outcome import REJECTION_CODES, rejection_of
from core.policy import Policy, PolicyDecision, Verdict
from core.requirements import Strategy
from tests.core.builders import ANA, DIRECTORY, IncreaseQuota, by_ops, by_security, run


def saying(decision: PolicyDecision, name: str) -> Policy:
    return policy(name=name)(lambda *_: decision)


def assessed(*policies: Policy) -> Assessment:
    return assess(
        run(IncreaseQuota(amount=1), *policies),
        state_digest="state",
        policy_set_digest="policies",
        strategy=Strategy.KEEP_IF_UNAFFECTED,
        expires_in=timedelta(days=14),
        directory=DIRECTORY,
        requesters=[ANA.id],
        plan=Plan(),
    )


MILD = saying(deny("no", severity=Severity.WARNING), "mild")
GRAVE = saying(deny("never", severity=Severity.CRITICAL), "grave")
EYES = saying(require(by_security()), "eyes")
OPS = saying(require(by_ops()), "ops")


@pytest.mark.parametrize(
    ("paths", "code"), [({"/limit": 7}, "policy_conflict"), ({"/nothing": 7}, "policy_failed")]
)
def test_an_amendment_that_cannot_be_made_is_a_no_of_the_policies(
    paths: dict[str, Any], code: str
) -> None:
    result = run(IncreaseQuota(amount=1), saying(amend(paths), "meddler"))

    no = rejection_of(result)

    assert no is not None
    assert (no.category, no.code) == ("policy", code)
    assert no.code in REJECTION_CODES[no.category]
    assert no.metadata == {"policies": ["meddler"], "path": next(iter(paths))}
    assert "'meddler'" in no.message


def test_a_denial_is_shown_with_its_severity_and_the_rejection_with_the_greatest() -> None:
    found = assessed(MILD, GRAVE, EYES)

    severities = {v.policy: v.severity for v in found.verdicts if v.verdict is Verdict.DENY}
    assert severities == {"mild": Severity.WARNING, "grave": Severity.CRITICAL}
    assert found.rejection is not None
    assert found.rejection.metadata == {"policies": ["grave", "mild"], "severity": "critical"}


def test_what_a_composition_said_is_shown_with_its_winners_and_blockers() -> None:
    (gate,) = assessed(any_of(MILD, EYES, OPS, name="gate")).verdicts
    (wall,) = assessed(all_of(MILD, EYES, name="wall")).verdicts

    assert (gate.winners, gate.blockers) == (("eyes", "ops"), ("mild", "eyes", "ops"))
    assert (wall.winners, wall.blockers) == (("mild",), ("mild", "eyes"))
    assert wall.severity is Severity.WARNING


def test_a_verdict_that_was_stored_before_is_read() -> None:
    stored = {"policy": "eyes", "version": 1, "verdict": "deny", "reason": "no", "enforced": True}

    read = PolicyVerdict.model_validate(stored)

    assert (read.severity, read.winners, read.blockers) == (Severity.INFO, (), ())
