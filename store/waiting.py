"""What requests wait for, as every store has it: whom tokens name, and what budgets are asked for.

What a request claims of budgets follows from its picture alone, so that whoever reads the picture
knows what the store keeps for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from core.budgets import Use
from core.errors import InvalidValue
from core.governance.request import Category, MutationRequest, RequirementState
from core.requirements import RequirementKind

from .protocol import Reservation

MOST_USES: Final = 1000
"""How many commits in a window are told one by one."""


class Claims(NamedTuple):
    """What a request claims of budgets, as the ids of its requirements; each has a place.

    Attributes:
        held: Those it may have room for.
        asked: Those it may wait for: they are open.
        idle: Those it does not ask for now: something before them is unmet again.
    """

    held: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()

    @property
    def demanded(self) -> tuple[str, ...]:
        """Answer all it may have a place for."""
        return (*self.held, *self.asked, *self.idle)


def tokens(request: MutationRequest) -> tuple[str, ...]:
    """Answer whom an open request waits for, in lower case, and what it is told by, as it is."""
    people = (token.lower() for token in request.awaiting)
    return tuple(dict.fromkeys((*people, *request.told_by)))


def news(record: MutationRequest) -> tuple[str, ...]:
    """Answer the tokens of whoever may go on now that a request has ended.

    From the record alone: whoever asks again after the ending is answered the same.
    """
    found = [f"request:{record.request_id}"]
    before = record.snapshot.version if record.snapshot else None
    if record.resulting_version not in {None, before}:
        found.append(f"state:{record.state_id}")
    asked = (r for r in _quotas(record) if r.opened_at or _is_decided(record, r.id))
    # As they stand: an ending is never refused for what a demand was written like.
    keys = (r.requirement.parameters.get("key") for r in asked)
    found += [f"budget:{key}" for key in keys if key]
    return tuple(dict.fromkeys(found))


def claims(request: MutationRequest) -> Claims | None:
    """Answer what a request claims of budgets; `None` where it can never have asked for room.

    A picture may be older than the asking: what is demanded now, or was once, may have asked.
    """
    quotas = _quotas(request)
    if not quotas and not _is_decided(request, f"{RequirementKind.QUOTA}-"):
        return None
    unmet = [r for r in quotas if not r.holds]
    return Claims(
        held=tuple(r.id for r in quotas if r.holds),
        asked=tuple(r.id for r in unmet if r.status == "open"),
        idle=tuple(r.id for r in unmet if r.status != "open"),
    )


def use_of(
    committed: Sequence[tuple[datetime, int]], *, total: int, reserved: int, ahead: int
) -> Use:
    """Answer what a budget is used for.

    Args:
        committed: The oldest `MOST_USES` commits in the window, oldest first.
        total: How much all of them in the window are. The rest is told as if it were of the moment
            of the last one, so that whoever reckons with it is never too late.
        reserved: See `Use`.
        ahead: See `Use`.
    """
    told = tuple(committed)
    if rest := total - sum(amount for _, amount in told):
        told = (*told, (told[-1][0], rest))
    return Use(committed=told, reserved=reserved, ahead=ahead)


def raise_unless_same_budget(wanted: Reservation, budget: str) -> None:
    """Refuse a requirement that has a place in another budget: its place is in one queue.

    Raises:
        InvalidValue: It has.
    """
    if wanted.budget != budget:
        raise InvalidValue(
            f"Requirement {wanted.requirement_id!r} of request {wanted.request_id!r} has its place "
            f"in the budget {budget!r}, and cannot ask in {wanted.budget!r} as well.",
            path="/budget",
        )


def is_compensated(record: MutationRequest) -> bool:
    """Answer whether what a request executed has been undone since."""
    return any(
        d.category is Category.COMPENSATION and d.code == "Compensated" for d in record.decisions
    )


def _quotas(request: MutationRequest) -> list[RequirementState]:
    return [r for r in request.requirements if r.requirement.kind == RequirementKind.QUOTA]


def _is_decided(request: MutationRequest, beginning: str) -> bool:
    """Answer whether decisions tell of a requirement whose id begins so.

    One is opened, and that is decided, before it asks; one that is dropped is no longer demanded,
    but what was decided about it stays.
    """
    return any(
        str(d.metadata.get("requirement", "")).startswith(beginning)
        for d in request.decisions
        if d.category is Category.REQUIREMENT
    )
