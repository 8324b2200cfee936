"""What a request should do, said as simply as possible: no bindings, no digests, no settling.

Slow and obvious, in whole hours. The lifecycle is compared with it on random histories.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from core.requirements import Requirement, Strategy

TERMINAL = {"Rejected", "Canceled", "Expired", "Superseded", "Executed"}

PEOPLE = {"approval", "review"}

DEADLINE = 14 * 24
"""Hours after which a request has expired."""

LONGEST = 90 * 24
"""Hours for which a right may be handed on."""


def hours(duration: timedelta) -> int:
    return int(duration.total_seconds() // 3600)


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

    def part(self, requirement: Requirement, demanded: Sequence[Requirement]) -> dict[str, int]:
        """Answer what it answers for: what it covers, and what nobody might cover beside it."""
        mine = {k for k in self.after if covers(requirement, k)}
        for met in selections(demanded):
            if requirement.id in {r.id for r in met}:
                mine |= {
                    k for k in self.after if not any(covers(r, k) for r in met if is_by_effect(r))
                }
        return {k: v for k, v in self.after.items() if k in mine}


def covers(requirement: Requirement, field_: str) -> bool:
    return requirement.covers == ("",) or f"/{field_}" in requirement.covers


def is_by_effect(requirement: Requirement) -> bool:
    """Answer whether it judges what would be done."""
    is_check = requirement.kind == "check" and requirement.parameters.get("bound_to") == "effect"
    return requirement.kind in PEOPLE or is_check


def selections(demanded: Sequence[Requirement]) -> list[list[Requirement]]:
    """Answer every list of requirements that meets all of these."""
    chosen = itertools.product(*map(ways_of, demanded))
    return [[*itertools.chain.from_iterable(each)] for each in chosen]


def is_choice(requirement: Requirement) -> bool:
    return bool(requirement.alternatives)


def everything(requirements: Sequence[Requirement]) -> dict[str, Requirement]:
    """Answer what is demanded, and then all that stands in alternatives, by id."""
    found = {r.id: r for r in requirements}
    for r in requirements:
        for way in r.alternatives:
            for each in way:
                found |= everything([each])
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
class Said:
    """The newest answer of a person: to which approvals and when, and in whose place."""

    verdict: str
    given: dict[str, int]
    place: str | None = None


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
    said: dict[str, Said] = field(default_factory=dict)
    too_old: set[tuple[str, str]] = field(default_factory=set)
    """Who granted what too long ago, and has said nothing since."""
    handed: list[tuple[str, str, str, int]] = field(default_factory=list)
    """Who handed on the right to answer what, to whom, until which hour."""
    reminded: set[str] = field(default_factory=set)
    escalated: set[str] = field(default_factory=set)
    met_by: dict[str, list[str]] = field(default_factory=dict)
    """Of each choice that is met, what it is met by."""
    waited: set[str] = field(default_factory=set)
    """Which approvals somebody was waited for at."""
    told: list[tuple[str, ...]] = field(default_factory=list)
    """What was decided about people's answers: a code and whom it is about."""
    parts: dict[str, dict[str, int]] = field(default_factory=dict)
    """What each answers for, as it was divided when the effect was another the last time."""

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL or self.intended is not None

    @property
    def approvals(self) -> list[Requirement]:
        """Answer everything that is not a choice."""
        return [r for r in everything(self.requirements).values() if not is_choice(r)]

    def all_said(self, verdict: str) -> dict[str, list[str]]:
        return {p: list(s.given) for p, s in self.said.items() if s.verdict == verdict}

    def assess(self, requirements: Sequence[Requirement], seen: Seen) -> None:
        self.requirements, self.seen = list(requirements), seen
        self.parts = self._parts(requirements, seen)
        self._conclude()

    def _parts(self, requirements: Sequence[Requirement], now: Seen) -> dict[str, dict[str, int]]:
        same = self.seen is not None and now.after == self.seen.after
        return {
            key: self.parts[key] if same and key in self.parts else now.part(r, requirements)
            for key, r in everything(requirements).items()
        }

    def owns(self, person: str) -> list[Requirement]:
        """Answer what a person may answer by their own roles."""
        held = self.may[person]
        return [
            r
            for r in self.approvals
            if any(role in held for role in r.who.roles)
            or (r.id in self.escalated and any(role in held for role in r.escalate_to.roles))
        ]

    def is_late(self, requirement: Requirement) -> bool:
        key = requirement.id
        if requirement.duration is None or key not in self.opened or key in self.done:
            return False
        return self.hour >= self.opened[key] + hours(requirement.duration)

    def _meant(self, named: str | None) -> set[str]:
        known = everything(self.requirements)
        if named is None:
            return set(known)
        return set(everything([known[named]])) if named in known else set()

    def _right(self, person: str, meant: set[str]) -> tuple[str | None, list[str]]:
        """Answer in whose place a person answers now, and what; nothing: they may not."""
        by: dict[str | None, list[str]] = {None: [r.id for r in self.owns(person)]}
        for giver, key, to, until in self.handed:
            if to == person and self.hour < until:
                by.setdefault(giver, []).append(key)
        by = {g: [k for k in ks if k in meant and k in self.opened] for g, ks in by.items()}
        able = [g for g, keys in by.items() if keys]
        lacking = [g for g in able if any(self._is_open(key) for key in by[g])] or able
        if not lacking:
            return None, []
        answered = self.said.get(person)
        if answered is not None and answered.place in lacking:
            return answered.place, by[answered.place]
        free = [g for g in lacking if g is None or not self._naming(g)]
        chosen = (free or lacking)[0]
        return chosen, by[chosen]

    def _is_open(self, key: str) -> bool:
        return key in self.opened and key not in self.done and key not in self.expired

    def _naming(self, *people: str | None) -> list[str]:
        """Answer who has said something in which one of these people has a part."""
        return [p for p, s in self.said.items() if p in people or (s.place or p) in people]

    def answer(
        self, person: str, verdict: str, named: str | None = None, kind: str = "approval"
    ) -> bool:
        """Answer whether what a person says counts."""
        if self.is_over or person == "ana":
            return False
        known = everything(self.requirements)
        meant = {key for key in self._meant(named) if known[key].kind == kind}
        place, may = self._right(person, meant)
        mine = [r for r in self.approvals if r.id in may]
        demanded = {r.id for r in self.requirements}
        if not mine or any(self.is_late(r) for r in mine if r.id in demanded):
            return False
        mine = [r for r in mine if not self.is_late(r)]
        if not mine:
            return False
        keys = {r.id for r in mine}
        before = self.said.get(person)
        if before is not None and before.verdict != verdict:
            before = None
        if before is not None and before.place != place:
            return False
        ages = verdict == "grant" and any(r.lifetime is not None for r in mine)
        if before is not None and keys <= set(before.given) and not ages:
            return False
        other = self.said.get(place) if place else None
        if other is not None and other.verdict == verdict and keys <= set(other.given):
            return False
        given = before.given if before else {}
        again = all(key in given or (person, key) in self.too_old for key in keys)
        for each in self._naming(person, place or person):
            if self.said.pop(each).verdict == "grant" and not (each == person and before):
                self.told.append(("Withdrawn", person, each))
        word = "Reaffirmed" if again else "Granted"
        self.told.append((word if verdict == "grant" else "Refused", person))
        self.said[person] = Said(verdict, given | dict.fromkeys(keys, self.hour), place)
        self.too_old = {(p, key) for p, key in self.too_old if p != person}
        self._conclude()
        return True

    def withdraw(self, person: str) -> bool:
        grants = [p for p in self._naming(person) if self.said[p].verdict == "grant"]
        if self.is_over or not grants:
            return False
        for each in grants:
            self.told.append(("Withdrawn", person, each))
            del self.said[each]
        self.too_old = {(p, key) for p, key in self.too_old if p != person}
        self._conclude()
        return True

    def delegate(self, person: str, to: str, lasts: int, named: str | None) -> bool:
        """Answer whether somebody may let another answer in their place."""
        meant = self._meant(named)
        mine = [r.id for r in self.owns(person) if r.id in meant and r.kind in PEOPLE]
        theirs = {r.id for r in self.owns(to)}
        if self.is_over or "ana" in {person, to} or person == to or self.hour >= DEADLINE:
            return False
        if not 0 < lasts <= LONGEST or not mine or theirs >= set(mine):
            return False
        self.handed = [h for h in self.handed if h[0] != person or h[1] not in mine]
        until = min(self.hour + lasts, DEADLINE)
        self.handed += [(person, r.id, to, until) for r in self.approvals if r.id in mine]
        self.told.append(("Delegated", person, to))
        return True

    # What the time brings.

    def _until(self, r: Requirement) -> int:
        own = DEADLINE if r.duration is None else self.opened[r.id] + hours(r.duration)
        return min(own, DEADLINE)

    def _awaited(self) -> list[Requirement]:
        """Answer what is open and lacks somebody, where that could still help."""
        ways = [
            r
            for demanded in self.requirements
            if demanded.id not in self.done
            for way in self._left(demanded)
            for r in way
        ]
        one = {r.id: r for r in ways if self._is_open(r.id)}
        return [r for r in one.values() if self.counted.get(r.id, 0) < r.needed]

    def _ages(self) -> list[tuple[int, int, str, tuple[str, ...]]]:
        """Answer when which grants grow too old for what."""
        lives = {r.id: hours(r.lifetime) for r in self.approvals if r.lifetime is not None}
        found: dict[tuple[int, str], list[str]] = {}
        for person, answer in self.said.items():
            for key, given in answer.given.items() if answer.verdict == "grant" else ():
                if key in lives:
                    found.setdefault((given + lives[key], person), []).append(key)
        return [(hour, 1, person, tuple(sorted(keys))) for (hour, person), keys in found.items()]

    def _moments(self) -> list[tuple[int, int, str, tuple[str, ...]]]:
        """Answer what is to be done and when: in the order of hours, kinds, names."""
        if self.status != "Pending" or self.is_over:
            return []
        found = [*self._ages(), *((until, 0, "", ()) for *_, until in self.handed)]
        for r in self._awaited():
            if r.escalate_after and r.id not in self.escalated:
                found.append((self.opened[r.id] + hours(r.escalate_after), 2, r.id, ()))
            if r.remind_before and r.id not in self.reminded:
                early = self._until(r) - hours(r.remind_before)
                found.append((max(self.opened[r.id], early), 3, r.id, ()))
        return found

    def next_moment(self) -> int:
        ends = [self._until(r) for r in self._awaited()] if not self.is_over else []
        return min([DEADLINE, *ends, *(m[0] for m in self._moments())])

    def ring(self) -> None:
        while due := sorted({m for m in self._moments() if m[0] <= self.hour}):
            for hour, kind, name, keys in due:
                if kind == 0:
                    self.handed = [h for h in self.handed if h[3] != hour]
                elif kind == 1:
                    self._let_lapse(name, keys)
                else:
                    (self.escalated if kind == 2 else self.reminded).add(name)
                    self.told.append(("Escalated" if kind == 2 else "Reminded", name))
            self._conclude()

    def grow_old(self) -> None:
        """Let no grant count that is too old by now."""
        if self.is_over:
            return
        for hour, _, person, keys in sorted(self._ages()):
            if hour <= self.hour:
                self._let_lapse(person, keys)
        self._conclude()

    def _let_lapse(self, person: str, keys: tuple[str, ...]) -> None:
        self.told.append(("Lapsed", person, *keys))
        self.too_old |= {(person, key) for key in keys}
        left = {k: hour for k, hour in self.said[person].given.items() if k not in keys}
        self.said[person].given = left
        if not left:
            del self.said[person]

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
        late = {r.id for r in self._awaited() if self.is_late(r)}
        self.expired |= late
        if whole or any(not self._left(r) for r in self.requirements):
            self.intend("Expired")
        elif late:
            self._conclude()

    def leave(self, person: str) -> bool:
        """Answer whether somebody who is gone takes a grant with them, or one in their place."""
        self.grow_old()
        gone = [p for p in self._naming(person) if self.said[p].verdict == "grant"]
        for each in gone:
            self.told.append(("Lapsed", each))
            del self.said[each]
        self._conclude()
        return bool(gone)

    def resolve(self, requirements: Sequence[Requirement], now: Seen) -> bool:
        """Answer whether it may execute; the state is `now`."""
        assert self.seen is not None
        self.grow_old()
        if self.status != "Approved" or self.is_over:
            return False
        self.adopt(requirements, now)
        return self.status == "Approved" and not self.is_over

    def adopt(self, requirements: Sequence[Requirement], now: Seen) -> None:
        """Take over what is demanded now, and what would be done now."""
        assert self.seen is not None
        moved = now.moved_from(self.seen)
        if moved and self.strategy is Strategy.REJECT_STALE:
            self.intend("Rejected")
            return
        before, asked = everything(self.requirements), everything(requirements)
        parts = self._parts(requirements, now)
        touched = {
            key
            for key, r in asked.items()
            if key in before and moved and self._touched(r, parts[key])
        }
        answered = {key for said in self.said.values() for key in said.given}
        gone = (before.keys() - asked.keys()) | touched
        renewed = bool(asked.keys() - before.keys())
        if touched & (answered | self.done) and not renewed:
            trial = copy.deepcopy(self)
            trial._take_over(requirements, now, parts, gone, renewed=False)
            was_and_is = {self.status, trial.status}
            renewed = was_and_is != {"Approved"} or trial.is_over
        self._take_over(requirements, now, parts, gone, renewed=renewed)

    def _take_over(
        self,
        requirements: Sequence[Requirement],
        now: Seen,
        parts: dict[str, dict[str, int]],
        gone: set[str],
        *,
        renewed: bool,
    ) -> None:
        self._forget(gone, renewed=renewed)
        for person, said in [*self.said.items()]:
            said.given = {key: hour for key, hour in said.given.items() if key not in gone}
            if not said.given:
                del self.said[person]
        self.too_old = {(person, key) for person, key in self.too_old if key not in gone}
        self.escalated -= gone
        anew = gone | {
            key
            for key in self.opened.keys() - self.done
            if renewed or _within(key, self.requirements) != _within(key, requirements)
        }
        self.requirements, self.seen, self.parts = list(requirements), now, parts
        self.done -= gone
        self.expired -= anew
        self.opened = {key: hour for key, hour in self.opened.items() if key not in anew}
        self._conclude()

    def _forget(self, gone: set[str], *, renewed: bool) -> None:
        """Forget what was found about what is gone; here nothing ever is."""

    def _touched(self, requirement: Requirement, part: Mapping[str, int]) -> bool:
        if self.strategy is Strategy.REVALIDATE_ON_LATEST or is_choice(requirement):
            return False
        if self.strategy is Strategy.REQUIRE_RENEWED_APPROVAL:
            return True
        return part != self.parts[requirement.id]

    def _places(self, r: Requirement) -> int:
        """Answer how many people must sit."""
        return r.needed

    def _has_failed(self, key: str) -> bool:
        """Answer whether it can no longer be met, whoever answers; here nothing ever has."""
        return False

    def _is_refused(self, r: Requirement) -> bool:
        refused = sum(r.id in given for given in self.all_said("refuse").values())
        if r.refusals is not None:
            return refused >= r.refusals
        able = sum(r in self.owns(p) for p in self.may if p != "ana")
        return bool(refused) and able - refused < r.needed

    def _left(self, demanded: Requirement) -> list[list[Requirement]]:
        """Answer the ways in which nothing was refused and nothing has expired."""
        return [
            way
            for way in ways_of(demanded)
            if not any(
                r.id in self.expired or self._is_refused(r) or self._has_failed(r.id) for r in way
            )
        ]

    def _conclude(self) -> None:
        lost = any(not self._left(r) for r in self.requirements)
        self._fill()
        waited = {r.id for r in self._awaited()}
        for key in waited - self.waited:
            self.opened[key] = self.hour
            self.reminded.discard(key)
        self.waited = waited
        if lost:
            self.intended = "Rejected"
            return
        met = all(r.id in self.done for r in self.requirements)
        self.status = "Approved" if met else "Pending"

    def _fill(self) -> None:
        """Try every choice of ways; what is done comes before what is not, within a step."""
        order = sorted(self.requirements, key=lambda r: (r.step, r.id not in self.done, r.id))
        best: tuple[list[bool], list[str], set[str]] = ([], [], set())
        for choice in itertools.product(*map(self._options, order)):
            taken: list[str] = []
            met: list[bool] = []
            chosen: set[str] = set()
            for r, way in zip(order, choice, strict=True):
                filled = way is not None and self._seat(way, taken)
                if way is not None and not filled and self._is_open_choice(r):
                    break
                met.append(filled)
                chosen |= {each.id for each in way or ()}
            else:
                if met > best[0]:
                    best = (met, taken, chosen)
        _, taken, chosen = best
        self.counted = {r.id: taken.count(r.id) for r in self.approvals}
        full = {r.id for r in self.approvals if r.id in chosen and self._is_full(r, taken)}
        full |= {r.id for r in self.approvals if self._is_met_by_itself(r)}
        reached = _reached(self.requirements, full)
        for r in self.requirements:
            for way in self._left(r) if is_choice(r) and r.id in reached else []:
                alone: list[str] = []
                self._seat(way, alone)
                enough = {each.id for each in way if self._is_full(each, alone)}
                for group in r.alternatives:
                    reached |= _reached(group, enough)
                beside = list(taken)
                self._seat(way, beside)
                if not r.is_met(full):
                    for each in way:
                        told = max(self.counted[each.id], beside.count(each.id))
                        self.counted[each.id] = told
        if self._give_back(reached, full):
            self._fill()
            return
        was: dict[str, list[str]] = {}
        for r in self.requirements:
            ways = self._options(r) if is_choice(r) else []
            met_by = [way for way in ways if way and all(e.id in full for e in way)]
            if met_by:
                was[r.id] = [each.id for each in met_by[0]]
        self.met_by = was
        for key in reached - self.opened.keys():
            self.opened[key] = self.hour
            self.reminded.discard(key)
        done = {
            key
            for key, r in everything(self.requirements).items()
            if r.is_met(full) and key in self.opened
        }
        for key in self.done - done:
            self.opened[key] = self.hour
            self.reminded.discard(key)
        self.done = done

    def _is_met_by_itself(self, r: Requirement) -> bool:
        """Answer whether it is met whoever sits where; here people meet everything."""
        return False

    def _is_full(self, r: Requirement, taken: Sequence[str]) -> bool:
        return taken.count(r.id) >= self._places(r)

    def _give_back(self, reached: set[str], full: set[str]) -> bool:
        """Answer whether something was given back that nothing waits for; here nothing ever is."""
        return False

    def _is_open_choice(self, r: Requirement) -> bool:
        return is_choice(r) and len(self._left(r)) != 1

    def _options(self, r: Requirement) -> list[list[Requirement] | None]:
        """Answer the ways to go, that which is met first; a choice that cannot be met seats nobody.

        What has one way is filled as far as it can be, were it refused or not.
        """
        if not is_choice(r):
            return [[r]]
        left = sorted(self._left(r), key=lambda way: self._is_further(r, way))
        return [*left, None] if len(left) != 1 else [*left]

    def _is_further(self, r: Requirement, way: Sequence[Requirement]) -> tuple[bool, bool]:
        """Answer what makes a way the later choice: it is another one, or not all of it is done."""
        another = [each.id for each in way] != self.met_by.get(r.id)
        return another, any(each.id not in self.done for each in way)

    def _seat(self, way: Sequence[Requirement], taken: list[str]) -> bool:
        """Fill the seats of a way, one by one; answer whether all are."""
        people = self.all_said("grant")
        for r in way:
            while not self._is_full(r, taken) and fillable([*taken, r.id], people):
                taken.append(r.id)
        return all(self._is_full(r, taken) for r in way)


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
