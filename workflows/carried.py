"""What one run of a request hands to the next, so that no history grows without end.

Nothing is lost between them: no decision, no deadline, no id of a message that was taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.errors import InvalidValue
from core.governance.assessment import Plan
from core.governance.request import MutationRequest
from core.model import Value
from wire.asks import Refusal


class Taken(Value):
    """A message that took its id, and what it was answered."""

    actor_id: str
    decision_id: str
    said: str
    refusal: Refusal | None = None


class Carried(Value):
    """Everything a run knows that its start payload does not say.

    Attributes:
        fence: The number of the last ask.
        has_superseded: The attempt to take an older request's place has been answered.
    """

    schema_version: int = 1
    request: MutationRequest
    plan: Plan
    fence: int
    taken: tuple[Taken, ...] = ()
    has_superseded: bool = False


def read_carried(payloads: Sequence[Any]) -> Carried:
    """Read what the run before handed over.

    Only for a run that continues another: what a caller sends beside the start payload is refused
    like any other payload too many.

    Raises:
        InvalidValue: It is not there.
    """
    if len(payloads) != 2:  # noqa: PLR2004 - the start payload, and this
        message = "A run that continues another is handed the start payload and what it carries."
        raise InvalidValue(message)
    return Carried.model_validate(payloads[1])
