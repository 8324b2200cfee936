"""Say a request, an inbox, a preview, a history on a terminal; one layout for each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from rich.console import Group
from rich.table import Table
from rich.text import Text

from core.effects import EffectPreview
from core.governance.request import MutationRequest, Status
from core.history import HistoryEntry
from core.requirements import Requirement
from store.records import Comment
from wire import words
from wire.asks import Preview

from ..difference import differences
from .exits import printable

STYLES = {
    Status.EXECUTED: "green",
    Status.APPROVED: "green",
    Status.PENDING: "yellow",
    Status.REJECTED: "red",
    Status.EXPIRED: "red",
    Status.CANCELED: "magenta",
    Status.SUPERSEDED: "magenta",
}


def request_view(
    request: MutationRequest, *, moved_to: int | None = None, said: Sequence[Comment] = ()
) -> Group:
    """Say everything about a request.

    Args:
        moved_to: The version the state is at, where it moved since the request was assessed.
        said: Its comments, as far as they could be read.
    """
    return Group(
        _headline(request),
        *_waiting(request),
        *_section("Request", _what(request)),
        *_section("Answer in whose place", words.delegation_lines(request)),
        *_section("Ties", words.tie_lines(request)),
        *_section("Predicted change" if not request.status.is_terminal else "Change", _on(request)),
        *_section("The state moved", _drift(request, moved_to)),
        *_since_granted(request),
        *_section("Way back", _way_back(request)),
        *_section("Warnings", [w.message for w in request.warnings]),
        *_section("Decisions", [_decision_line(request, n) for n in range(len(request.decisions))]),
        *_section("Comments", _comments(request, said)),
        *_section("Did not count", _refused(request)),
        *_section("Binding", [request.binding] if request.binding else []),
    )


def progress_view(request: MutationRequest) -> Group:
    """Say how a request stands, and what it waits for."""
    return Group(_headline(request), *_waiting(request))


def decided_view(request: MutationRequest, verb: str, *, moved_to: int | None = None) -> Group:
    """Say what is about to be decided on: who asks, the effect, the way back, the binding.

    Args:
        verb: What the reader does: approve, reject.
        moved_to: As in `request_view`.
    """
    return Group(
        _line(f"You {verb} {request.request_id}:", "bold"),
        *(_line(f"  {line}") for line in _what(request)),
        *_section("Predicted change", _on(request)),
        *_section("The state moved", _drift(request, moved_to)),
        *_since_granted(request),
        *_section("Way back", _way_back(request)),
        *_section("Warnings", [w.message for w in request.warnings]),
        *_section("Binding", [request.binding] if request.binding else []),
        Text(),
    )


def preview_view(preview: Preview) -> Group:
    """Say what a request would do, demand and mean."""
    request = preview.request
    if preview.rejection is not None:
        rejected = preview.rejection
        told = f"It would be rejected ({rejected.category}, {rejected.code}): {rejected.message}"
        head = _line(told, "bold red")
    elif request.pending:
        head = _line("It would wait for", "bold yellow")
    elif request.requirements:
        head = _line("It would execute at once: what is demanded first holds now.", "bold green")
    else:
        head = _line("It would execute at once: the policies demand nothing first.", "bold green")
    able = {key: ", ".join(ids) or "nobody" for key, ids in preview.approvers.items()}
    waits = {
        leaf.requirement_id: words.line_of(leaf)
        for reason in request.pending
        for leaf in reason.leaves()
    }
    demands = [
        f"step {state.requirement.step}: {_how_met(state.requirement, able, waits)}"
        for state in request.demanded
    ]
    return Group(
        head,
        *(_line(f"  - {line}") for line in demands),
        *_section("Predicted change", _on(request)),
        *_section("Way back", _way_back(request)),
        *_section("Warnings", [w.message for w in request.warnings]),
        *_section("Over the range", _ranges(preview)),
    )


def _how_met(requirement: Requirement, able: Mapping[str, str], waits: Mapping[str, str]) -> str:
    """Say who could meet a requirement, or what it waits for."""
    if requirement.alternatives:
        ways = (
            " and ".join(_how_met(r, able, waits) for r in way) for way in requirement.alternatives
        )
        return f"either {'; or '.join(ways)}"
    if requirement.who:
        return f"{requirement.describe()}; who could: {able.get(requirement.id, 'nobody')}"
    return waits.get(requirement.id) or f"{requirement.describe()}: it holds now"


def _ranges(preview: Preview) -> list[str]:
    """Say where over the values of a parameter what is demanded changes."""
    lines = []
    for each in preview.varied:
        ends = [json.dumps(end, ensure_ascii=False) for end in (each.first, each.last)]
        values = ends[0] if each.count == 1 else f"{ends[0]} to {ends[1]}"
        if each.rejection is not None:
            no = each.rejection
            fares = f"rejected ({no.category}, {no.code}): {no.message}"
        elif each.pending:
            fares = f"waits for {'; '.join(map(words.text_of, each.pending))}"
        else:
            fares = "executes at once"
        lines.append(f"{values}: {fares}")
    if preview.untried:
        lines.append(f"There was no time for the last {preview.untried} value(s).")
    return lines


def requests_table(requests: Iterable[MutationRequest]) -> Table:
    """Say requests, one a line."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("REQUEST", "STATUS", "WHAT", "STATE", "ASKED BY", "WAITS FOR", "UNTIL"):
        table.add_column(column, no_wrap=column in {"REQUEST", "STATUS"}, overflow="fold")
    for request in requests:
        waits = "; ".join(reason.text for reason in request.pending if reason.open)
        table.add_row(
            _line(request.request_id),
            _line(request.status.value, STYLES.get(request.status, "")),
            _line(" + ".join(m.type for m in request.mutations)),
            _line(request.state_id),
            _line(request.context.actor_id),
            _line(waits or "-"),
            _line("-" if request.status.is_terminal else _time(request.expires_at)),
        )
    return table


