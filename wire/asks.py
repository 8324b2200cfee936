"""What the workflow asks of the outside, and what it is answered: one pair for each activity.

An activity that reads the request's row first may answer `ended` instead of what was asked; the
workflow then adopts that record. `fenced` says that a later ask has been made already.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeVar

from pydantic import AwareDatetime, Field, JsonValue, model_validator

from core.context import Mode
from core.governance.assessment import Assessment
from core.governance.people import Person
from core.governance.request import (
    Finding,
    Metadata,
    MutationRequest,
    Rejection,
    Wish,
    WishedMutation,
)
from core.governance.resolution import Resolution
from core.model import Value
from core.requirements import RequirementKind, Strategy

from .messages import Credential, Message
from .varying import Varied, Vary


class Answered(Value):
    """What every answer may say instead: the request has ended, or the ask is outdated.

    Attributes:
        ended: The record, when the request has ended.
        fenced: The fence that was found, when a later ask has been made.
        remotely: The domain does not want its code run in a workflow task; ask again remotely.
        waiters: Others wait for what this ending changes, and are to be woken.
    """

    ended: MutationRequest | None = None
    fenced: int | None = None
    remotely: bool = False
    waiters: bool = False


A = TypeVar("A", bound=Value)
"""What an activity answers."""

E = TypeVar("E", bound=Answered)
"""What an activity answers that reads the request's row first."""


class Refusal(Value):
    """A named error that crosses as a value."""

    type: str
    message: str
    details: Metadata = Field(default_factory=dict)


class AssessRequest(Value):
    """Evaluate the request on the state as it is, and register it.

    Attributes:
        request: The request as the workflow holds it.
        at: The workflow's time.
        fence: The number of the ask.
        strategy: The requester's.
        own_deadline: The requester named one; else the domain's default holds.
        credential: The requester's proof; only with the first assessment.
        refresh: Somebody asked for it, or the state drifted; else it is the first.
    """

    request: MutationRequest
    at: datetime
    fence: int
    strategy: Strategy | None = None
    own_deadline: bool = False
    credential: Credential | None = Field(default=None, repr=False)
    refresh: bool = False


class Assessed(Answered):
    """An assessment; or, at the first, why there can be none.

    Attributes:
        rejection: What is unknown or unproved; only at the first assessment.
        held: What is missing now and was there before; the request stays as it is.
    """

    assessment: Assessment | None = None
    rejection: Rejection | None = None
    held: str | None = None


class Grant(Value):
    """A grant that may be the last one needed: then the request is carried out with it.

    Attributes:
        request: The request before the grant, as the workflow holds it.
        message: What its sender says; never the credential.
        granted_at: When the grant counts as given.
        at: The workflow's time.
        fence: The number of the ask.
    """

    request: MutationRequest
    message: Message
    granted_at: datetime
    at: datetime
    fence: int


class Authenticate(Value):
    """Look up who sent a message; locally also take a grant, and carry out what it completes.

    Attributes:
        to: Whom the message names, such as who is to answer in the sender's place.
    """

    request_id: str
    state_id: str
    actor_id: str
    credential: Credential | None = Field(default=None, repr=False)
    grant: Grant | None = None
    to: str | None = None


class ResolveVersion(Value):
    """Assess the approved request again on the state as it is, and compare."""

    request: MutationRequest
    at: datetime
    fence: int


class Resolved(Answered):
    """The resolution."""

    resolution: Resolution | None = None


class ExecuteMutation(Value):
    """Run the engine in mode commit and write the ending.

    The permission is the request's snapshot: the version and effect that resolution answered.
    """

    request: MutationRequest
    at: datetime
    fence: int


class Executed(Answered):
    """The record (`ended`); or a resolution that changes the request; or a place in the queue.

    Attributes:
        contended: Others commit on the state all the time; ask again soon.
    """

    resolution: Resolution | None = None
    contended: bool = False


class Authenticated(Answered):
    """Who it is, or why they are nobody; and the state's version, to see drift.

    Attributes:
        carried_out: What carrying out the request brought, where the grant completed it.
        to: Who it is that the message names.
        to_refusal: Why they are nobody.
    """

    person: Person | None = None
    refusal: Refusal | None = None
    state_version: int | None = None
    carried_out: Executed | None = None
    to: Person | None = None
    to_refusal: Refusal | None = None


class RecordOutcome(Value):
    """Write the ending that the request intends."""

    request: MutationRequest
    at: datetime


class Recorded(Answered):
    """The record that stands, whoever wrote it."""


class RecordProgress(Value):
    """Keep the store's picture of the open request true, and raise the fence."""

    request: MutationRequest
    fence: int


class Progress(Answered):
    """Kept, unless `ended` or `fenced` says otherwise.

    Attributes:
        state_version: The version the state is at, where the request is superseded by a newer one.
    """

    state_version: int | None = None


