"""Verdicts become one: the least wins, nobody is skipped, and no order changes anything."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import Outcome, Severity, Strategy, Verdict
from core.errors import DefinitionError
from core.governance.outcome import rejection_of
from core.policy import (
    FunctionPolicy,
    Policy,
    PolicyDecision,
    allow,
    check_names,
    deny,
    digest_of_policies,
    policy,
    require,
)
from core.requirements import Requirement
from tests.core.builders import ChoosePlan, IncreaseQuota, by, by_ops, by_security, run

RAISE_BY_20 = IncreaseQuota(amount=20)


def _raise() -> PolicyDecision:
    raise ZeroDivisionError("division by zero")


# What a policy may do, with the verdict and the demands a naive reader expects of it.
DEEDS: dict[str, tuple[Callable[[], Any], Verdict, list[Requirement]]] = {
    "allows": (allow, Verdict.ALLOW, []),
    "denies": (lambda: deny("no"), Verdict.DENY, []),
    "requires": (lambda: require(by_security()), Verdict.REQUIRE, [by_security()]),
    "requires more": (
        lambda: require(by_security(), by_ops(2), strategy=Strategy.REJECT_STALE),
        Verdict.REQUIRE,
        [by_security(), by_ops(2)],
    ),
    "requires nothing": (require, Verdict.ALLOW, []),
    "raises": (_raise, Verdict.DENY, []),
    "answers nothing": (lambda: None, Verdict.DENY, []),
    "answers yes": (lambda: True, Verdict.DENY, []),
}


def doing(deed: str, name: str, *, enforce: bool = True) -> FunctionPolicy:
    return policy(name=name, enforce=enforce)(lambda *_: DEEDS[deed][0]())


policies = st.lists(st.tuples(st.sampled_from(sorted(DEEDS)), st.booleans()), max_size=6).map(
    lambda chosen: [
        doing(deed, f"{deed} {i}", enforce=enforced) for i, (deed, enforced) in enumerate(chosen)
    ]
)


def expected(asked: list[FunctionPolicy]) -> tuple[Verdict, set[str]]:
    """Answer naively what they say together: verdict, and the ids of what is demanded."""
    enforced = [DEEDS[p.name.rpartition(" ")[0]] for p in asked if p.enforce]
    verdicts = [verdict for _, verdict, _ in enforced]
    demanded = {r.id for _, _, demands in enforced for r in demands}
    for verdict in (Verdict.DENY, Verdict.REQUIRE):
        if verdict in verdicts:
            return verdict, demanded
    return Verdict.ALLOW, demanded


@given(policies)
def test_the_evaluator_agrees_with_a_naive_reader(asked: list[FunctionPolicy]) -> None:
    result = run(RAISE_BY_20, *asked)

    verdict, demanded = expected(asked)
    assert result.ruling.verdict is verdict
    assert {r.id for r in result.ruling.requirements} == demanded
    assert (result.outcome is Outcome.COMMITTED) == (verdict is Verdict.ALLOW)
    assert (rejection_of(result) is not None) == (verdict is Verdict.DENY)


@given(policies, st.randoms(use_true_random=False))
def test_the_order_of_policies_never_changes_the_verdict(
    asked: list[FunctionPolicy], chance: random.Random
) -> None:
    shuffled = list(asked)
    chance.shuffle(shuffled)

    one, other = run(RAISE_BY_20, *asked), run(RAISE_BY_20, *shuffled)

    assert one.ruling == other.ruling
    assert one.outcome is other.outcome
    assert one.audit == other.audit
    assert digest_of_policies(asked) == digest_of_policies(shuffled)


@given(policies)
def test_a_denial_outweighs_any_permission(asked: list[FunctionPolicy]) -> None:
    result = run(RAISE_BY_20, *asked, doing("denies", "last"))

    assert result.outcome is Outcome.BLOCKED
    assert "last" in result.ruling.determined_by


@given(policies, policies)
def test_one_more_policy_never_lets_anything_through(
    asked: list[FunctionPolicy], more: list[FunctionPolicy]
) -> None:
    renamed = [doing(p.name.rpartition(" ")[0], f"{p.name}+", enforce=p.enforce) for p in more]

    before, after = run(RAISE_BY_20, *asked), run(RAISE_BY_20, *asked, *renamed)

    assert after.ruling.verdict.rank <= before.ruling.verdict.rank
    if before.outcome is not Outcome.COMMITTED:
        assert after.outcome is not Outcome.COMMITTED


@given(policies, st.sampled_from([by_security(), by_ops(2), by("dora")]))
def test_one_more_requirement_never_removes_one(
    asked: list[FunctionPolicy], demanded: Requirement
) -> None:
    before = run(RAISE_BY_20, *asked).ruling
    after = run(RAISE_BY_20, *asked, policy(name="more")(lambda *_: require(demanded))).ruling

    assert {r.id for r in before.requirements} | {demanded.id} == {r.id for r in after.requirements}


@given(policies)
def test_every_decision_is_kept_and_who_determined_it_is_named(
    asked: list[FunctionPolicy],
) -> None:
    ruling = run(RAISE_BY_20, *asked).ruling

    assert sorted(d.policy for d in ruling.decisions) == sorted(p.name for p in asked)
    said = {d.policy for d in ruling.decisions if d.enforced and d.verdict is ruling.verdict}
    assert set(ruling.determined_by) == said


@pytest.mark.parametrize("deed", ["raises", "answers nothing", "answers yes"])
def test_a_policy_that_fails_is_a_denial_and_never_skipped(deed: str) -> None:
    result = run(RAISE_BY_20, doing("allows", "a"), doing(deed, "broken"))

    no = rejection_of(result)
    assert no is not None
    assert (no.category, no.code) == ("policy", "policy_failed")
    assert no.metadata == {"policies": ["broken"]}
    assert result.ruling.denials[0].failed
    assert result.ruling.denials[0].severity is Severity.ERROR


def test_a_policy_that_fails_to_say_whether_it_applies_is_a_denial() -> None:
    class Undecided(Policy):
        name = "undecided"

        def applies(self, mutation: Any) -> bool:
            raise LookupError("who knows")

        def evaluate(self, *_: Any) -> PolicyDecision:
            return allow()

    result = run(RAISE_BY_20, Undecided())

    assert result.outcome is Outcome.BLOCKED
    no = rejection_of(result)
    assert no is not None
    assert no.code == "policy_failed"


def test_a_real_denial_is_named_before_a_failure() -> None:
    no = rejection_of(run(RAISE_BY_20, doing("raises", "a"), doing("denies", "b")))

    assert no is not None
    assert no.code == "denied"


def test_what_is_not_enforced_is_evaluated_recorded_and_decides_nothing() -> None:
    result = run(
        RAISE_BY_20,
        doing("denies", "a", enforce=False),
        doing("raises", "b", enforce=False),
        doing("requires", "c", enforce=False),
    )

    assert result.outcome is Outcome.COMMITTED
    assert [(d.policy, d.enforced) for d in result.audit.decisions] == [
        ("a", False),
        ("b", False),
        ("c", False),
    ]
    assert result.ruling.requirements == ()
    assert result.ruling.denials == ()


def test_a_policy_is_asked_about_what_it_applies_to() -> None:
    picky = policy(ChoosePlan, name="picky")(lambda *_: deny("no plans"))

    assert run(RAISE_BY_20, picky).ruling.decisions == ()
    assert run(ChoosePlan(plan="pro"), picky).outcome is Outcome.BLOCKED


def test_a_policy_cannot_speak_for_another() -> None:
    lying = policy(name="liar", version=2)(
        lambda *_: PolicyDecision(
            verdict=Verdict.REQUIRE,
            policy="honest",
            enforced=False,
            requirements=(by_security().model_copy(update={"demanded_by": ("honest",)}),),
        )
    )

    ruling = run(RAISE_BY_20, lying).ruling

    assert [(d.policy, d.policy_version, d.enforced) for d in ruling.decisions] == [
        ("liar", 2, True)
    ]
    assert ruling.requirements[0].demanded_by == ("liar",)


def test_the_strictest_strategy_that_a_policy_names_is_the_rulings() -> None:
    def naming(strategy: Strategy | None, name: str) -> FunctionPolicy:
        return policy(name=name)(lambda *_: require(by_security(), strategy=strategy))

    ruling = run(
        RAISE_BY_20,
        naming(Strategy.REVALIDATE_ON_LATEST, "a"),
        naming(None, "b"),
        naming(Strategy.REQUIRE_RENEWED_APPROVAL, "c"),
    ).ruling

    assert ruling.strategy is Strategy.REQUIRE_RENEWED_APPROVAL
    assert run(RAISE_BY_20).ruling.strategy is None


def test_a_function_becomes_a_policy_named_after_itself() -> None:
    @policy(version=3)
    def two_pairs_of_eyes(*_: Any) -> PolicyDecision:
        return require(by_security())

    assert (two_pairs_of_eyes.name, two_pairs_of_eyes.version) == ("two_pairs_of_eyes", 3)


def test_the_digest_of_policies_names_each_version() -> None:
    def versioned(version: int, *, enforce: bool = True) -> str:
        return digest_of_policies([policy(name="a", version=version, enforce=enforce)(allow)])

    assert versioned(1) == versioned(1)
    assert len({versioned(1), versioned(2), versioned(1, enforce=False)}) == 3


def test_every_policy_has_a_name_of_its_own() -> None:
    with pytest.raises(DefinitionError, match="'a'"):
        check_names([doing("allows", "a"), doing("denies", "a")])

    class Nameless(Policy):
        def evaluate(self, *_: Any) -> PolicyDecision:
            return allow()

    with pytest.raises(DefinitionError, match="no name"):
        check_names([Nameless()])
