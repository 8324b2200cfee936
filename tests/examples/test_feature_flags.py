from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from core import Mutation, Outcome, RiskLevel
from core.budgets import Budget
from core.changes import apply
from examples.feature_flags import (
    ChangeRollout,
    ChangeVariant,
    DisableFlag,
    EnableFlag,
    FlagFile,
    domain,
    seed,
)
from examples.feature_flags.flags import SEED, pointer
from tests.examples.desk import AT, MODEST, Desk, codes

desk = Desk(domain)


def web(**metadata: JsonValue) -> FlagFile:
    """Answer the flag set of the examples, with more metadata."""
    document = json.loads(SEED.read_text("utf-8"))
    document["metadata"] |= metadata
    return FlagFile.model_validate(document)


def one_flag(**fields: JsonValue) -> FlagFile:
    """Answer a set of one flag, `beta`."""
    flag: dict[str, Any] = {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        **fields,
    }
    return FlagFile.model_validate({"flags": {"beta": flag}})


def to(percentage: int, variant: str = "on") -> ChangeRollout:
    return ChangeRollout(flag="beta", variant=variant, percentage=percentage)


# What the state is


def test_a_flag_file_reads_back_as_it_was_written() -> None:
    written = json.loads(SEED.read_text("utf-8"))

    assert FlagFile.model_validate(written).model_dump(mode="json") == written


def test_what_the_mutations_do_not_know_is_kept_by_a_change() -> None:
    before = web().model_dump(mode="json")

    after = desk.approve(DisableFlag(flag="dark-mode"), on=web()).document

    before["flags"]["dark-mode"]["state"] = "DISABLED"
    assert after == before


@pytest.mark.parametrize("default", [{}, {"defaultVariant": None}])
def test_a_default_variant_that_is_absent_or_null_stays_so(default: dict[str, Any]) -> None:
    written = {"flags": {"beta": {"state": "ENABLED", "variants": {"on": True}, **default}}}

    after = desk.approve(DisableFlag(flag="beta"), on=FlagFile.model_validate(written)).document

    assert after == {"flags": {"beta": written["flags"]["beta"] | {"state": "DISABLED"}}}


@pytest.mark.parametrize(
    "fields",
    [
        {"state": "MAYBE"},
        {"variants": {}},
        {"defaultVariant": "unheard-of"},
        {"metadata": {"owners": ["ana"]}},
    ],
)
def test_a_flag_that_flagd_would_refuse_is_refused(fields: dict[str, JsonValue]) -> None:
    with pytest.raises(ValidationError):
        one_flag(**fields)


# How it begins


def test_a_flag_set_begins_as_the_seed_that_names_it() -> None:
    assert seed("web") == web()


def test_a_flag_set_without_a_seed_cannot_begin() -> None:
    assert seed("unheard-of") is None


def test_a_directory_seeds_each_set_from_the_file_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop.json").write_text('{"flags": {}}', "utf-8")
    monkeypatch.setenv("MUTATOR_FLAGS_SEED", str(tmp_path))

    assert seed("shop") == FlagFile(flags={})
    assert seed("web") is None


