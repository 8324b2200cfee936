"""What nobody answers from a seat is looked at; what is fulfilled by others is said by name."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

import pytest

from core.budgets import Budget
from core.errors import (
    DeadlinePassed,
    DecisionRefused,
    DuplicateDecision,
    NotAuthorised,
    NotFulfillable,
    OutdatedBinding,
    ReasonRequired,
    RequestClosed,
    SelfApproval,
    StepNotOpen,
    UnknownRequirement,
)
from core.governance import agenda, approval, fulfilment, resolution, waits
from core.governance.assessment import Assessment, unsatisfiable
from core.governance.lifecycle import close
from core.governance.people import Person
from core.governance.request import (
    Category,
    Finding,
    MutationRequest,
    Rejection,
    Status,
    told_by,
)
from core.requirements import Requirement, either
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
    waiting,
    wish,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Verdict = Literal["holds", "failed", "not_yet"]

CI = Requirement.check("ci")
LOAD = Requirement.check("load", roles=["security"])
BY_MUTATION = Requirement.check("licence", people=["eve"], bound_to="mutation")
NIGHT = Requirement.schedule(calendar="calendars/night")
OTHER = Requirement.dependency("r8")
ROOM = Requirement.quota("deploys", "budgets/deploys")
REVIEW = Requirement.review(roles=["security"], needed=1)


def the(request: MutationRequest, requirement: Requirement) -> Any:
    found = request.requirement(requirement.id)
    assert found is not None
    return found


def statuses(request: MutationRequest) -> dict[str, str]:
    return {r.requirement.describe(): r.status for r in request.requirements}


def finding(
    request: MutationRequest, requirement: Requirement, verdict: Verdict, **more: Any
) -> Finding:
    """Answer a finding about a requirement as it is now."""
    told = {
        "at": AT,
        "binding": the(request, requirement).binding,
        "actor_id": "system:mutator",
        "reason": f"looked: {verdict}",
    }
    return Finding(verdict=verdict, **told | more)


def looked(
    request: MutationRequest,
    requirement: Requirement,
    verdict: Verdict = "holds",
    *,
    at: datetime = AT,
    **more: Any,
) -> MutationRequest:
    """Answer the request once somebody looked at a requirement."""
    found = finding(request, requirement, verdict, at=at, **more)
    return waits.found(request, {requirement.id: found}, at)


def passed(request: MutationRequest, sender: Person, **more: Any) -> MutationRequest:
    given = {"verdict": "passed", "reason": "fine", "binding": request.binding, **more}
    return waits.fulfil(request, sender, given.pop("at", AT), **given)


def failed(request: MutationRequest, sender: Person, **more: Any) -> MutationRequest:
    return passed(request, sender, **{"verdict": "failed", "reason": "no", **more})


# What a request demands of itself.


def test_a_request_demands_what_its_start_names() -> None:
    request = created(not_before=later(days=1), depends_on=("r8", "r7"))

    found = waits.demands(request)

    assert [r.describe() for r in found] == ["not before 2026-01-06 09:00 UTC", "r7, r8 executed"]
    assert {r.demanded_by for r in found} == {(waits.THE_REQUEST,)}
    assert waits.demands(created()) == ()
    assert wish(depends_on=("r8",)).depends_on == ("r8",)


# Looking.


def test_what_is_open_and_was_never_looked_at_is_to_be_looked_at() -> None:
    request = waiting(CI, NIGHT, OTHER, by_security(), ROOM)

    assert {r.id for r in waits.to_look_at(request, AT)} == {CI.id, NIGHT.id, OTHER.id}
    assert waits.next_look(request) is None


def test_what_is_not_yet_is_looked_at_again_when_it_is_time() -> None:
    request = looked(waiting(CI, NIGHT), CI, "not_yet", again_at=later(hours=1))
    request = looked(request, NIGHT, "not_yet", again_at=later(hours=2))

    assert waits.next_look(request) == later(hours=1)
    assert agenda.next_moment(request) == later(hours=1)
    assert waits.to_look_at(request, later(minutes=59)) == ()
    assert [r.id for r in waits.to_look_at(request, later(hours=1))] == [CI.id]
    assert {reason.again_at for reason in request.pending} == {later(hours=1), later(hours=2)}
    assert {reason.text for reason in request.pending} == {
        f"check ci: looked: not_yet; looked at again at {later(hours=1).isoformat()}",
        f"{NIGHT.describe()}: looked: not_yet; looked at again at {later(hours=2).isoformat()}",
    }


def test_what_somebody_will_say_is_not_looked_at_until_it_is_told() -> None:
    request = looked(waiting(OTHER, CI), OTHER, "not_yet")
    request = looked(request, CI, "not_yet")
    assert waits.to_look_at(request, later(days=5)) == ()

    told = waits.told(request, later(hours=1))

    assert [r.id for r in waits.to_look_at(told, later(hours=1))] == [OTHER.id]
    assert waits.next_look(told) == later(hours=1)


def test_everything_that_nobody_answers_is_looked_at_again_where_that_is_asked() -> None:
    request = looked(waiting(OTHER, CI, LOAD), OTHER, "not_yet")
    request = looked(request, CI, "not_yet", again_at=later(days=1))
    request = looked(request, LOAD, "not_yet", reference="job 7")

    told = waits.told(request, later(hours=1), everything=True)

    assert {r.id for r in waits.to_look_at(told, later(hours=1))} == {OTHER.id, CI.id}
    never = waits.told(waiting(CI), AT, everything=True)
    assert never == waiting(CI)


def test_what_is_being_looked_at_is_not_due_again_until_something_is_found() -> None:
    request = looked(waiting(CI, NIGHT), CI, "not_yet", again_at=AT)

    begun = waits.looking(waits.looking(request, CI.id), NIGHT.id)

    assert [r.id for r in waits.to_look_at(begun, later(days=1))] == [NIGHT.id]
    assert the(begun, NIGHT).finding is None


def test_nothing_is_looked_at_where_nothing_waits() -> None:
    approved = looked(waiting(CI), CI)
    closing = looked(waiting(CI), CI, "failed")

    for request in (created(), approved, closing):
        assert waits.to_look_at(request, later(days=1)) == ()
        assert waits.next_look(request) is None
        assert waits.told(request, AT) == request


def test_what_says_not_what_it_needs_is_not_looked_at() -> None:
    assert waits.to_look_at(waiting(check()), AT) == ()


# What is found.


@pytest.mark.parametrize("requirement", [CI, NIGHT, OTHER], ids=lambda r: r.kind)
def test_what_holds_is_met_and_says_who_looked(requirement: Requirement) -> None:
    request = looked(waiting(requirement), requirement, metadata={"job": 7})

    assert request.status is Status.APPROVED
    met = request.decisions[-2]
    assert (met.category, met.code, met.actor_id) == (
        Category.REQUIREMENT,
        "Fulfilled",
        "system:mutator",
    )
    assert met.reason == "looked: holds"
    assert met.metadata == {"requirement": requirement.id, "evidence": {"job": 7}}
    assert the(request, requirement).asked == 1


def test_what_is_found_for_another_binding_is_outdated_and_left_out() -> None:
    request = waiting(CI)
    stale = finding(request, CI, "failed", binding="then")

    assert waits.found(request, {CI.id: stale}, AT) == request
    assert waits.found(request, {"check-other": stale}, AT) == request


def test_nothing_is_found_about_what_people_answer() -> None:
    request = waiting(by_security())

    assert looked(request, by_security()) == request


@pytest.mark.parametrize(
    ("requirement", "category", "code"),
    [
        (CI, "check", "failed"),
        (NIGHT, "unsatisfiable", "no_window"),
        (OTHER, "dependency", "ended"),
        (ROOM, "quota", "over_budget"),
    ],
    ids=lambda each: getattr(each, "kind", None),
)
def test_what_has_failed_rejects_the_request(
    requirement: Requirement, category: str, code: str
) -> None:
    request = looked(waiting(requirement), requirement, "failed", metadata={"job": 7})

    told = request.decisions[-1]
    assert (told.category, told.code, told.reason) == (
        Category.REQUIREMENT,
        "Failed",
        "looked: failed",
    )
    assert told.metadata == {"requirement": requirement.id, "evidence": {"job": 7}}
    assert request.closing is not None
    assert (request.closing.status, request.closing.actor_id) == (
        Status.REJECTED,
        "system:mutator",
    )
    assert request.closing.rejection == Rejection(
        category=category,
        code=code,
        message=f"{requirement.describe()}: looked: failed",
        metadata={"requirement": requirement.id},
    )
    assert looked(request, requirement) is request
    ended = close(request, request.closing, AT)
    assert looked(ended, requirement) is ended


def test_whoever_looked_says_how_it_is_rejected() -> None:
    said = Rejection(category="dependency", code="undone", message="r8 was compensated.")

    request = looked(waiting(OTHER), OTHER, "failed", rejection=said)

    assert request.closing is not None
    assert request.closing.rejection == said
    assert request.closing.reason == "looked: failed"


def test_what_fails_again_is_said_once() -> None:
    (choice,) = either([[CI], [by_security()]])
    request = looked(waiting(choice), CI, "failed")
    assert request.closing is None

    again = looked(request, CI, "failed", at=later(hours=1))

    assert codes(again).count("Failed") == 1
    assert the(again, CI).asked == 2
    assert granted(again, BEN).status is Status.APPROVED


def test_what_failed_in_an_alternative_may_hold_after_all() -> None:
    (choice,) = either([[CI], [by_security()]])
    request = looked(looked(waiting(choice), CI, "failed"), CI)

    assert request.status is Status.APPROVED
    assert the(request, choice).met_by == (CI.id,)


def test_what_was_lost_last_says_why_it_is_rejected() -> None:
    (choice,) = either([[CI], [by_security()]])

    refused_last = approval.refuse(looked(waiting(choice), CI, "failed"), BEN, AT)
    assert refused_last.closing is not None
    assert refused_last.closing.rejection is not None
    assert refused_last.closing.rejection.code == "refused"

    failed_last = looked(approval.refuse(waiting(choice), BEN, AT), CI, "failed")
    assert failed_last.closing is not None
    assert failed_last.closing.rejection is not None
    assert failed_last.closing.rejection.category == "check"


def test_what_held_and_no_longer_does_is_waited_for_again() -> None:
    request = looked(waiting(NIGHT), NIGHT)
    assert request.status is Status.APPROVED

    request = looked(request, NIGHT, "not_yet", at=later(hours=1), again_at=later(hours=9))

    assert request.status is Status.PENDING
    assert codes(request)[-2:] == ["Reopened", "Pending"]
    assert request.decisions[-2].reason == "looked: not_yet"
    assert waits.next_look(request) == later(hours=9)


def test_a_step_opens_when_what_is_looked_at_before_it_holds() -> None:
    request = waiting(CI, by("ben", step=2), Requirement.check("late", step=3))
    assert list(statuses(request).values()) == ["open", "waiting", "waiting"]

    request = looked(request, CI)
    assert list(statuses(request).values()) == ["fulfilled", "open", "waiting"]

    request = granted(request, BEN)
    assert list(statuses(request).values()) == ["fulfilled", "fulfilled", "open"]


def test_a_look_that_took_its_time_takes_nothing_back() -> None:
    request = waiting(LOAD)
    late = finding(request, LOAD, "not_yet", reference="job 7")
    answered = passed(request, BEN)

    after = waits.looked(answered, LOAD.id, late, later(hours=1))

    assert after.status is Status.APPROVED
    assert the(after, LOAD).finding.verdict == "holds"
    assert the(after, LOAD).finding.reference == "job 7"
    assert waits.looked(request, LOAD.id, late, AT).pending[0].text == (
        "check load: looked: not_yet"
    )


def test_a_look_at_what_is_no_longer_asked_brings_nothing() -> None:
    request = waiting(LOAD)
    stale = finding(request, LOAD, "holds", binding="then")

    assert waits.looked(request, LOAD.id, stale, AT) is request
    assert waits.looked(request, "check-other", stale, AT) is request


# Room in a budget is taken last, and given back.


def test_room_is_asked_for_when_all_else_is_met() -> None:
    request = waiting(by_security(), CI, ROOM)
    assert the(request, ROOM).status == "waiting"
    assert request.pending[-1].text == (
        "1 of the budget deploys (as budgets/deploys says) (taken last)"
    )

    request = looked(granted(request, BEN), CI)

    assert the(request, ROOM).status == "open"
    assert [r.id for r in waits.to_look_at(request, AT)] == [ROOM.id]
    request = looked(request, ROOM)
    assert request.status is Status.APPROVED
    assert codes(request)[-2:] == ["Reserved", "Approved"]


def test_room_that_is_found_while_nobody_asks_for_it_is_left_out() -> None:
    request = waiting(by_security(), ROOM)

    assert looked(request, ROOM) == request


def test_what_is_reserved_is_given_back_when_something_before_it_is_unmet() -> None:
    request = looked(granted(waiting(by_security(), ROOM), BEN), ROOM)

    request = approval.withdraw(request, BEN, later(hours=1))

    assert codes(request)[-4:] == ["Withdrawn", "Released", "Reopened", "Pending"]
    quota = the(request, ROOM)
    assert (quota.status, quota.finding, quota.opened_at) == ("waiting", None, None)
    assert looked(granted(request, BEN), ROOM).status is Status.APPROVED


def test_whoever_waits_for_room_asks_no_more_while_something_before_it_is_unmet() -> None:
    request = granted(waiting(by_security(), ROOM), BEN)
    request = looked(request, ROOM, "not_yet", again_at=later(hours=1))

    request = approval.withdraw(request, BEN, AT)

    assert the(request, ROOM).status == "waiting"
    assert "Released" not in codes(request)
    assert fulfilment.settle(request, AT) == request
    assert looked(request, ROOM) == request


def test_room_that_is_no_longer_reserved_is_asked_for_again() -> None:
    request = looked(waiting(ROOM), ROOM)

    request = looked(request, ROOM, "not_yet", again_at=AT)

    assert codes(request)[-2:] == ["Reopened", "Pending"]
    assert [r.id for r in waits.to_look_at(request, AT)] == [ROOM.id]


def test_room_that_an_alternative_does_without_is_given_back() -> None:
    (choice,) = either([[ROOM], [by_security()]])
    request = granted(waiting(choice, by_ops(2)), BEN)
    assert the(request, choice).met_by == (by_security().id,)
    assert waits.to_look_at(request, AT) == ()

    request = looked(request, ROOM)

    assert codes(request)[-1] == "Released"
    assert (the(request, ROOM).status, the(request, ROOM).finding) == ("open", None)
    request = approval.withdraw(request, BEN, AT)
    assert [r.id for r in waits.to_look_at(request, AT)] == [ROOM.id]


def test_what_room_alone_meets_is_unmet_with_it() -> None:
    other = Requirement.quota("euros", "budgets/euros")
    (choice,) = either([[ROOM], [other]])
    request = looked(granted(waiting(by_security(), choice), BEN), ROOM)
    assert request.status is Status.APPROVED

    request = approval.withdraw(request, BEN, AT)

    assert the(request, choice).status == "open"
    assert the(request, ROOM).finding is None
    assert fulfilment.settle(request, AT) == request


def test_a_new_round_gives_room_back_and_asks_for_it_anew() -> None:
    request = looked(granted(waiting(by_security(), ROOM), BEN), ROOM)
    changed = assessment(by_security(), ROOM, version=4, does=effect(limit=7))
    holding = changed.model_copy(update={"findings": {ROOM.id: finding(request, ROOM, "holds")}})

    for found in (changed, holding):
        after = resolution.adopt(request, found, AT)

        assert after.round == 2
        assert "Released" in codes(after, len(request.decisions))
        assert the(after, ROOM).status == "waiting"
        assert the(after, ROOM).finding is None


def test_where_nothing_else_is_unmet_a_new_round_asks_for_room_at_once() -> None:
    request = looked(waiting(ROOM), ROOM)
    added = assessment(ROOM, OTHER)
    met = added.model_copy(
        update={
            "findings": {
                OTHER.id: Finding(verdict="holds", at=AT, binding=OTHER.id, actor_id="system"),
                ROOM.id: finding(request, ROOM, "holds"),
            }
        }
    )

    after = resolution.adopt(request, met, AT)

    assert (the(after, OTHER).status, the(after, ROOM).status) == ("fulfilled", "open")
    assert [r.id for r in waits.to_look_at(after, AT)] == [ROOM.id]
    assert after.status is Status.PENDING


# At each resolution it is looked at again.


def resolve(
    request: MutationRequest, found: Assessment, at: datetime = AT
) -> tuple[resolution.Resolution, MutationRequest]:
    answer = resolution.resolve(request, found, directory=DIRECTORY, at=at, fence=1)
    return answer, resolution.resolved(request, answer)


def finds(demanded: list[Requirement], about: Requirement, verdict: Verdict) -> Assessment:
    told = Finding(
        verdict=verdict, at=AT, binding=about.id, actor_id="system:mutator", reason="looked again"
    )
    return assessment(*demanded).model_copy(update={"findings": {about.id: told}})


def test_g2_what_no_longer_holds_at_resolution_is_waited_for_again() -> None:
    request = looked(waiting(NIGHT), NIGHT)

    answer, after = resolve(request, finds([NIGHT], NIGHT, "not_yet"))

    assert answer.outcome is resolution.ResolutionOutcome.INELIGIBLE
    assert answer.reasons == (
        "it is Pending, not Approved",
        f"unmet: {NIGHT.describe()}",
    )
    assert after.status is Status.PENDING
    assert [r.id for r in waits.to_look_at(after, AT)] == [NIGHT.id]


def test_g2_what_has_failed_at_resolution_rejects_the_request() -> None:
    request = looked(waiting(OTHER), OTHER)

    answer, after = resolve(request, finds([OTHER], OTHER, "failed"))

    assert not answer.outcome.executes
    assert answer.reasons[0] == "it is about to be Rejected"
    assert after.closing is not None


def test_g1_what_is_demanded_anew_and_has_failed_at_once_never_executes() -> None:
    request = granted(waiting(by_security()), BEN)

    answer, after = resolve(request, finds([by_security(), OTHER], OTHER, "failed"))

    assert answer.outcome is resolution.ResolutionOutcome.RENEWED
    assert after.closing is not None
    assert after.closing.status is Status.REJECTED


def test_what_is_demanded_anew_and_holds_at_once_executes() -> None:
    request = granted(waiting(by_security()), BEN)

    answer, after = resolve(request, finds([by_security(), OTHER], OTHER, "holds"))

    assert answer.outcome.executes
    assert after.status is Status.APPROVED


def test_a_check_is_asked_again_when_the_effect_it_judged_changed() -> None:
    request = passed(looked(waiting(CI, BY_MUTATION), CI), EVE)
    assert request.status is Status.APPROVED

    answer, after = resolve(request, assessment(CI, BY_MUTATION, version=4, does=effect(limit=7)))

    assert answer.outcome is resolution.ResolutionOutcome.RENEWED
    assert (the(after, CI).status, the(after, CI).finding) == ("open", None)
    assert the(after, BY_MUTATION).status == "fulfilled"
    assert "Reopened" in codes(after, len(request.decisions))


# Fulfilling: what another system, or a reviewer, says.


def test_whoever_the_check_names_says_that_it_passed() -> None:
    request = passed(waiting(LOAD), BEN, decision_id="d-1", metadata={"job": 7})

    assert request.status is Status.APPROVED
    told = request.decisions[-2]
    assert (told.code, told.actor_id, told.reason, told.decision_id) == (
        "Fulfilled",
        "ben",
        "fine",
        "d-1",
    )
    assert told.metadata["evidence"] == {"job": 7}
    assert request.counted("ben", "d-1") == told


def test_whoever_the_check_names_says_that_it_failed() -> None:
    request = failed(waiting(LOAD), BEN, decision_id="d-1", metadata={"job": 7})

    assert request.closing is not None
    assert request.closing.actor_id == "ben"
    assert request.closing.rejection == Rejection(
        category="check",
        code="failed",
        message="check load failed: no",
        metadata={"requirement": LOAD.id, "evidence": {"job": 7}},
    )


def test_without_a_reason_it_is_said_who_said_it() -> None:
    request = failed(waiting(LOAD), BEN, reason="")

    assert request.closing is not None
    assert request.closing.reason == "ben says that it failed."


def test_an_answer_keeps_what_the_other_system_calls_the_question() -> None:
    request = looked(waiting(LOAD), LOAD, "not_yet", reference="job 7")

    assert the(passed(request, BEN), LOAD).finding.reference == "job 7"


def test_a_check_that_passed_may_fail_until_the_commit() -> None:
    request = failed(passed(waiting(LOAD), BEN), BEN, at=later(days=1))

    assert request.closing is not None


def test_a_check_that_has_passed_in_time_may_fail_after_its_deadline() -> None:
    timed = Requirement.check("load", roles=["security"], duration=HOUR)
    request = passed(waiting(timed, by_ops(2)), BEN)

    assert failed(request, BEN, at=later(hours=2)).closing is not None
    with pytest.raises(DeadlinePassed):
        failed(request, BEN, at=later(days=14))


OUTDATED = (
    "The decision was taken on something else, and what request 'r1' would do has changed since it "
    "was first shown. Look at it again and decide with its present binding."
)
NO_REVIEW = " is no review and no check that others answer; fulfil answers only those."
REVIEWED = waiting(REVIEW, LOAD, by_ops())
LATER = Requirement.check("later", people=["ben"], step=2)
TIMED = Requirement.check("timed", people=["ben"], duration=HOUR)


@pytest.mark.parametrize(
    ("fulfil", "error", "words"),
    [
        (
            lambda: passed(REVIEWED, BEN),
            UnknownRequirement,
            f"Say which requirement of request 'r1' is fulfilled: {REVIEW.id}, {LOAD.id}.",
        ),
        (
            lambda: passed(REVIEWED, EVE),
            UnknownRequirement,
            f"Say which requirement of request 'r1' is fulfilled: {REVIEW.id}, {LOAD.id}.",
        ),
        (
            lambda: passed(waiting(by_ops()), EVE),
            UnknownRequirement,
            "Say which requirement of request 'r1' is fulfilled: none.",
        ),
        (
            lambda: passed(waiting(LOAD), BEN, name="ci"),
            UnknownRequirement,
            f"Say which requirement of request 'r1' is fulfilled: {LOAD.id}.",
        ),
        (
            lambda: passed(waiting(by_ops()), EVE, requirement_id="check-other"),
            UnknownRequirement,
            "Request 'r1' has no requirement 'check-other'; what can be fulfilled: nothing.",
        ),
        (
            lambda: passed(waiting(LOAD), EVE, requirement_id="check-other"),
            UnknownRequirement,
            f"Request 'r1' has no requirement 'check-other'; what can be fulfilled: {LOAD.id}.",
        ),
        (
            lambda: passed(waiting(CI), BEN, requirement_id=CI.id),
            NotFulfillable,
            f"check ci{NO_REVIEW}",
        ),
        (
            lambda: passed(waiting(by_ops()), DORA, requirement_id=by_ops().id),
            NotFulfillable,
            f"{by_ops().describe()}{NO_REVIEW}",
        ),
        (
            lambda: passed(waiting(LOAD), ANA),
            SelfApproval,
            "ana asked for request 'r1' and never counts towards it.",
        ),
        (
            lambda: passed(waiting(LOAD), EVE),
            NotAuthorised,
            "eve may not answer check load of request 'r1'; who may: role:security.",
        ),
        (
            lambda: passed(waiting(by_ops(), LATER), BEN),
            StepNotOpen,
            "Step 2 of request 'r1' opens when the steps before it are done; answer then.",
        ),
        (
            lambda: passed(waiting(TIMED), BEN, at=later(hours=1)),
            DeadlinePassed,
            f"The deadline of request 'r1' was {later(hours=1).isoformat()}.",
        ),
        (
            lambda: passed(waiting(LOAD), BEN, at=later(days=14)),
            DeadlinePassed,
            f"The deadline of request 'r1' was {later(days=14).isoformat()}.",
        ),
        (
            lambda: passed(passed(waiting(LOAD, by_ops()), BEN), BEN),
            DuplicateDecision,
            "ben says what is known already: check load passed.",
        ),
        (
            lambda: passed(failed(waiting(LOAD), BEN), BEN),
            RequestClosed,
            "Request 'r1' is Rejected; nothing can be decided any more.",
        ),
        (
            lambda: passed(waiting(LOAD), BEN, binding="then"),
            OutdatedBinding,
            OUTDATED,
        ),
    ],
)
def test_g11_what_does_not_count_is_refused_by_its_name(
    fulfil: Any, error: type[DecisionRefused], words: str
) -> None:
    with pytest.raises(error) as refused:
        fulfil()

    assert refused.value.message == words
    assert refused.value.details["request_id"] == "r1"


def test_what_expired_in_an_alternative_is_answered_too_late() -> None:
    (choice,) = either([[TIMED], [by_security()]])
    request = fulfilment.expire(waiting(choice), later(hours=1))
    assert the(request, TIMED).status == "expired"

    with pytest.raises(DeadlinePassed):
        passed(request, BEN, requirement_id=TIMED.id, at=later(minutes=5))


def test_without_an_id_it_is_the_one_of_that_name_or_the_one_they_may_answer() -> None:
    titled = Requirement.review(people=["eve"], title="Legal")
    request = waiting(titled, LOAD, BY_MUTATION)

    assert the(passed(request, EVE, name="Legal"), titled).status == "fulfilled"
    assert the(passed(request, EVE, name="licence"), BY_MUTATION).status == "fulfilled"
    assert the(passed(request, BEN), LOAD).status == "fulfilled"
    with pytest.raises(NotAuthorised, match="check load"):
        passed(request, EVE, name="load")


def test_what_was_judged_is_the_request_or_the_requirement_itself() -> None:
    request = resolution.adopt(
        waiting(LOAD, BY_MUTATION),
        assessment(LOAD, BY_MUTATION, version=4, does=effect(limit=7)),
        AT,
    )
    assert request.bindings_seen == 2

    for binding in (request.binding, the(request, LOAD).binding):
        assert the(passed(request, BEN, binding=binding), LOAD).status == "fulfilled"
    with pytest.raises(OutdatedBinding):
        passed(request, BEN, binding=None)
    before = the(waiting(BY_MUTATION), BY_MUTATION).binding
    assert the(passed(request, EVE, binding=before), BY_MUTATION).status == "fulfilled"


# Reviews are seats.


def test_a_review_is_opened_and_met_as_a_requirement_that_people_answer() -> None:
    request = waiting(REVIEW)
    assert (request.decisions[1].category, request.decisions[1].code) == (
        Category.REQUIREMENT,
        "Opened",
    )
    assert request.awaiting == ("role:security",)

    request = passed(request, BEN, metadata={"findings": 0})

    assert request.status is Status.APPROVED
    assert [(d.category, d.code) for d in request.decisions[-3:-1]] == [
        (Category.APPROVAL, "Granted"),
        (Category.REQUIREMENT, "Fulfilled"),
    ]
    assert request.decisions[-3].metadata["given"] == {"findings": 0}


def test_a_review_that_fails_rejects_the_request() -> None:
    request = failed(waiting(REVIEW), BEN, metadata={"findings": 3})

    assert request.closing is not None
    assert request.closing.rejection is not None
    said = request.closing.rejection
    assert (said.category, said.code) == ("approval", "review_failed")
    assert said.message == "The review failed, by ben: no"
    assert said.metadata["given"] == {"findings": 3}


def test_g6_a_review_and_an_approval_of_one_person_match_one_seat() -> None:
    request = waiting(REVIEW, by_security())

    both = passed(granted(request, BEN), BEN)

    assert both.status is Status.PENDING
    assert [a.actor_id for a in both.answers] == ["ben"]
    assert both.answers[0].bindings.keys() == {REVIEW.id, by_security().id}
    assert sum(len(r.granted_by) for r in both.requirements) == 1
    assert granted(both, CARL).status is Status.APPROVED
    assert passed(both, CARL).status is Status.APPROVED


def test_a_review_is_answered_by_fulfil_and_by_nothing_else() -> None:
    request = waiting(REVIEW, by_ops(2))

    with pytest.raises(NotAuthorised):
        granted(request, BEN)
    with pytest.raises(UnknownRequirement):
        approval.grant(request, BEN, AT, requirement_id=REVIEW.id)


def test_a_review_asks_for_a_reason_and_for_what_was_seen() -> None:
    request = waiting(REVIEW)

    with pytest.raises(ReasonRequired):
        passed(request, BEN, reason=" ")
    with pytest.raises(OutdatedBinding):
        passed(request, BEN, binding="then")
    with pytest.raises(SelfApproval):
        passed(request, ANA)
    assert passed(request, BEN, binding=the(request, REVIEW).binding).status is Status.APPROVED
    with pytest.raises(DuplicateDecision):
        passed(passed(waiting(REVIEW, by_ops()), BEN), BEN)


def test_a_failed_review_takes_the_reviewers_approval_back() -> None:
    lenient = REVIEW.model_copy(update={"refusals": 2})
    request = granted(waiting(lenient, by_security()), BEN)

    request = failed(request, BEN, requirement_id=lenient.id)

    assert codes(request)[-3:] == ["Withdrawn", "Refused", "Reopened"]
    assert request.closing is None


# Who is told, and what can never be.


def test_what_waits_is_told_by_what_it_waits_for() -> None:
    at_all = Requirement.schedule(not_before=later(days=1))
    inline = Requirement.quota("euros", Budget(limit=5, per=DAY))

    assert told_by(OTHER, asking=True) == ("request:r8",)
    assert told_by(NIGHT, asking=True) == ("state:calendars/night",)
    assert told_by(ROOM, asking=True) == ("budget:deploys", "state:budgets/deploys")
    assert told_by(inline, asking=True) == ("budget:euros",)
    for requirement in (at_all, CI, by_security(), check()):
        assert told_by(requirement, asking=True) == ()
    assert told_by(OTHER, asking=False) == ()


def test_a_request_is_told_while_it_waits_and_by_a_newer_version_where_that_supersedes_it() -> None:
    request = waiting(OTHER, NIGHT, asked=created(on_state_moved="supersede"))
    assert set(request.told_by) == {"request:r8", "state:calendars/night", "state:quota/acme"}

    request = looked(request, OTHER)
    assert set(request.told_by) == {"state:calendars/night", "state:quota/acme"}

    request = looked(request, NIGHT, "failed")
    assert request.told_by == ("state:quota/acme",)
    assert request.closing is not None
    assert close(request, request.closing, AT).told_by == ()


def test_an_expired_alternative_is_told_nothing() -> None:
    timed = Requirement.dependency("r8", duration=HOUR)
    (choice,) = either([[timed], [by_security()]])

    request = fulfilment.expire(waiting(choice), later(hours=1))

    assert request.told_by == ()


def test_who_can_meet_it_is_shown() -> None:
    request = waiting(LOAD, OTHER, NIGHT, check())

    assert {reason.kind: reason.who for reason in request.pending if reason.who} == {
        "check": ("role:security",),
        "dependency": ("request:r8",),
        "schedule": ("state:calendars/night",),
    }


def unmet(requirement: Requirement, again: datetime | None) -> Assessment:
    told = Finding(
        verdict="not_yet", at=AT, binding=requirement.id, actor_id="system", again_at=again
    )
    return assessment(requirement).model_copy(update={"findings": {requirement.id: told}})


@pytest.mark.parametrize(
    ("lasts", "again", "possible"),
    [
        (None, later(days=13), True),
        (None, later(days=14), False),
        (None, None, False),
        (DAY, later(hours=23), True),
        (DAY, later(hours=24), False),
        (timedelta(days=90), later(days=14), False),
    ],
)
def test_a_moment_that_does_not_come_before_the_deadline_is_found_at_submission(
    lasts: timedelta | None, again: datetime | None, possible: bool
) -> None:
    night = Requirement.schedule(calendar="calendars/night", duration=lasts)

    rejection = unsatisfiable(unmet(night, again), later(days=14))

    if possible:
        assert rejection is None
    else:
        assert rejection is not None
        assert (rejection.category, rejection.code) == ("unsatisfiable", "no_window")
        assert rejection.metadata == {"requirement": night.id}


def test_a_moment_that_holds_or_that_nobody_looked_for_is_not_impossible() -> None:
    for found in (assessment(NIGHT), finds([NIGHT], NIGHT, "holds"), assessment(OTHER)):
        assert unsatisfiable(found, later(days=14)) is None


def test_room_that_there_never_is_is_found_at_submission() -> None:
    small = Budget(limit=5, per=DAY)
    too_much = Requirement.quota("euros", small, amount=6)

    rejection = unsatisfiable(assessment(too_much), later(days=14))

    assert rejection is not None
    assert (rejection.category, rejection.code) == ("unsatisfiable", "no_budget")
    assert "6 of the budget euros" in rejection.message
    for possible in (Requirement.quota("euros", small, amount=5), ROOM):
        assert unsatisfiable(assessment(possible), later(days=14)) is None


def test_an_operator_is_nobody_special_here() -> None:
    with pytest.raises(NotAuthorised):
        passed(waiting(LOAD), OLGA, requirement_id=LOAD.id)


# Room that is taken at once.


def budget(key: str) -> Requirement:
    return Requirement.quota(key, Budget(limit=1, per=DAY))


def beside(request: MutationRequest, requirement: Requirement) -> set[str]:
    return {each.id for each in waits.quotas_beside(request, requirement)}


def test_room_is_asked_for_in_all_budgets_that_a_request_needs() -> None:
    one, two = budget("one"), budget("two")
    request = waiting(one, two)

    assert beside(request, one) == {two.id}
    assert beside(request, two) == {one.id}


def test_of_alternatives_room_is_asked_for_beside_what_every_way_left_needs() -> None:
    always, one, two = budget("always"), budget("one"), budget("two")
    request = waiting(*either([[always, one], [always, two]]))

    assert beside(request, one) == {always.id}
    assert beside(request, always) == set()


def test_room_that_is_held_is_asked_for_with_the_rest_and_what_is_malformed_is_not() -> None:
    held, wanted = budget("held"), budget("wanted")
    malformed = Requirement(kind="quota", step=1000, parameters={"key": "deploys", "amount": 0})

    asked = waiting(held, wanted, malformed)

    request = waits.looked(asked, held.id, finding(asked, held, "holds"), AT)

    assert the(request, held).holds
    assert beside(request, wanted) == {held.id}


def test_room_for_what_has_to_wait_for_others_is_not_asked_for_yet() -> None:
    one, two = budget("one"), budget("two")

    assert beside(waiting(one, two, by_ops()), one) == set()
