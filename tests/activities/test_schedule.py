"""Schedules of a request are looked at together; calendars that are states are read anew."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from pydantic import BaseModel, ConfigDict
from temporalio.client import Client

from activities.outside import Outside
from activities.schedule import Scheduling, look_at_schedule
from core import Domain, Domains, Intent, Mutation, Requirement
from core.calendars import Calendar, Window
from core.digests import digest, jsonable
from core.errors import StoreUnavailable
from core.governance.lifecycle import close, intend, submit
from core.governance.outcome import Ending
from core.governance.people import SYSTEM
from core.governance.request import (
    Closing,
    Finding,
    MutationRequest,
    RequirementState,
    Status,
    Wish,
    WishedMutation,
)
from core.requirements import either
from store import MemoryStore
from store.protocol import StoredState
from tests.support import box
from tests.support.people import PEOPLE
from wire.asks import LookAt, LookedAt

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LATER = timedelta(minutes=15)


def daily(hour: int, hours: int = 1, name: str = "") -> Calendar:
    """Make a calendar that allows changes some hours of every day."""
    start = datetime(2025, 1, 1, hour)  # noqa: DTZ001 - by the clock on the wall
    return Calendar(
        allow=(Window(start=start, duration=hours * HOUR, rule="FREQ=DAILY", name=name),)
    )


class Form(BaseModel):
    """A calendar of an author's own, with more in it, in its second form."""

    model_config = ConfigDict(frozen=True)

    owner: str = ""
    timezone: str = "UTC"
    allow: tuple[dict[str, Any], ...] = ()
    freeze: tuple[dict[str, Any], ...] = ()
    exceptions: tuple[dict[str, Any], ...] = ()


class Own(Mutation[Form]):
    @property
    def intent(self) -> Intent:
        return Intent(operation="own", category="calendar")

    def apply(self, state: Form) -> Form:
        return state


own = Domain(
    name="own",
    state=Form,
    mutations=(Own,),
    schema_version=2,
    upgrades={1: lambda document: {**document, "freeze": document["frozen"]}},
)


@pytest.fixture
def outside() -> Outside:
    return Outside(
        store=MemoryStore(),
        domains=Domains([box.domain, box.calendars, box.budgets, own]),
        directory=lambda: PEOPLE,
        client=cast("Client", None),
    )


def asked(*requirements: Requirement, expires_in: timedelta = 14 * DAY) -> MutationRequest:
    wish = Wish(
        state_id="box/a",
        mutations=(WishedMutation(type="Add", parameters={"key": "x"}),),
        actor_id="ana",
    )
    states = tuple(
        RequirementState(id=r.id, requirement=r, covered="", binding=r.id) for r in requirements
    )
    made = submit("r", wish, NOON, expires_in=expires_in)
    return made.model_copy(update={"requirements": states})


def keep(outside: Outside, state_id: str, document: object) -> None:
    """Put a version of a state in the store, as a commit would have."""
    stored = StoredState(
        state_id=state_id,
        version=3,
        document=jsonable(document),
        schema_version=1,
        digest=digest(document),
    )
    request = asked().model_copy(update={"state_id": state_id})
    outside.store.note(request, fence=1, seed=stored)


def looked(
    outside: Outside,
    requirements: Iterable[Requirement],
    *,
    at: datetime = NOON,
    expires_in: timedelta = 14 * DAY,
) -> list[Finding]:
    """Look at schedules and answer what was found, in their order."""
    demanded = list(requirements)
    found = look_at_schedule(outside, asked(expires_in=expires_in), demanded, at)
    return [found[r.id] for r in demanded]


def test_a_schedule_holds_in_a_window_and_says_until_when(outside: Outside) -> None:
    schedule = Requirement.schedule(calendar=daily(11, 3, "lunch"))

    found = look_at_schedule(outside, asked(), [schedule], NOON)

    assert found == {
        schedule.id: Finding(
            verdict="holds",
            at=NOON,
            binding=schedule.id,
            actor_id=SYSTEM,
            reason="the window 'lunch' is open until 2026-01-01 14:00 UTC",
            metadata={"until": "2026-01-01T14:00:00+00:00"},
        )
    }


def test_a_schedule_that_does_not_hold_is_looked_at_again_when_it_will(outside: Outside) -> None:
    (found,) = looked(outside, [Requirement.schedule(calendar=daily(9, name="mornings"))])

    assert (found.verdict, found.again_at) == ("not_yet", NOON + 21 * HOUR)
    assert found.reason == "the window 'mornings' opens at 2026-01-02 09:00 UTC"
    assert found.rejection is None


