"""Who people are is what the directory says now, and never what anybody claims."""

from __future__ import annotations

import pytest

from core.errors import NotAuthorised, RequestClosed, UnknownActor
from core.governance import outcome
from core.governance.assessment import unfillable
from core.governance.people import Directory
from core.governance.request import Status
from core.requirements import Requirement, Who
from tests.core.builders import (
    ANA,
    BEN,
    DIRECTORY,
    EVE,
    OLGA,
    assessment,
    by,
    by_ops,
    by_security,
    check,
    created,
    person,
    waiting,
    without,
)


def test_names_are_compared_in_lower_case() -> None:
    directory = Directory.of([person("Ben", roles="Security")], roles=["Nobody"])

    assert directory.person("bEN").id == "Ben"
    assert directory.person("ben").may_answer(Requirement.approval(roles=["SECURITY"], needed=1))
    assert directory.unknown(Who(people=("BEN",), roles=("security", "nobody"))) == ()


def test_whoever_is_not_in_the_directory_is_unknown() -> None:
    with pytest.raises(UnknownActor) as unknown:
        DIRECTORY.person("zoe")

    assert unknown.value.details == {"actor_id": "zoe"}


def test_g10_a_right_that_was_taken_away_is_gone_at_once() -> None:
    holder = person("ben", roles="security")
    assert holder.may_answer(by_security())

    former = holder.model_copy(update={"roles": ()})

    assert not former.may_answer(by_security())
    directory = Directory.of([holder])
    assert not directory.unknown(Who(roles=("security",)))
    emptied = directory.model_copy(update={"people": {"ben": former}})
    assert emptied.unknown(Who(roles=("security",))) == ("role:security",)


def test_a_role_is_no_group_and_a_person_is_neither() -> None:
    ops = person("security", groups="ops")

    assert not ops.may_answer(by_security())
    assert not ops.may_answer(Requirement.approval(roles=["ops"], needed=1))


def test_the_requester_is_left_out_of_who_could_answer() -> None:
    able = DIRECTORY.able(by_security(), ["ANA"])

    assert [p.id for p in able] == ["ben", "carl"]


# A seat that nobody can fill.


def test_seats_that_can_be_filled_are_fillable() -> None:
    assert unfillable(assessment(by_security(2), by_ops(), check()), DIRECTORY, ["ana"]) is None


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        (Requirement.approval(roles=["surgeon"], needed=1), "role:surgeon"),
        (Requirement.approval(groups=["surgery", "ops"], needed=1), "group:surgery"),
    ],
)
def test_g10_a_role_or_group_that_nobody_knows_blocks_and_is_named(
    requirement: Requirement, name: str
) -> None:
    demanded = requirement.model_copy(update={"demanded_by": ("careful",)})

    found = unfillable(assessment(demanded), DIRECTORY, ["ana"])

    assert found is not None
    assert (found.category, found.code) == ("unsatisfiable", "no_approver")
    assert name in found.message
    assert "careful" in found.message
    assert found.metadata == {"requirement": demanded.id, "unknown": [name]}


def test_g6_a_seat_that_only_the_requester_could_fill_is_found_at_submission() -> None:
    found = unfillable(assessment(by("ana")), DIRECTORY, ["ana"])

    assert found is not None
    assert found.code == "no_approver"
    assert "0 of 1" in found.message


def test_g6_one_person_for_two_seats_is_found_at_submission() -> None:
    directory = without(BEN)
    demanded = [by_security(), by("carl")]

    assert all(unfillable(assessment(r), directory, ["ana"]) is None for r in demanded)
    assert unfillable(assessment(*demanded), directory, ["ana"]) is not None


def test_a_role_that_is_declared_and_empty_is_known_but_fills_no_seat() -> None:
    directory = Directory.of([BEN], roles=["surgeon"])
    demanded = Requirement.approval(roles=["surgeon"], needed=1)

    found = unfillable(assessment(demanded), directory, ["ana"])

    assert found is not None
    assert "unknown" not in found.metadata


# Cancelling.


def test_the_requester_and_an_operator_may_cancel() -> None:
    for sender in (ANA, OLGA, person("otto", roles="Operator")):
        request = outcome.cancel(waiting(by_security()), sender, reason="no longer wanted")

        assert request.closing is not None
        assert request.closing.status is Status.CANCELED
        assert request.closing.actor_id == sender.id


def test_nobody_else_may_cancel() -> None:
    for sender in (BEN, EVE):
        with pytest.raises(NotAuthorised):
            outcome.cancel(waiting(by_security()), sender)


def test_a_request_can_be_cancelled_before_it_is_assessed_but_only_once() -> None:
    request = outcome.cancel(created(), ANA)

    with pytest.raises(RequestClosed):
        outcome.cancel(request, ANA)
