"""Look at schedules: whether a moment is legal, and when to look again.

A request's schedules are looked at together: the earliest moment that all of them allow is when
those that do not hold are looked at again. One in an alternative is looked at with what is demanded
in any case. Calendars that are states are read anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial

from pydantic import JsonValue, ValidationError
from temporalio import activity

from core.calendars import Calendar, Timing
from core.digests import jsonable
from core.domain import problems
from core.errors import InvalidValue
from core.governance.alternatives import every, members
from core.governance.people import SYSTEM
from core.governance.request import Finding, MutationRequest
from core.requirements import Requirement, RequirementKind
from store.protocol import StoredState
from wire.asks import LookAt, LookedAt
from wire.names import Activity

from .asked import LATER, UNREADABLE, demanded, not_yet
from .outside import Outside
from .states import first_version
from .windows import Look, Moment, moment, raise_unless_readable


@dataclass(frozen=True)
class Scheduling:
    """The activity `next_window`."""

    outside: Outside

    @activity.defn(name=Activity.NEXT_WINDOW, no_thread_cancel_exception=True)
    def next_window(self, ask: LookAt) -> LookedAt:
        """Look at one schedule, together with the request's others."""
        found = demanded(self.outside, ask)
        if isinstance(found, LookedAt):
            return found
        requirements = [state.requirement for state in ask.request.requirements]
        findings = look_at_schedule(self.outside, ask.request, requirements, ask.at)
        return LookedAt(finding=findings.get(found.id))


@dataclass(frozen=True, slots=True)
class _Read:
    """What a schedule demands, its calendar read; and which version of a state that was."""

    timing: Timing
    calendar: Calendar | None
    state: StoredState | None = None

    @property
    def evidence(self) -> dict[str, JsonValue]:
        """Answer which calendar was read."""
        if self.state is None:
            return {}
        return {"calendar": self.state.state_id, "version": self.state.version}


def look_at_schedule(
    outside: Outside, request: MutationRequest, requirements: Sequence[Requirement], at: datetime
) -> dict[str, Finding]:
    """Look at every schedule among some requirements, also in their alternatives.

    Args:
        outside: The store, and the domains of calendars that are states.
        request: Whose requirements they are; nothing is legal from its deadline on.
        requirements: What is demanded; other kinds are left out.
        at: The workflow's time.

    Returns:
        For each schedule, by its id, what was found. One that does not hold is looked at again at
        the earliest moment that is legal for all; where none is found before the request's
        deadline, never. One that cannot be read does not hold, and is looked at again soon.
    """
    governed = cache(partial(_governed, outside))
    findings: dict[str, Finding] = {}
    read: dict[str, _Read] = {}
    for each in every(requirements):
        if each.kind == RequirementKind.SCHEDULE:
            try:
                read[each.id] = _read(each, governed)
            except UNREADABLE as error:
                reason = f"it cannot be read, and blocks until it can: {error.message}"
                findings[each.id] = not_yet(each.id, at, reason, at + LATER)
    inside = {m.id for r in requirements for way in r.alternatives for a in way for m in members(a)}
    whole = [key for key in read if key not in inside]

    def together(*keys: str) -> Moment:
        timings = [(read[key].timing, read[key].calendar) for key in keys]
        return moment(timings, at, request.expires_at)

    found = together(*whole)
    looks = [(key, look, found) for key, look in zip(whole, found.looks, strict=True)]
    for key in read:
        if key in inside:
            found = together(*whole, key)
            looks.append((key, found.looks[-1], found))
    return findings | {
        key: _finding(key, read[key], look, found, deadline=request.expires_at, at=at)
        for key, look, found in looks
    }


def _finding(
    requirement_id: str, read: _Read, look: Look, found: Moment, *, deadline: datetime, at: datetime
) -> Finding:
    """Say what a look at one schedule, beside the others, comes to."""
    evidence, reason, again_at = read.evidence, look.why, None
    if look.holds and found.at == at and found.ends is not None:
        evidence["until"] = found.ends.isoformat()
    if not look.holds:
        again_at = found.at
        if again_at is None:
            looked = found.looked_until
            again_at = looked if looked < deadline else None
            reason += f"; no moment is found before {looked.isoformat()}"
    return Finding(
        verdict="holds" if look.holds else "not_yet",
        at=at,
        binding=requirement_id,
        actor_id=SYSTEM,
        reason=reason,
        again_at=again_at,
        metadata=evidence,
    )


def _read(
    requirement: Requirement, governed: Callable[[str], tuple[Calendar, StoredState]]
) -> _Read:
    """Read what a schedule demands.

    Args:
        requirement: The schedule.
        governed: Answers the calendar that a state is; see `_governed`.

    Raises:
        UnknownName: It names a state that is not there.
        InvalidValue: It is malformed, or its calendar cannot be reckoned with.
    """
    try:
        timing = requirement.timing
    except ValidationError as error:
        raise InvalidValue(f"What the schedule demands is malformed: {problems(error)}.") from error
    calendar, state = timing.calendar, None
    if timing.calendar_id is not None:
        calendar, state = governed(timing.calendar_id)
    if calendar is not None:
        raise_unless_readable(calendar)
    return _Read(timing, calendar, state)


def _governed(outside: Outside, state_id: str) -> tuple[Calendar, StoredState]:
    """Answer the calendar that a state is, and which version of it.

    Raises:
        UnknownName: There is no such state.
        InvalidValue: It cannot be read, or is no calendar.
    """
    stored = outside.store.state(state_id)
    domain = outside.domains.of(state_id)
    if stored is None:
        stored = first_version(outside, domain, state_id)
    document = jsonable(domain.read_state(stored.document, stored.schema_version))
    # Every field has a default, so that anything could be read as a calendar that allows all.
    fields = document.keys() if isinstance(document, dict) else ()
    if lacking := [name for name in Calendar.model_fields if name not in fields]:
        raise InvalidValue(f"The state {state_id!r} is no calendar: it has no {lacking[0]}.")
    try:
        return Calendar.model_validate(document), stored
    except ValidationError as error:
        raise InvalidValue(f"The state {state_id!r} is no calendar: {problems(error)}.") from error
