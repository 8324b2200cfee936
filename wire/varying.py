"""One parameter of a mutation over a range of values: where what is demanded changes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Final

from pydantic import Field, JsonValue, StringConstraints, model_validator

from core.documents import tokens
from core.governance.request import PendingReason, Rejection, WishedMutation
from core.model import Value
from core.policy import Verdict

MAX_VALUES: Final = 100
"""How many values of a parameter are tried at most."""

Number = int | Annotated[float, Field(allow_inf_nan=False)]


class Vary(Value):
    """A parameter, and the values to try: either as they are, or an even range of numbers.

    Attributes:
        parameter: Where it is in the mutation's parameters, as a JSON Pointer: `/amount`.
        mutation: Which mutation of several, from 0.
        values: The values, in the order in which they are told; at most `MAX_VALUES`.
        first: The first of a range.
        last: Its end, itself included where a step reaches it.
        step: How far its values are apart.
    """

    parameter: Annotated[str, StringConstraints(pattern=r"^(/[^/]+)+$", max_length=500)]
    mutation: int = Field(default=0, ge=0)
    values: Annotated[tuple[JsonValue, ...], Field(max_length=MAX_VALUES)] = ()
    first: Number | None = None
    last: Number | None = None
    step: Number = Field(default=1, gt=0)

    @model_validator(mode="after")
    def _is_a_range(self) -> Vary:
        by_range = self.first is not None and self.last is not None
        if bool(self.values) == by_range or by_range != (
            self.first is not None or self.last is not None
        ):
            raise ValueError("give values, or first and last")
        if by_range and not 1 <= self._steps <= MAX_VALUES:
            raise ValueError(f"a range has 1 to {MAX_VALUES} values, not {max(self._steps, 0)}")
        return self

    @property
    def tried(self) -> tuple[JsonValue, ...]:
        """Answer every value, in order."""
        if self.values:
            return self.values
        first, step = _exact(self.first), _exact(self.step)
        return tuple(_plain(first + step * index) for index in range(self._steps))

    def put(self, mutations: Sequence[WishedMutation], value: JsonValue) -> list[WishedMutation]:
        """Answer the mutations with this value of the parameter.

        Raises:
            ValueError: There is no such mutation, or no place for the parameter.
        """
        if self.mutation >= len(mutations):
            raise ValueError(f"there is no mutation {self.mutation}; the first is 0")
        varied = list(mutations)
        wished = varied[self.mutation]
        parameters = _with(wished.parameters, tokens(self.parameter), value)
        varied[self.mutation] = wished.model_copy(update={"parameters": parameters})
        return varied

    def is_given(self, mutations: Sequence[WishedMutation]) -> bool:
        """Answer whether the mutations have a value of the parameter of their own."""
        found: JsonValue = dict(mutations[self.mutation].parameters)
        for name in tokens(self.parameter):
            if not isinstance(found, dict) or name not in found:
                return False
            found = found[name]
        return True

    @property
    def _steps(self) -> int:
        return int((_exact(self.last) - _exact(self.first)) // _exact(self.step)) + 1


class Varied(Value):
    """Values next to each other for which a request would fare alike.

    Attributes:
        first: The first of them.
        last: The last of them.
        count: How many were tried.
        verdict: `deny` where it would be rejected, `require` where it would wait, else `allow`.
        pending: What it would wait for; the words are those for the first value.
        rejection: Why it would be rejected at once, likewise.
    """

    first: JsonValue
    last: JsonValue
    count: int = 1
    verdict: Verdict
    pending: tuple[PendingReason, ...] = ()
    rejection: Rejection | None = None

    def is_like(self, other: Varied) -> bool:
        """Answer whether a request would fare alike: the same is demanded, or the same refused."""
        return self._fares == other._fares

    @property
    def _fares(self) -> tuple[object, ...]:
        refused = (self.rejection.category, self.rejection.code) if self.rejection else None
        return (self.verdict, refused, tuple(sorted(r.requirement_id for r in self.pending)))


def joined(found: Sequence[Varied]) -> tuple[Varied, ...]:
    """Join neighbours that are alike."""
    ranges: list[Varied] = []
    for each in found:
        if ranges and ranges[-1].is_like(each):
            before = ranges[-1]
            update = {"last": each.last, "count": before.count + each.count}
            ranges[-1] = before.model_copy(update=update)
        else:
            ranges.append(each)
    return tuple(ranges)


def _with(document: JsonValue, names: Sequence[str], value: JsonValue) -> JsonValue:
    if not names:
        return value
    if not isinstance(document, dict):
        raise ValueError(f"there is no map to put {names[0]!r} in")  # noqa: TRY004 - pydantic's way
    name, *below = names
    return document | {name: _with(document.get(name, {}), below, value)}


def _exact(number: Number | None) -> Fraction:
    """Answer a number as it is written, so that ten steps of 0.1 make 1."""
    return Fraction(str(number or 0))


def _plain(number: Fraction) -> int | float:
    return int(number) if number.denominator == 1 else float(number)
