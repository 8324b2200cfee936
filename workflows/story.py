"""The story of a request: assessed, waiting, resolved, executed, ended; nothing passes around it.

One frozen `MutationRequest` is held and replaced; `run` alone schedules commands; every rule is a
pure function of `core.governance`, every conversation an activity. The store decides how a request
ends: the workflow shows `closing` until it has answered, and adopts the record it gets.
"""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from core.domain import DEFAULT_EXPIRY
    from core.errors import MutatorError
    from core.governance import agenda, fulfilment, outcome
    from core.governance.lifecycle import submit
    from core.governance.people import SYSTEM
    from core.governance.request import Status
    from core.governance.resolution import Resolution, ResolutionOutcome, assessed, resolved
    from core.governance.supersession import supersedes
    from wire import asks
    from wire.messages import RequestResult, read_start
    from wire.messages import result_of as result_of_request
    from wire.names import Activity, Signal

from .carried import Carried, read_carried
from .doors import raise_named
from .holding import picture_of
from .inbox import LOOKED, TEMPORAL_CANCEL, Incoming
from .options import NOTE, QUEUE
from .remembered import Remembered
from .taking import Taking


class Story(Taking):
    """One request, from its submission to its ending."""

    def __init__(self, *payloads: Any) -> None:
        """Read the wish; what cannot be read fails the workflow by name, with nothing done."""
        super().__init__()
        self._has_superseded = False
        self._payload = payloads[:1]
        info = workflow.info()
        # Retries and cron runs continue another run too, with what a caller handed over.
        continues = info.continued_run_id is not None and not (
            info.cron_schedule or info.retry_policy
        )
        try:
            self._start = read_start(payloads[:1] if continues else payloads, info.workflow_id)
            if continues:
                self._go_on_from(read_carried(payloads))
                return
        except MutatorError as error:
            self._unreadable = error
            return
        self._request = submit(
            info.workflow_id, self._start.wish(), info.start_time, expires_in=DEFAULT_EXPIRY
        )

    def _go_on_from(self, carried: Carried) -> None:
        self._request = carried.request
        self._asking.plan = carried.plan
        self._asking.fence = carried.fence
        self._remembered = Remembered(carried.taken)
        self._has_superseded = carried.has_superseded

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
                self._inbox.put_cancel(self._asking.now)

    async def _story(self) -> RequestResult:
        await self._advance()
        while not self._ended:
            if workflow.info().is_continue_as_new_suggested() and not len(self._inbox):
                await self._continue_in_a_new_run()
            if (incoming := await self._next()) is not None:
                await self._take(incoming)
            await self._advance()
        return await self._leave()

    async def _continue_in_a_new_run(self) -> None:
        """Hand everything to a new run with an empty history, once nobody waits for an answer.

        Whoever waits for one is answered by the story alone, so it goes on where there is something
        to do.
        """
        await workflow.wait_condition(
            lambda: workflow.all_handlers_finished() or self._has_something()
        )
        if (
            len(self._inbox)
            or not workflow.all_handlers_finished()
            or self._request.closing is not None
        ):
            return
        self._now(self._looking.stop(self._request))
        self._asking.stop_alarm()
        carried = Carried(
            request=self._request,
            plan=self._asking.plan,
            fence=self._asking.fence,
            taken=self._remembered.taken(),
            has_superseded=self._has_superseded,
        )
        workflow.continue_as_new(args=[*self._payload, carried])

    async def _advance(self) -> None:
        """Do everything that the last message made possible, then answer who waits for it."""
        while not self._ended:
            if self._request.closing is not None:
                await self._record_ending()
            elif self._asking.is_put_off:
                break
            elif self._request.status is Status.CREATED:
                await self._assess()
            elif self._request.supersedes and not self._has_superseded:
                await self._supersede_the_older()
            elif self._request.status is Status.APPROVED:
                await self._carry_out()
            else:
                break
        if not self._ended and not (self._is_fast and self._has_something()):
            await self._keep_picture()
        if not self._ended:
            self._now(self._looking.begin(self._request))
        for incoming in self._unanswered:
            incoming.done = True
        self._unanswered.clear()

    # --- the steps of the way

    async def _assess(self) -> None:
        ask = asks.AssessRequest(
            request=self._request,
            at=self._asking.now,
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
        self._kept = picture_of(self._request)

    async def _supersede_the_older(self) -> None:
        """Attempt to take the older request's place; this one goes on, whatever is answered."""
        ask = asks.SupersedeRequest(
            request_id=self._request.supersedes or "",
            by=self._request.request_id,
            actor_id=self._request.context.actor_id,
            at=self._asking.now,
        )
        answer = await self._asking.once(
            Activity.SUPERSEDE_REQUEST,
            ask,
            asks.SupersededRequest,
            f"Supersede {ask.request_id}"[:200],
        )
        if answer is None:
            self._asking.put_off()
            return
        self._has_superseded = True
        refused = answer.refusal.message if answer.refusal else None
        self._now(supersedes(self._request, answer.ended, refused))

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
                request=self._request, at=self._asking.now, fence=self._asking.raise_fence()
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
            request=self._request, at=self._asking.now, fence=self._asking.raise_fence()
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
        self._kept = picture_of(self._request)
        if resolution.assessment is not None:
            self._learn(resolution.assessment.plan)
        if not resolution.outcome.executes:
            self._after_no(resolution.outcome)

    def _after_no(self, said: ResolutionOutcome) -> None:
        """Go on with a resolution that does not execute: what is held is asked again later."""
        if said is ResolutionOutcome.HELD:
            self._asking.put_off()
        elif said is ResolutionOutcome.INELIGIBLE:
            self._now(fulfilment.expire(self._request, self._asking.now))
            if self._request.status is Status.APPROVED and self._request.closing is None:
                self._asking.put_off()

    async def _record_ending(self) -> None:
        """Attempt the intended ending; what the store answers is the ending."""
        self._presence.details(self._request)
        ask = asks.RecordOutcome(request=self._request, at=self._asking.now)
        answer = await self._asking.patiently(
            Activity.RECORD_OUTCOME, ask, asks.Recorded, "Record the ending"
        )
        self._adopt(answer)

    async def _leave(self) -> RequestResult:
        """The one tail: show the ending, wake who waits for it, answer everybody, return."""
        self._presence.details(self._request)
        self._presence.attributes(self._request)
        self._now(self._looking.stop(self._request))
        if not self._is_fast:
            self._asking.stop_alarm()
        if self._request.side_effects or self._waiters:
            await self._asking.once(
                Activity.SEND_WAKEUPS,
                asks.SendWakeups.of(self._request),
                asks.WokenUp,
                "Wake the dispatcher of side effects, and who waits for this ending",
                within=NOTE,
            )
        while len(self._inbox) or not workflow.all_handlers_finished():
            while (incoming := self._inbox.pop()) is not None:
                if not incoming.refusal and incoming.name not in {TEMPORAL_CANCEL, LOOKED}:
                    self._answer_by_record(incoming)
                self._record_refused(incoming)
                incoming.done = True
            await workflow.wait_condition(
                lambda: len(self._inbox) > 0 or workflow.all_handlers_finished()
            )
        return result_of_request(self._request)

    # --- waiting

    async def _next(self) -> Incoming | None:
        """Wait for a message, a moment, or the time to ask again; a message or nothing."""
        self._asking.set_alarm(agenda.next_moment(self._request))
        await self._asking.wait(self._has_something)
        self._stuck = False
        if self._is_due:
            return await self._before_deadline()
        if (incoming := self._inbox.pop()) is None and self._rings:
            self._now(agenda.ring(self._request, self._asking.now))
        return incoming

    def _has_something(self) -> bool:
        """Answer whether there is something to take; while it is stuck, only a wake-up counts."""
        if self._stuck:
            return self._inbox.has(lambda incoming: incoming.name == Signal.WAKE)
        return len(self._inbox) > 0 or self._is_due or self._rings

    @property
    def _rings(self) -> bool:
        """Answer whether a moment has come at which something is to be done."""
        request = self._request
        return request.closing is None and self._asking.is_over(agenda.next_moment(request))
