"""What time brings by itself: reminders, escalations, and grants that grow too old."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from core.errors import DuplicateDecision, NotAuthorised, NothingToWithdraw, OutdatedBinding
from core.governance import agenda, approval, fulfilment, resolution
from core.governance.assessment import Plan, assess, unfillable
from core.governance.lifecycle import close, hold
from core.governance.people import Directory
from core.governance.request import Category, Closing, Finding, MutationRequest, Status
from core.mutation import RiskLevel
from core.policy import policy, require
from core.requirements import Requirement, Strategy, Who, either
from tests.core.builders import (
    ANA,
    AT,
    BEN,
    CARL,
    DIRECTORY,
    DORA,
    EVE,
    IncreaseQuota,
    assessment,
    by,
    by_ops,
    by_security,
    codes,
    created,
    effect,
    granted,
    later,
    person,
    run,
    waiting,
)

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
OPS = Who(groups=("ops",))


def aging(needed: int = 1, **more: Any) -> Requirement:
    """Answer an approval whose grants count for a day."""
    return by_security(needed, lifetime=DAY, **more)


def escalating(needed: int = 1, **more: Any) -> Requirement:
    """Answer an approval by security that ops may give as well after an hour."""
    return by_security(needed, escalate_after=HOUR, escalate_to=OPS, **more)


def the(request: MutationRequest, requirement: Requirement) -> Any:
    found = request.requirement(requirement.id)
    assert found is not None
    return found


def rung(request: MutationRequest, at: datetime) -> MutationRequest:
    """Answer the request once what was due has been done; then nothing is due any more."""
    done = agenda.ring(request, at)

    assert agenda.ring(done, at) is done
    assert done.closing is not None or agenda.next_moment(done) > at
    return done


# The one schedule.


def test_without_times_of_its_own_a_request_has_its_deadlines_and_nothing_else() -> None:
    for request in (
        created(),
        waiting(by_security()),
        waiting(by_security(duration=HOUR), by_ops(step=2)),
        granted(waiting(by_security(2, duration=HOUR)), BEN),
        granted(waiting(by_security()), BEN),
    ):
        assert agenda.next_moment(request) == fulfilment.next_deadline(request)
        assert agenda.ring(request, later(days=13)) is request


def test_what_is_to_be_looked_at_again_is_one_of_the_moments() -> None:
    quota = Requirement.quota("deploys", "budgets/deploys")
    request = waiting(quota)
    again = Finding(
        verdict="not_yet", at=AT, binding=quota.id, actor_id="system", again_at=later(hours=3)
    )
    looked = fulfilment.with_findings(request, {quota.id: again}, AT)

    assert agenda.next_moment(looked) == later(hours=3)
    assert agenda.ring(looked, later(hours=3)) is looked


def test_the_earliest_of_all_comes_first() -> None:
    both = by_security(2, duration=4 * HOUR, remind_before=HOUR, lifetime=2 * HOUR)
    request = waiting(both)
    assert agenda.next_moment(request) == later(hours=3)

    request = granted(request, BEN)
    assert agenda.next_moment(request) == later(hours=2)


@pytest.mark.parametrize("how", ["closing", "ended"])
def test_nothing_is_due_where_the_request_ends(how: str) -> None:
    request = granted(waiting(aging(2, remind_before=HOUR)), BEN)
    closing = Closing(status=Status.CANCELED, actor_id="ana")
    request = request.model_copy(update={"closing": closing})
    if how == "ended":
        request = close(request, closing, AT)

    assert agenda.ring(request, later(days=30)) is request
    assert agenda.lapse(request, later(days=30)) is request


def test_what_is_due_is_done_in_the_order_in_which_it_was_due() -> None:
    late = by_ops(remind_before=timedelta(days=13))
    request = granted(waiting(escalating(2, lifetime=2 * HOUR), late), BEN)

    done = rung(request, later(days=2))

    told = [(d.code, d.metadata.get("requirement")) for d in done.decisions]
    assert told[len(request.decisions) :] == [
        ("Escalated", escalating(2, lifetime=2 * HOUR).id),
        ("Lapsed", None),
        ("Reminded", late.id),
    ]
    assert {d.at for d in done.decisions[len(request.decisions) :]} == {later(days=2)}


def test_what_is_due_at_once_is_done_so_that_whoever_is_let_in_is_reminded() -> None:
    request = waiting(escalating(duration=2 * HOUR, remind_before=HOUR))

    done = rung(request, later(hours=1))

    assert codes(done)[-2:] == ["Escalated", "Reminded"]
    assert done.decisions[-1].metadata["who"] == ["role:security", "group:ops"]


# Reminders.


def test_people_are_reminded_so_long_before_the_deadline_of_what_they_are_asked() -> None:
    asked = by_security(duration=DAY, remind_before=2 * HOUR)
    request = waiting(asked)
    assert agenda.next_moment(request) == later(hours=22)
    assert agenda.ring(request, later(hours=21, minutes=59)) is request

    done = rung(request, later(hours=22))

    told = done.decisions[-1]
    assert (told.category, told.code, told.actor_id) == (
        Category.APPROVAL,
        "Reminded",
        "system:mutator",
    )
    assert (
        told.reason == f"role:security: 1 of role:security is due by {later(days=1).isoformat()}."
    )
    assert told.metadata == {
        "requirement": asked.id,
        "who": ["role:security"],
        "until": later(days=1).isoformat(),
    }
    assert the(done, asked).reminded_at == later(hours=22)
    assert agenda.next_moment(done) == later(days=1)


def test_where_it_has_no_deadline_of_its_own_the_requests_counts() -> None:
    request = waiting(by_security(remind_before=DAY))

    assert agenda.next_moment(request) == later(days=13)
    assert rung(request, later(days=13)).decisions[-1].metadata["until"] == (
        later(days=14).isoformat()
    )


def test_a_deadline_of_its_own_beyond_the_requests_is_the_requests() -> None:
    request = waiting(by_security(duration=timedelta(days=90), remind_before=DAY))

    assert agenda.next_moment(request) == later(days=13)


def test_what_opens_too_late_for_that_is_reminded_of_at_once() -> None:
    request = waiting(by_security(duration=HOUR, remind_before=2 * HOUR))

    assert agenda.next_moment(request) == AT
    assert codes(rung(request, AT))[-1] == "Reminded"


def test_people_are_reminded_once_whenever_it_opens() -> None:
    asked = by_security(duration=DAY, remind_before=2 * HOUR)
    request = rung(waiting(asked), later(hours=22))
    request = granted(request, BEN, at=later(hours=22))
    assert request.status is Status.APPROVED

    request = approval.withdraw(request, BEN, later(hours=23))

    assert the(request, asked).reminded_at is None
    assert agenda.next_moment(request) == later(hours=45)
    assert codes(rung(request, later(hours=45))).count("Reminded") == 2


def test_nobody_is_reminded_of_what_is_not_open_or_met_already() -> None:
    first = by_security(remind_before=timedelta(days=20))
    second = by_ops(step=2, remind_before=timedelta(days=20))
    request = rung(waiting(first, second), AT)
    assert codes(request).count("Reminded") == 1

    request = rung(granted(request, BEN), AT)

    assert [d.metadata["requirement"] for d in request.decisions if d.code == "Reminded"] == [
        first.id,
        second.id,
    ]


def test_a_review_is_reminded_of_and_escalated_like_an_approval() -> None:
    review = Requirement.review(
        roles=["security"], needed=1, remind_before=DAY, escalate_after=DAY, escalate_to=OPS
    )

    done = rung(waiting(review), later(days=13))

    assert codes(done)[-2:] == ["Escalated", "Reminded"]
    assert {d.category for d in done.decisions[-2:]} == {Category.APPROVAL}


def test_a_check_has_a_deadline_and_no_reminder() -> None:
    check = Requirement.check("ci", people=["ci"]).model_copy(update={"remind_before": DAY})

    assert agenda.next_moment(waiting(check)) == later(days=14)


# Escalation.


def test_after_its_time_others_may_answer_as_well() -> None:
    request = waiting(escalating(2))
    assert request.awaiting == ("role:security",)
    with pytest.raises(NotAuthorised, match="who may: role:security\\."):
        approval.grant(request, DORA, AT)

    done = rung(request, later(hours=1))

    told = done.decisions[-1]
    assert (told.category, told.code) == (Category.APPROVAL, "Escalated")
    assert told.reason == "2 of role:security is still open; group:ops may answer as well."
    assert told.metadata == {"requirement": escalating(2).id, "who": ["group:ops"]}
    assert the(done, escalating(2)).escalated_at == later(hours=1)
    assert done.awaiting == ("role:security", "group:ops")
    assert done.pending[0].text == "approval by 2 of role:security, group:ops"
    with pytest.raises(NotAuthorised, match="who may: role:security, group:ops\\."):
        approval.grant(done, EVE, later(hours=1))
    assert granted(done, DORA, BEN, at=later(hours=2)).status is Status.APPROVED


def test_it_is_escalated_once() -> None:
    request = rung(waiting(escalating()), later(hours=1))
    request = granted(request, BEN, at=later(hours=1))

    request = approval.withdraw(request, BEN, later(hours=2))

    assert codes(rung(request, later(days=5))).count("Escalated") == 1
    assert request.awaiting == ("role:security", "group:ops")


def test_what_is_met_in_time_is_not_escalated() -> None:
    request = waiting(escalating(), by_ops(2))

    request = granted(request, BEN)

    assert "Escalated" not in codes(rung(request, later(days=2)))


def test_whoever_may_answer_since_counts_for_whether_a_quorum_can_be_reached() -> None:
    asked = by("ben", "carl", needed=2, refusals=None, escalate_after=HOUR, escalate_to=OPS)
    request = waiting(asked)
    assert approval.refuse(request, BEN, AT).closing is not None

    request = approval.refuse(rung(request, later(hours=1)), BEN, later(hours=1))

    assert request.closing is None
    assert approval.refuse(request, DORA, later(hours=2)).closing is not None


def test_an_escalation_stands_in_a_new_round_while_nothing_it_was_about_changed() -> None:
    asked = escalating(covers=["/limit"])
    other = by("eve", covers=["/plan"])
    request = rung(waiting(asked, other), later(hours=1))
    request = granted(request, EVE, DORA, at=later(hours=1))
    assert request.status is Status.APPROVED

    for does, stands in ((effect(limit=120, plan="pro"), True), (effect(limit=7), False)):
        found = assessment(asked, other, version=4, does=does)
        after = resolution.adopt(request, found, later(hours=2))

        assert after.round == 2
        assert the(after, asked).is_escalated is stands
        assert (the(after, asked).status == "fulfilled") is stands


def test_g10_whoever_was_let_in_is_looked_at_by_the_right_they_answered_by() -> None:
    request = granted(rung(waiting(escalating()), later(hours=1)), DORA, at=later(hours=1))

    assert resolution.revoked(request, DIRECTORY) == ()
    nobody = Directory.of([ANA, BEN, person("dora")])
    assert resolution.revoked(request, nobody) == ("dora",)


def test_whoever_is_let_in_may_ask_for_a_refresh() -> None:
    request = waiting(escalating())
    with pytest.raises(NotAuthorised):
        resolution.raise_unless_refreshable(request, DORA)

    resolution.raise_unless_refreshable(rung(request, later(hours=1)), DORA)


def assessed(*requirements: Requirement, directory: Directory = DIRECTORY, **more: Any) -> Any:
    @policy()
    def strict(mutation: Any, state: Any, context: Any, facts: Any) -> Any:
        return require(*requirements)

    return assess(
        run(IncreaseQuota(amount=1), strict),
        state_digest="s",
        policy_set_digest="p",
        strategy=Strategy.KEEP_IF_UNAFFECTED,
        expires_in=DAY,
        directory=directory,
        requesters=["ana"],
        plan=Plan(),
        **more,
    )


def test_an_assessment_says_how_many_could_answer_before_and_after_an_escalation() -> None:
    found = assessed(escalating(), by_ops())

    assert found.able == {escalating().id: 2, by_ops().id: 2}
    assert found.able_escalated == {escalating().id: 3}
    request = resolution.assessed(created(), found, AT)
    assert [r.able_escalated for r in request.requirements] == [
        3 if r.requirement.escalate_to else 0 for r in request.requirements
    ]


def test_a_seat_that_only_an_escalation_fills_can_be_filled() -> None:
    asked = by("zoe", escalate_after=HOUR, escalate_to=OPS)

    assert unfillable(assessment(asked), DIRECTORY, ["ana"]) is None
    nobody = by("zoe", escalate_after=HOUR, escalate_to=Who(people=("yan",)))
    assert unfillable(assessment(nobody), DIRECTORY, ["ana"]) is not None


def test_g10_an_escalation_to_whom_the_directory_does_not_know_blocks_by_name() -> None:
    asked = by_security(escalate_after=HOUR, escalate_to=Who(roles=("ghosts",)))

    rejection = unfillable(assessment(asked), DIRECTORY, ["ana"])

    assert rejection is not None
    assert "role:ghosts" in rejection.message


# Grants that grow too old.


def test_a_grant_counts_until_its_lifetime_is_over() -> None:
    request = granted(waiting(aging(2)), BEN)
    assert agenda.next_moment(request) == later(days=1)

    done = rung(request, later(days=1))

    told = done.decisions[-1]
    assert (told.category, told.code, told.actor_id) == (
        Category.APPROVAL,
        "Lapsed",
        "system:mutator",
    )
    assert told.reason == "The grant of ben has grown too old for 2 of role:security."
    assert told.metadata == {"approver": "ben", "requirements": [aging(2).id]}
    assert done.answers == ()
    assert the(done, aging(2)).granted_by == ()
    assert the(done, aging(2)).lapsed == ("ben",)
    with pytest.raises(NothingToWithdraw):
        approval.withdraw(done, BEN, later(days=1))


def test_what_it_filled_is_open_again_for_its_whole_duration() -> None:
    asked = aging(duration=2 * DAY)
    request = granted(waiting(asked, by_ops(2)), BEN)
    assert the(request, asked).status == "fulfilled"

    done = rung(request, later(days=1))

    assert codes(done)[-2:] == ["Lapsed", "Reopened"]
    assert the(done, asked).status == "open"
    assert the(done, asked).deadline == later(days=3)


def test_a_refusal_does_not_grow_old() -> None:
    request = approval.refuse(waiting(aging(refusals=2)), BEN, AT)

    assert agenda.next_moment(request) == later(days=14)
    assert rung(request, later(days=5)) is request


def test_each_requirement_a_grant_counts_for_has_its_own_age() -> None:
    short, long = by_security(2, lifetime=HOUR), by("ben", "dora", needed=2, lifetime=DAY)
    request = granted(waiting(short, long), BEN)

    done = rung(request, later(hours=1))

    assert [a.bindings.keys() for a in done.answers] == [{long.id}]
    assert codes(done).count("Lapsed") == 1
    assert done.decisions[-1].reason == "The grant of ben has grown too old for 2 of role:security."
    assert (the(done, short).lapsed, the(done, long).lapsed) == (("ben",), ())
    assert agenda.next_moment(done) == later(days=1)


def test_what_is_granted_later_does_not_make_the_earlier_grant_any_younger() -> None:
    first, second = aging(), by_ops(step=2, needed=2)
    request = waiting(first, by("eve"), second)
    request = granted(request, CARL, EVE)
    request = approval.grant(request, CARL, later(hours=20), requirement_id=second.id)
    (answer,) = (a for a in request.answers if a.actor_id == "carl")
    assert answer.given_at(first.id) == AT
    assert answer.given_at(second.id) == later(hours=20)
    assert answer.since == {first.id: AT}

    done = rung(request, later(days=1))

    assert the(done, first).status == "open"
    assert [a.since for a in done.answers if a.actor_id == "carl"] == [{}]


def test_several_that_grow_old_at_once_lapse_one_by_one() -> None:
    request = granted(waiting(aging(2), by_ops(2, step=2)), BEN, CARL)

    done = rung(request, later(days=1))

    assert codes(done)[-3:] == ["Lapsed", "Lapsed", "Reopened"]
    assert the(done, aging(2)).lapsed == ("ben", "carl")


def test_while_an_approved_request_is_held_its_grants_grow_old_and_it_waits_again() -> None:
    request = granted(waiting(aging()), BEN)
    assert request.status is Status.APPROVED
    assert agenda.next_moment(request) == later(days=14)
    assert agenda.ring(request, later(days=2)) is request

    request = hold(request, "a provider is missing", AT)
    assert agenda.next_moment(request) == later(days=1)

    done = rung(request, later(days=1))
    assert done.status is Status.PENDING
    assert done.held is None
    assert codes(done)[-3:] == ["Lapsed", "Reopened", "Pending"]


def test_how_long_a_grant_counts_goes_by_the_risk_where_its_requirement_does_not_say() -> None:
    lifetimes = {RiskLevel.LOW: 3 * DAY, RiskLevel.HIGH: HOUR}
    review = Requirement.review(roles=["security"], needed=1)
    check = Requirement.check("ci")
    found = assessed(by_security(), by_ops(lifetime=HOUR), review, check, lifetimes=lifetimes)

    request = resolution.assessed(created(), found, AT)

    assert {r.requirement.describe(): r.lifetime for r in request.requirements} == {
        "1 of role:security": 3 * DAY,
        "1 of group:ops": HOUR,
        "review by 1 of role:security": 3 * DAY,
        "check ci": None,
    }


# Re-affirming.


def test_whoever_granted_re_affirms_in_one_act_what_they_granted() -> None:
    request = rung(granted(waiting(aging()), BEN), AT)
    request = hold(request, "a provider is missing", AT)

    again = granted(request, BEN, at=later(hours=20))

    assert codes(again)[-1] == "Reaffirmed"
    assert again.status is Status.APPROVED
    assert agenda.next_moment(again) == later(hours=44)


def test_a_grant_that_lapsed_is_re_affirmed_in_one_act() -> None:
    request = granted(waiting(aging(), by_ops(2)), BEN)
    request = rung(request, later(days=1))

    again = granted(request, BEN, at=later(days=2))

    assert codes(again)[-2:] == ["Reaffirmed", "QuorumSatisfied"]
    assert the(again, aging()).lapsed == ()
    assert the(again, aging()).granted_by == ("ben",)


def test_where_every_grant_had_lapsed_none_is_too_old_any_more_once_it_is_re_affirmed() -> None:
    request = rung(granted(waiting(aging(2)), BEN), later(days=1))
    assert all(r.lapsed == ("ben",) for r in request.requirements)

    again = granted(request, BEN, at=later(days=2))

    assert all(r.lapsed == () for r in again.requirements)


def test_where_grants_do_not_grow_old_a_second_one_is_a_duplicate() -> None:
    request = granted(waiting(by_security(2)), BEN)

    with pytest.raises(DuplicateDecision, match="ben has granted request 'r1' already"):
        granted(request, BEN, at=later(days=5))


def test_what_is_granted_besides_makes_it_a_grant() -> None:
    request = granted(waiting(aging(2), by_ops(2, step=2)), BEN, CARL)

    again = granted(request, CARL, at=later(hours=20))

    assert codes(again)[-1] == "Granted"
    (answer,) = (a for a in again.answers if a.actor_id == "carl")
    assert answer.since == {}


def test_whoever_has_spoken_since_grants_anew() -> None:
    request = rung(granted(waiting(aging(refusals=2), by_ops(2)), BEN), later(days=1))
    refused = approval.refuse(request, BEN, later(days=1))
    assert the(refused, aging(refusals=2)).lapsed == ()

    assert codes(granted(refused, BEN, at=later(days=1)), len(refused.decisions))[0] == "Granted"


def test_withdrawing_forgets_what_had_lapsed() -> None:
    short, long = by_security(2, lifetime=HOUR), by("ben", "dora", needed=2)
    request = rung(granted(waiting(short, long), BEN), later(hours=1))

    request = approval.withdraw(request, BEN, later(hours=1))

    assert the(request, short).lapsed == ()
    assert codes(granted(request, BEN, at=later(hours=2)))[-1] == "Granted"


def test_what_has_changed_is_not_re_affirmed_but_granted() -> None:
    request = rung(granted(waiting(aging()), BEN), AT)
    request = rung(hold(request, "missing", AT), later(days=1))
    seen = request.binding

    changed = resolution.adopt(
        request, assessment(aging(), version=4, does=effect(limit=7)), later(days=1)
    )

    assert the(changed, aging()).lapsed == ()
    with pytest.raises(OutdatedBinding):
        approval.grant(changed, BEN, later(days=1), binding=seen)
    assert codes(granted(changed, BEN, at=later(days=1)))[-3] == "Granted"


def test_what_lapsed_is_re_affirmed_after_a_new_assessment_that_changed_nothing_of_it() -> None:
    request = rung(granted(waiting(aging(2)), BEN), later(days=1))

    same = resolution.adopt(request, assessment(aging(2), version=9), later(days=1))

    assert codes(granted(same, BEN, at=later(days=1)))[-1] == "Reaffirmed"


# At resolution.


def resolve(
    request: MutationRequest, at: datetime, *requirements: Requirement, **more: Any
) -> tuple[resolution.Resolution, MutationRequest]:
    demanded = requirements or tuple(r.requirement for r in request.requirements)
    found = resolution.resolve(
        request, assessment(*demanded, **more), directory=DIRECTORY, at=at, fence=1
    )
    return found, resolution.resolved(request, found)


def test_g2_a_grant_too_old_does_not_count_at_resolution_whether_or_not_it_has_rung() -> None:
    request = granted(waiting(aging()), BEN)

    early, _ = resolve(request, later(hours=23))
    assert early.outcome.executes

    late, after = resolve(request, later(days=1))
    assert late.outcome is resolution.ResolutionOutcome.INELIGIBLE
    assert late.reasons == (
        "it is Pending, not Approved",
        "unmet: 1 of role:security",
        "the grant of ben has grown too old",
    )
    assert after.status is Status.PENDING
    assert codes(after, len(request.decisions)) == ["Lapsed", "Reopened", "Pending"]


def test_one_that_is_not_needed_is_left_out_and_the_request_executes() -> None:
    request = granted(waiting(aging()), BEN)
    request = granted(request, CARL, at=later(hours=10))

    found, after = resolve(request, later(days=1))

    assert found.outcome.executes
    assert after.status is Status.APPROVED
    assert the(after, aging()).granted_by == ("carl",)
    assert "Lapsed" in codes(after)


def test_a_held_request_is_held_whatever_has_grown_old() -> None:
    request = granted(waiting(aging()), BEN)
    held = resolution.Resolution(
        round=1,
        fence=1,
        at=later(days=2),
        outcome=resolution.ResolutionOutcome.HELD,
        held="missing",
    )

    after = resolution.resolved(request, held)

    assert after.held is not None
    assert agenda.next_moment(after) == later(days=1)


# Durations beside what was waited for.


def test_a_duration_runs_anew_where_another_alternative_was_waited_for_meanwhile() -> None:
    slow, quick = by_ops(duration=2 * DAY), by("eve", lifetime=DAY)
    (choice,) = either([[slow], [quick]])
    request = granted(waiting(choice, by_security()), EVE, at=later(days=1))
    assert fulfilment.next_deadline(request) == later(days=14)

    done = rung(request, later(days=5))

    assert the(done, slow).deadline == later(days=7)
    assert fulfilment.expire(done, later(days=5)) is done
