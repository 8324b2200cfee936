"""What policies are told besides mutation and state; recorded, so that they can be replayed.

What stands outside is declared as a `Fact` of the domain, looked up before policies are asked, and
handed to them as a value:

    async def load(question: FactQuestion) -> float: ...

    Domain(..., facts=[Fact("load", load, timeout=0.2)])

A policy reads `facts["load"]`. What could not be had blocks whoever reads it so: `MissingFact` is
raised, and a policy that raises denies. A policy that can do without asks `facts.get("load")`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self

from pydantic import Field, JsonValue, ValidationError

from .context import MutationContext
from .digests import MAX_LEVELS, canonical, jsonable
from .errors import DefinitionError, InvalidValue, MutatorError
from .model import Value
from .mutation import Mutation

MAX_FACT: Final = 64 * 1024
"""Bytes of a fact in canonical JSON: it is kept with every evaluation."""

LONGEST_LOOKUP: Final = 8.0
"""Seconds a fact may take with all its attempts; an evaluation that waits has little more."""

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,63}\Z")
_AT, _FULFILLED, _LOOKED_UP = "at", "fulfilled", "looked_up"
_UNSAID: Final[Any] = object()


@dataclass(frozen=True, slots=True)
class FactQuestion:
    """What a provider is asked about; the same that the policies are asked about then.

    Attributes:
        state: The state before the change.
        mutations: All of the request, in order.
        at: The time of the evaluation, as in `facts["at"]`.
    """

    state_id: str
    state: Any
    mutations: tuple[Mutation[Any], ...]
    context: MutationContext
    at: datetime


Provider = Callable[[FactQuestion], Any]
"""Answers what JSON can hold, plain or `async`. It only reads: it may be asked twice at once."""


@dataclass(frozen=True)
class Fact:
    """Something to look up outside before policies are asked.

    Args:
        name: What policies read: `facts[name]`; lower case, digits and `_`.
        provider: Answers it, or raises; what it answers is kept with the evaluation.
        timeout: Seconds one attempt may take; `None`: the domain's `options.fact_timeout`. All
            attempts together may take `LONGEST_LOOKUP`.
        retries: How often it is tried again when it raises or is late, at most 5.
        max_age: How long an answer may be used again while one ask goes on, which is when others
            commit first and the mutation is run again on a newer state; zero: looked up again.
        applies_to: The mutation types it is looked up for; `None`: all.

    Raises:
        DefinitionError: One of them is out of its bounds, the name is malformed or taken, the
            provider cannot be called, or there is no mutation it is for.
    """

    name: str
    provider: Provider
    timeout: float | None = None
    retries: int = 1
    max_age: timedelta = timedelta(0)
    applies_to: tuple[type[Mutation[Any]], ...] | None = None

    def __post_init__(self) -> None:
        """Refuse what could only fail later."""
        if not _NAME.match(self.name) or self.name in {_AT, _FULFILLED, _LOOKED_UP}:
            message = (
                f"The fact name {self.name!r} must match {_NAME.pattern}, "
                f"and be none of {_AT}, {_FULFILLED}, {_LOOKED_UP}."
            )
            raise DefinitionError(message)
        if self.timeout is not None and not 0 < self.timeout <= LONGEST_LOOKUP:
            message = (
                f"The fact {self.name!r} is given {self.timeout:g} s an attempt; "
                f"it takes more than 0 and at most {LONGEST_LOOKUP:g} s."
            )
            raise DefinitionError(message)
        if not 0 <= self.retries <= 5:  # noqa: PLR2004 - as documented
            message = f"The fact {self.name!r} is tried again 0 to 5 times."
            raise DefinitionError(message)
        if self.applies_to == ():
            message = f"The fact {self.name!r} applies to no mutation; leave it out, or say None."
            raise DefinitionError(message)
        provider: object = self.provider
        if not callable(provider):
            message = f"The fact {self.name!r} has no provider that can be asked."
            raise DefinitionError(message)
        if self.max_age < timedelta(0):
            message = f"The fact {self.name!r} has a max_age below zero; zero is looked up again."
            raise DefinitionError(message)

    def longest(self, timeout: float) -> float:
        """Answer the seconds it can take with all its attempts.

        Args:
            timeout: Of an attempt, in seconds, where the fact names none.
        """
        return (self.timeout or timeout) * (1 + self.retries)

    def applies(self, mutation_types: Iterable[type[Mutation[Any]]]) -> bool:
        """Answer whether it is looked up for a request of these mutations."""
        wanted = self.applies_to
        return wanted is None or any(issubclass(each, wanted) for each in mutation_types)


class Lookup(Value):
    """What looking a fact up brought.

    Attributes:
        at: When it was there, by the clock of the worker.
        value: The answer as plain data, as it is kept.
        attempts: How often it was tried.
        missing: Why there is no answer, in a few words; `None` where there is one.
    """

    at: datetime
    value: JsonValue = None
    attempts: int = 1
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A fact that could not be had: it is false, and says why in a few words."""

    reason: str

    def __bool__(self) -> bool:
        """Answer that nothing is there."""
        return False


