"""What author code is handed is held to what it was."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from core.handed import Handed


class Colour(Enum):
    RED = "red"


class Still(BaseModel):
    """Nothing in it can be altered."""

    model_config = ConfigDict(frozen=True)

    name: str = "a"
    size: int | None = None
    kind: Literal["x", "y"] = "x"
    colour: Colour = Colour.RED
    pair: tuple[int, str] = (1, "b")
    more: tuple[str, ...] = ()
    below: Still | None = None


class Open(BaseModel):
    count: int = 0


class Extra(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


@dataclass
class Record:
    names: list[str] = field(default_factory=list)
    size: int = 0


class Held(BaseModel):
    model_config = ConfigDict(frozen=True)

    names: list[str] = []
    limits: dict[str, list[int]] = {}
    tags: set[str] = set()
    raw: Any = None
    pair: tuple[list[int], int] = ([], 0)
    still: Still = Still()
    open: Open = Open()
    extra: Extra = Extra()
    record: Record = Record()


def held() -> Held:
    return Held(
        names=["a", "b"],
        limits={"eu": [1], "us/ny": [2]},
        tags={"x"},
        raw={"deep": [{"x": 1}], "bytes": bytearray(b"ab"), "queue": deque([1]), "other": object()},
        pair=([1], 2),
        open=Open(),
        extra=Extra.model_validate({"more": [1]}),
        record=Record(["n"]),
    )


@pytest.mark.parametrize(
    ("alter", "where"),
    [
        (lambda s: s.names.append("c"), "/names of it"),
        (lambda s: s.names.reverse(), "/names of it"),
        (lambda s: s.limits.pop("eu"), "/limits of it"),
        (lambda s: s.limits.update(eu=[1, 2]), "/limits of it"),
        (lambda s: s.limits["us/ny"].append(3), "/limits/us~1ny of it"),
        (lambda s: s.tags.add("y"), "/tags of it"),
        (lambda s: s.raw["deep"][0].update(x=True), "/raw/deep/0 of it"),
        (lambda s: s.raw["bytes"].append(1), "/raw/bytes of it"),
        (lambda s: s.raw["queue"].append(1), "/raw/queue of it"),
        (lambda s: s.pair[0].append(1), "/pair/0 of it"),
        (lambda s: setattr(s.open, "count", 1), "/open of it"),
        (lambda s: s.extra.more.append(1), "/extra/more of it"),
        (lambda s: s.record.names.append("m"), "/record/names of it"),
        (lambda s: setattr(s.record, "size", 1), "/record of it"),
    ],
)
def test_what_is_altered_in_place_is_named(alter: Callable[[Held], Any], where: str) -> None:
    thing = held()
    handed = Handed({"other": Still(), "it": thing})

    assert handed.altered() is None
    alter(thing)
    assert handed.altered() == where


def test_a_key_that_is_renamed_is_altered() -> None:
    value = object()
    thing = {"a": value}
    handed = Handed({"the map": thing})

    thing["b"] = thing.pop("a")

    assert handed.altered() == "the map"


def test_what_equals_what_was_there_is_not_altered() -> None:
    thing = {"a": "x" * 3, "b": [1]}
    handed = Handed({"it": thing})

    thing.update(a=str(b"xxx", "ascii"), b=[1])

    assert handed.altered() is None


def test_what_contains_itself_is_looked_at_once() -> None:
    thing: list[Any] = [1]
    thing.append(thing)
    handed = Handed({"it": thing})

    assert handed.altered() is None
    thing.append(2)
    assert handed.altered() == "it"


@pytest.mark.parametrize("thing", [None, 1, "a", object(), Still(), Colour.RED, Still, frozenset()])
def test_what_cannot_be_altered_is_left_alone(thing: Any) -> None:
    assert Handed({"it": thing}).altered() is None


documents = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text("ab", max_size=1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


def places(document: Any) -> list[Any]:
    if isinstance(document, dict):
        return [document, *(p for value in document.values() for p in places(value))]
    if isinstance(document, list):
        return [document, *(p for value in document for p in places(value))]
    return []


@given(documents, st.data())
def test_whichever_container_is_altered_it_is_seen(document: Any, data: st.DataObject) -> None:
    handed = Handed({"it": document})
    containers = places(document)
    assert handed.altered() is None
    if containers:
        chosen = data.draw(st.sampled_from(range(len(containers))))
        container = containers[chosen]
        if isinstance(container, list):
            container.append(3)
        else:
            container["d"] = 3
        assert handed.altered() is not None
