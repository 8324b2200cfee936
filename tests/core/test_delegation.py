"""A right is handed on for a time, and never counts twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.errors import (
    DeadlinePassed,
    DuplicateDecision,
    NotAuthorised,
    NothingToDelegate,
    NothingToWithdraw,
    RequestClosed,
    SelfApproval,
    StepNotOpen,
    UnknownRequirement,
)
from core.governance import agenda, approval, fulfilment, resolution, rights, waits
from core.governance.delegation import MAX_DELEGATION, delegate
from core.governance.people import Directory, Person
from core.governance.request import Answer, Category, Delegation, MutationRequest, Status
from core.requirements import Requirement, Who, either
from tests.core.builders import (
    ANA,
    AT,
    BEN,
    CARL,
    DIRECTORY,
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

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WEEK = later(days=7)


def handed(request: MutationRequest, giver: Person, to: Person, **more: Any) -> MutationRequest:
    """Answer the request once somebody's right has been handed on, for a week."""
    return delegate(request, giver, more.pop("at", AT), to=to, **{"until": WEEK, **more})


def standing(request: MutationRequest) -> list[tuple[str, str, str | None]]:
    return [(a.actor_id, a.verdict, a.in_place_of) for a in request.answers]


def the(request: MutationRequest, requirement: Requirement) -> Any:
    found = request.requirement(requirement.id)
    assert found is not None
    return found


# What is handed on.


def test_whoever_is_asked_lets_another_answer_in_their_place() -> None:
    request = waiting(by_security(2), by_ops())

    after = handed(request, BEN, EVE, reason="away", decision_id="d-1")

    told = after.decisions[-1]
    assert (told.category, told.code, told.actor_id, told.at) == (
        Category.APPROVAL,
        "Delegated",
        "ben",
        AT,
    )
    assert (told.reason, told.decision_id) == ("away", "d-1")
    assert told.metadata == {
        "to": "eve",
        "until": WEEK.isoformat(),
        "requirements": [by_security(2).id],
    }
    assert after.delegations == (
        Delegation(
            actor_id="ben",
            to="eve",
            since=AT,
            until=WEEK,
            requirement_ids=(by_security(2).id,),
        ),
    )
    assert set(after.awaiting) == {"role:security", "user:eve", "group:ops"}


def test_whoever_stands_in_is_shown_where_they_stand_in_and_nowhere_else() -> None:
    request = handed(waiting(by_security(2), by_ops()), BEN, EVE)

    assert {reason.requirement_id: reason.who for reason in request.pending} == {
        by_security(2).id: ("role:security", "user:eve"),
        by_ops().id: ("group:ops",),
    }


def test_every_right_of_their_own_is_handed_on_or_the_one_that_is_named() -> None:
    request = waiting(by_security(), by_ops(step=2))

    both = handed(request, CARL, EVE)
    assert set(both.delegations[0].requirement_ids) == {by_security().id, by_ops(step=2).id}

    one = handed(request, CARL, EVE, requirement_id=by_ops(step=2).id)
    assert one.delegations[0].requirement_ids == (by_ops(step=2).id,)


def test_a_choice_that_is_named_is_handed_on_with_all_its_alternatives() -> None:
    (choice,) = either([[by_security()], [by_ops()], [by("eve")]])
    request = waiting(choice, by_security(2))

    after = handed(request, CARL, OLGA, requirement_id=choice.id)

    assert set(after.delegations[0].requirement_ids) == {by_security().id, by_ops().id}


def test_a_review_is_handed_on_and_a_check_is_not() -> None:
    review = Requirement.review(people=["ben"])
    callback = Requirement.check("ci", people=["ben"])
    request = handed(waiting(review, callback), BEN, EVE)

    assert request.delegations[0].requirement_ids == (review.id,)
    passed = waits.fulfil(
        request, EVE, AT, verdict="passed", reason="fine", requirement_id=review.id
    )
    assert standing(passed) == [("eve", "grant", "ben")]
    with pytest.raises(NotAuthorised):
        waits.fulfil(request, EVE, AT, verdict="passed", requirement_id=callback.id)
    with pytest.raises(UnknownRequirement, match=review.id):
        handed(request, BEN, OLGA, requirement_id=callback.id)


