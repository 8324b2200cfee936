"""Answer what a request would do and demand, without making one; writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import JsonValue
from temporalio import activity

from core.context import Mode
from core.domain import DEFAULT_EXPIRY
from core.errors import MutatorError
from core.governance.alternatives import every
from core.governance.assessment import unfillable, unsatisfiable
from core.governance.lifecycle import submit
from core.governance.people import Directory
from core.governance.request import Wish
from core.governance.resolution import assessed
from core.policy import Verdict
from store.protocol import View
from wire.asks import Preview, PreviewMutation
from wire.names import Activity
from wire.varying import Varied, joined

from .evaluation import evaluate, load, stranger_of, unknown_of, with_deadline
from .facts import Lookups
from .outside import Outside

PREVIEW: Final = "preview"
"""The id of a request that is never made."""

VARIED_WITHIN = 15.0
"""Seconds that values of a parameter are tried for; the rest are told as untried."""


@dataclass(frozen=True)
class Previewing:
    """The activity `preview_mutation`; may be called without a workflow."""

    outside: Outside

    @activity.defn(name=Activity.PREVIEW_MUTATION, no_thread_cancel_exception=True)
    def preview_mutation(self, ask: PreviewMutation) -> Preview:
        """Evaluate in mode simulate and answer what a request would be."""
        view = self.outside.store.view(PREVIEW, ask.state_id)
        directory = self.outside.directory()
        shown = self._preview(ask.wish(), ask.at, view, directory)
        if ask.vary is None:
            return shown
        return self._varied(ask, ask.vary.tried, view, directory, shown)

    def _preview(self, wish: Wish, at: datetime, view: View, directory: Directory) -> Preview:
        """Answer one request that would be."""
        expires_in = wish.expires_in or DEFAULT_EXPIRY
        request = submit(PREVIEW, wish, at, expires_in=expires_in)
        if stranger := stranger_of(request, directory):
            return Preview(request=request, rejection=stranger)
        try:
            loaded = load(self.outside, request, view.state)
        except MutatorError as unknown:
            return Preview(request=request, rejection=unknown_of(unknown))
        request = with_deadline(request, loaded, own=wish.expires_in is not None)
        evaluation = evaluate(
            self.outside,
            request,
            loaded,
            facts=Lookups(self.outside, request, at).fresh(loaded),
            mode=Mode.SIMULATE,
            directory=directory,
        )
        assessment = evaluation.assessment
        would_be = assessed(
            request,
            assessment,
            at,
            strategy=wish.strategy,
            own_deadline=wish.expires_in is not None,
        )
        return Preview(
            request=would_be,
            assessment=assessment,
            approvers={
                r.id: tuple(p.id for p in directory.able(r, request.requester_ids))
                for r in every(assessment.requirements)
            },
            rejection=(
                assessment.rejection
                or unfillable(assessment, directory, request.requester_ids)
                or unsatisfiable(assessment, would_be.expires_at)
                or (would_be.closing.rejection if would_be.closing else None)
            ),
        )

    def _varied(
        self,
        ask: PreviewMutation,
        values: Sequence[JsonValue],
        view: View,
        directory: Directory,
        shown: Preview,
    ) -> Preview:
        """Try one value after the other on the same state, as long as there is time."""
        until = self.outside.clock() + VARIED_WITHIN
        found: list[Varied] = []
        for value in values:
            if self.outside.clock() > until:
                break
            would_be = self._preview(ask.wish_with(value), ask.at, view, directory)
            found.append(_fares(value, would_be))
        untried = len(values) - len(found)
        return shown.model_copy(update={"varied": joined(found), "untried": untried})


def _fares(value: JsonValue, preview: Preview) -> Varied:
    """Say in short how a request with a value would fare."""
    verdict = Verdict.ALLOW
    if preview.rejection is not None:
        verdict = Verdict.DENY
    elif preview.request.pending:
        verdict = Verdict.REQUIRE
    return Varied(
        first=value,
        last=value,
        verdict=verdict,
        pending=preview.request.pending if verdict is Verdict.REQUIRE else (),
        rejection=preview.rejection,
    )
