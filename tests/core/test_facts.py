"""Facts: what was looked up is a value, what could not be had blocks, and the record reads back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import (
    Domain,
    Engine,
    ExecutionResult,
    Facts,
    Options,
    Policy,
    PolicyDecision,
    Verdict,
    allow,
    deny,
    policy,
)
from core.digests import MAX_LEVELS
from core.domain import QUICK
from core.engine import record
from core.errors import DefinitionError, InvalidValue, UnknownMutation
from core.facts import LONGEST_LOOKUP, MAX_FACT, Fact, Lookup, Missing, MissingFact, kept
from core.result import Outcome
from tests.core.builders import (
    AT,
    ChoosePlan,
    Clock,
    Ids,
    IncreaseQuota,
    Quota,
    context,
    later,
)

LATE = Lookup(at=later(seconds=2), attempts=2, missing="late, there was no answer within 2 s")


def load(_: object) -> float:
    return 0.5


def told(**looked_up: Lookup) -> Facts:
    return Facts(AT, ["a"], looked_up=looked_up)


def asked(rule: Policy, facts: Facts) -> ExecutionResult[Quota]:
    """Run the engine with one policy that is told these facts."""
    engine = Engine(clock=Clock(), new_id=Ids())
    return engine.execute(
        IncreaseQuota(amount=1), Quota(), context=context(), facts=facts, policies=[rule]
    )


def quota(*facts: Fact, **more: Any) -> Domain[Quota]:
    given: dict[str, Any] = {"state": Quota, "mutations": [IncreaseQuota, ChoosePlan]}
    return Domain("quota", facts=facts, **(given | more))


# What policies are told.


def test_what_was_looked_up_is_a_value() -> None:
    facts = told(load=Lookup(at=AT, value=0.5))

    assert facts["load"] == facts.get("load") == 0.5
    assert set(facts) == {"at", "fulfilled", "load"}
    assert not facts.missing


@pytest.mark.parametrize("nothing", [None, 0, False, "", []])
def test_an_answer_that_is_empty_is_not_missing(nothing: Any) -> None:
    facts = told(load=Lookup(at=AT, value=nothing))

    assert facts["load"] == nothing
    assert not isinstance(facts.get("load"), Missing)


def test_g10_whoever_reads_a_missing_fact_as_if_it_were_there_is_stopped() -> None:
    facts = told(load=LATE)

    with pytest.raises(MissingFact, match=r"'load' is missing: late, .* within 2 s") as missing:
        facts["load"]
    with pytest.raises(MissingFact):
        dict(facts)

    assert missing.value.details["name"] == "load"


def test_g10_a_fact_that_nobody_declared_is_missing_and_says_so() -> None:
    facts = told()

    with pytest.raises(MissingFact, match="nothing of that name is looked up here"):
        facts["laod"]
    assert isinstance(facts.get("laod"), Missing)
    assert "laod" not in facts


def test_whoever_can_do_without_asks_for_the_missing_fact_as_a_value() -> None:
    facts = told(load=LATE)

    assert facts.get("load") == Missing("late, there was no answer within 2 s")
    assert not facts.get("load")
    assert facts.get("load", 0.9) == 0.9
    assert "load" in facts
    assert len(facts) == len(list(facts)) == 3


RULES: dict[str, Callable[[Facts], bool]] = {
    "compared": lambda facts: facts["load"] > 0.8,
    "equal": lambda facts: facts["load"] == "high",
    "true": lambda facts: bool(facts["load"]),
    "a part": lambda facts: bool(facts["load"]["now"]),
    "unpacked": lambda facts: bool({**facts}),
}


@pytest.mark.parametrize("name", RULES)
def test_g10_a_policy_that_needs_a_missing_fact_denies(name: str) -> None:
    @policy()
    def not_under_load(_m: Any, _s: Any, _c: Any, facts: Facts) -> PolicyDecision:
        return deny("There is too much load.") if RULES[name](facts) else allow()

    result = asked(not_under_load, told(load=LATE))

    assert result.outcome is Outcome.BLOCKED
    (decision,) = result.ruling.decisions
    assert (decision.verdict, decision.failed) == (Verdict.DENY, True)
    assert "'load' is missing: late" in decision.reason


def test_a_policy_may_do_without() -> None:
    @policy()
    def not_under_load(_m: Any, _s: Any, _c: Any, facts: Facts) -> PolicyDecision:
        if isinstance(found := facts.get("load"), Missing):
            return allow(f"Nobody knows the load: {found.reason}.")
        return allow()

    result = asked(not_under_load, told(load=LATE))

    assert result.outcome is Outcome.COMMITTED
    assert "late" in result.ruling.decisions[0].reason


# What is kept.


def test_the_record_says_when_and_how_a_fact_was_looked_up() -> None:
    facts = told(load=Lookup(at=later(seconds=1), value=0.5), owner=LATE)

    assert facts.recorded() == {
        "at": AT.isoformat(),
        "fulfilled": ["a"],
        "load": 0.5,
        "looked_up": {
            "load": {"at": "2026-01-05T09:00:01Z", "attempts": 1, "missing": None},
            "owner": {
                "at": "2026-01-05T09:00:02Z",
                "attempts": 2,
                "missing": "late, there was no answer within 2 s",
            },
        },
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
NAMES = st.from_regex(r"[b-e][a-z0-9_]{0,4}", fullmatch=True)
LOOKUPS = st.builds(Lookup, at=st.just(AT), value=JSON, attempts=st.integers(1, 6)) | st.builds(
    Lookup, at=st.just(AT), missing=st.text(min_size=1, max_size=9)
)


@given(st.dictionaries(NAMES, LOOKUPS, max_size=4), st.frozensets(NAMES, max_size=3))
def test_facts_are_made_again_from_their_record(
    looked_up: dict[str, Lookup], fulfilled: frozenset[str]
) -> None:
    facts = Facts(AT, fulfilled, looked_up=looked_up)

    again = Facts.read(facts.recorded())

    assert again.recorded() == facts.recorded()
    assert (again["at"], again["fulfilled"]) == (AT, fulfilled)
    assert {n: again.get(n) for n in looked_up} == {n: facts.get(n) for n in looked_up}


def test_a_time_that_would_be_another_elsewhere_is_refused() -> None:
    with pytest.raises(InvalidValue, match="names no zone"):
        Facts(AT.replace(tzinfo=None))
    with pytest.raises(InvalidValue, match="names no zone"):
        Facts.read({"at": "2026-01-05T09:00:00"})


def test_an_answer_may_be_nested_as_deep_as_any_document() -> None:
    answer: Any = 0.5
    for _ in range(MAX_LEVELS):
        answer = [answer]

    assert told(load=Lookup(at=AT, value=kept(answer)))["load"] == answer
    with pytest.raises(InvalidValue):
        kept([answer])


def test_values_that_nobody_looked_up_are_read_back_as_well() -> None:
    assert Facts.read(Facts(AT, values={"load": 0.5}).recorded())["load"] == 0.5


@pytest.mark.parametrize(
    "record_", [{}, {"at": "noon"}, {"at": AT.isoformat(), "looked_up": {"load": 1}}]
)
def test_what_is_no_record_of_facts_is_refused(record_: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match="facts of an evaluation cannot be read"):
        Facts.read(record_)


def test_an_answer_is_kept_as_plain_data_and_policies_are_told_that() -> None:
    assert kept((1, {"until": AT, "who": Quota(limit=5)})) == [
        1,
        {"until": "2026-01-05T09:00:00Z", "who": {"limit": 5, "plan": "free"}},
    ]


@pytest.mark.parametrize("answer", [object(), float("nan"), "x" * (MAX_FACT + 1)])
def test_an_answer_that_no_record_should_hold_is_refused(answer: object) -> None:
    with pytest.raises(InvalidValue):
        kept(answer)


# What is declared.


@pytest.mark.parametrize("name", ["", "Load", "1st", "a-b", "at", "fulfilled", "looked_up"])
def test_a_fact_has_a_name_that_is_free(name: str) -> None:
    with pytest.raises(DefinitionError, match="fact name"):
        Fact(name, load)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"timeout": 0}, "at most 8 s"),
        ({"timeout": 8.1}, "at most 8 s"),
        ({"timeout": float("nan")}, "at most 8 s"),
        ({"retries": -1}, "0 to 5 times"),
        ({"retries": 6}, "0 to 5 times"),
        ({"max_age": timedelta(seconds=-1)}, "max_age below zero"),
        ({"applies_to": ()}, "'load' applies to no mutation"),
        ({"provider": 0.5}, "'load' has no provider"),
    ],
)
def test_a_fact_that_cannot_be_looked_up_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DefinitionError, match=sentence):
        Fact("load", **({"provider": load} | wrong))


def test_a_domain_declares_a_fact_once() -> None:
    with pytest.raises(DefinitionError, match="declares the fact 'load' twice"):
        quota(Fact("load", load), Fact("load", load))


def test_a_fact_that_takes_too_long_with_all_its_attempts_is_refused() -> None:
    assert quota(Fact("load", load, timeout=LONGEST_LOOKUP / 3, retries=2)).facts
    with pytest.raises(DefinitionError, match=r"'load' of 'quota' can take 18 s"):
        quota(Fact("load", load, timeout=3, retries=5))
    with pytest.raises(DefinitionError, match=r"can take 20 s"):
        quota(Fact("load", load), options=Options(fact_timeout=10))


def test_facts_are_looked_up_for_the_mutations_they_apply_to() -> None:
    everywhere, plans = Fact("load", load), Fact("plans", load, applies_to=(ChoosePlan,))
    domain = quota(everywhere, plans)
    increase, choose = record(IncreaseQuota(amount=1)), record(ChoosePlan(plan="pro"))

    assert domain.facts_for([increase]) == (everywhere,)
    assert domain.facts_for([increase, choose]) == (everywhere, plans)
    # A wish that names no version yet.
    assert domain.facts_for([choose.model_copy(update={"schema_version": 0})]) == domain.facts
    with pytest.raises(UnknownMutation):
        domain.facts_for([increase.model_copy(update={"type": "Explode"})])


@pytest.mark.parametrize(
    ("facts", "seconds"),
    [
        ([], 0),
        ([Fact("load", load)], 4),
        ([Fact("load", load, retries=0)], 2),
        ([Fact("load", load, timeout=0.25), Fact("owner", load, timeout=0.1)], 0.5),
        ([Fact("load", load, timeout=0.3), Fact("owner", load, timeout=0.1)], 0.6),
    ],
)
def test_what_can_be_looked_up_quickly_is_tried_in_the_workflow_task(
    facts: list[Fact], seconds: float
) -> None:
    wished = [record(IncreaseQuota(amount=1))]

    assert quota(*facts).longest_lookup(wished) == seconds
    assert quota(*facts).is_local(wished) == (seconds <= QUICK)
    assert not quota(*facts, run="remote").is_local(wished)


def test_a_slow_fact_keeps_only_those_from_the_workflow_task_that_need_it() -> None:
    domain = quota(Fact("plans", load, applies_to=(ChoosePlan,)))

    assert domain.is_local([record(IncreaseQuota(amount=1))])
    assert not domain.is_local([record(ChoosePlan(plan="pro"))])