class LookAt(Value):
    """Look at a requirement that nobody answers from a seat: five activities are asked so.

    Attributes:
        request: The request as the workflow holds it.
        requirement_id: Which requirement.
        at: The workflow's time.
    """

    request: MutationRequest
    requirement_id: str
    at: datetime


class LookedAt(Answered):
    """What looking brought; nothing where the requirement is no longer part of the request."""

    finding: Finding | None = None


class StoreComment(Value):
    """Keep what somebody says about a request; it decides nothing.

    Attributes:
        comment_id: The sender's id for it; sent again, it is the same comment.
    """

    request_id: str
    comment_id: str
    actor_id: str
    text: str
    at: datetime


class CommentStored(Answered):
    """How many comments the request has, or why this one is not kept."""

    comments: int = 0
    refusal: Refusal | None = None


class SupersedeRequest(Value):
    """Let a newer request take the place of an older one on the same state.

    Attributes:
        request_id: The older one, which ends.
        by: The newer one, which names it.
        actor_id: Who wants it so.
        at: The workflow's time.
    """

    request_id: str
    by: str
    actor_id: str
    at: datetime


class SupersededRequest(Answered):
    """The record of the older request, whoever ended it (`ended`); or why it goes on."""

    refusal: Refusal | None = None


class ReadSignalTimes(Value):
    """Read when the server took each signal of a run."""

    workflow_id: str
    run_id: str
    count: int


class SignalTimes(Value):
    """The server's times of the signals, in the order of the history."""

    times: tuple[datetime, ...] = ()


class SendWakeups(Value):
    """Tell whoever waits for the ending of a request.

    Attributes:
        dispatch: Whether it left side effects to dispatch.
        budgets: The budgets it asked for room in, by key; there may be room for others now.
    """

    request_id: str
    state_id: str
    dispatch: bool = True
    budgets: tuple[str, ...] = ()

    @staticmethod
    def of(request: MutationRequest) -> SendWakeups:
        """Answer the ask for a request that has ended."""
        quotas = (
            r.requirement
            for r in request.requirements
            if r.requirement.kind == RequirementKind.QUOTA and r.requirement.is_whole
        )
        return SendWakeups(
            request_id=request.request_id,
            state_id=request.state_id,
            dispatch=bool(request.side_effects),
            budgets=tuple(dict.fromkeys(each.wanted.key for each in quotas)),
        )


class WokenUp(Value):
    """How many were told.

    Attributes:
        requests: Requests that waited for what the ending changed.
    """

    dispatchers: int = 0
    requests: int = 0


class PreviewMutation(Wish):
    """Ask what a wish would do and demand, without making a request of it.

    Attributes:
        mode: A request ends in mode commit, and no other can be previewed.
        at: The time that policies are told; aware.
        vary: A parameter to try over a range of values; where it is given no value of its own, the
            preview itself is of the first.
    """

    mode: Literal[Mode.COMMIT] = Mode.COMMIT
    at: AwareDatetime
    vary: Vary | None = None

    @model_validator(mode="after")
    def _can_vary(self) -> PreviewMutation:
        if self.vary is not None:
            self.vary.put(self.mutations, self.vary.tried[0])
        return self

    def wish(self) -> Wish:
        """Answer the wish it would be."""
        if self.vary is not None and not self.vary.is_given(self.mutations):
            return self.wish_with(self.vary.tried[0])
        return self._wish(self.mutations)

    def wish_with(self, value: JsonValue) -> Wish:
        """Answer the wish it would be with a value of what varies."""
        return self._wish(self.vary.put(self.mutations, value) if self.vary else self.mutations)

    def _wish(self, mutations: Sequence[WishedMutation]) -> Wish:
        fields = {name: getattr(self, name) for name in Wish.model_fields}
        return Wish.model_construct(**fields | {"mutations": tuple(mutations)})


class Preview(Value):
    """What a request would do, demand and mean.

    Attributes:
        request: The request it would be once assessed.
        assessment: The evaluation, where one could be made.
        approvers: For each requirement who could answer it now, by id.
        rejection: Why it would be rejected at once.
        varied: Where what is demanded changes, over the values of what was varied.
        untried: How many of those values there was no time for; the last ones.
    """

    request: MutationRequest
    assessment: Assessment | None = None
    approvers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    rejection: Rejection | None = None
    varied: tuple[Varied, ...] = ()
    untried: int = 0


class DispatchSideEffects(Value):
    """Dispatch what a state's commits left to do, in version order."""

    state_id: str


class Dispatched(Value):
    """How many were dispatched, how many given up, whether more is left."""

    done: int = 0
    failed: int = 0
    more: bool = False


class Reconcile(Value):
    """Bring open workflows and the record together."""

    at: datetime


class Reconciled(Value):
    """What was found and mended.

    Attributes:
        told: Open workflows whose record has ended.
        woken: Open requests that waited for something that had come, and had not been told.
    """

    open_workflows: int = 0
    told: int = 0
    ended: int = 0
    dispatchers: int = 0
    woken: int = 0
