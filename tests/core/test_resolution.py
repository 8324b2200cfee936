"""Version resolution: always, before every execution; approvals survive drift only with proof."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.budgets import Budget
from core.effects import Effect
from core.errors import DecisionRefused, NotAuthorised, NothingToRefresh, OutdatedBinding
from core.governance import approval, fulfilment, resolution, waits
from core.governance.assessment import Assessment
from core.governance.lifecycle import close
from core.governance.people import Directory
from core.governance.request import Closing, Finding, MutationRequest, Rejection, Status
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
    codes,
    created,
    effect,
    granted,
    later,
    person,
    waiting,
    without,
)

OTHER = effect(limit=150)
SAME, MOVED = 3, 4
"""Versions: requests are assessed on 3."""

REJECT, RENEW, KEEP, LATEST = Strategy

VALIDATED = ResolutionOutcome.VALIDATED
SURVIVED = ResolutionOutcome.SURVIVED
REVALIDATED = ResolutionOutcome.REVALIDATED
RENEWED = ResolutionOutcome.RENEWED
REJECTED = ResolutionOutcome.REJECTED


def approved(
    *requirements: Requirement, strategy: Strategy = KEEP, does: Effect = RAISED
) -> MutationRequest:
    """Answer a request that was granted by Ben, Carl and Dora, as far as they were asked."""
    request = waiting(*requirements, strategy=strategy, does=does)
    for each in (BEN, CARL, DORA):
        if any(r.status == "open" and each.may_answer(r.requirement) for r in request.requirements):
            request = granted(request, each)
    assert request.status is Status.APPROVED
    return request


def resolve(
    request: MutationRequest,
    found: Assessment,
    *,
    directory: Directory = DIRECTORY,
    hours: int = 1,
    drift: tuple[str, ...] = (),
) -> tuple[MutationRequest, Resolution]:
    """Answer the request after the resolution, and the resolution."""
    answer = resolution.resolve(
        request, found, directory=directory, at=later(hours=hours), fence=1, drift=drift
    )
    return resolution.resolved(request, answer), answer


# The table of DESIGN 6.5, row by row.


@pytest.mark.parametrize(
    ("strategy", "version", "does", "outcome", "decision"),
    [
        (REJECT, SAME, RAISED, VALIDATED, "Validated"),
        (REJECT, MOVED, RAISED, REJECTED, "RejectedAsStale"),
        (REJECT, MOVED, OTHER, REJECTED, "RejectedAsStale"),
        (REJECT, SAME, OTHER, REJECTED, "RejectedAsStale"),
        (RENEW, SAME, RAISED, VALIDATED, "Validated"),
        (RENEW, MOVED, RAISED, RENEWED, "RenewedApprovalRequired"),
        (RENEW, MOVED, OTHER, RENEWED, "RenewedApprovalRequired"),
        (RENEW, SAME, OTHER, RENEWED, "RenewedApprovalRequired"),
        (KEEP, SAME, RAISED, VALIDATED, "Validated"),
        (KEEP, MOVED, RAISED, SURVIVED, "ApprovalsSurvived"),
        (KEEP, MOVED, OTHER, RENEWED, "RenewedApprovalRequired"),
        (KEEP, SAME, OTHER, RENEWED, "RenewedApprovalRequired"),
        (LATEST, SAME, RAISED, VALIDATED, "Validated"),
        (LATEST, MOVED, RAISED, REVALIDATED, "RevalidationRequired"),
        (LATEST, MOVED, OTHER, REVALIDATED, "RevalidationRequired"),
        (LATEST, SAME, OTHER, REVALIDATED, "RevalidationRequired"),
    ],
)
def test_g3_what_drift_does_to_approvals_is_what_the_strategy_says(
    strategy: Strategy, version: int, does: Effect, outcome: ResolutionOutcome, decision: str
) -> None:
    before = approved(by_security(), strategy=strategy)

    after, found = resolve(
        before, assessment(by_security(), version=version, does=does, strategy=strategy)
    )

    assert found.outcome is outcome
    assert decision in codes(after, len(before.decisions))
    assert found.moved == (version == MOVED or does is OTHER)
    expected = Status.PENDING if outcome is RENEWED else Status.APPROVED
    assert after.status is expected
    assert (after.closing is not None) == (outcome is REJECTED)


@pytest.mark.parametrize("does", [RAISED, OTHER])
@pytest.mark.parametrize("version", [SAME, MOVED])
@pytest.mark.parametrize("strategy", [RENEW, KEEP, LATEST])
def test_without_approvals_it_executes_with_the_effect_as_it_is_now(
    strategy: Strategy, version: int, does: Effect
) -> None:
    before = approved(strategy=strategy)

    after, found = resolve(before, assessment(version=version, does=does, strategy=strategy))

    still = version == SAME and does is RAISED
    assert found.outcome is (VALIDATED if still else REVALIDATED)
    assert after.status is Status.APPROVED
    assert after.round == 1


@pytest.mark.parametrize(("version", "does"), [(MOVED, RAISED), (SAME, OTHER)])
def test_reject_stale_binds_also_what_was_approved_by_policy(version: int, does: Effect) -> None:
    after, found = resolve(
        approved(strategy=REJECT), assessment(version=version, does=does, strategy=REJECT)
    )

    assert found.outcome is REJECTED
    assert after.closing is not None
    rejection = after.closing.rejection
    assert rejection is not None
    code = "moved" if version == MOVED else "effect_changed"
    assert (rejection.category, rejection.code) == ("stale", code)


def test_side_effects_are_part_of_the_effect() -> None:
    before = approved(by_security(), does=effect("ben", limit=120))

    _, found = resolve(before, assessment(by_security(), does=effect("eve", limit=120)))

    assert found.outcome is RENEWED


def test_g3_another_mutation_is_another_wish_under_every_strategy() -> None:
    for strategy in (RENEW, KEEP, LATEST):
        before = approved(by_security(), strategy=strategy)

        _, found = resolve(before, assessment(by_security(), strategy=strategy, amount=21))

        assert found.outcome is RENEWED


# Partial coverage.

LIMIT, PLAN = by_security(covers=["/limit"]), by("dora", covers=["/plan"])
BOTH = effect(limit=120, plan="pro")


def test_only_the_grants_whose_covered_part_changed_are_asked_again() -> None:
    before = approved(LIMIT, PLAN, does=BOTH)

    after, found = resolve(
        before, assessment(LIMIT, PLAN, version=MOVED, does=effect(limit=120, plan="gold"))
    )

    assert found.outcome is RENEWED
    assert found.lapsed == ("dora",)
    assert after.status is Status.PENDING
    assert [p.requirement_id for p in after.pending] == [PLAN.id]
    assert {a.actor_id for a in after.answers} == {"ben"}
    assert granted(after, DORA).status is Status.APPROVED


def test_a_renewal_asks_everybody_again_whatever_they_cover() -> None:
    before = approved(LIMIT, PLAN, does=BOTH, strategy=RENEW)

    after, found = resolve(
        before,
        assessment(LIMIT, PLAN, does=effect(limit=120, plan="gold"), strategy=RENEW),
    )

    assert found.outcome is RENEWED
    assert after.answers == ()
    assert len(after.pending) == 2


def test_a_person_who_answered_for_two_parts_keeps_the_one_that_is_unchanged() -> None:
    plan = by_ops(covers=["/plan"])
    request = granted(waiting(LIMIT, plan, does=BOTH), CARL, BEN)
    assert request.status is Status.APPROVED

    after, found = resolve(
        request, assessment(LIMIT, plan, version=MOVED, does=effect(limit=120, plan="gold"))
    )

    carl = after.answer_of("carl")
    assert carl is not None
    assert carl.bindings.keys() == {LIMIT.id}
    assert found.lapsed == ("carl",)
    proof = next(d for d in after.decisions if d.code == "RenewedApprovalRequired").metadata
    assert proof["grants_kept"] == ["carl", "ben"]
    assert granted(after, DORA).status is Status.APPROVED


FOR_NOTHING = [
    Requirement.schedule(not_before=AT),
    Requirement.quota("deploys", Budget(limit=5, per="day")),
    Requirement.check("lint", bound_to="mutation"),
]
"""What is met and answers for no part of the effect."""


def looked_at(request: MutationRequest) -> MutationRequest:
    """Answer the request once everything that is looked at was found to hold."""
    for each in request.requirements:
        passed = Finding(verdict="holds", at=AT, binding=each.binding, actor_id="service:ci")
        request = waits.found(request, {each.id: passed}, AT)
    return request


@pytest.mark.parametrize("beside", FOR_NOTHING, ids=lambda r: r.kind)
def test_g3_what_answers_for_no_part_of_the_effect_takes_none_from_the_approvals(
    beside: Requirement,
) -> None:
    request = looked_at(granted(waiting(LIMIT, beside, does=BOTH), BEN))
    assert request.status is Status.APPROVED

    _, found = resolve(
        request, assessment(LIMIT, beside, version=MOVED, does=effect(limit=120, plan="gold"))
    )

    assert found.outcome is RENEWED
    assert found.lapsed == ("ben",)


def test_g3_an_alternative_that_nobody_took_takes_no_part_from_the_approvals() -> None:
    (one_of,) = either([(LIMIT,), (by("eve"),)])
    request = granted(waiting(one_of, does=BOTH), BEN)

    _, found = resolve(
        request, assessment(one_of, version=MOVED, does=effect(limit=120, plan="gold"))
    )

    assert found.outcome is RENEWED
    assert found.lapsed == ("ben",)


# Requirements that come and go.


def test_what_is_added_or_dropped_voids_no_other_grant_while_the_effect_is_the_same() -> None:
    before = approved(LIMIT, PLAN, does=BOTH)

    fewer, dropped = resolve(before, assessment(LIMIT, version=MOVED, does=BOTH))
    more, added = resolve(fewer, assessment(LIMIT, by("eve", covers=["/plan"]), does=BOTH))

    assert (dropped.outcome, dropped.lapsed) == (SURVIVED, ())
    assert (added.outcome, added.lapsed) == (RENEWED, ())
    assert granted(more, EVE).status is Status.APPROVED


def test_g3_what_whoever_is_dropped_covered_is_asked_of_the_others_once_it_changes() -> None:
    before, _ = resolve(approved(LIMIT, PLAN, does=BOTH), assessment(LIMIT, does=BOTH))

    _, found = resolve(
        before, assessment(LIMIT, version=MOVED, does=effect(limit=120, plan="gold"))
    )

    assert (found.outcome, found.lapsed) == (RENEWED, ("ben",))


def test_a_new_requirement_wins_over_old_approvals() -> None:
    before = approved(by_security())

    after, found = resolve(before, assessment(by_security(), by_ops()))

    assert found.outcome is RENEWED
    assert found.added == (by_ops().id,)
    assert after.status is Status.PENDING
    assert after.round == before.round + 1
    assert "RequirementsAdded" in codes(after)
    assert after.fulfilled == (by_security().id,)
    assert granted(after, DORA).status is Status.APPROVED


def test_a_requirement_that_nobody_demands_any_more_is_dropped() -> None:
    before = approved(by_security(), by_ops())

    after, found = resolve(before, assessment(by_security()))

    assert found.outcome is VALIDATED
    assert found.dropped == (by_ops().id,)
    assert "Dropped" in codes(after)
    assert [r.id for r in after.requirements] == [by_security().id]
    assert after.round == before.round


def test_what_policies_demand_again_and_is_fulfilled_does_not_block() -> None:
    before = approved(by_security(), by_ops())

    _, found = resolve(before, assessment(by_ops(), by_security()))

    assert found.outcome is VALIDATED


def test_nothing_is_said_to_have_survived_when_nobody_is_asked_any_more() -> None:
    before = approved(by_security())

    after, found = resolve(before, assessment(version=MOVED, does=OTHER))

    assert found.outcome is REVALIDATED
    assert "ApprovalsSurvived" not in codes(after)
    assert after.answers == ()


def test_g10_an_unknown_requirement_that_comes_later_blocks() -> None:
    after, found = resolve(approved(), assessment(Requirement(kind="seance")))

    assert not found.outcome.executes
    assert after.status is Status.PENDING


def test_a_denial_at_resolution_ends_it() -> None:
    no = Rejection(category="policy", code="denied", message="freeze: not now")

    after, found = resolve(approved(by_security()), assessment(by_security(), rejection=no))

    assert found.outcome is REJECTED
    assert after.closing is not None
    assert after.closing.rejection == no


# Renewal.


def test_a_renewal_is_a_new_round_on_the_current_version() -> None:
    before = approved(by_security())

    after, _ = resolve(before, assessment(by_security(), version=MOVED, does=OTHER))

    assert after.round == 2
    assert after.snapshot is not None
    assert (after.snapshot.version, after.expected_version) == (MOVED, MOVED)
    assert after.snapshot.effect_digest == OTHER.digest()
    assert after.binding != before.binding
    with pytest.raises(OutdatedBinding):
        approval.grant(after, BEN, later(hours=2), binding=before.binding)
    assert granted(after, BEN, at=later(hours=2)).status is Status.APPROVED


def test_a_renewal_leaves_the_history_of_what_it_resets() -> None:
    before = approved(by_security())

    after, _ = resolve(before, assessment(by_security(), version=MOVED, does=OTHER))

    assert after.decisions[: len(before.decisions)] == before.decisions
    assert codes(after, len(before.decisions)) == [
        "RenewedApprovalRequired",
        "Renewed",
        "Requested",
        "Pending",
    ]
    assert after.answers == ()


def test_at_a_renewal_durations_run_anew_and_the_deadline_does_not_move() -> None:
    timed = by_security(duration=timedelta(days=2))
    before = granted(waiting(timed), BEN)

    after, _ = resolve(before, assessment(timed, version=MOVED, does=OTHER), hours=36)

    assert fulfilment.next_deadline(after) == later(hours=36, days=2)
    assert after.expires_at == before.expires_at == later(days=14)


def test_carried_grants_count_towards_the_new_round() -> None:
    pair, other = by_security(2, covers=["/limit"]), by_ops(covers=["/plan"])
    request = granted(waiting(pair, other, does=BOTH), BEN, CARL, DORA)
    assert request.status is Status.APPROVED

    after, _ = resolve(
        request, assessment(pair, other, version=MOVED, does=effect(limit=120, plan="gold"))
    )

    assert after.fulfilled == (pair.id,)
    assert granted(after, DORA).status is Status.APPROVED


def test_a_check_whose_result_was_on_another_effect_is_asked_again_in_a_new_round() -> None:
    request = waiting(check())
    asked = request.requirements[0]
    passed = Finding(verdict="holds", at=AT, binding=asked.binding, actor_id="service:ci")
    request = waits.found(request, {asked.id: passed}, AT)
    assert request.status is Status.APPROVED

    after, found = resolve(request, assessment(check(), version=MOVED, does=OTHER))

    assert found.outcome is RENEWED
    assert after.status is Status.PENDING
    assert after.round == 2


# The proof.


def test_why_approvals_survived_is_recorded() -> None:
    before = approved(by_security())

    after, found = resolve(
        before, assessment(by_security(), version=MOVED), drift=("/plan", "/owner")
    )

    proof = after.decisions[-1]
    assert proof.code == "ApprovalsSurvived"
    assert proof.metadata == {
        "from_version": SAME,
        "to_version": MOVED,
        "effect_before": RAISED.digest(),
        "effect_now": RAISED.digest(),
        "drift": ["/owner", "/plan"],
        "grants_kept": ["ben"],
    }
    assert found.drift == ("/owner", "/plan")


def test_why_approvals_lapsed_is_recorded_with_the_difference() -> None:
    after, _ = resolve(
        approved(by_security()), assessment(by_security(), version=MOVED, does=OTHER)
    )

    proof = next(d for d in after.decisions if d.code == "RenewedApprovalRequired")
    assert proof.metadata["grants_lapsed"] == ["ben"]
    assert proof.metadata["difference"] == {
        "approved": ["/limit: 100 -> 120"],
        "now": ["/limit: 100 -> 150"],
    }


def test_an_approver_is_shown_what_changed_since_they_approved() -> None:
    before = approved(by_security())
    answer = before.answers[0]

    after, _ = resolve(before, assessment(by_security(), version=MOVED, does=OTHER))

    assert resolution.shown_difference(answer, after) == (
        "- /limit: 100 -> 120",
        "+ /limit: 100 -> 150",
    )
    assert resolution.shown_difference(answer, before) == ()


def test_a_stale_rejection_names_versions_and_drift() -> None:
    _, found = resolve(
        approved(by_security(), strategy=REJECT),
        assessment(by_security(), version=MOVED, strategy=REJECT),
        drift=("/plan",),
    )

    assert found.rejection is not None
    assert found.rejection.metadata == {"expected": SAME, "current": MOVED, "drift": ["/plan"]}


def test_asking_again_is_no_news() -> None:
    once, _ = resolve(approved(by_security()), assessment(by_security()))

    twice, found = resolve(once, assessment(by_security()))

    assert found.outcome is VALIDATED
    assert twice.decisions == once.decisions


def test_drift_is_named_also_where_it_can_be_read_only_once() -> None:
    request = approved(by_security(), strategy=REJECT)
    found = assessment(by_security(), version=MOVED, strategy=REJECT)

    answer = resolution.resolve(
        request, found, directory=DIRECTORY, at=AT, fence=1, drift=iter(["/plan", "/owner"])
    )

    assert answer.drift == ("/owner", "/plan")
    assert answer.rejection is not None
    assert answer.rejection.metadata["drift"] == ["/owner", "/plan"]


def test_drift_is_named_up_to_a_bound() -> None:
    many = tuple(f"/{i:03}" for i in range(resolution.MAX_DRIFT + 5))

    _, found = resolve(approved(), assessment(version=MOVED), drift=many)

    assert len(found.drift) == resolution.MAX_DRIFT


# Eligibility.


def test_g2_what_is_not_approved_is_not_eligible_and_says_why() -> None:
    request = waiting(by_security())

    after, found = resolve(request, assessment(by_security()))

    assert found.outcome is ResolutionOutcome.INELIGIBLE
    assert found.reasons == ("it is Pending, not Approved", "unmet: 1 of role:security")
    assert after == request


def test_g2_what_is_about_to_end_is_not_eligible() -> None:
    request = approval.refuse(approved(by_security()), CARL, AT)

    _, found = resolve(request, assessment(by_security()))

    assert found.outcome is ResolutionOutcome.INELIGIBLE
    assert found.reasons == ("it is about to be Rejected",)


def test_g2_at_its_deadline_nothing_is_eligible() -> None:
    _, found = resolve(approved(by_security()), assessment(by_security()), hours=14 * 24)

    assert found.outcome is ResolutionOutcome.INELIGIBLE
    assert "its deadline was" in found.reasons[0]


def test_g10_who_has_left_does_not_count() -> None:
    before = granted(waiting(by_security()), BEN)

    after, found = resolve(before, assessment(by_security()), directory=without(BEN))

    assert found.outcome is ResolutionOutcome.REVOKED
    assert found.revoked == ("ben",)
    assert after.status is Status.PENDING
    assert codes(after, len(before.decisions)) == ["Lapsed", "Reopened", "Pending"]
    assert granted(after, CARL).status is Status.APPROVED


def test_g10_who_lost_the_role_does_not_count() -> None:
    before = granted(waiting(by_security()), BEN)
    former = BEN.model_copy(update={"roles": ("cook",)})

    _, found = resolve(
        before, assessment(by_security()), directory=Directory.of([ANA, former, CARL])
    )

    assert found.revoked == ("ben",)


def test_g8_who_lost_one_of_two_rights_goes_on_counting_by_the_other() -> None:
    both = (by_security(), by_ops())
    before = granted(waiting(*both), BEN, CARL)
    assert before.status is Status.APPROVED
    only_ops = Directory.of([ANA, BEN, person("carl", groups="ops"), DORA])

    after, found = resolve(before, assessment(*both), directory=only_ops)

    assert (found.outcome, found.revoked) == (ResolutionOutcome.REVOKED, ("carl",))
    assert found.reasons == ("carl may no longer answer all that they granted",)
    assert after.status is Status.APPROVED
    carl = after.answer_of("carl")
    assert carl is not None
    assert set(carl.bindings) == {by_ops().id}
    assert after.decisions[-1].code == "Lapsed"
    assert after.decisions[-1].reason == "carl may no longer answer: 1 of role:security."
    assert after.decisions[-1].metadata == {
        "approver": "carl",
        "requirements": [by_security().id],
    }
    _, found = resolve(after, assessment(*both), directory=only_ops)
    assert found.outcome is VALIDATED


def test_g10_who_lost_the_right_to_the_seat_they_fill_fills_it_no_longer() -> None:
    both = (by_security(), by_ops())
    before = granted(waiting(*both), BEN, CARL)
    only_security = Directory.of([ANA, BEN, person("carl", roles="security"), DORA])

    after, _ = resolve(before, assessment(*both), directory=only_security)

    assert after.status is Status.PENDING
    assert [p.requirement_id for p in after.pending] == [by_ops().id]
    assert {a.actor_id for a in after.answers} == {"ben", "carl"}
    assert granted(after, DORA).status is Status.APPROVED


def test_a_resolution_that_names_no_part_of_what_was_lost_means_all_of_it() -> None:
    both = (by_security(), by_ops())
    before = granted(waiting(*both), BEN, CARL)
    found = Resolution(
        round=1, fence=1, at=AT, outcome=ResolutionOutcome.REVOKED, revoked=("carl",)
    )

    after = resolution.resolved(before, found)

    assert {a.actor_id for a in after.answers} == {"ben"}


def test_g2_a_grant_that_has_grown_too_old_decides_neither_outcome_nor_conclusion() -> None:
    (one_of,) = either([(by("ben", lifetime=timedelta(hours=1)),), (Requirement.check("lint"),)])
    request = looked_at(granted(waiting(one_of, strategy=LATEST), BEN))
    assert request.status is Status.APPROVED

    after, found = resolve(
        request, assessment(one_of, version=MOVED, does=OTHER, strategy=LATEST), hours=2
    )

    assert found.outcome is RENEWED
    assert after.status is Status.PENDING


def test_who_left_after_their_grant_grew_too_old_is_told_of_once() -> None:
    timed = by_security(lifetime=timedelta(hours=1))
    before = granted(waiting(timed), BEN)

    after, found = resolve(before, assessment(timed), directory=without(BEN), hours=2)

    assert (found.outcome, found.revoked) == (ResolutionOutcome.INELIGIBLE, ())
    assert found.reasons[-1] == "the grant of ben has grown too old"
    assert codes(after, len(before.decisions)) == ["Lapsed", "Reopened", "Pending"]


def test_one_more_grant_than_needed_may_be_lost() -> None:
    before = granted(waiting(by_security()), BEN, CARL)

    after, _ = resolve(before, assessment(by_security()), directory=without(BEN))

    assert after.status is Status.APPROVED
    _, found = resolve(after, assessment(by_security()), directory=without(BEN))
    assert found.outcome is VALIDATED


def test_without_its_requester_a_request_is_rejected() -> None:
    after, found = resolve(
        approved(by_security()), assessment(by_security()), directory=without(ANA)
    )

    assert found.outcome is REJECTED
    assert after.closing is not None
    assert after.closing.rejection is not None
    assert after.closing.rejection.code == "unauthorised"


def test_what_is_held_says_so_and_since_when() -> None:
    request = approved(by_security())

    def held(reason: str, hours: int) -> Resolution:
        return Resolution(
            round=1,
            fence=1,
            at=later(hours=hours),
            outcome=ResolutionOutcome.HELD,
            held=reason,
        )

    once = resolution.resolved(request, held("no such mutation", 1))
    twice = resolution.resolved(once, held("no such state", 2))

    assert twice.held is not None
    assert (twice.held.reason, twice.held.since) == ("no such state", later(hours=1))
    healed, found = resolve(twice, assessment(by_security()))
    assert found.outcome is VALIDATED
    assert healed.held is None


# Strategies.


@given(st.sampled_from(Strategy), st.none() | st.sampled_from(Strategy))
def test_the_strictest_strategy_wins(ours: Strategy, theirs: Strategy | None) -> None:
    request = resolution.assessed(created(), assessment(strategy=ours), AT, strategy=theirs)

    assert request.strategy is Strategy.strictest([ours, theirs])
    assert request.strategy.rank <= ours.rank


@given(st.sampled_from(Strategy), st.lists(st.sampled_from(Strategy), max_size=4))
def test_a_strategy_only_becomes_stricter(first: Strategy, later_ones: list[Strategy]) -> None:
    request = waiting(strategy=first)

    for each in later_ones:
        before = request.strategy
        request = resolution.adopt(request, assessment(strategy=each), AT)
        assert request.strategy.rank <= before.rank
    assert request.strategy is Strategy.strictest([first, *later_ones])


def test_a_strategy_that_became_stricter_holds_at_once() -> None:
    before = approved(strategy=LATEST)

    _, found = resolve(before, assessment(version=MOVED, strategy=REJECT))

    assert found.outcome is REJECTED


# The version that was expected.


@pytest.mark.parametrize("strategy", Strategy)
def test_an_expected_version_that_passed_counts_as_stale_at_once(strategy: Strategy) -> None:
    request = waiting(by_security(), asked=created(expected_version=2), strategy=strategy)

    if strategy is REJECT:
        assert request.closing is not None
        assert request.closing.rejection is not None
        assert request.closing.rejection.code == "moved"
        assert "RejectedAsStale" in codes(request)
    else:
        assert request.status is Status.PENDING
        assert request.expected_version == SAME
        assert "RevalidationRequired" in codes(request)


def test_an_expected_version_from_the_future_is_refused() -> None:
    request = waiting(by_security(), asked=created(expected_version=9))

    assert request.closing is not None
    assert request.closing.rejection is not None
    assert request.closing.rejection.category == "validation"
    assert "9" in request.closing.rejection.message


def test_the_expected_version_that_is_current_is_no_news() -> None:
    request = waiting(by_security(), asked=created(expected_version=SAME))

    assert codes(request) == ["Submitted", "Requested", "Pending"]


# While it waits.


def test_before_the_first_grant_a_drifted_request_is_looked_at_again() -> None:
    request = waiting(by_security(2))

    assert resolution.first_grant_needs_refresh(request, MOVED)
    assert not resolution.first_grant_needs_refresh(request, SAME)
    assert not resolution.first_grant_needs_refresh(request, None)
    assert not resolution.first_grant_needs_refresh(granted(request, BEN), MOVED)
    assert not resolution.first_grant_needs_refresh(waiting(check()), MOVED)
    assert not resolution.first_grant_needs_refresh(created(), MOVED)
    refused = approval.refuse(request, BEN, AT)
    assert not resolution.first_grant_needs_refresh(refused, MOVED)


def test_a_refresh_shows_what_it_would_do_today() -> None:
    request = waiting(by_security())

    fresh = resolution.adopt(
        request, assessment(by_security(), version=MOVED, does=OTHER), AT, actor_id="ana"
    )

    assert fresh.status is Status.PENDING
    assert fresh.effect is not None
    assert fresh.effect.lines == ("/limit: 100 -> 150",)
    assert fresh.expected_version == MOVED
    assert "RevalidationRequired" in codes(fresh)


def test_a_stale_request_that_is_to_be_rejected_is_not_refreshed_instead() -> None:
    """Else the first grant would quietly lift it onto the version it was not asked for."""
    request = waiting(by_security(), strategy=REJECT)

    fresh = resolution.adopt(request, assessment(by_security(), version=MOVED, strategy=REJECT), AT)

    assert fresh.closing is not None
    assert fresh.closing.rejection is not None
    assert fresh.closing.rejection.category == "stale"
    assert "RejectedAsStale" in codes(fresh)


def test_the_requester_and_who_may_answer_may_refresh_a_waiting_request() -> None:
    request = waiting(by_security())

    for sender in (ANA, BEN, CARL):
        resolution.raise_unless_refreshable(request, sender)
    for sender in (DORA, EVE):
        with pytest.raises(NotAuthorised):
            resolution.raise_unless_refreshable(request, sender)


def test_only_what_waits_can_be_refreshed() -> None:
    refused = approval.refuse(waiting(by_security()), BEN, AT)

    for request in (created(), approved(by_security()), refused):
        with pytest.raises(NothingToRefresh):
            resolution.raise_unless_refreshable(request, ANA)


def test_a_request_that_names_no_deadline_has_its_domains() -> None:
    month = assessment(by_security()).model_copy(update={"expires_in": timedelta(days=30)})

    assert resolution.assessed(created(), month, AT).expires_at == later(days=30)
    own = resolution.assessed(created(expires_in="PT1H"), month, AT, own_deadline=True)
    assert own.expires_at == later(hours=1)


def test_g10_what_is_denied_at_submission_goes_nowhere() -> None:
    no = Rejection(category="policy", code="denied", message="freeze: not now")

    request = waiting(by_security(), rejection=no)

    assert request.status is Status.CREATED
    assert request.closing is not None
    assert request.closing.rejection == no


def test_a_refresh_may_find_that_it_is_denied_now() -> None:
    no = Rejection(category="policy", code="denied", message="freeze: not now")

    fresh = resolution.adopt(waiting(by_security()), assessment(rejection=no), AT)

    assert fresh.closing is not None


# Laws over random drifts.

effects = st.sampled_from([RAISED, OTHER, BOTH, effect(limit=120, plan="gold"), effect("ben")])
sets = st.lists(
    st.sampled_from([by_security(), by_ops(), by("dora"), by_security(step=2)]),
    unique_by=lambda r: r.id,
    max_size=3,
)


def granted_by_whoever_may(request: MutationRequest) -> MutationRequest:
    for each in (BEN, CARL, DORA, BEN, CARL):
        with suppress(DecisionRefused):
            request = granted(request, each)
    return request


drifts = st.lists(st.tuples(st.integers(0, 2), effects, sets), min_size=1, max_size=4)


@given(st.sampled_from(Strategy), effects, sets, drifts)
def test_g3_what_was_approved_is_what_executes(
    strategy: Strategy,
    does: Effect,
    demanded: list[Requirement],
    told: list[tuple[int, Effect, list[Requirement]]],
) -> None:
    request = waiting(*demanded, strategy=strategy, does=does)
    seen: dict[str, str] = {}
    version = SAME

    for moves, now, demanded_now in told:
        before = request
        request = granted_by_whoever_may(request)
        for answer_ in request.answers:
            if before.answer_of(answer_.actor_id) is None and request.snapshot is not None:
                seen[answer_.actor_id] = request.snapshot.effect_digest
        version += moves
        found = assessment(*demanded_now, version=version, does=now, strategy=strategy)
        request, answer = resolve(request, found)
        if request.closing is not None:
            return
        if not answer.outcome.executes:
            continue
        # It executes: every approval that is demanded now stands, and was given on this effect.
        assert request.status is Status.APPROVED
        for requirement in demanded_now:
            state = request.requirement(requirement.id)
            assert state is not None
            assert len(state.granted_by) >= requirement.needed
            if strategy is not LATEST:
                assert all(seen[who] == now.digest() for who in state.granted_by)


@given(st.sampled_from(Strategy), effects, effects, sets, st.integers(0, 2))
def test_a_stale_request_never_executes_silently(
    strategy: Strategy, then: Effect, now: Effect, demanded: list[Requirement], moves: int
) -> None:
    request = waiting(*demanded, strategy=strategy, does=then)
    request = granted_by_whoever_may(request)
    if request.status is not Status.APPROVED:
        return

    after, answer = resolve(
        request, assessment(*demanded, version=SAME + moves, does=now, strategy=strategy)
    )

    said = codes(after, len(request.decisions))
    if moves or then.digest() != now.digest():
        assert answer.moved
        assert set(said) & {
            "ApprovalsSurvived",
            "RevalidationRequired",
            "RenewedApprovalRequired",
            "RejectedAsStale",
        }
        proof = next(d for d in after.decisions if d.number > request.decision_number)
        assert proof.metadata["to_version"] == SAME + moves
    else:
        assert said == ["Validated"]


def test_g1_a_request_is_executed_only_once_it_is_approved() -> None:
    ending = Closing(status=Status.EXECUTED, actor_id="system:mutator")

    for request in (created(), waiting(by_security())):
        with pytest.raises(Exception, match="cannot become Executed"):
            close(request, ending, AT)
    assert close(approved(by_security()), ending, AT).status is Status.EXECUTED


def test_a_resolution_is_written_and_read_as_it_is() -> None:
    for found in (assessment(by_security()), assessment(by_security(), version=MOVED, does=OTHER)):
        _, answer = resolve(approved(by_security()), found)

        assert Resolution.model_validate_json(answer.model_dump_json()) == answer
