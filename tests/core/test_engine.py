"""One run of the engine: how far it goes, how it ends, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict

from core import Applied, Engine, Intent, Issue, Mode, Mutation, Options, Outcome
from core.audit import MutationRecord, Subject
from core.changes import apply
from core.digests import digest, jsonable
from core.effects import SideEffect
from core.engine import record
from core.errors import ExecutionTimeout, InputAltered, WrongType
from core.facts import Facts
from core.governance.outcome import rejection_of
from core.history import replay
from core.options import PERFORMANCE, STRICT
from core.policy import FunctionPolicy, allow, deny, policy, require
from core.result import ExecutionResult
from tests.core.builders import (
    AT,
    ChoosePlan,
    Clock,
    Ids,
    IncreaseQuota,
    Notes,
    Quota,
    by_security,
    context,
    doing,
    run,
)

RAISE_BY_20 = IncreaseQuota(amount=20)


def asking(answer: Callable[[], Any], name: str = "asking") -> FunctionPolicy:
    return policy(name=name)(lambda *_: answer())


ALLOWING = asking(allow, "allowing")
DENYING = asking(lambda: deny("never"), "denying")
REQUIRING = asking(lambda: require(by_security()), "requiring")


# How far it goes.


def test_commit_answers_the_new_state_its_effect_and_its_history() -> None:
    result = run(RAISE_BY_20)

    assert result.outcome is Outcome.COMMITTED
    assert result.is_success
    assert result.state == Quota(limit=120)
    assert result.document == {"limit": 120, "plan": "free"}
    assert result.effect.changes.paths == ("/limit",)
    assert result.history is not None
    assert result.history.version == 4
    assert replay(jsonable(Quota()), [result.history]) == result.document


def test_simulate_answers_the_same_effect_and_no_history() -> None:
    result = run(RAISE_BY_20, mode=Mode.SIMULATE)

    assert result.outcome is Outcome.SIMULATED
    assert result.state == Quota(limit=120)
    assert result.history is None
    assert result.audit.version_after is None


def test_validate_answers_no_state() -> None:
    result = run(RAISE_BY_20, mode=Mode.VALIDATE)

    assert result.outcome is Outcome.VALIDATED
    assert (result.state, result.document, result.history) == (None, None, None)


@given(st.integers(0, 2000))
def test_the_change_set_is_computed_from_before_and_after(amount: int) -> None:
    result = run(IncreaseQuota(amount=amount))

    before = jsonable(Quota())
    assert apply(before, result.effect.changes) == result.document
    assert apply(result.document, result.effect.changes.inverse()) == before


@pytest.mark.parametrize("mode", Mode)
def test_policies_are_asked_in_every_mode(mode: Mode) -> None:
    assert run(RAISE_BY_20, DENYING, mode=mode).outcome is Outcome.BLOCKED


def test_the_check_is_skipped_only_where_that_is_asked_for_and_only_in_simulate() -> None:
    fast = Engine(clock=Clock(), new_id=Ids(), options=PERFORMANCE)
    wrong = IncreaseQuota(amount=-1)

    for mode in Mode:
        assert run(wrong, mode=mode).outcome is Outcome.INVALID
    assert run(wrong, mode=Mode.SIMULATE, engine=fast).outcome is Outcome.SIMULATED
    assert run(wrong, mode=Mode.VALIDATE, engine=fast).outcome is Outcome.INVALID
    assert run(wrong, mode=Mode.COMMIT, engine=fast).outcome is Outcome.INVALID


def test_a_warning_is_kept_and_in_nobodys_way() -> None:
    result = run(IncreaseQuota(amount=950))

    assert result.outcome is Outcome.COMMITTED
    assert [i.code for i in result.issues] == ["high"]
    assert [i.code for i in result.audit.issues] == ["high"]


def test_g1_a_commit_is_blocked_while_a_requirement_is_unmet() -> None:
    blocked = run(RAISE_BY_20, REQUIRING)

    assert blocked.outcome is Outcome.BLOCKED
    assert [r.id for r in blocked.unmet] == [by_security().id]
    assert (blocked.state, blocked.history) == (None, None)
    assert rejection_of(blocked) is None
    assert run(RAISE_BY_20, REQUIRING, fulfilled=[by_security().id]).outcome is Outcome.COMMITTED
    assert run(RAISE_BY_20, REQUIRING, fulfilled=["other"]).outcome is Outcome.BLOCKED


def test_a_requirement_blocks_also_when_its_policy_calls_that_allowed() -> None:
    sloppy = asking(lambda: allow().model_copy(update={"requirements": (by_security(),)}))

    assert run(RAISE_BY_20, sloppy).outcome is Outcome.BLOCKED


def test_what_is_required_does_not_stop_a_simulation() -> None:
    result = run(RAISE_BY_20, REQUIRING, mode=Mode.SIMULATE)

    assert result.outcome is Outcome.SIMULATED
    assert result.effect.changes.paths == ("/limit",)


# How it ends.


def test_a_denial_applies_nothing() -> None:
    applied = Notes()
    result = run(doing(lambda state: applied.take(state) and state), DENYING)

    assert result.outcome is Outcome.BLOCKED
    assert not applied
    no = rejection_of(result)
    assert no is not None
    assert (no.category, no.code, no.message) == ("policy", "denied", "denying: never")


def test_what_apply_raises_is_an_ending_and_never_a_new_state() -> None:
    def fail(state: Quota) -> Quota:
        raise KeyError("limit")

    result = run(doing(fail))

    assert result.outcome is Outcome.FAILED
    assert not result.is_success
    assert isinstance(result.error, KeyError)
    assert (result.state, result.document, result.history) == (None, None, None)
    no = rejection_of(result)
    assert no is not None
    assert (no.category, no.code, no.message) == ("engine", "error", "KeyError: 'limit'")


def test_what_the_check_raises_is_an_ending() -> None:
    class Careless(IncreaseQuota):
        def check(self, state: Quota) -> Iterable[Issue]:
            raise RuntimeError("no")

    assert run(Careless(amount=1)).outcome is Outcome.FAILED


def test_what_the_intent_raises_is_an_ending() -> None:
    class Aimless(IncreaseQuota):
        @property
        def intent(self) -> Intent:
            raise RuntimeError("no")

    result = run(Aimless(amount=1))

    assert result.outcome is Outcome.FAILED
    assert result.audit.error == "RuntimeError: no"
    assert [m.type for m in result.audit.mutations] == ["Aimless"]


NO_STATES: list[Any] = [None, 7, {"limit": 1}, Applied(None), "Quota"]


@pytest.mark.parametrize("answer", NO_STATES, ids=repr)
def test_apply_answers_a_state(answer: Any) -> None:
    result = run(doing(lambda _: answer))

    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, WrongType)
    no = rejection_of(result)
    assert no is not None
    assert no.code == "wrong_type"


@pytest.mark.parametrize(
    "effects",
    [
        ("mail",),
        ({"contract": "mail"},),
        (None,),
        (SideEffect(contract="x", payload={"a": float("nan")}),),
    ],
    ids=repr,
)
def test_apply_answers_side_effects_that_can_be_written(effects: Any) -> None:
    result = run(doing(lambda state: Applied(Quota(limit=1), effects)))

    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, WrongType)


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_a_state_that_model_copy_made_invalid_is_refused() -> None:
    result = run(doing(lambda state: state.model_copy(update={"limit": "many"})))

    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, WrongType)
    assert "limit" in str(result.error)


def test_a_state_that_no_document_can_hold_is_refused() -> None:
    result = run(doing(lambda state: state.model_copy(update={"plan": object()})))

    assert isinstance(result.error, WrongType)


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_what_is_written_is_what_will_be_read() -> None:
    """`"120"` is read as 120: writing it as text would be a change that nobody made."""
    result = run(doing(lambda state: state.model_copy(update={"limit": "120"})))

    assert result.outcome is Outcome.COMMITTED
    assert result.state == Quota(limit=120)
    assert result.document == {"limit": 120, "plan": "free"}
    assert result.effect.changes.changes[0].after == 120
    same = run(doing(lambda state: state.model_copy(update={"limit": "100"})))
    assert same.effect.changes.is_empty
    assert (same.state, same.document) == (Quota(), {"limit": 100, "plan": "free"})
    assert same.history is None


def test_a_subtype_of_the_state_leaves_only_what_the_state_has() -> None:
    class Secretive(Quota):
        secret: str = "s"

    result = run(doing(lambda state: Secretive(limit=120)))

    assert result.document == {"limit": 120, "plan": "free"}


@pytest.mark.parametrize("answer", [None, 7, "negative", ["negative"], Issue(code="a", message="")])
def test_a_check_answers_issues(answer: Any) -> None:
    class Careless(IncreaseQuota):
        def check(self, state: Quota) -> Any:
            return answer

    result = run(Careless(amount=1))

    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, WrongType)
    assert "Careless.check answered a" in str(result.error)
    assert result.audit.issues == ()


def test_an_engine_says_how_it_was_set_up() -> None:
    assert Engine(clock=Clock(), new_id=Ids(), options=STRICT).options is STRICT
    assert Engine(clock=Clock(), new_id=Ids()).options == Options()


# Deadlines and cancellation.


def test_before_its_deadline_a_run_is_in_time_and_at_it_late() -> None:
    def taking(seconds: float) -> ExecutionResult[Quota]:
        clock = Clock()
        engine = Engine(clock=clock, new_id=Ids(), options=Options(timeout=5))
        return run(doing(lambda _: clock.pass_by(seconds) and Quota(limit=1)), engine=engine)

    assert taking(4.9).outcome is Outcome.COMMITTED
    late = taking(5.0)
    assert late.outcome is Outcome.TIMED_OUT
    assert isinstance(late.error, ExecutionTimeout)
    assert (late.error.timeout, late.error.elapsed) == (5.0, 5.0)  # type: ignore[attr-defined]
    assert (late.state, late.history, late.audit.version_after) == (None, None, None)
    no = rejection_of(late)
    assert no is not None
    assert (no.category, no.code) == ("engine", "timeout")


def test_what_is_late_already_does_not_apply_at_all() -> None:
    clock, applied = Clock(), Notes()
    engine = Engine(clock=clock, new_id=Ids())
    slow = asking(lambda: clock.pass_by(60) and allow())

    result = run(doing(lambda state: applied.take(1) and state), slow, engine=engine)

    assert result.outcome is Outcome.TIMED_OUT
    assert not applied


def test_a_run_that_never_came_back_is_late_and_has_its_audit_entry(engine: Engine) -> None:
    late = ExecutionTimeout(5.0, 6.0)

    result = engine.dropped(
        [RAISE_BY_20],
        Quota(),
        context=context(),
        facts=Facts(AT),
        subject=Subject(state_id="quota/acme", version=3),
        records=[record(RAISE_BY_20)],
        error=late,
    )

    assert result.outcome is result.audit.outcome is Outcome.TIMED_OUT
    assert (result.error, result.state, result.history) == (late, None, None)
    assert result.audit.mutations == (record(RAISE_BY_20),)


# Strict.


class Mutable(Quota):
    model_config = ConfigDict(frozen=False)


def strictly(deed: Callable[[Any], Any]) -> ExecutionResult[Quota]:
    engine = Engine(clock=Clock(), new_id=Ids(), options=STRICT)
    return run(doing(deed), state=Mutable(), engine=engine)


def test_strict_notices_that_the_given_state_was_altered() -> None:
    def alter(state: Mutable) -> Mutable:
        state.limit += 1
        return state

    result = strictly(alter)

    assert isinstance(result.error, InputAltered)
    assert "altered" in str(result.error)


def test_strict_notices_another_result_the_second_time() -> None:
    counter = count(200)
    result = strictly(lambda _: Mutable(limit=next(counter)))

    assert isinstance(result.error, WrongType)
    assert "second time" in str(result.error)


def test_strict_notices_other_side_effects_the_second_time() -> None:
    counter = count()
    result = strictly(
        lambda _: Applied(
            Mutable(limit=1), (SideEffect(contract="mail", payload={"n": next(counter)}),)
        )
    )

    assert isinstance(result.error, WrongType)


def test_strict_lets_through_what_is_pure() -> None:
    assert strictly(lambda state: Mutable(limit=state.limit + 1)).outcome is Outcome.COMMITTED


# Batches.

mutations = st.lists(
    st.builds(IncreaseQuota, amount=st.integers(0, 50))
    | st.builds(ChoosePlan, plan=st.sampled_from(["free", "pro"])),
    max_size=5,
)


@given(mutations)
def test_a_batch_equals_its_steps(steps: list[Mutation[Quota]]) -> None:
    whole = run(steps)

    state, mails = Quota(), 0
    for each in steps:
        step = run(each, state=state)
        assert step.state is not None
        state, mails = step.state, mails + len(step.effect.side_effects)
    assert whole.state == state
    assert len(whole.effect.side_effects) == mails
    assert (whole.history is not None) == (state != Quota())


@given(mutations, mutations)
def test_a_batch_is_all_or_nothing(
    before: list[Mutation[Quota]], after: list[Mutation[Quota]]
) -> None:
    result = run([*before, IncreaseQuota(amount=-1), *after])

    assert result.outcome is Outcome.INVALID
    assert (result.state, result.history) == (None, None)


def test_an_empty_batch_is_a_success_that_changes_nothing() -> None:
    result = run([])

    assert result.outcome is Outcome.COMMITTED
    assert result.state == Quota()
    assert result.history is None


def test_policies_see_each_step_with_the_state_before_it() -> None:
    seen = Notes()
    watching = policy(name="w")(
        lambda mutation, state, *_: seen.take((mutation.amount, state.limit)) and allow()
    )

    result = run([IncreaseQuota(amount=1), IncreaseQuota(amount=2)], watching)

    assert seen == [(1, 100), (2, 101)]
    assert [d.mutation for d in result.ruling.decisions] == [0, 1]


def test_a_denied_step_denies_the_batch() -> None:
    picky = policy(ChoosePlan, name="picky")(lambda *_: deny("no plans"))

    assert run([RAISE_BY_20, ChoosePlan(plan="pro")], picky).outcome is Outcome.BLOCKED
    assert run([RAISE_BY_20], picky).outcome is Outcome.COMMITTED


# What it leaves behind.


def test_a_change_of_nothing_executes_and_has_no_history() -> None:
    result = run(IncreaseQuota(amount=0))

    assert result.outcome is Outcome.COMMITTED
    assert result.history is None
    assert result.audit.version_after == result.audit.version_before == 3


def endings() -> dict[Outcome, ExecutionResult[Quota]]:
    def fail(state: Quota) -> Quota:
        raise RuntimeError("broken")

    clock = Clock()
    timed = Engine(clock=clock, new_id=Ids())
    return {
        Outcome.COMMITTED: run(RAISE_BY_20, ALLOWING),
        Outcome.SIMULATED: run(RAISE_BY_20, ALLOWING, mode=Mode.SIMULATE),
        Outcome.VALIDATED: run(RAISE_BY_20, ALLOWING, mode=Mode.VALIDATE),
        Outcome.BLOCKED: run(RAISE_BY_20, ALLOWING, DENYING),
        Outcome.INVALID: run(IncreaseQuota(amount=-1), ALLOWING),
        Outcome.FAILED: run(doing(fail), ALLOWING),
        Outcome.TIMED_OUT: run(doing(lambda _: clock.pass_by(9)), ALLOWING, engine=timed),
        Outcome.CANCELED: run(
            doing(lambda state: CANCELED.take(1) and state),
            ALLOWING,
            canceled=lambda: bool(CANCELED),
        ),
    }


CANCELED = Notes()


def test_g12_every_ending_has_a_whole_audit_entry() -> None:
    CANCELED.clear()
    found = endings()

    assert found.keys() == set(Outcome)
    for outcome, result in found.items():
        audit = result.audit
        assert result.outcome is audit.outcome is outcome
        assert audit.execution_id == result.execution_id
        assert (audit.subject.state_id, audit.subject.request_id) == ("quota/acme", "r1")
        assert (audit.at, audit.version_before) == (AT, 3)
        assert (audit.version_after is not None) == (outcome is Outcome.COMMITTED)
        assert [m.digest for m in audit.mutations]
        assert audit.intent == result.intent
        assert audit.context.actor_id == "ana"
        assert audit.facts == {"at": AT.isoformat(), "fulfilled": []}
        assert "allowing" in [d.policy for d in audit.decisions], outcome
        assert (audit.error is not None) == (result.error is not None)
        written = audit.model_dump_json()
        assert type(audit).model_validate_json(written) == audit


def test_g12_what_the_check_found_stands_in_the_audit_entry_of_a_failure() -> None:
    class Warned(IncreaseQuota):
        def apply(self, state: Quota) -> Quota:
            raise RuntimeError("broken")

    result = run(Warned(amount=950))

    assert result.outcome is Outcome.FAILED
    assert [i.code for i in result.audit.issues] == ["high"]


def test_a_history_entry_says_who_changed_what_and_why() -> None:
    result = run(RAISE_BY_20, ALLOWING)

    entry = result.history
    assert entry is not None
    assert (entry.state_id, entry.version, entry.at) == ("quota/acme", 4, AT)
    assert entry.mutations == (record(RAISE_BY_20),)
    assert (entry.intent.operation, entry.context.reason) == ("increase", "more room")
    assert entry.execution_id == result.execution_id
    assert entry.changes == result.effect.changes
    assert [d.policy for d in entry.decisions] == ["allowing"]
    assert type(entry).model_validate_json(entry.model_dump_json()) == entry


def test_a_mutation_is_recorded_with_the_digest_of_type_version_and_parameters() -> None:
    written = record(RAISE_BY_20)

    assert written == MutationRecord(
        type="IncreaseQuota",
        schema_version=1,
        parameters={"amount": 20},
        digest=digest(["IncreaseQuota", 1, {"amount": 20}]),
    )


def test_a_run_has_an_id_of_its_own() -> None:
    engine = Engine(clock=Clock(), new_id=Ids())

    first, second = run(RAISE_BY_20, engine=engine), run(RAISE_BY_20, engine=engine)

    assert (first.execution_id, second.execution_id) == ("execution-1", "execution-2")


def test_the_cost_of_a_run_is_measured_by_stage() -> None:
    clock = Clock()
    options = Options(detailed_metrics=True)
    engine = Engine(clock=clock, new_id=Ids(), options=options)
    thinking = asking(lambda: clock.pass_by(0.5) and allow(), "thinking")

    metrics = run(
        doing(lambda _: clock.pass_by(1.0) and Quota(limit=1)), thinking, engine=engine
    ).metrics

    assert metrics.stages.keys() == {"policies", "check", "apply", "changes"}
    assert metrics.stages["policies"] == pytest.approx(0.5)
    assert metrics.stages["apply"] == pytest.approx(1.0)
    assert metrics.total == pytest.approx(1.5)
    assert (metrics.policies, metrics.changes) == (1, 1)
    assert metrics.by_policy == {"thinking": pytest.approx(0.5)}
    assert run(RAISE_BY_20, ALLOWING).metrics.by_policy == {}


def test_the_intent_of_a_batch_is_the_greatest_of_its_parts() -> None:
    from core import BlastRadius, RiskLevel

    one = Intent(operation="a", risk=RiskLevel.HIGH, tags=("x", "y"), estimated_count=2)
    two = Intent(
        operation="b",
        blast_radius=BlastRadius.GLOBAL,
        reversible=False,
        tags=("y", "z"),
        category="other",
    )

    both = Intent.united([one, two])

    assert both == Intent(
        operation="batch",
        category="batch",
        description="a; b",
        risk=RiskLevel.HIGH,
        blast_radius=BlastRadius.GLOBAL,
        estimated_count=2,
        reversible=False,
        tags=("x", "y", "z"),
    )
    assert Intent.united([one]) is one
