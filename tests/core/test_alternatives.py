"""Of alternatives one suffices: its own steps, refusals and deadlines, and one seat a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.errors import DeadlinePassed, DuplicateDecision, StepNotOpen, UnknownRequirement
from core.facts import Facts
from core.governance import approval, fulfilment, resolution
from core.governance.alternatives import MAX_WAYS, every, number_of_ways, ways
from core.governance.assessment import Plan, assess, unfillable
from core.governance.lifecycle import close
from core.governance.people import Directory, Person
from core.governance.request import MutationRequest, Status
from core.policy import policy, require
from core.requirements import ANY, Requirement, Strategy, either
from tests.core.builders import (
    ANA,
    AT,
    BEN,
    CARL,
    DIRECTORY,
    DORA,
    EVE,
    OLGA,
    IncreaseQuota,
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
    run,
    waiting,
    without,
)

SECURITY, OPS, EXEC = by_security(), by_ops(), by("eve")


def choice(*sets: tuple[Requirement, ...]) -> Requirement:
    """Answer the one requirement of which any of the sets suffices."""
    (one,) = either(sets)
    return one


def statuses(request: MutationRequest) -> dict[str, str]:
    return {r.requirement.describe(): r.status for r in request.requirements}


def status_of(request: MutationRequest, requirement: Requirement) -> str:
    found = request.requirement(requirement.id)
    assert found is not None
    return found.status


def refused(request: MutationRequest, who: Person, **more: Any) -> MutationRequest:
    return approval.refuse(request, who, AT, binding=request.binding, **more)


EITHER = choice((SECURITY,), (OPS,))


# What there is to answer.


def test_the_members_of_every_alternative_are_asked_from_the_start() -> None:
    request = waiting(EITHER)

    assert statuses(request) == {
        EITHER.describe(): "open",
        "1 of role:security": "open",
        "1 of group:ops": "open",
    }
    assert request.demanded == (request.requirements[0],)
    assert set(request.awaiting) == {"role:security", "group:ops"}


@pytest.mark.parametrize("who", [BEN, DORA])
def test_either_suffices(who: Person) -> None:
    request = granted(waiting(EITHER), who)

    assert request.status is Status.APPROVED
    assert request.pending == ()
    assert EITHER.is_met(request.fulfilled)
    assert len(request.fulfilled) == 2
    assert codes(request)[-4:] == ["Granted", "QuorumSatisfied", "Fulfilled", "Approved"]


def test_an_alternative_has_to_be_met_whole() -> None:
    both = choice((SECURITY, EXEC), (by_ops(2),))

    request = granted(waiting(both), BEN)

    assert request.status is Status.PENDING
    assert both.id not in request.fulfilled
    assert granted(request, EVE).status is Status.APPROVED


def test_g1_parts_of_two_alternatives_make_no_whole_one() -> None:
    both = choice((SECURITY, EXEC), (by("olga"), by("dora")))

    request = granted(waiting(both), BEN, OLGA)

    assert request.status is Status.PENDING
    assert request.fulfilled == ()


def test_what_else_is_demanded_is_demanded_as_well() -> None:
    request = granted(waiting(EITHER, EXEC), BEN)

    assert request.status is Status.PENDING
    assert [reason.requirement_id for reason in request.pending] == [EXEC.id]
    assert granted(request, EVE).status is Status.APPROVED


def test_what_is_in_an_alternative_and_demanded_besides_is_asked_once() -> None:
    request = granted(waiting(choice((SECURITY,), (OPS, EXEC)), SECURITY), BEN)

    assert request.status is Status.APPROVED
    assert [r.id for r in request.requirements].count(SECURITY.id) == 1


def test_alternatives_stand_in_alternatives() -> None:
    nested = choice((choice((SECURITY,), (OPS,)), EXEC), (by("olga"),))
    assert len(ways(nested)) == number_of_ways([nested]) == 3

    assert granted(waiting(nested), OLGA).status is Status.APPROVED
    assert granted(waiting(nested), DORA).status is Status.PENDING
    assert granted(waiting(nested), DORA, EVE).status is Status.APPROVED
    assert granted(waiting(nested), EVE, BEN).status is Status.APPROVED


# One seat a person, over one choice.


def test_g6_one_person_fills_one_seat_in_the_alternative_that_is_taken() -> None:
    request = granted(waiting(choice((SECURITY, OPS), (EXEC,))), CARL)

    assert request.status is Status.PENDING
    assert granted(request, DORA).status is Status.APPROVED


def test_g6_nobody_sits_in_an_alternative_and_beside_it() -> None:
    request = granted(waiting(choice((OPS,), (EXEC,)), SECURITY), CARL)

    assert request.status is Status.PENDING
    assert len(request.pending) == 1
    for other in (BEN, DORA, EVE):
        assert granted(request, other).status is Status.APPROVED


def test_another_alternative_is_taken_when_that_lets_the_next_one_be_met() -> None:
    first, second = choice((SECURITY,), (EXEC,)), choice((OPS,), (by("olga"),))

    request = granted(waiting(first, second), CARL)
    assert request.status is Status.PENDING

    assert granted(request, EVE).status is Status.APPROVED


@pytest.mark.parametrize(("first", "second"), [(BEN, DORA), (DORA, BEN)])
def test_the_alternative_that_was_met_first_stays_the_one_that_counts(
    first: Person, second: Person
) -> None:
    request = granted(waiting(EITHER, EXEC), first)

    after = granted(request, second)

    assert after.fulfilled == request.fulfilled
    assert codes(after, len(request.decisions)) == ["Granted"]


def test_g6_the_requester_counts_in_no_alternative() -> None:
    found = unfillable(
        assessment(choice((by("ana"),), (by("ana", "ben", needed=2),))), DIRECTORY, ["ana"]
    )

    assert found is not None
    assert found.code == "no_approver"
    assert "no alternative can be filled" in found.message


def test_a_seat_that_nobody_can_fill_closes_its_alternative_only() -> None:
    surgeon = Requirement.approval(roles=["surgeon"], needed=1)

    assert unfillable(assessment(choice((surgeon,), (OPS,))), DIRECTORY, ["ana"]) is None
    assert unfillable(assessment(choice((by_ops(5),), (OPS,))), DIRECTORY, ["ana"]) is None
    found = unfillable(
        assessment(choice((surgeon,), (Requirement.approval(groups=["surgery"], needed=1),))),
        DIRECTORY,
        ["ana"],
    )
    assert found is not None
    assert found.metadata["unknown"] in (
        ["role:surgeon", "group:surgery"],
        ["group:surgery", "role:surgeon"],
    )


def test_g6_one_person_for_every_way_is_found_at_submission() -> None:
    only_carl = without(BEN, DORA)
    demanded = [choice((SECURITY,), (OPS,)), by("carl")]

    assert all(unfillable(assessment(r), only_carl, ["ana"]) is None for r in demanded)
    assert unfillable(assessment(*demanded), only_carl, ["ana"]) is not None


# Steps.


def test_the_steps_of_an_alternative_go_on_in_order_whatever_the_others_do() -> None:
    stepped = choice((SECURITY, by("eve", step=2)), (by_ops(2),))
    request = waiting(stepped)
    with pytest.raises(StepNotOpen):
        approval.grant(request, EVE, AT)

    request = granted(request, BEN)

    assert status_of(request, by("eve", step=2)) == "open"
    assert granted(request, EVE).status is Status.APPROVED


def test_a_step_opens_though_its_people_could_sit_in_the_other_alternative() -> None:
    stepped = choice((by_security(2),), (OPS, by("eve", step=2)))

    request = granted(waiting(stepped), CARL, EVE)

    assert request.status is Status.APPROVED


def test_a_later_step_waits_until_one_alternative_is_met() -> None:
    request = waiting(choice((SECURITY, EXEC), (OPS,)), by("olga", step=2))

    request = granted(request, BEN)
    assert status_of(request, by("olga", step=2)) == "waiting"

    assert status_of(granted(request, DORA), by("olga", step=2)) == "open"


def test_alternatives_of_a_later_step_wait_with_it() -> None:
    late = choice((by_security(step=2),), (by_ops(step=2),))
    request = waiting(EXEC, late)
    assert set(statuses(request).values()) == {"open", "waiting"}
    with pytest.raises(StepNotOpen):
        approval.grant(request, BEN, AT)

    assert granted(request, EVE, BEN).status is Status.APPROVED


# Refusals.


def test_a_refusal_ends_its_own_alternative_only() -> None:
    request = refused(waiting(EITHER), BEN)

    assert request.closing is None
    assert request.awaiting == ("group:ops",)
    assert granted(request, DORA).status is Status.APPROVED


def test_a_refusal_where_none_is_left_rejects_and_names_everybody() -> None:
    request = refused(refused(waiting(EITHER), BEN), DORA, reason="too much")

    assert request.closing is not None
    rejected = close(request, request.closing, AT)
    assert rejected.status is Status.REJECTED
    assert rejected.rejection is not None
    assert rejected.rejection.message == "Refused by ben, dora: too much"
    assert rejected.rejection.metadata["requirement"] == EITHER.id


def test_whoever_is_named_in_each_may_refuse_one_of_them() -> None:
    whole = refused(waiting(EITHER), CARL)
    one = refused(waiting(EITHER), CARL, requirement_id=OPS.id)

    assert whole.closing is not None
    assert one.closing is None
    assert granted(one, BEN).status is Status.APPROVED


def test_a_decision_may_name_the_choice_and_means_all_it_could_count_for() -> None:
    request = waiting(EITHER, EXEC)

    one = approval.grant(request, CARL, AT, requirement_id=EITHER.id)

    assert EITHER.id in one.fulfilled
    with pytest.raises(UnknownRequirement):
        approval.grant(waiting(check()), BEN, AT, requirement_id=EITHER.id)


def test_whoever_changes_their_mind_gives_the_alternative_back() -> None:
    request = refused(waiting(EITHER), BEN)

    assert granted(request, BEN).status is Status.APPROVED


def test_a_refusal_of_what_was_met_goes_back_to_what_is_left() -> None:
    request = granted(waiting(EITHER, EXEC), BEN)
    assert EITHER.id in request.fulfilled

    request = refused(request, BEN)

    assert request.closing is None
    assert codes(request)[-3:] == ["Refused", "Reopened", "Reopened"]
    assert granted(request, DORA, EVE).status is Status.APPROVED


def test_a_refusal_in_an_alternative_beside_the_met_one_changes_nothing() -> None:
    request = granted(waiting(EITHER, EXEC), BEN)

    assert refused(request, DORA).fulfilled == request.fulfilled


def test_a_grant_taken_back_opens_the_choice_again() -> None:
    request = granted(waiting(EITHER), BEN)

    request = approval.withdraw(request, BEN, AT)

    assert request.status is Status.PENDING
    assert set(request.awaiting) == {"role:security", "group:ops"}
    assert granted(request, DORA).status is Status.APPROVED


# Deadlines.


HURRIED = choice((by_security(duration=timedelta(hours=1)),), (OPS,))


def test_a_deadline_ends_its_own_alternative_only() -> None:
    request = waiting(HURRIED)
    assert fulfilment.next_deadline(request) == later(hours=1)

    request = fulfilment.expire(request, later(hours=1))

    assert request.closing is None
    assert codes(request)[-1] == "Expired"
    assert request.awaiting == ("group:ops",)
    assert fulfilment.next_deadline(request) == request.expires_at
    assert fulfilment.expire(request, later(hours=2)) == request
    assert granted(request, DORA, at=later(hours=2)).status is Status.APPROVED


def test_g11_a_grant_after_the_deadline_of_its_alternative_is_late() -> None:
    request = waiting(HURRIED)

    for late in (request, fulfilment.expire(request, later(hours=1))):
        with pytest.raises(DeadlinePassed):
            approval.grant(late, BEN, later(hours=1))
        carls = granted(late, CARL, at=later(hours=1))
        assert carls.status is Status.APPROVED
        assert OPS.id in carls.fulfilled


def test_g11_a_grant_of_what_has_expired_is_late_whenever_it_was_given() -> None:
    request = fulfilment.expire(waiting(HURRIED), later(hours=2))

    with pytest.raises(DeadlinePassed) as late:
        approval.grant(request, BEN, later(minutes=30))
    assert late.value.details["deadline"] == later(hours=1).isoformat()
    carls = granted(request, CARL, at=later(minutes=30))
    assert set(carls.answers[0].bindings) == {OPS.id}


def test_the_request_expires_when_the_last_alternative_does() -> None:
    both = choice(
        (by_security(duration=timedelta(hours=1)),), (by_ops(duration=timedelta(hours=3)),)
    )
    request = fulfilment.expire(waiting(both), later(hours=1))

    request = fulfilment.expire(request, later(hours=3))

    assert request.closing is not None
    expired = close(request, request.closing, later(hours=3))
    assert expired.status is Status.EXPIRED
    cause = expired.decisions[-2]
    assert (cause.category, cause.code, cause.metadata["requirement"]) == (
        "requirement",
        "Expired",
        both.id,
    )
    assert later(hours=3).isoformat() in cause.reason


def test_the_request_expires_where_the_other_alternative_was_refused() -> None:
    request = fulfilment.expire(refused(waiting(HURRIED), DORA), later(hours=1))

    assert request.closing is not None
    assert request.closing.status is Status.EXPIRED


def test_a_request_is_rejected_where_the_other_alternative_has_expired() -> None:
    request = fulfilment.expire(waiting(HURRIED), later(hours=1))

    request = approval.refuse(request, DORA, later(hours=2))

    assert request.closing is not None
    assert request.closing.status is Status.REJECTED
    assert request.closing.reason == "Refused by dora."


def test_what_is_met_has_no_deadline_in_its_other_alternatives() -> None:
    request = granted(waiting(HURRIED), DORA)

    assert fulfilment.next_deadline(request) == request.expires_at
    assert fulfilment.expire(request, later(hours=2)) == request


def test_a_half_that_was_given_in_time_does_not_expire() -> None:
    hurried = by_security(duration=timedelta(hours=1))
    request = granted(waiting(choice((hurried, EXEC), (by_ops(3),))), BEN)
    assert fulfilment.next_deadline(request) == request.expires_at

    assert fulfilment.expire(request, later(hours=2)) == request

    assert granted(request, EVE, at=later(hours=2)).status is Status.APPROVED


def test_what_has_expired_in_an_alternative_has_its_time_anew_where_it_is_demanded() -> None:
    hurried = by_security(duration=timedelta(hours=1))
    request = fulfilment.expire(waiting(choice((hurried,), (OPS,))), later(hours=1))

    request = resolution.adopt(request, assessment(hurried), later(hours=2))

    assert request.closing is None
    assert fulfilment.next_deadline(request) == later(hours=3)
    assert granted(request, BEN, at=later(hours=2)).status is Status.APPROVED


# Drift.


DIVIDED = choice((by_security(covers=["/limit"]),), (by_ops(covers=["/plan"]),))


def test_g3_a_grant_holds_on_to_what_its_own_member_covers() -> None:
    for_the_plan = by("eve", covers=["/plan"])
    request = waiting(DIVIDED, for_the_plan, does=effect(limit=120, plan="pro"))
    request = granted(request, BEN, EVE)
    other = assessment(DIVIDED, for_the_plan, version=4, does=effect(limit=120, plan="gold"))

    found = resolution.resolve(request, other, directory=DIRECTORY, at=AT, fence=1)

    assert found.lapsed == ("eve",)
    after = resolution.resolved(request, found)
    assert (after.status, after.round) == (Status.PENDING, 2)
    assert granted(after, EVE).status is Status.APPROVED


def test_g3_what_only_the_other_alternative_covers_is_asked_of_the_one_that_is_taken() -> None:
    request = granted(waiting(DIVIDED, does=effect(limit=120, plan="pro")), BEN)
    other = assessment(DIVIDED, version=4, does=effect(limit=120, plan="gold"))

    found = resolution.resolve(request, other, directory=DIRECTORY, at=AT, fence=1)

    assert not found.outcome.executes
    assert found.lapsed == ("ben",)


def test_g3_a_grant_whose_part_changed_is_asked_again_in_any_alternative() -> None:
    request = granted(waiting(DIVIDED, does=effect(limit=120, plan="pro")), BEN)
    other = assessment(DIVIDED, version=4, does=effect(limit=140, plan="pro"))

    found = resolution.resolve(request, other, directory=DIRECTORY, at=AT, fence=1)

    assert not found.outcome.executes
    assert found.lapsed == ("ben",)
    after = resolution.resolved(request, found)
    assert (after.status, after.round) == (Status.PENDING, 2)
    assert granted(after, DORA).status is Status.APPROVED


def test_g3_one_more_alternative_voids_no_grant() -> None:
    request = granted(waiting(EITHER), BEN)
    wider = assessment(choice((SECURITY,), (OPS,), (EXEC,)))

    found = resolution.resolve(request, wider, directory=DIRECTORY, at=AT, fence=1)

    assert found.outcome.executes


def test_an_expired_alternative_is_asked_anew_when_the_approvals_are_renewed() -> None:
    hurried = by_security(duration=timedelta(hours=1), covers=["/plan"])
    either_of = choice((hurried,), (OPS,))
    request = fulfilment.expire(waiting(either_of), later(hours=1))
    request = granted(request, DORA, at=later(hours=2))
    other = assessment(either_of, version=4, does=effect(limit=140))

    found = resolution.resolve(request, other, directory=DIRECTORY, at=later(hours=3), fence=1)
    after = resolution.resolved(request, found)

    assert set(after.awaiting) == {"role:security", "group:ops"}
    assert fulfilment.next_deadline(after) == later(hours=4)


def test_g10_who_lost_the_right_to_the_alternative_that_is_taken_does_not_count() -> None:
    request = granted(waiting(EITHER), BEN)
    now = Directory.of([ANA, person("ben"), CARL, DORA])

    assert resolution.revoked(request, now) == ("ben",)


# Kinds that nothing meets yet.


def test_g10_an_unknown_kind_blocks_its_alternative_only() -> None:
    unknown = Requirement(kind="blessing")
    request = waiting(choice((unknown,), (SECURITY, EXEC)))

    assert granted(request, BEN).status is Status.PENDING
    assert granted(request, BEN, EVE).status is Status.APPROVED


def test_g10_a_choice_of_unknown_kinds_blocks() -> None:
    unknown = choice((Requirement(kind="blessing"),), (check(),))

    request = waiting(unknown)

    assert request.status is Status.PENDING
    assert "nothing here can meet it" in request.pending[0].text
    assert fulfilment.expire(request, request.expires_at).closing is not None


def test_g10_a_choice_of_nothing_blocks() -> None:
    request = waiting(Requirement(kind=ANY), Requirement(kind=ANY, alternatives=((),)))

    assert request.status is Status.PENDING
    assert len(request.pending) == 2
    assert request.closing is None


# What is shown.


def test_what_is_waited_for_says_either_or() -> None:
    both = choice((by_security(2),), (OPS, by("eve", step=2)))

    (reason,) = granted(waiting(both), BEN).pending

    assert (reason.kind, reason.requirement_id) == (ANY, both.id)
    assert reason.text.startswith("either ")
    assert set(reason.text.removeprefix("either ").split("; or ")) == {
        "approval by 2 of role:security, 1 given",
        "approval by 1 of group:ops and approval by 1 of user:eve (step 2, not open yet)",
    }
    assert sorted(each.kind for each in reason.leaves()) == ["approval"] * 3
    assert (reason.needed, reason.have, reason.missing) == (2, 1, 1)
    assert set(reason.who) == {"role:security", "group:ops"}


def test_what_an_alternative_has_already_is_not_waited_for() -> None:
    (reason,) = granted(waiting(choice((SECURITY, EXEC), (by_ops(3),))), BEN).pending

    assert {each.requirement_id for each in reason.leaves()} == {EXEC.id, by_ops(3).id}
    assert set(reason.who) == {"user:eve", "group:ops"}


def test_what_each_way_lacks_is_told_by_itself_so_that_somebody_is_always_asked() -> None:
    """One person may sit in one way here and in another there; neither is whole for that."""
    first, other = by("ben", "olga", needed=1), by("ben", "carl", needed=1)
    inner = choice((first,), (by("eve", step=2),))

    (reason,) = granted(waiting(choice((inner, other), (first, other))), BEN).pending

    assert reason.missing == 1
    assert all(sum(each.missing for each in way) == 1 for way in reason.alternatives)
    assert reason.who


def test_one_grant_away_is_told_over_the_nearest_alternative() -> None:
    request = waiting(choice((by_security(2),), (by_ops(3),)))

    assert not fulfilment.is_one_grant_away(request)
    assert fulfilment.is_one_grant_away(granted(request, BEN))


def test_the_same_answer_twice_is_a_duplicate_in_alternatives_too() -> None:
    request = granted(waiting(choice((by_security(2),), (OPS,))), BEN)

    with pytest.raises(DuplicateDecision):
        approval.grant(request, BEN, AT, binding=request.binding)


# What was stored, and what is too much.


def test_a_request_stored_before_alternatives_were_asked_is_read_and_can_be_refreshed() -> None:
    whole = waiting(EITHER)
    stored = whole.model_dump(mode="json")
    stored["requirements"] = [
        {key: value for key, value in stored["requirements"][0].items() if key != "of"}
    ]
    del stored["pending"][0]["alternatives"]

    before = MutationRequest.model_validate(stored)

    assert fulfilment.settle(before, AT).pending[0].alternatives == ()
    assert fulfilment.next_deadline(before) == before.expires_at
    after = resolution.adopt(before, assessment(EITHER), AT)
    assert granted(after, BEN).status is Status.APPROVED


def test_an_older_assessment_that_names_no_members_covers_the_whole_effect() -> None:
    older = assessment(EITHER)
    older = older.model_copy(
        update={
            "able": {EITHER.id: 0},
            "covered": {EITHER.id: older.effect_digest},
        }
    )

    assert granted(resolution.assessed(created(), older, AT), BEN).status is Status.APPROVED


def test_each_identity_is_listed_once_what_is_demanded_first() -> None:
    shared = choice((SECURITY,), (OPS, EXEC)), choice((SECURITY,), (by("olga"),))

    listed = [r.id for r in every(shared)]

    assert listed[:2] == [r.id for r in shared]
    assert sorted(listed) == sorted({*listed, SECURITY.id, OPS.id, EXEC.id, by("olga").id})
    assert every([SECURITY, OPS]) == (SECURITY, OPS)


def test_more_ways_than_are_followed_are_no_request() -> None:
    def many(names: str) -> Requirement:
        return choice(*[(by(name),) for name in names])

    @policy()
    def wide(mutation: object, state: object, context: object, facts: Facts) -> Any:
        return require(many("abcdefgh"), many("ijklmnop"), many("qrstu"))

    def assessed(*policies: Any) -> Any:
        return assess(
            run(IncreaseQuota(amount=1), *policies),
            state_digest="state",
            policy_set_digest="policies",
            strategy=Strategy.KEEP_IF_UNAFFECTED,
            expires_in=timedelta(days=14),
            directory=DIRECTORY,
            requesters=[ANA.id],
            plan=Plan(),
        )

    no = assessed(wide).rejection

    assert (no.category, no.code) == ("validation", "too_large")
    assert no.metadata == {"limit": MAX_WAYS, "actual": 320}
    assert number_of_ways([many("abcdefgh")] * 2) == 64
    assert assessed().rejection is None
