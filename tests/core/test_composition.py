"""Policies that answer as one: the least, the greatest or the first, and who made it so."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import Outcome, Severity, Strategy, Verdict, all_of, amend, any_of, first_decisive
from core.audit import AuditEntry
from core.effects import SideEffect
from core.errors import DefinitionError
from core.facts import Facts
from core.governance.outcome import rejection_of
from core.governance.request import Status
from core.policy import (
    Policy,
    PolicyDecision,
    Question,
    allow,
    ask,
    check_names,
    deny,
    digest_of_policies,
    policy,
    require,
)
from core.requirements import ANY, EVERYTHING, Requirement, either, united
from core.result import ExecutionResult
from tests.core.builders import (
    AT,
    ChoosePlan,
    Clock,
    IncreaseQuota,
    Quota,
    by,
    by_ops,
    by_security,
    check,
    context,
    run,
    waiting,
)
from tests.core.naive_policies import DENIED, PASSED, Said, Tree, said

RAISE_BY_20 = IncreaseQuota(amount=20)
SECURITY, OPS, DORA = by_security(), by_ops(), by("dora")
EVERY = (SECURITY, OPS, DORA)
MAKE: dict[str, Callable[..., Policy]] = {
    "all_of": all_of,
    "any_of": any_of,
    "first_decisive": first_decisive,
}


def _raise() -> PolicyDecision:
    raise ZeroDivisionError("division by zero")


def mail(to: str) -> SideEffect:
    return SideEffect(contract=to)


def way(*requirements: Requirement) -> frozenset[str]:
    return frozenset(r.id for r in requirements)


# What a policy may do, with what a naive reader expects it to say.
DEEDS: dict[str, tuple[Callable[[], Any], Said]] = {
    "allows": (allow, Said(PASSED)),
    "denies": (lambda: deny("no"), Said(DENIED)),
    "raises": (_raise, Said(DENIED)),
    "answers nothing": (lambda: None, Said(DENIED)),
    "asks security": (lambda: require(SECURITY), Said(frozenset([way(SECURITY)]))),
    "asks ops": (lambda: require(OPS), Said(frozenset([way(OPS)]))),
    "asks ops strictly": (
        lambda: require(OPS, strategy=Strategy.REJECT_STALE),
        Said(frozenset([way(OPS)])),
    ),
    "asks two": (lambda: require(DORA, OPS), Said(frozenset([way(DORA, OPS)]))),
    "mails ann": (lambda: amend(side_effects=[mail("ann")]), Said(PASSED, frozenset(["ann"]))),
    "mails ben": (
        lambda: amend(side_effects=[mail("ben")], requirements=[DORA]),
        Said(frozenset([way(DORA)]), frozenset(["ben"])),
    ),
}
SAID = {deed: expected for deed, (_, expected) in DEEDS.items()}

flags: dict[str, Any] = {
    "enforce": st.sampled_from([True, True, True, False]),
    "applies": st.sampled_from([True, True, True, False]),
}
leaves = st.builds(Tree, st.sampled_from(sorted(DEEDS)), **flags)
trees = st.recursive(
    leaves,
    lambda inner: st.builds(
        Tree,
        st.sampled_from(sorted(MAKE)),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
        **flags,
    ),
    max_leaves=8,
)
forests = st.lists(trees, max_size=4)
some = st.lists(leaves, min_size=1, max_size=3)


def made(tree: Tree, name: str) -> Policy:
    """Make the policy that a tree stands for."""
    applies_to = None if tree.applies else (ChoosePlan,)
    if tree.kind in DEEDS:
        deed = DEEDS[tree.kind][0]
        types = applies_to or ()
        return policy(*types, name=name, enforce=tree.enforce)(lambda *_: deed())
    parts = [made(part, f"{name}.{i}") for i, part in enumerate(tree.parts)]
    return MAKE[tree.kind](*parts, name=name, applies_to=applies_to, enforce=tree.enforce)


def all_made(forest: list[Tree]) -> list[Policy]:
    return [made(tree, f"p{i}") for i, tree in enumerate(forest)]


def doing(deed: str, name: str, *, enforce: bool = True) -> Policy:
    return made(Tree(deed, enforce=enforce), name)


def answer(policy_: Policy) -> PolicyDecision | None:
    return ask(policy_, Question(RAISE_BY_20, Quota(), context(), Facts(AT), 0, Clock()))


def decision(policy_: Policy) -> PolicyDecision:
    found = answer(policy_)
    assert found is not None
    return found


def what(found: PolicyDecision | None) -> tuple[object, ...] | None:
    """Answer what a decision comes to, whoever took part in it; nothing where it is nothing."""
    if found is None or not found.enforced:
        return None
    return (
        found.verdict,
        {r.id for r in found.requirements},
        found.strategy,
        {e.contract for e in found.side_effects},
        found.severity,
        found.failed,
    )


NO_MAIL: dict[str, Any] = {"side_effects": ()}


# Laws.


@given(forests, st.sets(st.sampled_from([r.id for r in EVERY])))
def test_the_evaluator_agrees_with_a_naive_reader_however_policies_are_nested(
    forest: list[Tree], fulfilled: set[str]
) -> None:
    result = run(RAISE_BY_20, *all_made(forest), fulfilled=fulfilled)

    expected = said(Tree("all_of", tuple(forest)), SAID) or Said(PASSED)
    assert result.ruling.verdict.value == expected.verdict
    assert (result.outcome is Outcome.COMMITTED) == expected.lets_through(fulfilled)
    if expected.verdict != "deny":
        assert {e.contract for e in result.ruling.side_effects} == expected.mails


@given(forests, st.randoms(use_true_random=False))
def test_the_order_of_policies_never_changes_anything(
    forest: list[Tree], chance: random.Random
) -> None:
    asked = all_made(forest)
    shuffled = list(asked)
    chance.shuffle(shuffled)

    one, other = run(RAISE_BY_20, *asked), run(RAISE_BY_20, *shuffled)

    assert one.ruling == other.ruling
    assert one.audit == other.audit
    assert one.document == other.document
    assert digest_of_policies(asked) == digest_of_policies(shuffled)


@given(st.sampled_from(sorted(MAKE)), st.lists(trees, max_size=3), some, st.lists(trees))
def test_nesting_a_kind_in_itself_changes_nothing(
    kind: str, before: list[Tree], inner: list[Tree], after: list[Tree]
) -> None:
    flat = Tree(kind, (*before, *inner, *after))
    nested = Tree(kind, (*before, Tree(kind, tuple(inner)), *after))

    assert what(answer(made(flat, "p"))) == what(answer(made(nested, "p")))


def test_nesting_one_kind_in_another_does_change_it() -> None:
    allows, denies = Tree("allows"), Tree("denies")
    one = Tree("all_of", (Tree("any_of", (allows, allows)), denies))
    other = Tree("any_of", (allows, Tree("all_of", (allows, denies))))

    assert decision(made(one, "p")).verdict is Verdict.DENY
    assert decision(made(other, "p")).verdict is Verdict.ALLOW


@given(st.sampled_from(["all_of", "any_of"]), trees)
def test_to_compose_a_policy_with_itself_changes_nothing(kind: str, tree: Tree) -> None:
    one, twice = made(tree, "p"), Tree(kind, (tree, tree))

    assert what(answer(one)) == what(answer(made(twice, "p")))


@given(st.lists(trees, max_size=3), st.randoms(use_true_random=False))
def test_the_order_of_parts_matters_for_nothing_but_precedence(
    parts: list[Tree], chance: random.Random
) -> None:
    parts.append(Tree("allows"))
    shuffled = list(parts)
    chance.shuffle(shuffled)

    one, other = Tree("all_of", tuple(parts)), Tree("all_of", tuple(shuffled))
    assert what(answer(made(one, "p"))) == what(answer(made(other, "p")))
    one, other = Tree("any_of", tuple(parts)), Tree("any_of", tuple(shuffled))
    first, second = decision(made(one, "p")), decision(made(other, "p"))
    assert what(first.model_copy(update=NO_MAIL)) == what(second.model_copy(update=NO_MAIL))


@given(st.lists(trees, max_size=4))
def test_one_more_denying_part_never_lets_anything_through(parts: list[Tree]) -> None:
    with_a_no = Tree("all_of", (*parts, Tree("denies")))

    assert decision(made(with_a_no, "p")).verdict is Verdict.DENY


@given(some)
def test_a_denial_in_any_of_is_its_own_answer_only(parts: list[Tree]) -> None:
    alone = answer(made(Tree("any_of", tuple(parts)), "p"))
    with_a_no = decision(made(Tree("any_of", (*parts, Tree("denies"))), "p"))

    if alone is None or not alone.enforced or alone.verdict is Verdict.DENY:
        assert with_a_no.verdict is Verdict.DENY
    else:
        assert what(alone) == what(with_a_no)


@given(some, trees, st.sets(st.sampled_from([r.id for r in EVERY])))
def test_one_more_part_of_any_of_never_closes_a_way(
    parts: list[Tree], more: Tree, fulfilled: set[str]
) -> None:
    parts.append(Tree("asks security"))
    before = run(RAISE_BY_20, made(Tree("any_of", tuple(parts)), "p"), fulfilled=fulfilled)
    after = run(RAISE_BY_20, made(Tree("any_of", (*parts, more)), "p"), fulfilled=fulfilled)

    if before.outcome is Outcome.COMMITTED:
        assert after.outcome is Outcome.COMMITTED


@given(forests, st.sampled_from(EVERY))
def test_one_more_requirement_never_removes_one(forest: list[Tree], demanded: Requirement) -> None:
    more = policy(name="more")(lambda *_: require(demanded))

    before = run(RAISE_BY_20, *all_made(forest)).ruling
    after = run(RAISE_BY_20, *all_made(forest), more).ruling

    assert {r.id for r in before.requirements} | {demanded.id} == {r.id for r in after.requirements}


@given(forests)
def test_what_a_composition_said_is_kept_with_the_run(forest: list[Tree]) -> None:
    audit = run(RAISE_BY_20, *all_made(forest)).audit

    assert AuditEntry.model_validate_json(audit.model_dump_json()) == audit


# Who made it so.


def test_all_of_says_the_least_and_names_who_said_it_and_who_stood_in_the_way() -> None:
    gate = all_of(
        doing("allows", "a"), doing("asks ops", "b"), doing("denies", "c"), name="gate", version=4
    )

    found = decision(gate)

    assert (found.policy, found.policy_version, found.verdict) == ("gate", 4, Verdict.DENY)
    assert (found.winners, found.blockers) == (("c",), ("b", "c"))
    assert [(p.policy, p.verdict) for p in found.parts] == [
        ("a", Verdict.ALLOW),
        ("b", Verdict.REQUIRE),
        ("c", Verdict.DENY),
    ]
    assert found.reason == "c: no"
    assert [r.id for r in found.requirements] == [OPS.id]


def test_any_of_says_the_greatest_and_names_whom_it_outweighs() -> None:
    gate = any_of(doing("denies", "a"), doing("asks ops", "b"), doing("allows", "c"), name="gate")

    found = decision(gate)

    assert found.verdict is Verdict.ALLOW
    assert (found.winners, found.blockers) == (("c",), ("a", "b"))
    assert found.requirements == ()


def test_any_of_amends_as_its_first_winner_does_and_no_other() -> None:
    ann, ben = (
        doing("mails ann", "ann"),
        policy(name="ben")(lambda *_: amend(side_effects=[mail("ben")])),
    )

    assert [e.contract for e in decision(any_of(ann, ben, name="x")).side_effects] == ["ann"]
    assert [e.contract for e in decision(any_of(ben, ann, name="x")).side_effects] == ["ben"]
    assert decision(any_of(doing("allows", "a"), ann, name="x")).side_effects == ()
    after_a_no = any_of(doing("denies", "a"), ann, ben, name="x")
    assert [e.contract for e in decision(after_a_no).side_effects] == ["ann"]


def test_first_decisive_stops_at_the_first_that_does_more_than_allow() -> None:
    gate = first_decisive(
        doing("allows", "a"), doing("asks ops", "b"), doing("denies", "never asked"), name="gate"
    )

    found = decision(gate)

    assert found.verdict is Verdict.REQUIRE
    assert (found.winners, found.blockers) == (("b",), ("b",))
    assert [p.policy for p in found.parts] == ["a", "b"]


@pytest.mark.parametrize(
    "more",
    [
        lambda: amend({"/plan": "pro"}),
        lambda: amend(side_effects=[mail("ann")]),
        lambda: require(strategy=Strategy.REJECT_STALE),
    ],
    ids=["amends", "has side effects", "names a strategy"],
)
def test_an_allow_that_adds_something_is_decisive(more: Callable[[], PolicyDecision]) -> None:
    gate = first_decisive(
        policy(name="more")(lambda *_: more()), doing("denies", "never asked"), name="gate"
    )

    assert decision(gate).verdict is Verdict.ALLOW
    assert decision(gate).winners == ("more",)


def test_nobody_decisive_is_a_permission_of_all() -> None:
    found = decision(first_decisive(doing("allows", "a"), doing("allows", "b"), name="gate"))

    assert found.is_bare
    assert found.winners == ("a", "b")


def test_what_decides_a_request_is_told_from_the_inside_out() -> None:
    owner = all_of(doing("denies", "not mine"), name="owner")
    result = run(RAISE_BY_20, any_of(owner, doing("denies", "no emergency"), name="gate"))

    no = rejection_of(result)
    assert no is not None
    assert no.message == "gate: owner: not mine: no; no emergency: no"
    assert result.ruling.determined_by == ("gate",)


# Failures, severity, and what decides nothing.


@pytest.mark.parametrize("kind", sorted(MAKE))
def test_a_part_that_raises_is_a_denial_of_that_part(kind: str) -> None:
    gate = MAKE[kind](doing("raises", "broken"), doing("allows", "b"), name="gate")

    found = decision(gate)

    assert found.parts[0].failed
    assert found.parts[0].verdict is Verdict.DENY
    assert found.blockers == ("broken",)
    assert found.verdict is (Verdict.ALLOW if kind == "any_of" else Verdict.DENY)
    assert found.failed == (kind != "any_of")


def test_a_composition_failed_when_nothing_but_failures_denies() -> None:
    def code(*parts: str) -> str:
        gate = all_of(*(doing(deed, f"{deed} {i}") for i, deed in enumerate(parts)), name="gate")
        no = rejection_of(run(RAISE_BY_20, gate))
        assert no is not None
        return no.code

    assert code("raises", "answers nothing") == "policy_failed"
    assert code("raises", "denies") == "denied"
    assert code("raises", "asks ops") == "policy_failed"


def test_the_greatest_severity_of_the_denials_comes_out() -> None:
    mild = policy(name="mild")(lambda *_: deny("mild", severity=Severity.WARNING))
    grave = policy(name="grave")(lambda *_: deny("grave", severity=Severity.CRITICAL))

    ruling = run(RAISE_BY_20, all_of(mild, name="inner"), all_of(mild, grave, name="gate")).ruling

    assert {d.policy: d.severity for d in ruling.decisions} == {
        "gate": Severity.CRITICAL,
        "inner": Severity.WARNING,
    }
    assert ruling.severity is Severity.CRITICAL
    assert run(RAISE_BY_20, all_of(mild, name="gate")).ruling.severity is Severity.WARNING
    assert run(RAISE_BY_20).ruling.severity is Severity.INFO


@pytest.mark.parametrize("kind", sorted(MAKE))
def test_a_part_that_observes_is_shown_and_decides_nothing(kind: str) -> None:
    def gate(*more: Policy) -> PolicyDecision:
        watching = [doing(deed, deed, enforce=False) for deed in ("denies", "raises", "mails ben")]
        return decision(MAKE[kind](*watching, *more, name="gate"))

    found = gate(doing("asks ops", "ops"))

    assert [(p.policy, p.enforced) for p in found.parts] == [
        ("denies", False),
        ("raises", False),
        ("mails ben", False),
        ("ops", True),
    ]
    assert (found.verdict, found.requirements[0].id) == (Verdict.REQUIRE, OPS.id)
    assert (found.winners, found.blockers) == (("ops",), ("ops",))
    assert found.side_effects == ()
    assert not gate().enforced


def test_a_composition_of_observers_is_no_permission() -> None:
    watching = any_of(doing("allows", "a", enforce=False), name="watching")

    assert decision(any_of(watching, doing("denies", "b"), name="gate")).verdict is Verdict.DENY
    assert run(RAISE_BY_20, watching).outcome is Outcome.COMMITTED


@pytest.mark.parametrize("kind", sorted(MAKE))
def test_a_composition_that_observes_decides_nothing(kind: str) -> None:
    gate = MAKE[kind](doing("denies", "a"), name="gate", enforce=False)

    result = run(RAISE_BY_20, gate)

    assert result.outcome is Outcome.COMMITTED
    assert [(d.policy, d.enforced, d.verdict) for d in result.audit.decisions] == [
        ("gate", False, Verdict.DENY)
    ]


@pytest.mark.parametrize("kind", sorted(MAKE))
def test_a_part_is_asked_about_what_it_applies_to(kind: str) -> None:
    picky = policy(ChoosePlan, name="picky")(lambda *_: deny("no plans"))
    gate = MAKE[kind](picky, name="gate")

    assert run(RAISE_BY_20, gate).ruling.decisions == ()
    assert run(ChoosePlan(plan="pro"), gate).outcome is Outcome.BLOCKED
    both = MAKE[kind](picky, doing("asks ops", "b"), name="gate")
    assert [p.policy for p in decision(both).parts] == ["b"]


@pytest.mark.parametrize("kind", sorted(MAKE))
def test_a_composition_is_asked_about_what_it_applies_to(kind: str) -> None:
    gate = MAKE[kind](doing("denies", "a"), name="gate", applies_to=(ChoosePlan,))

    assert run(RAISE_BY_20, gate).ruling.decisions == ()
    assert run(ChoosePlan(plan="pro"), gate).outcome is Outcome.BLOCKED


def test_a_part_is_told_which_mutation_of_the_batch_it_is_about() -> None:
    gate = all_of(doing("allows", "a"), name="gate")

    ruling = run([RAISE_BY_20, ChoosePlan(plan="pro")], gate).ruling

    assert [(d.mutation, d.parts[0].mutation) for d in ruling.decisions] == [(0, 0), (1, 1)]


def test_each_part_and_the_whole_keep_their_own_time(clock: Clock) -> None:
    def taking(seconds: float, timeout: float | None) -> Policy:
        rule = policy(name=f"{seconds} s", timeout=timeout)
        return rule(lambda *_: clock.pass_by(seconds) and allow())

    def verdicts(gate: Policy) -> tuple[bool, list[bool]]:
        found = ask(gate, Question(RAISE_BY_20, Quota(), context(), Facts(AT), 0, clock))
        assert found is not None
        return found.failed, [part.failed for part in found.parts]

    slow, quick = taking(2, 1.5), taking(1, 1.5)
    assert verdicts(all_of(quick, slow, name="gate")) == (True, [False, True])
    assert verdicts(any_of(quick, slow, name="gate")) == (False, [False, True])
    patient = taking(1.2, None)
    assert verdicts(all_of(quick, patient, name="gate", timeout=2.5)) == (False, [False, False])
    assert verdicts(all_of(quick, patient, name="gate", timeout=2.2)) == (True, [False, False])


# What it is.


def test_a_composition_is_a_policy_that_can_be_asked_without_an_engine() -> None:
    gate = any_of(doing("denies", "a"), doing("asks ops", "b"), name="gate", version=2)

    said_ = gate.evaluate(RAISE_BY_20, Quota(), context(), Facts(AT))

    assert isinstance(gate, Policy)
    assert (said_.verdict, said_.policy, said_.policy_version) == (Verdict.REQUIRE, "gate", 2)
    picky = policy(ChoosePlan, name="picky")(lambda *_: deny("no plans"))
    nobody = all_of(picky, name="gate").evaluate(RAISE_BY_20, Quota(), context(), Facts(AT))
    assert nobody.is_bare


@pytest.mark.parametrize("kind", sorted(MAKE))
def test_a_composition_asks_its_parts_what_it_was_asked(kind: str) -> None:
    def look(*asked_: Any) -> PolicyDecision:
        asked.extend(asked_)
        return allow()

    asked: list[Any] = []
    question = (RAISE_BY_20, Quota(limit=7), context(), Facts(AT))

    MAKE[kind](policy(name="looks")(look), name="gate").evaluate(*question)

    assert all(one is other for one, other in zip(asked, question, strict=True))


@pytest.mark.parametrize("kind", sorted(MAKE))
def test_a_composition_is_in_its_first_version_unless_it_says_so(kind: str) -> None:
    assert MAKE[kind](doing("allows", "a"), name="gate").version == 1


@pytest.mark.parametrize("kind", sorted(MAKE))
def test_a_composition_names_the_strictest_strategy_of_those_who_speak(kind: str) -> None:
    def gate(*strategies: Strategy) -> PolicyDecision:
        parts = [
            policy(name=each)(lambda *_, each=each: require(OPS, strategy=each))
            for each in strategies
        ]
        return decision(MAKE[kind](*parts, name="gate"))

    strict, loose = Strategy.REJECT_STALE, Strategy.KEEP_IF_UNAFFECTED
    assert gate(loose).strategy is loose
    assert gate(loose, strict).strategy is (loose if kind == "first_decisive" else strict)


@pytest.mark.parametrize("kind", sorted(MAKE))
def test_a_composition_is_made_of_policies(kind: str) -> None:
    with pytest.raises(DefinitionError, match="no policies"):
        MAKE[kind](name="gate")
    with pytest.raises(DefinitionError, match="@policy"):
        MAKE[kind](doing("allows", "a"), lambda *_: allow(), name="gate")
    with pytest.raises(DefinitionError, match="above 0"):
        MAKE[kind](doing("allows", "a"), name="gate", timeout=0)


def test_names_are_unique_within_compositions_too() -> None:
    a, other_a = doing("allows", "a"), doing("denies", "a")

    for twice in (
        [a, all_of(other_a, name="gate")],
        [all_of(a, name="one"), any_of(other_a, name="two")],
        [all_of(all_of(a, name="a"), name="gate")],
        [all_of(a, a, name="gate")],
    ):
        with pytest.raises(DefinitionError, match="'a'"):
            check_names(twice)


def test_one_policy_may_be_part_of_several_compositions() -> None:
    shared = doing("asks ops", "shared")
    gates = [any_of(shared, doing("denies", "a"), name="one"), all_of(shared, name="two")]

    check_names(gates)

    assert run(RAISE_BY_20, *gates).ruling.requirements[0].demanded_by == ("shared",)


def test_the_digest_of_policies_names_the_parts_their_versions_and_how_they_are_composed() -> None:
    def part(name: str, version: int = 1) -> Policy:
        return policy(name=name, version=version)(allow)

    one, two = part("one"), part("two")
    different = [
        all_of(one, two, name="gate"),
        all_of(one, part("two", 2), name="gate"),
        all_of(one, name="gate"),
        any_of(one, two, name="gate"),
        any_of(two, one, name="gate"),
        first_decisive(one, two, name="gate"),
        all_of(one, two, name="gate", version=2),
        all_of(one, two, name="gate", enforce=False),
        all_of(all_of(one, name="in"), two, name="gate"),
    ]

    assert len({digest_of_policies([each]) for each in different}) == len(different)
    assert digest_of_policies([all_of(one, two, name="gate")]) == digest_of_policies(
        [all_of(one, two, name="gate")]
    )


# Alternatives.


def either_of(*deeds: str, **more: Any) -> ExecutionResult[Quota]:
    gate = any_of(*(doing(deed, f"{deed} {i}") for i, deed in enumerate(deeds)), name="gate")
    return run(RAISE_BY_20, gate, **more)


def test_two_demands_become_one_alternative_and_either_suffices() -> None:
    ruling = either_of("asks security", "asks two").ruling

    (alternative,) = ruling.requirements
    assert alternative.kind == ANY
    assert {way(*each) for each in alternative.alternatives} == {way(SECURITY), way(DORA, OPS)}
    assert alternative.demanded_by == ("asks security 0", "asks two 1")
    for fulfilled, outcome in (
        ([SECURITY], Outcome.COMMITTED),
        ([DORA, OPS], Outcome.COMMITTED),
        ([DORA], Outcome.BLOCKED),
        ([], Outcome.BLOCKED),
    ):
        met = [r.id for r in fulfilled]
        assert either_of("asks security", "asks two", fulfilled=met).outcome is outcome
    whole = either_of("asks security", "asks two", fulfilled=[alternative.id])
    assert whole.outcome is Outcome.COMMITTED


def test_an_alternative_says_what_it_is() -> None:
    (alternative,) = either_of("asks security", "asks two").ruling.requirements

    assert alternative.describe().startswith("either ")
    words = set(alternative.describe().removeprefix("either ").split("; or "))
    assert "1 of role:security" in words
    assert words - {"1 of role:security"} <= {
        "1 of user:dora and 1 of group:ops",
        "1 of group:ops and 1 of user:dora",
    }


def test_g10_an_alternative_that_nobody_answered_blocks_the_request() -> None:
    (alternative,) = either_of("asks security", "asks ops").ruling.requirements

    request = waiting(alternative)

    assert request.status is Status.PENDING
    assert [reason.requirement_id for reason in request.pending] == [alternative.id]


def test_a_way_that_demands_more_than_another_is_none() -> None:
    assert [r.id for r in either_of("asks ops", "asks two").ruling.requirements] == [OPS.id]
    assert [r.id for r in either_of("asks ops", "asks ops").ruling.requirements] == [OPS.id]


def test_the_same_demand_of_two_parts_names_both() -> None:
    (demand,) = either_of("asks ops", "asks ops", "asks two").ruling.requirements

    assert demand.demanded_by == ("asks ops 0", "asks ops 1")


def test_an_alternative_has_one_identity_whoever_demands_it_in_whatever_words() -> None:
    def titled(title: str) -> tuple[Requirement, ...]:
        named = SECURITY.model_copy(update={"title": title, "demanded_by": (title,)})
        return either([[named], [OPS]])

    one, other = titled("b"), titled("a")

    assert one[0].id == other[0].id
    assert one[0].id != either([[SECURITY], [DORA]])[0].id
    (both,) = united([*one, *other])
    (again,) = united([*other, *one])
    assert both == again
    named = next(r for each in both.alternatives for r in each if r.id == SECURITY.id)
    assert (named.title, named.demanded_by) == ("a", ("a", "b"))


def test_an_alternative_covers_what_its_ways_cover_and_opens_with_the_first() -> None:
    early = by_security(covers=["/limit"], step=2)
    late = by_ops(covers=["/plan"], step=3)

    (alternative,) = either([[early], [late]])
    (whole,) = either([[early], [DORA]])

    assert (alternative.covers, alternative.step) == (("/limit", "/plan"), 2)
    assert (whole.covers, whole.step) == (EVERYTHING, 1)


def test_an_alternative_of_alternatives_is_one_and_a_part_of_a_way_stays_whole() -> None:
    inner = either([[SECURITY], [OPS]])

    assert either([inner, [DORA]]) == either([[SECURITY], [OPS], [DORA]])
    (outer,) = either([[*inner, DORA], [check(name="smoke")]])
    assert outer.is_met([OPS.id, DORA.id])
    assert not outer.is_met([OPS.id, SECURITY.id])


def test_where_one_way_demands_nothing_nothing_is_demanded() -> None:
    assert either([[SECURITY], []]) == ()
    assert either([]) == ()


def test_only_a_requirement_of_that_kind_is_met_by_an_alternative() -> None:
    hidden = by_security(duration=timedelta(hours=1)).model_copy(update={"alternatives": ((OPS,),)})
    empty = Requirement(kind=ANY, alternatives=((),))

    assert not hidden.is_met([OPS.id])
    assert not empty.is_met([])


def test_the_id_of_a_requirement_that_waits_somewhere_is_what_it_always_was() -> None:
    assert SECURITY.id == "approval-692c526ad3ae4b8475a3"
