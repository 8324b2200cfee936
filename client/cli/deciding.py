"""The commands that decide: approve, reject, withdraw, cancel, refresh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wire.messages import Reply

from ..errors import NotSettled
from . import show
from .call import Call, command

if TYPE_CHECKING:
    from ..mutator import Mutator, Verdict

RequestId = Annotated[str, typer.Argument(metavar="REQUEST_ID")]
Reason = Annotated[str, typer.Option("--reason", help="Why; some requirements ask for one.")]
Requirement = Annotated[
    str | None, typer.Option("--requirement", help="Which one it answers; else any that names you.")
]
Binding = Annotated[
    str | None,
    typer.Option("--binding", help="What you were shown; else what is shown before it is sent."),
]
DecisionId = Annotated[
    str | None, typer.Option("--decision-id", help="Its id; repeated, it counts once.")
]
WITHIN = 30.0
"""Seconds a decision may take to be settled."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "approve")(approve)
    command(app, "reject")(reject)
    command(app, "withdraw")(withdraw)
    command(app, "cancel")(cancel)
    command(app, "refresh")(refresh)


async def approve(
    call: Call,
    request_id: RequestId,
    *,
    reason: Reason = "",
    requirement: Requirement = None,
    binding: Binding = None,
    decision_id: DecisionId = None,
) -> None:
    """Grant a request: shows what is granted, then how it stands."""
    await _decide(
        call,
        "approve",
        request_id,
        reason=reason,
        decision_id=decision_id,
        requirement=requirement,
        binding=binding,
    )


async def reject(
    call: Call,
    request_id: RequestId,
    *,
    reason: Reason = "",
    requirement: Requirement = None,
    binding: Binding = None,
    decision_id: DecisionId = None,
) -> None:
    """Refuse a request; a grant given before is taken back."""
    await _decide(
        call,
        "reject",
        request_id,
        reason=reason,
        decision_id=decision_id,
        requirement=requirement,
        binding=binding,
    )


async def withdraw(
    call: Call, request_id: RequestId, reason: Reason = "", decision_id: DecisionId = None
) -> None:
    """Take a grant back."""
    await _decide(call, "withdraw", request_id, reason=reason, decision_id=decision_id)


async def cancel(
    call: Call, request_id: RequestId, reason: Reason = "", decision_id: DecisionId = None
) -> None:
    """Cancel a request; only its requester and operators may."""
    who, mutator = call.who, await call.mutator()
    reply = await mutator.cancel(
        request_id,
        actor_id=who,
        reason=reason,
        decision_id=decision_id,
        credential=call.credential,
        within=WITHIN,
    )
    await _answer(call, mutator, reply)


async def refresh(call: Call, request_id: RequestId, decision_id: DecisionId = None) -> None:
    """Assess a waiting request anew on the state as it is now."""
    who, mutator = call.who, await call.mutator()
    reply = await mutator.refresh(
        request_id,
        actor_id=who,
        decision_id=decision_id,
        credential=call.credential,
        within=WITHIN,
    )
    await _answer(call, mutator, reply)


async def _decide(
    call: Call,
    verdict: Verdict,
    request_id: str,
    *,
    reason: str,
    decision_id: str | None,
    requirement: str | None = None,
    binding: str | None = None,
) -> None:
    who, mutator = call.who, await call.mutator()
    shown = await mutator.get(request_id)
    if not call.as_json and not shown.status.is_terminal and verdict != "withdraw":
        moved_to = await mutator.moved_to(shown)
        call.say(show.decided_view(shown, verdict, moved_to=moved_to))
    reply = await mutator.decide(
        request_id,
        verdict,
        actor_id=who,
        reason=reason,
        requirement_id=requirement,
        binding=binding or shown.binding,
        decision_id=decision_id,
        credential=call.credential,
        within=WITHIN,
    )
    await _answer(call, mutator, reply)


async def _answer(call: Call, mutator: Mutator, reply: Reply) -> None:
    call.say(show.progress_view(await mutator.get(reply.request_id)), reply)
    if not reply.settled:
        raise NotSettled(reply.request_id, WITHIN, reply.status)
