"""The commands that ask for a change: preview, submit."""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.governance.request import MutationRequest, Status
from core.requirements import Strategy
from wire import words

from ..errors import NotSettled, RequestNotExecuted, RequestRejected
from ..wish import start_of
from . import show
from .call import Call, command, fields_of
from .exits import Usage
from .parsing import duration_of, moment_of, parameters_of, payload_from, vary_of

if TYPE_CHECKING:
    from ..mutator import Mutator

StateId = Annotated[
    str | None, typer.Argument(metavar="STATE_ID", help="<domain>/<key>, unless --file says it.")
]
Type = Annotated[str | None, typer.Argument(metavar="TYPE", help="The mutation's type.")]
Pairs = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE...", help="Its parameters; JSON where it is JSON."),
]
Param = Annotated[
    list[str] | None, typer.Option("--param", help="Its parameters as a JSON object.")
]
File = Annotated[
    str | None,
    typer.Option("--file", help="A start payload in JSON; what is typed beside it wins. - reads."),
]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]
StrategyOption = Annotated[
    Strategy | None, typer.Option("--strategy", help="What happens when the state moves.")
]

ExpectedVersion = Annotated[
    int | None, typer.Option("--expected-version", min=0, help="The version it was written on.")
]

NotBefore = Annotated[
    str | None,
    typer.Option("--not-before", help="The earliest: 2026-12-01T09:00Z, or from now: 3d."),
]
DependsOn = Annotated[
    list[str] | None,
    typer.Option("--depends-on", help="A request to be executed first; may come often."),
]
ExpiresIn = Annotated[
    str | None, typer.Option("--expires-in", help="Its deadline from now: 90s, 15m, 2h, 3d.")
]


class OnStateMoved(StrEnum):
    """What a request does when the state moves."""

    WAIT = "wait"
    SUPERSEDE = "supersede"


EXECUTED_WITHIN = 3.0
"""Seconds that are waited, unasked, for a request that needs no approval."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "preview")(preview)
    command(app, "submit")(submit)


async def preview(
    call: Call,
    *,
    state_id: StateId = None,
    type_: Type = None,
    pairs: Pairs = None,
    param: Param = None,
    reason: Reason = "",
    expected_version: ExpectedVersion = None,
    strategy: StrategyOption = None,
    expires_in: ExpiresIn = None,
    not_before: NotBefore = None,
    depends_on: DependsOn = None,
    vary: Annotated[
        str | None,
        typer.Option("--vary", help="A parameter over a range: amount=10..100:10, or plan=a,b."),
    ] = None,
    file: File = None,
) -> None:
    """Show what a request would do and demand, without making one."""
    wish = _wish(
        call,
        file,
        state_id=state_id,
        type_=type_,
        pairs=pairs,
        objects=param,
        reason=reason,
        expected_version=expected_version,
        strategy=strategy,
        expires_in=expires_in,
        not_before=not_before,
        depends_on=depends_on,
    )
    over = vary_of(vary) if vary else None
    start_of(wish)  # what is wrong is said before a server is needed
    mutator = await call.mutator()
    found = await mutator.preview(wish, vary=over)
    rejection = found.rejection
    if rejection is not None and rejection.category == "validation" and found.assessment is None:
        raise RequestRejected(
            rejection.message, category=rejection.category, rejection_code=rejection.code
        )
    call.say(show.preview_view(found), found)


async def submit(
    call: Call,
    *,
    state_id: StateId = None,
    type_: Type = None,
    pairs: Pairs = None,
    param: Param = None,
    reason: Reason = "",
    request_id: Annotated[
        str | None, typer.Option("--request-id", help="Its id; repeated, it is the same request.")
    ] = None,
    expected_version: ExpectedVersion = None,
    strategy: StrategyOption = None,
    expires_in: ExpiresIn = None,
    not_before: NotBefore = None,
    depends_on: DependsOn = None,
    supersedes: Annotated[
        str | None, typer.Option("--supersedes", help="An older request, whose place it takes.")
    ] = None,
    on_state_moved: Annotated[
        OnStateMoved | None,
        typer.Option("--on-state-moved", help="What it does when the state moves."),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="A tag; may come often.")] = None,
    file: File = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end.")] = False,
    within: Annotated[
        str | None, typer.Option("--within", help="How long to --wait at most: 90s, 15m, 2h.")
    ] = None,
) -> None:
    """Ask for a change; the exit code says whether it was taken, or how it ended."""
    wish = _wish(
        call,
        file,
        state_id=state_id,
        type_=type_,
        pairs=pairs,
        objects=param,
        reason=reason,
        strategy=strategy,
        request_id=request_id,
        expected_version=expected_version,
        expires_in=expires_in,
        not_before=not_before,
        depends_on=depends_on,
        supersedes=supersedes,
        on_state_moved=on_state_moved,
        tags=tag,
    )
    start_of(wish, credential=call.credential)  # as in preview
    longest = duration_of(within).total_seconds() if within else None
    mutator = await call.mutator()
    submitted = await mutator.submit(wish, credential=call.credential)
    request = await _underway(mutator, await mutator.assessed(submitted.request_id))
    _raise_if_invalid(request)
    if wait and not request.status.is_terminal:
        if not call.as_json:
            call.say(show.request_view(request))
        await mutator.result(submitted.request_id, within=longest)
        request = await mutator.get(submitted.request_id)
    call.say(show.request_view(request), {"joined": submitted.joined, **fields_of(request)})
    if request.status.is_terminal and request.status is not Status.EXECUTED:
        raise RequestNotExecuted(
            f"Request {request.request_id} did not execute. {words.headline(request)}",
            request_id=request.request_id,
            status=request.status.value,
        )


async def _underway(mutator: Mutator, request: MutationRequest) -> MutationRequest:
    """Answer the request a moment later where it was approved at once: it is being executed."""
    if request.status is not Status.APPROVED:
        return request
    with suppress(NotSettled):
        await mutator.result(request.request_id, within=EXECUTED_WITHIN)
    return await mutator.get(request.request_id)


def _raise_if_invalid(request: MutationRequest) -> None:
    rejection = request.rejection
    if rejection is not None and rejection.category == "validation":
        raise RequestRejected(
            rejection.message,
            request_id=request.request_id,
            category=rejection.category,
            rejection_code=rejection.code,
        )


def _wish(
    call: Call,
    file: str | None,
    *,
    state_id: str | None,
    type_: str | None,
    pairs: list[str] | None,
    objects: list[str] | None,
    **typed: Any,
) -> dict[str, Any]:
    """Put the payload together: the file first, what is typed over it."""
    wish = payload_from(file) if file is not None else {}
    parameters = parameters_of(pairs or (), objects or ())
    if state_id is not None:
        wish["state_id"] = state_id
    if type_ is not None:
        wish["mutations"] = [{"type": type_, "parameters": parameters}]
    elif parameters:
        raise Usage("Parameters need the mutation's TYPE before them.")
    if "state_id" not in wish or "mutations" not in wish:
        raise Usage("Say what is to change: STATE_ID TYPE KEY=VALUE..., or --file.")
    if call.actor or "actor_id" not in wish:
        wish["actor_id"] = call.who
    if typed.get("expires_in"):
        typed["expires_in"] = duration_of(typed["expires_in"]).total_seconds()
    if typed.get("not_before"):
        typed["not_before"] = moment_of(typed["not_before"]).isoformat()
    wish |= {name: value for name, value in typed.items() if value not in (None, "", [])}
    return wish
