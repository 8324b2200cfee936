"""Who is asked: whoever can still bring the request forward, and nobody besides."""

from __future__ import annotations

from client.inbox import open_to
from core.governance import approval
from core.governance.delegation import delegate
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
    later,
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


def test_reviews_and_checks_that_name_who_answers_are_asked_for_too() -> None:
    review = Requirement.review(roles=["security"], needed=1)
    callback = Requirement.check("load-test", people=["dora"])
    request = waiting(review, callback, Requirement.check("run-by-the-worker"))

    assert asked(request, BEN, DORA, EVE) == {"ben": [review], "dora": [callback], "eve": []}


def test_whoever_a_right_was_handed_on_to_is_asked_while_it_holds() -> None:
    request = delegate(waiting(SECURITY), BEN, AT, to=EVE, until=later(days=1))

    assert [r.requirement for r in open_to(request, EVE, later(hours=23))] == [SECURITY]
    assert open_to(request, EVE, later(days=1)) == ()
    assert [r.requirement for r in open_to(request, BEN, AT)] == [SECURITY]


def test_who_has_answered_in_anothers_place_is_not_asked_again_and_neither_is_the_other() -> None:
    request = delegate(waiting(by_security(2)), BEN, AT, to=EVE, until=later(days=1))

    answered = approval.grant(request, EVE, AT, binding=request.binding)

    assert open_to(answered, EVE, AT) == ()
    assert open_to(answered, BEN, AT) == ()
    assert len(open_to(answered, CARL, AT)) == 1


def test_one_who_has_answered_by_one_right_is_not_asked_for_another() -> None:
    handed = delegate(waiting(by_security(2), OPS), BEN, AT, to=DORA, until=later(days=1))
    both = {r.requirement.id for r in open_to(handed, DORA, AT)}

    answered = approval.grant(handed, DORA, AT, binding=handed.binding, requirement_id=OPS.id)

    assert both == {by_security(2).id, OPS.id}
    assert open_to(answered, DORA, AT) == ()
