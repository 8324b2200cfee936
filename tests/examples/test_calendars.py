from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError
from temporalio.client import Client

from activities.outside import Outside
from activities.schedule import look_at_schedule
from core import Domains, ExecutionResult, Mutation, Outcome, Requirement, RiskLevel
from core.calendars import Calendar
from core.errors import InvalidParameters
from core.governance.lifecycle import submit
from core.governance.request import Finding, Wish, WishedMutation
from examples.calendars import (
    AllowException,
    CloseWindow,
    DeclareFreeze,
    HandOver,
    LiftFreeze,
    NamedWindow,
    OpenWindow,
    Plan,
    SetTimezone,
    WithdrawException,
    domain,
)
from store import MemoryStore
from store.protocol import StoredState
from tests.examples.desk import AT, MODEST, Desk, codes
from tests.support.people import PEOPLE

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MANAGER = "1 of role:release-manager"
ANOTHER = "1 of role:release-manager, role:security"

desk = Desk(domain)
"""Everything is asked by dan."""


def window(
    name: str = "sale", start: str = "2026-01-05T00:00:00", lasts: timedelta = DAY, **more: str
) -> NamedWindow:
    return NamedWindow(name=name, start=datetime.fromisoformat(start), duration=lasts, **more)


OFFICE = window("office", "2026-01-05T09:00:00", 8 * HOUR, rule="FREQ=WEEKLY;BYDAY=MO,TU,WE,TH")
GUARDED = Plan(allow=(OFFICE,), on_call=("dan",))


def refused(result: ExecutionResult[Any]) -> list[str]:
    assert result.outcome is Outcome.INVALID
    return codes(result)


# Freezes.


def test_who_is_on_call_declares_a_freeze_at_once() -> None:
    result = desk.run(DeclareFreeze(window=window()), on=GUARDED)

    assert result.outcome is Outcome.COMMITTED
    assert result.state == GUARDED.having("freeze", [window()])
    assert result.effect.changes.paths == ("/freeze/sale",)


@pytest.mark.parametrize(
    ("state", "freeze"),
    [
        (Plan(on_call=("ana",)), window()),
        (Plan(), window()),
        (GUARDED, window(lasts=7 * DAY + HOUR)),
        (GUARDED, window(rule="FREQ=YEARLY")),
    ],
)
def test_others_and_longer_freezes_are_approved(state: Plan, freeze: NamedWindow) -> None:
    assert desk.demands(DeclareFreeze(window=freeze), on=state) == [MANAGER]


def test_a_freeze_is_lifted_only_when_another_agrees_also_for_who_declared_it() -> None:
    frozen = GUARDED.having("freeze", [window(), window("audit")])

    assert desk.demands(LiftFreeze(window="sale"), on=frozen) == [ANOTHER]
    after = desk.approve(LiftFreeze(window="sale"), on=frozen).state
    assert after is not None
    assert [*after.windows("freeze")] == ["audit"]


def test_who_agrees_answers_for_that_freeze_and_says_why() -> None:
    frozen = GUARDED.having("freeze", [window("years end")])

    result = desk.run(LiftFreeze(window="years end"), on=frozen)

    (requirement,) = result.ruling.requirements
    assert requirement.covers == ("/freeze/years end",)
    assert requirement.reason_required


def test_a_freeze_that_is_not_there_is_not_lifted_and_those_that_are_are_named() -> None:
    frozen = GUARDED.having("freeze", [window("audit"), window("sale")])

    result = desk.approve(LiftFreeze(window="sales"), on=frozen)

    assert refused(result) == ["no_such_window"]
    assert result.issues[0].message == "There is no window 'sales'; there are: audit, sale."


def test_one_name_is_one_window() -> None:
    frozen = GUARDED.having("freeze", [window()])

    assert refused(desk.run(DeclareFreeze(window=window(lasts=HOUR)), on=frozen)) == ["name_taken"]
    # The same name is free where it is another kind of window.
    assert desk.run(DeclareFreeze(window=window("office")), on=frozen).outcome is Outcome.COMMITTED


# Exceptions.


def test_an_exception_is_agreed_by_another_and_withdrawn_at_once() -> None:
    exception = AllowException(window=window("INC-7", lasts=HOUR))

    assert desk.demands(exception, on=GUARDED) == [ANOTHER]
    after = desk.approve(exception, on=GUARDED).state
    assert after is not None
    assert desk.run(WithdrawException(window="INC-7"), on=after).state == GUARDED


@pytest.mark.parametrize(
    "lasting", [window(lasts=DAY + HOUR), window(lasts=HOUR, rule="FREQ=DAILY")]
)
def test_an_exception_that_lasts_or_comes_again_is_denied_whoever_agrees(
    lasting: NamedWindow,
) -> None:
    result = desk.approve(AllowException(window=lasting), on=GUARDED)

    assert result.outcome is Outcome.BLOCKED
    assert result.ruling.determined_by == ("exceptions_are_short_and_come_once",)


# Windows, and the zone.


@pytest.mark.parametrize(
    "change",
    [
        OpenWindow(window=window("night")),
        CloseWindow(window="office"),
        SetTimezone(timezone="Europe/Rome"),
    ],
)
def test_release_managers_say_when_changes_are_made(change: Mutation[Plan]) -> None:
    assert desk.demands(change, on=GUARDED) == [MANAGER]


