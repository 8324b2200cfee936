"""The ids that messages took are kept in bounded room."""

from __future__ import annotations

import pytest

from core.errors import RequestFull
from wire.asks import Refusal
from workflows.carried import Taken
from workflows.remembered import MOST_BYTES, Remembered

REFUSED = Refusal(type="NotAuthorised", message="No.", details={})


def test_an_id_is_kept_with_what_was_said_and_answered() -> None:
    remembered = Remembered()
    remembered.keep(("ben", "a"), "yes", None)
    remembered.keep(("eve", "a"), "yes", REFUSED)

    assert remembered.said(("ben", "a")) == ("yes", None)
    assert remembered.said(("eve", "a")) == ("yes", REFUSED)
    assert remembered.said(("ben", "b")) is None
    assert ("eve", "a") in remembered
    assert ("ben", "b") not in remembered


def test_the_next_run_knows_what_this_one_knew() -> None:
    remembered = Remembered([Taken(actor_id="ben", decision_id="a", said="yes")])
    remembered.keep(("eve", "a"), "no", REFUSED)

    again = Remembered(remembered.taken())

    assert again.taken() == remembered.taken()
    assert again.said(("eve", "a")) == ("no", REFUSED)


def test_of_what_was_refused_the_oldest_is_forgotten_and_nothing_that_counted() -> None:
    remembered = Remembered()
    remembered.keep(("ben", "counted"), "yes", None)
    for n in range(1000):
        remembered.keep(("eve", f"{n}" + "𝄞" * 190), "yes", REFUSED)

    assert ("ben", "counted") in remembered
    assert ("eve", "0" + "𝄞" * 190) not in remembered
    assert ("eve", "999" + "𝄞" * 190) in remembered
    size = sum(len(each.model_dump_json().encode()) for each in remembered.taken())
    assert size < MOST_BYTES + 1024
    remembered.raise_if_full()


def test_ids_that_counted_are_kept_up_to_a_bound_that_is_said() -> None:
    remembered = Remembered()

    size = 0
    while size < MOST_BYTES:
        remembered.raise_if_full()
        remembered.keep(("ben", f"{size}" + "𝄞" * 190), "yes", None)
        size = sum(len(each.model_dump_json().encode()) for each in remembered.taken())

    with pytest.raises(RequestFull):
        remembered.raise_if_full()
    assert MOST_BYTES <= size < MOST_BYTES + 2048
