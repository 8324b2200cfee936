"""Verdicts become one: the least wins, nobody is skipped, and no order changes anything."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import Engine, Intent, Mutation, Outcome, Severity, Strategy, Verdict
from core.errors import DefinitionError
from core.facts import Facts
from core.governance.outcome import rejection_of
from core.policy import (
    FunctionPolicy,
    Policy,
    PolicyDecision,
    Question,
    Ruling,
    allow,
    amend,
    ask,
    check_names,
    deny,
    digest_of_policies,
    policy,
    require,
    rule,
    strictest,
)
from core.requirements import Requirement
from tests.core.builders import (
    AT,
    ChoosePlan,
    Clock,
    Ids,
    IncreaseQuota,
    Quota,
    by,
    by_ops,
    by_security,
    context,
    run,
)

RAISE_BY_20 = IncreaseQuota(amount=20)


def _raise() -> PolicyDecision:
    raise ZeroDivisionError("division by zero")


def _raise_no_time() -> float:
    raise AssertionError("Somebody looked at the clock.")


def allow_anything(*_: Any) -> PolicyDecision:
    return allow()


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
    assert no.metadata == {"policies": ["broken"], "severity": "error"}
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


def test_a_failure_says_what_happened_and_of_which_policy_and_mutation() -> None:
    def broken(name: str, rule_: Callable[[], Any]) -> FunctionPolicy:
        return policy(ChoosePlan, name=name, version=4)(lambda *_: rule_())

    ruling = run(
        [RAISE_BY_20, ChoosePlan(plan="pro")], broken("a", lambda: True), broken("b", _raise)
    ).ruling

    assert [(d.policy, d.policy_version, d.mutation, d.reason) for d in ruling.decisions] == [
        ("a", 4, 1, "It answered bool, no decision."),
        ("b", 4, 1, "It raised ZeroDivisionError: division by zero"),
    ]


def late(took: float, timeout: float | None, *, answer: Callable[[], Any] = allow) -> Any:
    """Answer the run of a policy that takes so many seconds."""
    clock = Clock()
    slow = policy(name="slow", timeout=timeout)(lambda *_: clock.pass_by(took) and answer())
    return run(RAISE_BY_20, slow, engine=Engine(clock=clock, new_id=Ids()))


@pytest.mark.parametrize("answer", [allow, lambda: require(by_security()), lambda: deny("no")])
def test_a_policy_that_outruns_its_timeout_is_a_denial_whatever_it_says(
    answer: Callable[[], Any],
) -> None:
    result = late(1.5, 1.5, answer=answer)

    no = rejection_of(result)
    assert no is not None
    assert (no.category, no.code) == ("policy", "policy_failed")
    assert no.message == "slow: It took 1.500 s; its timeout is 1.5 s."
    assert result.ruling.requirements == ()


def test_a_policy_before_its_timeout_is_in_time_and_without_one_never_late() -> None:
    assert late(1.4, 1.5).outcome is Outcome.COMMITTED
    assert late(4.9, None).outcome is Outcome.COMMITTED


def test_a_policy_that_raises_too_late_is_late() -> None:
    result = late(2, 1, answer=_raise)

    assert result.ruling.denials[0].failed
    assert "timeout" in result.ruling.denials[0].reason


def test_nothing_is_late_where_there_is_no_clock() -> None:
    hurried = policy(name="hurried", timeout=0.5)(allow_anything)

    found = ask(hurried, Question(RAISE_BY_20, Quota(), context(), Facts(AT)))

    assert found is not None
    assert found.verdict is Verdict.ALLOW


def test_nobody_looks_at_the_clock_for_what_has_no_timeout() -> None:
    patient = policy(name="patient")(allow_anything)

    found = ask(patient, Question(RAISE_BY_20, Quota(), context(), Facts(AT), 0, _raise_no_time))

    assert found is not None
    assert not found.failed


def test_what_is_late_and_not_enforced_decides_nothing() -> None:
    clock = Clock()
    watching = policy(name="slow", timeout=1, enforce=False)(
        lambda *_: clock.pass_by(2) and allow()
    )

    result = run(RAISE_BY_20, watching, engine=Engine(clock=clock, new_id=Ids()))

    assert result.outcome is Outcome.COMMITTED
    assert result.audit.decisions[0].failed


def test_a_policy_that_does_not_apply_is_never_late() -> None:
    clock = Clock()

    class Undecided(Policy):
        name = "undecided"
        timeout = 1.0

        def applies(self, mutation: Any) -> bool:
            return not clock.pass_by(2)

        def evaluate(self, *_: Any) -> PolicyDecision:
            return allow()

    result = run(RAISE_BY_20, Undecided(), engine=Engine(clock=clock, new_id=Ids()))

    assert result.ruling.decisions == ()


@pytest.mark.parametrize("severity", Severity)
def test_the_severity_of_a_denial_is_kept(severity: Severity) -> None:
    result = run(RAISE_BY_20, policy(name="no")(lambda *_: deny("no", severity=severity)))

    assert result.ruling.severity is severity
    assert result.audit.decisions[0].severity is severity
    assert result.outcome is Outcome.BLOCKED


def test_a_verdict_is_what_its_demands_make_it() -> None:
    def verdict(said: Verdict, *demanded: Requirement) -> Verdict:
        decision = PolicyDecision(verdict=said, requirements=demanded)
        return run(RAISE_BY_20, policy(name="p")(lambda *_: decision)).ruling.verdict

    assert verdict(Verdict.ALLOW, by_security()) is Verdict.REQUIRE
    assert verdict(Verdict.REQUIRE) is Verdict.ALLOW
    assert verdict(Verdict.DENY, by_security()) is Verdict.DENY


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


class ToPlans(Mutation[Quota]):
    """Any change of a plan; abstract, so a policy can name all of them at once."""


class CancelPlan(ToPlans):
    @property
    def intent(self) -> Intent:
        return Intent(operation="cancel")

    def apply(self, state: Quota) -> Quota:
        return Quota(limit=state.limit)


def test_a_policy_is_asked_about_every_mutation_of_an_abstract_type() -> None:
    @policy(ToPlans)
    def no_plans(*_: Any) -> PolicyDecision:
        return deny("no plans")

    assert run(CancelPlan(), no_plans).outcome is Outcome.BLOCKED
    assert run(RAISE_BY_20, no_plans).ruling.decisions == ()


def test_a_policy_applies_to_mutations_only() -> None:
    wrong: list[Any] = [Quota, allow, "IncreaseQuota"]

    for each in wrong:
        with pytest.raises(DefinitionError, match="mutation types"):
            policy(each)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_is_above_zero(timeout: float) -> None:
    with pytest.raises(DefinitionError, match="above 0"):
        policy(timeout=timeout)


def test_a_policy_cannot_speak_for_another() -> None:
    lying = policy(name="liar", version=2)(
        lambda *_: PolicyDecision(
            verdict=Verdict.REQUIRE,
            policy="honest",
            enforced=False,
            failed=True,
            winners=("honest",),
            blockers=("honest",),
            parts=(deny("no"),),
            requirements=(by_security().model_copy(update={"demanded_by": ("honest",)}),),
        )
    )

    ruling = run(RAISE_BY_20, lying).ruling

    assert [(d.policy, d.policy_version, d.enforced) for d in ruling.decisions] == [
        ("liar", 2, True)
    ]
    assert ruling.requirements[0].demanded_by == ("liar",)
    (said,) = ruling.decisions
    assert (said.failed, said.winners, said.blockers, said.parts) == (False, (), (), ())


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


@pytest.mark.parametrize("one", Strategy)
@pytest.mark.parametrize("other", Strategy)
def test_of_two_strategies_the_stricter_is_taken(one: Strategy, other: Strategy) -> None:
    named = [require(by_security(), strategy=each) for each in (one, other)]

    assert strictest([*named, allow()]) is Strategy.strictest([one, other])


def test_the_decisions_of_a_ruling_are_in_the_order_of_policies_and_then_of_mutations() -> None:
    said = [
        allow().model_copy(update={"policy": name, "mutation": position})
        for name in "ba"
        for position in (1, 0)
    ]

    found = rule(said)

    assert [(d.policy, d.mutation) for d in found.decisions] == [
        ("a", 0),
        ("a", 1),
        ("b", 0),
        ("b", 1),
    ]
    assert found == rule(reversed(said))
    assert rule([]) == Ruling()


@pytest.mark.parametrize(
    ("say", "verdict", "reason"),
    [
        (lambda: allow("fine", ticket=7), Verdict.ALLOW, "fine"),
        (lambda: allow(ticket=7), Verdict.ALLOW, ""),
        (lambda: deny("no", ticket=7), Verdict.DENY, "no"),
        (lambda: require(by_security(), reason="eyes", ticket=7), Verdict.REQUIRE, "eyes"),
        (lambda: require(by_security(), ticket=7), Verdict.REQUIRE, ""),
        (lambda: require(ticket=7), Verdict.ALLOW, ""),
        (lambda: amend({"/a": 1}, remove=["/b"], ticket=7), Verdict.ALLOW, "set /a; remove /b"),
        (lambda: amend({"/a": 1}, reason="cap", ticket=7), Verdict.ALLOW, "cap"),
        (
            lambda: amend({"/a": 1}, requirements=[by_security()], ticket=7),
            Verdict.REQUIRE,
            "set /a",
        ),
    ],
)
def test_a_decision_keeps_what_was_said_in_it(
    say: Callable[[], PolicyDecision], verdict: Verdict, reason: str
) -> None:
    said = say()

    assert (said.verdict, said.reason) == (verdict, reason)
    assert said.metadata == {"ticket": 7}


def test_a_bare_permission_is_made_once_and_says_nothing() -> None:
    assert allow() is allow()
    assert (allow().verdict, allow().reason, allow().metadata) == (Verdict.ALLOW, "", {})


def test_whoever_amends_may_name_a_strategy() -> None:
    assert amend({"/a": 1}, strategy=Strategy.REJECT_STALE).strategy is Strategy.REJECT_STALE
    assert amend({"/a": 1}).strategy is None


def test_a_function_becomes_a_policy_named_after_itself() -> None:
    @policy(version=3)
    def two_pairs_of_eyes(*_: Any) -> PolicyDecision:
        return require(by_security())

    assert (two_pairs_of_eyes.name, two_pairs_of_eyes.version) == ("two_pairs_of_eyes", 3)
    assert policy()(allow_anything).version == 1


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


def test_a_policy_of_a_version_that_is_no_integer_is_refused() -> None:
    rule = policy(name="p")(lambda *_: allow())
    rule.version = "2"  # type: ignore[assignment]  # it is what is tried

    with pytest.raises(DefinitionError, match="'2', no integer"):
        check_names([rule])


@pytest.mark.parametrize("timeout", ["1", 0, -1.0])
def test_a_policy_of_a_timeout_that_is_none_is_refused(timeout: Any) -> None:
    rule = policy(name="p")(lambda *_: allow())
    rule.timeout = timeout

    with pytest.raises(DefinitionError, match="timeout"):
        check_names([rule])
