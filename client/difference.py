"""What would be done now that is not what somebody granted."""

from __future__ import annotations

from core.governance.request import MutationRequest
from core.governance.resolution import shown_difference
from core.model import Value


class Difference(Value):
    """What would be done now that is not what somebody granted.

    Attributes:
        standing: Whether their grant still counts; else it lapsed and they are asked again.
        lines: One a change: `-` as it was shown to them, `+` as it is now.
    """

    actor_id: str
    standing: bool
    lines: tuple[str, ...] = ()


def differences(request: MutationRequest) -> tuple[Difference, ...]:
    """Answer, for each approver, how today's effect differs from the one they granted.

    A grant that lapsed is remembered until its approver answers again.
    """
    lapsed: dict[str, tuple[str, ...]] = {}
    for decision in request.decisions:
        if decision.code in {"Granted", "Refused"}:
            lapsed.pop(decision.actor_id, None)
        gone = decision.metadata.get("grants_lapsed")
        change = decision.metadata.get("difference")
        approved = change.get("approved") if isinstance(change, dict) else None
        if isinstance(gone, list):
            lines = tuple(map(str, approved)) if isinstance(approved, list) else ()
            for actor in gone:
                lapsed.setdefault(str(actor), lines)
    now = request.effect.lines if request.effect else ()
    found = [
        Difference(actor_id=actor, standing=False, lines=_compared(then, now) if then else ())
        for actor, then in lapsed.items()
    ]
    found += [
        Difference(actor_id=answer.actor_id, standing=True, lines=lines)
        for answer in request.answers
        if answer.verdict == "grant" and (lines := shown_difference(answer, request))
    ]
    return tuple(found)


def _compared(then: tuple[str, ...], now: tuple[str, ...]) -> tuple[str, ...]:
    gone = [f"- {line}" for line in then if line not in now]
    return (*gone, *(f"+ {line}" for line in now if line not in then))
