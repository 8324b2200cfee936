"""The one table of moves, and decisions that are appended, numbered and never altered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from core.errors import DecisionRefused, InvalidTransition, RequestFull
from core.governance import approval, fulfilment, outcome, resolution
from core.governance.lifecycle import (
    MAX_BYTES,
    MAX_REFUSED_BYTES,
    TRANSITIONS,
    append,
    close,
    intend,
    move,
    raise_if_full,
    refuse_message,
    status_of,
)
from core.governance.request import (
    MAX_REFUSED,
    Category,
    Cause,
    Closing,
    MutationRequest,
    RefusedMessage,
    Rejection,
    Status,
)
from core.governance.resolution import ResolutionOutcome
from tests.core.builders import (
    ANA,
    AT,
    BEN,
    DIRECTORY,
    OLGA,
    assessment,
    by_security,
    codes,
    created,
    granted,
    later,
    waiting,
)

TERMINAL = [s for s in Status if s.is_terminal]


def standing(status: Status) -> MutationRequest:
    """Answer a request in this status, led there by moves that the table allows."""
    request = waiting(by_security()) if status is not Status.CREATED else created()
    if status in {Status.APPROVED, Status.EXECUTED}:
        request = granted(request, BEN)
    if status.is_terminal:
        request = close(request, Closing(status=status, actor_id="ana"), AT)
    assert request.status is status
    return request


# What DESIGN 6.1 prints, written a second time: a slip in the code's table shows here.
PRINTED = {
    "Created": "Pending Approved Rejected Canceled Expired Superseded",
    "Pending": "Approved Rejected Canceled Expired Superseded",
    "Approved": "Pending Rejected Canceled Expired Superseded Executed",
}


@pytest.mark.parametrize("current", Status)
@pytest.mark.parametrize("target", Status)
def test_a_move_is_made_exactly_where_the_table_has_it(current: Status, target: Status) -> None:
    request = standing(current)

    if target.value in PRINTED.get(current.value, "").split():
        moved = move(request, target, actor_id="ana", at=AT)

        assert moved.status is target
        assert codes(moved, len(request.decisions)) == [target.value]
    else:
        before = request.model_dump_json()
        with pytest.raises(InvalidTransition) as refused:
            move(request, target, actor_id="ana", at=AT)

        assert refused.value.details == {
            "request_id": "r1",
            "current": current.value,
            "target": target.value,
        }
        assert request.model_dump_json() == before


def test_the_last_five_statuses_are_terminal_and_lead_nowhere() -> None:
    assert [s.value for s in TERMINAL] == [
        "Rejected",
        "Canceled",
        "Expired",
        "Superseded",
        "Executed",
    ]
    assert all(not TRANSITIONS[s] for s in TERMINAL)


def test_a_request_begins_created_and_with_its_deadline() -> None:
    request = created()

    assert request.status is Status.CREATED
    assert codes(request) == ["Submitted"]
    assert request.expires_at == later(days=14)
    assert created(expires_in="PT1H").expires_at == later(hours=1)


def test_a_request_for_a_compensation_says_so() -> None:
    assert created().kind == "standard"
    asked = created(compensates={"request_id": "r0", "kind": "restore"})
    assert asked.kind == "compensation"


@given(st.lists(st.integers(-100, 100), max_size=8))
def test_decision_numbers_rise_by_one_and_times_never_go_backwards(hours: list[int]) -> None:
    request = created()

    for hour in hours:
        request = append(
            request, Category.APPROVAL, "Reminded", actor_id="ana", at=later(hours=hour)
        )

    assert [d.number for d in request.decisions] == list(range(1, len(hours) + 2))
    times = [d.at for d in request.decisions]
    assert times == sorted(times)
    assert request.updated_at == times[-1]


def test_only_lifecycle_decisions_change_the_status() -> None:
    request = waiting(by_security())

    request = append(request, Category.COMPENSATION, "Compensated", actor_id="ana", at=AT)
    request = append(request, Category.APPROVAL, "Expired", actor_id="ana", at=AT)

    assert status_of(request.decisions) is Status.PENDING


@pytest.mark.parametrize("status", Status)
def test_the_status_is_the_fold_of_the_lifecycle_decisions(status: Status) -> None:
    assert status_of(standing(status).decisions) is status


def test_a_change_of_status_follows_its_cause_with_exactly_one_lifecycle_decision() -> None:
    request = waiting(by_security())

    request = approval.grant(request, BEN, AT)

    assert codes(request) == [
        "Submitted",
        "Requested",
        "Pending",
        "Granted",
        "QuorumSatisfied",
        "Approved",
    ]


def test_an_ending_writes_its_cause_then_its_terminal_decision() -> None:
    request = waiting(by_security())
    cause = Cause(
        category=Category.APPROVAL, code="Expired", actor_id="system:mutator", metadata={"a": 1}
    )

    ended = close(request, Closing(status=Status.EXPIRED, actor_id="x", cause=cause), AT)

    assert codes(ended, len(request.decisions)) == ["Expired", "Expired"]
    assert [d.category for d in ended.decisions[-2:]] == [Category.APPROVAL, Category.LIFECYCLE]
    assert ended.decisions[-2].metadata == {"a": 1}
    assert (ended.closing, ended.held, ended.pending) == (None, None, ())


def test_a_cause_may_have_any_metadata() -> None:
    given_: dict[str, JsonValue] = {
        "reason": "theirs",
        "at": "noon",
        "actor_id": "b",
        "code": 1,
        "category": 2,
    }
    cause = Cause(category=Category.APPROVAL, code="Expired", actor_id="x", metadata=given_)

    ended = close(created(), Closing(status=Status.EXPIRED, actor_id="x", cause=cause), AT)

    assert ended.decisions[-2].metadata == given_


def test_what_is_intended_first_stands() -> None:
    request = intend(created(), Closing(status=Status.CANCELED, actor_id="ana"))

    again = intend(request, Closing(status=Status.EXPIRED, actor_id="system:mutator"))

    assert again is request
    assert again.closing is not None
    assert again.closing.status is Status.CANCELED


@pytest.mark.parametrize("status", [Status.CREATED, Status.PENDING, Status.APPROVED])
def test_only_an_ending_can_be_intended(status: Status) -> None:
    request = standing(Status.PENDING)

    with pytest.raises(InvalidTransition):
        intend(request, Closing(status=status, actor_id="ana"))
    with pytest.raises(InvalidTransition):
        close(request, Closing(status=status, actor_id="ana"), AT)


@pytest.mark.parametrize("status", Status)
def test_g1_an_execution_is_never_intended_it_is_the_commit(status: Status) -> None:
    with pytest.raises(InvalidTransition):
        intend(standing(status), Closing(status=Status.EXECUTED, actor_id="ana"))


def test_g1_nothing_is_approved_before_it_was_assessed() -> None:
    request = created()

    assert fulfilment.settle(request, AT) is request
    asked = resolution.resolve(request, assessment(), directory=DIRECTORY, at=AT, fence=1)
    assert asked.outcome is ResolutionOutcome.INELIGIBLE
    assert resolution.resolved(request, asked).status is Status.CREATED


def _answers(request: MutationRequest) -> list[Callable[[], MutationRequest]]:
    """Everything that may be asked of a request."""
    found = assessment(by_security(2), version=9)
    checked = {
        o: resolution.Resolution(
            round=1,
            fence=1,
            at=AT,
            outcome=o,
            assessment=found,
            revoked=("ben",),
            held="gone",
            rejection=Rejection(category="stale", code="moved", message="It moved."),
        )
        for o in ResolutionOutcome
    }
    no = Rejection(category="policy", code="denied", message="No.")
    ending = Closing(status=Status.CANCELED, actor_id="ana")
    return [
        lambda: approval.grant(request, BEN, AT, binding=request.binding),
        lambda: approval.refuse(request, BEN, AT, binding=request.binding),
        lambda: approval.withdraw(request, BEN, AT),
        lambda: outcome.cancel(request, ANA),
        lambda: outcome.cancel(request, OLGA),
        lambda: outcome.reject(request, no, actor_id="x"),
        lambda: fulfilment.expire(request, later(days=99)),
        lambda: fulfilment.settle(request, AT),
        lambda: close(request, ending, AT),
        lambda: intend(request, ending),
        lambda: resolution.assessed(request, found, AT),
        lambda: resolution.adopt(request, found, AT),
        *[lambda o=o: resolution.resolved(request, checked[o]) for o in ResolutionOutcome],
    ]


@pytest.mark.parametrize("status", TERMINAL)
def test_g14_nothing_changes_an_ended_request(status: Status) -> None:
    ended = standing(status)

    for ask in _answers(ended):
        try:
            answer = ask()
        except (InvalidTransition, DecisionRefused):
            continue
        assert answer == ended


def test_a_request_is_assessed_for_the_first_time_only_once() -> None:
    request = waiting(by_security())

    with pytest.raises(InvalidTransition):
        resolution.assessed(request, assessment(), AT)


def test_g14_an_ended_request_was_closed_when_it_ended() -> None:
    ended = standing(Status.EXECUTED)

    compensated = append(
        ended, Category.COMPENSATION, "Compensated", actor_id="ana", at=later(days=3)
    )

    assert compensated.closed_at == ended.closed_at == AT
    assert standing(Status.APPROVED).closed_at is None


def test_refused_messages_are_kept_up_to_a_bound_and_counted_beyond() -> None:
    request = created()
    message = RefusedMessage(at=AT, name="approve", error="NotAuthorised", message="No.")

    for _ in range(MAX_REFUSED + 3):
        request = refuse_message(request, message)

    assert len(request.refused_messages) == MAX_REFUSED
    assert request.refused_count == MAX_REFUSED + 3


def test_refused_messages_are_kept_in_bounded_room() -> None:
    request = created()
    message = RefusedMessage(at=AT, name="approve", error="NotAuthorised", message="𝄞" * 500)

    for _ in range(MAX_REFUSED):
        request = refuse_message(request, message)

    size = sum(len(m.model_dump_json().encode()) for m in request.refused_messages)
    assert MAX_REFUSED_BYTES - 4096 < size <= MAX_REFUSED_BYTES
    assert request.refused_count == MAX_REFUSED


def test_g9_a_request_says_when_it_can_hold_no_more() -> None:
    request = created()
    raise_if_full(request)

    while len(request.model_dump_json().encode()) < MAX_BYTES:
        raise_if_full(request)
        request = append(
            request, Category.APPROVAL, "Granted", actor_id="ben", at=AT, reason="é" * 20_000
        )

    with pytest.raises(RequestFull, match="Cancel it"):
        raise_if_full(request)


def test_one_content_has_one_digest_and_another_content_another() -> None:
    assert created().content_digest == created(strategy=None).content_digest
    assert created().content_digest != created(reason="other").content_digest
    assert created().content_digest != created(expires_in=timedelta(days=14)).content_digest
