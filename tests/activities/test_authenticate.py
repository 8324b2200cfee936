"""Who sent a message is looked up, and whom it names; what they may do is decided elsewhere."""

from __future__ import annotations

from typing import Any, cast

from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.authenticate import Authenticating
from activities.outside import Outside
from core import Domains
from store import MemoryStore
from tests.support import box
from tests.support.people import PEOPLE
from wire.asks import Authenticate, Authenticated


def answered(actor_id: str, **more: Any) -> Authenticated:
    outside = Outside(
        store=MemoryStore(),
        domains=Domains([box.domain]),
        directory=lambda: PEOPLE,
        client=cast("Client", None),
    )
    ask = Authenticate(request_id="r", state_id="box/a", actor_id=actor_id, **more)
    return ActivityEnvironment().run(Authenticating(outside).authenticate, ask)


def test_the_sender_is_looked_up_and_whom_the_message_names() -> None:
    answer = answered("BEN", to="Cleo")

    assert (answer.person, answer.to) == (PEOPLE.person("ben"), PEOPLE.person("cleo"))
    assert (answer.refusal, answer.to_refusal) == (None, None)


def test_a_message_that_names_nobody_has_nobody_looked_up() -> None:
    answer = answered("ben")

    assert answer.person == PEOPLE.person("ben")
    assert (answer.to, answer.to_refusal) == (None, None)


def test_somebody_unknown_is_refused_by_name_whether_they_sent_it_or_are_named() -> None:
    named, sender = answered("ben", to="zoe"), answered("zoe", to="ben")

    assert named.person == PEOPLE.person("ben")
    assert named.to is None
    assert named.to_refusal is not None
    assert (named.to_refusal.type, named.to_refusal.details) == (
        "UnknownActor",
        {"actor_id": "zoe"},
    )
    assert sender.person is None
    assert sender.refusal is not None
    assert sender.refusal.type == "UnknownActor"
    assert sender.to is None
