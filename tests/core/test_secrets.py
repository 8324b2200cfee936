"""Secrets never stand in what is shown: keyed hashes stand for them, wherever they are declared."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from typing import Annotated, Any, Generic, NamedTuple, NewType, Required, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, JsonValue, RootModel, SecretStr, computed_field
from typing_extensions import TypeAliasType, TypedDict

from core.changes import ChangeSet, Identity, apply, diff
from core.digests import digest, jsonable
from core.errors import DefinitionError, InvalidValue
from core.mutation import Intent, Mutation
from core.secrets import HmacRedactor, redact, require_redactor, secret_paths
from core.survey import NOTHING_DECLARED, Secret, Survey, survey

REDACTOR = HmacRedactor(b"0123456789abcdef0123456789abcdef")
HUSH = "hush-hush"

Password = NewType("Password", Annotated[str, Secret()])
Pin = TypeAliasType("Pin", Annotated[str, Secret()])
T = TypeVar("T")


class Token(RootModel[Annotated[str, Secret()]]):
    pass


class Key(BaseModel):
    id: str
    token: Annotated[str, Secret()] = HUSH
    replaced: Key | None = None


@dataclasses.dataclass
class Box(Generic[T]):
    content: T
    many: list[T] = dataclasses.field(default_factory=list)


class Typed(TypedDict):
    plain: str
    token: Required[Annotated[str, Secret()]]


class Named(NamedTuple):
    plain: str
    token: Annotated[str, Secret()]


class Wrapper(BaseModel, Generic[T]):
    content: T


K = TypeVar("K", bound=Key)


class Ring(BaseModel, Generic[K]):
    keys: list[K] = Field(default_factory=list)


class Early(BaseModel):
    late: Late | None = None


class Late(BaseModel):
    token: Annotated[str, Secret()] = HUSH


class Never(BaseModel):
    value: NotDefined  # type: ignore[name-defined]  # noqa: F821 - that it cannot be found is the point


class ChangeToken(Mutation[Key]):
    reason: str
    token: Annotated[str, Secret()]

    @property
    def intent(self) -> Intent:
        return Intent(operation="change")

    def apply(self, state: Key) -> Key:
        return state.model_copy(update={"token": self.token})


class Vault(BaseModel):
    open: str = "open"
    text: Annotated[str, Secret()] = HUSH
    bare: Annotated[str, Secret] = HUSH
    maybe: Annotated[str, Secret()] | None = HUSH
    maybe_not: Annotated[str | None, Secret()] = None
    whole_list: Annotated[list[str], Secret()] = [HUSH]
    each: list[Annotated[str, Secret()]] = [HUSH, "other"]
    codes: frozenset[Annotated[str, Secret()]] = frozenset({HUSH})
    by_name: dict[str, Annotated[str, Secret()]] = {"a/b": HUSH}
    model: Key = Key(id="m")
    keyed: Annotated[list[Key], Identity("id")] = [Key(id="k", replaced=Key(id="r"))]
    whole_model: Annotated[Key, Secret()] = Key(id="w")
    either: int | Key = Key(id="e")
    root: Token = Token(HUSH)
    new: Password = Password(HUSH)
    alias: Pin = HUSH
    boxed: Box[Annotated[str, Secret()]] = Box(HUSH, [HUSH])
    typed: Typed = {"plain": "open", "token": HUSH}
    named: Named = Named("named", HUSH)
    wrapped: Wrapper[Annotated[str, Secret()]] = Wrapper(content=HUSH)
    renamed: Annotated[str, Secret()] = Field(default=HUSH, serialization_alias="reNamed")

    @computed_field  # type: ignore[prop-decorator]  # pydantic's way
    @property
    def derived(self) -> Annotated[str, Secret()]:
        return self.text + "!"


PATHS = (
    "/alias",
    "/bare",
    "/boxed/content",
    "/boxed/many/*",
    "/by_name/*",
    "/codes/*",
    "/derived",
    "/each/*",
    "/either/replaced/token",
    "/either/token",
    "/keyed/*/token",
    "/maybe",
    "/maybe_not",
    "/model/token",
    "/named/*",
    "/new",
    "/reNamed",
    "/renamed",
    "/root",
    "/text",
    "/typed/token",
    "/whole_list",
    "/whole_model",
    "/wrapped/content",
)


def shown(state: BaseModel) -> Any:
    return redact(jsonable(state), survey(type(state)), REDACTOR)


# Where secrets are.


def test_a_secret_is_found_wherever_the_annotation_can_be() -> None:
    assert secret_paths(Vault) == PATHS


def test_a_model_in_itself_is_gone_through_to_any_depth() -> None:
    deep = Key(id="1", replaced=Key(id="2", replaced=Key(id="3")))

    assert HUSH not in json.dumps(shown(deep))
    assert secret_paths(Key) == ("/token",)


def test_nothing_is_secret_where_nothing_says_so() -> None:
    class Plain(BaseModel):
        items: Annotated[list[Typed], Identity("plain")] = Field(default_factory=list)
        free: JsonValue = None

    class Open(BaseModel):
        a: dict[str, list[int]] = Field(default_factory=dict)

    assert secret_paths(Open) == ()
    assert survey(Open).parts() == []
    assert secret_paths(Plain) == ("/items/*/token",)


def test_what_any_annotation_of_a_place_declares_holds_for_the_place() -> None:
    class Open(BaseModel):
        token: str = ""
        other: int = 0

    class Either(BaseModel):
        value: Open | dict[str, Annotated[str, Secret()]] | list[Annotated[str, Secret()]]

    for value in (Open(token=HUSH), {"token": HUSH}, {"x": HUSH}, [HUSH]):
        assert HUSH not in json.dumps(shown(Either(value=value)))


def test_a_type_variable_stands_for_what_bounds_it() -> None:
    assert secret_paths(Ring) == ("/keys/*/token",)
    assert secret_paths(Ring[Key]) == ("/keys/*/token",)


def test_a_model_is_read_once_all_it_names_is_defined() -> None:
    assert secret_paths(Early) == ("/late/token",)
    with pytest.raises(DefinitionError, match=r"Never cannot be read.*NotDefined"):
        survey(Never)


def test_the_parameters_of_a_mutation_may_be_secret_too() -> None:
    mutation = ChangeToken(reason="rotated", token=HUSH)

    assert shown(mutation) == {"reason": "rotated", "token": REDACTOR(HUSH)}


def test_a_place_is_found_by_its_path() -> None:
    declared = survey(Vault)

    assert declared.at("/keyed/k/token").secret
    assert declared.at("/keyed/0/replaced/token").secret
    assert declared.at("/whole_model/id").secret
    assert declared.at("/model").holds_secret
    assert not declared.at("/model").secret
    assert not declared.at("/model/id").holds_secret
    assert declared.at("/open") is declared.at("/nowhere/at/all") is NOTHING_DECLARED
    assert declared.at("") is declared


def test_a_secret_that_would_stand_in_paths_is_the_authors_mistake() -> None:
    class SecretKeys(BaseModel):
        by_token: dict[Annotated[str, Secret()], int] = Field(default_factory=dict)

    class SecretIdentity(BaseModel):
        keys: Annotated[list[Key], Identity("token")] = Field(default_factory=list)

    for wrong, sentence in ((SecretKeys, "whole map"), (SecretIdentity, "'token'")):
        with pytest.raises(DefinitionError, match=sentence):
            survey(wrong)


def test_a_type_that_loses_its_value_when_written_is_the_authors_mistake() -> None:
    class Masked(BaseModel):
        tokens: list[SecretStr] = Field(default_factory=list)

    with pytest.raises(DefinitionError, match=r"SecretStr.*Annotated\[str, Secret\(\)\]"):
        survey(Masked)


def test_annotations_that_cannot_be_read_are_not_taken_for_open() -> None:
    class Local(BaseModel):
        value: str

    @dataclasses.dataclass
    class Unreadable:
        value: Local

    class Holder(BaseModel):
        value: Any = None

    Holder.model_fields["value"].annotation = Unreadable
    with pytest.raises(DefinitionError, match="Unreadable"):
        survey(Holder)


# What stands for them.


def test_no_secret_is_in_what_is_shown_and_all_else_is() -> None:
    text = json.dumps(shown(Vault()))

    assert HUSH not in text
    assert "other" not in text
    for kept in ('"open"', '"k"', '"m"', '"a/b"', '"r"'):
        assert kept in text


def test_what_holds_no_secret_is_shared_and_the_document_is_not_altered() -> None:
    document: Any = jsonable(Vault())
    kept = json.dumps(document)

    result: Any = redact(document, survey(Vault), REDACTOR)

    assert json.dumps(document) == kept
    assert result["open"] is document["open"]
    assert redact(document, NOTHING_DECLARED, None) is document
    assert redact(document, Survey(fields={"gone": Survey(secret=True)}), None) is document


def test_the_hash_is_of_the_canonical_form_under_the_key() -> None:
    written = hmac.new(b"k" * 32, b'{"a":1,"b":"x"}', hashlib.sha256).hexdigest()

    assert HmacRedactor(b"k" * 32)({"b": "x", "a": 1.0}) == f"hmac-sha256:{written}"


@given(st.text(), st.text())
def test_equal_values_look_alike_and_others_do_not(one: str, other: str) -> None:
    assert (REDACTOR(one) == REDACTOR(other)) is (one == other)
    assert REDACTOR(one) != HmacRedactor(b"another-key-another-key-another-")(one)


def test_a_key_that_could_be_guessed_is_refused_and_none_is_shown() -> None:
    with pytest.raises(InvalidValue, match="32 bytes, not 6"):
        HmacRedactor(b"hunter")
    assert "0123" not in repr(REDACTOR)


# What follows for change sets.


@given(st.sampled_from(["a", "b"]), st.sampled_from(["a", "b"]), st.booleans())
def test_a_secret_that_changed_shows_as_a_change_of_hashes(old: str, new: str, keyed: bool) -> None:
    def vault(token: str) -> Vault:
        key = Key(id="k", token=token)
        return Vault(keyed=[key]) if keyed else Vault(text=token, model=key)

    before, after = shown(vault(old)), shown(vault(new))
    changes = diff(before, after, identity=survey(Vault))

    paths = ("/keyed/k/token",) if keyed else ("/derived", "/model/token", "/text")
    assert changes.paths == (paths if old != new else ())
    assert apply(before, changes) == after
    for change in changes.changes:
        assert (change.before, change.after) != (old, new)
        assert str(change.before).startswith("hmac-sha256:")
        assert "hmac-sha256:" in change.describe()


def test_digests_tell_nothing_to_who_can_guess_the_secret() -> None:
    def changes(redactor: HmacRedactor) -> ChangeSet:
        old, new = (redact(jsonable(Key(id="k", token=t)), survey(Key), redactor) for t in "ab")
        return diff(old, new)

    mine = changes(REDACTOR).digest()

    assert mine != diff(jsonable(Key(id="k", token="a")), jsonable(Key(id="k", token="b"))).digest()
    assert mine != changes(HmacRedactor(b"another-key-another-key-another-")).digest()
    assert digest(shown(Key(id="k"))) != digest(jsonable(Key(id="k")))


# Refused without a redactor.


def test_secrets_without_a_redactor_are_refused_by_name() -> None:
    with pytest.raises(DefinitionError, match=r"/replaced/token|\(/token\).*redactor"):
        require_redactor(None, NOTHING_DECLARED, survey(Key))
    with pytest.raises(DefinitionError, match="redactor"):
        redact(jsonable(Key(id="k")), survey(Key), None)
    with pytest.raises(DefinitionError, match="the whole"):
        require_redactor(None, survey(Token))
    require_redactor(REDACTOR, survey(Key))
    require_redactor(None, NOTHING_DECLARED)
