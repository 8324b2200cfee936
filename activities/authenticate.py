"""Look up who sent a message; what they may do is decided by `core.governance`.

Locally a grant comes along that may be the last one needed. Then the request is carried out in the
same ask, by the same functions: one workflow task less between an approval and its commit.
"""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import activity

from core.errors import DecisionRefused, UnknownActor
from core.governance import approval
from core.governance.people import Directory, Person
from core.governance.request import Status
from core.governance.resolution import first_grant_needs_refresh
from wire.asks import Authenticate, Authenticated, Executed, ExecuteMutation, Grant, Refusal
from wire.errors import refusal_of
from wire.names import Activity

from .asked import ended
from .execute import Executing
from .outside import Outside


@dataclass(frozen=True)
class Authenticating:
    """The activity `authenticate`, in `trusted` mode: the actor id is believed if it is known."""

    outside: Outside

    @activity.defn(name=Activity.AUTHENTICATE, no_thread_cancel_exception=True)
    def authenticate(self, ask: Authenticate) -> Authenticated:
        """Answer the person, or why they are nobody; and the version the state is at."""
        view = self.outside.store.view(ask.request_id, ask.state_id)
        directory = self.outside.directory()
        person, refusal = _looked_up(directory, ask.actor_id)
        answer = Authenticated(refusal=refusal)
        if view.ended is not None:
            answer = ended(Authenticated, self.outside, view.ended)
            answer = answer.model_copy(update={"refusal": refusal})
        if person is None:
            return answer
        to, to_refusal = _looked_up(directory, ask.to) if ask.to is not None else (None, None)
        version = view.state.version if view.state else None
        carried_out = None
        if ask.grant is not None and view.ended is None:
            carried_out = self._carried_out(ask.grant, person, version)
        return answer.model_copy(
            update={
                "person": person,
                "state_version": version,
                "carried_out": carried_out,
                "to": to,
                "to_refusal": to_refusal,
            }
        )

    def _carried_out(self, grant: Grant, person: Person, version: int | None) -> Executed | None:
        """Carry the request out, if this grant is the last one it needs."""
        if first_grant_needs_refresh(grant.request, version):
            return None
        try:
            request = approval.grant(
                grant.request, person, grant.granted_at, **grant.message.decision()
            )
        except DecisionRefused:
            return None  # the workflow refuses it by the same function
        if request.status is not Status.APPROVED:
            return None
        return Executing(self.outside).execute_mutation(
            ExecuteMutation(request=request, at=grant.at, fence=grant.fence)
        )


def _looked_up(directory: Directory, actor_id: str) -> tuple[Person | None, Refusal | None]:
    try:
        return directory.person(actor_id), None
    except UnknownActor as unknown:
        return None, refusal_of(unknown)
