"""How far the requests are that a request depends on, and what that makes of it."""

from __future__ import annotations

from datetime import datetime

import pytest

from activities.dependencies import Depending
from core import Requirement
from core.governance.lifecycle import append
from core.governance.request import Category, Finding, MutationRequest, Status
from core.requirements import either
from tests.activities.desk import NOON, Desk, later, look_at, run, run_both
from wire.asks import LookAt, LookedAt


def read(desk: Desk, request: MutationRequest) -> Finding:
    answer = run(Depending(desk.outside).read_dependencies, look_at(request, at=later(hours=1)))
    assert isinstance(answer, LookedAt)
    assert answer.finding is not None
    return answer.finding


def waits(desk: Desk, request_id: str) -> MutationRequest:
    """A request that waits for somebody, asked before noon."""
    desk.demanded[:] = [Requirement.approval(roles=["approver"], needed=1)]
    request = desk.open(request_id, at=later(hours=-1))
    desk.demanded.clear()
    return request


def undone(desk: Desk, request: MutationRequest) -> None:
    """Let the record say that what it executed has been undone since."""
    told = append(
        request, Category.COMPENSATION, "Compensated", actor_id="ana", at=later(minutes=1)
    )
    with desk.store._database.engine.begin() as connection:  # type: ignore[attr-defined]  # no compensation yet
        connection.exec_driver_sql(
            "update endings set document = ? where request_id = ?",
            (told.model_dump_json(), request.request_id),
        )


def test_it_waits_for_those_that_are_open_and_is_told_when_they_end(desk: Desk) -> None:
    desk.executed("a", at=later(hours=-1))
    for each in "bcdef":
        waits(desk, each)
    request = desk.open(depends_on=(*"abcdef",))

    found = read(desk, request)

    assert found.verdict == "not_yet"
    assert found.again_at is None
    assert (found.have, found.needed) == (1, 6)
    assert found.reason == "waits for b, c, d and 2 more"
    assert (found.at, found.actor_id) == (later(hours=1), "system:mutator")
    assert found.binding == request.requirements[0].id
    assert "request:b" in request.told_by


def test_it_holds_when_all_are_executed(desk: Desk) -> None:
    for each in "abcd":
        desk.executed(each, at=later(hours=-1))

    request = desk.open(depends_on=(*"abcd",))

    assert request.status is Status.APPROVED
    found = read(desk, request)
    assert (found.verdict, found.have, found.needed) == ("holds", 4, 4)
    assert found.reason == "a, b, c and 1 more executed"
    assert found.rejection is None


def test_one_that_ended_otherwise_ends_it(desk: Desk) -> None:
    desk.executed("a", at=later(hours=-1))
    waiting = waits(desk, "b")
    request = desk.open(depends_on=("a", "b"))
    desk.cancel(waiting)

    found = read(desk, request)

    assert found.verdict == "failed"
    assert found.reason == "b ended Canceled."
    assert found.rejection is not None
    assert (found.rejection.category, found.rejection.code) == ("dependency", "ended")
    assert found.rejection.message == "a, b executed: b ended Canceled."
    assert found.rejection.metadata == {"requirement": request.requirements[0].id}


def test_one_that_was_undone_since_ends_it(desk: Desk) -> None:
    done = desk.executed("a", at=later(hours=-1))
    request = desk.open(depends_on=("a",))
    undone(desk, done)

    found = read(desk, request)

    assert found.rejection is not None
    assert (found.verdict, found.rejection.code) == ("failed", "undone")
    assert found.reason == "a executed and compensated since."


@pytest.mark.parametrize("named", ["nobody", "r"])
def test_only_what_is_in_the_record_may_be_named_so_not_the_request_itself(
    desk: Desk, named: str
) -> None:
    request = desk.open(depends_on=(named,))

    assert request.closing is not None
    assert request.closing.rejection is not None
    assert request.closing.rejection.category == "dependency"
    assert request.closing.rejection.code == "unknown"
    assert f"{named} not in the record from before this request" in (
        request.closing.rejection.message
    )


@pytest.mark.parametrize("at", [NOON, later(seconds=1)])
def test_no_circle_can_be_written_as_only_earlier_requests_may_be_named(
    desk: Desk, at: datetime
) -> None:
    desk.executed("b", at=at)

    request = desk.open(depends_on=("b",))

    assert request.closing is not None
    assert request.closing.rejection is not None
    assert request.closing.rejection.code == "unknown"


def test_what_is_unknown_is_named_before_what_has_ended(desk: Desk) -> None:
    desk.cancel(waits(desk, "b"))

    request = desk.open(depends_on=("b", "nobody"))

    assert request.closing is not None
    assert request.closing.rejection is not None
    assert request.closing.rejection.code == "unknown"


def test_a_dependency_that_names_nothing_blocks(desk: Desk) -> None:
    desk.demanded.append(Requirement(kind="dependency"))

    request = desk.open()

    assert request.status is Status.PENDING
    assert read(desk, request).reason == "waits for requests that are not named"


def test_in_an_alternative_one_that_ended_leaves_the_other(desk: Desk) -> None:
    desk.cancel(waits(desk, "b"))
    approved = Requirement.approval(roles=["approver"], needed=1)
    desk.demanded[:] = either([[Requirement.dependency("b")], [approved]])

    request = desk.open()

    assert request.status is Status.PENDING
    assert request.closing is None
    assert {r.id: r.has_failed for r in request.requirements if r.of} == {
        Requirement.dependency("b").id: True,
        approved.id: False,
    }


# Looked at when the request is evaluated.


def test_it_is_looked_at_again_before_it_executes(desk: Desk) -> None:
    done = desk.executed("a", at=later(hours=-1))
    request = desk.open(depends_on=("a",))
    undone(desk, done)

    changed = desk.change(request)

    assert changed.closing is not None
    assert changed.closing.rejection is not None
    assert changed.closing.rejection.code == "undone"
    assert desk.store.request("r") == changed
    state = desk.store.state("box/a")
    assert state is not None
    assert state.version == 1


# Asked twice, late, or of nothing.


def test_whoever_asks_twice_at_once_is_answered_the_same(desk: Desk) -> None:
    waits(desk, "b")
    request = desk.open(depends_on=("b",))

    one, other = run_both(Depending(desk.outside).read_dependencies, look_at(request))

    assert one == other
    assert one.finding.verdict == "not_yet"


def test_a_request_that_has_ended_answers_its_record(desk: Desk) -> None:
    waits(desk, "b")
    request = desk.open(depends_on=("b",))
    record = desk.cancel(request)

    answer = run(Depending(desk.outside).read_dependencies, look_at(request))

    assert answer == LookedAt(ended=record)


def test_what_is_no_longer_demanded_is_not_looked_at(desk: Desk) -> None:
    request = desk.open()

    ask = LookAt(request=request, requirement_id="dependency-gone", at=NOON)

    assert run(Depending(desk.outside).read_dependencies, ask) == LookedAt()
