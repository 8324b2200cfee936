"""The story of a request: assessed, waiting, resolved, executed, ended; nothing passes around it.

One frozen `MutationRequest` is held and replaced; `run` alone schedules commands; every rule is a
pure function of `core.governance`, every conversation an activity. The store decides how a request
ends: the workflow shows `closing` until it has answered, and adopts the record it gets.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from core.domain import DEFAULT_EXPIRY
    from core.errors import DecisionIdReused, DecisionRefused, MutatorError, RequestIdReused
    from core.governance import approval, fulfilment, outcome
    from core.governance.assessment import Plan
    from core.governance.lifecycle import closed, hold, refuse_message, submit
    from core.governance.people import SYSTEM, Person
    from core.governance.request import MutationRequest, RefusedMessage, Status
    from core.governance.resolution import (
        Resolution,
        ResolutionOutcome,
        adopt,
        assessed,
        first_grant_needs_refresh,
        raise_unless_refreshable,
        resolved,
    )
    from core.model import Value
    from wire import asks
    from wire.asks import Answered, E
    from wire.errors import refusal_of
    from wire.messages import Message, RequestResult, read_start
    from wire.messages import result_of as result_of_request
    from wire.names import Activity, Signal

from .asking import Asking
from .doors import Doors, raise_named
from .inbox import TEMPORAL_CANCEL, Inbox, Incoming
from .options import ASK, GRANT_AT_ONCE_SINCE, LOCAL_FIRST_SINCE, NOTE, QUEUE
from .presence import Presence

OPERATOR_BY_TEMPORAL = "operator:temporal"
"""Who cancels when Temporal's own cancellation is used: an operator, by that system's rights."""


class Story(Doors):
    """One request, from its submission to its ending."""

    def __init__(self, *payloads: Any) -> None:
        """Read the wish; what cannot be read fails the workflow by name, with nothing done."""
        info = workflow.info()
        self._inbox = Inbox()
        self._presence = Presence()
        self._asking = Asking()
        self._taken: dict[tuple[str, str], tuple[str, asks.Refusal | None]] = {}
        self._unanswered: list[Incoming] = []
        self._stuck = False
        self._unreadable: MutatorError | None = None
        self._kept: object = None
        self._is_fast = info.start_time >= LOCAL_FIRST_SINCE
        self._at_once = info.start_time >= GRANT_AT_ONCE_SINCE
        self._carried_out: asks.Executed | None = None
        self._asking.plan = Plan(local=self._is_fast)
        try:
            self._start = read_start(payloads, info.workflow_id)
        except MutatorError as error:
            self._unreadable = error
            return
        self._request = submit(
            info.workflow_id, self._start.wish(), info.start_time, expires_in=DEFAULT_EXPIRY
        )

    async def live(self) -> RequestResult:
        """Live the story to its end; Temporal's cancellation is one more message in it."""
        if self._unreadable is not None:
            raise_named(self._unreadable)
        story = asyncio.create_task(self._story())
        while True:
            try:
                return await asyncio.shield(story)
            except asyncio.CancelledError:
                if story.done():
                    raise
                self._inbox.put_cancel(workflow.now())

    async def _story(self) -> RequestResult:
        await self._advance()
        while not self._ended:
            if (incoming := await self._next()) is not None:
                await self._take(incoming)
            await self._advance()
        return await self._leave()

    @property
    def _ended(self) -> bool:
        return self._request.status.is_terminal

    async def _advance(self) -> None:
        """Do everything that the last message made possible, then answer who waits for it."""
        while not self._ended:
            if self._request.closing is not None:
                await self._record_ending()
            elif self._asking.is_put_off:
                break
            elif self._request.status is Status.CREATED:
                await self._assess()
            elif self._request.status is Status.APPROVED:
                await self._carry_out()
            else:
                break
        if not self._ended and not (self._is_fast and self._has_something()):
            await self._keep_picture()
        for incoming in self._unanswered:
            incoming.done = True
        self._unanswered.clear()

    # --- the steps of the way

    async def _assess(self) -> None:
        ask = asks.AssessRequest(
            request=self._request,
            at=workflow.now(),
            fence=self._asking.raise_fence(),
            strategy=self._start.strategy,
            own_deadline=self._start.expires_in is not None,
            credential=self._start.credential,
        )
        answer = await self._ask(Activity.ASSESS_REQUEST, ask, asks.Assessed, "Assess the request")
        if answer is None:
            return
        if answer.rejection is not None:
            self._now(outcome.reject(self._request, answer.rejection, actor_id=SYSTEM))
        elif answer.assessment is not None:
            self._asking.plan = answer.assessment.plan
            self._now(
                assessed(
                    self._request,
                    answer.assessment,
                    ask.at,
                    strategy=ask.strategy,
                    own_deadline=ask.own_deadline,
                )
            )
        self._kept = _picture(self._request)

    async def _carry_out(self) -> None:
        """Resolve, and only then execute: there is no other way to the engine.

        Locally one ask does both: `execute_mutation` resolves by the same function, on the state it
        commits on, and the grant that was the last one has done it already. Remotely the resolution
        is an ask of its own, visible and kept.
        """
        done, self._carried_out = self._carried_out, None
        if done is None:
            if not self._asking.plan.local and not await self._resolve():
                return
            execute = asks.ExecuteMutation(
                request=self._request, at=workflow.now(), fence=self._asking.raise_fence()
            )
            done = await self._ask(
                Activity.EXECUTE_MUTATION, execute, asks.Executed, "Resolve, execute and commit"
            )
        if done is None or self._asking.is_fenced(done):
            return
        if done.contended:
            self._asking.put_off(QUEUE)
        elif done.resolution is not None:
            self._conclude(done.resolution)

    async def _resolve(self) -> bool:
        """Resolve the version; true when the request may execute."""
        resolve = asks.ResolveVersion(
            request=self._request, at=workflow.now(), fence=self._asking.raise_fence()
        )
        found = await self._ask(
            Activity.RESOLVE_VERSION, resolve, asks.Resolved, "Resolve the version"
        )
        if found is None or found.resolution is None:
            return False
        self._conclude(found.resolution)
        return found.resolution.outcome.executes

    def _conclude(self, resolution: Resolution) -> None:
        """Draw the conclusions of a resolution; the store keeps the same picture."""
        self._now(resolved(self._request, resolution))
        self._kept = _picture(self._request)
        if not resolution.outcome.executes:
            self._after_no(resolution.outcome)

    def _after_no(self, said: ResolutionOutcome) -> None:
        """Go on with a resolution that does not execute: what is held is asked again later."""
        if said is ResolutionOutcome.HELD:
            self._asking.put_off()
        elif said is ResolutionOutcome.INELIGIBLE:
            self._now(fulfilment.expire(self._request, workflow.now()))
            if self._request.status is Status.APPROVED and self._request.closing is None:
                self._asking.put_off()

    async def _record_ending(self) -> None:
        """Attempt the intended ending; what the store answers is the ending."""
        self._presence.details(self._request)
        ask = asks.RecordOutcome(request=self._request, at=workflow.now())
        answer = await self._asking.patiently(
            Activity.RECORD_OUTCOME, ask, asks.Recorded, "Record the ending"
        )
        self._adopt(answer)

    async def _leave(self) -> RequestResult:
        """The one tail: show the ending, wake who waits for it, answer everybody, return."""
        self._presence.details(self._request)
        self._presence.attributes(self._request)
        if not self._is_fast:
            self._asking.stop_alarm()
        if self._request.side_effects:
            await self._asking.once(
                Activity.SEND_WAKEUPS,
                asks.SendWakeups(
                    request_id=self._request.request_id, state_id=self._request.state_id
                ),
                asks.WokenUp,
                "Wake the dispatcher of side effects",
                within=NOTE,
            )
        while len(self._inbox) or not workflow.all_handlers_finished():
            while (incoming := self._inbox.pop()) is not None:
                if not incoming.refusal and incoming.name != TEMPORAL_CANCEL:
                    self._answer_by_record(incoming)
                self._record_refused(incoming)
                incoming.done = True
            await workflow.wait_condition(
                lambda: len(self._inbox) > 0 or workflow.all_handlers_finished()
            )
        return result_of_request(self._request)

    # --- waiting and taking

    async def _next(self) -> Incoming | None:
        """Wait for a message, the deadline, or the time to ask again; a message or nothing."""
        self._asking.set_alarm(fulfilment.next_deadline(self._request))
        await self._asking.wait(self._has_something)
        self._stuck = False
        if not self._is_due:
            return self._inbox.pop()
        return await self._before_deadline()

    def _has_something(self) -> bool:
        """Answer whether there is something to take; while it is stuck, only a wake-up counts."""
        if self._stuck:
            return self._inbox.has(lambda incoming: incoming.name == Signal.WAKE)
        return len(self._inbox) > 0 or self._is_due

    @property
    def _is_due(self) -> bool:
        request = self._request
        return request.closing is None and self._asking.is_over(fulfilment.next_deadline(request))

    async def _before_deadline(self) -> Incoming | None:
        """At the deadline: what the server took before it still counts, what came later is late."""
        deadline = fulfilment.next_deadline(self._request)
        if self._inbox.undated():
            info = workflow.info()
            ask = asks.ReadSignalTimes(
                workflow_id=info.workflow_id, run_id=info.run_id, count=self._inbox.signals
            )
            dated = await self._asking.once(
                Activity.READ_SIGNAL_TIMES, ask, asks.SignalTimes, "Read when signals arrived"
            )
            if dated is None:
                self._asking.put_off()
                self._stuck = True
                return None
            self._inbox.date(dated.times)
        early = self._inbox.pop(lambda incoming: incoming.at < deadline)
        if early is None:
            self._now(fulfilment.expire(self._request, max(deadline, workflow.now())))
        return early

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
        await self._take_from(who.person, incoming, message, who.state_version)

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
            and (message.actor_id.lower(), message.decision_id) not in self._taken
            and fulfilment.is_one_grant_away(self._request)
        ):
            return None
        return asks.Grant(
            request=self._request,
            message=message.model_copy(update={"credential": None}),
            granted_at=self._counts_at(incoming),
            at=workflow.now(),
            fence=self._asking.raise_fence(),
        )

    @staticmethod
    def _counts_at(incoming: Incoming) -> datetime:
        now = workflow.now()
        return min(incoming.at, now) if incoming.dated else now

    async def _take_from(
        self, sender: Person, incoming: Incoming, message: Message, state_version: int | None
    ) -> None:
        """Take a message whose sender is known; only such a message takes its id."""
        key = (sender.id.lower(), message.decision_id)
        said = message.content_digest(incoming.verb)
        if key in self._taken:
            before, refusal = self._taken[key]
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
                await self._do(sender, incoming, message, state_version)
        except DecisionRefused as error:
            self._refuse(incoming, refusal_of(error))
        self._taken[key] = (said, incoming.refusal)

    async def _do(
        self, sender: Person, incoming: Incoming, message: Message, state_version: int | None
    ) -> None:
        at, given = self._counts_at(incoming), message.decision()
        match incoming.verb:
            case "approve":
                if first_grant_needs_refresh(self._request, state_version):
                    await self._refresh(SYSTEM)
                self._now(approval.grant(self._request, sender, at, **given))
            case "reject":
                self._now(approval.refuse(self._request, sender, at, **given))
            case "withdraw":
                self._now(
                    approval.withdraw(
                        self._request,
                        sender,
                        at,
                        reason=message.reason,
                        decision_id=message.decision_id,
                    )
                )
            case "cancel":
                self._now(outcome.cancel(self._request, sender, reason=message.reason))
            case "refresh":
                raise_unless_refreshable(self._request, sender)
                await self._refresh(sender.id)
        self._asking.resume()

    async def _refresh(self, actor_id: str) -> None:
        """Assess the waiting request anew, on the state as it is."""
        ask = asks.AssessRequest(
            request=self._request,
            at=workflow.now(),
            fence=self._asking.raise_fence(),
            refresh=True,
        )
        answer = await self._asking.once(
            Activity.ASSESS_REQUEST, ask, asks.Assessed, "Assess the request again"
        )
        if answer is None or self._adopt(answer) or answer.assessment is None:
            return
        self._now(adopt(self._request, answer.assessment, ask.at, actor_id=actor_id))

    async def _look_again(self) -> None:
        """Read the store again: the record may have ended, what was missing may be there."""
        self._asking.resume()
        await self._note(self._asking.fence)

    # --- asking

    async def _ask(self, name: str, ask: Value, answer_type: type[E], summary: str) -> E | None:
        """Ask once, at most a minute; take what pre-empts meanwhile. Nothing: it did not count."""
        if not self._asking.plan.local:
            self._presence.details(self._request)
        task = self._asking.begin(name, ask, answer_type, summary)
        deadline = fulfilment.next_deadline(self._request)
        if deadline - workflow.now() <= ASK:
            self._asking.set_alarm(deadline)
        while not task.done():
            await workflow.wait_condition(
                lambda: task.done() or self._is_due or self._inbox.has(lambda i: i.preempts)
            )
            if not task.done() and await self._preempt():
                task.cancel()
                return None
        answer = await self._asking.finish(task)
        if answer is None:
            reason = "The store or a worker does not answer; it is asked again."
            self._now(hold(self._request, reason, workflow.now()))
            return None
        return None if self._adopt(answer) or self._asking.is_fenced(answer) else answer

    async def _preempt(self) -> bool:
        """Take one message that pre-empts; true when the ask under way is void."""
        before = self._request
        if self._is_due:
            incoming = await self._before_deadline()
        else:
            incoming = self._inbox.pop(lambda i: i.preempts)
        if incoming is not None:
            await self._take(incoming)
        if self._request.decision_number == before.decision_number and not self._request.closing:
            return self._ended
        if not self._ended and self._request.closing is None:
            # Until the store knows the new fence, what runs may still commit.
            self._noted(
                await self._asking.patiently(
                    Activity.RECORD_PROGRESS,
                    asks.RecordProgress(request=self._request, fence=self._asking.raise_fence()),
                    asks.Progress,
                    "Take the ask under way back",
                )
            )
        return True

    async def _keep_picture(self) -> None:
        """Keep what others see true: the words, the attributes, the store's picture."""
        self._presence.details(self._request)
        self._presence.attributes(self._request)
        if self._kept != _picture(self._request):
            await self._note(self._asking.fence)

    async def _note(self, fence: int) -> None:
        answer = await self._asking.once(
            Activity.RECORD_PROGRESS,
            asks.RecordProgress(request=self._request, fence=fence),
            asks.Progress,
            "Keep the record's picture",
            within=NOTE,
        )
        if answer is not None:
            self._noted(answer)
        elif not self._asking.is_put_off:
            self._asking.put_off()

    def _noted(self, answer: asks.Progress) -> None:
        if not self._adopt(answer):
            self._asking.is_fenced(answer)
            self._kept = _picture(self._request)

    def _adopt(self, answer: Answered) -> bool:
        """Adopt the record of the store, whatever was believed; true when there is one."""
        if answer.ended is None:
            return False
        mine = self._request
        if answer.ended.content_digest != mine.content_digest:
            raise_named(RequestIdReused(mine.request_id))
        self._request = answer.ended.model_copy(
            update={
                "refused_messages": mine.refused_messages,
                "refused_count": mine.refused_count,
            }
        )
        return True

    def _now(self, request: MutationRequest) -> None:
        self._request = request

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
                    at=workflow.now(),
                    name=incoming.name[:200],
                    actor_id=message.actor_id if message else None,
                    decision_id=message.decision_id if message else None,
                    error=refusal.type,
                    message=refusal.message[:500],
                ),
            )
        )


def _picture(request: MutationRequest) -> object:
    """Answer what the store's picture must follow: status, reasons, whom it waits for."""
    return (request.status, request.pending, request.round, request.binding, request.held)


def _reused(message: Message) -> DecisionIdReused:
    return DecisionIdReused(
        f"{message.actor_id} used the decision id {message.decision_id!r} for something else "
        "before. Use a new id for a new decision.",
        actor_id=message.actor_id,
        decision_id=message.decision_id,
    )
