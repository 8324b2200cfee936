from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core import (
    Dispatch,
    Engine,
    ExecutionResult,
    Facts,
    Mode,
    Mutation,
    MutationContext,
    Outcome,
    SideEffect,
)
from examples import approval_steps
from examples.approval_steps import (
    Answer,
    Approval,
    ApproveStep,
    RejectAll,
    StartApproval,
    Step,
    domain,
)
from tests.examples.desk import AT, MODEST, codes

ticks, ids = count(), count(1)
engine = Engine(
    clock=lambda: next(ticks) / 1000, new_id=lambda: f"run-{next(ids)}", options=domain.options
)

LAUNCH = StartApproval(
    title="Launch",
    steps=(
        Step(name="legal", approver="lea"),
        Step(name="sales", approver="sam"),
        Step(name="board", approver="bea"),
    ),
)


def ask(actor: str, wish: Mutation[Approval], on: Approval) -> ExecutionResult[Approval]:
    return engine.execute(
        wish,
        on,
        context=MutationContext(actor_id=actor, mode=Mode.COMMIT),
        facts=Facts(AT),
        policies=domain.policies,
    )


def done(actor: str, wish: Mutation[Approval], on: Approval) -> Approval:
    result = ask(actor, wish, on)
    assert result.outcome is Outcome.COMMITTED, (result.issues, result.ruling.denials)
    assert result.state is not None
    return result.state


@pytest.fixture
def started() -> Approval:
    return done("ana", LAUNCH, Approval())


def approved_by(state: Approval, *people: str) -> Approval:
    for person in people:
        assert state.open is not None
        state = done(person, ApproveStep(step=state.open.name, by=person), state)
    return state


def told(result: ExecutionResult[Approval]) -> list[tuple[str, Any]]:
    return [(e.contract, e.payload) for e in result.effect.side_effects]


def test_a_start_opens_the_first_step_and_says_so() -> None:
    result = ask("ana", LAUNCH, Approval())

    assert result.state is not None
    assert result.state.open == LAUNCH.steps[0]
    assert told(result) == [("approval.step_opened", {"step": "legal", "approver": "lea"})]


def test_each_approval_opens_the_next_step(started: Approval) -> None:
    result = ask("lea", ApproveStep(step="legal", by="lea"), started)

    assert result.effect.changes.paths == ("/steps/legal/answer",)
    assert told(result) == [("approval.step_opened", {"step": "sales", "approver": "sam"})]


def test_the_last_approval_approves_the_whole(started: Approval) -> None:
    almost = approved_by(started, "lea", "sam")
    assert almost.answer is Answer.NONE

    result = ask("bea", ApproveStep(step="board", by="bea"), almost)

    assert result.state is not None
    assert result.state.answer is Answer.APPROVED
    assert told(result) == [
        ("approval.finished", {"title": "Launch", "answer": "approved", "reason": ""})
    ]


def test_a_step_before_its_turn_is_invalid(started: Approval) -> None:
    result = ask("sam", ApproveStep(step="sales", by="sam"), started)

    assert result.outcome is Outcome.INVALID
    assert codes(result) == ["not_its_turn"]
    assert "open is legal" in result.issues[0].message


def test_a_rejection_ends_it_for_everybody_who_has_not_answered(started: Approval) -> None:
    state = approved_by(started, "lea")

    result = ask("bea", RejectAll(by="bea", reason="Too early."), state)

    assert result.state is not None
    assert [step.answer for step in result.state.steps] == [
        Answer.APPROVED,
        Answer.REJECTED,
        Answer.REJECTED,
    ]
    assert result.state.answer is Answer.REJECTED
    assert told(result) == [
        ("approval.finished", {"title": "Launch", "answer": "rejected", "reason": "Too early."})
    ]


@pytest.mark.parametrize("answer", [Answer.APPROVED, Answer.REJECTED])
def test_after_its_end_nothing_is_answered(started: Approval, answer: Answer) -> None:
    ended = (
        approved_by(started, "lea", "sam", "bea")
        if answer is Answer.APPROVED
        else done("sam", RejectAll(by="sam", reason="No."), started)
    )

    for wish in (RejectAll(by="bea", reason="No."), ApproveStep(step="board", by="bea")):
        result = ask("bea", wish, ended)
        assert result.outcome is Outcome.INVALID
        assert codes(result) == ["not_running"]
        assert f"is {answer} already" in result.issues[0].message


