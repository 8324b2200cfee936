"""How a newer request takes the place of an older one on the same state.

The newer names the older when it is submitted. The older one then ends Superseded, unless it has
ended already; a newer one that may not take its place is refused by name, and goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..errors import NotSuperseding
from .lifecycle import close, refuse_message
from .people import OPERATOR, Person
from .request import Closing, Link, MutationRequest, RefusedMessage, Status

SUPERSEDED_BY = "superseded_by"
"""How the older request is linked to the newer one."""

SUPERSEDES = "supersedes"
"""How the newer request is linked to the older one."""

MAX_LINE = 100
"""How many requests may stand in a line in which each is to take the place of the next."""


def raise_unless_superseding(
    older: MutationRequest,
    newer: MutationRequest | None,
    actor: Person,
    *,
    by: str,
    line: Sequence[str] = (),
    is_allowed: bool = False,
) -> None:
    """Refuse a newer request that may not take an older one's place.

    Args:
        older: The request whose place it is; open.
        newer: What the record says of the newer one; `None`: nothing.
        actor: Who wants it so.
        by: The id of the newer one.
        line: Whose place the older one would take, and they in turn, up to the first that has
            ended; at most `MAX_LINE`.
        is_allowed: Whether the domain lets the actor, besides those who may anyway.

    Raises:
        NotSuperseding: It may not; the sentence says why.
    """
    why = _why_not(older, newer, by, line)
    rightful = actor.id.lower() in older.requester_ids or f"role:{OPERATOR}" in actor.tokens
    if why is None and not (rightful or is_allowed):
        why = (
            f"{actor.id} may not let go of it; its requester {older.context.actor_id} may, and "
            f"the role {OPERATOR!r}"
        )
    if why is not None:
        raise NotSuperseding(
            f"Request {by!r} does not take the place of {older.request_id!r}: {why}.",
            request_id=older.request_id,
            by=by,
        )


def superseded(older: MutationRequest, by: str, at: datetime, *, actor_id: str) -> MutationRequest:
    """End a request whose place a newer one takes.

    Raises:
        InvalidTransition: It has ended already.
    """
    ended = close(
        older,
        Closing(
            status=Status.SUPERSEDED, actor_id=actor_id, reason=f"Request {by!r} takes its place."
        ),
        at,
    )
    link = Link(request_id=by, relation=SUPERSEDED_BY)
    return ended.model_copy(update={"links": (*ended.links, link)})


def supersedes(
    newer: MutationRequest, older: MutationRequest | None, refused: str | None
) -> MutationRequest:
    """Tell the newer request what became of its attempt; it goes on, whatever that is.

    Args:
        newer: The request that names an older one.
        older: The older one's record, where it has ended.
        refused: Why it may not take its place, where it may not.
    """
    if older is not None and is_superseded_by(older, newer.request_id):
        link = Link(request_id=older.request_id, relation=SUPERSEDES)
        known = link in newer.links
        return newer if known else newer.model_copy(update={"links": (*newer.links, link)})
    why = refused or (
        f"Request {newer.supersedes!r} has ended already"
        f"{f': {older.status.value}' if older is not None else ''}."
    )
    return refuse_message(
        newer,
        RefusedMessage(
            at=newer.updated_at,
            name=SUPERSEDES,
            actor_id=newer.context.actor_id,
            error=NotSuperseding.__name__,
            message=why[:500],
        ),
    )


def is_superseded_by(older: MutationRequest, by: str) -> bool:
    """Answer whether that request is the one that took its place."""
    return Link(request_id=by, relation=SUPERSEDED_BY) in older.links


def _why_not(
    older: MutationRequest, newer: MutationRequest | None, by: str, line: Sequence[str]
) -> str | None:
    """Answer why the one request is not such that it could take the other's place."""
    if by == older.request_id:
        return "no request takes its own place"
    if newer is None:
        return "it is not in the record"
    if newer.snapshot is None and not newer.status.is_terminal:
        return "it has not been assessed yet"
    ending = newer.closing.status if newer.closing else newer.status
    if ending.is_terminal and ending is not Status.EXECUTED:
        return f"it is {ending.value}"
    if newer.state_id != older.state_id:
        return f"it is about {newer.state_id!r}, not {older.state_id!r}"
    if newer.supersedes != older.request_id:
        return f"it names {newer.supersedes!r} in `supersedes`, and no other"
    if by in line:
        circle = ", ".join((by, older.request_id, *line))
        return f"each would take the place of the next in a circle: {circle}"
    if len(line) >= MAX_LINE:
        return f"{MAX_LINE} requests and more would each take the place of the next"
    return None
