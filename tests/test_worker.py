"""What a worker does not start with, it says in one sentence."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BaseModel

from client.domains import read_domain
from core import Domain, Intent, Mutation, Secret
from core.errors import DefinitionError
from worker import served


class Account(BaseModel):
    name: str = ""


class Hidden(BaseModel):
    token: Annotated[str, Secret()] = ""


class SetToken(Mutation[Account]):
    token: Annotated[str, Secret()]

    @property
    def intent(self) -> Intent:
        return Intent(operation="set token")

    def apply(self, state: Account) -> Account:
        return state


class Rename(Mutation[Hidden]):
    @property
    def intent(self) -> Intent:
        return Intent(operation="rename")

    def apply(self, state: Hidden) -> Hidden:
        return state


in_a_parameter = Domain("accounts", Account, [SetToken])
in_the_state = Domain("hidden", Hidden, [Rename])


@pytest.mark.parametrize(
    ("domain", "says"),
    [
        ("in_a_parameter", r"SetToken of the domain 'accounts' has secret fields \(/token\)"),
        ("in_the_state", r"Hidden of the domain 'hidden' has secret fields \(/token\)"),
    ],
)
def test_a_domain_with_secrets_is_refused_since_a_request_could_not_keep_them(
    domain: str, says: str
) -> None:
    with pytest.raises(DefinitionError, match=says):
        served(read_domain(f"{__name__}:{domain}"))


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("nothing.here", "cannot be imported"),
        ("json", "cannot be imported"),
        ("json:dumps", "is a function, not a core.Domain"),
    ],
)
def test_what_is_no_domain_is_refused_by_name(reference: str, says: str) -> None:
    with pytest.raises(DefinitionError, match=says):
        read_domain(reference)