def test_what_opens_later_is_handed_on_already_and_still_opens_later() -> None:
    request = handed(waiting(by_ops(), by("ben", step=2)), BEN, EVE)

    with pytest.raises(StepNotOpen):
        granted(request, EVE)
    assert granted(request, DORA, EVE).status is Status.APPROVED


def test_whoever_was_let_in_by_an_escalation_hands_that_on() -> None:
    asked = by_security(escalate_after=HOUR, escalate_to=Who(groups=("ops",)))
    request = waiting(asked)
    with pytest.raises(NotAuthorised):
        handed(request, DORA, EVE)

    request = handed(agenda.ring(request, later(hours=1)), DORA, EVE, at=later(hours=1))

    after = granted(request, EVE, at=later(hours=1))
    assert after.status is Status.APPROVED
    assert resolution.revoked(after, DIRECTORY) == ()


def test_what_is_demanded_later_is_not_handed_on() -> None:
    request = handed(waiting(by_security()), CARL, EVE)

    added = resolution.adopt(request, assessment(by_security(), by_ops()), AT)

    assert added.round == 2
    assert the(added, by_security()).status == "open"
    after = granted(added, EVE)
    assert the(after, by_security()).granted_by == ("eve",)
    assert the(after, by_ops()).granted_by == ()


# To whom, and for how long.


@pytest.mark.parametrize(
    ("giver", "to", "error"),
    [
        (ANA, EVE, SelfApproval),
        (BEN, ANA, SelfApproval),
        (BEN, BEN, NothingToDelegate),
        (BEN, person("BEN", roles="security"), NothingToDelegate),
        (BEN, CARL, NothingToDelegate),
        (EVE, OLGA, NotAuthorised),
        (DORA, EVE, NotAuthorised),
    ],
)
def test_g6_a_right_is_not_handed_to_whoever_has_it_or_asked_nor_by_whoever_has_none(
    giver: Person, to: Person, error: type[Exception]
) -> None:
    request = waiting(by_security(2), check())

    with pytest.raises(error):
        handed(request, giver, to)


def test_g6_nor_to_whom_the_request_is_made_for() -> None:
    request = waiting(by_security(), asked=created(on_behalf_of="Eve"))

    with pytest.raises(SelfApproval, match="eve asked for request 'r1'"):
        handed(request, BEN, EVE)


def test_whoever_may_answer_some_of_it_anyway_is_handed_the_rest() -> None:
    request = waiting(by("ben"), by("ben", "eve", needed=1, title="Both"))

    assert handed(request, BEN, EVE).delegations


def test_what_is_handed_on_is_not_handed_further() -> None:
    request = handed(waiting(by_security()), BEN, EVE)

    with pytest.raises(NotAuthorised, match="by a right of their own"):
        handed(request, EVE, OLGA)


@pytest.mark.parametrize(
    "until", [AT, later(seconds=-1), AT + MAX_DELEGATION + timedelta(microseconds=1)]
)
def test_it_ends_after_it_begins_and_not_too_late(until: Any) -> None:
    with pytest.raises(NothingToDelegate, match="until after now, and at most 2026-04-05"):
        handed(waiting(by_security()), BEN, EVE, until=until)


def test_it_ends_with_the_request_at_the_latest() -> None:
    request = handed(waiting(by_security()), BEN, EVE, until=AT + MAX_DELEGATION)

    assert request.delegations[0].until == later(days=14)
    assert request.decisions[-1].metadata["until"] == later(days=14).isoformat()


def test_nothing_is_handed_on_at_or_after_the_deadline_or_once_it_is_over() -> None:
    request = waiting(by_security())

    with pytest.raises(DeadlinePassed):
        handed(request, BEN, EVE, at=later(days=14), until=later(days=15))
    with pytest.raises(RequestClosed):
        handed(approval.refuse(request, BEN, AT), BEN, EVE)
    with pytest.raises(NotAuthorised):
        handed(created(), BEN, EVE)
    with pytest.raises(UnknownRequirement):
        handed(request, BEN, EVE, requirement_id="approval-other")