def test_schedules_of_a_request_wait_for_a_moment_that_all_of_them_allow(outside: Outside) -> None:
    found = looked(
        outside,
        [
            Requirement.schedule(calendar=daily(12, 4)),
            Requirement.schedule(calendar=daily(14, 4)),
            Requirement.schedule(not_before=NOON + 5 * HOUR),
        ],
    )

    assert [each.verdict for each in found] == ["holds", "not_yet", "not_yet"]
    assert [each.again_at for each in found] == [None, NOON + 26 * HOUR, NOON + 26 * HOUR]
    # It holds now, and not together with the others.
    assert "until" not in found[0].metadata


def test_where_no_moment_comes_before_the_deadline_there_is_none_to_look_again_at(
    outside: Outside,
) -> None:
    found = looked(
        outside, [Requirement.schedule(calendar=daily(9)), Requirement.schedule(calendar=daily(11))]
    )

    assert [each.again_at for each in found] == [None, None]
    assert found[0].reason == (
        "the window opens at 2026-01-02 09:00 UTC; "
        "no moment is found before 2026-01-15T12:00:00+00:00"
    )


def test_what_is_not_found_as_far_as_is_looked_is_looked_at_again_from_there(
    outside: Outside,
) -> None:
    once = Window(start=datetime(2029, 1, 1), duration=DAY)  # noqa: DTZ001 - as above
    schedule = Requirement.schedule(calendar=Calendar(allow=(once,)))

    (now,) = looked(outside, [schedule], expires_in=3650 * DAY)
    assert now.again_at is not None
    (then,) = looked(outside, [schedule], at=now.again_at, expires_in=3650 * DAY)

    assert now.again_at == NOON + 732 * DAY
    assert then.again_at == datetime(2029, 1, 1, tzinfo=UTC)


def test_other_kinds_are_left_out(outside: Outside) -> None:
    others = [Requirement.approval(people=["ben"]), Requirement.dependency("other")]

    assert look_at_schedule(outside, asked(), others, NOON) == {}


def test_alternatives_wait_with_what_is_demanded_and_not_for_one_another(outside: Outside) -> None:
    whole = Requirement.schedule(not_before=NOON + 2 * DAY)
    night, noon = (Requirement.schedule(calendar=daily(hour)) for hour in (2, 13))
    (ways,) = either([[night], [noon, Requirement.approval(people=["ben"])]])

    flat = look_at_schedule(outside, asked(), [whole, ways], NOON)
    every = look_at_schedule(outside, asked(), [whole, ways, night, noon], NOON)

    assert flat == every
    assert {key: each.again_at for key, each in flat.items()} == {
        whole.id: NOON + 2 * DAY,
        night.id: NOON + 2 * DAY + 14 * HOUR,
        noon.id: NOON + 2 * DAY + HOUR,
    }


# Calendars that are states.


def test_a_calendar_that_is_a_state_is_read_whenever_it_is_looked_at(outside: Outside) -> None:
    schedule = Requirement.schedule(calendar="calendars/web")

    (before,) = looked(outside, [schedule])
    keep(outside, "calendars/web", daily(9))
    (after,) = looked(outside, [schedule])

    # Nobody opened it: it is what its domain says it is at first.
    assert (before.verdict, before.metadata["version"]) == ("holds", 0)
    assert (after.verdict, after.again_at) == ("not_yet", NOON + 21 * HOUR)
    assert after.metadata == {"calendar": "calendars/web", "version": 3}