def test_before_its_start_nothing_is_answered() -> None:
    for wish in (RejectAll(by="bea", reason="No."), ApproveStep(step="board", by="bea")):
        result = ask("bea", wish, Approval())

        assert codes(result) == ["not_running"]
        assert "has not been started" in result.issues[0].message


def test_nobody_answers_for_another(started: Approval) -> None:
    result = ask("sam", ApproveStep(step="legal", by="lea"), started)

    assert result.outcome is Outcome.BLOCKED
    assert result.ruling.determined_by == ("everybody_answers_for_themselves",)


def test_a_step_is_approved_by_whom_it_names(started: Approval) -> None:
    result = ask("sam", ApproveStep(step="legal", by="sam"), started)

    assert result.outcome is Outcome.BLOCKED
    assert result.ruling.denials[0].reason == "legal is decided by lea."


def test_who_is_not_asked_rejects_nothing(started: Approval) -> None:
    result = ask("eve", RejectAll(by="eve", reason="Never."), started)

    assert result.outcome is Outcome.BLOCKED
    assert result.ruling.determined_by == ("who_is_asked_may_reject",)


def test_an_approval_is_started_once(started: Approval) -> None:
    assert codes(ask("ana", LAUNCH, started)) == ["already_started"]


def test_steps_have_names_of_their_own_and_no_answer_yet() -> None:
    twice = StartApproval(title="T", steps=(LAUNCH.steps[0], LAUNCH.steps[0]))
    answered = StartApproval(
        title="T", steps=(Step(name="legal", approver="lea", answer=Answer.APPROVED),)
    )

    assert codes(ask("ana", twice, Approval())) == ["same_name"]
    assert codes(ask("ana", answered, Approval())) == ["answered_already"]


def test_a_state_out_of_order_cannot_be_read() -> None:
    steps = [
        {"name": "legal", "approver": "lea"},
        {"name": "sales", "approver": "sam", "answer": "approved"},
    ]

    with pytest.raises(ValidationError, match="in their order"):
        Approval.model_validate({"steps": steps})


@pytest.fixture
def letters() -> Iterator[dict[str, str]]:
    approval_steps.letters.clear()
    yield approval_steps.letters
    approval_steps.letters.clear()


def test_whoever_is_next_is_written_to_once_however_often_it_is_dispatched(
    letters: dict[str, str], started: Approval
) -> None:
    def dispatch(effects: tuple[SideEffect, ...], version: int) -> None:
        assert domain.handlers is not None
        for effect in effects:
            domain.handlers[effect.contract](
                effect,
                Dispatch(
                    key=f"launch-{version}",
                    request_id="r",
                    state_id="approval_steps/launch",
                    version=version,
                    current_version=version,
                    state=None,
                    at=datetime(2026, 1, 5, tzinfo=UTC),
                ),
            )

    opened = ask("ana", LAUNCH, Approval()).effect.side_effects
    ended = ask("sam", RejectAll(by="sam", reason="Too early."), started).effect.side_effects
    dispatch(opened, 1)
    dispatch(opened, 1)
    dispatch(ended, 2)

    assert list(letters.values()) == [
        "lea: please look at legal of approval_steps/launch.",
        "everybody: Launch is rejected. Too early.",
    ]


people = st.sampled_from(["ana", "bea", "lea", "sam"])
wishes = st.one_of(
    st.just(LAUNCH),
    st.builds(ApproveStep, step=st.sampled_from(["legal", "sales", "board"]), by=people),
    st.builds(RejectAll, by=people, reason=st.just("No.")),
)


@MODEST
@given(st.lists(st.tuples(people, wishes), max_size=12))
def test_whatever_is_asked_an_answer_once_given_stays(
    asked: list[tuple[str, Mutation[Approval]]],
) -> None:
    state = Approval()
    for actor, wish in asked:
        result = ask(actor, wish, state)
        assert result.error is None
        after = result.state or state
        for before, now in zip(state.steps, after.steps, strict=False):
            assert before.answer in (Answer.NONE, now.answer)
            if now.answer is Answer.APPROVED and before.answer is Answer.NONE:
                assert actor == now.approver
        if state.answer is not Answer.NONE:
            assert after == state
        state = after
