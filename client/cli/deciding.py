"""The commands that decide: approve, reject, withdraw, fulfil, cancel, refresh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wire.messages import Reply

from ..errors import NotSettled
from . import show
from .call import Call, command
from .exits import Usage
from .parsing import parameters_of

if TYPE_CHECKING:
    from core.governance.request import MutationRequest

    from ..mutator import Mutator
    from ..verbs import Verdict

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
    command(app, "fulfil")(fulfil)
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


async def fulfil(
    call: Call,
    request_id: RequestId,
    *,
    passed: Annotated[
        bool | None, typer.Option("--passed/--failed", help="What was found.", show_default=False)
    ] = None,
    check: Annotated[
        str | None, typer.Option("--check", help="The check, or the title of what it answers.")
    ] = None,
    requirement: Requirement = None,
    evidence: Annotated[
        list[str] | None,
        typer.Option("--evidence", metavar="KEY=VALUE", help="What it rests on; may come often."),
    ] = None,
    reason: Reason = "",
    binding: Binding = None,
    decision_id: DecisionId = None,
) -> None:
    """Answer a check or a review: shows what is judged, then how it stands."""
    if passed is None:
        raise Usage("Say what was found: --passed or --failed.")
    if check is not None and requirement is not None:
        raise Usage("Say which one it answers once: --check or --requirement.")
    found = parameters_of(evidence or (), ())
    who, mutator = call.who, await call.mutator()
    shown = await _shown(call, mutator, request_id, "pass" if passed else "fail")
    reply = await mutator.fulfil(
        request_id,
        "passed" if passed else "failed",
        actor_id=who,
        name=check,
        requirement_id=requirement,
        reason=reason,
        evidence=found,
        binding=binding or shown.binding,
        decision_id=decision_id,
        credential=call.credential,
        within=WITHIN,
    )
    await answer(call, mutator, reply)


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
    await answer(call, mutator, reply)


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
    await answer(call, mutator, reply)


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
    shown = await _shown(call, mutator, request_id, "" if verdict == "withdraw" else verdict)
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
    await answer(call, mutator, reply)


async def _shown(call: Call, mutator: Mutator, request_id: str, verb: str) -> MutationRequest:
    """Answer what is decided on, and show it to people who are about to do something."""
    shown = await mutator.get(request_id)
    if verb and not call.as_json and not shown.status.is_terminal:
        call.say(show.decided_view(shown, verb, moved_to=await mutator.moved_to(shown)))
    return shown


async def answer(call: Call, mutator: Mutator, reply: Reply) -> None:
    """Show how the request stands after a message.

    Raises:
        NotSettled: Something remote is still under way.
    """
    call.say(show.progress_view(await mutator.get(reply.request_id)), reply)
    if not reply.settled:
        raise NotSettled(reply.request_id, WITHIN, reply.status)
