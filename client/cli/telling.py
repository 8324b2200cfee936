"""The commands that tell a request something: delegate, supersede, comment."""

from __future__ import annotations

from typing import Annotated

import typer

from .call import Call, command
from .deciding import WITHIN, DecisionId, Reason, RequestId, answer
from .parsing import moment_of


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "delegate")(delegate)
    command(app, "supersede")(supersede)
    command(app, "comment")(comment)


async def delegate(
    call: Call,
    request_id: RequestId,
    *,
    to: Annotated[str, typer.Option("--to", help="Who may answer in your place.")],
    until: Annotated[
        str, typer.Option("--until", help="When that ends: 2026-12-01T09:00Z, or from now: 3d.")
    ],
    requirement: Annotated[
        str | None, typer.Option("--requirement", help="For which one; else for all of yours.")
    ] = None,
    reason: Reason = "",
    decision_id: DecisionId = None,
) -> None:
    """Let somebody else answer in your place for a time."""
    end = moment_of(until)
    who, mutator = call.who, await call.mutator()
    reply = await mutator.delegate(
        request_id,
        actor_id=who,
        to=to,
        until=end,
        requirement_id=requirement,
        reason=reason,
        decision_id=decision_id,
        credential=call.credential,
        within=WITHIN,
    )
    await answer(call, mutator, reply)


async def supersede(
    call: Call,
    older: Annotated[str, typer.Argument(metavar="OLDER")],
    *,
    by: Annotated[str, typer.Option("--by", help="The newer request, which names the older.")],
    reason: Reason = "",
    decision_id: DecisionId = None,
) -> None:
    """Let a newer request take the place of an older one, which then ends."""
    who, mutator = call.who, await call.mutator()
    reply = await mutator.supersede(
        older,
        by=by,
        actor_id=who,
        reason=reason,
        decision_id=decision_id,
        credential=call.credential,
        within=WITHIN,
    )
    await answer(call, mutator, reply)


async def comment(
    call: Call,
    request_id: RequestId,
    text: Annotated[str, typer.Argument(metavar="TEXT")],
    decision_id: DecisionId = None,
) -> None:
    """Say something about a request; it decides nothing, and show prints it."""
    who, mutator = call.who, await call.mutator(needs_store="whether a comment was kept")
    reply = await mutator.comment(
        request_id,
        text,
        actor_id=who,
        decision_id=decision_id,
        credential=call.credential,
        within=WITHIN,
    )
    await answer(call, mutator, reply)
