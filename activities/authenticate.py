"""Look up who sent a message; what they may do is decided by `core.governance`."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import activity

from core.errors import UnknownActor
from wire.asks import Authenticate, Authenticated
from wire.errors import refusal_of
from wire.names import Activity

from .outside import Outside


@dataclass(frozen=True)
class Authenticating:
    """The activity `authenticate`, in `trusted` mode: the actor id is believed if it is known."""

    outside: Outside

    @activity.defn(name=Activity.AUTHENTICATE, no_thread_cancel_exception=True)
    def authenticate(self, ask: Authenticate) -> Authenticated:
        """Answer the person, or why they are nobody; and the version the state is at."""
        view = self.outside.store.view(ask.request_id, ask.state_id)
        try:
            person = self.outside.directory().person(ask.actor_id)
        except UnknownActor as unknown:
            return Authenticated(ended=view.ended, refusal=refusal_of(unknown))
        return Authenticated(
            ended=view.ended,
            person=person,
            state_version=view.state.version if view.state else None,
        )
