"""Facts, options, effects, previews and histories: small values with a promise each."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ValidationError, field_serializer

from core import Engine, Facts, Issue, Options, Outcome, Severity
from core.audit import Subject
from core.changes import Identity
from core.context import ExecutionContext, Mode, MutationContext
from core.digests import jsonable
from core.effects import Effect, EffectPreview, SideEffect
from core.errors import InvalidValue
from core.governance.assessment import Plan, assess
from core.governance.outcome import REJECTION_CODES, executed, rejection_of
from core.governance.request import Status
from core.history import replay
from core.model import Value, built
from core.options import DEFAULT, PERFORMANCE, STRICT
from core.policy import allow, amend, deny, policy, require
from core.requirements import Strategy
from core.states import settle, settle_wholly
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


def test_a_run_of_ones_own_is_never_cancelled_and_late_at_its_deadline() -> None:
    clock = Clock()
    execution = ExecutionContext("x", started_at=clock(), timeout=5, clock=clock)

    execution.raise_if_over()
    assert not execution.is_timed_out()
    clock.pass_by(4.9)
    assert not execution.is_timed_out()
    clock.pass_by(0.1)
    assert execution.is_timed_out()


def test_a_copy_without_changes_keeps_what_was_derived() -> None:
    class Derived(Value):
        one: int = 1

        @cached_property
        def two(self) -> int:
            return 2 * self.one

    value = Derived()
    assert value.two == 2

    assert vars(value.model_copy())["two"] == 2
    assert value.model_copy(update={"one": 3}).two == 6


@pytest.mark.parametrize("fields", [{}, {"code": "a", "message": "b", "odd": 1}])
def test_a_value_is_built_of_all_its_fields_and_no_other(fields: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"Issue is built of all its fields.*severity"):
        built(Issue, **fields)


def test_without_a_compensation_of_its_own_a_mutation_is_taken_back_by_its_inverse() -> None:
    assert IncreaseQuota(amount=1).compensation(Quota(), Quota(limit=101)) is None


# Documents.


def test_what_a_serialiser_leaves_out_stays_out() -> None:
    class Chosen(BaseModel):
        shares: dict[str, float]

        @field_serializer("shares")
        def _positive(self, shares: dict[str, float]) -> dict[str, float]:
            return {name: share for name, share in shares.items() if share > 0}

    assert jsonable(Chosen(shares={"a": 0.5, "b": -1.0})) == {"shares": {"a": 0.5}}


def test_the_items_of_a_keyed_list_may_be_maps() -> None:
    class Board(BaseModel):
        cards: Annotated[list[dict[str, str]], Identity("id")]

    stays = {"id": "a", "text": "same"}
    before = Board(cards=[stays, {"id": "b", "text": "old"}])
    after = before.model_copy(update={"cards": [before.cards[0], {"id": "b", "text": "new"}]})

    read, changes = settle(before, after)

    assert read == after
    assert changes.paths == ("/cards/b/text",)
    assert changes == settle_wholly(before, after)[1]


def test_a_keyed_list_of_items_without_a_key_is_compared_as_one_value() -> None:
    class Names(BaseModel):
        names: Annotated[list[str], Identity("id")]

    before = Names(names=["ann", "ben"])
    after = before.model_copy(update={"names": [before.names[0], "carl"]})

    read, changes = settle(before, after)

    assert read == after
    assert changes.paths == ("/names",)
    assert changes == settle_wholly(before, after)[1]


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


def test_what_policies_may_not_amend_is_rejected_as_theirs() -> None:
    def amended(path: str, value: Any) -> Any:
        return rejection_of(
            run(IncreaseQuota(amount=1), policy(name="p")(lambda *_: amend({path: value})))
        )

    conflict, failed = amended("/limit", 7), amended("/nothing", 7)

    assert (conflict.category, conflict.code) == ("policy", "policy_conflict")
    assert conflict.metadata == {"policies": ["p"], "path": "/limit"}
    assert "is not what the mutation made of it" in conflict.message
    assert (failed.category, failed.code) == ("policy", "policy_failed")
    assert failed.message == (
        "The amendment of 'p' to /nothing cannot be made: the state has no such field."
    )


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
