"""What people read of a request, in the Temporal UI and on the command line."""

from __future__ import annotations

import pytest

from core.budgets import Budget
from core.effects import EffectPreview
from core.governance import approval, waits
from core.governance.request import Delegation, Finding, Link, MutationRequest, Status
from core.governance.supersession import superseded, supersedes
from core.requirements import Requirement, either
from tests.core.builders import (
    AT,
    BEN,
    OLGA,
    by,
    by_ops,
    by_security,
    created,
    granted,
    later,
    waiting,
)
from wire import search_attributes, words
from wire.why import why_blocked


def test_what_is_waited_for_begins_with_its_title() -> None:
    request = waiting(by_security(2, title="A critical flag"))

    shown = words.current(request)

    assert "- A critical flag: approval by 2 of role:security; who can: role:security;" in shown


def test_alternatives_are_told_a_line_each_with_who_can_and_until_when() -> None:
    request = waiting(*either([[by_security()], [by_ops(), by("eve", step=2)]]))

    lines = words.waiting_lines(request)

    until = "until 2026-01-19 09:00 UTC"
    ops = f"approval by 1 of group:ops; who can: group:ops; {until}"
    eve = f"approval by 1 of user:eve (step 2, not open yet); who can: not yet open; {until}"
    security = f"approval by 1 of role:security; who can: role:security; {until}"
    assert [line.partition(" ")[0] for line in lines] == ["either", "or"]
    assert {line.partition(" ")[2] for line in lines} == {security, f"{ops} and {eve}"}
    assert all(f"- {line}" in words.current(request).splitlines() for line in lines)


def test_the_one_alternative_that_is_left_is_told_as_it_is() -> None:
    request = waiting(*either([[by_security()], [by_ops()]]))
    refused = approval.refuse(request, BEN, AT)

    (line,) = words.waiting_lines(refused)

    assert line.startswith("approval by 1 of group:ops; who can: group:ops;")


def test_alternatives_are_found_by_their_kinds_and_by_everybody_who_could_decide() -> None:
    request = waiting(*either([[by_security()], [by_ops(), by("eve", step=2)]]))

    shown = search_attributes.of(request)

    assert shown[search_attributes.PENDING_REASONS] == ["approval"]
    assert set(shown[search_attributes.APPROVERS]) == {"role:security", "group:ops"}  # type: ignore[arg-type]  # a list of names
    after = search_attributes.of(granted(request, BEN))
    assert (after[search_attributes.PENDING_REASONS], after[search_attributes.APPROVERS]) == (
        [],
        [],
    )


def test_why_it_is_blocked_names_each_member() -> None:
    request = waiting(*either([[by_security()], [by_ops()]]))

    (reason,) = why_blocked(request).reasons

    assert {each.requirement_id for each in reason.leaves()} == {by_security().id, by_ops().id}
    assert reason.text.startswith("either approval by 1 of ")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('/a: "x" -> "y"', '- `/a: "x" -> "y"`'),
        ('/a: "`x`" -> "y"', '- ``/a: "`x`" -> "y"``'),
        ("/a`", "- `` /a` ``"),
    ],
)
def test_a_change_folds_where_the_page_is_narrow(line: str, shown: str) -> None:
    effect = EffectPreview(lines=(line,), total=1)
    request = waiting(by_security()).model_copy(update={"effect": effect})

    assert shown in words.current(request).splitlines()


def looked_at(requirement: Requirement, **finding: object) -> MutationRequest:
    """Answer a request that waits for one requirement, once somebody has looked at it."""
    request = waiting(requirement)
    (state,) = request.requirements
    found = Finding.model_validate(
        {"verdict": "not_yet", "at": AT, "binding": state.binding, "actor_id": "system", **finding}
    )
    return waits.found(request, {state.id: found}, AT)


UNTIL = "until 2026-01-19 09:00 UTC"


