from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import examples
from core import Mode, Mutation, Requirement
from examples import billing_quotas, feature_flags, iam_roles
from examples.feature_flags.flags import SEED
from tests.examples.desk import Desk

DIRECTORY = tomllib.loads(
    Path(examples.__file__).with_name("data").joinpath("directory.toml").read_text("utf-8")
)
PEOPLE = DIRECTORY["people"]
WEB = feature_flags.FlagFile.model_validate_json(SEED.read_bytes())


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


def others(requirement: Requirement, requester: str) -> set[str]:
    """Answer who could decide when this person asks."""
    return {
        name
        for name, person in PEOPLE.items()
        if name != requester
        and (
            set(requirement.who.roles) & set(person.get("roles", ()))
            or set(requirement.who.groups) & set(person.get("groups", ()))
        )
    }


@pytest.mark.parametrize("requester", sorted(PEOPLE))
@pytest.mark.parametrize(
    ("domain", "key", "mutation"),
    [
        (billing_quotas.domain, "acme", billing_quotas.IncreaseQuota(amount=200)),
        (iam_roles.domain, "acme", iam_roles.GrantRole(role="viewer", person="zoe")),
        (iam_roles.domain, "acme", iam_roles.GrantRole(role="payments", person="zoe")),
        *(
            (feature_flags.domain, "web", mutation(flag=flag))
            for flag in WEB.flags
            for mutation in (feature_flags.EnableFlag, feature_flags.DisableFlag)
        ),
    ],
)
def test_whoever_asks_for_whatever_there_is_somebody_who_can_decide(
    requester: str, domain: Any, key: str, mutation: Mutation[Any]
) -> None:
    result = Desk(domain).run(mutation, on=domain.initial(key), mode=Mode.SIMULATE)

    for requirement in result.ruling.requirements:
        assert len(others(requirement, requester)) >= requirement.needed
