"""The commands that read: pending, show, watch, history, list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.live import Live

from core.governance.request import Status
from store.records import RequestFilter

from . import show
from .call import Call, command, console, fields_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.governance.request import MutationRequest
    from store.records import Comment

    from ..mutator import Mutator

RequestId = Annotated[str, typer.Argument(metavar="REQUEST_ID")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at most.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "pending")(pending)
    command(app, "show")(show_request)
    command(app, "watch")(watch)
    command(app, "history")(history)
    command(app, "list")(list_requests)


async def pending(call: Call, limit: Limit = 50) -> None:
    """Show what waits for you: your inbox."""
    who = call.who
    mutator = await call.mutator(needs_store="what waits for somebody")
    found = await mutator.pending(who, credential=call.credential, limit=limit)
    if not found and not call.as_json:
        call.say(f"Nothing waits for {who}.")
        return
    call.say(show.requests_table(found), found)


async def show_request(call: Call, request_id: RequestId) -> None:
    """Show a request: how it stands, what it waits for, what it would do, decisions, comments."""
    mutator = await call.mutator()
    request = await mutator.get(request_id)
    said = await _said(call, mutator, request)
    view = show.request_view(request, moved_to=await mutator.moved_to(request), said=said)
    call.say(view, {**fields_of(request), "said": list(said)})


async def watch(
    call: Call,
    request_id: RequestId,
    every: Annotated[
        float, typer.Option("--every", min=0.1, max=60, help="Seconds between two looks.")
    ] = 0.5,
) -> None:
    """Show a request live until it has ended; with --json one object a change."""
    mutator = await call.mutator()
    if not call.as_json and console().is_terminal:
        await _live(mutator, request_id, every)
        return
    async for request in mutator.watch(request_id, every=every):
        call.say(show.progress_view(request), request)


async def history(
    call: Call,
    state_id: Annotated[str, typer.Argument(metavar="STATE_ID")],
    limit: Limit = 100,
    after: Annotated[int, typer.Option("--after", min=0, help="Only later versions.")] = 0,
) -> None:
    """Show what happened to a state, a version at a time."""
    mutator = await call.mutator(needs_store="what happened to a state", lazy=True)
    entries = await mutator.history(state_id, after=after, limit=limit)
    if not entries and not call.as_json:
        call.say(f"{state_id} has no version beyond {after}.")
        return
    call.say(show.history_view(entries), list(entries))


async def list_requests(
    call: Call,
    *,
    state: Annotated[str | None, typer.Option("--state", help="On this state.")] = None,
    requester: Annotated[str | None, typer.Option("--requester", help="Asked by.")] = None,
    status: Annotated[
        list[Status] | None, typer.Option("--status", help="In this status; may come often.")
    ] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only those not ended.")] = False,
    limit: Limit = 50,
    after: Annotated[str | None, typer.Option("--after", help="Beyond this request.")] = None,
) -> None:
    """Show requests, newest first."""
    mutator = await call.mutator(needs_store="which requests there are", lazy=True)
    wanted = RequestFilter(
        state_id=state,
        requester=requester,
        statuses=tuple(s.value for s in status or ()),
        open_only=open_only,
    )
    found = await mutator.list(wanted, limit=limit, after=after)
    if not found and not call.as_json:
        call.say("There are no such requests.")
        return
    call.say(show.requests_table(found), list(found))


async def _said(call: Call, mutator: Mutator, request: MutationRequest) -> Sequence[Comment]:
    """Answer the comments, where there are any and there is a store to read them in."""
    if not request.comments or not call.has_records:
        return ()
    return await mutator.comments(request.request_id)


async def _live(mutator: Mutator, request_id: str, every: float) -> None:
    with Live(console=console(), auto_refresh=False, vertical_overflow="visible") as live:
        async for request in mutator.watch(request_id, every=every):
            moved_to = await mutator.moved_to(request)
            live.update(show.request_view(request, moved_to=moved_to), refresh=True)
