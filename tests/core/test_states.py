"""Two states compared part by part give what whole documents would; only the work is less."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from functools import cached_property
from itertools import count
from typing import Annotated, Any, Literal, NoReturn, Self
from uuid import UUID

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
    GetPydanticSchema,
    PlainSerializer,
    RootModel,
    Strict,
    computed_field,
    create_model,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import core_schema

from core import states
from core.changes import Identity, apply
from core.digests import jsonable
from core.errors import InvalidValue, WrongType
from core.states import settle, settle_wholly


@pytest.fixture(autouse=True)
def forgotten() -> None:
    """Which models are plain is found out in each test anew, and not remembered from another."""
    states._read_as_written.cache_clear()


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


ODD: list[dict[str, Any]] = [
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
    {"inner": Flag().model_copy(update={"rules": (Rule(id="a").model_copy(update={"id": 3}),)})},
    {"flags": {"a": Flag().model_copy(update={"colour": "green"})}},
    {"flags": {"a": Flag().model_copy(update={"on": 1, "colour": "blue", "rules": []})}},
    {"rules": [Rule(id="a"), Rule(id="a")]},
    {"rules": (Rule(id="a"), Rule(id="b").model_copy(update={"id": 3}))},
    {"rules": (Rule(id="a").model_copy(update={"id": 3}), Rule(id="b"))},
    {"order": (1, 2)},
    {"order": ["1"]},
    {"tags": ["b", "a"]},
    {"limits": {"a": {"b": "4"}}},
]


@given(steps(), st.sampled_from(ODD))
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_what_is_not_valid_is_refused_or_read_alike(
    step: tuple[Whole, Whole], update: dict[str, Any]
) -> None:
    before, after = step[0], step[1].model_copy(update=update)

    assert outcome(settle, before, after) == outcome(settle_wholly, before, after)


@pytest.mark.parametrize("update", ODD, ids=repr)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_each_thing_that_is_not_valid_is_refused_or_read_alike(update: dict[str, Any]) -> None:
    before = Whole(flags={"b": Flag()}, rules=[Rule(id="z")])
    after = before.model_copy(update=update)

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


class Strictly(BaseModel):
    model_config = ConfigDict(strict=True)
    number: int = 0


class InSeconds(BaseModel):
    model_config = ConfigDict(ser_json_timedelta="float")
    pause: timedelta = timedelta(0)


class Made(BaseModel):
    number: int = 0

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)


class Size(Enum):
    SMALL = 1
    LARGE = 2


class Ratio(Enum):
    HALF = 0.5


PLAIN: list[Any] = [
    *(str, int, float, bool, None, Decimal, UUID, date, time, datetime, timedelta),
    *(int | None, dict[str, int], list[int], set[int], frozenset[str]),
    *(tuple[int, str], tuple[int, ...]),
    *(Colour, Size, Literal["a", 1, True]),
    *(Annotated[int, AfterValidator(abs)], Annotated[int, Field(frozen=True)]),
    *(Flag, list[Flag], dict[str, Flag], tuple[Flag, ...], Flag | None),
]
SPECIAL: list[Any] = [
    *(int | str, Any, bytes, list, set, tuple, dict, type[int]),
    *(dict[str, Any], dict[int, str], dict[UUID, str], list[Any], tuple[int, Any]),
    *(Ratio, Literal[Colour.RED]),
    *(Annotated[str, PlainSerializer(str.upper)], Annotated[int, BeforeValidator(int)]),
    *(Annotated[int, Strict()], Annotated[int, Field(exclude=True)]),
    *(Annotated[int, Field(alias="other")], RootModel[int]),
    *(Aliased, Computed, Loose, Strictly, InSeconds, Made),
    *(list[Loose], dict[str, Computed], Made | None),
    *(
        # Of what these hold nothing is said at all.
        Annotated[Any, GetPydanticSchema(lambda *_: core_schema.list_schema())],
        Annotated[Any, GetPydanticSchema(lambda *_: core_schema.dict_schema())],
        Annotated[
            Any,
            GetPydanticSchema(
                lambda *_: core_schema.dict_schema(keys_schema=core_schema.str_schema())
            ),
        ],
    ),
]


@pytest.mark.parametrize("annotation", PLAIN, ids=repr)
def test_what_reads_as_it_was_written_is_compared_part_by_part(annotation: Any) -> None:
    model = create_model("One", field=(annotation, ...))

    assert model in (states._read_as_written(model) or ())


@pytest.mark.parametrize("annotation", SPECIAL, ids=repr)
def test_what_may_read_differently_than_it_was_written_is_compared_whole(annotation: Any) -> None:
    model = create_model("One", field=(annotation, ...))

    assert states._read_as_written(model) is None


@pytest.mark.parametrize(
    "model", [Aliased, Computed, Loose, Strictly, InSeconds, Made, RootModel[int]]
)
def test_a_model_with_a_way_of_its_own_is_compared_whole(model: type[BaseModel]) -> None:
    assert states._read_as_written(model) is None


def test_plain_models_are_compared_part_by_part() -> None:
    assert states._read_as_written(Whole) == frozenset([Whole, Flag, Rule])


class Node(Frozen):
    name: str = ""
    below: dict[str, Node] = Field(default_factory=dict)


def test_a_model_that_contains_itself_is_compared_part_by_part() -> None:
    leaf = Node(name="leaf")
    before = Node(below={"a": leaf, "b": leaf})
    after = before.model_copy(update={"below": {"a": leaf, "b": Node(name="other")}})

    assert states._read_as_written(Node) == frozenset([Node])
    assert settle(before, after)[1].paths == ("/below/b/name",)


class Card(Frozen):
    id: UUID
    n: int = 0


class Board(Frozen):
    """A state with something of every kind that parts are found in."""

    name: str = "a"
    count: int = 70_000
    on: bool = False
    order: list[int] = Field(default_factory=lambda: [1, 2, 3])
    pair: tuple[int, int] = (1, 2)
    limits: dict[str, dict[str, int]] = Field(
        default_factory=lambda: {"a": {"x": 1, "y": 2}, "b": {"x": 1}}
    )
    maybe: dict[str, int] | None = None
    inner: Flag = Flag(rules=(Rule(id="x"),))
    flags: dict[str, Flag] = Field(
        default_factory=lambda: {name: Flag(rules=(Rule(id=name),)) for name in "abc"}
    )
    rules: Annotated[list[Rule], Identity("id")] = Field(
        default_factory=lambda: [Rule(id=name) for name in "abcde"]
    )
    groups: dict[str, Annotated[list[Rule], Identity("id")]] = Field(
        default_factory=lambda: {"g": [Rule(id=name) for name in "abcde"]}
    )
    cards: Annotated[list[Card], Identity("id")] = Field(
        default_factory=lambda: [Card(id=UUID(int=n)) for n in range(3)]
    )


BOARD = Board()
RULES, NEW = BOARD.rules, Rule(id="new")
ONE, OTHER = Rule(id="c"), Rule(id="c", share=5)
IDS = [card.id for card in BOARD.cards]


def with_other(items: list[Any], at: int, other: Any) -> list[Any]:
    return [*items[:at], other, *items[at + 1 :]]


WRITTEN: list[tuple[dict[str, Any], tuple[str, ...], list[Any]]] = [
    ({}, (), []),
    ({"name": "b"}, ("/name",), ["a", "b"]),
    ({"on": True}, ("/on",), [False, True]),
    ({"count": int("70000")}, (), []),  # equal, and another object
    ({"order": [1, 2, 3], "pair": (1, 2)}, (), []),
    ({"order": [1, 2, 4]}, ("/order",), [[1, 2, 3], [1, 2, 4]]),
    ({"pair": (1, 3)}, ("/pair",), [(1, 2), (1, 3)]),
    ({"maybe": {"a": 1}}, ("/maybe",), [None, {"a": 1}]),
    ({"limits": {**BOARD.limits, "a": {"x": 1, "y": 3}}}, ("/limits/a/y",), [2, 3]),
    ({"inner": BOARD.inner.model_copy(update={"on": True})}, ("/inner/on",), [False, True]),
    (
        {"flags": {**BOARD.flags, "b": BOARD.flags["b"].model_copy(update={"on": True})}},
        ("/flags/b/on",),
        [False, True],
    ),
    (
        {"flags": {name: BOARD.flags[name] for name in "bc"}},
        ("/flags/a",),
        [BOARD.flags["a"]],
    ),
    ({"flags": {**BOARD.flags, "d": Flag()}}, ("/flags/d",), [Flag()]),
    ({"rules": with_other(RULES, 2, OTHER)}, ("/rules/c/share",), [ONE, OTHER]),
    ({"rules": [NEW, *RULES]}, ("/rules/new",), [NEW]),
    ({"rules": [*RULES, NEW]}, ("/rules/new",), [NEW]),
    ({"rules": RULES[1:]}, ("/rules/a",), [Rule(id="a")]),
    ({"rules": RULES[:-1]}, ("/rules/e",), [Rule(id="e")]),
    ({"rules": [*RULES[:2], *RULES[3:]]}, ("/rules/c",), [ONE]),
    ({"rules": []}, tuple(f"/rules/{name}" for name in "abcde"), RULES),
    (
        {"groups": {"g": with_other(BOARD.groups["g"], 2, OTHER)}},
        ("/groups/g/c/share",),
        [ONE, OTHER],
    ),
    (
        {"cards": with_other(BOARD.cards, 1, Card(id=IDS[1], n=5))},
        (f"/cards/{IDS[1]}/n",),
        [IDS[0], IDS[2], Card(id=IDS[1]), Card(id=IDS[1], n=5)],
    ),
]


@pytest.mark.parametrize(("update", "paths", "wrote"), WRITTEN)
def test_only_what_changed_is_written(
    update: dict[str, Any],
    paths: tuple[str, ...],
    wrote: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def write(value: Any, **more: Any) -> Any:
        written.append(value)
        return jsonable(value, **more)

    def wholly(*_: Any) -> NoReturn:
        raise AssertionError("The whole documents were compared.")

    written: list[Any] = []
    after = BOARD.model_copy(update=update)
    expected = settle_wholly(BOARD, after)
    monkeypatch.setattr(states, "jsonable", write)
    monkeypatch.setattr(states, "settle_wholly", wholly)

    assert settle(BOARD, after) == expected

    assert expected[1].paths == paths
    assert written == wrote


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Board(maybe={"a": 1}), {"maybe": None}),
        (Board(maybe=None), {"maybe": {}}),
        (BOARD, {"rules": [RULES[0], *reversed(RULES[1:4]), RULES[4]]}),
        (BOARD, {"groups": {"g": [*reversed(BOARD.groups["g"][:4]), BOARD.groups["g"][4]]}}),
        (BOARD, {"rules": [*RULES, RULES[0]]}),
        (BOARD, {"name": "b", "rules": [NEW, *RULES[1:]], "limits": {}}),
    ],
    ids=["taken away", "put there", "ordered anew", "ordered anew in a map", "twice", "several"],
)
def test_what_comes_goes_or_is_put_in_another_order_is_what_whole_documents_give(
    before: Board, after: dict[str, Any]
) -> None:
    changed = before.model_copy(update=after)

    read, changes = settle(before, changed)

    assert (read, changes) == settle_wholly(before, changed)
    assert apply(jsonable(before), changes) == jsonable(changed)


def test_what_is_no_model_of_the_state_is_read_as_one() -> None:
    class Wider(Whole):
        note: str = "more than the state"

    for answered in ({"name": "b"}, Wider(name="b")):
        read, changes = settle(Whole(), answered)

        assert type(read) is Whole
        assert (read, changes.paths) == (Whole(name="b"), ("/name",))


def test_what_is_equal_and_written_differently_has_changed() -> None:
    class Prices(Frozen):
        each: dict[str, Decimal]
        all: list[Decimal]

    before = Prices(each={"a": Decimal("1.0")}, all=[Decimal("1.0")])
    after = Prices(each={"a": Decimal("1.00")}, all=[Decimal("1.00")])
    assert before == after

    assert settle(before, after)[1].paths == ("/all", "/each/a")


def test_what_a_state_has_worked_out_for_itself_is_no_part_of_it() -> None:
    class Summed(Frozen):
        one: int = 1

        @cached_property
        def two(self) -> int:
            return 2 * self.one

    before = Summed()
    assert before.two == 2

    assert settle(before, Summed(one=2))[1].paths == ("/one",)


@pytest.mark.parametrize("way", [settle, settle_wholly])
def test_where_nothing_changed_the_state_stays_the_one_before(way: Any) -> None:
    after = BOARD.model_copy()

    read, changes = way(BOARD, after)

    assert read is BOARD
    assert changes.is_empty


@pytest.mark.parametrize(
    ("update", "sentence"),
    [
        (
            {"inner": Flag().model_copy(update={"on": "maybe"})},
            (
                "`apply` answered a Whole that does not validate: inner/on: Input should be a "
                "valid boolean, unable to interpret input"
            ),
        ),
        (
            {"count": 10**6 + 1},
            "`apply` answered a Whole that does not validate: the whole: Value error, too many",
        ),
        (
            {"limits": {"a": object()}},
            (
                "`apply` answered a state that no document can hold: Whole cannot be written as "
                "JSON: Unable to serialize unknown type: <class 'object'>."
            ),
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_what_cannot_be_read_or_written_is_said_with_its_place(
    update: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(WrongType) as refused:
        settle(Whole(), Whole().model_copy(update=update))

    assert str(refused.value) == sentence


def test_only_what_changed_is_looked_into() -> None:
    def look(number: int) -> int:
        looked_at.append(number)
        return number

    class Seen(Frozen):
        number: Annotated[int, AfterValidator(look)] = 0

    class Row(Frozen):
        name: str
        seen: tuple[Seen, ...]

    class Many(Frozen):
        all: dict[str, Seen]
        rows: dict[str, Row]

    looked_at: list[int] = []
    ten = tuple(Seen(number=n) for n in range(10))
    before = Many(
        all={str(n): Seen(number=n) for n in range(100)},
        rows={name: Row(name=name, seen=ten) for name in "ab"},
    )
    renamed = before.rows["a"].model_copy(
        update={"name": "c", "seen": (*ten[:4], Seen(number=2000), *ten[5:])}
    )
    looked_at.clear()

    _, changes = settle(
        before,
        Many.model_construct(
            all={**before.all, "7": Seen(number=1000)},
            rows={**before.rows, "a": renamed},
        ),
    )

    assert changes.paths == ("/all/7/number", "/rows/a/name", "/rows/a/seen")
    assert set(looked_at) == {1000, 2000}


class Box(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str = ""
    inside: Box | None = None
    parts: dict[str, Box] = Field(default_factory=dict)
    shelf: Annotated[list[Box], Identity("name")] = Field(default_factory=list)


def deep(levels: int, innermost: Box) -> Box:
    box = innermost
    for _ in range(levels):
        box = Box(inside=box)
    return box


def can_be_written(box: Box) -> bool:
    try:
        jsonable(box)
    except InvalidValue:
        return False
    return True


@pytest.mark.parametrize(
    "innermost",
    [
        Box(parts={"a": Box()}),
        Box(shelf=[Box(name="a"), Box(name="b")]),
        Box(inside=Box(parts={"a": Box()})),
    ],
)
def test_a_state_is_nested_no_deeper_part_by_part_than_as_a_whole(innermost: Box) -> None:
    too_deep = next(n for n in count() if not can_be_written(deep(n, innermost)))
    fits = deep(too_deep - 1, innermost)

    for way in (settle, settle_wholly):
        read, changes = way(deep(too_deep - 1, Box()), fits)
        assert jsonable(read) == jsonable(fits)
        assert not changes.is_empty
        with pytest.raises(WrongType, match="nested deeper"):
            way(deep(too_deep, Box()), deep(too_deep, innermost))
