"""A request names its secrets; what it was assessed with is what executes, or nothing does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, cast

import pytest
from pydantic import BaseModel, JsonValue, field_validator
from temporalio.client import Client

from activities.evaluation import evaluate, load
from activities.facts import look_up
from activities.outside import Outside
from activities.secret_folder import MAX_SECRET, SecretFolder
from core import (
    Domain,
    Domains,
    Fact,
    FactQuestion,
    Facts,
    HmacRedactor,
    Intent,
    Mode,
    Mutation,
    MutationContext,
    Secret,
)
from core.digests import digest, jsonable
from core.errors import DefinitionError, InvalidParameters, InvalidValue
from core.governance.lifecycle import submit
from core.governance.request import MutationRequest, Snapshot, Wish, WishedMutation
from core.secrets import redact
from core.survey import survey
from store import MemoryStore
from tests.support.people import PEOPLE

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HUSH = "hush-hush-2027"
REDACTOR = HmacRedactor(b"k" * 32)


class Login(BaseModel):
    name: str
    word: str


class Gateway(BaseModel):
    token: Annotated[str, Secret()] = "first-token"
    login: Annotated[Login | None, Secret()] = None


class Rotate(Mutation[Gateway]):
    token: Annotated[str, Secret()] = "a default"
    login: Annotated[Login | None, Secret()] = None
    note: str = ""

    @field_validator("token")
    @classmethod
    def _bare(cls, token: str) -> str:
        if token.startswith("raising"):
            raise ValueError(f"{token} is no token")
        return token.strip()

    @property
    def intent(self) -> Intent:
        return Intent(operation="rotate")

    def apply(self, state: Gateway) -> Gateway:
        return Gateway(token=self.token, login=self.login)


gateways = Domain("gateways", Gateway, [Rotate], initial=lambda _: Gateway())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    mine = tmp_path / "gateways"
    mine.mkdir()
    (mine / "main-2027").write_text(f"{HUSH}\n")
    (mine / "login.json").write_text(json.dumps({"name": "ana", "word": HUSH}))
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "theirs").write_text("their-secret")
    (tmp_path / "outside").write_text("outside-of-it")
    return mine


@pytest.fixture
def outside(folder: Path) -> Outside:
    return Outside(
        store=MemoryStore(),
        domains=Domains([gateways]),
        directory=lambda: PEOPLE,
        client=cast("Client", None),
        redactor=REDACTOR,
        secrets=SecretFolder(folder.parent, REDACTOR),
    )


def asked(**parameters: JsonValue) -> MutationRequest:
    wish = Wish(
        state_id="gateways/main",
        mutations=(WishedMutation(type="Rotate", parameters=parameters),),
        actor_id="ana",
    )
    return submit("r", wish, NOON, expires_in=timedelta(days=1))


def assessed(outside: Outside, request: MutationRequest) -> MutationRequest:
    records = load(outside, request, None).records
    snapshot = Snapshot(version=0, state_digest="s", effect_digest="e", policy_set_digest="p")
    return request.model_copy(update={"mutations": records, "snapshot": snapshot})


def refusal(outside: Outside, request: MutationRequest) -> str:
    with pytest.raises(InvalidParameters) as refused:
        load(outside, request, None)
    assert HUSH not in refused.value.message
    return refused.value.message


def test_a_secret_is_found_by_its_name_and_shown_as_its_hash(outside: Outside) -> None:
    loaded = load(outside, asked(token={"secret": "main-2027"}), None)

    (mutation,), (record,) = loaded.mutations, loaded.records
    assert isinstance(mutation, Rotate)
    assert mutation.token == HUSH
    assert record.parameters == {
        "token": REDACTOR(HUSH),
        "login": REDACTOR(None),
        "note": "",
    }


def test_what_was_assessed_is_found_again_by_its_hash_whatever_its_file_is_called(
    outside: Outside, folder: Path
) -> None:
    request = assessed(
        outside, asked(token={"secret": "main-2027"}, login={"secret": "login.json"})
    )
    (folder / "main-2027").rename(folder / "old")

    (mutation,) = load(outside, request, None).mutations

    assert isinstance(mutation, Rotate)
    assert (mutation.token, mutation.login) == (HUSH, Login(name="ana", word=HUSH))


def test_g3_a_file_that_was_replaced_after_the_assessment_is_missing_and_not_taken(
    outside: Outside, folder: Path
) -> None:
    request = assessed(outside, asked(token={"secret": "main-2027"}))
    (folder / "main-2027").write_text("another one")

    said = refusal(outside, request)

    assert "No file of gateways" in said
    assert REDACTOR(HUSH) in said


def test_a_secret_that_was_sent_in_clear_is_refused(outside: Outside) -> None:
    more: JsonValue = {"secret": "main-2027", "more": 1}
    clear: list[JsonValue] = [HUSH, 5, [HUSH], {"word": HUSH}, more]
    for given in clear:
        assert "was sent in clear" in refusal(outside, asked(token=given))


@pytest.mark.parametrize(
    "name", ["../others/theirs", "../outside", "/etc/passwd", "..", ".", "", ".hidden", 5, None]
)
def test_only_a_file_of_the_domains_own_folder_can_be_named(
    outside: Outside, name: JsonValue
) -> None:
    assert "named by a file's name" in refusal(outside, asked(token={"secret": name}))


def test_secrets_of_other_domains_are_not_found_by_their_hashes(outside: Outside) -> None:
    for other in ("their-secret", "outside-of-it", "first-token"):
        assert "No file of gateways" in refusal(outside, asked(token=REDACTOR(other)))


def test_what_cannot_be_read_is_named_and_not_quoted(outside: Outside, folder: Path) -> None:
    (folder / "long").write_text(HUSH * MAX_SECRET)
    (folder / "odd").write_bytes(b"\xff" + HUSH.encode())
    (folder / "broken.json").write_text(f"{HUSH}{{")
    (folder / "raising").write_text(f"raising {HUSH}")
    (folder / "below").mkdir()

    for name, why in {
        "none": "cannot be read: No such file",
        "below": "cannot be read: Is a directory",
        "long": "holds more than 65536 bytes",
        "odd": "is no text in UTF-8",
        "broken.json": "no JSON though it is named so",
        "raising": "token: value_error",
    }.items():
        assert why in refusal(outside, asked(token={"secret": name}))


def test_what_would_not_be_found_again_is_refused_at_once(outside: Outside, folder: Path) -> None:
    (folder / "padded").write_text(" a padded one")

    for request in (asked(token={"secret": "padded"}), asked()):
        assert "would not be found again" in refusal(outside, request)


def test_where_no_secret_is_known_none_is_found(outside: Outside, folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()

    assert "No file of gateways" in refusal(outside, asked(token=REDACTOR(HUSH)))


def test_without_a_folder_or_a_key_it_is_not_begun(outside: Outside, tmp_path: Path) -> None:
    nowhere: Any = Outside(
        store=outside.store,
        domains=outside.domains,
        directory=outside.directory,
        client=outside.client,
    )

    with pytest.raises(DefinitionError, match="no folder to find them"):
        load(nowhere, asked(token={"secret": "main-2027"}), None)
    with pytest.raises(DefinitionError, match="--secrets-dir"):
        SecretFolder(tmp_path / "nothing", REDACTOR).check()


def test_nothing_that_an_evaluation_answers_holds_the_secret(outside: Outside) -> None:
    request = asked(token={"secret": "main-2027"}, login={"secret": "login.json"})
    loaded = load(outside, request, None)

    found = evaluate(
        outside, request, loaded, facts=Facts(NOON), mode=Mode.SIMULATE, directory=PEOPLE
    )

    told = f"{found.assessment.model_dump_json()} {found.result.audit.model_dump_json()}"
    assert HUSH not in told
    assert "first-token" not in told
    assert REDACTOR(HUSH) in told
    assert found.assessment.rejection is None


def test_a_state_is_digested_as_it_is_shown(outside: Outside) -> None:
    request = asked(token={"secret": "main-2027"})
    opened = load(outside, request, None).stored
    kept = opened.model_copy(update={"digest": digest(jsonable(Gateway()))})

    again = load(outside, request, kept).stored

    assert again == opened
    assert opened.digest == digest(redact(jsonable(Gateway()), survey(Gateway), REDACTOR))
    assert opened.digest != kept.digest


def test_what_the_initial_value_raises_is_not_quoted(outside: Outside) -> None:
    def raising(key: str) -> Gateway:
        raise KeyError(HUSH)

    broken = Domain("gateways", Gateway, [Rotate], initial=raising)
    odd = Outside(
        store=outside.store,
        domains=Domains([broken]),
        directory=outside.directory,
        client=outside.client,
        redactor=REDACTOR,
        secrets=outside.secrets,
    )

    with pytest.raises(InvalidValue, match=r"'gateways/main': KeyError$"):
        load(odd, asked(token={"secret": "main-2027"}), None)


def test_what_a_provider_raises_when_it_is_asked_about_secrets_is_not_quoted() -> None:
    def raising(question: FactQuestion) -> str:
        raise KeyError(HUSH)

    question = FactQuestion(
        "gateways/main", Gateway(), (Rotate(token=HUSH),), MutationContext(actor_id="ana"), NOON
    )

    found = look_up([Fact("lost", raising, retries=0)], question, timeout=1)

    assert found["lost"].missing == "its provider raised KeyError"
