"""Resolve an approved request against the state as it is, and keep the answer of the ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from temporalio import activity

from core.context import Mode
from core.errors import MutatorError
from core.facts import Facts
from core.governance.request import MutationRequest
from core.governance.resolution import Resolution, ResolutionOutcome, resolve, resolved
from store.protocol import Ask, Ended, Fenced, StoredState
from wire.asks import Resolved, ResolveVersion
from wire.names import Activity

from .asked import answered, ended
from .evaluation import Evaluation, Loaded, evaluate, load
from .facts import Lookups
from .outside import Outside


@dataclass(frozen=True)
class Resolving:
    """The activity `resolve_version`."""

    outside: Outside

    @activity.defn(name=Activity.RESOLVE_VERSION, no_thread_cancel_exception=True)
    def resolve_version(self, ask: ResolveVersion) -> Resolved:
        """Evaluate again, compare, register what follows, and answer the resolution."""
        request = ask.request
        view = self.outside.store.view(request.request_id, request.state_id)
        if view.ended is not None:
            return ended(Resolved, self.outside, view.ended)
        key = Ask(
            request_id=request.request_id, round=request.round, fence=ask.fence, kind="resolve"
        )
        if (stored := answered(self.outside, key, request, view.fence)) is not None:
            return Resolved.model_validate(stored)
        resolution, evaluation = compare(
            self.outside,
            request,
            view.state,
            facts_of=Lookups(self.outside, request, ask.at).fresh,
            at=ask.at,
            fence=ask.fence,
            mode=Mode.SIMULATE,
        )
        noted = self.outside.store.note(
            resolved(request, resolution),
            fence=ask.fence,
            ask=key,
            answer=Resolved(resolution=resolution).model_dump(mode="json"),
            audit=[evaluation.result.audit] if evaluation else [],
        )
        match noted:
            case Ended(record, waiters):
                return Resolved(ended=record, waiters=waiters)
            case Fenced(fence):
                return Resolved(fenced=fence)
            case _:
                return Resolved.model_validate(noted.answer)


def compare(
    outside: Outside,
    request: MutationRequest,
    stored: StoredState | None,
    *,
    facts_of: Callable[[Loaded], Facts],
    at: datetime,
    fence: int,
    mode: Mode,
) -> tuple[Resolution, Evaluation | None]:
    """Evaluate the request on the stored state and resolve it; the one way to do so.

    What is missing now and was there at submission holds the request; it never rejects it.

    Args:
        outside: The domains, the directory, the store.
        request: What is to be resolved.
        stored: The state as the store has it.
        facts_of: Answers what policies are told.
        at: The workflow's time.
        fence: The number of the ask.
        mode: How far the engine is to go.
    """
    directory = outside.directory()
    try:
        loaded = load(outside, request, stored)
    except MutatorError as missing:
        return _held(request, at, fence, missing.message), None
    evaluation = evaluate(
        outside, request, loaded, facts=facts_of(loaded), mode=mode, directory=directory
    )
    if evaluation.held is not None:
        return _held(request, at, fence, evaluation.held), evaluation
    drift: tuple[str, ...] = ()
    if request.snapshot is not None and request.snapshot.version < loaded.stored.version:
        drift = outside.store.drift(
            request.state_id, request.snapshot.version, loaded.stored.version
        )
    resolution = resolve(
        request,
        evaluation.assessment,
        directory=directory,
        at=at,
        fence=fence,
        drift=drift,
    )
    return resolution, evaluation


def _held(request: MutationRequest, at: datetime, fence: int, reason: str) -> Resolution:
    return Resolution(
        round=request.round, fence=fence, at=at, outcome=ResolutionOutcome.HELD, held=reason
    )
