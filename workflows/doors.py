"""The doors of a request: signals, updates, queries. Handlers append to the inbox and only wait.

A signal handler never raises: what cannot be read is recorded as refused. An update is refused by
its validator only when it is malformed; whatever else is wrong with it is its answer, by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from core.errors import MutatorError
    from core.governance.request import MutationRequest
    from wire.errors import error_of
    from wire.messages import Reply, read_message, reply_of
    from wire.names import Query, Signal, Update
    from wire.why import WhyBlocked, why_blocked

from .inbox import Inbox
from .options import SETTLE


class Doors:
    """What can be sent to a request and asked of it; the story is in the subclass.

    Attributes:
        _inbox: Where messages are appended.
        _request: The request as it is.
        _unreadable: Why there is no request, where the start payload could not be read.
    """

    _inbox: Inbox
    _request: MutationRequest
    _unreadable: MutatorError | None

    @workflow.signal(name=Signal.APPROVE, description="Grant the request: a decision payload.")
    def approve(self, *payloads: Any) -> None:
        """Append to the inbox."""
        self._inbox.put_signal(Signal.APPROVE, payloads, workflow.now())

    @workflow.signal(name=Signal.REJECT, description="Refuse the request: a decision payload.")
    def reject(self, *payloads: Any) -> None:
        """Append to the inbox."""
        self._inbox.put_signal(Signal.REJECT, payloads, workflow.now())

    @workflow.signal(name=Signal.WITHDRAW, description="Take a grant back: a decision payload.")
    def withdraw(self, *payloads: Any) -> None:
        """Append to the inbox."""
        self._inbox.put_signal(Signal.WITHDRAW, payloads, workflow.now())

    @workflow.signal(name=Signal.CANCEL, description="Cancel the request: requester or operator.")
    def cancel(self, *payloads: Any) -> None:
        """Append to the inbox."""
        self._inbox.put_signal(Signal.CANCEL, payloads, workflow.now())

    @workflow.signal(name=Signal.FULFIL, description="Answer a callback check or a review.")
    def fulfil(self, *payloads: Any) -> None:
        """Append to the inbox."""
        self._inbox.put_signal(Signal.FULFIL, payloads, workflow.now())

    @workflow.signal(
        name=Signal.SUPERSEDE, description="A newer request takes its place: names it in `by`."
    )
    def supersede(self, *payloads: Any) -> None:
        """Append to the inbox."""
        self._inbox.put_signal(Signal.SUPERSEDE, payloads, workflow.now())

    @workflow.signal(name=Signal.DELEGATE, description="Let another answer in one's place.")
    def delegate(self, *payloads: Any) -> None:
        """Append to the inbox."""
        self._inbox.put_signal(Signal.DELEGATE, payloads, workflow.now())

    @workflow.signal(name=Signal.COMMENT, description="Say something; it decides nothing.")
    def comment(self, *payloads: Any) -> None:
        """Append to the inbox."""
        self._inbox.put_signal(Signal.COMMENT, payloads, workflow.now())

    @workflow.signal(name=Signal.WAKE, description="Read the store again; carries nothing.")
    def wake(self, *payloads: Any) -> None:
        """Append to the inbox."""
        self._inbox.put_signal(Signal.WAKE, payloads, workflow.now())

    @workflow.signal(dynamic=True, description="Anything else is recorded and does not count.")
    def unknown(self, name: str, payloads: Sequence[RawValue]) -> None:
        """Append to the inbox, to be recorded."""
        self._inbox.put_signal(name, payloads, workflow.now())

    @workflow.update(name=Update.DECIDE, description="approve, reject or withdraw, answered.")
    async def decide(self, *payloads: Any) -> Reply:
        """Append, then only wait for the answer."""
        return await self._answered(Update.DECIDE, payloads)

    @decide.validator
    def _decide_is_readable(self, *payloads: Any) -> None:
        self._validate(Update.DECIDE, payloads)

    @workflow.update(name=Update.CANCEL_REQUEST, description="Cancel; answers what the store said.")
    async def cancel_request(self, *payloads: Any) -> Reply:
        """Append, then only wait for the answer."""
        return await self._answered(Update.CANCEL_REQUEST, payloads)

    @cancel_request.validator
    def _cancel_is_readable(self, *payloads: Any) -> None:
        self._validate(Update.CANCEL_REQUEST, payloads)

    @workflow.update(
        name=Update.FULFIL_REQUIREMENT, description="Answer a check or a review, answered."
    )
    async def fulfil_requirement(self, *payloads: Any) -> Reply:
        """Append, then only wait for the answer."""
        return await self._answered(Update.FULFIL_REQUIREMENT, payloads)

    @fulfil_requirement.validator
    def _fulfilment_is_readable(self, *payloads: Any) -> None:
        self._validate(Update.FULFIL_REQUIREMENT, payloads)

    @workflow.update(name=Update.REFRESH, description="Assess anew on the state as it is.")
    async def refresh(self, *payloads: Any) -> Reply:
        """Append, then only wait for the answer."""
        return await self._answered(Update.REFRESH, payloads)

    @refresh.validator
    def _refresh_is_readable(self, *payloads: Any) -> None:
        self._validate(Update.REFRESH, payloads)

    @workflow.query(name=Query.REQUEST, description="The request: everything about it.")
    def request(self) -> MutationRequest:
        """Answer the request."""
        self._raise_if_unreadable()
        return self._request

    @workflow.query(name=Query.WHY_BLOCKED, description="What is unmet, and who can meet it.")
    def why_blocked(self) -> WhyBlocked:
        """Answer why it has not executed yet."""
        self._raise_if_unreadable()
        return why_blocked(self._request)

    def _validate(self, name: str, payloads: Sequence[Any]) -> None:
        self._raise_if_unreadable()
        try:
            read_message(name, payloads)
        except MutatorError as error:
            raise_named(error)

    def _raise_if_unreadable(self) -> None:
        if self._unreadable is not None:
            raise_named(self._unreadable)

    async def _answered(self, name: str, payloads: Sequence[Any]) -> Reply:
        incoming = self._inbox.put_update(name, read_message(name, payloads), workflow.now())
        try:
            await workflow.wait_condition(
                lambda: incoming.done,
                timeout=SETTLE,
                timeout_summary=f"How long the caller of {name} waits for the answer",
            )
        except TimeoutError:
            return reply_of(self._request, settled=False)
        if incoming.refusal is not None:
            refusal = incoming.refusal
            raise_named(error_of(refusal.type, refusal.message, refusal.details))
        return reply_of(self._request)


def raise_named(error: MutatorError) -> NoReturn:
    """Raise a domain error as the named failure that callers get."""
    raise ApplicationError(
        error.message, error.details, type=error.code, non_retryable=True
    ) from error
