"""The people of the tests."""

from __future__ import annotations

from core.governance.people import Directory, Person

PEOPLE = Directory.of(
    [
        Person(id="ana", name="Ana", roles=("approver",), groups=("web",)),
        Person(id="ben", name="Ben", roles=("approver", "security")),
        Person(id="cleo", name="Cleo", roles=("approver",)),
        Person(id="dan", name="Dan", roles=("operator",)),
        Person(id="eve", name="Eve"),
    ],
    roles=("approver", "security", "operator", "nobody-holds-this"),
    groups=("web",),
)