class MissingFact(MutatorError):
    """A fact is read as if it were there, and is not; `name` says which."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"The fact {name!r} is missing: {reason}.", name=name, reason=reason)


class Facts(Mapping[str, Any]):
    """Facts by name, read-only.

    Always there: `facts["at"]`, the only time a policy reads (an aware datetime), and
    `facts["fulfilled"]`, the ids of the requirements that have been met (a frozenset of strings).
    A fact that was looked up and is missing has its name here all the same.
    """

    __slots__ = ("_missing", "_recorded", "_values", "at", "fulfilled")

    def __init__(
        self,
        at: datetime,
        fulfilled: Iterable[str] = (),
        values: Mapping[str, JsonValue] | None = None,
        *,
        looked_up: Mapping[str, Lookup] | None = None,
    ) -> None:
        """Take the time of the evaluation, what is fulfilled, and what is known besides.

        Args:
            at: The time, aware.
            fulfilled: The ids of what has been met.
            values: Facts that nobody needs to look up.
            looked_up: What looking the others up brought.

        Raises:
            InvalidValue: A value that no record could hold, or a time that names no zone.
        """
        if at.utcoffset() is None:
            message = f"The time {at.isoformat()} of an evaluation names no zone."
            raise InvalidValue(message)
        self.at = at
        self.fulfilled = frozenset(fulfilled)
        found = looked_up or {}
        self._missing = {n: Missing(f.missing) for n, f in found.items() if f.missing is not None}
        answers = {n: f.value for n, f in found.items() if f.missing is None}
        given = {n: value for n, value in (values or {}).items() if n not in found}
        always = {_AT: at, _FULFILLED: self.fulfilled}
        self._values: dict[str, Any] = {**given, **answers, **always}
        # A copy: what a rule makes of what it is told stands in no record.
        written = deepcopy(
            jsonable(
                {**self._values, _AT: at.isoformat(), _FULFILLED: sorted(self.fulfilled)},
                levels=MAX_LEVELS + 1,  # a fact may have as many as a document
            )
        )
        assert isinstance(written, dict)  # noqa: S101 - a mapping stays one; this tells the type checker
        if found:
            how: dict[str, JsonValue] = {
                name: lookup.model_dump(mode="json", exclude={"value"})
                for name, lookup in found.items()
            }
            written[_LOOKED_UP] = how
        self._recorded = written

    def __getitem__(self, name: str) -> Any:
        """Answer a fact.

        Raises:
            MissingFact: It could not be had, or nobody declared it.
        """
        try:
            return self._values[name]
        except KeyError:
            raise MissingFact(name, self._why(name).reason) from None

    def get(self, name: str, default: Any = _UNSAID) -> Any:
        """Answer a fact; else the default, or without one the `Missing` that says why."""
        if name in self._values:
            return self._values[name]
        return self._why(name) if default is _UNSAID else default

    def __contains__(self, name: object) -> bool:
        return name in self._values or name in self._missing

    def __iter__(self) -> Iterator[str]:
        yield from self._values
        yield from self._missing

    def __len__(self) -> int:
        return len(self._values) + len(self._missing)

    @property
    def missing(self) -> Mapping[str, Missing]:
        """Answer what was looked up and could not be had."""
        return self._missing

    def recorded(self) -> dict[str, JsonValue]:
        """Answer the facts as they stand in the record of an evaluation; `read` reads them."""
        return self._recorded

    @classmethod
    def read(cls, recorded: Mapping[str, JsonValue]) -> Self:
        """Make the facts of an evaluation again, from its record; a subclass makes its own.

        Raises:
            InvalidValue: It is no record of facts.
        """
        try:
            read = _Recorded.model_validate(recorded)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            message = f"The facts of an evaluation cannot be read: {first['msg']}."
            raise InvalidValue(message) from error
        values = {n: v for n, v in recorded.items() if n not in _Recorded.model_fields}
        looked_up = {
            name: lookup.model_copy(update={"value": values.get(name)})
            for name, lookup in read.looked_up.items()
        }
        return cls(read.at, read.fulfilled, values, looked_up=looked_up)

    def _why(self, name: str) -> Missing:
        return self._missing.get(name, Missing("nothing of that name is looked up here"))


class _Recorded(Value):
    """What stands in a record of facts beside their values."""

    at: datetime
    fulfilled: tuple[str, ...] = ()
    looked_up: dict[str, Lookup] = Field(default_factory=dict)


def kept(answer: object) -> JsonValue:
    """Answer what a provider said as it is kept, and told: plain data.

    Raises:
        InvalidValue: No record can hold it, or it has more than `MAX_FACT` bytes.
    """
    value = jsonable(answer)
    size = len(canonical(value))
    if size > MAX_FACT:
        message = f"The answer has {size} bytes; a fact has at most {MAX_FACT}."
        raise InvalidValue(message)
    return value
