"""What a request should do, said as simply as possible: no bindings, no digests, no settling.

Slow and obvious. The lifecycle is compared with it on random histories.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.requirements import Requirement, Strategy

TERMINAL = {"Rejected", "Canceled", "Expired", "Superseded", "Executed"}


def fillable(seats: Sequence[str], people: Mapping[str, Sequence[str]]) -> bool:
    """Try everything: can each seat have a person of its own?"""
    if not seats:
        return True
    return any(
        seats[0] in may and fillable(seats[1:], {p: m for p, m in people.items() if p != person})
        for person, may in people.items()
    )


@dataclass(frozen=True)
class Seen:
    """What the request would do: on which version, and the value of each field after it."""

    version: int
    after: Mapping[str, int]

    def moved_from(self, then: Seen) -> bool:
        return self != then

    def part(self, requirement: Requirement) -> dict[str, int]:
        whole = requirement.covers == ("",)
        return {k: v for k, v in self.after.items() if whole or f"/{k}" in requirement.covers}


def is_choice(requirement: Requirement) -> bool:
    return bool(requirement.alternatives)


def everything(requirements: Sequence[Requirement]) -> dict[str, Requirement]:
    """Answer what is demanded and all that stands in alternatives, by id."""
    found: dict[str, Requirement] = {}
    for r in requirements:
        found[r.id] = r
        for way in r.alternatives:
            found |= everything(way)
    return found


def ways_of(requirement: Requirement) -> list[list[Requirement]]:
    """Answer every list of approvals that meets it."""
    if not is_choice(requirement):
        return [[requirement]]
    found: list[list[Requirement]] = []
    for way in requirement.alternatives:
        so_far: list[list[Requirement]] = [[]]
        for each in way:
            so_far = [before + more for before in so_far for more in ways_of(each)]
        found += so_far
    return found


@dataclass
class Naive:
    """One request."""

    strategy: Strategy
    may: Mapping[str, Sequence[str]]
    """For each person the roles they hold."""
    status: str = "Created"
    intended: str | None = None
    seen: Seen | None = None
    hour: int = 0
    requirements: list[Requirement] = field(default_factory=list)
    opened: dict[str, int] = field(default_factory=dict)
    """What has opened, and in which hour."""
    done: set[str] = field(default_factory=set)
    expired: set[str] = field(default_factory=set)
    counted: dict[str, int] = field(default_factory=dict)
    """How many seats of each approval are filled, or would be in its way."""
    grants: dict[str, dict[str, Seen]] = field(default_factory=dict)
    refusals: dict[str, set[str]] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL or self.intended is not None

    @property
    def approvals(self) -> list[Requirement]:
        return [r for r in everything(self.requirements).values() if not is_choice(r)]

    def assess(self, requirements: Sequence[Requirement], seen: Seen) -> None:
        self.requirements, self.seen = list(requirements), seen
        self._conclude()

    def names(self, person: str) -> list[Requirement]:
        held = self.may[person]
        return [r for r in self.approvals if any(role in held for role in r.who.roles)]

    def is_late(self, requirement: Requirement) -> bool:
        key = requirement.id
        if requirement.duration is None or key not in self.opened or key in self.done:
            return False
        return self.hour >= self.opened[key] + requirement.duration.total_seconds() / 3600

    def answerable(self, person: str) -> list[str]:
        """Answer what the person may decide on now; nothing: they are refused."""
        if self.is_over or person == "ana":
            return []
        mine = [r for r in self.names(person) if r.id in self.opened]
        demanded = {r.id for r in self.requirements}
        if any(self.is_late(r) for r in mine if r.id in demanded):
            return []
        return [r.id for r in mine if not self.is_late(r)]

    def grant(self, person: str) -> bool:
        assert self.seen is not None
        may = self.answerable(person)
        given = self.grants.get(person, {})
        if not may or all(key in given for key in may):
            return False
        self.refusals.pop(person, None)
        self.grants[person] = given | dict.fromkeys(may, self.seen)
        self._conclude()
        return True

    def refuse(self, person: str) -> bool:
        may = self.answerable(person)
        if not may or self.refusals.get(person, set()) >= set(may):
            return False
        self.grants.pop(person, None)
        self.refusals[person] = self.refusals.get(person, set()) | set(may)
        self._conclude()
        return True

    def withdraw(self, person: str) -> bool:
        if self.is_over or person not in self.grants:
            return False
        del self.grants[person]
        self._conclude()
        return True

    def intend(self, status: str) -> None:
        if not self.is_over:
            self.intended = status

    def close(self) -> None:
        if self.intended is not None:
            self.status, self.intended = self.intended, None

    def expire(self, *, whole: bool) -> None:
        """Do what follows from the time; `whole`: the request's own deadline is reached."""
        if self.is_over:
            return
        late = {
            r.id
            for demanded in self.requirements
            if demanded.id not in self.done
            for way in self._left(demanded)
            for r in way
            if self.is_late(r) and self.counted.get(r.id, 0) < r.needed
        }
        self.expired |= late
        if whole or any(not self._left(r) for r in self.requirements):
            self.intend("Expired")
        elif late:
            self._conclude()

    def resolve(self, requirements: Sequence[Requirement], now: Seen) -> bool:
        """Answer whether it may execute; the state is `now`."""
        assert self.seen is not None
        if self.status != "Approved" or self.is_over:
            return False
        moved = now.moved_from(self.seen)
        if moved and self.strategy is Strategy.REJECT_STALE:
            self.intend("Rejected")
            return False
        before, asked = everything(self.requirements), everything(requirements)
        touched = {
            key for key, r in asked.items() if key in before and moved and self._touched(r, now)
        }
        answered = {key for given in self.grants.values() for key in given}
        answered |= {key for given in self.refusals.values() for key in given}
        renewed = bool(touched & answered or asked.keys() - before.keys())
        gone = (before.keys() - asked.keys()) | touched
        self.grants = {
            person: kept
            for person, given in self.grants.items()
            if (kept := {key: seen for key, seen in given.items() if key not in gone})
        }
        self.refusals = {
            person: left for person, given in self.refusals.items() if (left := given - gone)
        }
        anew = gone | {
            key
            for key in self.expired
            if renewed or _within(key, self.requirements) != _within(key, requirements)
        }
        self.requirements, self.seen = list(requirements), now
        self.done -= gone
        self.expired -= anew
        self.opened = {
            key: hour
            for key, hour in self.opened.items()
            if key not in anew and (key in self.done or not renewed)
        }
        self._conclude()
        return self.status == "Approved"

    def _touched(self, requirement: Requirement, now: Seen) -> bool:
        assert self.seen is not None
        if self.strategy is Strategy.REVALIDATE_ON_LATEST or is_choice(requirement):
            return False
        if self.strategy is Strategy.REQUIRE_RENEWED_APPROVAL:
            return True
        return now.part(requirement) != self.seen.part(requirement)

    def _is_refused(self, r: Requirement) -> bool:
        refused = sum(r.id in given for given in self.refusals.values())
        if r.refusals is not None:
            return refused >= r.refusals
        able = sum(r in self.names(p) for p in self.may if p != "ana")
        return bool(refused) and able - refused < r.needed

    def _left(self, demanded: Requirement) -> list[list[Requirement]]:
        """Answer the ways in which nothing was refused and nothing has expired."""
        return [
            way
            for way in ways_of(demanded)
            if not any(r.id in self.expired or self._is_refused(r) for r in way)
        ]

    def _conclude(self) -> None:
        lost = any(not self._left(r) for r in self.requirements)
        self._fill()
        if lost:
            self.intended = "Rejected"
            return
        met = all(r.id in self.done for r in self.requirements)
        self.status = "Approved" if met else "Pending"

    def _fill(self) -> None:
        """Try every choice of ways; what is done comes before what is not, within a step."""
        order = sorted(self.requirements, key=lambda r: (r.step, r.id not in self.done, r.id))
        best: tuple[list[bool], list[str]] = ([], [])
        for choice in itertools.product(*map(self._options, order)):
            taken: list[str] = []
            met: list[bool] = []
            for r, way in zip(order, choice, strict=True):
                filled = way is not None and self._seat(way, taken)
                if way is not None and not filled and self._is_open_choice(r):
                    break
                met.append(filled)
            else:
                if met > best[0]:
                    best = (met, taken)
        met, taken = best
        self.counted = {r.id: taken.count(r.id) for r in self.approvals}
        full = {r.id for r in self.approvals if self.counted[r.id] >= r.needed}
        reached = _reached(self.requirements, full)
        for r in self.requirements:
            for way in self._left(r) if is_choice(r) and r.id in reached else []:
                alone: list[str] = []
                self._seat(way, alone)
                enough = {each.id for each in way if alone.count(each.id) >= each.needed}
                for group in r.alternatives:
                    reached |= _reached(group, enough)
                beside = list(taken)
                self._seat(way, beside)
                if not r.is_met(full):
                    for each in way:
                        told = max(self.counted[each.id], beside.count(each.id))
                        self.counted[each.id] = told
        for key in reached:
            self.opened.setdefault(key, self.hour)
        done = {
            key
            for key, r in everything(self.requirements).items()
            if r.is_met(full) and key in self.opened
        }
        for key in self.done - done:
            self.opened[key] = self.hour
        self.done = done

    def _is_open_choice(self, r: Requirement) -> bool:
        return is_choice(r) and len(self._left(r)) != 1

    def _options(self, r: Requirement) -> list[list[Requirement] | None]:
        """Answer the ways to go, that which is met first; a choice that cannot be met seats nobody.

        What has one way is filled as far as it can be, were it refused or not.
        """
        if not is_choice(r):
            return [[r]]
        left = sorted(self._left(r), key=lambda way: any(e.id not in self.done for e in way))
        return [*left, None] if len(left) != 1 else [*left]

    def _seat(self, way: Sequence[Requirement], taken: list[str]) -> bool:
        """Fill the seats of a way, one by one; answer whether all are."""
        people = {p: list(given) for p, given in self.grants.items()}
        for r in way:
            while taken.count(r.id) < r.needed and fillable([*taken, r.id], people):
                taken.append(r.id)
        return all(taken.count(r.id) >= r.needed for r in way)


def _reached(group: Sequence[Requirement], full: set[str]) -> set[str]:
    """Answer what waits for no earlier step beside it."""
    found: set[str] = set()
    for r in group:
        if all(e.is_met(full) for e in group if e.step < r.step):
            found.add(r.id)
            for way in r.alternatives:
                found |= _reached(way, full)
    return found


def _within(key: str, demanded: Sequence[Requirement]) -> set[str]:
    """Answer in whose alternatives it stands; in none where itself is demanded."""
    if any(r.id == key for r in demanded):
        return set()
    return {
        r.id
        for r in everything(demanded).values()
        if any(e.id == key for way in r.alternatives for e in way)
    }
