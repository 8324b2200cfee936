"""An approval in steps as a state of its own: one after the other agrees, or one rejects it all.

```
approval_steps/launch    StartApproval(title="Launch", steps=[...])    opens the first step
                         ApproveStep(step="legal", by="lea")           opens the next one
                         ApproveStep(step="sales", by="sam")           is invalid before its turn
                         RejectAll(by="sam", reason="Too early.")      ends it for everybody
```

This is not how a request is approved: requests wait for what policies require. It is for approvals
that are data of their own, which others list, show and count.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core import (
    Applied,
    Contracts,
    Dispatch,
    Domain,
    Facts,
    Identity,
    Intent,
    Issue,
    Mutation,
    MutationContext,
    Payload,
    PolicyDecision,
    RiskLevel,
    SideEffect,
    allow,
    deny,
    policy,
)

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,62}$")]


class Answer(StrEnum):
    """What somebody said, or nothing yet."""

    NONE = "none"
    APPROVED = "approved"
    REJECTED = "rejected"


class Step(BaseModel):
    """One step: who is asked, and the answer."""

    model_config = ConfigDict(frozen=True)

    name: Name
    approver: Name
    answer: Answer = Answer.NONE


class Approval(BaseModel):
    """Its steps in the order in which they are asked; without steps it has not been started."""

    model_config = ConfigDict(frozen=True)

    title: str = ""
    steps: Annotated[tuple[Step, ...], Identity("name")] = ()
    reason: str = ""

    @model_validator(mode="after")
    def _in_order(self) -> Approval:
        answers = [step.answer for step in self.steps]
        approved = len([a for a in answers if a is Answer.APPROVED])
        first, left = set(answers[:approved]), set(answers[approved:])
        if first - {Answer.APPROVED} or len(left) > 1:
            raise ValueError("steps are approved in their order, and rejected together")
        return self

    @property
    def open(self) -> Step | None:
        """Answer the step whose turn it is; nothing before the start and after the end."""
        return next((step for step in self.steps if step.answer is Answer.NONE), None)

    @property
    def answer(self) -> Answer:
        """Answer what became of the whole: that of its last step."""
        return self.steps[-1].answer if self.steps else Answer.NONE

    def answered(self, answer: Answer, *steps: str) -> Approval:
        """Answer the approval with an answer to each of these steps."""
        after = tuple(
            step.model_copy(update={"answer": answer}) if step.name in steps else step
            for step in self.steps
        )
        return self.model_copy(update={"steps": after})


class StepOpened(Payload, contract="approval.step_opened"):
    """It is somebody's turn."""

    step: str
    approver: str


class Finished(Payload, contract="approval.finished"):
    """Nobody has to answer any more."""

    title: str
    answer: Answer
    reason: str = ""


def follows(approval: Approval) -> tuple[SideEffect, ...]:
    """Answer whom to tell what: the next approver, or everybody that it is over."""
    if approval.open is None:
        over = Finished(title=approval.title, answer=approval.answer, reason=approval.reason)
        return (SideEffect.of(over),)
    return (SideEffect.of(StepOpened(step=approval.open.name, approver=approval.open.approver)),)


class StartApproval(Mutation[Approval]):
    """Say what is to be approved, by whom, in which order."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=50)]

    @property
    def intent(self) -> Intent:
        """Nothing is decided yet."""
        return Intent(
            operation="start approval",
            category="approval",
            description=f"ask {len(self.steps)} people in turn about {self.title}",
        )

    def check(self, state: Approval) -> Iterable[Issue]:
        """An approval is started once, with steps that nobody has answered."""
        if state.steps:
            yield _issue("already_started", f"{state.title} has been started already.")
        if len({step.name for step in self.steps}) < len(self.steps):
            yield _issue("same_name", "Two steps have the same name.")
        if any(step.answer is not Answer.NONE for step in self.steps):
            yield _issue("answered_already", "A step is answered by its approver, not here.")

    def apply(self, state: Approval) -> Applied[Approval]:
        """Answer the approval with its first step open."""
        after = Approval(title=self.title, steps=self.steps)
        return Applied(after, follows(after))


class StepMutation(Mutation[Approval]):
    """An answer; `by` is who gives it."""

    by: Name


class ApproveStep(StepMutation):
    """Agree to the step whose turn it is."""

    step: Name

    @property
    def intent(self) -> Intent:
        """One answer of several."""
        return Intent(
            operation="approve step",
            category="approval",
            description=f"{self.by} approves {self.step}",
            risk=RiskLevel.MEDIUM,
        )

    def check(self, state: Approval) -> Iterable[Issue]:
        """It is this step's turn."""
        if state.open is None:
            yield _not_running(state)
        elif state.open.name != self.step:
            message = f"It is not the turn of {self.step}; open is {state.open.name}."
            yield _issue("not_its_turn", message)

    def apply(self, state: Approval) -> Applied[Approval]:
        """Answer the approval with the next step open, or approved."""
        after = state.answered(Answer.APPROVED, self.step)
        return Applied(after, follows(after))


