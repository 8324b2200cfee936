"""Takes one message after the other: who sent it, then one pure function for each verb."""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from core.errors import DecisionIdReused, DecisionRefused, NothingToDelegate, RequestFull
    from core.governance import approval, fulfilment, outcome, waits
    from core.governance.delegation import delegate
    from core.governance.lifecycle import closed, raise_if_full, refuse_message
    from core.governance.people import SYSTEM, Person
    from core.governance.request import MutationRequest, RefusedMessage
    from core.governance.resolution import (
        adopt,
        first_grant_needs_refresh,
        raise_unless_refreshable,
    )
    from wire import asks
    from wire.errors import error_of, refusal_of
    from wire.messages import Message
    from wire.names import Activity, Signal

from .holding import Holding
from .inbox import TEMPORAL_CANCEL, Incoming
from .looking import Looking
from .remembered import Remembered

OPERATOR_BY_TEMPORAL = "operator:temporal"
"""Who cancels when Temporal's own cancellation is used: an operator, by that system's rights."""

_ALWAYS = frozenset({"cancel", "withdraw"})
"""What is taken however much the request holds."""


class Taking(Holding):
    """What a message makes of the request, and what its sender is answered."""

    def __init__(self) -> None:
        """Begin with no message taken."""
        super().__init__()
        self._looking = Looking(self._asking, self._inbox)
        self._remembered = Remembered()
        self._unanswered: list[Incoming] = []
        self._carried_out: asks.Executed | None = None

    async def _take(self, incoming: Incoming) -> None:
        """Take one message: look up who sent it, then one pure function for each kind."""
        self._unanswered.append(incoming)
        request, message = self._request, incoming.message
        if incoming.name == TEMPORAL_CANCEL:
            reason = workflow.cancellation_reason() or "The workflow was cancelled in Temporal."
            self._asking.resume()
            if request.closing is None:
                self._now(outcome.cancel_by(request, OPERATOR_BY_TEMPORAL, reason=reason))
            return
        if incoming.name == Signal.WAKE:
            await self._look_again()
            return
        if incoming.looked is not None:
            self._take_what_was_found(*incoming.looked)
            return
        if message is None:
            self._record_refused(incoming)
            return
        who = await self._look_up(message, self._grant_at_once(incoming, message))
        if who is None:
            self._unanswered.remove(incoming)
            self._inbox.put_back(incoming)
            self._stuck = True
            self._asking.put_off()
            return
        self._adopt(who)
        if who.carried_out is not None and not self._adopt(who.carried_out):
            self._carried_out = who.carried_out
        if who.refusal is not None or who.person is None:
            self._refuse(incoming, who.refusal or refusal_of(closed(self._request)))
            return
        await self._take_from(who, who.person, incoming, message)

    def _take_what_was_found(self, requirement_id: str, answer: asks.LookedAt) -> None:
        if not self._adopt(answer) and answer.finding is not None:
            self._now(waits.looked(self._request, requirement_id, answer.finding, self._asking.now))

    async def _look_again(self) -> None:
        """Read the store again: the record may have ended, what was missing may be there."""
        self._asking.resume()
        self._now(self._looking.told(self._request))
        await self._note(self._asking.fence)

    # --- who sent it

    async def _look_up(
        self, message: Message, grant: asks.Grant | None = None
    ) -> asks.Authenticated | None:
        """Look up who sent a message; locally, carry out what a grant completes in the same ask."""
        ask = asks.Authenticate(
            request_id=self._request.request_id,
            state_id=self._request.state_id,
            actor_id=message.actor_id,
            credential=message.credential,
            grant=grant,
            to=message.to,
        )
        summary = f"Look up {message.actor_id}"[:200]
        if grant is None:
            return await self._asking.once(Activity.AUTHENTICATE, ask, asks.Authenticated, summary)
        who = await self._asking.at_once(
            Activity.AUTHENTICATE, ask, asks.Authenticated, f"{summary}, execute and commit"
        )
        return who if who is not None else await self._look_up(message)

    def _grant_at_once(self, incoming: Incoming, message: Message) -> asks.Grant | None:
        """Answer what may be carried out in the ask that looks up who grants it."""
        if not (
            self._at_once
            and self._asking.plan.local
            and incoming.verb == "approve"
            and (message.actor_id.lower(), message.decision_id) not in self._remembered
            and not self._is_full()
            and fulfilment.is_one_grant_away(self._request)
        ):
            return None
        return asks.Grant(
            request=self._request,
            message=message.model_copy(update={"credential": None}),
            granted_at=self._counts_at(incoming),
            at=self._asking.now,
            fence=self._asking.raise_fence(),
        )

    def _counts_at(self, incoming: Incoming) -> datetime:
        now = self._asking.now
        return min(incoming.at, now) if incoming.dated else now

    # --- what it makes of the request

    async def _take_from(
        self, who: asks.Authenticated, sender: Person, incoming: Incoming, message: Message
    ) -> None:
        """Take a message whose sender is known; only such a message takes its id."""
        key = (sender.id.lower(), message.decision_id)
        said = message.content_digest(incoming.verb)
        if (known := self._remembered.said(key)) is not None:
            before, refusal = known
            if before == said:
                incoming.refusal = refusal
            else:
                self._refuse(incoming, refusal_of(_reused(message)))
            return
        try:
            if self._ended:
                self._answer_by_record(incoming)
                self._record_refused(incoming)
            else:
                if incoming.verb not in _ALWAYS:
                    self._raise_if_full()
                await self._do(who, sender, incoming, message)
        except DecisionRefused as error:
            self._refuse(incoming, refusal_of(error))
        self._remembered.keep(key, said, incoming.refusal)

    def _raise_if_full(self) -> None:
        """Refuse what could no longer be carried; what ends or takes back always can."""
        raise_if_full(self._request)
        self._remembered.raise_if_full()

    def _is_full(self) -> bool:
        try:
            self._raise_if_full()
        except RequestFull:
            return True
        return False

    async def _do(
        self, who: asks.Authenticated, sender: Person, incoming: Incoming, message: Message
    ) -> None:
        match incoming.verb:
            case "comment":
                await self._comment(sender, message, self._counts_at(incoming))
                return
            case "supersede":
                await self._let_supersede(sender, message, self._counts_at(incoming))
            case "refresh":
                raise_unless_refreshable(self._request, sender)
                await self._refresh(sender.id)
            case "approve" if first_grant_needs_refresh(self._request, who.state_version):
                await self._refresh(SYSTEM)
                self._now(self._decided(who, sender, incoming, message))
            case _:
                self._now(self._decided(who, sender, incoming, message))
        self._asking.resume()

    def _decided(
        self, who: asks.Authenticated, sender: Person, incoming: Incoming, message: Message
    ) -> MutationRequest:
        """Answer what a decision makes of the request: one pure function for each verb."""
        request, at, given = self._request, self._counts_at(incoming), message.decision()
        match incoming.verb:
            case "approve":
                return approval.grant(request, sender, at, **given)
            case "reject":
                return approval.refuse(request, sender, at, **given)
            case "withdraw":
                said = {"reason": message.reason, "decision_id": message.decision_id}
                return approval.withdraw(request, sender, at, **said)
            case "fulfil":
                return waits.fulfil(request, sender, at, **message.fulfilment())
            case "delegate":
                to = who.to or raise_refusal(who.to_refusal)
                return delegate(request, sender, at, to=to, **message.delegation())
            case "cancel":
                said = {"reason": message.reason, "decision_id": message.decision_id}
                return outcome.cancel(request, sender, **said)
            case _:
                return request

    async def _let_supersede(self, sender: Person, message: Message, at: datetime) -> None:
        """Let a newer request take this one's place: the store says whether it may."""
        ask = asks.SupersedeRequest(
            request_id=self._request.request_id, by=message.by or "", actor_id=sender.id, at=at
        )
        answer = await self._asking.patiently(
            Activity.SUPERSEDE_REQUEST, ask, asks.SupersededRequest, f"Give way to {ask.by}"[:200]
        )
        if not self._adopt(answer) and answer.refusal is not None:
            raise_refusal(answer.refusal)

    async def _comment(self, sender: Person, message: Message, at: datetime) -> None:
        """Let the store keep a comment; only their number is kept here."""
        ask = asks.StoreComment(
            request_id=self._request.request_id,
            comment_id=message.decision_id,
            actor_id=sender.id,
            text=message.text or "",
            at=at,
        )
        answer = await self._asking.patiently(
            Activity.STORE_COMMENT, ask, asks.CommentStored, "Keep a comment"
        )
        if not self._adopt(answer):
            if answer.refusal is not None:
                raise_refusal(answer.refusal)
            self._now(self._request.model_copy(update={"comments": answer.comments}))

    async def _refresh(self, actor_id: str) -> None:
        """Assess the waiting request anew, on the state as it is."""
        ask = asks.AssessRequest(
            request=self._request,
            at=self._asking.now,
            fence=self._asking.raise_fence(),
            refresh=True,
        )
        answer = await self._asking.once(
            Activity.ASSESS_REQUEST, ask, asks.Assessed, "Assess the request again"
        )
        if answer is None or self._adopt(answer) or answer.assessment is None:
            return
        self._learn(answer.assessment.plan)
        self._now(adopt(self._request, answer.assessment, ask.at, actor_id=actor_id))

    # --- what does not count

    def _answer_by_record(self, incoming: Incoming) -> None:
        """Refuse a message that came too late; one that counted is in the record with its id.

        The answer to one that counted may have been lost on the way. A cancel is answered with what
        the store said.
        """
        said = incoming.message
        if said is not None and self._request.counted(said.actor_id, said.decision_id):
            return
        if incoming.verb != "cancel":
            incoming.refusal = refusal_of(closed(self._request))

    def _refuse(self, incoming: Incoming, refusal: asks.Refusal) -> None:
        incoming.refusal = refusal
        self._record_refused(incoming)

    def _record_refused(self, incoming: Incoming) -> None:
        refusal, message = incoming.refusal, incoming.message
        if refusal is None:
            return
        self._now(
            refuse_message(
                self._request,
                RefusedMessage(
                    at=self._asking.now,
                    name=incoming.name[:200],
                    actor_id=message.actor_id if message else None,
                    decision_id=message.decision_id if message else None,
                    error=refusal.type,
                    message=refusal.message[:500],
                ),
            )
        )


def raise_refusal(refusal: asks.Refusal | None) -> NoReturn:
    """Raise what an activity refused, by its name."""
    if refusal is None:
        raise NothingToDelegate("Say to whom it is delegated.")
    error = error_of(refusal.type, refusal.message, refusal.details)
    raise error if isinstance(error, DecisionRefused) else DecisionRefused(error.message)


def _reused(message: Message) -> DecisionIdReused:
    return DecisionIdReused(
        f"{message.actor_id} used the decision id {message.decision_id!r} for something else "
        "before. Use a new id for a new decision.",
        actor_id=message.actor_id,
        decision_id=message.decision_id,
    )
