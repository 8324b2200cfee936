"""Two states compared part by part give what whole documents would; only the work is less."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    RootModel,
    computed_field,
    model_validator,
)
from pydantic.alias_generators import to_camel

from core import states
from core.changes import Identity, apply
from core.digests import jsonable
from core.errors import WrongType
from core.states import settle, settle_wholly


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Rule(Frozen):
    id: str
    share: int = 0
    when: Literal["always", "never"] = "always"


class Flag(Frozen):
    on: bool = False
    colour: Colour = Colour.RED
    rules: Annotated[tuple[Rule, ...], Field(max_length=5)] = ()


class Whole(Frozen):
    name: Annotated[str, AfterValidator(str.strip)] = ""
    count: Annotated[int, Field(ge=0)] = 0
    price: Decimal = Decimal(1)
    ratio: float = 0.5
    at: datetime | None = None
    day: date = date(2026, 1, 1)
    pause: timedelta = timedelta(0)
    tags: frozenset[str] = frozenset()
    flags: dict[str, Flag] = Field(default_factory=dict)
    rules: Annotated[list[Rule], Identity("id")] = Field(default_factory=list)
    order: list[int] = Field(default_factory=list)
    inner: Flag = Flag()
    limits: dict[str, dict[str, int]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.count > 10**6:
            raise ValueError("too many")
        return self


texts = st.text("abc~/", max_size=3)
rules = st.builds(Rule, id=texts, share=st.integers(), when=st.sampled_from(["always", "never"]))
flags = st.builds(
    Flag, on=st.booleans(), colour=st.sampled_from(Colour), rules=st.lists(rules, max_size=2)
)
moments = st.datetimes(timezones=st.just(UTC))
wholes = st.builds(
    Whole,
    name=texts,
    count=st.integers(0, 10**6),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    ratio=st.floats(allow_nan=False, allow_infinity=False),
    at=st.none() | moments,
    day=st.dates(),
    pause=st.timedeltas(),
    tags=st.frozensets(texts),
    flags=st.dictionaries(texts, flags, max_size=3),
    rules=st.lists(rules, max_size=3),
    order=st.lists(st.integers(), max_size=3),
    inner=flags,
    limits=st.dictionaries(texts, st.dictionaries(texts, st.integers(), max_size=2), max_size=2),
)


@st.composite
def steps(draw: st.DrawFn) -> tuple[Whole, Whole]:
    """A state and one that shares with it what a mutation would have left alone."""
    before, other = draw(wholes), draw(wholes)
    chosen = draw(st.sets(st.sampled_from(sorted(Whole.model_fields))))
    update: dict[str, Any] = {name: getattr(other, name) for name in chosen}
    if draw(st.booleans()):
        update["flags"] = {**before.flags, **update.get("flags", {})}
    if draw(st.booleans()):
        update["rules"] = [*before.rules, *update.get("rules", [])]
    if draw(st.booleans()) and before.rules:
        first, *rest = before.rules
        update["rules"] = [first.model_copy(update={"share": draw(st.integers())}), *rest]
    if draw(st.booleans()):
        update["inner"] = before.inner.model_copy(update={"on": draw(st.booleans())})
    return before, before.model_copy(update=update)


def outcome(way: Callable[[Any, Any], Any], before: Any, after: Any) -> tuple[str, Any, Any]:
    try:
        read, changes = way(before, after)
    except WrongType as error:
        return str(error), None, None
    return "", read, changes


@given(steps())
def test_part_by_part_is_what_whole_documents_give(step: tuple[Whole, Whole]) -> None:
    before, after = step
    read, changes = settle(before, after)

    assert (read, changes) == settle_wholly(before, after)
    assert jsonable(read) == apply(jsonable(before), changes)
    assert Whole.model_validate(jsonable(read)) == read


@given(
    steps(),
    st.sampled_from(
        [
            {"count": -1},
            {"count": "7"},
            {"count": True},
            {"count": 10**6 + 1},
            {"name": 5},
            {"name": " a "},
            {"ratio": float("nan")},
            {"price": Decimal("NaN")},
            {"price": 1.5},
            {"day": "2026-02-03"},
            {"inner": {"on": True}},
            {"inner": Flag().model_copy(update={"on": "maybe"})},
            {"flags": {"a": Flag().model_copy(update={"colour": "green"})}},
            {"flags": {"a": Flag().model_copy(update={"on": 1, "colour": "blue", "rules": []})}},
            {"rules": [Rule(id="a"), Rule(id="a")]},
            {"rules": (Rule(id="a"), Rule(id="b").model_copy(update={"id": 3}))},
            {"order": (1, 2)},
            {"order": ["1"]},
            {"tags": ["b", "a"]},
            {"limits": {"a": {"b": "4"}}},
        ]
    ),
)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_what_is_not_valid_is_refused_or_read_alike(
    step: tuple[Whole, Whole], update: dict[str, Any]
) -> None:
    before, after = step[0], step[1].model_copy(update=update)

    assert outcome(settle, before, after) == outcome(settle_wholly, before, after)


class Derived(Rule):
    note: str = "more than a rule"


def test_a_model_derived_from_the_one_named_is_written_as_the_one_named() -> None:
    before = Whole(rules=[Rule(id="a")])
    after = before.model_copy(update={"rules": [*before.rules, Derived(id="b")]})

    read, changes = settle(before, after)

    assert (read, changes) == settle_wholly(before, after)


class Aliased(Frozen):
    model_config = ConfigDict(alias_generator=AliasGenerator(to_camel), validate_by_name=True)
    some_number: int = 0


class Computed(Frozen):
    number: int = 0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return 2 * self.number


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")


class Special(Frozen):
    either: int | str = 0
    free: Any = None
    shouted: Annotated[str, PlainSerializer(str.upper)] = ""
    lifted: Annotated[int, BeforeValidator(int)] = 0
    rooted: RootModel[int] = RootModel[int](1)
    hidden: Annotated[int, Field(exclude=True)] = 0


@pytest.mark.parametrize("name", Special.model_fields)
def test_what_may_read_differently_than_it_was_written_is_compared_whole(name: str) -> None:
    field = Special.model_fields[name]
    model = type("One", (BaseModel,), {"__annotations__": {name: field.annotation}, name: field})

    assert states._read_as_written(model) is None


@pytest.mark.parametrize("model", [Aliased, Computed, Loose, RootModel[int]])
def test_a_model_with_a_way_of_its_own_is_compared_whole(model: type[BaseModel]) -> None:
    assert states._read_as_written(model) is None


def test_plain_models_are_compared_part_by_part() -> None:
    assert states._read_as_written(Whole) == frozenset([Whole, Flag, Rule])


def test_only_what_changed_is_looked_into() -> None:
    def look(number: int) -> int:
        looked_at.append(number)
        return number

    class Seen(Frozen):
        number: Annotated[int, AfterValidator(look)] = 0

    class Many(Frozen):
        all: dict[str, Seen]

    looked_at: list[int] = []
    before = Many(all={str(n): Seen(number=n) for n in range(100)})
    looked_at.clear()

    _, changes = settle(before, Many.model_construct(all={**before.all, "7": Seen(number=1000)}))

    assert changes.paths == ("/all/7/number",)
    assert set(looked_at) == {1000}
