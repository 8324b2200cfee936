"""The conversations with Temporal itself: event times, wake-ups, the reconciler."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Final, Literal

from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus, WorkflowQueryRejectedError
from temporalio.common import QueryRejectCondition
from temporalio.service import RPCError, RPCStatusCode

from core.governance.lifecycle import close
from core.governance.outcome import Ending, cancel_by
from core.governance.people import SYSTEM
from core.governance.request import MutationRequest
from wire import names
from wire.asks import (
    ReadSignalTimes,
    Reconcile,
    Reconciled,
    SendWakeups,
    SignalTimes,
    WokenUp,
)
from wire.names import Activity, Query, Signal

from .outside import Outside
from .overlooked import Overlooked, going_on, log
from .wakeups import wake_all

FIRST: Final = 20
"""How many of those who wait for room in a budget are told that there may be some."""

CLOSED: Final = frozenset(
    {
        WorkflowExecutionStatus.COMPLETED,
        WorkflowExecutionStatus.FAILED,
        WorkflowExecutionStatus.CANCELED,
        WorkflowExecutionStatus.TERMINATED,
        WorkflowExecutionStatus.TIMED_OUT,
    }
)
"""What is said of a workflow that is gone; one of which anything else is said goes on."""

HANDFUL: Final = 5
"""As many open requests may be unknown to a namespace, even where it knows fewer."""

END_LOST: Final = f"{names.RECONCILER_SCHEDULE}/end-lost"
"""The id of a sweep that ends what its namespace does not know, however much that is."""

Found = Literal["alive", "closed", "unknown"]
"""What a namespace says of the workflow of an open request."""

FAR_AHEAD: Final = 1_000_000
"""So many asks no workflow makes in one task."""


@dataclass(frozen=True)
class Telling:
    """The activities `read_signal_times` and `send_wakeups`."""

    outside: Outside

    @activity.defn(name=Activity.READ_SIGNAL_TIMES)
    async def read_signal_times(self, ask: ReadSignalTimes) -> SignalTimes:
        """Answer when the server took each signal of a run, in the order of its history."""
        handle = self.outside.client.get_workflow_handle(ask.workflow_id, run_id=ask.run_id)
        times = []
        async for event in handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                times.append(event.event_time.ToDatetime(tzinfo=UTC))
                if len(times) >= ask.count:
                    break
        return SignalTimes(times=tuple(times))

    @activity.defn(name=Activity.SEND_WAKEUPS)
    async def send_wakeups(self, ask: SendWakeups) -> WokenUp:
        """Wake the dispatcher of the state's side effects, and who waits for the ending."""
        if ask.dispatch:
            await wake_dispatcher(self.outside, ask.state_id)
        waiting = await asyncio.to_thread(self._waiting, ask)
        told = await wake_all(self.outside, waiting)
        return WokenUp(dispatchers=int(ask.dispatch), requests=told)

    def _waiting(self, ask: SendWakeups) -> list[str]:
        """Answer who is told by the ending, and who is first where there may be room again."""
        store = self.outside.store
        tokens = [f"request:{ask.request_id}", f"state:{ask.state_id}"]
        waiting = [*store.told_by(tokens)]
        for budget in ask.budgets:
            waiting += store.queue(budget, limit=FIRST)
        return waiting


async def wake_dispatcher(outside: Outside, state_id: str) -> None:
    """Start the dispatcher of a state, or tell the running one that there is more."""
    await outside.client.start_workflow(
        names.DISPATCHER_TYPE,
        state_id,
        id=names.dispatcher_id(state_id),
        task_queue=activity.info().task_queue,
        start_signal=Signal.WAKE,
        static_summary=f"Side effects of {state_id}, in version order",
    )