def test_handed_on_again_it_is_in_the_newer_hand() -> None:
    request = handed(waiting(by_security(), by_ops(2)), CARL, EVE)

    request = handed(request, CARL, OLGA, requirement_id=by_security().id)

    assert [(d.to, d.requirement_ids) for d in request.delegations] == [
        ("eve", (by_ops(2).id,)),
        ("olga", (by_security().id,)),
    ]
    with pytest.raises(NotAuthorised):
        approval.grant(request, EVE, AT, requirement_id=by_security().id)
    request = handed(request, CARL, OLGA)
    assert [d.to for d in request.delegations] == ["olga"]


def test_what_another_handed_on_stays_in_the_hand_it_is_in() -> None:
    request = handed(handed(waiting(by_security(2)), BEN, EVE), CARL, OLGA)

    assert [(d.actor_id, d.to) for d in request.delegations] == [("ben", "eve"), ("carl", "olga")]
    assert granted(request, EVE, OLGA).status is Status.APPROVED


def test_its_time_ends_it_and_nobody_is_shown_in_whose_place_any_more() -> None:
    request = handed(waiting(by_security()), BEN, EVE, until=later(hours=1))
    assert agenda.next_moment(request) == later(hours=1)
    with pytest.raises(NotAuthorised):
        granted(request, EVE, at=later(hours=1))

    done = agenda.ring(request, later(hours=1))

    assert done.delegations == ()
    assert done.decisions == request.decisions
    assert done.awaiting == ("role:security",)
    assert agenda.next_moment(done) == later(days=14)


def test_what_is_met_meanwhile_shows_nobody_and_what_ended_is_let_go_when_it_waits_again() -> None:
    request = handed(waiting(by_security()), BEN, EVE, until=later(hours=1))
    request = granted(request, BEN)
    assert agenda.ring(request, later(hours=2)) is request

    request = approval.withdraw(request, BEN, later(hours=2))

    assert agenda.ring(request, later(hours=2)).awaiting == ("role:security",)


def test_whoever_stands_in_may_ask_for_a_refresh() -> None:
    request = waiting(by_security())
    with pytest.raises(NotAuthorised):
        resolution.raise_unless_refreshable(request, EVE)

    resolution.raise_unless_refreshable(handed(request, BEN, EVE), EVE)


# Never counting twice.


def test_what_is_answered_in_anothers_place_says_so() -> None:
    request = granted(handed(waiting(by_security()), BEN, EVE), EVE)

    assert request.status is Status.APPROVED
    assert standing(request) == [("eve", "grant", "ben")]
    told = next(d for d in request.decisions if d.code == "Granted")
    assert (told.actor_id, told.metadata["in_place_of"]) == ("eve", "ben")


def test_g6_the_two_of_them_never_fill_two_seats() -> None:
    request = handed(waiting(by_security(2)), BEN, EVE)

    first = granted(request, EVE, BEN)
    assert standing(first) == [("ben", "grant", None)]
    assert codes(first)[-3:] == ["Granted", "Withdrawn", "Granted"]
    taken = first.decisions[-2]
    assert (taken.actor_id, taken.metadata["approver"]) == ("ben", "eve")

    with pytest.raises(DuplicateDecision, match="ben has granted request 'r1' already\\."):
        granted(granted(request, BEN), EVE)
    assert granted(first, CARL).status is Status.APPROVED


def test_whichever_of_the_two_says_something_else_later_counts() -> None:
    request = handed(waiting(by_security(1, refusals=2)), BEN, EVE)

    refused = approval.refuse(granted(request, BEN), EVE, AT)
    assert standing(refused) == [("eve", "refuse", "ben")]
    assert the(refused, by_security(1, refusals=2)).refused_by == ("eve",)

    request = granted(refused, BEN)
    assert standing(request) == [("ben", "grant", None)]
    assert request.status is Status.APPROVED


