"""Facts, options, effects, previews and histories: small values with a promise each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from core import Engine, Facts, Issue, Options, Outcome, Severity
from core.audit import Subject
from core.context import Mode, MutationContext
from core.effects import Effect, EffectPreview, SideEffect
from core.errors import InvalidValue
from core.governance.assessment import Plan, assess
from core.governance.outcome import REJECTION_CODES, executed, rejection_of
from core.governance.request import Status
from core.history import replay
from core.options import DEFAULT, PERFORMANCE, STRICT
from core.policy import allow, deny, policy, require
from core.requirements import Strategy
from core.validation import errors_of
from tests.core.builders import (
    ANA,
    AT,
    BEN,
    CARL,
    DIRECTORY,
    ChoosePlan,
    Clock,
    Ids,
    IncreaseQuota,
    Quota,
    by_security,
    doing,
    effect,
    granted,
    run,
    waiting,
)

# Facts.


def test_the_time_and_what_is_fulfilled_are_always_there() -> None:
    facts = Facts(AT)

    assert facts["at"] == AT
    assert facts["fulfilled"] == frozenset()
    assert set(facts) == {"at", "fulfilled"}


def test_no_fact_from_outside_stands_in_for_them() -> None:
    facts = Facts(AT, ["a"], {"at": "yesterday", "fulfilled": ["everything"], "load": 0.5})

    assert (facts["at"], facts["fulfilled"], facts["load"]) == (AT, {"a"}, 0.5)
    assert len(facts) == 3


def test_facts_are_recorded_as_plain_data_in_one_order() -> None:
    facts = Facts(AT, ["b", "a"], {"load": 0.5})

    assert facts.recorded() == {"at": AT.isoformat(), "fulfilled": ["a", "b"], "load": 0.5}


def test_a_fact_that_no_record_can_hold_is_refused_at_once() -> None:
    with pytest.raises(InvalidValue):
        Facts(AT, values={"load": object()})  # type: ignore[dict-item]  # wrong on purpose


def test_facts_are_read_only() -> None:
    with pytest.raises(TypeError):
        Facts(AT)["at"] = AT  # type: ignore[index]  # wrong on purpose


# Options.


@pytest.mark.parametrize("field", ["timeout", "fact_timeout"])
@pytest.mark.parametrize("seconds", [0, -1, 3601, float("nan"), float("inf")])
def test_a_timeout_has_bounds(field: str, seconds: float) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({field: seconds})


def test_the_presets_differ_in_what_they_are_named_for() -> None:
    assert (DEFAULT.timeout, DEFAULT.fact_timeout, DEFAULT.always_validate) == (5.0, 2.0, True)
    assert (STRICT.detailed_metrics, STRICT.check_determinism) == (True, True)
    assert not PERFORMANCE.always_validate


# Issues, side effects, contexts.


def test_only_errors_make_a_mutation_invalid() -> None:
    issues = [Issue(code=s.value, message="", severity=s) for s in Severity]

    assert [i.code for i in errors_of(issues)] == ["error", "critical"]


def test_what_is_critical_opens_a_todo() -> None:
    assert SideEffect(contract="a", severity=Severity.CRITICAL).opens_todo
    assert SideEffect(contract="a", requires_action=True).opens_todo
    assert not SideEffect(contract="a", severity=Severity.ERROR).opens_todo


def test_a_context_is_the_same_in_another_mode() -> None:
    context = MutationContext(actor_id="ana", reason="why")

    assert context.in_mode(Mode.COMMIT) is context
    simulated = context.in_mode(Mode.SIMULATE)
    assert simulated.model_copy(update={"mode": Mode.COMMIT}) == context


# Effects.


def test_the_digest_of_a_part_changes_with_that_part_only() -> None:
    one, other = effect(limit=120, plan="pro"), effect(limit=120, plan="gold")

    assert one.digest(["/limit"]) == other.digest(["/limit"])
    assert one.digest(["/plan"]) != other.digest(["/plan"])
    assert one.digest() != other.digest()


def test_every_part_contains_the_side_effects() -> None:
    assert effect("ben", limit=120).digest(["/plan"]) != effect(limit=120).digest(["/plan"])


def test_a_preview_shows_a_few_changes_and_says_how_many_there_are() -> None:
    preview = EffectPreview.of(effect("ben", limit=120, plan="pro"), limit=1)

    assert preview.lines == ("/limit: 100 -> 120",)
    assert (preview.total, preview.truncated) == (2, True)
    assert preview.side_effects == ("mail v1",)
    assert not EffectPreview.of(Effect()).truncated


# History.


def test_a_history_replays_to_the_state_it_led_to() -> None:
    state, entries = Quota(), []
    mutations = (IncreaseQuota(amount=1), ChoosePlan(plan="pro"), IncreaseQuota(amount=2))
    engine = Engine(clock=Clock(), new_id=Ids())
    for version, mutation in enumerate(mutations):
        result = engine.execute(
            mutation,
            state,
            context=MutationContext(actor_id="ana"),
            facts=Facts(AT),
            subject=Subject(state_id="quota/acme", version=version),
        )
        assert result.state is not None
        assert result.history is not None
        state = result.state
        entries.append(result.history)

    assert replay({"limit": 100, "plan": "free"}, entries) == state.model_dump()
    assert replay({"limit": 100, "plan": "free"}, entries[:1])["limit"] == 101  # type: ignore[call-overload,index]


# Assessments and endings.


def assessed(*policies: Any, mode: Mode = Mode.SIMULATE, amount: int = 20) -> Any:
    return assess(
        run(IncreaseQuota(amount=amount), *policies, mode=mode),
        state_digest="state",
        policy_set_digest="policies",
        strategy=Strategy.REVALIDATE_ON_LATEST,
        expires_in=timedelta(days=14),
        directory=DIRECTORY,
        requesters=[ANA.id],
        plan=Plan(),
    )


def test_an_assessment_says_what_would_happen_and_who_could_answer() -> None:
    strict = policy(name="eyes")(
        lambda *_: require(by_security(2), strategy=Strategy.KEEP_IF_UNAFFECTED)
    )

    found = assessed(strict, amount=950)

    demanded = by_security(2).id
    assert [r.id for r in found.requirements] == [demanded]
    assert found.able == {demanded: 2}
    assert found.covered == {demanded: found.effect_digest}
    assert found.effect.lines == ("/limit: 100 -> 1050",)
    assert found.inverse.lines == ("/limit: 1050 -> 100",)
    assert [i.code for i in found.issues] == ["high"]
    assert [(v.policy, v.verdict.value) for v in found.verdicts] == [("eyes", "require")]
    assert found.strategy is Strategy.KEEP_IF_UNAFFECTED
    assert found.rejection is None
    assert (found.version, found.at) == (3, AT)
    assert type(found).model_validate_json(found.model_dump_json()) == found


def test_an_assessment_of_a_denied_run_says_why_it_cannot_go_on() -> None:
    found = assessed(policy(name="freeze")(lambda *_: deny("not now")))

    assert found.rejection is not None
    assert found.rejection.message == "freeze: not now"


def test_every_rejection_is_one_of_the_table() -> None:
    denying = policy(name="no")(lambda *_: deny("no"))
    raising = policy(name="no")(lambda *_: allow(str(1 / 0)))
    for result in (
        run(IncreaseQuota(amount=1), denying),
        run(IncreaseQuota(amount=1), raising),
        run(IncreaseQuota(amount=-1)),
        run(doing(lambda _: None)),
        run(doing(lambda _: 1 / 0)),
        run(IncreaseQuota(amount=1), canceled=lambda: True),
    ):
        no = rejection_of(result)
        assert no is not None
        assert no.code in REJECTION_CODES[no.category]
        assert no.message


def test_an_executed_request_says_what_was_committed() -> None:
    request = granted(waiting(by_security(2)), BEN, CARL)
    result = run(ChoosePlan(plan="pro"))

    ended = executed(request, result, version=4, at=AT, actor_id="system:mutator")

    assert ended.status is Status.EXECUTED
    assert (ended.execution_id, ended.resulting_version) == (result.execution_id, 4)
    assert ended.executed_at == ended.closed_at == AT
    assert ended.side_effects == result.effect.side_effects
    assert [d.code for d in ended.decisions if d.code == "Executed"] == ["Executed"]
    assert result.outcome is Outcome.COMMITTED
