"""What people say about a request is kept once, as long as it is open, up to a bound."""

from __future__ import annotations

import pytest

from activities import comments as module
from activities.comments import Commenting
from tests.activities.desk import Desk, later, run, run_both
from wire.asks import CommentStored, StoreComment


def comment(comment_id: str = "c1", actor: str = "ben", text: str = "why now?") -> StoreComment:
    return StoreComment(
        request_id="r", comment_id=comment_id, actor_id=actor, text=text, at=later(minutes=1)
    )


def store(desk: Desk, ask: StoreComment) -> CommentStored:
    answer = run(Commenting(desk.outside).store_comment, ask)
    assert isinstance(answer, CommentStored)
    return answer


def test_it_is_kept_as_it_was_said(desk: Desk) -> None:
    desk.open()

    answers = [store(desk, comment(each)) for each in ("c1", "c2")]

    assert answers == [CommentStored(comments=1), CommentStored(comments=2)]
    (first, second) = desk.store.comments("r")
    assert (first.comment_id, first.actor_id, first.text) == ("c1", "ben", "why now?")
    assert (second.comment_id, second.at) == ("c2", later(minutes=1))


def test_asked_twice_at_once_and_again_it_is_one(desk: Desk) -> None:
    desk.open()

    assert run_both(Commenting(desk.outside).store_comment, comment()) == (
        [CommentStored(comments=1)] * 2
    )
    assert store(desk, comment()) == CommentStored(comments=1)
    assert len(desk.store.comments("r")) == 1


def test_one_too_many_is_refused_by_name_and_the_last_one_is_kept_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_COMMENTS", 2)
    desk.open()
    for each in ("c1", "c2"):
        store(desk, comment(each))

    answer = store(desk, comment("c3"))

    assert answer.comments == 2
    assert answer.refusal is not None
    assert answer.refusal.type == "TooManyComments"
    assert answer.refusal.message == "Request 'r' has 2 comments, and can have no more."
    assert answer.refusal.details == {"request_id": "r", "limit": 2}
    assert store(desk, comment("c2")) == CommentStored(comments=2)


def test_a_request_has_five_hundred_at_most() -> None:
    assert module.MOST_COMMENTS == 500


def test_a_request_that_has_ended_answers_its_record(desk: Desk) -> None:
    record = desk.cancel(desk.open())

    assert store(desk, comment()) == CommentStored(ended=record)
    assert desk.store.comments("r") == []


def test_what_is_not_in_the_record_yet_has_none(desk: Desk) -> None:
    answer = store(desk, comment())

    assert answer.refusal is not None
    assert answer.refusal.type == "UnknownRequest"
    assert desk.store.comments("r") == []
