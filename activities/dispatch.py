"""Dispatch side effects after the commit, in version order per state, at least once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from core.domain import Dispatch, Domain
from core.errors import AUTHORS
from core.secrets import told
from store.protocol import Delivery, StoredState
from wire.asks import Dispatched, DispatchSideEffects
from wire.names import Activity

from .author_code import in_thread
from .outside import Outside
from .states import declared_by

MAX_ATTEMPTS = 10
"""Attempts after which a handler has failed for good; recorded, and no longer in the way."""

HANDLER_TIMEOUT = 30.0
"""Seconds a handler may take."""


@dataclass(frozen=True)
class Dispatching:
    """The activity `dispatch_side_effects`."""

    outside: Outside

    @activity.defn(name=Activity.DISPATCH_SIDE_EFFECTS, no_thread_cancel_exception=True)
    def dispatch_side_effects(self, ask: DispatchSideEffects) -> Dispatched:
        """Dispatch what is left for a state; stop at the first that fails and is to be retried.

        An attempt that was replaced stops where it sees that: what it would go on with may have
        been dispatched since, and newer versions with it.
        """
        waiting = self.outside.store.undelivered(ask.state_id)
        if not waiting:
            return Dispatched()
        domain = self.outside.domains.of(ask.state_id)
        state = self.outside.store.state(ask.state_id)
        done = failed = 0
        for delivery in waiting:
            if activity.is_cancelled() or not self._is_next(delivery):
                break
            error = _deliver(domain, delivery, state)
            if error is None:
                self.outside.store.delivered(delivery.key, datetime.now(UTC))
                done += 1
                continue
            final = delivery.attempts + 1 >= MAX_ATTEMPTS
            self.outside.store.not_delivered(delivery.key, error, datetime.now(UTC), final=final)
            if not final:
                raise ApplicationError(f"{delivery.key}: {error}", type="SideEffectFailed")
            failed += 1
        return Dispatched(done=done, failed=failed, more=True)

    def _is_next(self, delivery: Delivery) -> bool:
        """Answer whether it is still the first one left: another attempt may go on meanwhile."""
        left = self.outside.store.undelivered(delivery.state_id, limit=1)
        return bool(left) and left[0].key == delivery.key


def _deliver(domain: Domain[Any], delivery: Delivery, state: StoredState | None) -> str | None:
    """Hand one side effect to its handler; answer what went wrong, or nothing.

    A contract without a handler here is only data: it stands in the record for others to act on.
    """
    handler = (domain.handlers or {}).get(delivery.effect.contract)
    if handler is None or state is None:
        return None
    dispatch = Dispatch(
        key=delivery.key,
        request_id=delivery.request_id,
        state_id=delivery.state_id,
        version=delivery.version,
        current_version=state.version,
        state=state.document,
        at=delivery.committed_at,
        attempt=delivery.attempts + 1,
    )
    try:
        in_thread(lambda: handler(delivery.effect, dispatch), HANDLER_TIMEOUT)
    except AUTHORS as error:  # a handler may raise anything; it is then retried
        return told(error, [declared_by(domain)])[:500]
    return None
