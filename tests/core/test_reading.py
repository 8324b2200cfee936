"""What a model is written as, it is read from; and where it would not be, nothing is written."""

from __future__ import annotations

import dataclasses
import json
from collections import deque
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    computed_field,
    create_model,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict

from core.digests import canonical, jsonable
from core.errors import DefinitionError
from core.reading import read, require_readable


class Typed(TypedDict):
    from_: Annotated[int, Field(alias="from")]


@dataclasses.dataclass
class Plain:
    from_: Annotated[int, Field(alias="from")]


@pydantic_dataclass(config=ConfigDict(serialize_by_alias=True))
class Written:
    from_: int = Field(alias="from")


class Part(BaseModel):
    from_: str = Field(default="nowhere", alias="from")
    to: str = Field(default="nowhere", validation_alias=AliasChoices("towards", AliasPath("x", 0)))  # type: ignore[pydantic-alias]  # the plugin reads no such aliases
    via: str = Field(default="nowhere", validation_alias=AliasPath("stops", 0))  # type: ignore[pydantic-alias]  # as above


class ByAlias(Part):
    model_config = ConfigDict(serialize_by_alias=True)

    choices: int = Field(default=0, alias="default")
    type: int = 0


class Whole(BaseModel):
    type: Part
    metadata: ByAlias
    default: list[Part | int]
    typed: Typed
    plain: Plain
    written: Written
    itself: Whole | None = None


def test_aliased_fields_are_read_as_they_are_written_and_by_their_aliases() -> None:
    part: Any = {"from": "Oslo", "towards": "Rome", "stops": ["Bern"]}
    inner = {"typed": {"from": 1}, "plain": {"from": 2}, "written": {"from": 3}}
    whole = Whole.model_validate(
        {"type": part, "metadata": part | {"default": 7}, "default": [part, 1], **inner}
    )

    document: Any = jsonable(whole)

    require_readable(Whole)
    assert document["type"] == {"from_": "Oslo", "to": "Rome", "via": "Bern"}
    assert document["metadata"]["from"] == "Oslo"
    assert read(Whole, document) == whole
    assert read(Part, part) == whole.type


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


class Named(NamedTuple):
    on: date
    size: int


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    on: date


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)

    on: date = date(2026, 1, 2)


STRICT: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "bool": (bool, st.booleans()),
    "bytes": (bytes, st.just(b"abc")),
    "date": (date, st.dates()),
    "dates": (dict[date, int], st.dictionaries(st.dates(), st.integers(), max_size=2)),
    "datetime": (datetime, st.datetimes(timezones=st.just(UTC))),
    "decimal": (Decimal, st.decimals(-10, 10, places=2)),
    "deque": (deque[int], st.lists(st.integers(), max_size=2).map(deque)),
    "either": (int | date, st.integers(-9, 9) | st.dates()),
    "enum": (Colour, st.just(Colour.RED)),
    "float": (float, st.floats(allow_nan=False, allow_infinity=False)),
    "int": (int, st.integers()),
    "ints": (dict[int, Size], st.dictionaries(st.integers(), st.just(Size.BIG), max_size=2)),
    "literal": (Literal[1, "a"], st.sampled_from([1, "a"])),
    "model": (Strict, st.builds(Strict, on=st.dates())),
    "named": (Named, st.builds(Named, st.dates(), st.integers())),
    "point": (Point, st.builds(Point, st.integers(), st.dates())),
    "set": (frozenset[Colour], st.just(frozenset({Colour.RED}))),
    "text": (str, st.text("ab1", max_size=3)),
    "time": (time, st.times()),
    "timedelta": (timedelta, st.timedeltas(timedelta(days=-9), timedelta(days=9))),
    "tuple": (tuple[int, date], st.tuples(st.integers(), st.dates())),
    "uuid": (UUID, st.uuids()),
}


@pytest.mark.parametrize("kind", STRICT)
@given(data=st.data())
def test_a_strict_model_is_read_from_what_it_is_written_as(kind: str, data: st.DataObject) -> None:
    annotation, values = STRICT[kind]
    config = ConfigDict(strict=True)
    model: Any = create_model("Model", __config__=config, value=(annotation, ...))
    made = model(value=data.draw(values))

    assert read(model, jsonable(made)) == made
    assert read(model, json.loads(canonical(made))) == made


