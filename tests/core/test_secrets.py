"""Secrets never stand in what is shown: keyed hashes stand for them, wherever they are declared."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import re
from typing import (
    Annotated,
    Any,
    ForwardRef,
    Generic,
    NamedTuple,
    NewType,
    Required,
    TypeVar,
)

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    RootModel,
    SecretStr,
    ValidationError,
    computed_field,
    field_validator,
)
from typing_extensions import TypeAliasType, TypedDict

from core import (
    Applied,
    Domain,
    Engine,
    Facts,
    Issue,
    Lookup,
    Mode,
    Options,
    Outcome,
    amend,
    any_of,
)
from core.amendments import Amendment
from core.audit import MutationRecord, Subject
from core.batch import execute_batch
from core.changes import ChangeSet, Identity, apply, diff
from core.digests import digest, jsonable
from core.domain import problems
from core.effects import SideEffect
from core.engine import record
from core.errors import DefinitionError, InvalidParameters, InvalidValue
from core.governance.outcome import rejection_of
from core.mutation import Intent, Mutation
from core.policy import (
    Policy,
    PolicyDecision,
    Question,
    Verdict,
    allow,
    ask,
    deny,
    policy,
)
from core.requirements import Requirement
from core.result import ExecutionResult
from core.secrets import (
    HmacRedactor,
    Mask,
    redact,
    redact_given,
    require_redactor,
    secret_paths,
)
from core.survey import NOTHING_DECLARED, Secret, Survey, survey
from core.validation import Severity
from tests.core.builders import AT, Clock, Ids, Quota, context, doing

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


# A tree whose alias names itself by text, as it has to before Python 3.12.
Tree = TypeAliasType(
    "Tree", "dict[str, Tree] | list[Tree] | Annotated[str, Secret()]", type_params=()
)
Pair = TypeAliasType("Pair", "tuple[T, Annotated[T, Secret()]]", type_params=(T,))
Kept = NewType("Kept", "Late")
Q = TypeVar("Q", bound="Late")
X = TypeVar("X")


class Loose(BaseModel, Generic[X]):
    """Has more names than fields, and says what stands there."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, X]

    open: str = "open"
    part: Typed | None = None


class Looser(Loose[Annotated[str, Secret()]]):
    closed: str = "open too"


class Between(Loose[T], Generic[T]):
    closed: str = "open too"


class Shut(Looser):
    model_config = ConfigDict(extra="ignore")


class Untold(BaseModel):
    model_config = ConfigDict(extra="allow")

    open: str = "open"


class Least(TypedDict, extra_items=Annotated[str, Secret()]):  # type: ignore[call-arg]  # mypy knows no further names yet
    plain: str


class More(Least):
    other: str


class ChangeToken(Mutation[Key]):
    reason: str
    token: Annotated[str, Secret()]

    @property
    def intent(self) -> Intent:
        return Intent(operation="change")

    def check(self, state: Key) -> Any:
        return FOUND.get(self.reason, ())

    def apply(self, state: Key) -> Key:
        if self.reason == "broken":
            raise KeyError(self.token)
        return state.model_copy(update={"token": self.token})


FOUND: dict[str, tuple[Issue, ...]] = {}
"""What the check of `ChangeToken` finds, by its reason."""


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


def test_an_alias_that_names_itself_by_text_is_followed() -> None:
    class Forest(BaseModel):
        tree: Tree
        pair: Pair[str] = ("open", HUSH)
        kept: Kept = Kept(Late())
        ring: Wrapper[Q] | None = None  # type: ignore[valid-type]  # nobody says which

    forest = Forest(tree={"a": HUSH, "b": [{"c": HUSH}]})

    assert "/tree" in secret_paths(Forest)
    assert "/kept/token" in secret_paths(Forest)
    assert "/ring/content/token" in secret_paths(Forest)
    assert HUSH not in json.dumps(shown(forest))


def test_an_annotation_that_leads_nowhere_is_not_taken_for_open() -> None:
    nowhere: Any = TypeAliasType("nowhere", "list[NotDefined]")  # noqa: F821 - as above

    class Holder(BaseModel):
        value: Any = None

    wrong: list[tuple[Any, str]] = [
        (nowhere, "nowhere cannot be read.*NotDefined"),
        (ForwardRef("NotDefined"), "NotDefined"),
        (list["NotDefined"], "NotDefined"),  # type: ignore[name-defined]  # noqa: F821 - as above
    ]
    for annotation, sentence in wrong:
        Holder.model_fields["value"].annotation = annotation
        survey.cache_clear()
        with pytest.raises(DefinitionError, match=sentence):
            survey(Holder)


