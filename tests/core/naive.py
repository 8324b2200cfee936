"""What a request should do, said as simply as possible: no bindings, no digests, no settling.

Slow and obvious. The lifecycle is compared with it on random histories.
"""

from __future__ import annotations

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


@dataclass
class Naive:
    """One request."""

    strategy: Strategy
    may: Mapping[str, Sequence[str]]
    """For each person the roles they hold."""
    status: str = "Created"
    intended: str | None = None
    seen: Seen | None = None
    requirements: list[Requirement] = field(default_factory=list)
    opened: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    grants: dict[str, dict[str, Seen]] = field(default_factory=dict)
    refusals: dict[str, set[str]] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL or self.intended is not None

    def assess(self, requirements: Sequence[Requirement], seen: Seen) -> None:
        self.requirements, self.seen = list(requirements), seen
        self._conclude()

    def names(self, person: str) -> list[Requirement]:
        held = self.may[person]
        return [r for r in self.requirements if any(role in held for role in r.who.roles)]

    def answerable(self, person: str) -> list[str]:
        """Answer what the person may decide on now; nothing: they are refused."""
        if self.is_over or person == "ana":
            return []
        return [r.id for r in self.names(person) if r.id in self.opened]

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

    def resolve(self, requirements: Sequence[Requirement], now: Seen) -> bool:
        """Answer whether it may execute; the state is `now`."""
        assert self.seen is not None
        if self.status != "Approved" or self.is_over:
            return False
        moved = now.moved_from(self.seen)
        if moved and self.strategy is Strategy.REJECT_STALE:
            self.intend("Rejected")
            return False
        before = {r.id for r in self.requirements}
        asked = {r.id: r for r in requirements}
        touched = {
            key for key, r in asked.items() if key in before and moved and self._touched(r, now)
        }
        answered = {key for given in self.grants.values() for key in given}
        answered |= {key for given in self.refusals.values() for key in given}
        renewed = bool(touched & answered or asked.keys() - before)
        gone = (before - asked.keys()) | touched
        self.grants = {
            person: kept
            for person, given in self.grants.items()
            if (kept := {key: seen for key, seen in given.items() if key not in gone})
        }
        self.refusals = {
            person: left for person, given in self.refusals.items() if (left := given - gone)
        }
        self.requirements, self.seen = list(requirements), now
        self.opened -= gone
        self.done -= gone
        if renewed:
            self.opened &= self.done
        self._conclude()
        return self.status == "Approved"

    def _touched(self, requirement: Requirement, now: Seen) -> bool:
        assert self.seen is not None
        if self.strategy is Strategy.REVALIDATE_ON_LATEST:
            return False
        if self.strategy is Strategy.REQUIRE_RENEWED_APPROVAL:
            return True
        return now.part(requirement) != self.seen.part(requirement)

    def _conclude(self) -> None:
        for r in self.requirements:
            refused = sum(r.id in given for given in self.refusals.values())
            able = sum(r in self.names(p) for p in self.may if p != "ana")
            enough = refused and able - refused < r.needed
            if enough if r.refusals is None else refused >= r.refusals:
                self.intended = "Rejected"
        self._fill()
        if self.intended is None:
            met = all(r.id in self.done for r in self.requirements)
            self.status = "Approved" if met else "Pending"

    def _fill(self) -> None:
        """Seat by seat in order; what is done comes before what is not, within a step."""
        people = {p: list(given) for p, given in self.grants.items()}
        order = sorted(self.requirements, key=lambda r: (r.step, r.id not in self.done, r.id))
        taken: list[str] = []
        done: set[str] = set()
        for r in order:
            before = len(taken)
            while len(taken) - before < r.needed and fillable([*taken, r.id], people):
                taken.append(r.id)
            if len(taken) - before == r.needed:
                done.add(r.id)
        for r in sorted(self.requirements, key=lambda r: r.step):
            if all(e.id in done and e.id in self.opened for e in order if e.step < r.step):
                self.opened.add(r.id)
        self.done = done & self.opened
