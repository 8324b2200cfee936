"""What can be sent to a request: decide, fulfil, delegate, supersede, comment, cancel, refresh."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from wire.messages import Reply
from wire.names import Signal, Update

from . import messages, reading, signals
from .messages import ANSWER_WITHIN, Sending
from .outside import Outside

Verdict = Literal["approve", "reject", "withdraw"]

Finding = Literal["passed", "failed"]


class Verbs:
    """The messages of `Mutator`, one method for each verb.

    Attributes:
        _outside: What is reached.
    """

    _outside: Outside

    async def approve(self, request_id: str, **decision: Any) -> Reply:
        """Grant a request; see `decide`."""
        return await self.decide(request_id, "approve", **decision)

    async def reject(self, request_id: str, **decision: Any) -> Reply:
        """Refuse a request; see `decide`."""
        return await self.decide(request_id, "reject", **decision)

    async def withdraw(self, request_id: str, **decision: Any) -> Reply:
        """Take a grant back; see `decide`."""
        return await self.decide(request_id, "withdraw", **decision)

    async def decide(
        self,
        request_id: str,
        verdict: Verdict,
        *,
        actor_id: str,
        reason: str = "",
        requirement_id: str | None = None,
        binding: str | None = None,
        decision_id: str | None = None,
        code: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        credential: str | None = None,
        within: float = ANSWER_WITHIN,
    ) -> Reply:
        """Approve, reject or withdraw, and answer how the request stands then.

        Args:
            actor_id: Who decides; looked up by the worker, never believed.
            reason: Why; some requirements ask for one.
            requirement_id: Which requirement it is for; `None`: any that names the actor.
            binding: What the actor was shown, `MutationRequest.binding`; `None`: what the request
                is now, fetched before it is sent.
            decision_id: The sender's own id for it. Repeated with the same, it counts once;
                `None`: a new one.
            credential: The proof of who decides, where the worker demands one.
            within: Seconds to wait; then the reply says `settled` false.

        Raises:
            DecisionRefused: It was recorded and does not count; the class names why
                (`RequestClosed`, `OutdatedBinding`, `SelfApproval`, `NotAuthorised` ...).
            UnknownRequest: Neither Temporal nor the store knows the request.
            WorkerUnavailable: No worker answered; repeat it with the same decision id.
        """
        payload = messages.message_of(
            Update.DECIDE,
            decision_id=decision_id,
            actor_id=actor_id,
            requirement_id=requirement_id,
            reason=reason,
            code=code,
            metadata=dict(metadata or {}),
            binding=binding or await self._binding(request_id),
            credential=credential,
            verdict=verdict,
        )
        return await self._send(Update.DECIDE, request_id, payload, within)

    async def fulfil(
        self,
        request_id: str,
        verdict: Finding,
        *,
        actor_id: str,
        name: str | None = None,
        requirement_id: str | None = None,
        reason: str = "",
        evidence: Mapping[str, Any] | None = None,
        binding: str | None = None,
        decision_id: str | None = None,
        code: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        credential: str | None = None,
        within: float = ANSWER_WITHIN,
    ) -> Reply:
        """Answer a callback check or a review, and answer how the request stands then.

        Arguments and errors are those of `decide`, and besides:

        Args:
            name: Without `requirement_id`, the check it answers, or the requirement's title.
            requirement_id: Which requirement it answers; `None`, and no `name`: the only one that
                names the actor.
            evidence: What the answer rests on, kept with it; at most 16 KiB.
            binding: What was judged: `MutationRequest.binding`, or the one a filed check was given.

        Raises:
            NotFulfillable: The requirement is no callback check and no review.
        """
        payload = messages.message_of(
            Update.FULFIL_REQUIREMENT,
            decision_id=decision_id,
            actor_id=actor_id,
            verdict=verdict,
            name=name,
            requirement_id=requirement_id,
            reason=reason,
            evidence=dict(evidence or {}),
            code=code,
            metadata=dict(metadata or {}),
            binding=binding or await self._binding(request_id),
            credential=credential,
        )
        return await self._send(Update.FULFIL_REQUIREMENT, request_id, payload, within)

    async def delegate(
        self,
        request_id: str,
        *,
        actor_id: str,
        to: str,
        until: datetime,
        requirement_id: str | None = None,
        reason: str = "",
        decision_id: str | None = None,
        credential: str | None = None,
        within: float = ANSWER_WITHIN,
    ) -> Reply:
        """Let another person answer in one's place for a time.

        Arguments and errors are those of `decide`, and besides:

        Args:
            to: Who may answer as well; never the requester.
            until: When that ends; aware. What was answered before stands.
            requirement_id: For which requirement; `None`: for whatever the actor may answer.

        Raises:
            NothingToDelegate: The actor has no right on the request to hand on, or not to them.
            NotSettled: It was sent, and in time neither counted nor was refused; repeat it with
                the same decision id.
        """
        payload = messages.message_of(
            Signal.DELEGATE,
            decision_id=decision_id,
            actor_id=actor_id,
            to=to,
            until=until.isoformat(),
            requirement_id=requirement_id,
            reason=reason,
            credential=credential,
        )
        return await self._tell(Signal.DELEGATE, request_id, payload, within)

    async def supersede(
        self,
        request_id: str,
        *,
        by: str,
        actor_id: str,
        reason: str = "",
        decision_id: str | None = None,
        credential: str | None = None,
        within: float = ANSWER_WITHIN,
    ) -> Reply:
        """Let a newer request take the place of an older one, which then ends Superseded.

        Arguments and errors are those of `delegate`, and besides:

        Args:
            request_id: The older one.
            by: The newer one, which names the older in `supersedes`, on the same state.

        Raises:
            NotSuperseding: It may not; the sentence says why.
        """
        payload = messages.message_of(
            Signal.SUPERSEDE,
            decision_id=decision_id,
            actor_id=actor_id,
            by=by,
            reason=reason,
            credential=credential,
        )
        return await self._tell(Signal.SUPERSEDE, request_id, payload, within)

    async def comment(
        self,
        request_id: str,
        text: str,
        *,
        actor_id: str,
        decision_id: str | None = None,
        credential: str | None = None,
        within: float = ANSWER_WITHIN,
    ) -> Reply:
        """Say something about a request; it decides nothing. `Mutator.comments` reads it.

        Arguments and errors are those of `delegate`, and besides:

        Args:
            text: 1 to 1,000 characters.

        Raises:
            TooManyComments: The request has all it can have.
            NoStore: There is no store to see in that it was kept; nothing was sent.
        """
        payload = messages.message_of(
            Signal.COMMENT,
            decision_id=decision_id,
            actor_id=actor_id,
            text=text,
            credential=credential,
        )
        return await self._tell(Signal.COMMENT, request_id, payload, within)

    async def cancel(
        self,
        request_id: str,
        *,
        actor_id: str,
        reason: str = "",
        decision_id: str | None = None,
        credential: str | None = None,
        within: float = ANSWER_WITHIN,
    ) -> Reply:
        """Cancel a request; the answer is Canceled, or Executed because the commit was first.

        Arguments and errors are those of `decide`; only the requester and operators may.
        """
        payload = messages.message_of(
            Update.CANCEL_REQUEST,
            decision_id=decision_id,
            actor_id=actor_id,
            reason=reason,
            credential=credential,
        )
        return await self._send(Update.CANCEL_REQUEST, request_id, payload, within)

    async def refresh(
        self,
        request_id: str,
        *,
        actor_id: str,
        reason: str = "",
        decision_id: str | None = None,
        credential: str | None = None,
        within: float = ANSWER_WITHIN,
    ) -> Reply:
        """Assess a waiting request anew on the state as it is now.

        Arguments and errors are those of `decide`; only the requester and approvers may.

        Raises:
            NothingToRefresh: The request is not waiting.
        """
        payload = messages.message_of(
            Update.REFRESH,
            decision_id=decision_id,
            actor_id=actor_id,
            reason=reason,
            credential=credential,
        )
        return await self._send(Update.REFRESH, request_id, payload, within)

    async def _binding(self, request_id: str) -> str | None:
        return (await reading.get(self._outside, request_id)).binding

    async def _send(
        self, name: str, request_id: str, payload: dict[str, Any], within: float
    ) -> Reply:
        sending = Sending(name=name, request_id=request_id, payload=payload, within=within)
        return await messages.send(self._outside, sending)

    async def _tell(
        self, name: str, request_id: str, payload: dict[str, Any], within: float
    ) -> Reply:
        sending = Sending(name=name, request_id=request_id, payload=payload, within=within)
        return await signals.tell(self._outside, sending)