def test_what_stands_at_names_that_are_no_fields_may_be_secret() -> None:
    looser = Looser.model_validate({"part": {"plain": "p", "token": HUSH}, "x": HUSH, "y": HUSH})
    document: Any = shown(looser)

    assert secret_paths(Looser) == ("/*", "/part/token")
    assert document["x"] == document["part"]["token"] == REDACTOR(HUSH)
    assert (document["open"], document["closed"]) == ("open", "open too")
    assert not survey(Looser).at("/closed").holds_secret
    assert survey(Looser).at("/x").secret
    assert secret_paths(Shut) == ("/part/token",)
    assert secret_paths(Between[Annotated[str, Secret()]]) == ("/*", "/part/token")
    assert secret_paths(Loose[str]) == ("/part/token",)
    assert secret_paths(Untold) == ()


def test_what_stands_at_further_names_of_a_typed_dictionary_may_be_secret() -> None:
    class Holder(BaseModel):
        least: Least
        more: More

    holder = Holder.model_validate(
        {"least": {"plain": "p", "x": HUSH}, "more": {"plain": "p", "other": "o", "x": HUSH}}
    )

    assert secret_paths(Holder) == ("/least/*", "/more/*")
    assert shown(holder) == {
        "least": {"plain": "p", "x": REDACTOR(HUSH)},
        "more": {"plain": "p", "other": "o", "x": REDACTOR(HUSH)},
    }


def test_a_field_of_one_model_may_be_a_further_name_of_another() -> None:
    class Either(BaseModel):
        value: Key | Looser

    assert survey(Either).at("/value/id").secret
    assert not survey(Either).at("/value/open").holds_secret


def test_what_is_annotated_as_any_model_declares_nothing() -> None:
    class AnyModel(BaseModel):
        value: BaseModel
        token: Annotated[str, Secret()] = HUSH

    assert secret_paths(AnyModel) == ("/token",)


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

    redactor = HmacRedactor(b"k" * 32)
    shown = redactor({"b": "x", "a": 1.0})

    assert shown == f"v1:hmac-sha256:{redactor.key_id}:{written}"


def test_a_hash_says_under_which_key_it_was_made() -> None:
    other = HmacRedactor(b"another-key-another-key-another-")

    assert re.fullmatch("[0-9a-f]{8}", other.key_id)
    assert other.key_id != REDACTOR.key_id == HmacRedactor(b"0123456789abcdef" * 2).key_id


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
        assert str(change.before).startswith("v1:hmac-sha256:")
        assert "v1:hmac-sha256:" in change.describe()


def test_digests_tell_nothing_to_who_can_guess_the_secret() -> None:
    def changes(redactor: HmacRedactor) -> ChangeSet:
        old, new = (redact(jsonable(Key(id="k", token=t)), survey(Key), redactor) for t in "ab")
        return diff(old, new)

    mine = changes(REDACTOR).digest()

    assert mine != diff(jsonable(Key(id="k", token="a")), jsonable(Key(id="k", token="b"))).digest()
    assert mine != changes(HmacRedactor(b"another-key-another-key-another-")).digest()
    assert digest(shown(Key(id="k"))) != digest(jsonable(Key(id="k")))


# What quotes them.


def mask_of(*secrets: str) -> Mask:
    mask = Mask(REDACTOR)
    for secret in secrets:
        mask.look_for({"id": "k", "token": secret}, survey(Key))
    return mask


def test_a_secret_is_replaced_where_it_is_quoted_and_all_else_is_kept() -> None:
    mask = mask_of(HUSH)

    assert mask.text(f"{HUSH}, k and {HUSH}.") == f"{REDACTOR(HUSH)}, k and {REDACTOR(HUSH)}."
    assert mask.data({HUSH: ["k", 1, None, {"b": HUSH}]}) == {
        REDACTOR(HUSH): ["k", 1, None, {"b": REDACTOR(HUSH)}]
    }


def test_of_secrets_that_stand_in_each_other_the_longest_is_found() -> None:
    mask = mask_of(HUSH, f"{HUSH}.*", f"{HUSH}.*!")

    assert mask.text(f"{HUSH}.*! {HUSH}..!") == f"{REDACTOR(HUSH + '.*!')} {REDACTOR(HUSH)}..!"


