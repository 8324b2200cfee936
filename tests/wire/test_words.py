"""What people read of a request, in the Temporal UI and on the command line."""

from __future__ import annotations

import pytest

from core.effects import EffectPreview
from core.governance import approval
from core.requirements import either
from tests.core.builders import AT, BEN, by, by_ops, by_security, granted, waiting
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
