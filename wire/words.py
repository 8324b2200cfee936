"""A request in words, for the Temporal web UI and the command line: what, on whom, until when.

Who or what can meet a requirement is named in tokens: people as `user:ana`, `role:security` or
`group:ops`; what a request is told by as `request:ID`, `state:ID` or `budget:KEY`.
"""

from __future__ import annotations

import re
from datetime import datetime

from core.governance.request import Category, MutationRequest, PendingReason, Status, Wish
from core.governance.supersession import SUPERSEDED_BY, SUPERSEDES
from core.requirements import BY_PEOPLE, RequirementKind, Strategy

MAX_SUMMARY = 380
"""Bytes of a summary; the server refuses more than 400."""

MAX_DETAILS = 12_000
"""Characters of the current details; the server refuses more than 20,000 bytes."""

MAX_TOLD = 5
"""Things a requirement is told by that are named; of more the number is."""

_TICKS = re.compile("`+")

AGAIN = "looked at again at"
"""How a reason's text says when it is looked at again; the time follows."""

_TOLD_WHEN = {
    "request": "request {} ends",
    "state": "{} changes",
    "budget": "the budget {} has room",
}
"""What each token tells a request, in words."""

_MET_BY: dict[str, str] = {
    RequirementKind.CHECK: "the worker runs it",
    RequirementKind.SCHEDULE: "it is a matter of time",
}
"""What meets a requirement that names nobody and is told by nothing."""

_RELATIONS = {
    SUPERSEDED_BY: "Request {} took its place.",
    SUPERSEDES: "It took the place of request {}.",
}


def summary_of(wish: Wish) -> str:
    """Answer one line that says what is wished for; at most `MAX_SUMMARY` bytes."""
    what = " + ".join(m.type for m in wish.mutations)
    return cut_bytes(f"{what} on {wish.state_id}, asked by {wish.actor_id}", MAX_SUMMARY)


def details_of(wish: Wish) -> str:
    """Answer the wish in Markdown, as it was submitted."""
    lines = [f"**State:** `{wish.state_id}`", f"**Asked by:** {wish.actor_id}"]
    if wish.on_behalf_of:
        lines.append(f"**On behalf of:** {wish.on_behalf_of}")
    lines.append(f"**Reason:** {wish.reason or 'none given'}")
    for mutation in wish.mutations:
        parameters = ", ".join(f"{k}={v!r}" for k, v in mutation.parameters.items())
        lines.append(f"**Mutation:** `{mutation.type}({parameters[:500]})`")
    return "\n\n".join(lines)[:MAX_DETAILS]


def current(request: MutationRequest) -> str:
    """Answer in Markdown how the request stands: what it waits for, on whom, until when."""
    parts = [f"**{headline(request)}**"]
    if request.held is not None:
        parts.append(f"Held since {_time(request.held.since)}: {request.held.reason}")
    parts += [f"- {line}" for line in waiting_lines(request)]
    parts += [*delegation_lines(request), *tie_lines(request)]
    if request.effect is not None and not request.status.is_terminal:
        parts.append(_effect(request))
    if request.warnings:
        parts.append("Warnings: " + "; ".join(w.message for w in request.warnings))
    if request.comments:
        parts.append(f"{comments_line(request)} `mutator show {request.request_id}` shows them.")
    if request.refused_messages:
        last = request.refused_messages[-1]
        parts.append(
            f"{request.refused_count} message(s) did not count; the last: "
            f"{last.name} by {last.actor_id or 'nobody known'}: {last.message}"
        )
    return "\n\n".join(parts)[:MAX_DETAILS]


def headline(request: MutationRequest) -> str:
    """Answer the status in one sentence."""
    if request.closing is not None:
        return f"Closing: about to be {request.closing.status.value}. {request.closing.reason}"
    match request.status:
        case Status.EXECUTED:
            return f"Executed: committed as version {request.resulting_version}."
        case Status.REJECTED if request.rejection is not None:
            rejection = request.rejection
            return f"Rejected ({rejection.category}, {rejection.code}): {rejection.message}"
        case Status.APPROVED:
            return "Approved: every requirement is met; it executes as soon as it can."
        case Status.PENDING:
            return f"Pending until {_time(request.expires_at)}: it waits for"
        case Status.CREATED:
            return "Created: being assessed."
        case _:
            return f"{request.status.value}: {_last_step(request)}"


def waiting_lines(request: MutationRequest) -> list[str]:
    """Answer a line for each thing it waits for, and each alternative: what, on whom, until."""
    return [line for reason in request.pending for line in _lines(reason)]


