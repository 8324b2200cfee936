"""Exact matching of people to seats: one person fills one seat, whatever roles they hold.

Seats are filled in order by augmenting paths. A filled seat is never emptied by a later one, so
an earlier requirement has the right of way, and one more grant never undoes what others filled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def match(
    seats: Sequence[tuple[str, int]], people: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Fill as many seats as can be filled.

    Args:
        seats: Requirement ids with the number of their seats, in order of precedence.
        people: For each person the requirements they may count for.

    Returns:
        For each requirement who fills its seats, in the order of their ids.
    """
    order = [person for person in sorted(people) if people[person]]
    able = {key: [p for p in order if key in people[p]] for key, _ in seats}
    sits: dict[str, str] = {}
    filled: dict[str, list[str]] = {key: [] for key, _ in seats}

    def seat(key: str, tried: set[str]) -> bool:
        for person in able[key]:
            if person in tried:
                continue
            tried.add(person)
            taken = sits.get(person)
            if taken is None or (taken != key and seat(taken, tried)):
                if taken is not None:
                    filled[taken].remove(person)
                sits[person] = key
                filled[key].append(person)
                return True
        return False

    for key, count in seats:
        for _ in range(count):
            if not seat(key, set()):
                break
    return {key: tuple(sorted(who)) for key, who in filled.items()}
