"""The payloads callers send, and what they are answered.

Unknown fields are ignored, so that a newer client is never silently dropped. What does not fit
raises `MalformedMessage` with a sentence that names each field.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Field, StringConstraints, ValidationError, field_validator

from core.checks import MAX_EVIDENCE
from core.context import Mode
from core.digests import canonical, digest, jsonable
from core.domain import STATE_ID, problems
from core.errors import (
    InvalidParameters,
    InvalidValue,
    MalformedMessage,
    MutatorError,
    TooLarge,
)
from core.governance.request import (
    Id,
    Metadata,
    MutationRequest,
    PendingReason,
    Rejection,
    Text,
    Wish,
)
from core.model import Value
from core.texts import NO_NUL, ONE_LINE

from .names import OWN_PREFIX, Signal, Update

MAX_START = 256 * 1024
"""Bytes of a start payload, as canonical JSON."""

MAX_ID = 200
"""Characters of an id."""

MAX_MESSAGE = 32 * 1024
"""Bytes of a message's payload, as canonical JSON."""

MAX_COMMENT = 1000
"""Characters of a comment."""

NOT_YET = ("compensates",)
"""Fields of the start payload that have a meaning and no implementation: refused, never ignored."""

Credential = Annotated[str, StringConstraints(max_length=8192)]

Comment = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_COMMENT, strip_whitespace=True), NO_NUL
]

_FULFILMENT = ("name", "evidence")

_OWN_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    Signal.FULFIL: _FULFILMENT,
    Update.FULFIL_REQUIREMENT: _FULFILMENT,
    Signal.DELEGATE: ("to", "until"),
    Signal.SUPERSEDE: ("by",),
    Signal.COMMENT: ("text",),
}
"""The fields that one verb reads; in a payload of another they are unknown, and so ignored."""

_VERDICT: Final = "a verdict: passed or failed"

_NEEDS: Final[dict[str, dict[str, str]]] = {
    Update.DECIDE: {"verdict": "a verdict: approve, reject or withdraw"},
    Signal.FULFIL: {"verdict": _VERDICT},
    Update.FULFIL_REQUIREMENT: {"verdict": _VERDICT},
    Signal.DELEGATE: {
        "to": "to: the id of who may answer instead",
        "until": "until: when the delegation ends, such as 2026-12-01T09:00:00Z",
    },
    Signal.SUPERSEDE: {"by": "by: the id of the newer request"},
    Signal.COMMENT: {"text": f"text: what is said, in 1 to {MAX_COMMENT} characters"},
}
"""What each verb cannot do without, in words."""


class Start(Wish):
    """The start payload: a wish, with the id it is to have and the proof of who asks."""

    request_id: Id | None = None
    credential: Credential | None = Field(default=None, repr=False)

    @field_validator("mode")
    @classmethod
    def _only_commit(cls, mode: Mode) -> Mode:
        if mode is not Mode.COMMIT:
            raise ValueError(f"a request ends in mode commit, not {mode.value}; use preview")
        return mode

    @field_validator("state_id")
    @classmethod
    def _state_id(cls, state_id: str) -> str:
        if not STATE_ID.match(state_id):
            raise ValueError("a state id is <domain>/<key>, such as billing_quotas/acme")
        return state_id

    def wish(self) -> Wish:
        """Answer the wish alone; what follows never sees the credential."""
        fields = {name: getattr(self, name) for name in Wish.model_fields}
        return Wish.model_construct(**fields)


class Message(Value):
    """A message to a request: one payload for all, of which each verb reads its own fields.

    Attributes:
        decision_id: The sender's own id for it; sent again, it is the same decision.
        actor_id: Who sends it; looked up, never believed.
        requirement_id: Which requirement it is for; `None`: any that names the sender.
        binding: What the sender was shown.
        verdict: Of `decide` approve, reject or withdraw; of a fulfilment passed or failed.
        name: Of a fulfilment without `requirement_id`: the check, or the requirement's title.
        evidence: Of a fulfilment: what it rests on; at most `MAX_EVIDENCE` bytes.
        to: Of `delegate`: who may answer in the sender's place.
        until: Of `delegate`: when that ends; aware.
        by: Of `supersede`: the newer request.
        text: Of `comment`: 1 to `MAX_COMMENT` characters.
    """

    decision_id: Id
    actor_id: Id
    requirement_id: Id | None = None
    reason: Text = ""
    code: Id | None = None
    metadata: Metadata = Field(default_factory=dict)
    binding: Id | None = None
    credential: Credential | None = Field(default=None, repr=False)
    verdict: Literal["approve", "reject", "withdraw", "passed", "failed"] | None = None
    name: Id | None = None
    evidence: Metadata = Field(default_factory=dict)
    to: Id | None = None
    until: AwareDatetime | None = None
    by: Id | None = None
    text: Comment | None = None

    @field_validator("evidence")
    @classmethod
    def _bounded(cls, evidence: Metadata) -> Metadata:
        if (size := len(canonical(evidence))) > MAX_EVIDENCE:
            raise ValueError(f"has {size} bytes; at most {MAX_EVIDENCE} are taken")
        return evidence

    def decision(self) -> dict[str, Any]:
        """Answer what a grant or a refusal is given besides request, sender and time."""
        code = {"code": self.code} if self.code else {}
        return {
            "requirement_id": self.requirement_id,
            "reason": self.reason,
            "binding": self.binding,
            "decision_id": self.decision_id,
            "metadata": self.metadata | code,
        }

    def fulfilment(self) -> dict[str, Any]:
        """Answer what `waits.fulfil` is given besides request, sender and time."""
        said = self.decision()
        evidence = said["metadata"] | self.evidence
        return said | {"verdict": self.verdict, "name": self.name, "metadata": evidence}

    def delegation(self) -> dict[str, Any]:
        """Answer what `delegate` is given besides request, sender, time and whom it names."""
        return {
            "until": self.until,
            "requirement_id": self.requirement_id,
            "reason": self.reason,
            "decision_id": self.decision_id,
        }

    def content_digest(self, name: str) -> str:
        """Digest what is said; a decision id stands for one content only."""
        said = self.model_dump(mode="json", exclude={"credential"}, exclude_defaults=True)
        return digest([name, said])