def delegation_lines(request: MutationRequest) -> list[str]:
    """Answer a line for each right to answer that was handed on and has not run out."""
    if request.status.is_terminal:
        return []
    return [
        f"{each.to} may answer in the place of {each.actor_id} until {_time(each.until)}."
        for each in request.delegations
        if each.until > request.updated_at
    ]


def tie_lines(request: MutationRequest) -> list[str]:
    """Answer a line for each other request this one is tied to, and for what ends it."""
    lines = [
        _RELATIONS.get(link.relation, f"{link.relation}: request {{}}.").format(link.request_id)
        for link in request.links
    ]
    if request.status.is_terminal:
        return lines
    if request.supersedes and SUPERSEDES not in {link.relation for link in request.links}:
        lines.append(f"It names request {request.supersedes}, whose place it is to take.")
    if request.on_state_moved == "supersede":
        lines.append(f"It ends when {request.state_id} moves.")
    return lines


def comments_line(request: MutationRequest) -> str:
    """Answer how many comments there are."""
    return "1 comment." if request.comments == 1 else f"{request.comments} comments."


def text_of(reason: PendingReason) -> str:
    """Answer its text, with the time of the next look as people read it."""
    if reason.again_at is None:
        return reason.text
    when = "at the earliest" if reason.kind == RequirementKind.SCHEDULE else AGAIN
    written = f"{AGAIN} {reason.again_at.isoformat()}"
    return reason.text.replace(written, f"{when} {_time(reason.again_at)}")


def met_by(reason: PendingReason) -> str:
    """Answer who can meet a requirement, or what it is told by."""
    if not reason.open:
        return "who can: not yet open" if reason.kind in BY_PEOPLE else "not yet open"
    told = [_told_when(token) for token in reason.who]
    events = [each for each in told if each]
    people = [token for token, each in zip(reason.who, told, strict=True) if not each]
    parts = [f"who can: {', '.join(people)}"] if people else []
    if events:
        more = f" and {len(events) - MAX_TOLD} more" if len(events) > MAX_TOLD else ""
        parts.append(f"told when {', '.join(events[:MAX_TOLD])}{more}")
    return "; ".join(parts) or _MET_BY.get(reason.kind, "who can: nobody")


def line_of(reason: PendingReason) -> str:
    """Answer one line: what is waited for, who or what can meet it, until when."""
    return f"{text_of(reason)}; {met_by(reason)}; until {_time(reason.until)}"


def _lines(reason: PendingReason) -> list[str]:
    if len(reason.alternatives) < 2:  # noqa: PLR2004 - it takes two to be a choice
        return [line_of(reason)]
    ways = [
        " and ".join(line for each in way for line in _lines(each)) for way in reason.alternatives
    ]
    return [f"either {ways[0]}", *(f"or {way}" for way in ways[1:])]


def _told_when(token: str) -> str:
    """Answer what a token tells, or nothing where it stands for people."""
    kind, _, name = token.partition(":")
    return _TOLD_WHEN[kind].format(name) if kind in _TOLD_WHEN else ""


def cut_bytes(text: str, limit: int) -> str:
    """Cut a text to at most `limit` bytes of UTF-8, never within a character."""
    return text.encode()[:limit].decode(errors="ignore")


def _last_step(request: MutationRequest) -> str:
    steps = [d for d in request.decisions if d.category is Category.LIFECYCLE]
    return steps[-1].reason


def _effect(request: MutationRequest) -> str:
    effect = request.effect
    if effect is None or not effect.total:
        return "Predicted change: none."
    version = request.snapshot.version if request.snapshot else 0
    shown = "\n".join(f"- {_code(line)}" for line in effect.lines)
    more = f"\n- and {effect.total - len(effect.lines)} more" if effect.truncated else ""
    undo = (
        f"It cannot be taken back: {request.irreversible}"
        if request.irreversible
        else "It can be taken back."
    )
    covers = (
        "The approval is for the mutation on whatever the state will be."
        if request.strategy is Strategy.REVALIDATE_ON_LATEST
        else f"If the state moves: {request.strategy.value}."
    )
    return f"Predicted change, on version {version}:\n\n{shown}{more}\n\n{undo} {covers}"


def _code(text: str) -> str:
    """Answer a text as Markdown that is shown as it is and, unlike a block, folds."""
    fence = "`" * (max(map(len, _TICKS.findall(text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _time(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC") if at else "no time set"
