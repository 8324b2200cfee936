"""What people read of a request, in the Temporal UI and on the command line."""

from __future__ import annotations

import pytest

from core.effects import EffectPreview
from tests.core.builders import by_security, waiting
from wire import words


def test_what_is_waited_for_begins_with_its_title() -> None:
    request = waiting(by_security(2, title="A critical flag"))

    shown = words.current(request)

    assert "- A critical flag: approval by 2 of role:security; who can: role:security;" in shown


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