def test_a_calendar_is_read_once_for_all_that_name_it(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    state = outside.store.state

    def noted(state_id: str) -> StoredState | None:
        read.append(state_id)
        return state(state_id)

    monkeypatch.setattr(outside.store, "state", noted)

    looked(
        outside,
        [
            Requirement.schedule(calendar="calendars/web"),
            Requirement.schedule(calendar="calendars/web", not_before=NOON + DAY),
        ],
    )

    assert read == ["calendars/web"]


def test_a_calendar_in_an_older_form_is_lifted_and_what_more_it_has_is_no_matter(
    outside: Outside,
) -> None:
    freeze = [{"start": "2026-01-01T00:00:00", "duration": "P2D", "name": "audit"}]
    old = {"owner": "web", "timezone": "UTC", "allow": [], "frozen": freeze, "exceptions": []}
    keep(outside, "own/web", old)

    (found,) = looked(outside, [Requirement.schedule(calendar="own/web")])

    assert found.reason == "the freeze 'audit' lasts until 2026-01-03 00:00 UTC"


@pytest.mark.parametrize(
    ("state_id", "document", "said"),
    [
        ("nowhere/web", None, "There is no domain 'nowhere' here"),
        ("calendars/no-such", None, "There is no state 'calendars/no-such'"),
        ("nonsense", None, "There is no domain 'nonsense' here"),
        ("box/a", None, "The state 'box/a' is no calendar: it has no timezone."),
        (
            "own/web",
            {"allow": [{"start": "soon"}], "frozen": []},
            "is no calendar: allow.0.start",
        ),
        ("calendars/web", {"allow": 7}, "A state of 'calendars' cannot be read: allow"),
        (
            "calendars/web",
            Calendar(timezone="Mars/Olympus"),
            "The time zone 'Mars/Olympus' is unknown",
        ),
        (
            "calendars/web",
            {
                "freeze": [
                    {"start": "2026-01-01T00:00:00", "duration": "P1D", "rule": "FREQ=MINUTELY"}
                ]
            },
            "FREQ=MINUTELY is not supported",
        ),
        (
            "calendars/web",
            Calendar(
                freeze=(
                    Window(
                        start=datetime(2026, 1, 1),  # noqa: DTZ001 - as above
                        duration=DAY,
                        rule="FREQ=MONTHLY;BYMONTHDAY=1;BYSETPOS=5",
                        name="never",
                    ),
                )
            ),
            "the freeze 'never' never comes",
        ),
    ],
)
def test_g10_a_calendar_that_cannot_be_read_blocks_by_name_and_is_looked_at_again_soon(
    outside: Outside, state_id: str, document: object, said: str
) -> None:
    if document is not None:
        keep(outside, state_id, document)
    readable = Requirement.schedule(not_before=NOON + DAY)

    found = looked(outside, [Requirement.schedule(calendar=state_id), readable])

    assert (found[0].verdict, found[0].again_at) == ("not_yet", NOON + LATER)
    assert found[0].reason.startswith("it cannot be read, and blocks until it can: ")
    assert said in found[0].reason
    # What can be read waits for its own moment.
    assert found[1].again_at == NOON + DAY


def test_g10_a_schedule_that_demands_nothing_readable_blocks(outside: Outside) -> None:
    (found,) = looked(outside, [Requirement(kind="schedule", parameters={"not_before": "soon"})])

    assert (found.verdict, found.again_at) == ("not_yet", NOON + LATER)
    assert "What the schedule demands is malformed: not_before" in found.reason


def test_g8_a_store_that_cannot_be_reached_is_no_finding(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(state_id: str) -> StoredState | None:
        raise StoreUnavailable("The store is away.")

    monkeypatch.setattr(outside.store, "state", unreachable)

    with pytest.raises(StoreUnavailable):
        looked(outside, [Requirement.schedule(calendar="calendars/web")])


# The activity.


def test_the_activity_looks_at_one_with_all_the_others_of_the_request(outside: Outside) -> None:
    evening = Requirement.schedule(calendar=daily(20))
    late = Requirement.schedule(not_before=NOON + 3 * DAY)
    ask = LookAt(request=asked(evening, late), requirement_id=evening.id, at=NOON)

    found = Scheduling(outside).next_window(ask).finding

    assert found is not None
    assert (found.binding, found.again_at) == (evening.id, NOON + 3 * DAY + 8 * HOUR)


def test_the_activity_finds_nothing_where_the_schedule_is_no_longer_demanded(
    outside: Outside,
) -> None:
    approval = Requirement.approval(people=["ben"])
    request = asked(approval)

    for requirement_id in ("schedule-of-before", approval.id):
        ask = LookAt(request=request, requirement_id=requirement_id, at=NOON)
        assert Scheduling(outside).next_window(ask) == LookedAt()


def test_the_activity_answers_an_ended_request_with_its_record(outside: Outside) -> None:
    schedule = Requirement.schedule(not_before=NOON + DAY)
    request = asked(schedule)
    closing = Closing(status=Status.CANCELED, actor_id="ana")
    record = close(intend(request, closing), closing, NOON)
    outside.store.end(Ending(request=record))

    ask = LookAt(request=request, requirement_id=schedule.id, at=NOON)
    answer = Scheduling(outside).next_window(ask)

    assert answer.finding is None
    assert answer.ended is not None
    assert answer.ended.status is Status.CANCELED