def history_view(entries: Sequence[HistoryEntry]) -> Group:
    """Say what happened to a state, a version at a time."""
    said: list[Text] = []
    for entry in entries:
        what = " + ".join(m.type for m in entry.mutations)
        who = entry.context.actor_id
        said.append(_line(f"version {entry.version}  {_time(entry.at)}  {what} by {who}", "bold"))
        if entry.context.reason:
            said.append(_line(f"  {entry.context.reason}", "italic"))
        if entry.subject.request_id:
            said.append(_line(f"  request {entry.subject.request_id}", "dim"))
        said += [_line(f"  {change.describe()}") for change in entry.changes.changes]
    return Group(*said)


def _headline(request: MutationRequest) -> Text:
    style = f"bold {STYLES.get(request.status, '')}".strip()
    return _line(f"{request.request_id}  {words.headline(request)}", style)


def _what(request: MutationRequest) -> list[str]:
    context, intent = request.context, request.intent
    what = " + ".join(f"{m.type}({_parameters(m.parameters)})" for m in request.mutations)
    asked = f"asked by {context.actor_id}"
    if context.on_behalf_of:
        asked += f" for {context.on_behalf_of}"
    lines = [f"{what} on {request.state_id}, {asked}"]
    if context.reason:
        lines.append(f"reason: {context.reason}")
    if intent is not None:
        risk = f"risk {intent.risk.value}, blast radius {intent.blast_radius.value}"
        lines.append(f"{risk}, if the state moves: {request.strategy.value}")
    return lines


def _parameters(parameters: Mapping[str, object]) -> str:
    text = ", ".join(f"{key}={value!r}" for key, value in parameters.items())
    return text if len(text) <= 200 else f"{text[:200]}..."  # noqa: PLR2004 - a line's worth


def _waiting(request: MutationRequest) -> list[Text]:
    lines = [_line(f"  - {line}", "yellow") for line in words.waiting_lines(request)]
    if request.held is not None:
        lines.append(
            _line(f"  held since {_time(request.held.since)}: {request.held.reason}", "red")
        )
    return lines


def _on(request: MutationRequest) -> list[str]:
    lines = _effect(request.effect)
    if request.snapshot is not None and request.effect is not None:
        lines.append(f"(on version {request.snapshot.version})")
    return lines


def _effect(effect: EffectPreview | None) -> list[str]:
    if effect is None:
        return []
    lines = list(effect.lines) if effect.total else ["nothing changes"]
    if effect.truncated:
        lines.append(f"and {effect.total - len(effect.lines)} more")
    if effect.side_effects:
        lines.append(f"side effects: {', '.join(effect.side_effects)}")
    return lines


def _drift(request: MutationRequest, moved_to: int | None) -> list[str]:
    if moved_to is None or request.snapshot is None:
        return []
    told = f"it is at version {moved_to}, this was assessed on version {request.snapshot.version}"
    return [f"{told}; it is compared again before it executes, or now with `mutator refresh`"]


def _since_granted(request: MutationRequest) -> list[Text]:
    if request.status.is_terminal:
        return []
    said: list[Text] = []
    for difference in differences(request):
        stands = "the grant stands" if difference.standing else "asked again"
        said += _section(
            f"Since {difference.actor_id} granted it ({stands})",
            difference.lines or ["the same change, on another version of the state"],
        )
    return said


def _way_back(request: MutationRequest) -> list[str]:
    if request.irreversible:
        return [f"none: {request.irreversible}"]
    return _effect(request.inverse) if request.inverse and request.inverse.total else []


def _decision_line(request: MutationRequest, index: int) -> str:
    decision = request.decisions[index]
    told = f"{decision.number:>3}  {_time(decision.at)}  {decision.code} by {decision.actor_id}"
    return f"{told}: {decision.reason}" if decision.reason else told


def _comments(request: MutationRequest, said: Sequence[Comment]) -> list[str]:
    lines = [
        f"{_time(each.at)}  {each.actor_id}: " + each.text.replace("\n", "\n      ")
        for each in said
    ]
    if request.comments > len(said):
        hidden = request.comments - len(said)
        lines.append(
            f"{hidden} more in the store of record" if lines else f"{hidden} in the store of record"
        )
    return lines


def _refused(request: MutationRequest) -> list[str]:
    lines = [
        f"{_time(refused.at)}  {refused.name} by {refused.actor_id or 'nobody known'}: "
        f"{refused.message}"
        for refused in request.refused_messages[-10:]
    ]
    hidden = request.refused_count - len(lines)
    return [*([f"{hidden} earlier"] if lines and hidden > 0 else []), *lines]


def _section(title: str, lines: Sequence[str]) -> list[Text]:
    if not lines:
        return []
    return [_line(title, "bold"), *(_line(f"  {line}") for line in lines)]


def _line(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style)


def _time(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC") if at else "no time set"