def test_the_texts_in_a_secret_are_found_one_by_one_and_short_ones_are_not() -> None:
    class Pair(BaseModel):
        both: Annotated[dict[str, Any], Secret()]

    mask = Mask(REDACTOR)
    mask.look_for({"both": {"name": "seven77", "tokens": [HUSH, "eight888", 8]}}, survey(Pair))

    said = mask.text(f"seven77 {HUSH} eight888 8")
    assert said == f"seven77 {REDACTOR(HUSH)} {REDACTOR('eight888')} 8"


def test_where_there_is_no_secret_what_is_said_is_not_looked_into() -> None:
    mask = mask_of()
    said: JsonValue = {"a": [HUSH]}

    assert mask.data(said) is said
    assert mask.text(HUSH) is HUSH


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


# What a run leaves behind.

NEW = "new-hush-hush"


def changed(
    *policies: Policy,
    reason: str = "rotated",
    mode: Mode = Mode.COMMIT,
    redactor: HmacRedactor | None = REDACTOR,
    records: Any = None,
    options: Options = Options(),  # noqa: B008 - frozen
) -> ExecutionResult[Key]:
    """Run the engine on a key whose token becomes `NEW`."""
    engine = Engine(clock=Clock(), new_id=Ids(), redactor=redactor, options=options)
    return engine.execute(
        ChangeToken(reason=reason, token=NEW),
        Key(id="k"),
        context=context(mode),
        facts=Facts(AT),
        policies=policies,
        subject=Subject(state_id="keys/k", version=3),
        records=records,
    )


def recorded(result: ExecutionResult[Key]) -> str:
    """Answer all that outlives a run: its entries, and what is shown to approvers."""
    history = result.history.model_dump_json() if result.history else ""
    shown = [*result.issues, result.ruling, result.effect]
    return result.audit.model_dump_json() + history + "".join(e.model_dump_json() for e in shown)


def assert_nothing_leaks(result: ExecutionResult[Key]) -> None:
    text = recorded(result)
    assert HUSH not in text
    assert NEW not in text


CLEAR = MutationRecord(
    type="ChangeToken", schema_version=1, parameters={"token": NEW, "reason": "r"}, digest="d"
)


def test_a_commit_shows_a_secret_as_hashes_and_keeps_it_in_the_state() -> None:
    result = changed(records=[CLEAR])

    assert result.outcome is Outcome.COMMITTED
    assert result.state == Key(id="k", token=NEW)
    assert result.effect.changes.paths == ("/token",)
    assert REDACTOR(NEW) in recorded(result)
    assert result.audit.mutations == (record(ChangeToken(reason="rotated", token=NEW), REDACTOR),)
    assert_nothing_leaks(result)


def test_records_in_clear_are_forgotten_where_nothing_can_hide_what_is_secret() -> None:
    result = changed(redactor=None, records=[CLEAR])

    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, DefinitionError)
    assert result.audit.mutations == ()
    assert result.audit.error is not None
    assert "redactor" in result.audit.error
    assert_nothing_leaks(result)


def test_records_in_clear_are_forgotten_where_they_cannot_be_written_again() -> None:
    class Unwritable(ChangeToken):
        extra: Any = None

    engine = Engine(clock=Clock(), new_id=Ids(), redactor=REDACTOR)
    result = engine.execute(
        Unwritable(reason="r", token=NEW, extra=object()),
        Key(id="k"),
        context=context(),
        facts=Facts(AT),
        records=[CLEAR],
    )

    assert result.outcome is Outcome.FAILED
    assert result.audit.mutations == ()
    assert_nothing_leaks(result)


def test_records_without_secrets_are_kept_as_they_were_given() -> None:
    mine = MutationRecord(type="Mine", schema_version=7, parameters={}, digest="mine")
    engine = Engine(clock=Clock(), new_id=Ids())

    result = engine.execute(
        doing(lambda state: state), Quota(), context=context(), facts=Facts(AT), records=[mine]
    )

    assert result.audit.mutations == (mine,)


