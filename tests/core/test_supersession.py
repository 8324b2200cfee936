"""How a newer request takes the place of an older one, and what is refused by name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.errors import InvalidTransition, NotSuperseding
from core.governance import outcome
from core.governance.lifecycle import append, close, submit
from core.governance.people import Person
from core.governance.request import Category, Closing, Link, MutationRequest, Status
from core.governance.supersession import (
    MAX_LINE,
    is_superseded_by,
    raise_unless_superseding,
    superseded,
    supersedes,
)
from tests.core.builders import ANA, AT, BEN, CARL, OLGA, by_security, later, waiting, wish

OLDER = waiting(by_security())


def newer(request_id: str = "r2", **more: Any) -> MutationRequest:
    asked = submit(
        request_id,
        wish(**{"supersedes": "r1", **more}),
        later(hours=1),
        expires_in=timedelta(days=14),
    )
    return waiting(by_security(), asked=asked)


def ended(request: MutationRequest, status: Status) -> MutationRequest:
    if status is Status.EXECUTED:
        request = request.model_copy(update={"status": Status.APPROVED})
    return close(request, Closing(status=status, actor_id="ben"), later(hours=2))


def refused(
    candidate: MutationRequest | None,
    actor: Person = ANA,
    *,
    older: MutationRequest = OLDER,
    by: str = "r2",
    **more: Any,
) -> str:
    with pytest.raises(NotSuperseding) as refusal:
        raise_unless_superseding(older, candidate, actor, by=by, **more)
    assert refusal.value.details == {"request_id": older.request_id, "by": by}
    return refusal.value.message


# Who may.


@pytest.mark.parametrize("actor", [ANA, OLGA, Person(id="ANA")])
def test_the_older_ones_requester_and_operators_may(actor: Person) -> None:
    raise_unless_superseding(OLDER, newer(actor_id="carl"), actor, by="r2")


def test_for_whom_the_older_one_was_asked_may_as_well() -> None:
    asked = submit("r1", wish(on_behalf_of="Carl"), AT, expires_in=timedelta(days=14))

    raise_unless_superseding(waiting(asked=asked), newer(), CARL, by="r2")


def test_nobody_else_may_not_even_the_newer_ones_requester() -> None:
    said = refused(newer(actor_id="ben"), BEN)

    assert said == (
        "Request 'r2' does not take the place of 'r1': ben may not let go of it; its requester ana "
        "may, and the role 'operator'."
    )


def test_the_domain_may_let_others() -> None:
    raise_unless_superseding(OLDER, newer(actor_id="ben"), BEN, by="r2", is_allowed=True)


# What may.


def test_what_is_not_in_the_record_takes_nobodys_place() -> None:
    assert "it is not in the record" in refused(None)


def test_no_request_takes_its_own_place() -> None:
    itself = waiting(asked=OLDER.model_copy(update={"status": Status.CREATED, "supersedes": "r1"}))

    assert "no request takes its own place" in refused(itself, by="r1")


def test_what_has_not_been_assessed_takes_nobodys_place_yet() -> None:
    asked = submit("r2", wish(supersedes="r1"), AT, expires_in=timedelta(days=14))

    assert "it has not been assessed yet" in refused(asked)


@pytest.mark.parametrize(
    "status", [Status.REJECTED, Status.CANCELED, Status.EXPIRED, Status.SUPERSEDED]
)
def test_what_ended_without_executing_takes_nobodys_place(status: Status) -> None:
    assert f"it is {status.value}" in refused(ended(newer(), status))


def test_nor_does_what_is_about_to_end_so() -> None:
    assert "it is Canceled" in refused(outcome.cancel_by(newer(), "ben"))


def test_what_was_denied_before_it_was_assessed_is_named_so() -> None:
    asked = submit("r2", wish(supersedes="r1"), AT, expires_in=timedelta(days=14))

    assert "it is Rejected" in refused(ended(asked, Status.REJECTED))


def test_what_has_executed_already_takes_the_place_all_the_same() -> None:
    raise_unless_superseding(OLDER, ended(newer(), Status.EXECUTED), ANA, by="r2")


def test_only_on_the_same_state() -> None:
    other = newer(state_id="quota/other")

    assert "it is about 'quota/other', not 'quota/acme'" in refused(other)


@pytest.mark.parametrize("named", [None, "r0"])
def test_the_newer_one_must_name_the_older(named: str | None) -> None:
    assert f"it names {named!r} in `supersedes`" in refused(newer(supersedes=named))


def test_no_circle_of_places_is_followed() -> None:
    said = refused(newer(), line=("r9", "r2"))

    assert "in a circle: r2, r1, r9, r2." in said


def test_a_line_of_places_is_no_circle_up_to_its_bound() -> None:
    line = tuple(f"r-{n}" for n in range(MAX_LINE))

    raise_unless_superseding(OLDER, newer(), ANA, by="r2", line=line[1:])
    assert f"{MAX_LINE} requests and more" in refused(newer(), line=line)


def test_a_right_does_not_mend_what_may_not_take_the_place() -> None:
    assert "it is not in the record" in refused(None, OLGA, is_allowed=True)


# What becomes of the two.


@pytest.mark.parametrize("older", [OLDER, waiting(), OLDER.model_copy(update={"snapshot": None})])
def test_the_older_one_ends_superseded_and_names_the_newer(older: MutationRequest) -> None:
    gone = superseded(older, "r2", later(hours=1), actor_id="olga")

    last = gone.decisions[-1]
    assert gone.status is Status.SUPERSEDED
    assert (last.code, last.actor_id, last.at) == ("Superseded", "olga", later(hours=1))
    assert last.reason == "Request 'r2' takes its place."
    assert gone.links == (Link(request_id="r2", relation="superseded_by"),)
    assert (gone.pending, gone.rejection) == ((), None)
    assert is_superseded_by(gone, "r2")
    assert not is_superseded_by(gone, "r3")


def test_what_has_ended_is_not_ended_again() -> None:
    with pytest.raises(InvalidTransition):
        superseded(ended(OLDER, Status.CANCELED), "r2", later(hours=3), actor_id="ana")


def test_the_newer_one_is_linked_to_whose_place_it_took_once() -> None:
    gone = superseded(OLDER, "r2", later(hours=1), actor_id="ana")

    told = supersedes(newer(), gone, None)

    assert told.links == (Link(request_id="r1", relation="supersedes"),)
    assert told.refused_messages == ()
    assert supersedes(told, gone, None) == told


@pytest.mark.parametrize(
    ("older", "refusal", "said"),
    [
        (None, "Request 'r2' may not.", "Request 'r2' may not."),
        (ended(OLDER, Status.CANCELED), None, "Request 'r1' has ended already: Canceled."),
        (
            superseded(OLDER, "r7", later(hours=1), actor_id="ana"),
            None,
            "Request 'r1' has ended already: Superseded.",
        ),
        (None, None, "Request 'r1' has ended already."),
    ],
)
def test_the_newer_one_goes_on_and_says_why_it_took_nobodys_place(
    older: MutationRequest | None, refusal: str | None, said: str
) -> None:
    going = append(newer(), Category.APPROVAL, "Reminded", actor_id="ben", at=later(hours=3))

    told = supersedes(going, older, refusal)

    (message,) = told.refused_messages
    assert (message.error, message.message) == ("NotSuperseding", said)
    assert (message.name, message.actor_id, message.at) == ("supersedes", "ana", later(hours=3))
    assert told.links == ()
    assert told.status is Status.PENDING
    assert told.decisions == going.decisions
