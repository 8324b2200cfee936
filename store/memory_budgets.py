"""The fake's side of `budgets`: room in budgets, kept in a dict under the lock of its store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.budgets import Share, Use, lets_pass, share
from core.governance.outcome import Ending
from core.governance.request import MutationRequest

from . import waiting
from .protocol import Queued, Reservation, Reserved
from .waiting import Claims, claims, raise_unless_same_budget, use_of

Key = tuple[str, str]
"""A request and one of its requirements."""


@dataclass(frozen=True)
class _Claim:
    """What was asked for, its place, and since when it has room or is consumed.

    One that is idle keeps its place, and asks for nothing now.
    """

    wanted: Reservation
    position: int
    reserved_at: datetime | None = None
    consumed_at: datetime | None = None
    is_idle: bool = False

    @property
    def has_room(self) -> bool:
        return self.reserved_at is not None

    @property
    def is_waiting(self) -> bool:
        return not self.has_room and not self.is_idle


class Budgets:
    """Who has room in budgets, and who waits for it."""

    def __init__(self) -> None:
        self._claims: dict[Key, _Claim] = {}

    def reserve(self, wanted: Reservation) -> Reserved | Queued:
        """Take room if all that is wanted has some, else places; the request is open.

        Raises:
            InvalidValue: A requirement has its place in another budget.
        """
        for each in wanted.all:
            if known := self._claims.get(_key(each)):
                raise_unless_same_budget(each, known.wanted.budget)
        if any(_key(each) not in self._claims for each in wanted.all):
            self._go_behind(wanted)
        uses = [self._use(each, wanted.all[:n]) for n, each in enumerate(wanted.all)]
        shares = [
            Share(has_room=True, next_window=each.until)
            if self._claims[_key(each)].has_room
            else share(use, each.amount, each.limit, slides=each.slides, until=each.until)
            for each, use in zip(wanted.all, uses, strict=True)
        ]
        if all(each.has_room for each in shares):
            for each in wanted.all:
                claim = self._claims[_key(each)]
                if not claim.has_room:
                    self._claims[_key(each)] = replace(
                        claim, wanted=each, reserved_at=each.at, is_idle=False
                    )
            return Reserved(at=self._claims[_key(wanted)].reserved_at or wanted.at)
        for each, passed in zip(wanted.all, lets_pass(shares), strict=True):
            self._claims[_key(each)] = replace(
                self._claims[_key(each)], wanted=each, reserved_at=None, is_idle=passed
            )
        lacking = [
            (each.requirement_id, use)
            for each, use, found in zip(wanted.all, uses, shares, strict=True)
            if each is not wanted and not found.has_room
        ]
        return Queued(uses[0], tuple(lacking))

    def _go_behind(self, wanted: Reservation) -> None:
        """Take new places, behind all others, in every budget that the request asks in."""
        mine = sorted(
            (each for key, each in self._claims.items() if key[0] == wanted.request_id),
            key=lambda each: (each.wanted.budget, each.position),
        )
        fresh = (_Claim(each, 0) for each in wanted.all if _key(each) not in self._claims)
        for claim in (*mine, *fresh):
            key = _key(claim.wanted)
            last = max((each.position for each in self._open(claim.wanted.budget)), default=0)
            self._claims[key] = replace(claim, position=last + 1)

    def reserved(self, key: Key) -> bool:
        """Answer whether room is reserved, and not consumed or given back."""
        claim = self._claims.get(key)
        return claim is not None and claim.has_room and claim.consumed_at is None

    def queue(self, budget: str) -> Sequence[str]:
        """Answer who waits for room, first come first."""
        found = sorted(self._open(budget), key=lambda each: each.position)
        return list(dict.fromkeys(each.wanted.request_id for each in found if each.is_waiting))

    def follow(self, request: MutationRequest) -> None:
        """Give back what a request has and its picture does not claim; let rest what is idle."""
        claimed = claims(request)
        if claimed is None:
            return
        for key in self._of(request):
            if key[1] not in claimed.demanded:
                del self._claims[key]
            elif key[1] in claimed.asked:
                self._claims[key] = replace(self._claims[key], reserved_at=None)
            elif key[1] in claimed.idle:
                self._claims[key] = replace(self._claims[key], reserved_at=None, is_idle=True)

    def has_room(self, request: MutationRequest) -> bool:
        """Answer whether room is reserved for every requirement that holds."""
        held = (claims(request) or Claims()).held
        return all(self.reserved((request.request_id, each)) for each in held)

    def end(self, ending: Ending) -> None:
        """Consume what a commit has reserved; give everything else back."""
        request = ending.request
        claimed = claims(request)
        if claimed is None and ending.commit:
            return
        held = claimed.held if claimed and ending.commit else ()
        for key in self._of(request):
            if key[1] in held:
                consumed_at = request.executed_at or request.updated_at
                self._claims[key] = replace(self._claims[key], consumed_at=consumed_at)
            else:
                del self._claims[key]

    def _of(self, request: MutationRequest) -> list[Key]:
        return [key for key in self._claims if key[0] == request.request_id]

    def _open(self, budget: str) -> Iterator[_Claim]:
        for each in self._claims.values():
            if each.wanted.budget == budget and each.consumed_at is None:
                yield each

    def _use(self, wanted: Reservation, before: Sequence[Reservation]) -> Use:
        """Add up what others use, and what the request itself has or asks for before this."""
        committed = sorted(
            (each.consumed_at, each.position, *key, each.wanted.amount)
            for key, each in self._claims.items()
            if each.wanted.budget == wanted.budget
            and each.consumed_at is not None
            and each.consumed_at > wanted.since
        )
        live = list(self._open(wanted.budget))
        position = self._claims[_key(wanted)].position
        others = [each for each in live if each.wanted.request_id != wanted.request_id]
        mine = [
            each.amount
            for each in before
            if each.budget == wanted.budget and not self._claims[_key(each)].has_room
        ]
        return use_of(
            [(at, amount) for at, *_, amount in committed[: waiting.MOST_USES]],
            total=sum(amount for *_, amount in committed),
            reserved=sum(
                each.wanted.amount
                for each in live
                if each.has_room and _key(each.wanted) != _key(wanted)
            ),
            ahead=sum(mine)
            + sum(
                each.wanted.amount
                for each in others
                if each.is_waiting and each.position < position
            ),
        )


def _key(wanted: Reservation) -> Key:
    return wanted.request_id, wanted.requirement_id
