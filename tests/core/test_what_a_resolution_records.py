"""What assessments and resolutions leave in a request, word by word, and what they refuse to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import JsonValue

from core import Intent, Issue, Severity
from core.budgets import Budget
from core.effects import EffectPreview
from core.errors import InvalidTransition, NotAuthorised, NothingToRefresh, OutdatedBinding
from core.governance import lifecycle, resolution, waits
from core.governance.approval import refuse
from core.governance.assessment import Assessment
from core.governance.people import Person
from core.governance.request import (
    Category,
    Closing,
    Decision,
    Finding,
    MutationRequest,
    Rejection,
    RequirementState,
    Status,
)
from core.governance.resolution import Resolution, ResolutionOutcome
from core.requirements import Requirement, Strategy, either
from tests.core.builders import (
    ANA,
    AT,
    BEN,
    CARL,
    DIRECTORY,
    DORA,
    EVE,
    RAISED,
    assessment,
    by,
    by_ops,
    by_security,
    check,
    created,
    effect,
    granted,
    later,
    waiting,
    without,
)

OTHER = effect(limit=150)
BOTH = effect(limit=120, plan="pro")
SECURITY = by_security()
REJECT, RENEW, KEEP, LATEST = Strategy


def approved(strategy: Strategy = KEEP) -> MutationRequest:
    return granted(waiting(SECURITY, strategy=strategy), BEN)


def resolve(request: MutationRequest, *demanded: Requirement, **more: Any) -> Resolution:
    """Resolve on an assessment of these demands, an hour after the submission."""
    directory = more.pop("directory", DIRECTORY)
    drift = more.pop("drift", ())
    return resolution.resolve(
        request,
        assessment(*demanded, **more),
        directory=directory,
        at=later(hours=1),
        fence=1,
        drift=drift,
    )


def resolved(request: MutationRequest, *demanded: Requirement, **more: Any) -> MutationRequest:
    return resolution.resolved(request, resolve(request, *demanded, **more))


def decision(request: MutationRequest, code: str) -> Decision:
    """Answer the one decision with this code."""
    (found,) = [d for d in request.decisions if d.code == code]
    return found


def state_of(request: MutationRequest, requirement: Requirement) -> RequirementState:
    found = request.requirement(requirement.id)
    assert found is not None
    return found


def ended() -> MutationRequest:
    return lifecycle.close(waiting(SECURITY), Closing(status=Status.REJECTED, actor_id="ben"), AT)


# What an assessment leaves.


def test_a_request_takes_over_what_its_assessment_found() -> None:
    inverse = EffectPreview.of(effect(limit=90))
    warning = Issue(code="high", message="The limit becomes high.", severity=Severity.WARNING)
    found = assessment(SECURITY).model_copy(
        update={
            "intent": Intent(operation="increase", tags=("quota", "urgent")),
            "issues": (warning,),
            "inverse": inverse,
            "irreversible": "It is a mail.",
        }
    )
    held = lifecycle.hold(created(tags=("urgent",)), "no domain", AT)
    assert held.mutations != found.mutations

    request = resolution.assessed(held, found, AT)

    assert (request.mutations, request.intent) == (found.mutations, found.intent)
    assert request.tags == ("urgent", "quota")
    assert (request.effect, request.warnings) == (found.effect, (warning,))
    assert (request.inverse, request.irreversible) == (inverse, "It is a mail.")


@pytest.mark.parametrize("demanded", [(), (SECURITY,)])
def test_what_was_held_before_it_could_be_assessed_is_held_no_longer(
    demanded: tuple[Requirement, ...],
) -> None:
    held = lifecycle.hold(created(), "no domain", AT)

    assert resolution.assessed(held, assessment(*demanded), AT).held is None


@pytest.mark.parametrize(
    ("wished", "by_domain", "kept"),
    [
        ("supersede", "wait", "supersede"),
        ("wait", "supersede", "wait"),
        (None, "supersede", "supersede"),
        (None, None, None),
    ],
)
def test_what_the_request_says_of_a_state_that_moves_goes_before_what_the_domain_says(
    wished: str | None, by_domain: str | None, kept: str | None
) -> None:
    found = assessment(SECURITY).model_copy(update={"on_state_moved": by_domain})

    request = resolution.assessed(created(on_state_moved=wished), found, AT)

    assert request.on_state_moved == kept


def test_how_long_a_grant_counts_is_the_requirements_own_or_the_domains() -> None:
    day, week = timedelta(days=1), timedelta(days=7)
    own, other, smoke = by_security(lifetime=day), by_ops(), Requirement.check("smoke")
    found = assessment(own, other, smoke).model_copy(update={"lifetime": week})

    request = resolution.assessed(created(), found, AT)

    assert state_of(request, own).lifetime == day
    assert state_of(request, other).lifetime == week
    assert state_of(request, smoke).lifetime is None


def test_a_requirement_is_shown_with_the_part_that_it_answers_for() -> None:
    limit, plan = by_security(covers=["/limit"]), by_ops(covers=["/plan"])

    request = waiting(limit, plan, does=BOTH)

    assert state_of(request, limit).covered == BOTH.digest(("/limit",))
    assert state_of(request, plan).covered == BOTH.digest(("/plan",))
    assert state_of(request, limit).able == 2


def test_whom_nobody_counted_nobody_is_said_to_be_able() -> None:
    found = assessment(SECURITY).model_copy(update={"able": {}})

    request = resolution.assessed(created(), found, AT)

    assert state_of(request, SECURITY).able == 0


def test_a_grant_holds_on_to_the_requirement_that_it_was_given_for() -> None:
    request = waiting(SECURITY, by_ops())

    one, other = request.requirements
    assert one.covered == other.covered
    assert one.binding != other.binding


@pytest.mark.parametrize("strategy", [KEEP, LATEST])
def test_what_approvers_are_shown_names_the_effect_unless_any_will_do(strategy: Strategy) -> None:
    request = waiting(SECURITY, strategy=strategy)

    after = resolution.adopt(
        request, assessment(SECURITY, version=4, does=OTHER, strategy=strategy), AT
    )

    assert (after.binding == request.binding) is (strategy is LATEST)
    assert after.bindings_seen == (1 if strategy is LATEST else 2)


def test_a_request_is_assessed_for_the_first_time_once() -> None:
    with pytest.raises(InvalidTransition) as refused:
        resolution.assessed(waiting(SECURITY), assessment(SECURITY), AT)

    assert refused.value.details == {
        "request_id": "r1",
        "current": "Pending",
        "target": "Pending",
    }


NOTHING = Resolution(round=1, fence=1, at=AT, outcome=ResolutionOutcome.VALIDATED)


@pytest.mark.parametrize(
    "conclude",
    [
        lambda request: resolution.resolved(request, NOTHING),
        lambda request: resolution.adopt(request, assessment(SECURITY), AT),
    ],
)
def test_of_what_has_ended_no_conclusion_is_drawn(
    conclude: Callable[[MutationRequest], MutationRequest],
) -> None:
    with pytest.raises(InvalidTransition) as refused:
        conclude(ended())

    assert refused.value.details == {
        "request_id": "r1",
        "current": "Rejected",
        "target": "Pending",
    }


# An expected version.


def test_an_expected_version_that_passed_is_recorded_with_both() -> None:
    request = waiting(SECURITY, asked=created(expected_version=2))

    said = decision(request, "RevalidationRequired")
    assert said.category is Category.RESOLUTION
    assert said.reason == "The request was written on version 2; it is shown on version 3."
    assert said.metadata == {"from_version": 2, "to_version": 3, "drift": []}


def test_an_expected_version_from_the_future_is_a_wrong_parameter() -> None:
    request = waiting(SECURITY, asked=created(expected_version=9))

    assert request.closing is not None
    assert request.closing.rejection == Rejection(
        category="validation",
        code="invalid_parameters",
        message="The request expects version 9; the state is at version 3.",
    )


MOVED: dict[str, JsonValue] = {"expected": 2, "current": 3, "drift": []}


def test_what_is_stale_at_once_is_rejected_with_both_versions() -> None:
    request = waiting(SECURITY, asked=created(expected_version=2), strategy=REJECT)

    sentence = "The state moved from version 2 to 3, and this request is rejected when it is stale."
    said = decision(request, "RejectedAsStale")
    assert (said.category, said.reason) == (Category.RESOLUTION, sentence)
    assert said.metadata == {"from_version": 2, "to_version": 3, "drift": []}
    assert request.closing is not None
    assert request.closing.rejection == Rejection(
        category="stale", code="moved", message=sentence, metadata=MOVED
    )


def test_what_a_refresh_finds_stale_is_rejected_with_both_versions() -> None:
    request = waiting(SECURITY, strategy=REJECT, version=2)

    fresh = resolution.adopt(request, assessment(SECURITY, strategy=REJECT), AT)

    assert fresh.closing is not None
    assert fresh.closing.rejection is not None
    assert fresh.closing.rejection.metadata == MOVED
    assert decision(fresh, "RejectedAsStale").metadata["from_version"] == 2


def test_an_effect_that_changed_on_one_version_is_stale_as_such() -> None:
    after = resolved(approved(REJECT), SECURITY, does=OTHER, strategy=REJECT, drift=("/plan",))

    assert after.closing is not None
    assert after.closing.rejection == Rejection(
        category="stale",
        code="effect_changed",
        message="The effect changed on version 3, and this request is rejected when it is stale.",
        metadata={"expected": 3, "current": 3, "drift": ["/plan"]},
    )
    assert decision(after, "RejectedAsStale").metadata == {
        "from_version": 3,
        "to_version": 3,
        "drift": ["/plan"],
    }


# A state that moved on.

OVERTAKEN = Closing(
    status=Status.SUPERSEDED,
    actor_id="system:mutator",
    reason=("The state moved from version 3 to 4, and this request asked to be superseded then."),
)


def superseding() -> MutationRequest:
    return granted(waiting(SECURITY, asked=created(on_state_moved="supersede")), BEN)


def test_what_is_not_to_outlive_its_version_ends_superseded_and_says_so() -> None:
    found = resolve(superseding(), SECURITY, version=4)

    assert found.outcome is ResolutionOutcome.SUPERSEDED
    assert resolution.resolved(superseding(), found).closing == OVERTAKEN
    fresh = resolution.adopt(superseding(), assessment(SECURITY, version=4), AT)
    assert fresh.closing == OVERTAKEN


def test_a_resolution_that_says_superseded_ends_it_whatever_else_it_knows() -> None:
    said = NOTHING.model_copy(update={"outcome": ResolutionOutcome.SUPERSEDED, "current": 4})

    assert resolution.resolved(superseding(), said).closing == OVERTAKEN


def test_on_its_own_version_it_goes_on() -> None:
    assert resolve(superseding(), SECURITY).outcome is ResolutionOutcome.VALIDATED
    assert resolution.adopt(superseding(), assessment(SECURITY), AT).closing is None


@pytest.mark.parametrize("said", ["wait", None])
def test_what_is_to_wait_is_not_superseded_by_a_version(said: str | None) -> None:
    request = waiting(SECURITY, asked=created(on_state_moved=said))

    assert not resolution.is_superseded(request, 4)


def test_what_was_never_assessed_or_has_ended_is_superseded_by_no_version() -> None:
    canceled = Closing(status=Status.CANCELED, actor_id="ana")

    assert resolution.is_superseded(superseding(), 4)
    assert not resolution.is_superseded(superseding(), None)
    assert not resolution.is_superseded(created(on_state_moved="supersede"), 4)
    assert not resolution.is_superseded(lifecycle.close(superseding(), canceled, AT), 4)


def test_before_it_was_assessed_a_request_stands_on_no_version() -> None:
    overtaken = resolution.superseded_by_version(created(), 4).closing

    assert overtaken is not None
    assert "from version 0 to 4," in overtaken.reason


# What a resolution says.


def test_a_requester_who_left_is_a_matter_of_policy_and_every_reason_is_named() -> None:
    request = granted(waiting(by_security(2)), BEN)

    found = resolve(request, by_security(2), directory=without(ANA))

    assert found.rejection == Rejection(
        category="policy",
        code="unauthorised",
        message="its requester ana is no longer in the directory.",
    )
    assert found.reasons == (
        "it is Pending, not Approved",
        "unmet: 2 of role:security",
        "its requester ana is no longer in the directory",
    )


def test_who_lost_the_right_is_named_among_the_reasons() -> None:
    found = resolve(approved(), SECURITY, directory=without(BEN))

    assert found.outcome is ResolutionOutcome.REVOKED
    assert found.reasons == ("ben may no longer answer what they granted",)


def test_every_grant_is_looked_at_also_after_a_refusal() -> None:
    request = granted(refuse(waiting(by_security(refusals=None)), BEN, AT), CARL)

    assert resolution.revoked(request, without(CARL)) == ("carl",)


def test_a_refusal_of_somebody_who_left_is_no_grant() -> None:
    request = refuse(waiting(by_security(2, refusals=None)), BEN, AT)

    assert resolution.revoked(request, without(BEN)) == ()


def test_why_it_is_denied_now_stands_in_the_resolution() -> None:
    no = Rejection(category="policy", code="denied", message="freeze: not now")

    found = resolve(approved(), SECURITY, rejection=no)

    assert (found.outcome, found.rejection) == (ResolutionOutcome.REJECTED, no)


# What is concluded from it.


def test_whose_grant_lapsed_and_why_is_recorded() -> None:
    said = decision(resolved(approved(), SECURITY, directory=without(BEN)), "Lapsed")

    assert (said.category, said.actor_id, said.at) == (
        Category.APPROVAL,
        "system:mutator",
        later(hours=1),
    )
    assert said.reason == "ben may no longer answer what they granted."
    assert said.metadata == {"approver": "ben"}


def test_what_is_held_for_no_named_reason_is_held_for_an_unknown_one() -> None:
    held = resolution.resolved(
        approved(), NOTHING.model_copy(update={"outcome": ResolutionOutcome.HELD})
    )

    assert held.held is not None
    assert held.held.reason == "unknown"


def test_what_is_not_eligible_is_no_longer_held() -> None:
    """It is not tried again until something else happens, so nothing holds it up."""
    request = lifecycle.hold(waiting(SECURITY), "no store", AT)

    after = resolved(request, SECURITY)

    assert after.held is None


def test_what_turns_out_to_be_unmet_waits_again_from_then_on() -> None:
    request = approved()
    reopened = state_of(request, SECURITY).model_copy(update={"status": "open"})
    unmet = request.model_copy(update={"requirements": (reopened,), "answers": ()})

    after = resolved(unmet, SECURITY)

    assert after.status is Status.PENDING
    assert (after.decisions[-1].code, after.decisions[-1].at) == ("Pending", later(hours=1))


def test_what_is_dropped_is_recorded_by_its_requirement() -> None:
    request = granted(waiting(SECURITY, by_ops()), BEN, DORA)

    said = decision(resolved(request, SECURITY), "Dropped")

    assert (said.category, said.reason) == (
        Category.REQUIREMENT,
        "No policy demands it any more.",
    )
    assert said.metadata == {"requirement": by_ops().id}


@pytest.mark.parametrize(
    ("demanded", "category", "code"),
    [
        (SECURITY, Category.APPROVAL, "Renewed"),
        (check(), Category.REQUIREMENT, "Reopened"),
    ],
)
def test_what_is_asked_again_is_recorded_by_its_requirement(
    demanded: Requirement, category: Category, code: str
) -> None:
    request = waiting(demanded)

    said = decision(
        resolution.adopt(request, assessment(demanded, version=4, does=OTHER), AT), code
    )

    assert said.category is category
    assert said.reason == "What it answers for has changed; it is asked again."
    assert said.metadata == {"requirement": demanded.id}


SENTENCES: list[tuple[str, str, Callable[[], MutationRequest]]] = [
    (
        "Validated",
        "The state is what the decision was taken on.",
        lambda: resolved(approved(), SECURITY),
    ),
    (
        "ApprovalsSurvived",
        "The state moved; every granted part of the effect is unchanged.",
        lambda: resolved(approved(), SECURITY, version=4),
    ),
    (
        "RevalidationRequired",
        "The state moved; the policies and the check were asked again.",
        lambda: resolved(approved(LATEST), SECURITY, version=4, strategy=LATEST),
    ),
    (
        "RenewedApprovalRequired",
        "What was approved is not what would be done now.",
        lambda: resolved(approved(), SECURITY, version=4, does=OTHER),
    ),
    (
        "RequirementsAdded",
        "The policies demand more than they did.",
        lambda: resolved(approved(), SECURITY, by_ops()),
    ),
]


@pytest.mark.parametrize(("code", "sentence", "conclude"), SENTENCES)
def test_every_conclusion_is_a_sentence(
    code: str, sentence: str, conclude: Callable[[], MutationRequest]
) -> None:
    said = decision(conclude(), code)

    assert (said.category, said.actor_id) == (Category.RESOLUTION, "system:mutator")
    assert (said.at, said.reason) == (later(hours=1), sentence)


def test_what_was_added_and_dropped_is_in_the_proof() -> None:
    request = granted(waiting(SECURITY), BEN)

    proof = decision(resolved(request, by_ops()), "RequirementsAdded").metadata

    assert proof["requirements_added"] == [by_ops().id]
    assert proof["requirements_dropped"] == [SECURITY.id]


def test_of_what_was_never_assessed_the_proof_knows_nothing_from_before() -> None:
    request = resolution.adopt(created(), assessment(SECURITY), AT)

    proof = decision(request, "RequirementsAdded").metadata
    assert proof == {
        "to_version": 3,
        "effect_now": RAISED.digest(),
        "grants_kept": [],
        "requirements_added": [SECURITY.id],
        "difference": {"approved": [], "now": ["/limit: 100 -> 120"]},
    }


def test_what_survived_drift_and_is_asked_again_is_validated_there() -> None:
    survived = resolved(approved(), SECURITY, version=4)

    again = resolved(survived, SECURITY, version=4)

    assert decision(again, "Validated").metadata["to_version"] == 4


def test_of_a_request_that_shows_no_effect_everything_an_approver_saw_is_gone() -> None:
    answer = approved().answers[0]

    assert resolution.shown_difference(answer, created()) == ("- /limit: 100 -> 120",)


# What was looked at.

SMOKE = Requirement.check("smoke")
BY_MUTATION = Requirement.check("smoke", bound_to="mutation")


def found_of(
    request: MutationRequest, requirement: Requirement, verdict: Any, **more: Any
) -> dict[str, Finding]:
    """Answer what looking at a requirement of a request brought."""
    binding = state_of(request, requirement).binding
    return {
        requirement.id: Finding(
            verdict=verdict, at=AT, binding=binding, actor_id="system:mutator", **more
        )
    }


def looked(demanded: Requirement, findings: dict[str, Finding]) -> Assessment:
    return assessment(demanded).model_copy(update={"findings": findings})


@pytest.mark.parametrize(
    ("again_at", "looked_at_again"),
    [(None, later(hours=2)), (later(days=1), later(days=1))],
)
def test_what_somebody_is_to_tell_is_looked_at_once_more_when_it_stands_in_the_record(
    again_at: datetime | None, looked_at_again: datetime
) -> None:
    request = waiting(SMOKE)
    found = looked(SMOKE, found_of(request, SMOKE, "not_yet", again_at=again_at))

    for after in (
        resolution.adopt(request, found, later(hours=2)),
        resolution.assessed(created(), found, later(hours=2)),
        resolution.resolved(
            request,
            NOTHING.model_copy(
                update={
                    "outcome": ResolutionOutcome.INELIGIBLE,
                    "at": later(hours=2),
                    "assessment": found,
                }
            ),
        ),
    ):
        finding = state_of(after, SMOKE).finding
        assert finding is not None
        assert finding.again_at == looked_at_again


def test_what_holds_is_not_looked_at_again() -> None:
    request = waiting(SMOKE)

    after = resolution.adopt(
        request, looked(SMOKE, found_of(request, SMOKE, "holds")), later(hours=2)
    )

    finding = state_of(after, SMOKE).finding
    assert finding is not None
    assert finding.again_at is None
    assert after.status is Status.APPROVED


def test_what_failed_is_recorded_when_it_is_adopted() -> None:
    request = waiting(SMOKE)
    failed = found_of(request, SMOKE, "failed", reason="smoke everywhere")

    for after in (
        resolution.adopt(request, looked(SMOKE, failed), later(hours=2)),
        resolution.assessed(created(), looked(SMOKE, failed), later(hours=2)),
        resolution.resolved(
            request,
            NOTHING.model_copy(
                update={
                    "outcome": ResolutionOutcome.INELIGIBLE,
                    "at": later(hours=2),
                    "assessment": looked(SMOKE, failed),
                }
            ),
        ),
    ):
        said = decision(after, "Failed")
        assert (said.at, said.reason) == (later(hours=2), "smoke everywhere")


def test_what_is_about_to_end_takes_nothing_that_was_found() -> None:
    request = refuse(waiting(SMOKE, SECURITY), BEN, AT)
    assert request.closing is not None
    found = NOTHING.model_copy(
        update={
            "outcome": ResolutionOutcome.INELIGIBLE,
            "assessment": looked(SMOKE, found_of(request, SMOKE, "holds")),
        }
    )

    assert resolution.resolved(request, found) == request


def test_what_is_not_eligible_and_was_not_evaluated_waits_for_what_is_unmet() -> None:
    request = approved()
    reopened = state_of(request, SECURITY).model_copy(update={"status": "open"})
    unmet = request.model_copy(update={"requirements": (reopened,), "answers": ()})
    late = NOTHING.model_copy(
        update={"outcome": ResolutionOutcome.INELIGIBLE, "at": later(hours=1)}
    )

    after = resolution.resolved(unmet, late)

    assert (after.decisions[-1].code, after.decisions[-1].at) == ("Pending", later(hours=1))


@pytest.mark.parametrize(("check_", "again"), [(SMOKE, True), (BY_MUTATION, False)])
def test_a_check_holds_for_the_effect_or_for_the_mutation_on_any_state(
    check_: Requirement, again: bool
) -> None:
    request = waiting(check_)
    request = resolution.adopt(request, looked(check_, found_of(request, check_, "holds")), AT)
    assert request.status is Status.APPROVED

    fresh = resolution.adopt(request, assessment(check_, version=4, does=OTHER), AT)

    assert (fresh.status is Status.PENDING) is again
    assert (state_of(fresh, check_).finding is None) is again


@pytest.mark.parametrize("strategy", [RENEW, KEEP, LATEST])
def test_g3_a_check_bound_to_the_effect_is_asked_again_under_every_strategy(
    strategy: Strategy,
) -> None:
    request = waiting(SMOKE, strategy=strategy)
    passed = {"findings": found_of(request, SMOKE, "holds")}
    request = resolution.adopt(
        request, assessment(SMOKE, strategy=strategy).model_copy(update=passed), AT
    )
    assert request.status is Status.APPROVED

    found = resolve(request, SMOKE, version=4, does=OTHER, strategy=strategy)

    assert found.outcome is ResolutionOutcome.RENEWED
    assert state_of(resolution.resolved(request, found), SMOKE).finding is None


def test_g11_an_answer_about_another_effect_is_outdated_where_people_approve_the_mutation() -> None:
    ticket = Requirement.check("ticket", people=["eve"])
    request = waiting(ticket, SECURITY, strategy=LATEST)
    fresh = resolution.adopt(
        request, assessment(ticket, SECURITY, version=4, does=OTHER, strategy=LATEST), AT
    )

    for old in (request.binding, state_of(request, ticket).binding, None):
        with pytest.raises(OutdatedBinding):
            waits.fulfil(fresh, EVE, AT, verdict="passed", binding=old)
    for new in (fresh.binding, state_of(fresh, ticket).binding):
        passed = waits.fulfil(fresh, EVE, AT, verdict="passed", binding=new)
        assert passed.fulfilled == (ticket.id,)


def test_an_approval_for_the_mutation_stands_while_the_check_beside_it_is_asked_again() -> None:
    request = granted(waiting(SMOKE, SECURITY, strategy=LATEST), BEN)
    request = waits.found(request, found_of(request, SMOKE, "holds"), AT)
    assert request.status is Status.APPROVED

    fresh = resolved(request, SMOKE, SECURITY, version=4, does=OTHER, strategy=LATEST)

    assert fresh.fulfilled == (SECURITY.id,)
    assert [p.requirement_id for p in fresh.pending] == [SMOKE.id]


def met_twice(strategy: Strategy = KEEP) -> tuple[MutationRequest, Requirement]:
    """Answer a request that people grant and a check lets through, where either suffices."""
    (choice,) = either([(SECURITY,), (BY_MUTATION if strategy is KEEP else SMOKE,)])
    request = granted(waiting(choice, strategy=strategy), BEN)
    (other,) = (r.requirement for r in request.requirements if r.requirement.kind == "check")
    request = waits.found(request, found_of(request, other, "holds"), AT)
    assert state_of(request, choice).met_by == (SECURITY.id,)
    return request, choice


def test_where_something_else_meets_what_lapsed_nothing_is_said_to_be_renewed() -> None:
    request, choice = met_twice()

    found = resolve(request, choice, version=4, does=OTHER)
    after = resolution.resolved(request, found)

    assert (found.outcome, found.lapsed) == (ResolutionOutcome.REVALIDATED, ("ben",))
    assert (after.status, after.round) == (Status.APPROVED, 1)
    assert state_of(after, choice).met_by == (BY_MUTATION.id,)
    said = decision(after, "RevalidationRequired")
    assert said.metadata["grants_lapsed"] == ["ben"]
    assert "RenewedApprovalRequired" not in [d.code for d in after.decisions]
    assert decision(after, "Renewed").metadata == {"requirement": SECURITY.id}


def test_a_check_that_is_asked_again_beside_what_is_met_begins_no_new_round() -> None:
    request, choice = met_twice(LATEST)

    found = resolve(request, choice, version=4, does=OTHER, strategy=LATEST)
    after = resolution.resolved(request, found)

    assert found.outcome is ResolutionOutcome.REVALIDATED
    assert (after.status, after.round) == (Status.APPROVED, 1)
    assert state_of(after, SMOKE).status == "open"


def test_a_waiting_request_of_which_grants_lapse_is_renewed() -> None:
    request = granted(waiting(by_security(2)), BEN)

    fresh = resolution.adopt(request, assessment(by_security(2), version=4, does=OTHER), AT)

    assert (fresh.status, fresh.round) == (Status.PENDING, 2)
    assert decision(fresh, "RenewedApprovalRequired").metadata["grants_lapsed"] == ["ben"]


# What is carried over.


def test_what_was_found_and_who_was_let_in_is_carried_over_with_its_binding() -> None:
    request = waiting(TIMED)
    found = found_of(request, TIMED, "not_yet")[TIMED.id]
    known = state_of(request, TIMED).model_copy(
        update={
            "finding": found,
            "asked": 2,
            "escalated_at": later(hours=3),
            "reminded_at": later(hours=4),
        }
    )
    request = request.model_copy(update={"requirements": (known,)})

    fresh = state_of(resolution.adopt(request, assessment(TIMED, version=4), AT), TIMED)

    assert (fresh.finding, fresh.asked) == (found, 2)
    assert (fresh.escalated_at, fresh.reminded_at) == (later(hours=3), later(hours=4))


def test_a_renewal_gives_back_what_was_reserved_and_asks_for_it_last() -> None:
    room = Requirement.quota("deploys", Budget(limit=8, per="day"), amount=3)
    request = waiting(SECURITY, room)
    request = granted(request, BEN)
    request = resolution.adopt(
        request,
        assessment(SECURITY, room).model_copy(
            update={"findings": found_of(request, room, "holds")}
        ),
        AT,
    )
    assert (request.status, state_of(request, room).status) == (Status.APPROVED, "fulfilled")

    fresh = resolution.adopt(request, assessment(SECURITY, room, version=4, does=OTHER), AT)

    assert fresh.round == 2
    assert (state_of(fresh, room).status, state_of(fresh, room).finding) == ("waiting", None)


TIMED = by_security(2, duration=timedelta(days=2), covers=["/limit"])
BESIDE = by_ops(covers=["/plan"])


def test_a_refresh_that_renews_nothing_leaves_every_clock_running() -> None:
    request = waiting(TIMED)

    fresh = resolution.adopt(request, assessment(TIMED, version=4), later(hours=5))

    assert fresh.round == request.round == 1
    state = state_of(fresh, TIMED)
    assert (state.opened_at, state.deadline) == (AT, later(days=2))


def test_a_renewal_starts_the_clock_of_whatever_is_still_open() -> None:
    request = waiting(TIMED, BESIDE, does=BOTH)
    request = granted(request, DORA)

    fresh = resolution.adopt(
        request,
        assessment(TIMED, BESIDE, version=4, does=effect(limit=120, plan="gold")),
        later(hours=5),
    )

    assert fresh.round == 2
    state = state_of(fresh, TIMED)
    assert state.status == "open"
    assert (state.opened_at, state.deadline) == (later(hours=5), later(hours=5, days=2))


def test_what_is_met_keeps_the_time_it_was_opened_through_a_renewal() -> None:
    request = granted(waiting(TIMED, BESIDE, does=BOTH), BEN, CARL)

    fresh = resolution.adopt(
        request,
        assessment(TIMED, BESIDE, version=4, does=effect(limit=120, plan="gold")),
        later(hours=5),
    )

    state = state_of(fresh, TIMED)
    assert (state.status, state.opened_at) == ("fulfilled", AT)
    assert state.granted_by == ("ben", "carl")


def test_what_is_demanded_in_an_alternative_only_from_now_on_is_asked_anew() -> None:
    (choice,) = either([(TIMED,), (by("eve"),)])
    request = waiting(TIMED, choice)
    assert state_of(request, TIMED).of == ()

    fresh = resolution.adopt(request, assessment(choice), later(hours=5))

    assert (fresh.round, state_of(fresh, TIMED).of) == (1, (choice.id,))
    assert state_of(fresh, TIMED).opened_at == later(hours=5)


def test_a_renewal_gives_back_what_was_reserved_though_all_else_is_met_at_once() -> None:
    room = Requirement.quota("deploys", Budget(limit=8, per="day"), amount=3)
    request = resolution.adopt(
        waiting(room),
        assessment(room).model_copy(update={"findings": found_of(waiting(room), room, "holds")}),
        AT,
    )
    assert request.status is Status.APPROVED
    passed = found_of(waiting(SMOKE), SMOKE, "holds")

    fresh = resolution.adopt(
        request, assessment(SMOKE, room).model_copy(update={"findings": passed}), AT
    )

    assert (fresh.round, fresh.status) == (2, Status.PENDING)
    assert state_of(fresh, SMOKE).status == "fulfilled"
    assert (state_of(fresh, room).status, state_of(fresh, room).finding) == ("open", None)


def test_what_was_met_alone_is_met_in_an_alternative_as_well() -> None:
    request = granted(waiting(SECURITY, by_ops()), BEN)
    (choice,) = either([(SECURITY,), (by("eve"),)])

    fresh = resolution.adopt(request, assessment(choice, by_ops()), AT)

    assert "Requested" not in [
        d.code
        for d in fresh.decisions[len(request.decisions) :]
        if d.metadata.get("requirement") == SECURITY.id
    ]
    assert SECURITY.id in fresh.fulfilled


@pytest.mark.parametrize(
    ("first", "by_first", "then", "by_then"),
    [(SECURITY, BEN, by_ops(), DORA), (by_ops(), DORA, SECURITY, BEN)],
)
def test_what_met_a_choice_goes_on_meeting_it_when_nothing_has_changed(
    first: Requirement, by_first: Person, then: Requirement, by_then: Person
) -> None:
    (choice,) = either([(first,), (then,)])
    demanded = (choice, then, by("eve"))
    request = granted(waiting(*demanded), by_first, by_then)
    assert state_of(request, choice).met_by == (first.id,)

    fresh = resolution.adopt(request, assessment(*demanded), AT)

    assert state_of(fresh, choice).met_by == (first.id,)


def test_what_is_about_to_be_rejected_goes_on_showing_who_refused_and_who_granted() -> None:
    request = refuse(granted(waiting(by_security(2)), BEN), CARL, AT)
    assert request.closing is not None

    fresh = resolution.adopt(request, assessment(by_security(2), version=4), AT)

    state = state_of(fresh, by_security(2))
    assert (state.granted_by, state.refused_by) == (("ben",), ("carl",))


# Who may look at it again.


def test_only_what_waits_is_looked_at_again_and_the_status_is_named() -> None:
    with pytest.raises(NothingToRefresh) as refused:
        resolution.raise_unless_refreshable(approved(), ANA)

    assert str(refused.value) == (
        "Request 'r1' is Approved; only a waiting one can be assessed anew."
    )
    assert refused.value.details == {"request_id": "r1"}


def test_whom_a_request_does_not_concern_may_not_have_it_looked_at_again() -> None:
    with pytest.raises(NotAuthorised) as refused:
        resolution.raise_unless_refreshable(waiting(SECURITY), EVE)

    assert str(refused.value) == (
        "eve may not refresh request 'r1'; its requester and its approvers may."
    )
    assert refused.value.details == {"request_id": "r1", "actor_id": "eve"}


def test_a_requester_who_could_not_approve_anything_may_have_it_looked_at_again() -> None:
    request = waiting(by("dora"))
    assert not ANA.may_answer(by("dora"))

    resolution.raise_unless_refreshable(request, ANA)
    resolution.raise_unless_refreshable(request, ANA.model_copy(update={"id": "Ana"}))
