"""What a request waits for besides people, said as simply as possible.

Whoever looks says what they found; what holds is met, what has failed is lost. Slow and obvious.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.requirements import Requirement
from tests.core.naive import PEOPLE, Naive, Seen, everything, is_choice

TOLD = {"schedule", "dependency", "quota"}
"""What a wake-up may be about."""

REJECTED = {
    "check": "check/failed",
    "dependency": "dependency/ended",
    "schedule": "unsatisfiable/no_window",
    "quota": "quota/over_budget",
}
"""How a request is rejected where whoever looked does not say it."""


@dataclass
class Found:
    """What looking brought: a verdict, and for what is not yet the hour to look again."""

    verdict: str
    again: int | None = None
    filed: bool = False


@dataclass
class NaiveWaits(Naive):
    """One request that also waits for what nobody answers from a seat."""

    found: dict[str, Found] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    """How often each was looked at."""
    losses: list[tuple[str, str]] = field(default_factory=list)
    """Who refused and what failed, in order."""
    brought: Mapping[str, Found] = field(default_factory=dict)
    """What an assessment brings, to be written down once it is taken over.

    It looked before the request was known to be waiting: what is not yet is looked at again.
    """
    held: set[str] = field(default_factory=set)
    reserved: list[tuple[str, str]] = field(default_factory=list)
    """What was reserved and given back, in order."""
    why: str = ""
    """Why the request is to be rejected."""

    # What is found.

    def looked_at(self) -> list[Requirement]:
        """Answer what is waited for that nobody answers from a seat."""
        if self.status != "Pending" or self.is_over:
            return []
        return [r for r in self._awaited() if r.kind not in PEOPLE]

    def to_look_at(self) -> set[str]:
        found = {r.id: self.found.get(r.id) for r in self.looked_at()}
        return {
            key
            for key, each in found.items()
            if each is None or (each.again is not None and each.again <= self.hour)
        }

    def next_look(self) -> int | None:
        found = [self.found[r.id].again for r in self.looked_at() if r.id in self.found]
        return min((hour for hour in found if hour is not None), default=None)

    def next_moment(self) -> int:
        look = self.next_look()
        return min([super().next_moment(), *([] if look is None else [look])])

    def find(self, findings: Mapping[str, Found]) -> None:
        if self.is_over:
            return
        self._write(findings)
        self._conclude()

    def _write(self, findings: Mapping[str, Found]) -> None:
        known = everything(self.requirements)
        for key, each in findings.items():
            if key not in known or known[key].kind in PEOPLE or is_choice(known[key]):
                continue
            if known[key].kind == "quota" and key not in self.opened:
                continue
            if each.verdict == "failed" and not self._has_failed(key):
                self.losses.append(("failed", key))
            self.found[key] = each
            self.looks[key] = self.looks.get(key, 0) + 1

    def wake(self, *, everything_: bool) -> None:
        for r in self.looked_at():
            known = self.found.get(r.id)
            if known and (r.kind in TOLD or (everything_ and not known.filed)):
                self.found[r.id] = Found(known.verdict, self.hour, known.filed)

    def begin_to_look(self, key: str) -> None:
        if key in self.found:
            self.found[key] = Found(self.found[key].verdict, None, self.found[key].filed)

    def fulfil(self, person: str, verdict: str, named: str | None) -> bool:
        """Answer whether what a person says of a check or a review counts."""
        if self.is_over:
            return False
        asked = [r for r in self.approvals if r.kind == "review" or (r.kind == "check" and r.who)]
        mine = [r for r in asked if r in self.owns(person)]
        if named is None and len(mine) != 1:
            return False
        key = named or mine[0].id
        r = next((each for each in asked if each.id == key), None)
        if r is None:
            return False
        if r.kind == "review":
            said = "grant" if verdict == "holds" else "refuse"
            return self.answer(person, said, key, "review")
        late = self.is_late(r) or key in self.expired
        if person == "ana" or r not in mine or key not in self.opened or late:
            return False
        known = self.found.get(key)
        if known is not None and known.verdict == verdict:
            return False
        self.find({key: Found(verdict, None, known.filed if known else False)})
        return True

    def answer(
        self, person: str, verdict: str, named: str | None = None, kind: str = "approval"
    ) -> bool:
        before = len(self.losses)
        if verdict == "refuse":
            self.losses.append(("refused", person))
        counts = super().answer(person, verdict, named, kind)
        if not counts:
            del self.losses[before:]
        return counts

    # What follows.

    def _holds(self, key: str) -> bool:
        return key in self.found and self.found[key].verdict == "holds"

    def _has_failed(self, key: str) -> bool:
        return key in self.found and self.found[key].verdict == "failed"

    def _places(self, r: Requirement) -> int:
        if r.kind in PEOPLE:
            return super()._places(r)
        return 0 if self._holds(r.id) else 1

    def _is_met_by_itself(self, r: Requirement) -> bool:
        return r.kind not in {*PEOPLE, "quota"} and self._holds(r.id)

    def _touched(self, requirement: Requirement, part: Mapping[str, int]) -> bool:
        by_itself = requirement.kind in TOLD or requirement.parameters.get("bound_to") == "mutation"
        if requirement.kind == "check" and part != self.parts[requirement.id]:
            return not by_itself
        return not by_itself and super()._touched(requirement, part)

    def _forget(self, gone: set[str], *, renewed: bool) -> None:
        for key in self._quotas() if renewed else ():
            self._release(key)
        for key in gone:
            self.looks.pop(key, None)
            self.found.pop(key, None)

    def _quotas(self) -> list[str]:
        return [r.id for r in self.approvals if r.kind == "quota"]

    def _release(self, key: str) -> None:
        if self._holds(key):
            self.reserved.append(("Released", key))
        self.found.pop(key, None)
        self.opened.pop(key, None)
        self.done.discard(key)

    def _give_back(self, reached: set[str], full: set[str]) -> bool:
        """Give back room that was reserved where something before it is unmet, or nobody waits."""
        again = False
        for key in self._quotas():
            if key not in self.opened or key in self.expired:
                continue
            wanted = any(key in everything([r]) for r in self.requirements if not r.is_met(full))
            if key not in reached:
                self._release(key)
                again = True
            elif self._holds(key) and key not in full and not wanted:
                opened = self.opened[key]
                self._release(key)
                self.opened[key] = opened
                again = True
        return again

    def _fill(self) -> None:
        super()._fill()
        held = [key for key in self._quotas() if key in self.done]
        self.reserved += [("Reserved", key) for key in held if key not in self.held]
        self.held = set(held)

    def _conclude(self) -> None:
        self._write(self._to_be_looked_at_again())
        super()._conclude()
        if self.intended == "Rejected":
            self.why = self._no()

    def resolve(self, requirements: Sequence[Requirement], now: Seen) -> bool:
        """Answer whether it may execute; what is brought is looked at first, then again."""
        brought = self._to_be_looked_at_again()
        self.grow_old()
        looked = copy.deepcopy(self)
        looked.find(brought)
        if looked.status != "Approved" or looked.is_over:
            self.__dict__ = looked.__dict__
            return False
        self.brought = brought
        self.adopt(requirements, now)
        return self.status == "Approved" and not self.is_over

    def _to_be_looked_at_again(self) -> Mapping[str, Found]:
        brought, self.brought = self.brought, {}
        return {
            key: Found("not_yet", self.hour, each.filed)
            if each.verdict == "not_yet" and each.again is None
            else each
            for key, each in brought.items()
        }

    def adopt(self, requirements: Sequence[Requirement], now: Seen) -> None:
        super().adopt(requirements, now)
        self.brought = {}

    def _no(self) -> str:
        """Answer why it is lost: what happened last of that which still stands."""
        lost = next(r for r in self.requirements if not self._left(r))
        inside = everything([lost])
        refused = [r for r in inside.values() if self._is_refused(r)]
        for what, name in reversed(self.losses):
            if what == "failed" and name in inside and self._has_failed(name):
                return REJECTED[inside[name].kind]
            said = self.said.get(name)
            given = said.given if said is not None and said.verdict == "refuse" else {}
            if what == "refused" and any(r.id in given for r in refused):
                only = all(r.kind == "review" for r in refused)
                return "approval/review_failed" if only else "approval/refused"
        raise AssertionError(self.losses)
