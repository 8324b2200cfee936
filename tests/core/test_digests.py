"""One canonical form: RFC 8785, whatever Python type a value came as."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
import uuid
from collections import deque
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    computed_field,
    field_serializer,
)

from core.audit import Subject
from core.changes import apply, diff
from core.digests import MAX_INTEGER, MAX_LEVELS, JsonValue, canonical, digest, jsonable, verify
from core.effects import Effect, SideEffect
from core.errors import InvalidValue, UnknownDigestScheme
from core.history import HistoryEntry
from core.mutation import Intent
from tests.core.builders import AT, context

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["", "\x7f", '"\\\n\u2028', "\ue000", "\U0001f600", "é"]
)
numbers = (
    st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False).filter(
        lambda number: not MAX_INTEGER < abs(number) < 1e21
    )
    | st.sampled_from([0.0, -0.0, 1.0, 1e-4, 9.99e-5, 1e15, 1e21, 2.0**53 - 1, 1e-7, 5e-324])
)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


class Mode(StrEnum):
    FAST = "fast"


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    tags: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Held:
    value: Any


class Inner(BaseModel):
    model_config = ConfigDict(frozen=True)

    names: frozenset[str] = frozenset()


class Document(BaseModel):
    model_config = ConfigDict(frozen=True)

    price: Decimal = Decimal("1.10")
    on: date = date(2026, 1, 2)
    colour: Colour = Colour.RED
    names: set[str] = Field(default_factory=set)
    nested: dict[str, tuple[Inner, ...]] = Field(default_factory=dict)
    anything: Any = None


@given(json_values)
def test_the_canonical_form_is_that_of_rfc_8785(value: JsonValue) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(json_values)
def test_plain_data_is_answered_equal_to_itself(value: JsonValue) -> None:
    assert jsonable(value) == value
    assert canonical(jsonable(value)) == canonical(value)


@given(json_values)
def test_a_document_survives_being_written_and_read(value: JsonValue) -> None:
    assert digest(json.loads(canonical(value))) == digest(value)


def test_plain_data_is_not_copied() -> None:
    value = {"a": [1, {"b": None}], "c": True}

    assert jsonable(value) is value


def test_the_order_of_keys_does_not_matter() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_equal_numbers_have_one_form_and_booleans_are_not_numbers() -> None:
    assert canonical([1, 1.0, -0.0]) == b"[1,1,0]"
    assert digest(1) != digest(True)
    assert digest(0) != digest(False)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Decimal("1.10"), "1.10"),
        (Decimal("1E+2"), "1E+2"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (timedelta(seconds=90), "PT1M30S"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Path("/a"), "/a"),
        (Colour.RED, "red"),
        (Size.BIG, 3),
        (Mode.FAST, "fast"),
        ((1, (2,)), [1, [2]]),
        (deque([1]), [1]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({10, 9}), [10, 9]),
        (Point(1, frozenset("ba")), {"x": 1, "tags": ["a", "b"]}),
        ({1: "a", False: "b"}, {"1": "a", "false": "b"}),
        (1e16, "10000000000000000"),
        (-(2.0**53), "-9007199254740992"),
        (1e21, 1e21),
        ({Mode.FAST: 1, date(2026, 1, 2): 2}, {"fast": 1, "2026-01-02": 2}),
        (MAX_INTEGER, MAX_INTEGER),
        (MAX_INTEGER + 1, "9007199254740992"),
        (-MAX_INTEGER - 1, "-9007199254740992"),
        ({"a": [2**64]}, {"a": ["18446744073709551616"]}),
    ],
)
def test_a_python_value_has_one_plain_form(value: object, plain: JsonValue) -> None:
    written = jsonable(value)

    assert json.dumps(written) == json.dumps(plain)


def test_a_model_is_written_as_pydantic_writes_json() -> None:
    model = Document(names={"b", "a"}, anything={Decimal("2.5"), 2**60})

    assert jsonable(model) == {
        "price": "1.10",
        "on": "2026-01-02",
        "colour": "red",
        "names": ["a", "b"],
        "nested": {},
        "anything": ["1152921504606846976", "2.5"],
    }


def test_a_model_within_plain_data_is_written_too() -> None:
    assert jsonable({"m": [Inner(names=frozenset("ba"))]}) == {"m": [{"names": ["a", "b"]}]}


def test_a_set_is_sorted_wherever_a_model_holds_it() -> None:
    names = frozenset(map(str, range(50)))
    model = Document(
        names=set(names),
        nested={"x": (Inner(names=names), Inner())},
        anything=[{"deep": Inner(names=names)}, Point(1, names), {names}],
    )

    written: Any = jsonable(model)

    assert written["names"] == sorted(names)
    assert written["nested"]["x"][0]["names"] == sorted(names)
    assert written["anything"][0]["deep"]["names"] == sorted(names)
    assert written["anything"][1]["tags"] == sorted(names)
    assert written["anything"][2] == [sorted(names)]


def test_a_set_is_sorted_under_an_alias_and_in_a_root_model() -> None:
    class Aliased(BaseModel):
        model_config = ConfigDict(serialize_by_alias=True)

        names: set[str] = Field(serialization_alias="theNames")

    names = set(map(str, range(50)))

    assert jsonable(Aliased(names=names)) == {"theNames": sorted(names)}
    assert jsonable(RootModel[set[str]](names)) == sorted(names)


def test_a_set_is_sorted_whatever_name_it_is_written_under() -> None:
    names = set(map(str, range(50)))

    class Many(BaseModel):
        model_config = ConfigDict(serialize_by_alias=True, extra="allow")

        one: int = Field(default=0, alias="some")
        some: set[str] = Field(default_factory=set, alias="one")

        @computed_field(alias="T")  # type: ignore[prop-decorator]  # pydantic's way
        @property
        def derived(self) -> set[str]:
            return set(self.some)

    class ByName(Many):
        model_config = ConfigDict(serialize_by_alias=False)

    given: dict[str, Any] = {"one": names, "some": 1, "copy": names, "derived_too": names}
    rest = {"copy": sorted(names), "derived_too": sorted(names)}

    written, by_name = jsonable(Many(**given)), jsonable(ByName(**given))

    assert written == {"one": sorted(names), "some": 1, "T": sorted(names), **rest}
    assert by_name == {"one": 1, "some": sorted(names), "derived": sorted(names), **rest}


def test_a_models_own_serialiser_has_the_last_word() -> None:
    class Own(BaseModel):
        names: set[str]

        @field_serializer("names")
        def _written(self, names: set[str]) -> str:
            return ",".join(sorted(names))

    assert jsonable(Own(names={"b", "a"})) == {"names": "a,b"}


def test_a_digest_of_a_set_is_the_same_in_every_process() -> None:
    script = (
        "from core.digests import digest;from pydantic import BaseModel\n"
        "class M(BaseModel):\n    s: set[str]\n"
        "print(digest(M(s={str(i) for i in range(99)})))"
    )
    root = Path(__file__).parents[2]
    written = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(written) == 1


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (math.nan, ""),
        ({"a": [0, math.inf]}, "/a/1"),
        ({"a/b~": -math.inf}, "/a~1b~0"),
        ({"d": Decimal("NaN")}, "/d"),
        ({"d": Decimal("sNaN")}, "/d"),
        ({"d": Decimal("Infinity")}, "/d"),
        ({"o": object()}, "/o"),
        ({"o": {None: 1}}, "/o"),
        ({"o": {1: 1, "1": 2}}, "/o"),
        ([Document(anything=math.nan)], "/0/anything"),
        ([Document(anything=object())], "/0"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place(value: object, path: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        jsonable(value)

    assert refused.value.path == path  # type: ignore[attr-defined]
    with pytest.raises(InvalidValue):
        digest(value)


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize("ask", [jsonable, canonical, digest])
def test_a_circle_is_refused(ask: Callable[[object], object]) -> None:
    with pytest.raises(InvalidValue, match="contains itself"):
        ask(_circle())


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, [1e300, "\ud800"]])
def test_half_a_character_has_no_canonical_form(value: object) -> None:
    with pytest.raises(InvalidValue, match="no canonical form"):
        canonical(value)


def nested(levels: int, leaf: Any, *kinds: Callable[[Any], Any]) -> Any:
    """Answer a value in so many containers, of these kinds by turns."""
    for level in range(levels):
        leaf = kinds[level % len(kinds)](leaf)
    return leaf


class Free(BaseModel):
    free: Any = None


KINDS: dict[str, tuple[Callable[[Any], Any], ...]] = {
    "maps": (lambda value: {"a": value},),
    "lists": (lambda value: [value],),
    "both": (lambda value: {"a": value}, lambda value: ["b", value, 2]),
    "tuples": (lambda value: (value,),),
    "sets": (lambda value: frozenset([value]),),
    "dataclasses": (Held,),
    "odd keys": (lambda value: {1: value},),
    "models": (lambda value: Free(free=value),),
}


@pytest.mark.parametrize("leaf", [1, 1e-9, Decimal("1.5"), date(2026, 1, 2)])
@pytest.mark.parametrize("kinds", KINDS)
def test_a_document_is_nested_as_deep_as_is_said_and_no_deeper(kinds: str, leaf: Any) -> None:
    deepest = nested(MAX_LEVELS, leaf, *KINDS[kinds])

    written = jsonable(deepest)

    assert jsonable(written) == written
    assert json.loads(canonical({"held": [written]})) == {"held": [written]}
    for deeper in ([deepest], {"a": deepest}, (deepest,), Free(free=deepest)):
        with pytest.raises(InvalidValue, match="deeper than 100 levels"):
            jsonable(deeper)


@pytest.mark.parametrize("kinds", ["maps", "lists", "both", "tuples"])
@pytest.mark.parametrize("leaf", [1, 1e-9])
def test_what_holds_documents_is_nested_twice_as_deep_at_most(kinds: str, leaf: Any) -> None:
    deepest = nested(2 * MAX_LEVELS, leaf, *KINDS[kinds])

    assert digest(deepest) == digest(jsonable(deepest, levels=2 * MAX_LEVELS))
    with pytest.raises(InvalidValue, match="deeper than"):
        canonical([deepest])


def test_a_document_of_the_greatest_depth_is_compared_kept_and_read_back() -> None:
    before, after = ({"n": nested(MAX_LEVELS - 1, leaf, *KINDS["maps"])} for leaf in (1, 2))

    changes = diff(jsonable({}), jsonable(after))
    kept = HistoryEntry(
        state_id="s/1",
        version=1,
        execution_id="e",
        subject=Subject(state_id="s/1"),
        at=AT,
        mutations=(),
        intent=Intent(operation="nest"),
        context=context(),
        changes=changes,
    )

    assert apply(before, diff(before, after)) == after
    assert HistoryEntry.model_validate_json(kept.model_dump_json()) == kept
    assert digest(kept.changes.changes[0].after)
    assert Effect(changes=changes, side_effects=(SideEffect(contract="c", payload=after),)).digest()


def test_a_serializer_that_never_ends_is_refused() -> None:
    class Endless(BaseModel):
        free: Any = None

        @field_serializer("free")
        def _again(self, free: Any) -> Any:
            return jsonable(self)

    with pytest.raises(InvalidValue):
        jsonable(Endless())


def test_a_digest_names_its_scheme() -> None:
    assert digest({}) == (
        "v1:sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )


@given(json_values, json_values)
def test_a_digest_verifies_exactly_its_value(one: JsonValue, other: JsonValue) -> None:
    written = digest(one)

    assert verify(one, written)
    assert verify(other, written) is (canonical(one) == canonical(other))


@pytest.mark.parametrize("written", ["v2:sha256:00", "v1:md5:00", "00", "", "sha256:00"])
def test_an_unknown_scheme_is_neither_a_match_nor_a_mismatch(written: str) -> None:
    with pytest.raises(UnknownDigestScheme) as unknown:
        verify({}, written)

    assert unknown.value.scheme == written.rpartition(":")[0]  # type: ignore[attr-defined]
