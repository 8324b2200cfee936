"""What changed: one entry for every committed version of a state, and what can be read from them.

All functions take the entries of one state in the order of versions. They read what the entries
say, so secrets are keyed hashes here: a replay begins with the redacted document and leads to one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import takewhile

from pydantic import Field, JsonValue

from .audit import MutationRecord, Subject
from .changes import Change, ChangeSet, apply
from .context import MutationContext
from .documents import require_pointer
from .effects import SideEffect
from .errors import InvalidValue, MutatorError
from .model import Value
from .mutation import Intent
from .policy import PolicyDecision


class HistoryEntry(Value):
    """One version: its change set in full, and who caused it."""

    schema_version: int = 1
    state_id: str
    version: int
    execution_id: str
    subject: Subject
    at: datetime
    mutations: tuple[MutationRecord, ...]
    intent: Intent
    context: MutationContext
    changes: ChangeSet
    side_effects: tuple[SideEffect, ...] = ()
    decisions: tuple[PolicyDecision, ...] = ()


class HistoryGap(MutatorError):
    """The history of a state lacks a version; `version` is the first that is missing."""

    def __init__(self, state_id: str, version: int) -> None:
        super().__init__(
            f"The history of {state_id or 'the state'} lacks version {version}; "
            "hand over every entry, in the order of versions.",
            state_id=state_id,
            version=version,
        )


def replay(
    initial: JsonValue,
    entries: Iterable[HistoryEntry],
    *,
    version: int | None = None,
    until: int | datetime | None = None,
) -> JsonValue:
    """Apply the entries in order and answer the state they lead to.

    Args:
        initial: The value before the first entry, redacted where the state has secrets.
        entries: Those of one state, in the order of versions.
        version: The version of `initial`, which the first entry then follows; `None`: whichever is
            before the first entry.
        until: The last version, or the last moment (an aware datetime), to apply; `None`: all of
            them.

    Raises:
        HistoryGap: A version is missing.
        InvalidValue: An entry is of another state, or `until` is no moment; or a moment is looked
            for and an entry says its own without a zone.
        ChangeConflict: An entry does not fit what those before it lead to.
    """
    if until is not None and not isinstance(until, int):
        _require_zone(until, "The moment to replay until")
    state = initial
    wanted = takewhile(lambda entry: _is_by(entry, until), entries)
    for entry in _complete(wanted, version):
        state = apply(state, entry.changes)
    return state


def state_at(initial: JsonValue, entries: Iterable[HistoryEntry], version: int) -> JsonValue:
    """Answer the state at a version.

    Args:
        initial: The value at version 0, redacted where the state has secrets.
        entries: From version 1 on; those beyond the version are not read.
        version: 0 or more.

    Raises:
        HistoryGap: A version up to the wanted one is missing.
        InvalidValue: The version is negative, or an entry is of another state.
        ChangeConflict: An entry does not fit what those before it lead to.
    """
    if version < 0:
        raise InvalidValue(f"A state has no version {version}; the first value has version 0.")
    known = list(takewhile(lambda entry: _is_by(entry, version), entries))
    state = replay(initial, known, version=0)
    reached = known[-1].version if known else 0
    if reached < version:
        raise HistoryGap(known[-1].state_id if known else "", reached + 1)
    return state


class PathChange(Value):
    """One change at, under or above a path: in which version, when, by whom."""

    version: int
    at: datetime
    actor_id: str
    on_behalf_of: str | None = None
    request_id: str | None = None
    execution_id: str
    mutations: tuple[str, ...]
    change: Change


def timeline(entries: Iterable[HistoryEntry], path: str) -> tuple[PathChange, ...]:
    """Tell everything that happened at, under or above a path, in the order of versions.

    Args:
        entries: Those of one state, in the order of versions; they need not begin at version 1.
        path: A JSON Pointer; in a keyed list the token is the item's key. "" tells everything.

    Raises:
        HistoryGap: A version is missing.
        InvalidValue: The path is no JSON Pointer, or an entry is of another state.
    """
    require_pointer(path)
    return tuple(
        PathChange(
            version=entry.version,
            at=entry.at,
            actor_id=entry.context.actor_id,
            on_behalf_of=entry.context.on_behalf_of,
            request_id=entry.subject.request_id,
            execution_id=entry.execution_id,
            mutations=tuple(mutation.type for mutation in entry.mutations),
            change=change,
        )
        for entry in _complete(entries)
        for change in entry.changes.covered([path]).changes
    )


class HistoryStatistics(Value):
    """What a history amounts to; the counts are sorted by name.

    Attributes:
        versions: How many versions were committed.
        changes: How many changes they made.
        first: When the first was committed; `None` where there is none.
        last: When the last was committed.
        by_path: Changes by the beginning of their path.
        by_actor: Versions by actor.
        by_mutation: Mutations by type.
        by_day: Versions by day (UTC, ISO 8601).
    """

    versions: int = 0
    changes: int = 0
    first: datetime | None = None
    last: datetime | None = None
    by_path: dict[str, int] = Field(default_factory=dict)
    by_actor: dict[str, int] = Field(default_factory=dict)
    by_mutation: dict[str, int] = Field(default_factory=dict)
    by_day: dict[str, int] = Field(default_factory=dict)


def statistics(entries: Iterable[HistoryEntry], *, depth: int = 1) -> HistoryStatistics:
    """Count what happened, and to what, by whom, by which mutations, on which days.

    Args:
        entries: Those of one state, in the order of versions; they need not begin at version 1.
        depth: How many tokens of a path to tell apart, 0 or more; a shorter path counts as itself.

    Raises:
        HistoryGap: A version is missing.
        InvalidValue: The depth is negative, an entry is of another state, or says its moment
            without a zone.
    """
    if depth < 0:
        raise InvalidValue(f"A path has no {depth} tokens; the depth is 0 or more.")
    known = list(_complete(entries))
    for entry in known:
        _require_zone(entry.at, f"The moment of version {entry.version}")
    paths = [change.path for entry in known for change in entry.changes.changes]
    return HistoryStatistics(
        versions=len(known),
        changes=len(paths),
        first=known[0].at if known else None,
        last=known[-1].at if known else None,
        by_path=_counted("/".join(path.split("/")[: depth + 1]) for path in paths),
        by_actor=_counted(entry.context.actor_id for entry in known),
        by_mutation=_counted(mutation.type for entry in known for mutation in entry.mutations),
        by_day=_counted(entry.at.astimezone(UTC).date().isoformat() for entry in known),
    )


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _is_by(entry: HistoryEntry, until: int | datetime | None) -> bool:
    if until is None:
        return True
    if isinstance(until, int):
        return entry.version <= until
    _require_zone(entry.at, f"The moment of version {entry.version}")
    return entry.at <= until


def _require_zone(at: object, what: str) -> None:
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise InvalidValue(f"{what} is {at}; say an aware datetime, it would be another elsewhere.")


def _complete(
    entries: Iterable[HistoryEntry], version: int | None = None
) -> Iterator[HistoryEntry]:
    """Yield the entries of one state, and stop where a version is missing."""
    state_id: str | None = None
    for entry in entries:
        if state_id not in {None, entry.state_id}:
            raise InvalidValue(f"The history of {state_id} has an entry of {entry.state_id}.")
        if version is not None and entry.version != version + 1:
            raise HistoryGap(entry.state_id, version + 1)
        state_id, version = entry.state_id, entry.version
        yield entry