class Reply(Value):
    """What an update is answered: the request as it is once the message has been taken.

    Attributes:
        settled: False when something remote was still under way; ask again, or watch.
    """

    request_id: str
    status: str
    settled: bool = True
    closing: str | None = None
    round: int = 0
    binding: str | None = None
    pending: tuple[PendingReason, ...] = ()
    resulting_version: int | None = None
    rejection: Rejection | None = None


class RequestResult(Value):
    """The result of the workflow."""

    request_id: str
    status: str
    resulting_version: int | None = None
    executed_at: datetime | None = None
    execution_id: str | None = None
    rejection: Rejection | None = None
    closed_at: datetime


def reply_of(request: MutationRequest, *, settled: bool = True) -> Reply:
    """Answer the present snapshot of a request."""
    return Reply(
        request_id=request.request_id,
        status=request.status.value,
        settled=settled,
        closing=request.closing.status.value if request.closing else None,
        round=request.round,
        binding=request.binding,
        pending=request.pending,
        resulting_version=request.resulting_version,
        rejection=request.rejection,
    )


def result_of(request: MutationRequest) -> RequestResult:
    """Answer the result of a request that has ended."""
    return RequestResult(
        request_id=request.request_id,
        status=request.status.value,
        resulting_version=request.resulting_version,
        executed_at=request.executed_at,
        execution_id=request.execution_id,
        rejection=request.rejection,
        closed_at=request.closed_at or request.updated_at,
    )


def read_start(payloads: Sequence[Any], request_id: str) -> Start:
    """Read a start payload.

    Args:
        payloads: What came; one JSON object is expected.
        request_id: The workflow id, which the payload's own must equal.

    Raises:
        TooLarge: It exceeds `MAX_START` bytes.
        InvalidParameters: It does not validate.
    """
    if request_id.startswith(OWN_PREFIX):
        raise InvalidParameters(f"Ids beginning with {OWN_PREFIX!r} are reserved; use another.")
    if len(request_id) > MAX_ID:
        raise InvalidParameters(f"A request id has at most {MAX_ID} characters.")
    try:
        ONE_LINE.held(request_id)
    except ValueError as error:
        raise InvalidParameters(f"The request id {request_id!r} cannot be kept: {error}.") from None
    payload = _one_object(payloads, "start", MAX_START)
    try:
        start = Start.model_validate(payload)
    except ValidationError as error:
        raise InvalidParameters(
            f"The start payload does not validate: {problems(error)}."
        ) from error
    if start.request_id is not None and start.request_id != request_id:
        raise InvalidParameters(
            f"The payload says request {start.request_id!r}, the workflow id {request_id!r}; "
            "they are the same thing."
        )
    asked_for = [name for name in NOT_YET if getattr(start, name)]
    if asked_for:
        raise InvalidParameters(
            f"This version cannot honour {', '.join(asked_for)} yet; leave it out. "
            "Nothing was started, because what is not honoured would be done too early."
        )
    return start


def read_message(name: str, payloads: Sequence[Any]) -> Message:
    """Read the payload of a signal or update.

    Raises:
        MalformedMessage: It does not fit; the sentence names what is wrong.
    """
    try:
        payload = _one_object(payloads, name, MAX_MESSAGE)
        message = Message.model_validate(_of_verb(name, payload))
    except ValidationError as error:
        raise MalformedMessage(
            f"The payload of {name} does not validate: {problems(error)}."
        ) from error
    except MutatorError as error:
        raise MalformedMessage(str(error)) from error
    _raise_if_misjudged(name, message)
    for field, words in _NEEDS.get(name, {}).items():
        if getattr(message, field) is None:
            raise MalformedMessage(f"The payload of {name} needs {words}.")
    return message


def _of_verb(name: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Leave out what only other verbs read."""
    own = _OWN_FIELDS.get(name, ())
    others = {field for fields in _OWN_FIELDS.values() for field in fields if field not in own}
    return {key: value for key, value in payload.items() if key not in others}


def _raise_if_misjudged(name: str, message: Message) -> None:
    """Refuse the verdict of a fulfilment in a decision, and the reverse."""
    fulfils = name in {Signal.FULFIL, Update.FULFIL_REQUIREMENT}
    if message.verdict is not None and fulfils != (message.verdict in {"passed", "failed"}):
        known = "passed or failed" if fulfils else "approve, reject or withdraw"
        raise MalformedMessage(
            f"The payload of {name} does not validate: verdict {message.verdict!r} is none of "
            f"{known}."
        )


def _one_object(payloads: Sequence[Any], name: str, limit: int) -> dict[str, Any]:
    if len(payloads) != 1:
        raise InvalidParameters(f"{name} takes one JSON object, not {len(payloads)} payloads.")
    payload = payloads[0]
    if not isinstance(payload, dict):
        kind = "null" if payload is None else type(payload).__name__
        raise InvalidParameters(f"{name} takes one JSON object, not {kind}.")
    try:
        size = len(canonical(jsonable(payload)))  # as deep as documents may be, and no deeper
    except InvalidValue as error:
        raise InvalidParameters(f"The payload of {name} cannot be kept: {error}") from error
    if size > limit:
        raise TooLarge(
            f"The payload of {name} has {size} bytes; at most {limit} are taken.",
            actual=size,
            limit=limit,
        )
    return payload
