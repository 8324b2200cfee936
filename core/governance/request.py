"""The request: one frozen value that says everything about a governed wish.

A transition answers a new one; see `lifecycle`. The names of the fields are the names on the wire.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints

from ..audit import MutationRecord
from ..context import ActorType, Mode, MutationContext
from ..digests import digest
from ..effects import EffectPreview, SideEffect
from ..model import Value
from ..mutation import Intent
from ..requirements import Requirement, Strategy
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


Id = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(max_length=2000)]
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
    actor_name: Annotated[str, StringConstraints(max_length=200)] | None = None
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
    expires_in: timedelta | None = Field(default=None, gt=timedelta(0), le=timedelta(days=3650))
    not_before: datetime | None = None
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
    """An ending that is intended; the store decides whether it is the one."""

    status: Status
    actor_id: str
    reason: str = ""
    rejection: Rejection | None = None
    cause: Cause | None = None


class Snapshot(Value):
    """What the standing grants, or the approvers to come, are shown and judged by."""

    round: int = 1
    version: int
    state_digest: str
    effect_digest: str
    policy_set_digest: str


RequirementStatus = Literal["waiting", "open", "fulfilled", "expired"]


class RequirementState(Value):
    """A requirement of this request and how far it is.

    Attributes:
        covered: Digest of the part of the effect it answers for.
        binding: The grant binding a counted grant holds on to.
        able: How many people could answer it when it was assessed, the requester left out.
        of: The requirements in whose alternatives it stands; none where itself is demanded.
        status: `waiting` until its step opens; `expired` where that ended its alternative only.
        deadline: When it expires; it runs from when it opened.
        granted_by: Who fills its seats now; in an alternative that is not met, who would.
        refused_by: Who refuses it now.
    """

    id: str
    requirement: Requirement
    covered: str
    binding: str
    able: int = 0
    of: tuple[str, ...] = ()
    status: RequirementStatus = "waiting"
    opened_at: datetime | None = None
    deadline: datetime | None = None
    granted_by: tuple[str, ...] = ()
    refused_by: tuple[str, ...] = ()


class Answer(Value):
    """The standing answer of one person: their newest.

    Attributes:
        bindings: The requirements it may count for, each with the grant binding it was given on.
        decision: The number of the decision that recorded it.
    """

    actor_id: str
    verdict: Literal["grant", "refuse"]
    bindings: dict[str, str]
    decision: int
    at: datetime
    reason: str = ""
    effect: EffectPreview = EffectPreview()


class PendingReason(Value):
    """One thing the request waits for, on whom, and until when.

    Attributes:
        who: Who can answer it now, as requirements name them.
        needed: How many answers it takes; with alternatives, that which lacks least does.
        have: How many of them have been given.
        alternatives: Sets of which one suffices, each with what it still lacks.
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
        return tuple(dict.fromkeys(token for reason in self.pending for token in reason.who))

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
