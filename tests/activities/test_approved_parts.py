"""What an approval of one part of the effect holds on to, from the assessment to the commit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.budgets import Reserving
from activities.checks import Checking
from core import Requirement
from core.budgets import Budget
from core.governance import approval, waits
from core.governance.request import MutationRequest, Status, WishedMutation
from core.requirements import RequirementKind, either
from tests.activities.desk import NOON, Desk, later, look_at, run
from tests.support.people import PEOPLE

BEN = PEOPLE.person("ben")
X = Requirement.approval(people=["ben"], covers=["/numbers/x"])
BOTH = (
    WishedMutation(type="Add", parameters={"key": "x"}),
    WishedMutation(type="Add", parameters={"key": "y", "amount": 1000}),
)
YESTERDAY = NOON - timedelta(days=1)


def looked_at(desk: Desk, request: MutationRequest) -> MutationRequest:
    """Answer the request once activities have looked at whatever is due."""
    while due := waits.to_look_at(request, NOON):
        ask = look_at(request, request.requirements.index(due[0]))
        room = due[0].requirement.kind == RequirementKind.QUOTA
        activity: Any = (
            Reserving(desk.outside).reserve_quota if room else Checking(desk.outside).run_check
        )
        answer = run(activity, ask)
        request = waits.found(request, {due[0].id: answer.finding}, NOON)
    return request


@pytest.mark.parametrize(
    ("demanded", "wish"),
    [
        ([X], {}),
        ([X], {"not_before": YESTERDAY}),
        ([X, Requirement.quota("deploys", Budget(limit=5, per="day"))], {}),
        ([X, Requirement.check("ci", bound_to="mutation")], {}),
        ([*either([(X,), (Requirement.approval(people=["eve"]),)])], {}),
    ],
    ids=["alone", "past", "quota", "check", "alternative"],
)
def test_g3_what_changed_beside_the_approved_part_is_asked_again_and_not_committed(
    desk: Desk, demanded: list[Requirement], wish: dict[str, Any]
) -> None:
    desk.demanded[:] = demanded
    request = desk.open(mutations=BOTH, **wish)
    request = approval.grant(request, BEN, NOON, binding=request.binding)
    request = looked_at(desk, request)
    assert request.status is Status.APPROVED
    desk.note(request)
    desk.executed("other", mutations=BOTH[1:])

    after = desk.change(request, at=later(hours=1))

    assert after.status is Status.PENDING
    assert after.answers == ()
    state = desk.store.state("box/a")
    assert state is not None
    assert state.version == 1