@pytest.mark.parametrize("key", ["../shop", "a/b", ".hidden", ""])
def test_a_key_that_could_lead_elsewhere_is_no_flag_set(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUTATOR_FLAGS_SEED", str(tmp_path))

    assert seed(key) is None


@pytest.mark.parametrize("number", ["9007199254740993", "1e17", "NaN"])
def test_a_number_that_would_not_come_out_as_it_went_in_is_refused(
    number: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag = f'{{"state": "ENABLED", "variants": {{"big": {number}}}}}'
    (tmp_path / "shop.json").write_text(f'{{"flags": {{"beta": {flag}}}}}', "utf-8")
    monkeypatch.setenv("MUTATOR_FLAGS_SEED", str(tmp_path))

    with pytest.raises(ValueError, match="keeps exactly"):
        seed("shop")


# Who has to agree


@pytest.mark.parametrize(
    ("mutation", "who"),
    [
        (DisableFlag(flag="dark-mode"), []),
        (EnableFlag(flag="welcome-banner"), ["1 of group:team-web"]),
        (ChangeVariant(flag="search-ranking", variant="mixed"), ["1 of group:team-web"]),
        (ChangeRollout(flag="dark-mode", variant="on", percentage=10), []),
        (ChangeRollout(flag="dark-mode", variant="on", percentage=11), ["1 of group:team-web"]),
        (
            ChangeRollout(flag="dark-mode", variant="on", percentage=51),
            ["2 of role:release-manager"],
        ),
        (ChangeVariant(flag="upload-limit", variant="large"), ["1 of role:release-manager"]),
        (DisableFlag(flag="card-provider"), ["2 of role:release-manager"]),
        (ChangeVariant(flag="card-provider", variant="two"), ["2 of role:release-manager"]),
        (DisableFlag(flag="new-checkout"), ["2 of role:release-manager"]),
        (
            ChangeRollout(flag="new-checkout", variant="on", percentage=5),
            ["2 of role:release-manager"],
        ),
    ],
    ids=lambda value: value.sentence() if isinstance(value, Mutation) else "",  # type: ignore[attr-defined]
)
def test_a_change_is_as_risky_as_what_it_does_or_what_it_touches(
    mutation: Mutation[FlagFile], who: list[str]
) -> None:
    assert desk.demands(mutation, on=web()) == who


def test_an_approval_of_a_critical_flag_covers_that_flag_only() -> None:
    result = desk.run(DisableFlag(flag="new-checkout"), on=web())

    assert result.outcome is Outcome.BLOCKED
    assert [r.covers for r in result.unmet] == [("/flags/new-checkout",)]


def test_what_happens_to_another_flag_leaves_the_approved_effect_as_it_was() -> None:
    change = ChangeRollout(flag="new-checkout", variant="on", percentage=50)
    drifted = desk.approve(DisableFlag(flag="dark-mode"), on=web()).state

    before, after = desk.approve(change, on=web()), desk.approve(change, on=drifted)

    assert before.effect.digest() == after.effect.digest()
    assert before.ruling.requirements == after.ruling.requirements


def test_what_happens_to_the_same_flag_changes_the_approved_effect() -> None:
    change = ChangeRollout(flag="new-checkout", variant="on", percentage=50)
    step = ChangeRollout(flag="new-checkout", variant="on", percentage=20)
    drifted = desk.approve(step, on=web()).state

    before, after = desk.approve(change, on=web()), desk.approve(change, on=drifted)

    assert before.effect.digest(["/flags/new-checkout"]) != after.effect.digest(
        ["/flags/new-checkout"]
    )


def test_a_risk_that_nobody_knows_denies() -> None:
    state = one_flag(metadata={"risk": "severe"})

    result = desk.approve(DisableFlag(flag="beta"), on=state)

    assert result.outcome is Outcome.BLOCKED
    assert any(decision.failed for decision in result.ruling.denials)


def test_in_a_freeze_flags_are_only_disabled_whoever_approves() -> None:
    state = web(frozenUntil="2026-01-05T12:00:00Z")

    enabled = desk.approve(EnableFlag(flag="dark-mode"), on=state)
    disabled = desk.approve(DisableFlag(flag="dark-mode"), on=state)

    assert enabled.outcome is Outcome.BLOCKED
    assert enabled.ruling.determined_by == ("in_a_freeze_flags_are_only_disabled",)
    assert disabled.outcome is Outcome.COMMITTED


def test_after_the_freeze_all_is_as_before() -> None:
    state = web(frozenUntil="2026-01-05T12:00:00Z")

    result = desk.approve(EnableFlag(flag="dark-mode"), on=state, at=AT + timedelta(hours=3))

    assert result.outcome is Outcome.COMMITTED


def test_a_freeze_that_cannot_be_read_denies() -> None:
    result = desk.approve(EnableFlag(flag="dark-mode"), on=web(frozenUntil="next week"))

    assert result.outcome is Outcome.BLOCKED


def test_a_step_of_a_rollout_waits_until_the_one_before_has_soaked() -> None:
    rollout = ChangeRollout(flag="recommendations", variant="on", percentage=10)

    (quota,) = desk.run(rollout, on=web()).unmet

    assert quota.wanted.key == "rollouts/web/recommendations"
    assert quota.wanted.budget == Budget(limit=1, per=timedelta(seconds=2))
    assert desk.run(DisableFlag(flag="recommendations"), on=web()).outcome is Outcome.COMMITTED


def test_a_soak_time_that_cannot_be_read_denies() -> None:
    result = desk.approve(to(10), on=one_flag(metadata={"soakSeconds": "an hour"}))

    assert result.outcome is Outcome.BLOCKED


# What makes a change invalid, and what a person should look at


@pytest.mark.parametrize(
    ("mutation", "fields", "code", "path"),
    [
        (DisableFlag(flag="gamma"), {}, "unknown_flag", "/flags"),
        (ChangeVariant(flag="beta", variant="x"), {}, "unknown_variant", "/flags/beta/variants"),
        (to(10, "x"), {}, "unknown_variant", "/flags/beta/variants"),
        (to(10, "off"), {}, "variant_is_default", "/flags/beta/defaultVariant"),
        (to(10), {"defaultVariant": None}, "no_default_variant", "/flags/beta/defaultVariant"),
        (
            to(10),
            {"targeting": {"if": [{"var": "internal"}, "on", "off"]}},
            "targeting_in_the_way",
            "/flags/beta/targeting",
        ),
    ],
)
def test_a_change_that_makes_no_sense_is_invalid_and_says_where(
    mutation: Mutation[FlagFile], fields: dict[str, JsonValue], code: str, path: str
) -> None:
    result = desk.approve(mutation, on=one_flag(**fields))

    assert result.outcome is Outcome.INVALID
    assert [(issue.code, issue.path) for issue in result.issues] == [(code, path)]


@pytest.mark.parametrize(
    ("mutation", "fields", "code", "path"),
    [
        (EnableFlag(flag="beta"), {}, "already_enabled", "/flags/beta/state"),
        (DisableFlag(flag="beta"), {"state": "DISABLED"}, "already_disabled", "/flags/beta/state"),
        (to(10), {"state": "DISABLED"}, "flag_disabled", "/flags/beta/state"),
        (to(51), {}, "large_step", "/flags/beta/targeting"),
        (
            ChangeVariant(flag="beta", variant="on"),
            {"targeting": {"fractional": [["on", 10], ["off", 90]]}},
            "targeting_decides",
            "/flags/beta/targeting",
        ),
        (
            to(10),
            {
                "variants": {"on": True, "off": False, "old": False},
                "targeting": {"fractional": [["on", 5], ["old", 5], ["off"]]},
            },
            "rollout_replaced",
            "/flags/beta/targeting",
        ),
    ],
)
def test_what_a_person_should_look_at_is_a_warning_and_stops_nothing(
    mutation: Mutation[FlagFile], fields: dict[str, JsonValue], code: str, path: str
) -> None:
    result = desk.approve(mutation, on=one_flag(**fields))

    assert result.outcome is Outcome.COMMITTED
    assert [(issue.code, issue.path) for issue in result.issues] == [(code, path)]


def test_a_flag_whose_name_has_a_slash_is_pointed_to_as_json_pointer_demands() -> None:
    assert pointer("web/a~b", "state") == "/flags/web~1a~0b/state"


# What the changes do


def test_a_rollout_is_written_as_flagds_fractional_targeting() -> None:
    result = desk.approve(to(25), on=one_flag())

    assert result.state is not None
    assert result.state.flags["beta"].targeting == {"fractional": [["on", 25], ["off", 75]]}


@pytest.mark.parametrize("by", [{"var": "email"}, {"cat": [{"var": "$flagd.flagKey"}, "x"]}])
def test_a_rollout_goes_on_by_what_the_present_one_goes_by(by: JsonValue) -> None:
    state = one_flag(targeting={"fractional": [by, ["on", 5], ["off", 95]]})

    result = desk.approve(to(25), on=state)

    assert result.state is not None
    assert result.state.flags["beta"].targeting == {"fractional": [by, ["on", 25], ["off", 75]]}


def test_what_changes_is_named_by_flag_and_part() -> None:
    def paths(mutation: Mutation[FlagFile]) -> tuple[str, ...]:
        return desk.approve(mutation, on=web()).effect.changes.paths

    assert paths(EnableFlag(flag="welcome-banner")) == ("/flags/welcome-banner/state",)
    assert paths(ChangeVariant(flag="search-ranking", variant="mixed")) == (
        "/flags/search-ranking/defaultVariant",
    )
    assert paths(ChangeRollout(flag="new-checkout", variant="on", percentage=20)) == (
        "/flags/new-checkout/targeting/fractional",
    )


def test_each_change_asks_for_the_file_to_be_published() -> None:
    result = desk.approve(DisableFlag(flag="dark-mode"), on=web())

    assert [effect.contract for effect in result.effect.side_effects] == ["flagd.publish"]


@pytest.mark.parametrize(
    ("percentage", "risk"),
    [
        (0, RiskLevel.LOW),
        (10, RiskLevel.LOW),
        (11, RiskLevel.MEDIUM),
        (50, RiskLevel.MEDIUM),
        (51, RiskLevel.HIGH),
        (100, RiskLevel.HIGH),
    ],
)
def test_a_rollout_is_as_risky_as_those_are_many_who_see_it(
    percentage: int, risk: RiskLevel
) -> None:
    assert to(percentage).intent.risk is risk


flags = st.sampled_from([*web().flags, "nonsense"])
variants = st.sampled_from(["on", "off", "one", "two", "mixed", "large", "plain"])
changes = st.one_of(
    st.builds(EnableFlag, flag=flags),
    st.builds(DisableFlag, flag=flags),
    st.builds(ChangeVariant, flag=flags, variant=variants),
    st.builds(ChangeRollout, flag=flags, variant=variants, percentage=st.integers(0, 100)),
)


@MODEST
@given(st.lists(changes, max_size=8))
def test_whatever_is_asked_and_approved_the_inverse_leads_back(
    asked: list[Mutation[FlagFile]],
) -> None:
    state = web()
    for change in asked:
        before = state.model_dump(mode="json")
        result = desk.approve(change, on=state)
        assert result.error is None
        if result.state is None:
            assert codes(result)
            continue
        state = result.state

        assert apply(result.document, result.effect.changes.inverse()) == before
