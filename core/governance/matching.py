"""Exact matching of people to seats: one person fills one seat, whatever roles they hold.

Seats are filled in order by augmenting paths. A filled seat is never emptied by a later one, so
an earlier requirement has the right of way, and one more grant never undoes what others filled.
Where what is demanded can be met in several ways, one way is taken, and people sit in that only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def match(
    seats: Sequence[tuple[str, int]],
    people: Mapping[str, Sequence[str]],
    *,
    seated: Mapping[str, Collection[str]] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Fill as many seats as can be filled.

    Args:
        seats: Requirement ids with the number of their seats, in order of precedence.
        people: For each person the requirements they may count for.
        seated: Who fills which seats now; they keep them where that costs nobody a seat.

    Returns:
        For each requirement who fills its seats, in the order of their ids.
    """
    hall = _Hall([key for key, _ in seats], people, seated or {})
    for key, count in seats:
        for _ in range(count):
            if not hall.seat(key):
                break
    return {key: tuple(sorted(who)) for key, who in hall.filled.items()}


def choose(
    demands: Sequence[Sequence[Sequence[tuple[str, int]]]],
    people: Mapping[str, Sequence[str]],
    *,
    seated: Mapping[str, Collection[str]] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Take a way to meet each demand, so that each is met that can be beside those before it.

    A demand with one way seats whom it can; one with several that cannot be met seats nobody.

    Args:
        demands: For each, in order of precedence, its ways, each as the seats of `match`. Of the
            ways that do, the first is taken.
        people: As in `match`.
        seated: As in `match`.

    Returns:
        As `match`, for the requirements of the ways that are taken.
    """
    plans: list[dict[str, int]] = [{}]
    for ways in demands:
        longer = [(plan | dict(way), way) for plan in plans for way in ways]
        if len(longer) == 1 == len(ways):
            plans = [longer[0][0]]
            continue
        met = [plan for plan, way in longer if _is_filled(way, match([*plan.items()], people))]
        plans = met or ([plan for plan, _ in longer] if len(ways) == 1 else plans)
    return match([*plans[0].items()], people, seated=seated)


def _is_filled(way: Sequence[tuple[str, int]], filled: Mapping[str, Collection[str]]) -> bool:
    return all(len(filled[key]) >= count for key, count in way)


class _Hall:
    """Who may sit where, and who does; lives as long as `match`."""

    def __init__(
        self,
        keys: Sequence[str],
        people: Mapping[str, Sequence[str]],
        seated: Mapping[str, Collection[str]],
    ) -> None:
        self.able: dict[str, list[str]] = {key: [] for key in keys}
        self.filled: dict[str, list[str]] = {key: [] for key in keys}
        self.sits: dict[str, str] = {}
        for person in sorted(people):
            for key in dict.fromkeys(people[person]):
                if key in self.able:
                    self.able[key].append(person)
        for key, who in seated.items():
            if key in self.able:
                self.able[key].sort(key=lambda person: person not in who)

    def seat(self, wanted: str) -> bool:
        """Fill one more seat, if anybody can; those who sit may move, nobody has to stand.

        Breadth first over requirements, each once: the fewest people move, and no call nests.
        """
        movers: dict[str, tuple[str, str]] = {}
        for key in (reached := [wanted]):
            for person in self.able[key]:
                here = self.sits.get(person)
                if here is None:
                    self._move_up(person, key, movers)
                    return True
                if here != wanted and here not in movers:
                    movers[here] = (key, person)
                    reached.append(here)
        return False

    def _move_up(self, person: str, key: str, movers: Mapping[str, tuple[str, str]]) -> None:
        """Seat a free person, and send each one whose seat that was to where they are wanted."""
        while True:
            self.sits[person] = key
            self.filled[key].append(person)
            if key not in movers:
                return
            wanted, mover = movers[key]
            self.filled[key].remove(mover)
            key, person = wanted, mover
