"""What a worker does not start with, it says in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from activities.secret_folder import SecretFolder
from client.domains import read_domain
from client.secret_key import read_redactor
from core import Domain, HmacRedactor, Intent, Mutation, Secret
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


REDACTOR = HmacRedactor(b"0123456789abcdef0123456789abcdef")


@pytest.mark.parametrize(
    ("domain", "says"),
    [
        (in_a_parameter, r"SetToken of the domain 'accounts' has secret fields \(/token\)"),
        (in_the_state, r"Hidden of the domain 'hidden' has secret fields \(/token\)"),
    ],
)
def test_a_domain_with_secrets_is_refused_without_a_key_to_hash_them_by(
    domain: Domain[Any], says: str
) -> None:
    with pytest.raises(DefinitionError, match=f"{says}.*--secret-key-file"):
        served(domain)


def test_secret_parameters_are_refused_without_a_folder_to_find_them_in(tmp_path: Path) -> None:
    secrets = SecretFolder(tmp_path, REDACTOR)

    with pytest.raises(DefinitionError, match=r"\(/token\).*--secrets-dir"):
        served(in_a_parameter, redactor=REDACTOR)

    assert served(in_a_parameter, redactor=REDACTOR, secrets=secrets) is in_a_parameter
    assert served(in_the_state, redactor=REDACTOR) is in_the_state


def test_a_key_is_read_without_the_white_space_around_it(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("0123456789abcdef0123456789abcdef\n")

    assert read_redactor(key)("x") == REDACTOR("x")


def test_a_key_that_cannot_be_had_is_refused_with_what_to_do(tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("hunter2")

    with pytest.raises(DefinitionError, match=r"No such file.*openssl rand -hex 32 > "):
        read_redactor(tmp_path / "none")
    with pytest.raises(DefinitionError, match=r"short: .*32 bytes, not 7") as refused:
        read_redactor(short)
    assert "hunter" not in refused.value.message


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
