"""The request: one frozen value that says everything about a governed wish.

A transition answers a new one; see `lifecycle`. The names of the fields are the names on the wire.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, JsonValue, StringConstraints

from ..audit import MutationRecord
from ..context import ActorType, Mode, MutationContext
from ..digests import digest
from ..effects import EffectPreview, SideEffect
from ..model import Value
from ..mutation import Intent
from ..requirements import LONGEST, Requirement, RequirementKind, Strategy
from ..texts import NO_NUL, ONE_LINE
from ..validation import Issue

MAX_REFUSED = 500
"""How many refused messages a request keeps in full; later ones are counted."""


class Status(StrEnum):
    """Where a request stands; the last five are terminal."""

    CREATED = "Created"
    PENDING = "Pending"
    APPROVED = "Approved"
    REJECTED = "Rejected"
    CANCELED = "Canceled"
    EXPIRED = "Expired"
    SUPERSEDED = "Superseded"
    EXECUTED = "Executed"

    @property
    def is_terminal(self) -> bool:
        """Answer whether the request has ended."""
        return self not in {Status.CREATED, Status.PENDING, Status.APPROVED}


class Category(StrEnum):
    """What a decision is about."""

    LIFECYCLE = "lifecycle"
    APPROVAL = "approval"
    RESOLUTION = "version_resolution"
    REQUIREMENT = "requirement"
    COMPENSATION = "compensation"

    @staticmethod
    def of(requirement: Requirement) -> Category:
        """Answer what a decision is about that opens, meets or ends a requirement."""
        approval = requirement.kind == RequirementKind.APPROVAL
        return Category.APPROVAL if approval else Category.REQUIREMENT


Id = Annotated[
    str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), ONE_LINE
]
Text = Annotated[str, StringConstraints(max_length=2000), NO_NUL]
Metadata = dict[str, JsonValue]


class WishedMutation(Value):
    """A mutation as the caller names it; without a version the newest is meant."""

    type: Id
    schema_version: int | None = Field(default=None, ge=1)
    parameters: Metadata = Field(default_factory=dict)


class Compensates(Value):
    """Which request this one answers, and how."""

    request_id: Id
    kind: Literal["restore", "correct"]
    trigger: Literal["operator", "side_effect", "train"] = "operator"
    train: str | None = None


class Wish(Value):
    """What somebody asks for: the content of a start payload, less its credential."""

    state_id: Id
    mutations: Annotated[tuple[WishedMutation, ...], Field(min_length=1, max_length=100)]
    actor_id: Id
    reason: Text = ""
    actor_name: Annotated[str, StringConstraints(max_length=200), ONE_LINE] | None = None
    actor_type: ActorType = ActorType.USER
    on_behalf_of: Id | None = None
    metadata: Metadata = Field(default_factory=dict)
    tags: Annotated[tuple[Id, ...], Field(max_length=50)] = ()
    correlation_id: Id | None = None
    causation_id: Id | None = None
    session: Id | None = None
    source_address: Id | None = None
    user_agent: Text | None = None
    expected_version: int | None = Field(default=None, ge=0)
    strategy: Strategy | None = None
    expires_in: timedelta | None = Field(default=None, gt=timedelta(0), le=LONGEST)
    not_before: AwareDatetime | None = None
    depends_on: Annotated[tuple[Id, ...], Field(max_length=200)] = ()
    supersedes: Id | None = None
    on_state_moved: Literal["wait", "supersede"] | None = None
    mode: Mode = Mode.COMMIT
    compensates: Compensates | None = None

    def content_digest(self) -> str:
        """Digest what is asked for; a request id stands for one content only."""
        return digest(self.model_dump(mode="json", exclude_defaults=True))

    def context(self) -> MutationContext:
        """Answer who asks and why."""
        return MutationContext(
            actor_id=self.actor_id,
            actor_name=self.actor_name,
            actor_type=self.actor_type,
            on_behalf_of=self.on_behalf_of,
            reason=self.reason,
            mode=self.mode,
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
            session=self.session,
            source_address=self.source_address,
            user_agent=self.user_agent,
            metadata=self.metadata,
        )


class Decision(Value):
    """One line of the request's own history; numbered from 1, appended, never altered.

    `decision_id` is the sender's name for the message that made it, where a message made it.
    """

    number: int
    category: Category
    code: str
    actor_id: str
    at: datetime
    reason: str = ""
    decision_id: str | None = None
    metadata: Metadata = Field(default_factory=dict)


class Rejection(Value):
    """Why a request was rejected; `category` and `code` are one of `outcome.REJECTION_CODES`."""

    category: str
    code: str
    message: str
    metadata: Metadata = Field(default_factory=dict)


class Cause(Value):
    """The decision that comes before a terminal one."""

    category: Category
    code: str
    actor_id: str
    reason: str = ""
    metadata: Metadata = Field(default_factory=dict)


class Closing(Value):
    """An ending that is intended; the store decides whether it is the one.

    Attributes:
        decision_id: The sender's name for the message that intends it, where one does.
    """

    status: Status
    actor_id: str
    reason: str = ""
    decision_id: str | None = None
    rejection: Rejection | None = None
    cause: Cause | None = None


class Snapshot(Value):
    """What the standing grants, or the approvers to come, are shown and judged by."""

    round: int = 1
    version: int
    state_digest: str
    effect_digest: str
    policy_set_digest: str


class Finding(Value):
    """What looking at a requirement brought that nobody answers from a seat.

    Attributes:
        verdict: Whether it is met; or that it cannot be said yet.
        at: When it was looked at, by the workflow's time.
        binding: The grant binding it was found for; found for another, it says nothing.
        actor_id: Who says so.
        reason: For people to read.
        again_at: Of `not_yet`, when to look again; `None`: somebody will say.
        have: How much of what is needed is there, where that can be counted.
        needed: How much is needed.
        reference: What another system calls the question that was filed there.
        decision_id: The sender's name for the message that said so.
        rejection: Of `failed`, why the request cannot go on.
        metadata: Evidence.
    """

    verdict: Literal["holds", "failed", "not_yet"]
    at: datetime
    binding: str
    actor_id: str
    reason: str = ""
    again_at: datetime | None = None
    have: int = 0
    needed: int = 1
    reference: str | None = None
    decision_id: str | None = None
    rejection: Rejection | None = None
    metadata: Metadata = Field(default_factory=dict)


RequirementStatus = Literal["waiting", "open", "fulfilled", "expired"]


class RequirementState(Value):
    """A requirement of this request and how far it is.

    Attributes:
        covered: Digest of the part of the effect it answers for.
        binding: The grant binding a counted grant holds on to.
        able: How many people could answer it when it was assessed, the requester left out.
        able_escalated: How many could once it is escalated, where it can be.
        of: The requirements in whose alternatives it stands; none where itself is demanded.
        status: `waiting` until its step opens; `expired` where that ended its alternative only.
        deadline: When it expires; it runs from when it opened.
        granted_by: Who fills its seats now; in an alternative that is not met, who would.
        refused_by: Who refuses it now.
        met_by: Of one with alternatives that is met, the ids of what meets it.
        finding: What looking at it brought last, where nobody answers it from a seat.
        asked: How often it was looked at on its binding.
        lifetime: How long a grant counts here; `None`: as long as the request.
        lapsed: Whose grants have grown too old, on its binding; they may re-affirm them.
        reminded_at: When those who may answer were reminded, since it opened.
        escalated_at: When others were let in to answer as well, on its binding.
    """

    id: str
    requirement: Requirement
    covered: str
    binding: str
    able: int = 0
    able_escalated: int = 0
    of: tuple[str, ...] = ()
    status: RequirementStatus = "waiting"
    opened_at: datetime | None = None
    deadline: datetime | None = None
    granted_by: tuple[str, ...] = ()
    refused_by: tuple[str, ...] = ()
    met_by: tuple[str, ...] = ()
    finding: Finding | None = None
    asked: int = 0
    lifetime: timedelta | None = None
    lapsed: tuple[str, ...] = ()
    reminded_at: datetime | None = None
    escalated_at: datetime | None = None

    @property
    def is_escalated(self) -> bool:
        """Answer whether others may answer it as well by now."""
        return self.escalated_at is not None

    @property
    def holds(self) -> bool:
        """Answer whether what was found says that it is met."""
        return self.finding is not None and self.finding.verdict == "holds"

    @property
    def has_failed(self) -> bool:
        """Answer whether what was found says that it can no longer be met."""
        return self.finding is not None and self.finding.verdict == "failed"


class Answer(Value):
    """The standing answer of one person: their newest.

    Nobody stands behind two: neither who gave it nor in whose place is named by another.

    Attributes:
        bindings: The requirements it may count for, each with the grant binding it was given on.
        decision: The number of the decision that recorded it.
        at: When it was given.
        since: When it was given for those requirements that were answered earlier.
        in_place_of: Who delegated the right to give it.
    """

    actor_id: str
    verdict: Literal["grant", "refuse"]
    bindings: dict[str, str]
    decision: int
    at: datetime
    since: dict[str, datetime] = Field(default_factory=dict)
    reason: str = ""
    effect: EffectPreview = EffectPreview()
    in_place_of: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """Answer who stands behind it, in lower case: who gave it, and in whose place."""
        return frozenset({self.actor_id.lower(), (self.in_place_of or self.actor_id).lower()})

    def given_at(self, requirement_id: str) -> datetime:
        """Answer when it was given for a requirement."""
        return self.since.get(requirement_id, self.at)

    def holding(self, bindings: Mapping[str, str]) -> Answer | None:
        """Answer what is left of it where only these bindings hold; nothing where none does."""
        kept = {k: v for k, v in self.bindings.items() if bindings.get(k) == v}
        if len(kept) == len(self.bindings):
            return self
        if not kept:
            return None
        since = {k: at for k, at in self.since.items() if k in kept}
        return self.model_copy(update={"bindings": kept, "since": since})


class Delegation(Value):
    """A right to answer some of a request's requirements, handed on for a time.

    Attributes:
        actor_id: Whose right it is.
        to: Who may use it as well.
        since: When it was handed on.
        until: When it ends; what was answered before stands.
        requirement_ids: Which requirements it is about: what the one could answer by themselves
            when they handed it on. What is demanded later is not among them.
    """

    actor_id: str
    to: str
    since: datetime
    until: datetime
    requirement_ids: tuple[str, ...]


class PendingReason(Value):
    """One thing the request waits for, on whom, and until when.

    Attributes:
        who: Who can answer it now, as requirements name them.
        needed: How many answers it takes; with alternatives, that which lacks least does.
        have: How many of them have been given.
        alternatives: Sets of which one suffices, each with what it still lacks.
        again_at: When it is looked at again, where it is looked at.
    """

    kind: str
    requirement_id: str
    text: str
    who: tuple[str, ...] = ()
    needed: int = 1
    have: int = 0
    until: datetime | None = None
    open: bool = True
    alternatives: tuple[tuple[PendingReason, ...], ...] = ()
    again_at: datetime | None = None

    @property
    def missing(self) -> int:
        """Answer how many answers are missing at least."""
        return self.needed - self.have

    def leaves(self) -> Iterator[PendingReason]:
        """Answer what people or systems answer: itself, or all that its alternatives lack."""
        if not self.alternatives:
            yield self
        for way in self.alternatives:
            for each in way:
                yield from each.leaves()


def told_by(requirement: Requirement, *, asking: bool) -> tuple[str, ...]:
    """Answer by what a request is told that a requirement is worth another look.

    Args:
        requirement: The requirement.
        asking: Whether it is unmet; one that is met needs to be told of nothing but what undoes it,
            and that is looked at again before the request executes.
    """
    if not asking or not requirement.is_whole:
        return ()
    match requirement.kind:
        case RequirementKind.DEPENDENCY:
            return tuple(f"request:{each}" for each in requirement.requests)
        case RequirementKind.SCHEDULE if requirement.timing.calendar_id:
            return (f"state:{requirement.timing.calendar_id}",)
        case RequirementKind.QUOTA:
            budget = requirement.wanted.budget_id
            return (
                f"budget:{requirement.wanted.key}",
                *((f"state:{budget}",) if budget else ()),
            )
        case _:
            return ()


class RefusedMessage(Value):
    """A message that was read and does not count."""

    at: datetime
    name: str
    actor_id: str | None = None
    decision_id: str | None = None
    error: str
    message: str


class Held(Value):
    """Why an approved request cannot be tried now; it is asked again until that is mended."""

    reason: str
    since: datetime


class Link(Value):
    """Another request this one is tied to."""

    request_id: str
    relation: str


class MutationRequest(Value):
    """A governed wish to apply mutations to a state: the whole of it."""

    schema_version: int = 1
    request_id: str
    kind: Literal["standard", "compensation"] = "standard"
    content_digest: str
    state_id: str
    mutations: tuple[MutationRecord, ...]
    intent: Intent | None = None
    context: MutationContext
    metadata: Metadata = Field(default_factory=dict)
    tags: tuple[str, ...] = ()
    status: Status = Status.CREATED
    pending: tuple[PendingReason, ...] = ()
    closing: Closing | None = None
    held: Held | None = None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    strategy: Strategy = Strategy.KEEP_IF_UNAFFECTED
    expected_version: int | None = None
    snapshot: Snapshot | None = None
    effect: EffectPreview | None = None
    warnings: tuple[Issue, ...] = ()
    requirements: tuple[RequirementState, ...] = ()
    answers: tuple[Answer, ...] = ()
    binding: str | None = None
    bindings_seen: int = 0
    decisions: tuple[Decision, ...] = ()
    refused_messages: tuple[RefusedMessage, ...] = ()
    refused_count: int = 0
    execution_id: str | None = None
    executed_at: datetime | None = None
    resulting_version: int | None = None
    rejection: Rejection | None = None
    side_effects: tuple[SideEffect, ...] = ()
    inverse: EffectPreview | None = None
    irreversible: str | None = None
    plan: Metadata | None = None
    links: tuple[Link, ...] = ()
    not_before: datetime | None = None
    depends_on: tuple[str, ...] = ()
    supersedes: str | None = None
    on_state_moved: Literal["wait", "supersede"] | None = None
    delegations: tuple[Delegation, ...] = ()
    comments: int = 0

    @property
    def requester_ids(self) -> frozenset[str]:
        """Answer who never counts towards this request: who asked, and for whom they asked."""
        asked = {self.context.actor_id.lower()}
        if self.context.on_behalf_of:
            asked.add(self.context.on_behalf_of.lower())
        return frozenset(asked)

    @property
    def decision_number(self) -> int:
        """Answer the number of the newest decision; 0 before the first."""
        return self.decisions[-1].number if self.decisions else 0

    @property
    def round(self) -> int:
        """Answer the round of assessment; 0 before the first."""
        return self.snapshot.round if self.snapshot else 0

    @property
    def demanded(self) -> tuple[RequirementState, ...]:
        """Answer the requirements that all have to be met; the others stand in alternatives."""
        return tuple(r for r in self.requirements if not r.of)

    @property
    def fulfilled(self) -> tuple[str, ...]:
        """Answer the ids of the requirements that are met."""
        return tuple(r.id for r in self.requirements if r.status == "fulfilled")

    @property
    def awaiting(self) -> tuple[str, ...]:
        """Answer whom it waits for, as requirements name them: `user:ana`, `role:security`."""
        named = (token for reason in self.pending for token in reason.who)
        return tuple(dict.fromkeys(t for t in named if t.startswith(("user:", "role:", "group:"))))

    @property
    def told_by(self) -> tuple[str, ...]:
        """Answer what it is told by: `request:ID` ends, `state:ID` moves, `budget:KEY` has room.

        The store keeps these beside `awaiting`, and whoever ends a request wakes who waits for it.
        """
        found: list[str] = []
        if self.status.is_terminal:
            return ()
        for each in self.requirements:
            if each.status == "expired" or each.has_failed:
                continue
            found += told_by(each.requirement, asking=not each.holds)
        if self.on_state_moved == "supersede" and self.snapshot is not None:
            found.append(f"state:{self.state_id}")
        return tuple(dict.fromkeys(found))

    @property
    def closed_at(self) -> datetime | None:
        """Answer when it ended; what is added to an ended request does not move that."""
        if not self.status.is_terminal:
            return None
        steps = [d for d in self.decisions if d.category is Category.LIFECYCLE]
        return steps[-1].at if steps else None

    def requirement(self, requirement_id: str) -> RequirementState | None:
        """Answer the requirement of that id."""
        return next((r for r in self.requirements if r.id == requirement_id), None)

    def counted(self, actor_id: str, decision_id: str) -> Decision | None:
        """Answer the newest decision that a message of a person made."""
        wanted = (actor_id.lower(), decision_id)
        return next(
            (d for d in reversed(self.decisions) if (d.actor_id.lower(), d.decision_id) == wanted),
            None,
        )

    def answer_of(self, actor_id: str) -> Answer | None:
        """Answer the standing answer of a person."""
        wanted = actor_id.lower()
        return next((a for a in self.answers if a.actor_id.lower() == wanted), None)

    def answers_naming(self, *actor_ids: str) -> tuple[Answer, ...]:
        """Answer the standing answers that one of these people gave, or was given in place of."""
        wanted = {each.lower() for each in actor_ids}
        return tuple(a for a in self.answers if not wanted.isdisjoint(a.names))
