"""Who is asked: whoever can still bring the request forward, and nobody besides."""

from __future__ import annotations

from client.inbox import open_to
from core.governance import approval
from core.governance.people import Person
from core.governance.request import MutationRequest
from core.requirements import Requirement, either
from tests.core.builders import (
    ANA,
    AT,
    BEN,
    CARL,
    DORA,
    EVE,
    by,
    by_ops,
    by_security,
    granted,
    waiting,
)

SECURITY, OPS = by_security(), by_ops()


def asked(request: MutationRequest, *people: Person) -> dict[str, list[Requirement]]:
    return {each.id: [r.requirement for r in open_to(request, each)] for each in people}


def test_the_members_of_each_alternative_are_asked() -> None:
    request = waiting(*either([[SECURITY], [OPS]]))

    found = asked(request, ANA, BEN, DORA, EVE)

    assert found == {"ana": [], "ben": [SECURITY], "dora": [OPS], "eve": []}
    assert {r.id for r in asked(request, CARL)["carl"]} == {SECURITY.id, OPS.id}


def test_nobody_is_asked_for_an_alternative_that_has_ended() -> None:
    request = waiting(*either([[SECURITY, by("eve")], [OPS]]))

    refused = approval.refuse(request, BEN, AT)

    assert asked(refused, BEN, DORA, EVE) == {"ben": [], "dora": [OPS], "eve": []}


def test_nobody_is_asked_once_an_alternative_is_met() -> None:
    request = granted(waiting(*either([[SECURITY], [OPS]]), by("eve")), BEN)

    assert asked(request, BEN, DORA) == {"ben": [], "dora": []}
    assert [r.who.people for r in asked(request, EVE)["eve"]] == [("eve",)]