def test_a_delegate_adds_what_the_delegator_has_not_said() -> None:
    first, second = by_security(2), by_ops(2)
    request = handed(waiting(first, second), CARL, EVE)
    request = approval.grant(request, CARL, AT, requirement_id=first.id)

    request = granted(request, EVE)

    assert standing(request) == [("eve", "grant", "carl")]
    assert request.answers[0].bindings.keys() == {first.id, second.id}
    assert sum(len(r.granted_by) for r in request.requirements) == 1


def test_g6_who_has_a_right_of_their_own_answers_by_that_and_counts_once() -> None:
    request = waiting(by_security(2), by_ops(2))
    request = handed(request, CARL, BEN, requirement_id=by_ops(2).id)

    request = granted(request, BEN)

    assert standing(request) == [("ben", "grant", None)]
    assert request.answers[0].bindings.keys() == {by_security(2).id}
    with pytest.raises(DuplicateDecision, match="by their own right, and one person counts once"):
        approval.grant(request, BEN, AT, requirement_id=by_ops(2).id)
    request = approval.withdraw(request, BEN, AT)
    request = approval.grant(request, BEN, AT, requirement_id=by_ops(2).id)
    assert standing(request) == [("ben", "grant", "carl")]
    with pytest.raises(DuplicateDecision) as refused:
        approval.grant(request, BEN, AT, requirement_id=by_security(2).id)
    assert refused.value.message == (
        "ben has granted request 'r1' already in place of carl, and one person counts once; "
        "withdraw that to answer otherwise."
    )


def test_whoever_refused_by_their_own_right_refuses_nothing_more_in_anothers_place() -> None:
    request = waiting(by_security(2, refusals=2), by_ops(refusals=2))
    request = handed(request, DORA, BEN)
    request = approval.refuse(request, BEN, AT)

    with pytest.raises(DuplicateDecision) as refused:
        approval.refuse(request, BEN, AT, requirement_id=by_ops(refusals=2).id)

    assert refused.value.message == (
        "ben has refused request 'r1' already by their own right, and one person counts once."
    )
    granted_ = approval.grant(request, BEN, AT, requirement_id=by_ops(refusals=2).id)
    assert standing(granted_) == [("ben", "grant", "dora")]


def test_where_their_own_right_is_about_nothing_missing_they_answer_in_anothers_place() -> None:
    request = handed(waiting(by_security(), by_ops()), DORA, BEN)
    request = approval.grant(request, CARL, AT, requirement_id=by_security().id)

    request = granted(request, BEN)

    assert request.status is Status.APPROVED
    assert ("ben", "grant", "dora") in standing(request)


def test_who_stands_in_for_two_answers_for_the_one_who_has_not() -> None:
    request = handed(handed(waiting(by_security(2)), BEN, EVE), CARL, EVE)
    assert standing(granted(request, EVE)) == [("eve", "grant", "ben")]

    request = granted(granted(request, BEN), EVE)

    assert standing(request) == [("ben", "grant", None), ("eve", "grant", "carl")]
    assert request.status is Status.APPROVED


def test_who_stands_in_for_two_stays_with_the_one_they_answered_for() -> None:
    asked = by_security(2, refusals=3)
    request = granted(handed(handed(waiting(asked), BEN, EVE), CARL, EVE), EVE)

    assert standing(approval.refuse(request, EVE, AT)) == [("eve", "refuse", "ben")]
    with pytest.raises(DuplicateDecision):
        granted(request, EVE)


def test_who_stands_in_for_one_and_is_stood_in_for_by_another_counts_once() -> None:
    request = waiting(by("ben"), by("carl"), by("eve", "olga", needed=2))
    request = handed(handed(request, BEN, CARL), CARL, DORA)
    request = approval.grant(request, CARL, AT, requirement_id=by("ben").id)
    assert standing(request) == [("carl", "grant", "ben")]

    request = granted(request, DORA)

    assert standing(request) == [("dora", "grant", "carl")]
    assert [a.names for a in request.answers] == [{"dora", "carl"}]


def test_g6_what_was_handed_on_twice_in_a_row_counts_once() -> None:
    request = granted(handed(waiting(by_security(2)), BEN, EVE), EVE)

    request = granted(handed(request, BEN, OLGA), OLGA)

    assert standing(request) == [("olga", "grant", "ben")]
    assert request.status is Status.PENDING


