"""Holds the request: asks the outside about it, adopts the record, keeps what others see true."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from core.errors import RequestIdReused
    from core.governance import fulfilment
    from core.governance.assessment import Plan
    from core.governance.lifecycle import hold
    from core.governance.request import MutationRequest
    from core.governance.resolution import is_superseded, superseded_by_version
    from core.model import Value
    from wire import asks
    from wire.asks import Answered, E
    from wire.names import Activity

from .asking import Asking
from .doors import Doors, raise_named
from .inbox import Inbox, Incoming
from .options import ASK, GRANT_AT_ONCE_SINCE, LOCAL_FIRST_SINCE, NOTE
from .presence import Presence


class Holding(Doors):
    """The one frozen request, replaced; whatever is asked about it, and what the store says."""

    def __init__(self) -> None:
        """Begin with nothing asked."""
        info = workflow.info()
        self._inbox = Inbox()
        self._presence = Presence()
        self._asking = Asking()
        self._stuck = False
        self._unreadable = None
        self._kept: object = None
        self._waiters = False
        self._is_fast = info.start_time >= LOCAL_FIRST_SINCE
        self._at_once = info.start_time >= GRANT_AT_ONCE_SINCE
        self._asking.plan = Plan(local=self._is_fast)

    async def _take(self, incoming: Incoming) -> None:
        """Take one message; see `taking`."""
        raise NotImplementedError

    @property
    def _ended(self) -> bool:
        return self._request.status.is_terminal

    def _now(self, request: MutationRequest) -> None:
        self._request = request

    def _adopt(self, answer: Answered) -> bool:
        """Adopt the record of the store, whatever was believed; true when there is one."""
        self._waiters = self._waiters or answer.waiters
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

    def _learn(self, plan: Plan) -> None:
        """Learn how what is demanded now is checked; how to ask was fixed at the beginning."""
        checks = self._asking.plan.checks | plan.checks
        self._asking.plan = self._asking.plan.model_copy(update={"checks": checks})

    # --- asking

    async def _ask(self, name: str, ask: Value, answer_type: type[E], summary: str) -> E | None:
        """Ask once, at most a minute; take what pre-empts meanwhile. Nothing: it did not count."""
        if not self._asking.plan.local:
            self._presence.details(self._request)
        task = self._asking.begin(name, ask, answer_type, summary)
        deadline = fulfilment.next_deadline(self._request)
        if deadline - self._asking.now <= ASK:
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
            self._now(hold(self._request, reason, self._asking.now))
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
            self._now(fulfilment.expire(self._request, self._asking.now))
        return early

    # --- what others see

    async def _keep_picture(self) -> None:
        """Keep what others see true: the words, the attributes, the store's picture."""
        self._presence.details(self._request)
        self._presence.attributes(self._request)
        if self._kept != picture_of(self._request):
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
        if self._adopt(answer):
            return
        self._asking.is_fenced(answer)
        self._kept = picture_of(self._request)
        if is_superseded(self._request, answer.state_version):
            self._now(superseded_by_version(self._request, answer.state_version))


def picture_of(request: MutationRequest) -> object:
    """Answer what the store's picture must follow: status, reasons, whom it waits for."""
    return (request.status, request.pending, request.round, request.binding, request.held)
