"""What was said under each decision id, and what it was answered, in bounded room."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from core.errors import RequestFull
from core.model import bytes_of
from wire.asks import Refusal

from .carried import Taken

MOST_BYTES: Final = 256 * 1024
"""Bytes that ids and answers may take: as many for what counted as for what was refused."""

Key = tuple[str, str]
"""Who said it, and the id it was given."""


class Remembered:
    """The ids that messages took, in the order in which they took them.

    An id whose message counted is never forgotten; beyond the bound there are no more. Of those
    refused the oldest are forgotten: whoever sends one again is judged again.
    """

    def __init__(self, taken: Iterable[Taken] = ()) -> None:
        """Begin with what the run before had taken."""
        self._counted: dict[Key, Taken] = {}
        self._refused: dict[Key, Taken] = {}
        self._bytes = {"counted": 0, "refused": 0}
        for each in taken:
            self._keep(each)

    def __contains__(self, key: object) -> bool:
        """Answer whether the id is taken."""
        return key in self._counted or key in self._refused

    def said(self, key: Key) -> tuple[str, Refusal | None] | None:
        """Answer what was said under an id, and why it did not count; nothing: it is free."""
        taken = self._counted.get(key) or self._refused.get(key)
        return (taken.said, taken.refusal) if taken else None

    def keep(self, key: Key, said: str, refusal: Refusal | None) -> None:
        """Keep what was said under an id, and what it was answered."""
        actor, decision_id = key
        self._keep(Taken(actor_id=actor, decision_id=decision_id, said=said, refusal=refusal))

    def taken(self) -> tuple[Taken, ...]:
        """Answer what the next run is handed."""
        return (*self._counted.values(), *self._refused.values())

    def raise_if_full(self) -> None:
        """Refuse one more message where its id could not be kept.

        Raises:
            RequestFull: There are as many ids as there can be.
        """
        if self._bytes["counted"] >= MOST_BYTES:
            raise RequestFull(
                "The request has taken all the messages it can take. Cancel it, and submit another."
            )

    def _keep(self, taken: Taken) -> None:
        kind, known = ("refused", self._refused) if taken.refusal else ("counted", self._counted)
        known[taken.actor_id, taken.decision_id] = taken
        self._bytes[kind] += bytes_of(taken)
        while self._bytes["refused"] > MOST_BYTES:
            oldest = next(iter(self._refused))
            self._bytes["refused"] -= bytes_of(self._refused.pop(oldest))
