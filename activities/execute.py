"""Execute an approved request: run the engine in mode commit and write the ending, once.

The permission is the request's snapshot: the version and the effect that version resolution
answered. What is found on another version, or has another effect, is resolved again here; only a
resolution that changes the request goes back to the workflow.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from temporalio import activity

from core.context import Mode
from core.errors import MutatorError
from core.facts import Facts
from core.governance.outcome import Commit, Ending, executed
from core.governance.people import SYSTEM
from core.governance.request import MutationRequest
from core.governance.resolution import Resolution, resolved
from store.protocol import EXECUTE, Ask, Conflict, Ended, Fenced
from wire.asks import Executed, ExecuteMutation
from wire.names import Activity

from .asked import answered, ended
from .evaluation import Evaluation, Loaded, load
from .facts import Lookups, StateMoved
from .outside import Outside
from .resolve import compare
from .states import state_digest

ATTEMPTS = 5
"""How often a lost race is run again before the workflow is asked to queue."""


@dataclass(frozen=True)
class Executing:
    """The activity `execute_mutation`."""

    outside: Outside

    @activity.defn(name=Activity.EXECUTE_MUTATION, no_thread_cancel_exception=True)
    def execute_mutation(self, ask: ExecuteMutation) -> Executed:
        """Commit and end the request, or answer why not."""
        lookups = Lookups(self.outside, ask.request, ask.at)
        answer = self._attempt(ask, lookups.fresh)
        for _ in range(ATTEMPTS - 1):
            if answer is not None:
                return answer
            self._renew(ask, lookups)
            with suppress(StateMoved), self.outside.store.turn(ask.request.state_id):
                answer = self._attempt(ask, lookups.of_this)
        return answer or Executed(contended=True)

    def _renew(self, ask: ExecuteMutation, lookups: Lookups) -> None:
        """Look up again what is too old by now; whoever has the turn waits for nobody outside."""
        if lookups.are_usable:
            return
        view = self.outside.store.view(ask.request.request_id, ask.request.state_id)
        with suppress(MutatorError):  # what cannot be loaded is found, and named, in the turn
            lookups.fresh(load(self.outside, ask.request, view.state))

    def _attempt(
        self, ask: ExecuteMutation, facts_of: Callable[[Loaded], Facts]
    ) -> Executed | None:
        """Try once; nothing means that somebody committed first."""
        request = ask.request
        view = self.outside.store.view(request.request_id, request.state_id)
        if view.ended is not None:
            return ended(Executed, self.outside, view.ended)
        if (said := self._said(ask, view.fence)) is not None:
            return said
        resolution, evaluation = compare(
            self.outside,
            request,
            view.state,
            facts_of=facts_of,
            at=ask.at,
            fence=ask.fence,
            mode=Mode.COMMIT,
        )
        if evaluation is None or not resolution.outcome.executes:
            return self._changed(ask, resolution, evaluation)
        ending = _ending(self.outside, ask, resolved(request, resolution), evaluation)
        match self.outside.store.end(ending):
            case Ended(record, waiters):
                return Executed(ended=record, waiters=waiters)
            case Fenced(fence):
                return self._said(ask, fence) or Executed(fenced=fence)
            case Conflict():
                return None

    def _said(self, ask: ExecuteMutation, fence: int) -> Executed | None:
        """Answer what has been said already where the store has seen a fence; perhaps nothing."""
        if fence > ask.fence:
            return Executed(fenced=fence)
        stored = answered(self.outside, _key(ask), ask.request, fence)
        return None if stored is None else Executed.model_validate(stored)

    def _changed(
        self, ask: ExecuteMutation, resolution: Resolution, evaluation: Evaluation | None
    ) -> Executed:
        """Keep and answer a resolution that changes the request, or a stored one before it."""
        request = ask.request
        noted = self.outside.store.note(
            resolved(request, resolution),
            fence=ask.fence,
            ask=_key(ask),
            answer=Executed(resolution=resolution).model_dump(mode="json"),
            audit=[evaluation.result.audit] if evaluation else [],
        )
        match noted:
            case Ended(record, waiters):
                return Executed(ended=record, waiters=waiters)
            case Fenced(fence):
                return Executed(fenced=fence)
            case _:
                return Executed.model_validate(noted.answer)


def _key(ask: ExecuteMutation) -> Ask:
    request = ask.request
    return Ask(request_id=request.request_id, round=request.round, fence=ask.fence, kind=EXECUTE)


def _ending(
    outside: Outside, ask: ExecuteMutation, request: MutationRequest, evaluation: Evaluation
) -> Ending:
    result, loaded = evaluation.result, evaluation.loaded
    committed_at = loaded.stored.committed_at
    at = max(ask.at, committed_at) if committed_at else ask.at
    changed = result.history is not None
    closed = executed(
        request,
        result,
        version=loaded.stored.version + (1 if changed else 0),
        at=at,
        actor_id=SYSTEM,
    )
    return Ending(
        request=closed,
        fence=ask.fence,
        commit=Commit(
            state_id=request.state_id,
            expected_version=loaded.stored.version,
            document=result.document if changed else None,
            schema_version=loaded.domain.schema_version,
            digest=state_digest(outside, loaded.domain, result.document)
            if changed
            else loaded.stored.digest,
            history=result.history.model_copy(update={"at": closed.executed_at})
            if result.history
            else None,
        ),
        audit=(result.audit,),
    )
