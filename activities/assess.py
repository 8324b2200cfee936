"""Assess a request on the state as it is, register it, and keep the answer of the ask."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import activity

from core.context import Mode
from core.errors import MutatorError
from core.governance.assessment import unfillable, unsatisfiable
from core.governance.outcome import reject
from core.governance.people import SYSTEM
from core.governance.request import MutationRequest, Rejection
from core.governance.resolution import adopt, assessed
from store.protocol import Ask, Ended, Fenced, View
from wire.asks import Assessed, AssessRequest
from wire.names import Activity

from .asked import answered, ended
from .evaluation import Evaluation, evaluate, load, stranger_of, unknown_of, with_deadline
from .facts import Lookups
from .outside import Outside


@dataclass(frozen=True)
class Assessing:
    """The activity `assess_request`."""

    outside: Outside

    @activity.defn(name=Activity.ASSESS_REQUEST, no_thread_cancel_exception=True)
    def assess_request(self, ask: AssessRequest) -> Assessed:
        """Evaluate the request, register it with what follows, and answer the assessment."""
        request = ask.request
        view = self.outside.store.view(request.request_id, request.state_id)
        if view.ended is not None:
            return ended(Assessed, self.outside, view.ended)
        key = Ask(
            request_id=request.request_id, round=request.round, fence=ask.fence, kind="assess"
        )
        if (stored := answered(self.outside, key, request, view.fence)) is not None:
            return Assessed.model_validate(stored)
        if activity.info().is_local and self._wants_remote(request):
            return Assessed(remotely=True)
        answer, evaluation = self._assess(ask, view)
        noted = self.outside.store.note(
            after(ask, answer),
            fence=ask.fence,
            ask=key,
            answer=answer.model_dump(mode="json"),
            audit=[evaluation.result.audit] if evaluation else [],
            seed=evaluation.loaded.stored if evaluation and view.state is None else None,
        )
        match noted:
            case Ended(record, waiters):
                return Assessed(ended=record, waiters=waiters)
            case Fenced(fence):
                return Assessed(fenced=fence)
            case _:
                return Assessed.model_validate(noted.answer)

    def _wants_remote(self, request: MutationRequest) -> bool:
        """Answer whether the domain wants this request's code run remotely from the start."""
        try:
            domain = self.outside.domains.of(request.state_id)
            return not domain.is_local(request.mutations)
        except MutatorError:
            return False

    def _assess(self, ask: AssessRequest, view: View) -> tuple[Assessed, Evaluation | None]:
        request = ask.request
        directory = self.outside.directory()
        if stranger := stranger_of(request, directory):
            return _no(ask, stranger), None
        try:
            loaded = load(self.outside, request, view.state)
        except MutatorError as unknown:
            return _no(ask, unknown_of(unknown)), None
        request = with_deadline(request, loaded, own=ask.own_deadline or ask.refresh)
        evaluation = evaluate(
            self.outside,
            request,
            loaded,
            facts=Lookups(self.outside, request, ask.at).fresh(loaded),
            mode=Mode.SIMULATE,
            directory=directory,
        )
        assessment = evaluation.assessment
        if ask.refresh and evaluation.held is not None:
            return Assessed(held=evaluation.held), evaluation
        if not ask.refresh and assessment.rejection is None:
            rejection = unfillable(assessment, directory, request.requester_ids) or unsatisfiable(
                assessment, request.expires_at
            )
            assessment = assessment.model_copy(update={"rejection": rejection})
        return Assessed(assessment=assessment), evaluation


def after(ask: AssessRequest, answer: Assessed) -> MutationRequest:
    """Answer the request as it follows from an assessment; the workflow concludes the same."""
    if answer.rejection is not None:
        return reject(ask.request, answer.rejection, actor_id=SYSTEM)
    if answer.assessment is None:
        return ask.request
    if ask.refresh:
        return adopt(ask.request, answer.assessment, ask.at)
    return assessed(
        ask.request,
        answer.assessment,
        ask.at,
        strategy=ask.strategy,
        own_deadline=ask.own_deadline,
    )


def _no(ask: AssessRequest, rejection: Rejection) -> Assessed:
    """At submission what is unknown rejects; later it is missing, and the request is left alone."""
    return Assessed(held=rejection.message) if ask.refresh else Assessed(rejection=rejection)
