"""A batch is its steps, one after the other; what was done until it ended is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import Engine, Facts, Mode, Mutation, Options, Outcome
from core.audit import Subject
from core.batch import BatchResult, execute_batch
from core.digests import jsonable
from core.history import replay
from core.policy import deny, policy, require
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
)

UP, DOWN, PLAN = IncreaseQuota(amount=20), IncreaseQuota(amount=-1), ChoosePlan(plan="pro")
BROKEN = doing(lambda _: 1 / 0)
SUBJECT = Subject(state_id="quota/acme", version=3)

step = st.builds(IncreaseQuota, amount=st.integers(-1, 2)) | st.builds(
    ChoosePlan, plan=st.sampled_from(["free", "pro"])
)
steps = st.lists(step | st.lists(step, max_size=3), max_size=5)


def batch(
    many: Sequence[Mutation[Quota] | Sequence[Mutation[Quota]]],
    *policies: Any,
    mode: Mode = Mode.COMMIT,
    engine: Engine | None = None,
    **more: Any,
) -> BatchResult[Quota]:
    return execute_batch(
        engine or Engine(clock=Clock(), new_id=Ids()),
        many,
        Quota(),
        context=context(mode),
        facts=Facts(AT),
        policies=policies,
        subject=SUBJECT,
        **more,
    )


def by_hand(
    many: Sequence[Any], mode: Mode, *, stop: bool
) -> tuple[list[ExecutionResult[Quota]], Quota, int]:
    """Run the steps as somebody would without a batch."""
    engine, state, version = Engine(clock=Clock(), new_id=Ids()), Quota(), 3
    results: list[ExecutionResult[Quota]] = []
    for each in many:
        result = engine.execute(
            each,
            state,
            context=context(mode),
            facts=Facts(AT),
            subject=SUBJECT.model_copy(update={"version": version}),
        )
        results.append(result)
        if result.is_success:
            state = result.state or state
            version += 1 if result.history else 0
        elif stop:
            break
    return results, state, version


# The law.


@given(steps, st.booleans(), st.sampled_from(list(Mode)))
def test_a_batch_equals_its_steps(many: list[Any], stop: bool, mode: Mode) -> None:
    results, state, version = by_hand(many, mode, stop=stop)

    done = batch(many, mode=mode, stop_on_first_failure=stop)

    assert [r.audit for r in done.results] == [r.audit for r in results]
    assert [r.history for r in done.results] == [r.history for r in results]
    assert (done.state, done.version) == (state, version)
    assert done.skipped == len(many) - len(results)
    assert done.is_success is (len(results) == len(many) and all(r.is_success for r in results))
    assert (done.reason is None) is done.is_success


@given(steps)
def test_the_histories_of_the_steps_lead_to_the_state_of_the_batch(many: list[Any]) -> None:
    done = batch(many, stop_on_first_failure=False)

    entries = [r.history for r in done.results if r.history is not None]
    assert replay(jsonable(Quota()), entries, version=3) == jsonable(done.state)
    assert [e.version for e in entries] == list(range(4, done.version + 1))


@given(st.lists(step, max_size=5))
def test_where_every_step_succeeds_the_state_is_that_of_one_change_all_or_nothing(
    many: list[Any],
) -> None:
    whole = Engine(clock=Clock(), new_id=Ids()).execute(
        many, Quota(), context=context(), facts=Facts(AT), subject=SUBJECT
    )

    done = batch(many)

    if whole.is_success:
        assert done.is_success
        assert done.state == whole.state
    else:
        assert not done.is_success


# Failures.


def test_a_failure_stops_the_batch_and_what_was_done_is_kept() -> None:
    done = batch([UP, DOWN, PLAN])

    assert [r.outcome for r in done.results] == [Outcome.COMMITTED, Outcome.INVALID]
    assert (done.state, done.version, done.skipped) == (Quota(limit=120), 4, 1)
    assert done.failures == (1,)
    assert not done.is_success
    assert done.reason == (
        "Step 2 of 3 ended invalid: The amount is negative. 1 of 3 steps were not run."
    )


def test_best_effort_goes_on_from_the_last_step_that_succeeded() -> None:
    done = batch([DOWN, UP, BROKEN, PLAN], stop_on_first_failure=False)

    assert [r.is_success for r in done.results] == [False, True, False, True]
    assert (done.state, done.version) == (Quota(limit=120, plan="pro"), 5)
    assert (done.failures, done.skipped) == ((0, 2), 0)
    assert done.reason is not None
    assert "Step 1 of 4 ended invalid" in done.reason
    assert "Step 3 of 4 ended failed: ZeroDivisionError: division by zero." in done.reason


def test_a_step_of_several_mutations_is_all_or_nothing() -> None:
    done = batch([[UP, DOWN], [UP, PLAN]], stop_on_first_failure=False)

    assert [r.is_success for r in done.results] == [False, True]
    assert (done.state, done.version) == (Quota(limit=120, plan="pro"), 4)


@pytest.mark.parametrize("stop", [True, False])
def test_the_engines_options_decide_unless_the_caller_does(stop: bool) -> None:
    options = Options(stop_batch_on_first_failure=stop)
    engine = Engine(clock=Clock(), new_id=Ids(), options=options)

    assert batch([DOWN, UP], engine=engine).skipped == int(stop)
    assert batch([DOWN, UP], engine=engine, stop_on_first_failure=not stop).skipped == int(not stop)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (lambda *_: deny("not now."), "Step 1 of 1 ended blocked: freeze: not now."),
        (
            lambda *_: require(by_security(2)),
            "Step 1 of 1 ended blocked: it needs 2 of role:security.",
        ),
    ],
)
def test_the_reason_says_who_determined_it(rule: Any, sentence: str) -> None:
    assert batch([UP], policy(name="freeze")(rule)).reason == sentence


def test_a_step_that_is_late_fails_alone_and_every_step_has_the_whole_deadline() -> None:
    clock = Clock()
    engine = Engine(clock=clock, new_id=Ids(), options=Options(timeout=2))
    slow = doing(lambda state: clock.pass_by(1.5) and state)
    late = doing(lambda state: clock.pass_by(3) and state)

    done = batch([slow, late, slow], engine=engine, stop_on_first_failure=False)

    assert [r.outcome for r in done.results] == [
        Outcome.COMMITTED,
        Outcome.TIMED_OUT,
        Outcome.COMMITTED,
    ]
    assert done.reason is not None
    assert "ended timed out" in done.reason


def test_every_step_is_a_run_of_its_own() -> None:
    done = batch([UP, PLAN, UP])

    assert [r.execution_id for r in done.results] == ["execution-1", "execution-2", "execution-3"]
    assert [r.audit.version_before for r in done.results] == [3, 4, 5]


# Edges.


@pytest.mark.parametrize("mode", Mode)
def test_an_empty_batch_is_a_success_that_changes_nothing(mode: Mode) -> None:
    done = batch([], mode=mode)

    assert done.is_success
    assert (done.results, done.state, done.version, done.reason) == ((), Quota(), 3, None)


def canceled_after(asked: int) -> Any:
    """Answer that it has been cancelled from the so-manyth time on."""
    notes = Notes()
    return lambda: notes.take("asked") and len(notes) > asked


@pytest.mark.parametrize("many", [[], [UP], [UP, PLAN]])
@pytest.mark.parametrize("stop", [True, False])
def test_a_cancelled_batch_is_never_a_success(many: list[Any], stop: bool) -> None:
    calls = Notes()
    batch(many, canceled=lambda: not calls.take("asked"))
    for asked in range(len(calls)):
        done = batch(many, canceled=canceled_after(asked), stop_on_first_failure=stop)

        assert done.canceled
        assert not done.is_success
        assert done.reason is not None
        assert "cancelled" in done.reason
        committed = [r.history for r in done.results if r.history is not None]
        assert done.version == 3 + len(committed)
        assert replay(jsonable(Quota()), committed, version=3) == jsonable(done.state)


def test_a_cancellation_ends_best_effort_too_and_what_was_done_is_kept() -> None:
    calls = Notes()
    last = doing(lambda _: calls.take("last") and Quota(limit=1))

    done = batch([UP, last, PLAN], canceled=lambda: bool(calls), stop_on_first_failure=False)

    assert [r.outcome for r in done.results] == [Outcome.COMMITTED, Outcome.CANCELED]
    assert (done.state, done.version, done.skipped) == (Quota(limit=120), 4, 1)


def test_a_simulated_batch_predicts_the_committed_one() -> None:
    simulated, committed = batch([UP, PLAN], mode=Mode.SIMULATE), batch([UP, PLAN])

    assert simulated.state == committed.state
    assert [r.effect for r in simulated.results] == [r.effect for r in committed.results]
    assert simulated.version == 3


def test_in_mode_validate_every_step_is_validated_on_the_state_given() -> None:
    seen = Notes()
    noting = policy(name="noting")(lambda _, state, *rest: seen.take(state) and require())

    done = batch([UP, PLAN], noting, mode=Mode.VALIDATE)

    assert done.is_success
    assert (seen, done.state) == ([Quota(), Quota()], Quota())