@pytest.mark.parametrize(
    ("requirement", "line"),
    [
        (
            Requirement.check("load-test"),
            f"check load-test; the worker runs it; {UNTIL}",
        ),
        (
            Requirement.check("load-test", people=["ci"], title="Load"),
            f"Load: check load-test; who can: user:ci; {UNTIL}",
        ),
        (
            Requirement.schedule(not_before=later(days=1)),
            f"not before 2026-01-06 09:00 UTC; it is a matter of time; {UNTIL}",
        ),
        (
            Requirement.schedule(calendar="calendars/eu"),
            f"when calendars/eu allows it; told when calendars/eu changes; {UNTIL}",
        ),
        (
            Requirement.dependency("a", "b"),
            f"a, b executed; told when request a ends, request b ends; {UNTIL}",
        ),
        (
            Requirement.quota("deploys", Budget(limit=3, per="day")),
            "1 of the budget deploys (3 per day); told when the budget deploys has room; " + UNTIL,
        ),
        (
            Requirement.quota("deploys", "budgets/eu"),
            "1 of the budget deploys (as budgets/eu says); "
            "told when the budget deploys has room, budgets/eu changes; " + UNTIL,
        ),
        (
            Requirement.review(roles=["security"], needed=1),
            f"review by 1 of role:security; who can: role:security; {UNTIL}",
        ),
        (
            Requirement(kind="horoscope"),
            f"unknown requirement 'horoscope': nothing here can meet it; who can: nobody; {UNTIL}",
        ),
    ],
)
def test_each_kind_says_what_it_waits_for_and_what_meets_it(
    requirement: Requirement, line: str
) -> None:
    assert words.waiting_lines(waiting(requirement)) == [line]


def test_what_is_told_by_many_names_some_and_the_number_of_the_others() -> None:
    (line,) = words.waiting_lines(waiting(Requirement.dependency(*map(str, range(1, 9)))))

    assert "told when request 1 ends, request 2 ends," in line
    assert "request 5 ends and 3 more; until" in line


def test_when_something_is_looked_at_again_is_told_as_other_times_are() -> None:
    again = later(hours=2)

    (check,) = words.waiting_lines(
        looked_at(Requirement.check("ci"), reason="still building", again_at=again)
    )
    (schedule,) = words.waiting_lines(
        looked_at(Requirement.schedule(calendar="calendars/eu"), reason="a freeze", again_at=again)
    )

    assert check == (
        "check ci: still building; looked at again at 2026-01-05 11:00 UTC; "
        f"the worker runs it; {UNTIL}"
    )
    assert schedule == (
        "when calendars/eu allows it: a freeze; at the earliest 2026-01-05 11:00 UTC; "
        f"told when calendars/eu changes; {UNTIL}"
    )


def test_a_quota_that_waits_for_approvals_says_that_it_is_taken_last() -> None:
    request = waiting(by_security(), Requirement.quota("deploys", Budget(limit=3, per="day")))

    _, quota = words.waiting_lines(request)

    assert "(taken last)" in quota
    assert "; not yet open; until" in quota


def test_who_may_answer_in_whose_place_is_told_while_it_holds() -> None:
    request = waiting(by_security())
    (state,) = request.requirements
    handed = {"actor_id": "ben", "to": "eve", "since": AT, "requirement_ids": [state.id]}
    holds = Delegation.model_validate(handed | {"until": later(days=1)})
    over = Delegation.model_validate(handed | {"until": AT})
    delegated = request.model_copy(update={"delegations": (holds, over)})

    lines = words.delegation_lines(delegated)

    assert lines == ["eve may answer in the place of ben until 2026-01-06 09:00 UTC."]
    assert lines[0] in words.current(delegated).splitlines()
    assert why_blocked(delegated).delegations == (holds, over)
    ended = delegated.model_copy(update={"status": Status.CANCELED})
    assert words.delegation_lines(ended) == []


def test_the_number_of_comments_is_told_and_where_they_are() -> None:
    request = waiting(by_security())
    one = request.model_copy(update={"comments": 1})
    three = request.model_copy(update={"comments": 3})

    assert "omment" not in words.current(request)
    assert "1 comment. `mutator show r1` shows them." in words.current(one)
    assert "3 comments. `mutator show r1` shows them." in words.current(three)


def test_what_a_request_is_to_supersede_and_what_ends_it_is_told() -> None:
    asked = created(supersedes="r0", on_state_moved="supersede")
    request = waiting(by_security(), asked=asked)

    assert words.tie_lines(request) == [
        "It names request r0, whose place it is to take.",
        "It ends when quota/acme moves.",
    ]
    assert "whose place it is to take" in words.current(request)


def test_who_took_whose_place_is_told_on_both_sides() -> None:
    older = superseded(waiting(by_security()), "r2", AT, actor_id=OLGA.id)
    asked = created(supersedes="r1").model_copy(update={"request_id": "r2"})

    newer = supersedes(waiting(by_security(), asked=asked), older, None)

    assert words.tie_lines(older) == ["Request r2 took its place."]
    assert words.tie_lines(newer) == ["It took the place of request r1."]
    assert words.current(older).startswith("**Superseded: Request 'r2' takes its place.**")


def test_a_relation_of_a_newer_version_is_told_as_it_is() -> None:
    request = waiting(by_security())
    mirrored = request.model_copy(update={"links": (Link(request_id="r7", relation="mirrors"),)})

    assert words.tie_lines(mirrored) == ["mirrors: request r7."]
