"""Lets a newer request take the place of an older one, which ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from core.errors import AUTHORS, NotSuperseding, UnknownActor, UnknownDomain
from core.governance.request import MutationRequest
from core.governance.supersession import MAX_LINE, raise_unless_superseding, superseded
from store.protocol import Conflict, Ended, EndingOfPicture
from wire.asks import SupersededRequest, SupersedeRequest
from wire.errors import refusal_of
from wire.names import Activity

from .asked import ended
from .author_code import in_thread
from .outside import Outside
from .wakeups import wake

ATTEMPTS: Final = 5
"""How often the older request is read again that has gone on meanwhile."""


@dataclass(frozen=True)
class Superseding:
    """The activity `supersede_request`."""

    outside: Outside

    @activity.defn(name=Activity.SUPERSEDE_REQUEST)
    async def supersede_request(self, ask: SupersedeRequest) -> SupersededRequest:
        """Attempt to end the older request; answer the record that stands, or why it goes on."""
        answer = await asyncio.to_thread(self._answer, ask)
        # Also where it had ended already: who ended it may have been lost before it was told.
        if answer.ended is not None and activity.info().workflow_id != ask.request_id:
            await wake(self.outside, ask.request_id)
        return answer

    def _answer(self, ask: SupersedeRequest) -> SupersededRequest:
        for _ in range(ATTEMPTS):
            if (answer := self._attempt(ask)) is not None:
                return answer
        raise ApplicationError(f"Request {ask.request_id!r} decides all the time; ask again.")

    def _attempt(self, ask: SupersedeRequest) -> SupersededRequest | None:
        """Try once; nothing means that the older one has gone on since it was read."""
        older = self.outside.store.request(ask.request_id)
        if older is None:
            missing = NotSuperseding(
                f"Request {ask.by!r} does not take the place of {ask.request_id!r}: the record has "
                "no such request.",
                request_id=ask.request_id,
                by=ask.by,
            )
            return SupersededRequest(refusal=refusal_of(missing))
        if older.status.is_terminal:
            return ended(SupersededRequest, self.outside, older)
        try:
            self._raise_unless_it_may(ask, older)
        except (NotSuperseding, UnknownActor) as refused:
            return SupersededRequest(refusal=refusal_of(refused))
        ending = EndingOfPicture(
            request=superseded(older, ask.by, ask.at, actor_id=ask.actor_id),
            made_of=older.decision_number,
        )
        match self.outside.store.end(ending):
            case Ended(record, waiters):
                return SupersededRequest(ended=record, waiters=waiters)
            case Conflict():
                return None
            case other:
                raise ApplicationError(f"An ending without a commit was answered {other!r}.")

    def _raise_unless_it_may(self, ask: SupersedeRequest, older: MutationRequest) -> None:
        raise_unless_superseding(
            older,
            self.outside.store.request(ask.by),
            self.outside.directory().person(ask.actor_id),
            by=ask.by,
            line=self._line(older, ask.by),
            is_allowed=self._is_allowed(ask.actor_id, older),
        )

    def _line(self, older: MutationRequest, by: str) -> list[str]:
        """Answer whose place the older one would take, and they in turn; see `supersession`."""
        line: list[str] = []
        each: MutationRequest | None = older
        while each is not None and each.supersedes and len(line) < MAX_LINE:
            line.append(each.supersedes)
            if each.supersedes == by:
                break
            found = self.outside.store.request(each.supersedes)
            each = found if found is not None and not found.status.is_terminal else None
        return line

    def _is_allowed(self, actor_id: str, older: MutationRequest) -> bool:
        """Ask the domain's rule, if it has one; one that cannot say does not allow it."""
        try:
            domain = self.outside.domains.of(older.state_id)
        except UnknownDomain:
            return False
        allows = domain.may_supersede
        if allows is None:
            return False
        requester = older.context.actor_id
        try:
            return in_thread(lambda: allows(actor_id, requester), domain.options.timeout) is True
        except AUTHORS:  # an author's rule may raise anything
            return False