@pytest.mark.parametrize(
    ("path", "attempted", "shown"),
    [
        ("/token", NEW, REDACTOR(NEW)),
        ("/replaced/token", NEW, REDACTOR(NEW)),
        ("/replaced", {"id": "r", "token": NEW}, {"id": "r", "token": REDACTOR(NEW)}),
        ("", {"id": "k", "token": HUSH}, {"id": "k", "token": REDACTOR(HUSH)}),
        ("", NEW, REDACTOR(NEW)),
        ("token", NEW, REDACTOR(NEW)),
        ("token", {"token": NEW}, REDACTOR({"token": NEW})),
        ("/id", "k", "k"),
        ("/id", None, None),
        ("/token", None, None),
        ("/token", float("nan"), None),
    ],
)
@pytest.mark.parametrize("mode", Mode)
def test_what_a_check_found_shows_no_secret(
    path: str, attempted: Any, shown: Any, mode: Mode
) -> None:
    FOUND["found"] = (Issue(code="weak", message="weak", path=path, attempted=attempted),)

    result = changed(reason="found", mode=mode)

    assert result.outcome is Outcome.INVALID
    assert [i.attempted for i in result.audit.issues] == [shown]
    assert result.issues == result.audit.issues
    assert_nothing_leaks(result)


def test_what_policies_amend_shows_no_secret_and_is_made_all_the_same() -> None:
    rule = policy(name="rule")(
        lambda *_: amend(
            {"/token": "amended-hush", "/replaced": {"id": "r", "token": NEW}},
            remove=["/nothing"],
            override=True,
        )
    )

    for each in (rule, any_of(rule, name="gate")):
        result = changed(each)

        assert result.outcome is Outcome.COMMITTED, result.error
        assert result.state is not None
        assert result.state.token == "amended-hush"
        assert result.history is not None
        decision = result.history.decisions[0]
        assert decision == result.audit.decisions[0] == result.ruling.decisions[0]
        parts = [decision, *decision.parts]
        for part in parts:
            values = {a.path: a.value for a in part.amendments}
            assert values == {
                "/token": REDACTOR("amended-hush"),
                "/replaced": {"id": "r", "token": REDACTOR(NEW)},
                "/nothing": None,
            }
        assert "amended-hush" not in recorded(result)
        assert_nothing_leaks(result)


def test_an_amendment_that_no_document_can_hold_ends_the_run_and_is_left_out() -> None:
    odd = PolicyDecision(
        verdict=Verdict.ALLOW,
        amendments=(Amendment(op="set", path="/token", value=float("inf")),),
    )

    result = changed(policy(name="odd")(lambda *_: odd))

    assert result.outcome is Outcome.FAILED
    assert [a.value for d in result.audit.decisions for a in d.amendments] == [None]


def test_of_what_is_raised_only_the_type_is_told_where_there_are_secrets() -> None:
    @policy()
    def quoting(mutation: ChangeToken, state: Key, *_: Any) -> PolicyDecision:
        raise ValueError(f"{state.token} became {mutation.token}")

    broken, denied = changed(reason="broken"), changed(quoting, any_of(quoting, name="gate"))

    assert broken.outcome is Outcome.FAILED
    assert isinstance(broken.error, KeyError)
    assert broken.audit.error == "KeyError"
    assert_nothing_leaks(broken)
    assert denied.outcome is Outcome.BLOCKED
    assert {d.reason for d in denied.ruling.decisions} == {
        "It raised ValueError",
        "quoting: It raised ValueError",
    }
    assert_nothing_leaks(denied)


class Opening(Mutation[Quota]):
    """A mutation with a secret, of a state that has none."""

    token: Annotated[str, Secret()]

    @property
    def intent(self) -> Intent:
        return Intent(operation="open")

    def apply(self, state: Quota) -> Quota:
        return state


class Naming(Mutation[Key]):
    """A mutation without a secret, of a state that has one."""

    word: str

    @property
    def intent(self) -> Intent:
        return Intent(operation="name")

    def apply(self, state: Key) -> Key:
        return state


@pytest.mark.parametrize(
    ("mutation", "state"),
    [(Opening(token=HUSH), Quota()), (Naming(word="n"), Key(id="k"))],
    ids=["in the mutation", "in the state"],
)
def test_what_a_policy_raises_is_not_told_wherever_the_secret_is(mutation: Any, state: Any) -> None:
    @policy()
    def quoting(mutation: Any, state: Any, *_: Any) -> PolicyDecision:
        raise ValueError(f"{mutation!r} {state!r}")

    found = ask(quoting, Question(mutation, state, context(), Facts(AT)))

    assert found is not None
    assert found.reason == "It raised ValueError"