def test_either_of_the_two_takes_it_back() -> None:
    request = granted(handed(waiting(by_security()), BEN, EVE), EVE)

    for sender, approver in ((BEN, "eve"), (EVE, None)):
        after = approval.withdraw(request, sender, AT)
        assert after.answers == ()
        told = next(d for d in after.decisions if d.code == "Withdrawn")
        assert (told.actor_id, told.metadata.get("approver")) == (sender.id, approver)
    with pytest.raises(NothingToWithdraw):
        approval.withdraw(request, CARL, AT)


def test_a_grant_given_in_anothers_place_grows_old_and_is_re_affirmed() -> None:
    request = granted(handed(waiting(by_security(2, lifetime=DAY)), BEN, EVE), EVE)
    request = agenda.ring(request, later(days=1))
    assert request.answers == ()

    again = granted(request, EVE, at=later(days=1))

    assert codes(again)[-1] == "Reaffirmed"
    assert standing(again) == [("eve", "grant", "ben")]


# The right is looked at again.


def test_what_was_granted_in_time_stands_when_the_time_is_over() -> None:
    request = handed(waiting(by_security(), by_ops()), BEN, EVE, until=later(hours=1))
    request = granted(request, EVE)

    request = agenda.ring(request, later(days=1))

    assert request.delegations == ()
    assert the(request, by_security()).granted_by == ("eve",)
    assert resolution.revoked(request, DIRECTORY) == ()


@pytest.mark.parametrize(
    ("directory", "lost"),
    [
        (DIRECTORY, ()),
        (without(BEN), ("eve",)),
        (without(EVE), ("eve",)),
        (Directory.of([ANA, person("ben"), CARL, EVE]), ("eve",)),
        (without(CARL), ()),
    ],
)
def test_g10_the_right_is_looked_at_where_it_came_from(
    directory: Directory, lost: tuple[str, ...]
) -> None:
    request = granted(handed(waiting(by_security()), BEN, EVE), EVE)

    assert resolution.revoked(request, directory) == lost


def test_a_changed_effect_asks_whoever_stood_in_again_while_it_is_their_time() -> None:
    request = granted(handed(waiting(by_security()), BEN, EVE), EVE)

    after = resolution.adopt(
        request, assessment(by_security(), version=4, does=effect(limit=7)), later(hours=1)
    )

    assert after.answers == ()
    assert after.awaiting == ("role:security", "user:eve")
    assert granted(after, EVE, at=later(hours=2)).status is Status.APPROVED


# The words.


def test_by_which_rights_somebody_may_answer_is_said_in_one_place() -> None:
    request = handed(waiting(by_security(), by_ops(), by("eve")), CARL, BEN)
    security, ops, eve = (the(request, r) for r in (by_security(), by_ops(), by("eve")))

    assert rights.rights(request, BEN, [ops, security, eve], AT) == (
        rights.Right((security,)),
        rights.Right((ops, security), "carl"),
    )
    assert rights.rights(request, BEN, [eve], AT) == ()
    assert rights.who(request, ops) == ("group:ops", "user:ben")
    assert rights.who(request, eve) == ("user:eve",)


def test_an_answer_is_left_with_what_still_holds() -> None:
    answer = Answer(
        actor_id="Ben",
        verdict="grant",
        bindings={"a": "1", "b": "2"},
        decision=1,
        at=later(hours=1),
        since={"a": AT},
        in_place_of="Carl",
    )

    assert answer.names == {"ben", "carl"}
    assert (answer.given_at("a"), answer.given_at("b")) == (AT, later(hours=1))
    assert answer.holding({"a": "1", "b": "2"}) == answer
    left = answer.holding({"a": "other", "b": "2"})
    assert left is not None
    assert (left.bindings, left.since) == ({"b": "2"}, {})
    assert answer.holding({}) is None


def test_settling_after_it_is_handed_on_changes_nothing() -> None:
    request = handed(waiting(by_security()), BEN, EVE)

    assert fulfilment.settle(request, later(hours=5)) == request
