"""The commands about policies: policy replay."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from core import Domain

from ..domains import read_domain
from ..policy_replay import Replayed, Said, replay
from ..secret_key import read_redactor
from .call import Call, command
from .exits import ExitCode, Usage, printable
from .parsing import duration_of


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, help="Try policies on what was recorded."
    )
    command(group, "replay")(replay_policies)
    app.add_typer(group, name="policy")


async def replay_policies(
    call: Call,
    *,
    domain: Annotated[
        list[str],
        typer.Option(
            "--domain",
            envvar="MUTATOR_DOMAINS",
            help="package.module:attribute of a domain with today's policies; may come often.",
        ),
    ],
    state: Annotated[
        str | None, typer.Option("--state", help="Only evaluations of this state.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="WHEN", help="From then on: a date, a time, or 365d ago."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="WHEN", help="Before then; as --since.")
    ] = None,
    secret_key_file: Annotated[
        Path | None,
        typer.Option(
            "--secret-key-file",
            envvar="MUTATOR_SECRET_KEY_FILE",
            help="The file of the worker's key, where a domain has secrets.",
        ),
    ] = None,
) -> None:
    """List the recorded evaluations that today's policies would decide otherwise."""
    now = datetime.now(UTC)
    window = {
        "since": _moment("--since", since, now) if since else None,
        "until": _moment("--until", until, now) if until else None,
    }
    domains = [_domain(reference) for reference in domain]
    if state is not None:
        domains = [each for each in domains if state.startswith(f"{each.name}/")]
        if not domains:
            raise Usage(f"The state {state!r} is of none of the domains given.")
    redactor = read_redactor(secret_key_file) if secret_key_file else None
    records = call.records("what was recorded")
    count = 0
    changed: list[Replayed] = []
    not_replayed: list[Replayed] = []
    for each in domains:
        for found in replay(records, each, redactor=redactor, state_id=state, **window):
            count += 1
            if found.problem is not None:
                not_replayed.append(found)
            elif found.changed:
                changed.append(found)
    for listed in (changed, not_replayed):
        listed.sort(key=lambda found: (found.at, found.execution_id))
    call.say(
        _view(count, changed, not_replayed),
        {"evaluations": count, "changed": changed, "not_replayed": not_replayed},
    )
    if changed:
        raise typer.Exit(ExitCode.OTHERWISE)


def _domain(reference: str) -> Domain[Any]:
    """Import a domain, from the present folder as well; errors are those of `read_domain`."""
    if "" not in sys.path:
        sys.path.insert(0, "")
    return read_domain(reference)


def _moment(option: str, written: str, now: datetime) -> datetime:
    """Read `2026-01-31`, `2026-01-31T12:00` (UTC where nothing else is said), or `365d` ago.

    Raises:
        Usage: It is none of these.
    """
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        try:
            return now - duration_of(written)
        except (Usage, OverflowError) as error:
            raise Usage(
                f"{option} takes a date, a time, or how long ago: 2026-01-31, "
                f"2026-01-31T12:00, 90m or 365d; not {written!r}."
            ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _view(count: int, changed: list[Replayed], not_replayed: list[Replayed]) -> Group:
    said: list[Text | Table] = []
    if changed:
        said.append(_table(changed))
    if not_replayed:
        said.append(_text("Cannot be replayed:", "bold"))
        said += [
            _text(f"  {_who(each)} at {_when(each)} on {_on(each)}: {each.problem}")
            for each in not_replayed
        ]
    told = f"{count} evaluations: {len(changed)} would be decided otherwise"
    return Group(*said, _text(f"{told}, {len(not_replayed)} cannot be replayed."))


def _table(changed: list[Replayed]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("REQUEST", "WHEN", "WHAT", "ON", "THEN", "NOW"):
        table.add_column(column, no_wrap=column == "REQUEST", overflow="fold")
    for each in changed:
        what = " + ".join(each.mutations)
        cells = (_who(each), _when(each), what, _on(each), _words(each.then), _words(each.now))
        table.add_row(*map(_text, cells))
    return table


def _who(replayed: Replayed) -> str:
    return replayed.request_id or replayed.execution_id


def _when(replayed: Replayed) -> str:
    return replayed.at.strftime("%Y-%m-%d %H:%M:%S UTC")


def _on(replayed: Replayed) -> str:
    return f"{replayed.state_id} version {replayed.version}"


def _words(said: Said | None) -> str:
    """Say a verdict, what it demands, and whose it is: `require 2 of role:ops, by two_people`."""
    if said is None:
        return "-"
    words = f"{said.verdict.value} {'; '.join(said.requirements)}".strip()
    by = f", by {', '.join(said.policies)}" if said.policies else ""
    why = f" ({'; '.join(said.reasons)})" if said.reasons else ""
    return f"{words}{by}{why}"


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style)