def test_why_an_amendment_cannot_be_made_quotes_no_secret() -> None:
    class Strict(Key):
        @field_validator("token")
        @classmethod
        def _long(cls, token: str) -> str:
            if token == "short":
                raise ValueError(f"{token} is too short")
            return token

    engine = Engine(clock=Clock(), new_id=Ids(), redactor=REDACTOR)
    result: Any = engine.execute(
        ChangeToken(reason="rotated", token=NEW),
        Strict(id="k"),
        context=context(),
        facts=Facts(AT),
        policies=[policy(name="p")(lambda *_: amend({"/token": "short"}, override=True))],
    )

    no = rejection_of(result)
    assert no is not None
    assert (result.audit.error, no.message) == ("InvalidAmendment", "InvalidAmendment")
    assert "short" not in recorded(result)


def test_what_is_raised_is_told_in_full_where_only_others_have_secrets() -> None:
    engine = Engine(clock=Clock(), new_id=Ids(), redactor=REDACTOR)
    raising = policy(name="no")(lambda *_: allow(str(1 / 0)))

    def told(*policies: Policy) -> ExecutionResult[Quota]:
        return engine.execute(
            doing(lambda state: vars(state)["none"]),
            Quota(),
            context=context(),
            facts=Facts(AT),
            policies=policies,
        )

    assert told().audit.error == "KeyError: 'none'"
    assert told(raising).ruling.denials[0].reason == "It raised ZeroDivisionError: division by zero"


def test_that_it_took_too_long_is_told_in_full() -> None:
    clock = Clock()
    slow = policy(name="slow")(lambda *_: clock.pass_by(60) and allow())
    engine = Engine(clock=clock, new_id=Ids(), redactor=REDACTOR)

    result = engine.execute(
        ChangeToken(reason="late", token=NEW),
        Key(id="k"),
        context=context(),
        facts=Facts(AT),
        policies=[slow],
    )

    assert result.outcome is Outcome.TIMED_OUT
    assert result.audit.error == str(result.error)


def test_the_reason_of_a_batch_quotes_no_secret() -> None:
    done = execute_batch(
        Engine(clock=Clock(), new_id=Ids(), redactor=REDACTOR),
        [ChangeToken(reason="broken", token=NEW)],
        Key(id="k"),
        context=context(),
        facts=Facts(AT),
    )

    assert done.reason == "Step 1 of 1 ended failed: KeyError."


def test_what_nothing_can_hide_is_left_out() -> None:
    assert redact_given(NEW, "/token", [survey(Key)], None) is None
    assert redact_given(NEW, "/token", [NOTHING_DECLARED], None) == NEW


# What author code says in words.


class Telling(ChangeToken):
    """Quotes what it should not, wherever it can."""

    @property
    def intent(self) -> Intent:
        return Intent(
            operation="tell", description=f"set {self.token}", tags=(self.token,), metadata={"a": 1}
        )

    def check(self, state: Key) -> Any:
        yield Issue(
            code="quoted", message=f"{state.token} goes", severity=Severity.WARNING, attempted=HUSH
        )

    def apply(self, state: Key) -> Any:
        told = SideEffect(contract="told", payload={self.token: [state.token]})
        return Applied(state.model_copy(update={"token": f"{self.token}-derived"}), (told,))


@policy(name="telling")
def telling(mutation: Telling, state: Key, _context: Any, facts: Facts) -> PolicyDecision:
    return amend(
        {"/replaced": {"id": "r", "token": "unheard-of"}},
        requirements=[Requirement.approval(people=["ana"], title=f"May {mutation.token} go?")],
        side_effects=[SideEffect(contract="policy", payload={"was": state.token})],
        reason=f"{state.token} and {facts['seen']}",
        was=state.token,
    )


def told_by(mode: Mode, *fulfilled: str, redactor: Any = REDACTOR) -> ExecutionResult[Key]:
    return Engine(clock=Clock(), new_id=Ids(), redactor=redactor).execute(
        Telling(reason="told", token=NEW),
        Key(id="k"),
        context=context(mode),
        facts=Facts(AT, fulfilled, looked_up={"seen": Lookup(at=AT, value={"it": [HUSH, 5]})}),
        policies=[telling, any_of(telling, name="gate")],
        subject=Subject(state_id="keys/k", version=3),
    )


