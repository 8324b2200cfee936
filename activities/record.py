"""Write every other ending, and keep the picture of open requests true."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import activity
from temporalio.exceptions import ApplicationError

from core.governance.lifecycle import close
from core.governance.outcome import Ending
from core.governance.request import MutationRequest
from store.protocol import Ended, Fenced
from wire.asks import Progress, Recorded, RecordOutcome, RecordProgress
from wire.names import Activity

from .asked import ended
from .outside import Outside


@dataclass(frozen=True)
class Recording:
    """The activities `record_outcome` and `record_progress`."""

    outside: Outside

    @activity.defn(name=Activity.RECORD_OUTCOME, no_thread_cancel_exception=True)
    def record_outcome(self, ask: RecordOutcome) -> Recorded:
        """Attempt the ending the request intends; answer the record that stands."""
        closing = ask.request.closing
        if closing is None:
            raise ApplicationError(
                f"Request {ask.request.request_id!r} intends no ending.",
                type="NoEndingIntended",
                non_retryable=True,
            )
        ending = Ending(request=close(ask.request, closing, ask.at))
        match self.outside.store.end(ending):
            case Ended(record, waiters):
                return Recorded(ended=record, waiters=waiters)
            case other:
                raise ApplicationError(f"An ending without a commit was answered {other!r}.")

    @activity.defn(name=Activity.RECORD_PROGRESS, no_thread_cancel_exception=True)
    def record_progress(self, ask: RecordProgress) -> Progress:
        """Keep the picture and raise the fence; never backwards."""
        match self.outside.store.note(ask.request, fence=ask.fence):
            case Ended(record, waiters):
                return Progress(ended=record, waiters=waiters)
            case Fenced(fence):
                return Progress(fenced=fence)
            case _:
                return self._seen(ask.request)

    def _seen(self, request: MutationRequest) -> Progress:
        """Answer where the state is by now, for a request that does not outlive its version."""
        if request.on_state_moved != "supersede":
            return Progress()
        view = self.outside.store.view(request.request_id, request.state_id)
        if view.ended is not None:
            return ended(Progress, self.outside, view.ended)
        return Progress(state_version=view.state.version if view.state else None)
