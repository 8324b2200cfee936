"""Who counts, how often, and until when; what does not count is refused by its name."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import JsonValue

from core.errors import (
    DeadlinePassed,
    DecisionRefused,
    DuplicateDecision,
    NotAuthorised,
    NothingToWithdraw,
    OutdatedBinding,
    ReasonRequired,
    RequestClosed,
    SelfApproval,
    StepNotOpen,
    UnknownRequirement,
)
from core.governance import approval, fulfilment, resolution
from core.governance.lifecycle import close
from core.governance.people import Person
from core.governance.request import Category, MutationRequest, Rejection, Status
from core.requirements import Requirement
from tests.core.builders import (
    ANA,
    AT,
    BEN,
    CARL,
    DORA,
    EVE,
    OLGA,
    assessment,
    by,
    by_ops,
    by_security,
    check,
    codes,
    created,
    effect,
    granted,
    later,
    person,
    waiting,
    without,
)

THREE = by("ben", "carl", "dora", needed=2, refusals=None)


def status_of(request: MutationRequest, requirement: Requirement) -> str:
    found = request.requirement(requirement.id)
    assert found is not None
    return found.status


def seats(request: MutationRequest) -> dict[str, tuple[str, ...]]:
    return {r.requirement.describe(): r.granted_by for r in request.requirements}


# Who counts.


def test_g6_the_requester_never_counts() -> None:
    request = waiting(by("ana", "ben", needed=1))

    for decide in (approval.grant, approval.refuse):
        with pytest.raises(SelfApproval):
            decide(request, ANA, AT)


def test_g6_whoever_is_asked_for_never_counts_and_case_is_no_way_around() -> None:
    request = waiting(by_security(), asked=created(on_behalf_of="Ben"))

    with pytest.raises(SelfApproval):
        approval.grant(request, BEN, AT)
    with pytest.raises(SelfApproval):
        approval.grant(request, person("BEN", roles="security"), AT)
    assert granted(request, CARL).status is Status.APPROVED


def test_g6_one_person_fills_one_seat_whatever_they_hold() -> None:
    request = granted(waiting(by_security(), by_ops()), CARL)

    assert request.status is Status.PENDING
    assert sum(map(len, seats(request).values())) == 1
    assert granted(request, DORA).status is Status.APPROVED


def test_g6_the_same_person_under_another_spelling_is_the_same_person() -> None:
    request = granted(waiting(by_security(2)), BEN)

    with pytest.raises(DuplicateDecision):
        approval.grant(request, person("Ben", roles="security"), AT)


def test_a_person_moves_to_another_seat_when_that_lets_the_next_one_sit() -> None:
    security, ops = by_security(), by_ops()
    for first, second in [(CARL, DORA), (CARL, BEN)]:
        request = granted(waiting(security, ops), first, second)

        assert request.status is Status.APPROVED


def test_who_is_not_named_may_not_decide() -> None:
    request = waiting(by_security())

    with pytest.raises(NotAuthorised, match="who may: role:security"):
        approval.grant(request, DORA, AT)


def test_nobody_decides_where_no_approval_is_asked() -> None:
    with pytest.raises(NotAuthorised, match="nobody"):
        approval.grant(waiting(check()), BEN, AT)


def test_a_payload_gives_nobody_a_role() -> None:
    request = waiting(by_security())

    with pytest.raises(NotAuthorised):
        approval.grant(request, EVE, AT, metadata={"roles": ["security"]})


# How many.


def test_a_quorum_is_reached_by_as_many_as_are_needed() -> None:
    request = granted(waiting(THREE), BEN)
    assert request.status is Status.PENDING
    assert request.pending[0].have == 1

    request = granted(request, DORA)
    assert request.status is Status.APPROVED
    assert request.pending == ()


def test_one_refusal_rejects_unless_said_otherwise() -> None:
    request = approval.refuse(waiting(by_security()), BEN, AT, reason="too much")

    assert request.closing is not None
    assert request.closing.status is Status.REJECTED
    assert request.status is Status.PENDING
    rejected = close(request, request.closing, AT)
    assert rejected.rejection is not None
    assert (rejected.rejection.category, rejected.rejection.code) == ("approval", "refused")
    assert rejected.rejection.message == "Refused by ben: too much"
    assert codes(rejected)[-2:] == ["Refused", "Rejected"]


def test_what_the_refusing_person_gave_stands_in_the_rejection() -> None:
    given: dict[str, JsonValue] = {"ticket": 7}
    request = approval.refuse(waiting(by_security()), BEN, AT, metadata=given)

    assert request.closing is not None
    assert request.closing.rejection is not None
    assert request.closing.rejection.metadata["given"] == given


def test_so_many_refusals_reject_as_are_named() -> None:
    request = waiting(by_security(1, refusals=2))

    request = approval.refuse(request, BEN, AT)
    assert request.closing is None

    request = approval.refuse(request, CARL, AT)
    assert request.closing is not None


def test_without_a_number_refusals_reject_once_the_quorum_cannot_be_reached() -> None:
    request = approval.refuse(waiting(THREE), BEN, AT)
    assert request.closing is None

    request = approval.refuse(request, CARL, AT)
    assert request.closing is not None


def test_a_refusal_rejects_also_when_the_quorum_was_reached() -> None:
    request = granted(waiting(by_security()), BEN)
    assert request.status is Status.APPROVED

    request = approval.refuse(request, CARL, AT)

    assert request.closing is not None
    assert request.closing.status is Status.REJECTED


def test_a_second_refusal_takes_no_first_one_back() -> None:
    security, ops = by_security(1, refusals=2), by_ops(1, refusals=2)
    request = waiting(security, ops)

    request = approval.refuse(request, CARL, AT, requirement_id=security.id)
    request = approval.refuse(request, CARL, AT, requirement_id=ops.id)

    assert [r.refused_by for r in request.requirements] == [("carl",), ("carl",)]
    assert approval.refuse(request, BEN, AT).closing is not None


# Steps.

FIRST, SECOND = by("ben"), by("carl", step=2)


def test_a_later_step_opens_when_the_earlier_is_done() -> None:
    request = waiting(FIRST, SECOND)
    assert [status_of(request, r) for r in (FIRST, SECOND)] == ["open", "waiting"]
    assert request.awaiting == ("user:ben",)

    request = granted(request, BEN)
    assert [status_of(request, r) for r in (FIRST, SECOND)] == ["fulfilled", "open"]
    assert request.awaiting == ("user:carl",)


def test_a_decision_for_a_step_that_is_not_open_is_refused_by_name() -> None:
    request = waiting(FIRST, SECOND)

    for decide in (approval.grant, approval.refuse):
        with pytest.raises(StepNotOpen) as refused:
            decide(request, CARL, AT)
        assert refused.value.details["step"] == 2
        with pytest.raises(StepNotOpen):
            decide(request, CARL, AT, requirement_id=SECOND.id)


def test_an_earlier_step_has_the_right_of_way() -> None:
    first, second = by_security(step=1), by("carl", "ben", needed=1, step=2)
    request = granted(waiting(first, second), BEN, CARL)
    assert request.status is Status.APPROVED

    request = approval.withdraw(request, BEN, AT)

    assert seats(request) == {first.describe(): ("carl",), second.describe(): ()}
    assert request.status is Status.PENDING


def test_steps_need_not_be_numbered_without_gaps() -> None:
    request = waiting(by("ben", step=3), by("carl", step=7))

    assert granted(request, BEN, CARL).status is Status.APPROVED


def test_one_more_grant_of_a_person_never_unfulfils_what_they_fulfilled() -> None:
    for small, big in [(by_security(), by_ops(2)), (by_ops(), by_security(2))]:
        request = waiting(small, big)
        request = approval.grant(request, CARL, AT, requirement_id=small.id)
        assert status_of(request, small) == "fulfilled"

        request = approval.grant(request, CARL, AT, requirement_id=big.id)

        assert status_of(request, small) == "fulfilled"
        assert "Reopened" not in codes(request)


# The newest answer.


def test_a_grant_is_withdrawn_until_the_commit_begins() -> None:
    request = granted(waiting(by_security()), BEN)

    request = approval.withdraw(request, BEN, AT, reason="I misread it")

    assert request.status is Status.PENDING
    assert request.answers == ()
    assert codes(request)[-3:] == ["Withdrawn", "Reopened", "Pending"]


def test_who_granted_nothing_has_nothing_to_withdraw() -> None:
    request = waiting(by_security(1, refusals=2))

    with pytest.raises(NothingToWithdraw):
        approval.withdraw(request, BEN, AT)
    with pytest.raises(NothingToWithdraw):
        approval.withdraw(approval.refuse(request, BEN, AT), BEN, AT)
    withdrawn = approval.withdraw(granted(request, BEN), BEN, AT)
    with pytest.raises(NothingToWithdraw):
        approval.withdraw(withdrawn, BEN, AT)


def test_a_refusal_after_a_grant_takes_the_grant_back_and_refuses() -> None:
    request = granted(waiting(by_security(2, refusals=2)), BEN)

    request = approval.refuse(request, BEN, AT)

    assert codes(request)[-2:] == ["Withdrawn", "Refused"]
    assert [a.verdict for a in request.answers] == ["refuse"]
    assert request.requirements[0].granted_by == ()
    assert request.requirements[0].refused_by == ("ben",)


def test_a_grant_after_a_refusal_that_rejected_nothing_counts() -> None:
    request = approval.refuse(waiting(by_security(1, refusals=2)), BEN, AT)

    request = granted(request, BEN)

    assert request.status is Status.APPROVED
    assert request.requirements[0].refused_by == ()


def test_the_same_answer_again_is_a_duplicate() -> None:
    request = waiting(by_security(2, refusals=2))

    with pytest.raises(DuplicateDecision):
        approval.grant(granted(request, BEN), BEN, AT)
    with pytest.raises(DuplicateDecision):
        approval.refuse(approval.refuse(request, BEN, AT), BEN, AT)


def test_a_reopened_requirement_has_its_whole_duration_again() -> None:
    request = granted(waiting(by_security(duration=timedelta(days=1))), BEN)

    request = approval.withdraw(request, BEN, later(days=3))

    assert fulfilment.next_deadline(request) == later(days=4)
    assert fulfilment.expire(request, later(days=3)).closing is None


def test_what_held_an_approved_request_is_not_shown_on_a_pending_one() -> None:
    resolved = resolution.resolved(
        granted(waiting(by_security()), BEN),
        resolution.Resolution(
            round=1, fence=1, at=AT, outcome=resolution.ResolutionOutcome.HELD, held="gone"
        ),
    )
    assert resolved.held is not None

    assert approval.withdraw(resolved, BEN, AT).held is None


# Deadlines.


def test_at_the_deadline_is_late() -> None:
    request = waiting(by_security(2, duration=timedelta(hours=1)))

    assert approval.grant(request, BEN, later(minutes=59, seconds=59)).answers
    for decide in (approval.grant, approval.refuse):
        with pytest.raises(DeadlinePassed) as refused:
            decide(request, BEN, later(hours=1))
        assert refused.value.details["deadline"] == later(hours=1).isoformat()


def test_the_deadline_of_the_request_holds_for_every_decision() -> None:
    request = waiting(by_security(2))

    with pytest.raises(DeadlinePassed):
        approval.grant(request, BEN, later(days=14))


def test_nothing_is_shown_to_be_due_later_than_the_request() -> None:
    request = waiting(by_security(duration=timedelta(days=30)))

    assert request.pending[0].until == request.expires_at == later(days=14)


def test_a_duration_runs_from_when_the_step_opens() -> None:
    request = waiting(by("ben"), by("carl", step=2, duration=timedelta(hours=1)))
    assert fulfilment.next_deadline(request) == later(days=14)

    request = approval.grant(request, BEN, later(days=2))

    assert fulfilment.next_deadline(request) == later(days=2, hours=1)


def test_g9_a_request_expires_at_its_deadline_and_not_before() -> None:
    request = waiting(by_security())

    assert fulfilment.expire(request, later(days=13, hours=23)) is request
    expired = fulfilment.expire(request, later(days=14))

    assert expired.closing is not None
    assert expired.closing.status is Status.EXPIRED
    assert expired.closing.cause is None


def test_an_open_requirement_that_expires_is_the_cause_of_the_ending() -> None:
    for requirement, category in [
        (by_security(duration=timedelta(hours=1)), Category.APPROVAL),
        (check().model_copy(update={"duration": timedelta(hours=1)}), Category.REQUIREMENT),
    ]:
        expired = fulfilment.expire(waiting(requirement), later(hours=1))

        assert expired.closing is not None
        assert expired.closing.cause is not None
        assert expired.closing.cause.category is category
        ended = close(expired, expired.closing, later(hours=1))
        assert [(d.category, d.code) for d in ended.decisions[-2:]] == [
            (category, "Expired"),
            (Category.LIFECYCLE, "Expired"),
        ]


@pytest.mark.parametrize("status", [Status.CREATED, Status.APPROVED])
def test_g9_the_deadline_holds_also_before_and_after_the_wait(status: Status) -> None:
    request = created() if status is Status.CREATED else waiting()
    assert request.status is status

    assert fulfilment.expire(request, later(days=14)).closing is not None


# Bindings.


def changed(request: MutationRequest) -> MutationRequest:
    """Answer the request once somebody looked what it would do now: another effect."""
    return resolution.adopt(
        request,
        assessment(*[r.requirement for r in request.requirements], does=effect(limit=150)),
        AT,
    )


def test_g11_a_decision_taken_on_something_else_is_outdated() -> None:
    request = waiting(by_security())
    seen = request.binding
    request = changed(request)

    for decide in (approval.grant, approval.refuse):
        with pytest.raises(OutdatedBinding) as refused:
            decide(request, BEN, AT, binding=seen)
        assert refused.value.details["binding"] == request.binding
    assert granted(request, BEN).status is Status.APPROVED


def test_a_decision_without_a_binding_counts_while_there_was_one_only() -> None:
    request = waiting(by_security(2))
    request = approval.grant(request, BEN, AT)
    request = changed(request)

    with pytest.raises(OutdatedBinding, match="names no binding"):
        approval.grant(request, CARL, AT)


def test_a_binding_that_comes_back_does_not_make_a_bare_decision_count_again() -> None:
    request = waiting(by_security())
    first = request.binding
    request = resolution.adopt(changed(request), assessment(by_security()), AT)
    assert request.binding == first

    with pytest.raises(OutdatedBinding):
        approval.grant(request, BEN, AT)


def test_a_binding_covers_mutation_effect_and_the_set_of_requirements() -> None:
    shown = waiting(by_security()).binding

    assert waiting(by_security()).binding == shown
    assert waiting(by_security(), version=9).binding == shown
    assert waiting(by_security(), does=effect(limit=121)).binding != shown
    assert waiting(by_security(), does=effect("ben", limit=120)).binding != shown
    assert waiting(by_security(), by_ops()).binding != shown
    assert waiting(by_security(), amount=21).binding != shown


# What else is refused by name.


def test_a_requirement_that_is_not_part_of_the_request_is_unknown() -> None:
    request = waiting(by_security(), check())

    with pytest.raises(UnknownRequirement, match=by_security().id):
        approval.grant(request, BEN, AT, requirement_id="approval-other")
    with pytest.raises(UnknownRequirement):
        approval.grant(request, BEN, AT, requirement_id=check().id)


def test_a_decision_for_one_requirement_counts_for_no_other() -> None:
    security, ops = by_security(), by_ops()

    request = approval.grant(waiting(security, ops), CARL, AT, requirement_id=ops.id)

    assert status_of(request, ops) == "fulfilled"
    assert request.answers[0].bindings.keys() == {ops.id}


def test_a_reason_is_given_where_one_is_asked_for() -> None:
    request = waiting(by_security(reason_required=True))

    for reason in ("", "  \n"):
        with pytest.raises(ReasonRequired):
            approval.grant(request, BEN, AT, reason=reason)
    assert approval.grant(request, BEN, AT, reason="checked").status is Status.APPROVED


def test_g11_nothing_is_decided_while_an_ending_is_under_way() -> None:
    request = approval.refuse(waiting(by_security()), BEN, AT)

    for decide in (
        approval.grant,
        approval.refuse,
        approval.withdraw,
    ):
        with pytest.raises(RequestClosed):
            decide(request, CARL, AT)


@pytest.mark.parametrize("sender", [BEN, DORA, EVE, OLGA, ANA], ids=lambda person: person.id)
def test_g11_a_refused_decision_changes_nothing(sender: Person) -> None:
    request = waiting(FIRST, SECOND)
    before = request.model_dump_json()

    for decide in (approval.grant, approval.refuse):
        with pytest.raises(DecisionRefused):
            decide(request, sender, later(days=20))
        assert request.model_dump_json() == before


# What blocks.


def test_g10_a_requirement_of_an_unknown_kind_blocks_and_says_so() -> None:
    request = waiting(by_security(), Requirement(kind="seance"))

    request = granted(request, BEN)

    assert request.status is Status.PENDING
    assert [p.text for p in request.pending] == [
        "unknown requirement 'seance': nothing here can meet it"
    ]


def test_a_step_waits_for_everything_in_the_steps_before_it() -> None:
    request = waiting(check(), by("carl", step=2))

    with pytest.raises(StepNotOpen):
        approval.grant(request, CARL, AT)


def test_settling_twice_changes_nothing() -> None:
    for request in (
        waiting(),
        waiting(by_security()),
        granted(waiting(FIRST, SECOND), BEN),
        granted(waiting(FIRST, SECOND), BEN, CARL),
        approval.refuse(waiting(by_security()), BEN, AT),
    ):
        assert fulfilment.settle(request, later(hours=5)) == request


def test_everything_it_waits_for_is_shown_and_what_comes_first_comes_first() -> None:
    request = waiting(by_ops(2, step=2, title="Operations"), by_security())

    assert [(p.text, p.who, p.open) for p in request.pending] == [
        ("approval by 1 of role:security", ("role:security",), True),
        ("Operations: approval by 2 of group:ops (step 2, not open yet)", (), False),
    ]


def test_g10_rights_are_looked_at_again_before_execution() -> None:
    request = granted(waiting(by_security(2)), BEN, CARL)

    assert resolution.revoked(request, without()) == ()
    assert resolution.revoked(request, without(BEN)) == ("ben",)


def test_a_rejection_is_never_a_bare_sentence() -> None:
    with pytest.raises(ValueError, match="category"):
        Rejection.model_validate({"message": "No."})


def test_a_record_tells_which_message_counted_under_its_senders_id() -> None:
    request = approval.grant(waiting(by("ben")), BEN, AT, decision_id="d-1")

    counted = request.counted("BEN", "d-1")

    assert counted is not None
    assert (counted.code, counted.actor_id) == ("Granted", "ben")
    assert request.counted("carl", "d-1") is None
    assert request.counted("ben", "d-2") is None
