from __future__ import annotations

import tomllib
from pathlib import Path

import examples

DIRECTORY = tomllib.loads(
    Path(examples.__file__).with_name("data").joinpath("directory.toml").read_text("utf-8")
)
PEOPLE = DIRECTORY["people"]


def holders(role: str) -> set[str]:
    return {name for name, person in PEOPLE.items() if role in person.get("roles", ())}


def test_every_role_and_group_that_somebody_holds_is_declared() -> None:
    for person in PEOPLE.values():
        assert set(person.get("roles", ())) <= set(DIRECTORY["roles"])
        assert set(person.get("groups", ())) <= set(DIRECTORY["groups"])


def test_ids_are_in_lower_case() -> None:
    assert sorted(PEOPLE) == ["ana", "ben", "cleo", "dan", "eve"]


def test_three_people_release_and_one_operates() -> None:
    assert holders("release-manager") == {"ana", "ben", "cleo"}
    assert holders("operator") == {"dan"}


def test_whoever_asks_somebody_else_of_each_role_can_decide() -> None:
    for role in ("release-manager", "security", "finance"):
        assert len(holders(role)) >= 2


def test_ben_holds_security() -> None:
    assert "ben" in holders("security")


def test_eve_holds_nothing() -> None:
    assert PEOPLE["eve"] == {"name": "Eve"}