@pytest.mark.parametrize(
    ("annotation", "wrong"),
    [
        (int, "5"),
        (int, "x" * 16),
        (int, True),
        (int, "9" * 20 + "x"),
        (str, 5),
        (list[int], ["1" * 20, "5"]),
        (date, 5),
        (float, "1.5"),
    ],
)
def test_a_strict_model_takes_nothing_else(annotation: Any, wrong: Any) -> None:
    config = ConfigDict(strict=True)
    model: Any = create_model("Model", __config__=config, value=(annotation, ...))

    with pytest.raises(ValidationError):
        read(model, {"value": wrong})


# What is refused.


class NeverRead(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)

    from_: int = Field(default=0, serialization_alias="from", validation_alias="src")


class Swapped(BaseModel):
    one: int = Field(default=1, alias="other")
    other: int = Field(default=2, alias="one")


class Led(BaseModel):
    one: int = Field(default=1, validation_alias=AliasPath("other", 0))  # type: ignore[pydantic-alias]  # as above
    other: list[int] = Field(default_factory=list)


class Covered(BaseModel):
    one: int = Field(default=1, alias="double")

    @computed_field  # type: ignore[prop-decorator]  # pydantic's way
    @property
    def double(self) -> int:
        return self.one * 2


class CoveredByAlias(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)

    one: int = Field(default=1, validation_alias="twice")

    @computed_field(alias="twice")  # type: ignore[prop-decorator]  # pydantic's way
    @property
    def double(self) -> int:
        return self.one * 2


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    one: int = 1

    @computed_field  # type: ignore[prop-decorator]  # pydantic's way
    @property
    def double(self) -> int:
        return self.one * 2


class LeftOut(BaseModel):
    one: int = Field(exclude=True)


@pydantic_dataclass(config=ConfigDict(serialize_by_alias=True))
class NeverReadEither:
    from_: int = Field(default=0, serialization_alias="from")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (NeverRead, "NeverRead .*'from_' is written as 'from' and not read from it"),
        (Swapped, "Swapped .*'one' is read from 'other', where another field is written"),
        (Led, "Led .*'one' is read from 'other', where"),
        (Covered, "Covered .*'one' is read from 'double', where"),
        (CoveredByAlias, "CoveredByAlias .*'one' is read from 'twice', where"),
        (Closed, "Closed .*'double' is computed and written"),
        (LeftOut, "LeftOut .*'one' is left out and has no default"),
        (NeverReadEither, "NeverReadEither .*'from_' is written as 'from'"),
    ],
)
def test_a_model_that_would_not_be_read_as_it_is_written_is_refused(
    wrong: Any, sentence: str
) -> None:
    holder = create_model("Holder", value=(dict[str, list[wrong | None]], ...))

    for model in (holder, wrong):
        if isinstance(model, type) and issubclass(model, BaseModel):
            with pytest.raises(DefinitionError, match=sentence):
                require_readable(model)


def test_what_has_a_way_of_its_own_is_left_to_it() -> None:
    class Renaming(NeverRead):
        @model_validator(mode="before")
        @classmethod
        def _renamed(cls, given: Any) -> Any:
            return {"src": given["from"]} if "from" in given else given

    class WrittenOtherwise(NeverRead):
        @model_serializer
        def _otherwise(self) -> dict[str, Any]:
            return {"src": self.from_}

    class Validated(BaseModel):
        value: int = Field(default=1, alias="v")

        @field_validator("value", mode="before")
        @classmethod
        def _known(cls, value: Any) -> Any:
            return value

    for model in (Renaming, WrittenOtherwise, Validated):
        require_readable(model)
        made = read(model, {"src": 5, "v": 5})
        assert read(model, jsonable(made)) == made


def test_what_is_computed_or_left_out_may_be_where_nothing_is_lost() -> None:
    class Open(BaseModel):
        one: int = 1
        out: int = Field(default=1, exclude=True)

        @computed_field  # type: ignore[prop-decorator]  # pydantic's way
        @property
        def double(self) -> int:
            return self.one * 2

    class Shut(BaseModel):
        model_config = ConfigDict(extra="forbid")

        one: int = Field(default=1, alias="uno")

    for model in (Open, Shut):
        require_readable(model)
        assert read(model, jsonable(model())) == model()


def test_a_single_strict_field_is_read_by_the_rules_of_json_too() -> None:
    model: Any = create_model("Model", on=(Annotated[date, Field(strict=True)], ...))

    made: Any = read(model, {"on": "2026-01-02"})

    assert made.on == date(2026, 1, 2)
    with pytest.raises(ValidationError):
        read(model, {"on": 5})