class RejectAll(StepMutation):
    """End it: every step without an answer is rejected."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]

    @property
    def intent(self) -> Intent:
        """Whoever comes later is not asked any more."""
        return Intent(
            operation="reject all",
            category="approval",
            description=f"{self.by} rejects: {self.reason}",
            risk=RiskLevel.MEDIUM,
            reversible=False,
        )

    def check(self, state: Approval) -> Iterable[Issue]:
        """Something is open."""
        if state.open is None:
            yield _not_running(state)

    def apply(self, state: Approval) -> Applied[Approval]:
        """Answer the approval as it ended."""
        left = [step.name for step in state.steps if step.answer is Answer.NONE]
        after = state.answered(Answer.REJECTED, *left)
        after = after.model_copy(update={"reason": self.reason})
        return Applied(after, follows(after))


@policy(StepMutation)
def everybody_answers_for_themselves(
    mutation: StepMutation, state: Approval, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Who asks for an answer to be written is who gives it."""
    if context.actor_id.lower() != mutation.by:
        return deny(f"{context.actor_id} cannot answer for {mutation.by}.")
    return allow("They answer for themselves.")


@policy(ApproveStep)
def a_step_is_its_approvers(
    mutation: ApproveStep, state: Approval, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Whose turn it is not has no say in the step."""
    approvers = {step.name: step.approver for step in state.steps}
    if approvers.get(mutation.step, mutation.by) != mutation.by:
        return deny(f"{mutation.step} is decided by {approvers[mutation.step]}.")
    return allow("It is their step.")


@policy(RejectAll)
def who_is_asked_may_reject(
    mutation: RejectAll, state: Approval, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Everybody who is asked may end it, in their turn, before it and after it."""
    if state.steps and mutation.by not in {step.approver for step in state.steps}:
        return deny(f"{mutation.by} is asked in no step.")
    return allow("They are asked.")


CONTRACTS = Contracts([StepOpened, Finished])

letters: dict[str, str] = {}
"""What was written to whom, by idempotency key: a letter that is sent twice is one letter."""


def write(effect: SideEffect, dispatch: Dispatch) -> None:
    """Tell the approver that it is their turn, or everybody how it ended."""
    match CONTRACTS.read(effect):
        case StepOpened(step=step, approver=approver):
            letter = f"{approver}: please look at {step} of {dispatch.state_id}."
        case Finished(title=title, answer=answer, reason=reason):
            letter = f"everybody: {title} is {answer}. {reason}".strip()
        case unknown:
            raise ValueError(f"Nobody knows whom to tell {unknown}.")
    letters[dispatch.key] = letter


def _issue(code: str, message: str) -> Issue:
    return Issue(code=code, message=message, path="/steps")


def _not_running(state: Approval) -> Issue:
    how = f"is {state.answer} already" if state.steps else "has not been started"
    return _issue("not_running", f"The approval {how}.")


domain = Domain(
    name="approval_steps",
    state=Approval,
    mutations=[StartApproval, ApproveStep, RejectAll],
    policies=[everybody_answers_for_themselves, a_step_is_its_approvers, who_is_asked_may_reject],
    initial=lambda _: Approval(),
    handlers={"approval.step_opened": write, "approval.finished": write},
)