@dataclass(frozen=True)
class Reconciling:
    """The activity `reconcile`."""

    outside: Outside

    @activity.defn(name=Activity.RECONCILE)
    async def reconcile(self, ask: Reconcile) -> Reconciled:
        """Bring open workflows and the record together.

        An open workflow whose record has ended is woken; an open record whose workflow is gone is
        ended from the last snapshot; who waits for what has come is woken; states with side effects
        left get their dispatcher. Trouble with one of them is logged and holds up no other.
        """
        store = self.outside.store
        running = frozenset([execution async for execution in self._running()])
        ended = await asyncio.to_thread(store.ended_among, sorted(running))
        with going_on("some whose record has ended"):
            await wake_all(self.outside, sorted(ended))
        known = closed = 0
        unknown: list[str] = []
        overlooked = Overlooked(self.outside, ask.at)
        async for request in self._open_records():
            with going_on(f"request {request.request_id!r}"):
                found = await self._find(request.request_id, running)
                known += found != "unknown"
                if found == "unknown":
                    unknown.append(request.request_id)
                elif found == "closed":
                    closed += await self._end(request, ask)
                else:
                    await asyncio.to_thread(overlooked.add, request)
            activity.heartbeat()
        closed += await self._end_unknown(unknown, ask, known=known)
        waiting = await asyncio.to_thread(overlooked.found)
        woken = 0
        with going_on("some who wait for what has come"):
            woken = await wake_all(self.outside, waiting)
        states = await asyncio.to_thread(store.undelivered_states)
        for state_id in states:
            with going_on(f"the side effects of {state_id!r}"):
                await wake_dispatcher(self.outside, state_id)
        return Reconciled(
            open_workflows=len(running),
            told=len(ended),
            ended=closed,
            dispatchers=len(states),
            woken=woken,
        )

    async def _running(self) -> AsyncIterator[str]:
        query = f"WorkflowType = '{names.WORKFLOW_TYPE}' AND ExecutionStatus = 'Running'"
        async for execution in self.outside.client.list_workflows(query):
            yield execution.id

    async def _open_records(self) -> AsyncIterator[MutationRequest]:
        after: str | None = None
        while page := await asyncio.to_thread(
            lambda last: self.outside.store.open_requests(limit=500, after=last), after
        ):
            for request in page:
                yield request
            after = page[-1].request_id

    async def _find(self, request_id: str, running: frozenset[str] = frozenset()) -> Found:
        """Ask the server itself: what the list leaves out may only be late to appear in it."""
        if request_id in running:
            return "alive"
        try:
            described = await self.outside.client.get_workflow_handle(request_id).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return "unknown"
            raise
        except ValueError:
            return "alive"  # a status of a newer server, such as paused, has no name here
        return "closed" if described.status in CLOSED else "alive"

    async def _end_unknown(self, unknown: Sequence[str], ask: Reconcile, *, known: int) -> int:
        """End what the namespace does not know; nothing where it seems to be another one.

        A worker that is connected to a wrong or a new namespace would find all of them unknown.
        """
        if max(known, HANDFUL) < len(unknown) and activity.info().workflow_id != END_LOST:
            log.error(
                "The namespace %r does not know %d of %d open requests of the store, such as %r, "
                "so none of these is ended. Check that TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and "
                "MUTATOR_STORE_URL belong together. If the workflows are lost for good, end the "
                "requests by: temporal workflow start --type %s --workflow-id %s --task-queue %s",
                activity.info().namespace,
                len(unknown),
                known + len(unknown),
                unknown[0],
                names.RECONCILER_TYPE,
                END_LOST,
                activity.info().task_queue,
            )
            return 0
        ended = 0
        for request_id in unknown:
            with going_on(f"request {request_id!r}"):
                # It may have been submitted again since it was looked for.
                request = await asyncio.to_thread(self.outside.store.request, request_id)
                if request is not None and await self._find(request_id) == "unknown":
                    ended += await self._end(request, ask)
            activity.heartbeat()
        return ended

    async def _end(self, stored: MutationRequest, ask: Reconcile) -> int:
        """End a request from the last snapshot of its workflow, or from the store's picture."""
        if stored.status.is_terminal:
            return 0
        request = await self._last_snapshot(stored) or stored
        if request.closing is None:
            request = cancel_by(
                request, SYSTEM, reason="Its workflow was closed without an ending."
            )
        if request.closing is None:
            return 0
        ending = Ending(request=close(request, request.closing, ask.at))
        await asyncio.to_thread(self.outside.store.end, ending)
        return 1

    def _raise_fence(self, stored: MutationRequest) -> None:
        view = self.outside.store.view(stored.request_id, stored.state_id)
        self.outside.store.note(stored, fence=view.fence + FAR_AHEAD)

    async def _last_snapshot(self, stored: MutationRequest) -> MutationRequest | None:
        """Ask the closed workflow what it knew, with nothing set going by the question.

        Where a message came and its task did not, a query lets the workflow take it, and run local
        activities for it. The fence is raised before, so that none of them commits.
        """
        await asyncio.to_thread(self._raise_fence, stored)
        handle = self.outside.client.get_workflow_handle(stored.request_id)
        try:
            found = await handle.query(
                Query.REQUEST,
                result_type=MutationRequest,
                reject_condition=QueryRejectCondition.NONE,
            )
        except (RPCError, WorkflowQueryRejectedError):
            return None
        known = found is not None and found.content_digest == stored.content_digest
        newer = known and found.decision_number >= stored.decision_number
        return found if newer and not found.status.is_terminal else None
