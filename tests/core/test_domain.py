"""What an author hands over is refused when it is written, not when it is needed."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, computed_field, field_validator

from core import Domain, Domains, Engine, Facts, Intent, Mutation, Observer, any_of
from core.audit import MutationRecord
from core.checks import Callback, Check
from core.domain import STATE_ID, key_of
from core.engine import record
from core.errors import (
    DefinitionError,
    InvalidParameters,
    InvalidValue,
    UnknownDomain,
    UnknownMutation,
)
from core.facts import Fact
from core.mutation import RiskLevel
from core.policy import Policy, allow, policy
from tests.core.builders import AT, ChoosePlan, Clock, Ids, IncreaseQuota, Quota, context


class IncreaseQuotaToo(IncreaseQuota):
    """The second form of the parameters."""

    schema_version: ClassVar[int] = 2
    type_name: ClassVar[str | None] = "IncreaseQuota"

    steps: int = 1


class Fussy(IncreaseQuota):
    @field_validator("amount")
    @classmethod
    def _known(cls, amount: int) -> int:
        return {1: 1}[amount]


class Unfinished(Mutation[Quota]):
    @property
    def intent(self) -> Intent:
        return Intent(operation="begin")


class Doubled(IncreaseQuota):
    @computed_field  # type: ignore[prop-decorator]  # pydantic's way
    @property
    def double(self) -> int:
        return self.amount * 2


class Unreadable(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)

    from_: str = Field(default="", serialization_alias="from")


class Mute(BaseModel):
    token: SecretStr = SecretStr("")


class Route(BaseModel):
    model_config = ConfigDict(frozen=True)

    from_: str = Field(default="nowhere", alias="from")
    via: str = Field(default="nowhere", validation_alias="over")
    hops: int = 0


class SetFrom(Mutation[Route]):
    model_config = ConfigDict(strict=True)

    source: str = Field(alias="from")
    on: date = date(2026, 1, 5)
    hops: int = 1

    @property
    def intent(self) -> Intent:
        return Intent(operation="set from")

    def apply(self, state: Route) -> Route:
        return state.model_copy(update={"hops": self.hops})


class Tariff(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    since: date = date(2026, 1, 5)
    price: Decimal = Decimal("1.10")
    steps: tuple[int, ...] = (1, 2**60)
    risk: RiskLevel = RiskLevel.LOW


class SetSince(Mutation[Tariff]):
    since: date

    @property
    def intent(self) -> Intent:
        return Intent(operation="set since")

    def apply(self, state: Tariff) -> Tariff:
        return state.model_copy(update={"since": self.since})


def never_asked() -> Policy:
    rule = policy(name="never")(allow)
    rule.applies_to = ()
    return rule


def domain(**more: Any) -> Domain[Quota]:
    given: dict[str, Any] = {
        "name": "quota",
        "state": Quota,
        "mutations": [IncreaseQuota, IncreaseQuotaToo, ChoosePlan, Fussy],
    }
    return Domain(**(given | more))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"name": "Quota"}, "domain name 'Quota'"),
        ({"name": ""}, "domain name"),
        ({"name": "quota/acme"}, "domain name"),
        ({"name": "quota\n"}, "domain name"),
        ({"name": "q" * 65}, "domain name"),
        ({"mutations": []}, "no mutations"),
        ({"mutations": [ChoosePlan, ChoosePlan]}, "ChoosePlan v1 twice"),
        ({"policies": [policy(name="a")(allow), policy(name="a")(allow)]}, "named 'a'"),
        ({"expires_in": timedelta(0)}, "before they begin"),
        ({"expires_in": timedelta.max}, "after 3650 days; that is the longest"),
        ({"expires_in": timedelta(days=3650, microseconds=1)}, "after 3650 days"),
        ({"lifetimes": {RiskLevel.LOW: timedelta.max}}, "leave the risk out where none lapses"),
        ({"checks": [Check("ci", print), Callback("ci")]}, "declares the check 'ci' twice"),
        (
            {"lifetimes": {RiskLevel.LOW: timedelta(days=1), RiskLevel.HIGH: timedelta(0)}},
            "lets grants of risk high never count",
        ),
        ({"schema_version": 3, "upgrades": {1: dict}}, "version 2 and no upgrade"),
        ({"mutations": [Unfinished]}, "Unfinished, which is abstract: it has no apply"),
        ({"mutations": [Quota]}, "Quota.*no mutation type"),
        ({"mutations": ["ChoosePlan"]}, "'ChoosePlan', which is no mutation type"),
        ({"policies": [never_asked()]}, "'never' of 'quota' applies to no mutation"),
        ({"policies": [any_of(never_asked(), name="either")]}, "'never' of 'quota' applies to no"),
        ({"state": Unreadable}, "'from_' is written as 'from' and not read"),
        ({"mutations": [Doubled]}, "Doubled .*'double' is computed and written"),
        ({"state": Mute}, "SecretStr is written as asterisks"),
    ],
)
def test_a_domain_that_cannot_work_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DefinitionError, match=sentence):
        domain(**wrong)


def test_a_request_may_live_as_long_as_any_may_and_so_may_a_grant() -> None:
    longest = timedelta(days=3650)

    assert domain(expires_in=longest, lifetimes={RiskLevel.LOW: longest}).expires_in == longest


def test_a_check_is_found_by_its_name() -> None:
    ci, load = Check("ci", print), Callback("load")
    quota = domain(checks=[ci, load], lifetimes={RiskLevel.HIGH: timedelta(days=1)})

    assert (quota.check("ci"), quota.check("load")) == (ci, load)
    assert quota.check("licence") is None
    assert domain().check("ci") is None


def test_a_mutation_is_found_by_its_type_and_version() -> None:
    quota = domain()

    assert quota.mutation("IncreaseQuota", 1) is IncreaseQuota
    assert quota.mutation("IncreaseQuota", 2) is IncreaseQuotaToo


def test_without_a_version_the_newest_is_meant() -> None:
    assert domain().mutation("IncreaseQuota") is IncreaseQuotaToo
    wished = MutationRecord(
        type="IncreaseQuota", schema_version=0, parameters={"amount": 1}, digest=""
    )
    assert isinstance(domain().read_record(wished), IncreaseQuotaToo)


@pytest.mark.parametrize(("name", "version"), [("IncreaseQuota", 3), ("Increase", None)])
def test_g10_an_unregistered_mutation_is_unknown_and_says_what_is_known(
    name: str, version: int | None
) -> None:
    with pytest.raises(UnknownMutation, match="IncreaseQuota v1") as unknown:
        domain().mutation(name, version)

    assert unknown.value.details["mutation_type"] == name


def test_a_mutation_is_read_back_from_its_record() -> None:
    for mutation in (IncreaseQuota(amount=3), IncreaseQuotaToo(amount=3, steps=2)):
        assert domain().read_record(record(mutation)) == mutation


def test_parameters_that_do_not_validate_are_named_field_by_field() -> None:
    with pytest.raises(InvalidParameters) as invalid:
        domain().read_mutation("IncreaseQuota", {"amount": "many", "colour": 1}, 1)

    sentence = invalid.value.message
    assert sentence.startswith("The parameters of IncreaseQuota do not validate: ")
    assert "amount: " in sentence
    assert "colour: " in sentence
    assert "many" not in sentence


def test_a_long_list_of_problems_is_cut() -> None:
    extra = {f"x{i}": i for i in range(9)}

    with pytest.raises(InvalidParameters, match="and 4 more"):
        domain().read_mutation("IncreaseQuota", {"amount": 1, **extra}, 1)


def test_whatever_a_validator_raises_the_parameters_are_invalid() -> None:
    with pytest.raises(InvalidParameters, match="KeyError"):
        domain().read_mutation("Fussy", {"amount": 2})


def test_what_is_handed_over_once_is_kept() -> None:
    quota = domain(
        mutations=iter([IncreaseQuota, ChoosePlan]),
        policies=iter([policy(name="a")(allow)]),
        facts=(Fact(name, print) for name in "ab"),
        checks=map(Callback, ["ci", "load"]),
    )

    for _ in range(2):
        assert quota.mutation("ChoosePlan") is ChoosePlan
        assert [each.name for each in quota.policies] == ["a"]
        assert [each.name for each in quota.facts] == ["a", "b"]
        assert quota.check("load")


def test_aliased_fields_are_kept_by_a_change_and_read_again() -> None:
    routes = Domain(name="routes", state=Route, mutations=[SetFrom])
    route = routes.read_state({"from": "Rome", "over": "Bern"}, 1)
    given: dict[str, Any] = {"from": "Oslo", "on": "2026-01-06"}

    mutation = routes.read_mutation("SetFrom", given)
    engine = Engine(clock=Clock(), new_id=Ids())
    result = engine.execute(mutation, route, context=context(), facts=Facts(AT))

    assert (route.from_, route.via) == ("Rome", "Bern")
    assert result.effect.changes.paths == ("/hops",)
    assert result.state == route.model_copy(update={"hops": 1})
    assert routes.read_state(result.document, 1) == result.state
    assert routes.read_record(record(mutation)) == mutation


def test_a_strict_state_is_changed_and_read_again() -> None:
    tariffs = Domain(name="tariffs", state=Tariff, mutations=[SetSince])
    engine = Engine(clock=Clock(), new_id=Ids())
    mutation = tariffs.read_mutation("SetSince", {"since": "2026-02-01"})

    result = engine.execute(mutation, Tariff(), context=context(), facts=Facts(AT))

    assert result.state == Tariff(since=date(2026, 2, 1))
    assert result.effect.changes.paths == ("/since",)
    assert tariffs.read_state(result.document, 1) == result.state


@pytest.mark.parametrize("wrong", [{"hops": "1"}, {"on": 5}, {"from": 1}])
def test_a_strict_mutation_takes_what_json_says_and_nothing_else(wrong: dict[str, Any]) -> None:
    routes = Domain(name="routes", state=Route, mutations=[SetFrom])

    with pytest.raises(InvalidParameters):
        routes.read_mutation("SetFrom", {"from": "Oslo", **wrong})


def test_a_state_is_read_and_lifted_from_older_forms() -> None:
    lifting = domain(
        schema_version=3,
        upgrades={
            1: lambda old: {"max": old["maximum"]},
            2: lambda old: {"limit": old["max"]},
        },
    )

    assert lifting.read_state({"maximum": 5}, 1) == Quota(limit=5)
    assert lifting.read_state({"max": 6}, 2) == Quota(limit=6)
    assert lifting.read_state({"limit": 7}, 3) == Quota(limit=7)


@pytest.mark.parametrize(
    ("document", "version", "sentence"),
    [
        ({"limit": "many"}, 2, "cannot be read: limit"),
        (None, 2, "cannot be read"),
        ([1], 1, "cannot be read"),
        ({"limit": 1}, 3, "written in form 3"),
        ({}, 1, "cannot be lifted: KeyError"),
        ({"limit": 1}, 0, "cannot be lifted"),
    ],
)
def test_g10_an_unreadable_state_is_refused_and_never_guessed(
    document: Any, version: int, sentence: str
) -> None:
    lifting = domain(schema_version=2, upgrades={1: lambda old: {"limit": old["max"]}})

    with pytest.raises(InvalidValue, match=sentence):
        lifting.read_state(document, version)


def test_domains_are_found_by_the_part_before_the_slash() -> None:
    quota, plans = domain(), domain(name="plans")
    domains = Domains([quota, plans])

    assert domains.of("quota/acme") is quota
    assert domains.of("plans/a/b") is plans
    assert list(domains) == [plans, quota]
    assert key_of("plans/a/b") == "a/b"


def test_g10_a_state_of_no_domain_is_unknown_and_says_which_there_are() -> None:
    with pytest.raises(UnknownDomain, match="registered are: plans, quota"):
        Domains([domain(), domain(name="plans")]).of("other/acme")


def test_two_domains_of_one_name_are_refused() -> None:
    with pytest.raises(DefinitionError, match="'quota'"):
        Domains([domain(), domain()])


@pytest.mark.parametrize(
    ("state_id", "fits"),
    [
        ("quota/acme", True),
        ("quota/acme/eu", True),
        ("quota/" + "a" * 135, True),
        ("quota/" + "a" * 136, False),
        ("quota/", False),
        ("quota", False),
        ("Quota/acme", False),
        ("quota/a b", False),
        ("quota//acme", False),
        ("quota/acme\n", False),
        ("/acme", False),
    ],
)
def test_a_state_id_is_a_domain_and_a_key(state_id: str, fits: bool) -> None:
    assert bool(STATE_ID.match(state_id)) == fits


def test_an_observer_of_a_domain_is_one() -> None:
    with pytest.raises(DefinitionError, match="observer 7 that is none"):
        Domain("quota", Quota, [IncreaseQuota], observers=[Observer(), 7])  # type: ignore[list-item]  # it is what is tried
