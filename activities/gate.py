"""Lets nobody but the workflow whose business it is ask for what changes anything.

Whoever is handed a request, or whom somebody is, or the time of a sweep, believes it, and Temporal
lets anybody with access call an activity alone, with a picture or a time made by hand. Such a call
is refused before the activity sees it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from core.governance.request import MutationRequest
from wire.asks import (
    Authenticate,
    DispatchSideEffects,
    Reconcile,
    SendWakeups,
    StoreComment,
    SupersedeRequest,
)
from wire.names import DISPATCHER_TYPE, RECONCILER_TYPE, WORKFLOW_TYPE, dispatcher_id


class OnlyItsWorkflow(Interceptor):
    """The worker's interceptor."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Wrap every activity."""
        return _Gate(next)


class _Gate(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        info = activity.info()
        for ask in input.args:
            only = _who_may(ask)
            if only and not only.is_it(info.workflow_type, info.workflow_id):
                raise ApplicationError(
                    f"Only {only.name} may ask for {info.activity_type}; {only.instead}.",
                    type="NotTheRequest",
                    non_retryable=True,
                )
        return await super().execute_activity(input)


class _Only(NamedTuple):
    """Who may ask: the workflows of a type, all of them or those of certain ids.

    Attributes:
        workflow_type: Their type.
        ids: Their ids; nothing: any.
        name: Whose workflow it is, in words.
        instead: What others do.
    """

    workflow_type: str
    ids: tuple[str, ...]
    name: str
    instead: str

    def is_it(self, workflow_type: str | None, workflow_id: str | None) -> bool:
        return workflow_type == self.workflow_type and (not self.ids or workflow_id in self.ids)


def _who_may(ask: object) -> _Only | None:
    """Answer whose workflows may ask so; nothing: anybody may."""
    match ask:
        case Reconcile():
            return _Only(RECONCILER_TYPE, (), "the reconciler", "start its workflow instead")
        case DispatchSideEffects():
            name = f"the dispatcher of {ask.state_id!r}"
            return _Only(
                DISPATCHER_TYPE, (dispatcher_id(ask.state_id),), name, "wake its workflow instead"
            )
    requests = _asked_by(ask)
    if not requests:
        return None
    name = f"the workflow of request {requests[0]!r}"
    return _Only(WORKFLOW_TYPE, requests, name, "send the request a message instead")


def _asked_by(ask: object) -> tuple[str, ...]:
    """Answer which requests' workflows may ask so; nothing: it is about none."""
    match ask:
        case SupersedeRequest():
            return ask.request_id, ask.by
        case StoreComment() | SendWakeups():
            return (ask.request_id,)
    within = ask.grant if isinstance(ask, Authenticate) else ask
    request = getattr(within, "request", None)
    return (request.request_id,) if isinstance(request, MutationRequest) else ()