@pytest.mark.parametrize("mode", Mode)
def test_no_secret_is_in_what_author_code_says_in_words(mode: Mode) -> None:
    asked = told_by(Mode.SIMULATE)
    result = told_by(mode, *(r.id for r in asked.ruling.requirements))

    assert result.is_success, result.error
    assert_nothing_leaks(result)
    assert NEW not in f"{result.effect} {result.intent} {result.ruling} {result.unmet}"
    assert result.intent.tags == (REDACTOR(NEW),)
    assert result.intent.metadata == {"a": 1}
    assert [i.message for i in result.issues if i.code == "quoted"] == [f"{REDACTOR(HUSH)} goes"]
    assert result.ruling.requirements[0].title == f"May {REDACTOR(NEW)} go?"
    assert result.audit.facts["looked_up"] is not None
    told, by_policy, *_ = result.effect.side_effects
    assert told.payload == {REDACTOR(NEW): [REDACTOR(HUSH)]}
    assert by_policy.payload == {"was": REDACTOR(HUSH)}
    assert result.audit.effect_digest == asked.audit.effect_digest == result.effect.digest()


def test_what_is_hidden_in_words_changes_nothing_of_what_is_done() -> None:
    waiting = told_by(Mode.COMMIT)
    done = told_by(Mode.COMMIT, *(r.id for r in waiting.unmet))

    assert waiting.outcome is Outcome.BLOCKED
    assert_nothing_leaks(waiting)
    assert done.outcome is Outcome.COMMITTED
    assert done.state is not None
    assert done.state.token == f"{NEW}-derived"
    assert done.state.replaced == Key(id="r", token="unheard-of")
    assert "unheard-of" not in recorded(done)


def test_what_apply_made_before_the_run_failed_is_hidden_as_well() -> None:
    @policy()
    def second(mutation: Telling, state: Key, *_: Any) -> PolicyDecision:
        return deny(f"{state.token} is no good") if "derived" in state.token else allow()

    result = Engine(clock=Clock(), new_id=Ids(), redactor=REDACTOR).execute(
        [Telling(reason="told", token=NEW), Telling(reason="told", token="another-one")],
        Key(id="k"),
        context=context(),
        facts=Facts(AT),
        policies=[second],
    )

    assert result.outcome is Outcome.BLOCKED
    assert_nothing_leaks(result)
    assert result.ruling.denials[0].reason == f"{REDACTOR(NEW + '-derived')} is no good"


def test_without_a_redactor_nothing_is_said() -> None:
    result = told_by(Mode.COMMIT, redactor=None)

    assert result.outcome is Outcome.FAILED
    assert result.ruling.decisions == ()
    assert NEW not in result.audit.model_dump_json()


# What cannot be read.


class Strict(BaseModel):
    open: int = 0
    token: Annotated[str, Secret()] = HUSH
    whole: Annotated[dict[str, int], Secret()] = Field(default_factory=dict)

    @field_validator("token")
    @classmethod
    def _long(cls, token: str) -> str:
        if token == NEW:
            raise ValueError(f"{token} is worn out")
        if token == "broken":
            raise KeyError(token)
        return token


class SetStrict(Mutation[Strict]):
    to: Strict

    @property
    def intent(self) -> Intent:
        return Intent(operation="set")

    def apply(self, state: Strict) -> Strict:
        return self.to


strict = Domain("strict", Strict, [SetStrict], schema_version=2, upgrades={1: lambda old: old[NEW]})


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"token": NEW}, "token: value_error"),
        ({"open": NEW}, "open: int_parsing"),
        ({"whole": {NEW: "many"}}, "whole: int_parsing"),
        ({"token": "broken"}, "KeyError"),
    ],
)
def test_what_cannot_be_read_quotes_no_secret(document: Any, told: str) -> None:
    with pytest.raises(InvalidValue, match=told) as state:
        strict.read_state(document, 2)
    with pytest.raises(InvalidParameters, match=told) as parameters:
        strict.read_mutation("SetStrict", {"to": document})

    for error in (state.value, parameters.value):
        assert NEW not in error.message
        assert "broken" not in error.message


def test_what_cannot_be_lifted_quotes_no_secret() -> None:
    with pytest.raises(InvalidValue, match=r"lifted: KeyError$"):
        strict.read_state({"open": 1}, 1)


def test_a_secret_that_is_the_whole_is_named_so() -> None:
    with pytest.raises(ValidationError) as invalid:
        Token.model_validate(5)

    assert problems(invalid.value, survey(Token)) == "the whole: string_type"
