"""Side effects are typed by contract and version, and stay readable when nobody knows them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict, Field

from core.contracts import Contract, Contracts, Payload, contract_of
from core.effects import SideEffect
from core.errors import DefinitionError, InvalidValue
from core.survey import Secret
from core.validation import Severity


class PriceChangedBefore(Payload, contract="price.changed"):
    product: str


class PriceChanged(Payload, contract="price.changed", version=2, requires_action=True):
    product: str
    cents: int
    since: date = date(2026, 1, 1)
    rate: Decimal = Decimal("1.0")


class Moved(Payload, contract="moved"):
    model_config = ConfigDict(strict=True)

    from_: str = Field(alias="from")
    on: date = date(2026, 1, 5)


class Outage(Payload, contract="outage", severity=Severity.CRITICAL, on_failure="compensate"):
    service: str


CONTRACTS = Contracts([PriceChangedBefore, PriceChanged, Outage])
PRICE = PriceChanged(product="standard", cents=900)


def said(payload: Any) -> str:
    """Do what a handler does."""
    match payload:
        case PriceChanged(product=product, cents=cents):
            return f"{product} now costs {cents}"
        case PriceChangedBefore(product=product):
            return f"{product} costs something else"
        case dict() as unknown:
            return f"unknown: {sorted(unknown)}"
    return "?"


def test_a_payload_with_aliased_and_strict_fields_is_read_again() -> None:
    moved = Moved.model_validate({"from": "Oslo"})

    assert Contracts([Moved]).read(SideEffect.of(moved)) == moved


def test_a_payload_that_would_not_be_read_as_it_is_written_is_refused() -> None:
    class Lost(Payload, contract="lost"):
        model_config = ConfigDict(serialize_by_alias=True)

        from_: str = Field(default="", serialization_alias="from")

    for ask in (lambda: SideEffect.of(Lost()), lambda: Contracts([Lost])):
        with pytest.raises(DefinitionError, match="Lost cannot be read as it is written"):
            ask()


def test_a_payload_becomes_a_side_effect_of_its_contract() -> None:
    effect = SideEffect.of(PRICE)

    assert (effect.contract, effect.contract_version) == ("price.changed", 2)
    assert effect.payload == {
        "product": "standard",
        "cents": 900,
        "since": "2026-01-01",
        "rate": "1.0",
    }
    assert (effect.severity, effect.requires_action, effect.on_failure) == (
        Severity.INFO,
        True,
        "record",
    )


@given(st.text(), st.integers(), st.dates(), st.decimals(allow_nan=False, allow_infinity=False))
def test_what_is_read_is_what_was_said(
    product: str, cents: int, since: date, rate: Decimal
) -> None:
    payload = PriceChanged(product=product, cents=cents, since=since, rate=rate)

    effect = SideEffect.model_validate_json(SideEffect.of(payload).model_dump_json())

    assert CONTRACTS.read(effect) == payload


def test_several_versions_of_a_contract_are_read_at_once() -> None:
    effects = [SideEffect.of(PriceChangedBefore(product="a")), SideEffect.of(PRICE)]

    assert [said(CONTRACTS.read(effect)) for effect in effects] == [
        "a costs something else",
        "standard now costs 900",
    ]


@pytest.mark.parametrize("unknown", [("price.changed", 3), ("mail", 1)])
def test_an_unknown_contract_stays_readable_as_data(unknown: tuple[str, int]) -> None:
    name, version = unknown
    effect = SideEffect(contract=name, contract_version=version, payload={"to": "ana"})

    assert CONTRACTS.read(effect) == {"to": "ana"}
    assert said(CONTRACTS.read(effect)) == "unknown: ['to']"


def test_a_field_that_the_reader_does_not_know_is_ignored() -> None:
    effect = SideEffect(contract="price.changed", payload={"product": "a", "more": 1})

    assert CONTRACTS.read(effect) == PriceChangedBefore(product="a")


def test_a_payload_that_does_not_fit_its_contract_is_named() -> None:
    effect = SideEffect(contract="price.changed", contract_version=2, payload={"product": "a"})

    with pytest.raises(InvalidValue, match=r"price\.changed v2 does not validate: cents"):
        CONTRACTS.read(effect)


# What the contract says, and what a side effect says for itself.


def test_a_side_effect_may_differ_from_its_contract() -> None:
    effect = SideEffect.of(
        PRICE, severity=Severity.WARNING, requires_action=False, on_failure="compensate"
    )

    assert (effect.severity, effect.requires_action, effect.on_failure) == (
        Severity.WARNING,
        False,
        "compensate",
    )


@given(st.sampled_from(list(Severity)), st.booleans())
def test_what_is_critical_always_requires_action(severity: Severity, wanted: bool) -> None:
    critical = severity is Severity.CRITICAL

    for effect in (
        SideEffect(contract="a", severity=severity, requires_action=wanted),
        SideEffect.of(PRICE, severity=severity, requires_action=wanted),
    ):
        assert effect.requires_action is (wanted or critical)
        assert effect.opens_todo is effect.requires_action


def test_a_critical_contract_requires_action_of_itself() -> None:
    effect = SideEffect.of(Outage(service="mail"), requires_action=False)

    assert (effect.severity, effect.requires_action) == (Severity.CRITICAL, True)
    assert SideEffect(contract="a", severity=Severity.CRITICAL).requires_action
    assert not SideEffect(contract="a").requires_action


def test_a_contract_is_inherited_unless_another_is_named() -> None:
    class More(PriceChanged):
        note: str = ""

    class Later(PriceChanged, contract="price.changed", version=3):
        note: str = ""

    assert contract_of(More) == Contract("price.changed", 2, requires_action=True)
    assert contract_of(Later) == Contract("price.changed", 3)


# Refused when it is written.


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"contract": ""}, "no contract name"),
        ({"contract": "a b"}, "no contract name"),
        ({"contract": "a/b"}, "no contract name"),
        ({"contract": "a\n"}, "no contract name"),
        ({"contract": "a" * 201}, "no contract name"),
        ({"contract": "a", "version": 0}, "first version is 1"),
    ],
)
def test_a_contract_that_is_none_is_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DefinitionError, match=sentence):
        type("Wrong", (Payload,), {}, **arguments)


def test_a_payload_without_a_contract_says_how_to_name_one() -> None:
    class Nameless(Payload):
        text: str = ""

    for ask in (lambda: SideEffect.of(Nameless()), lambda: Contracts([Nameless])):
        with pytest.raises(DefinitionError, match=r'class Nameless\(Payload, contract="\.\.\."\)'):
            ask()


def test_a_payload_with_secrets_is_refused() -> None:
    class Leaking(Payload, contract="leak"):
        tokens: list[Annotated[str, Secret()]] = Field(default_factory=list)

    with pytest.raises(DefinitionError, match=r"/tokens/\*"):
        SideEffect.of(Leaking())


def test_two_payloads_of_one_contract_and_version_are_refused() -> None:
    class Again(Payload, contract="outage"):
        pass

    with pytest.raises(DefinitionError, match="Outage and Again are both outage v1"):
        Contracts([Outage, Again])
    assert Contracts([Outage, Outage]).read(SideEffect.of(Outage(service="a"))) == Outage(
        service="a"
    )


def test_a_payload_that_no_document_can_hold_is_refused() -> None:
    class Odd(Payload, contract="odd"):
        value: Any = None

    with pytest.raises(InvalidValue):
        SideEffect.of(Odd(value=float("nan")))