def test_the_last_window_stays_as_a_calendar_without_any_allows_everything() -> None:
    assert refused(desk.approve(CloseWindow(window="office"), on=GUARDED)) == ["last_window"]
    both = desk.approve(
        OpenWindow(window=window("night")), CloseWindow(window="office"), on=GUARDED
    ).state
    assert both is not None
    assert [*both.windows("allow")] == ["night"]


def test_the_calendar_moves_to_a_zone_that_is_known() -> None:
    moved = desk.approve(SetTimezone(timezone="Australia/Lord_Howe"), on=GUARDED)

    assert moved.state == GUARDED.model_copy(update={"timezone": "Australia/Lord_Howe"})
    for zone in ("Mars/Olympus", "../etc/passwd"):
        assert refused(desk.approve(SetTimezone(timezone=zone), on=GUARDED)) == ["unknown_timezone"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rule": "FREQ=MINUTELY"}, "FREQ=MINUTELY is not supported"),
        ({"rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "none of its months has a day 30"),
        ({"rrule": "FREQ=DAILY"}, "window.rrule"),
        ({"duration": "PT0S"}, "window.duration"),
        ({"start": "2026-01-05T00:00:00+01:00"}, "window.start"),
        ({"name": ""}, "window.name"),
    ],
)
def test_a_window_that_cannot_be_followed_is_refused_before_anybody_is_asked(
    wrong: dict[str, JsonValue], said: str
) -> None:
    good: dict[str, JsonValue] = {"name": "sale", "start": "2026-01-05T00:00:00", "duration": "P1D"}

    assert domain.read_mutation("DeclareFreeze", {"window": good}).intent.category == "calendar"
    with pytest.raises(InvalidParameters, match=said):
        domain.read_mutation("DeclareFreeze", {"window": {**good, **wrong}})


def test_two_windows_of_a_kind_are_not_read_under_one_name() -> None:
    with pytest.raises(ValidationError, match="two windows have the same name"):
        Plan(freeze=(window(), window()))


# Who is on call.


def test_who_is_on_call_hands_over_at_once_and_others_are_approved() -> None:
    change = HandOver(people=("eve", "ben"))

    handed = desk.run(change, on=GUARDED)

    assert handed.state == GUARDED.model_copy(update={"on_call": ("eve", "ben")})
    assert desk.demands(change, on=Plan(on_call=("eve",))) == [MANAGER]


def test_the_intent_says_that_to_end_a_freeze_is_what_is_dangerous() -> None:
    assert DeclareFreeze(window=window()).intent.risk is RiskLevel.LOW
    assert LiftFreeze(window="sale").intent.risk is RiskLevel.HIGH
    assert AllowException(window=window()).intent.risk is RiskLevel.HIGH


# What waits for the calendar.


def found(plan: Plan, at: datetime = AT) -> Finding:
    """Look at a schedule that names a calendar in the store."""
    outside = Outside(
        store=MemoryStore(),
        domains=Domains([domain]),
        directory=lambda: PEOPLE,
        client=cast("Client", None),
    )
    wished = WishedMutation(type="LiftFreeze", parameters={"window": "sale"})
    wish = Wish(state_id="calendars/web", mutations=(wished,), actor_id="ana")
    request = submit("r", wish, at, expires_in=14 * DAY)
    document = plan.model_dump(mode="json")
    stored = StoredState(
        state_id="calendars/web", version=2, document=document, schema_version=1, digest="d"
    )
    outside.store.note(request, fence=1, seed=stored)
    schedule = Requirement.schedule(calendar="calendars/web")
    return look_at_schedule(outside, request, [schedule], at)[schedule.id]


def test_what_is_governed_here_is_what_schedules_wait_for() -> None:
    frozen = desk.run(DeclareFreeze(window=window()), on=GUARDED).state
    assert frozen is not None
    excepted = desk.approve(
        AllowException(window=window("INC-7", "2026-01-05T10:00:00", HOUR)), on=frozen
    ).state
    assert excepted is not None

    assert found(GUARDED).verdict == "holds"
    assert found(frozen).reason == "the freeze 'sale' lasts until 2026-01-06 00:00 UTC"
    assert found(frozen).again_at == datetime(2026, 1, 6, 9, tzinfo=UTC)
    assert found(excepted).again_at == datetime(2026, 1, 5, 10, tzinfo=UTC)


@MODEST
@given(
    st.lists(
        st.one_of(
            st.builds(
                lambda kind, name: kind(window=window(name, lasts=HOUR)),
                st.sampled_from([OpenWindow, DeclareFreeze, AllowException]),
                st.sampled_from(["a", "b"]),
            ),
            st.builds(
                lambda kind, name: kind(window=name),
                st.sampled_from([CloseWindow, LiftFreeze, WithdrawException]),
                st.sampled_from(["a", "b", "office"]),
            ),
        ),
        max_size=12,
    )
)
def test_whatever_is_asked_and_approved_it_stays_a_calendar_with_a_window(
    asked: list[Mutation[Plan]],
) -> None:
    state = GUARDED
    for change in asked:
        result = desk.approve(change, on=state)
        assert result.error is None
        state = result.state or state

        assert state.allow
        assert Calendar.model_validate(state.model_dump(mode="json")).allow
