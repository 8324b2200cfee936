"""What every evaluation looks at besides the state, and what the activities say of an ending."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.assess import Assessing
from activities.authenticate import Authenticating
from activities.execute import Executing
from activities.looking import look
from activities.preview import Previewing
from activities.record import Recording
from activities.resolve import Resolving
from core import Facts, PolicyDecision, Requirement, RiskLevel, policy, require
from core.calendars import Calendar, Window
from core.governance import waits
from core.governance.outcome import cancel_by
from core.governance.request import MutationRequest, Status, WishedMutation
from tests.activities.desk import NOON, Desk, later, opened, run
from tests.support import box
from wire.asks import (
    Answered,
    Assessed,
    AssessRequest,
    Authenticate,
    ExecuteMutation,
    Preview,
    PreviewMutation,
    Progress,
    RecordOutcome,
    RecordProgress,
    ResolveVersion,
)

APPROVED = Requirement.approval(roles=["approver"], needed=1)


def assess(desk: Desk, request: MutationRequest, **more: Any) -> Assessed:
    ask = AssessRequest(request=request, at=request.created_at, fence=1, **more)
    answer = run(Assessing(desk.outside).assess_request, ask)
    assert isinstance(answer, Assessed)
    return answer


def opens(**since: float) -> Requirement:
    """A window of an hour that opens once."""
    start = later(**since).replace(tzinfo=None)
    window = Window(start=start, duration=timedelta(hours=1))
    return Requirement.schedule(calendar=Calendar(allow=(window,)))


# Assessment.


def test_what_the_request_demands_of_itself_is_demanded_and_looked_at(desk: Desk) -> None:
    desk.executed("a", at=later(hours=-1))
    request = desk.ask(depends_on=("a",), not_before=later(hours=3))

    assessment = assess(desk, request).assessment

    assert assessment is not None
    found = {r.kind: assessment.findings[r.id] for r in assessment.requirements}
    assert found["dependency"].verdict == "holds"
    assert (found["schedule"].verdict, found["schedule"].again_at) == ("not_yet", later(hours=3))
    assert all(r.demanded_by == ("the request",) for r in assessment.requirements)
    assert all(f.at == NOON for f in found.values())


@policy()
def an_hour_to_think(_m: object, _s: object, _c: object, facts: Facts) -> PolicyDecision:
    """Let an hour pass between asking and doing."""
    asked_at = datetime.fromisoformat(facts["asked_at"])
    return require(Requirement.schedule(not_before=asked_at + timedelta(hours=1)))


def test_g9_a_change_that_cools_down_since_it_was_asked_for_executes_once_it_has(
    tmp_path: Path,
) -> None:
    cooling = box.make("cooling", policies=[an_hour_to_think])
    with opened(tmp_path, domains=[cooling]) as desk:
        request = desk.open(state_id="cooling/a")
        (cool,) = (state.requirement for state in request.requirements)
        early = look(desk.outside, request, [cool], later(minutes=59))
        in_time = look(desk.outside, request, [cool], later(minutes=61))
        ready = waits.found(request, in_time, later(minutes=61))

        record = desk.execute(ready, at=later(minutes=62))

        assert request.status is Status.PENDING
        assert (early[cool.id].verdict, early[cool.id].again_at) == ("not_yet", later(hours=1))
        assert ready.status is Status.APPROVED
        assert record.status is Status.EXECUTED
        recorded = [Facts.read(entry.facts) for entry in desk.store.audit()]
        assert [each["asked_at"] for each in recorded] == [NOON.isoformat()] * 2
        assert [each.at for each in recorded] == [NOON, later(minutes=62)]


def test_where_nothing_is_to_be_looked_at_the_store_is_not_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.demanded.append(APPROVED)
    for name in ("standings", "reserved", "state"):
        monkeypatch.setattr(desk.store, name, None)

    assert assess(desk, desk.ask()).assessment is not None


def test_what_is_denied_is_not_looked_at(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.store, "standings", None)
    less = WishedMutation(type="Add", parameters={"key": "x", "amount": -1})

    answer = assess(desk, desk.ask(depends_on=("a",), mutations=(less,)))

    assert answer.assessment is not None
    assert answer.assessment.rejection is not None
    assert answer.assessment.rejection.code == "check_failed"


def test_what_the_domain_says_of_ages_and_of_versions_is_in_it(tmp_path: Path) -> None:
    ages = {RiskLevel.LOW: timedelta(days=3)}
    with opened(tmp_path, lifetimes=ages, on_state_moved="supersede") as desk:
        assessment = assess(desk, desk.ask()).assessment

    assert assessment is not None
    assert assessment.lifetime == timedelta(days=3)
    assert assessment.on_state_moved == "supersede"


@pytest.mark.parametrize(
    ("wish", "own", "code"),
    [
        ({}, False, None),
        ({"expires_in": timedelta(days=15)}, True, "no_window"),
        ({"expires_in": timedelta(days=40)}, True, None),
    ],
)
def test_a_window_that_opens_too_late_is_found_at_submission(
    tmp_path: Path, wish: dict[str, Any], own: bool, code: str | None
) -> None:
    with opened(tmp_path, expires_in=timedelta(days=30)) as desk:
        desk.demanded.append(opens(days=20))

        assessment = assess(desk, desk.ask(**wish), own_deadline=own).assessment

    assert assessment is not None
    rejected = assessment.rejection.code if assessment.rejection else None
    assert rejected == code


def test_a_window_beyond_the_domains_own_deadline_is_too_late(tmp_path: Path) -> None:
    with opened(tmp_path, expires_in=timedelta(days=2)) as desk:
        desk.demanded.append(opens(days=3))

        assessment = assess(desk, desk.ask()).assessment

    assert assessment is not None
    assert assessment.rejection is not None
    assert assessment.rejection.code == "no_window"


def test_later_it_is_waited_for_as_somebody_may_be_mending_it(desk: Desk) -> None:
    desk.demanded.append(APPROVED)
    request = desk.open()
    desk.demanded.append(opens(days=20))

    assessment = assess(desk, request, refresh=True).assessment

    assert assessment is not None
    assert assessment.rejection is None
    assert len(assessment.findings) == 1


def test_a_preview_looks_as_well_though_nobody_knows_the_request(tmp_path: Path) -> None:
    with opened(tmp_path, expires_in=timedelta(days=30)) as desk:
        desk.executed("a", at=later(hours=-1))
        desk.demanded[:] = [Requirement.dependency("a"), opens(days=20)]
        ask = PreviewMutation(
            state_id="box/a",
            mutations=(WishedMutation(type="Add", parameters={"key": "x"}),),
            actor_id="ana",
            at=NOON,
        )

        preview = run(Previewing(desk.outside).preview_mutation, ask)

        assert isinstance(preview, Preview)
        assert preview.assessment is not None
        verdicts = [f.verdict for f in preview.assessment.findings.values()]
        assert sorted(verdicts) == ["holds", "not_yet"]
        assert preview.rejection is None


# Resolution and execution.


def test_before_it_executes_it_is_looked_at_again(desk: Desk) -> None:
    desk.demanded.append(opens(hours=0))
    ready = desk.open()
    assert ready.status is Status.APPROVED

    ask = ResolveVersion(request=ready, at=later(hours=2), fence=2)
    resolution = run(Resolving(desk.outside).resolve_version, ask).resolution

    assert not resolution.outcome.executes
    changed = desk.change(ready, at=later(hours=2), fence=3)
    assert changed.status is Status.PENDING
    assert desk.execute(ready, at=later(minutes=59), fence=4).status is Status.EXECUTED


# Where a version leaves a request behind.


@pytest.mark.parametrize(("says", "seen"), [("supersede", 1), ("wait", None)])
def test_progress_says_where_the_state_is_to_whom_it_matters(
    desk: Desk, says: str, seen: int | None
) -> None:
    desk.demanded.append(APPROVED)
    request = desk.open(on_state_moved=says)
    desk.executed("b")

    ask = RecordProgress(request=request, fence=1)

    assert run(Recording(desk.outside).record_progress, ask) == Progress(state_version=seen)


def test_it_says_that_the_request_has_ended_where_that_came_between(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.demanded.append(APPROVED)
    request = desk.open(on_state_moved="supersede")
    view = desk.store.view
    ended: list[MutationRequest] = []

    def view_late(*ids: str) -> Any:
        monkeypatch.undo()
        ended.append(desk.cancel(request))
        return view(*ids)

    monkeypatch.setattr(desk.store, "view", view_late)
    ask = RecordProgress(request=request, fence=1)

    assert run(Recording(desk.outside).record_progress, ask) == Progress(ended=ended[0])


# Who waits for an ending.


def commit(desk: Desk, request: MutationRequest) -> Answered:
    ask = ExecuteMutation(request=request, at=NOON, fence=2)
    return run(Executing(desk.outside).execute_mutation, ask)  # type: ignore[no-any-return]  # an activity


def record(desk: Desk, request: MutationRequest) -> Answered:
    ask = RecordOutcome(request=cancel_by(request, "dan"), at=NOON)
    return run(Recording(desk.outside).record_outcome, ask)  # type: ignore[no-any-return]  # an activity


ENDS: list[Callable[[Desk, MutationRequest], Answered]] = [commit, record]
ASKS: list[Callable[[Desk, MutationRequest], Answered]] = [
    *ENDS,
    assess,
    lambda desk, request: run(
        Resolving(desk.outside).resolve_version, ResolveVersion(request=request, at=NOON, fence=2)
    ),
    lambda desk, request: run(
        Recording(desk.outside).record_progress, RecordProgress(request=request, fence=2)
    ),
    lambda desk, request: run(
        Authenticating(desk.outside).authenticate,
        Authenticate(request_id="a", state_id="box/a", actor_id="ben"),
    ),
    lambda desk, request: run(
        Authenticating(desk.outside).authenticate,
        Authenticate(request_id="a", state_id="box/a", actor_id="nobody"),
    ),
]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("waits", [True, False])
def test_an_ending_says_whether_others_wait_for_it_to_whoever_asks(
    desk: Desk, end: Callable[[Desk, MutationRequest], Answered], waits: bool
) -> None:
    request = desk.open("a", at=later(hours=-1))
    if waits:
        desk.open("b", depends_on=("a",))

    first = end(desk, request)

    assert first.ended is not None
    assert first.waiters is waits
    for again in ASKS:
        answer = again(desk, request)
        assert (answer.ended, answer.waiters) == (first.ended, waits)
