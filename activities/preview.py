"""Answer what a request would do and demand, without making one; writes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import activity

from core.context import Mode
from core.domain import DEFAULT_EXPIRY
from core.errors import MutatorError
from core.governance.alternatives import every
from core.governance.assessment import unfillable
from core.governance.lifecycle import submit
from core.governance.resolution import assessed
from wire.asks import Preview, PreviewMutation
from wire.names import Activity

from .evaluation import evaluate, load, stranger_of, unknown_of
from .facts import Lookups
from .outside import Outside


@dataclass(frozen=True)
class Previewing:
    """The activity `preview_mutation`; may be called without a workflow."""

    outside: Outside

    @activity.defn(name=Activity.PREVIEW_MUTATION, no_thread_cancel_exception=True)
    def preview_mutation(self, ask: PreviewMutation) -> Preview:
        """Evaluate in mode simulate and answer what a request would be."""
        wish = ask.wish()
        request = submit("preview", wish, ask.at, expires_in=DEFAULT_EXPIRY)
        view = self.outside.store.view(request.request_id, request.state_id)
        directory = self.outside.directory()
        stranger = stranger_of(request, directory)
        try:
            loaded = load(self.outside, request, view.state)
        except MutatorError as unknown:
            return Preview(request=request, rejection=unknown_of(unknown))
        evaluation = evaluate(
            self.outside,
            request,
            loaded,
            facts=Lookups(self.outside, request, ask.at).fresh(loaded),
            mode=Mode.SIMULATE,
            directory=directory,
        )
        assessment = evaluation.assessment
        rejection = (
            assessment.rejection
            or stranger
            or unfillable(assessment, directory, request.requester_ids)
        )
        return Preview(
            request=assessed(request, assessment, ask.at, strategy=ask.strategy),
            assessment=assessment,
            approvers={
                r.id: tuple(p.id for p in directory.able(r, request.requester_ids))
                for r in every(assessment.requirements)
            },
            rejection=rejection,
        )
