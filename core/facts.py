"""What policies are told besides mutation and state; recorded, so that they can be replayed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import JsonValue

from .digests import jsonable


class Facts(Mapping[str, Any]):
    """Facts by name, read-only.

    Always there: `facts["at"]`, the only time a policy reads (an aware datetime), and
    `facts["fulfilled"]`, the ids of the requirements that have been met (a frozenset of strings).
    """

    __slots__ = ("_recorded", "_values", "at", "fulfilled")

    def __init__(
        self,
        at: datetime,
        fulfilled: Iterable[str] = (),
        values: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """Take the time of the evaluation, what is fulfilled, and what was looked up outside.

        Raises:
            InvalidValue: A value that no record could hold.
        """
        self.at = at
        self.fulfilled = frozenset(fulfilled)
        self._values: dict[str, Any] = {**(values or {}), "at": at, "fulfilled": self.fulfilled}
        written = jsonable(
            {**self._values, "at": at.isoformat(), "fulfilled": sorted(self.fulfilled)}
        )
        assert isinstance(written, dict)  # noqa: S101 - a mapping stays one; this tells the type checker
        self._recorded = written

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def recorded(self) -> dict[str, JsonValue]:
        """Answer the facts as they stand in the record of an evaluation."""
        return self._recorded
