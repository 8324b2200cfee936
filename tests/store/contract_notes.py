"""What every store promises of the picture of an open request, and of answers to asks."""

from __future__ import annotations

from functools import partial

import pytest

from core.errors import InvalidTransition, RequestIdReused
from store.protocol import Ask, Ended, Fenced, Noted, Store, View
from tests.store.nouns import (
    STATE,
    asked,
    at_once,
    cancel_of,
    commented,
    everything,
    initial,
    tried,
    waiting_for,
)

ASK = Ask(request_id="r1", round=0, fence=1, kind="assess")


class Notes:
    """See `tests.store.contract`."""

    def test_a_state_is_kept_in_its_authors_form_whatever_its_number(self, store: Store) -> None:
        lifted = initial().model_copy(update={"schema_version": 7})

        store.note(asked(), fence=1, seed=lifted)

        assert store.state(STATE) == lifted

    def test_a_request_is_read_back_as_it_was_noted(self, store: Store) -> None:
        request = waiting_for(asked(metadata={"n": [1, 2.5, None, "ä"]}), "user:ben")

        answer = store.note(request, fence=1)

        assert answer == Noted(answer=None, request=request)
        assert store.request("r1") == request
        assert store.open_requests() == [request]

    def test_nothing_is_known_of_what_was_never_noted(self, store: Store) -> None:
        assert store.request("r1") is None
        assert store.view("r1", STATE) == View(ended=None, fence=0, state=None)
        assert store.answered(ASK) is None

    def test_an_ask_repeated_gets_the_stored_answer(self, store: Store) -> None:
        store.note(asked(), fence=1, ask=ASK, answer={"first": True})
        before = everything(store)

        again = store.note(
            commented(asked()),
            fence=1,
            ask=ASK,
            answer={"first": False},
            audit=[tried(asked())],
            seed=initial(),
        )

        assert again == Noted(answer={"first": True}, request=asked())
        assert store.answered(ASK) == {"first": True}
        assert everything(store) == before

    @pytest.mark.parametrize("other", [{"round": 1}, {"fence": 2}, {"kind": "resolve"}])
    def test_another_round_fence_or_kind_is_another_ask(
        self, store: Store, other: dict[str, object]
    ) -> None:
        store.note(asked(), fence=1, ask=ASK, answer=1)

        store.note(asked(), fence=2, ask=ASK.model_copy(update=other), answer=2)

        assert store.answered(ASK) == 1
        assert store.answered(ASK.model_copy(update=other)) == 2

    def test_the_answer_of_nothing_is_an_answer(self, store: Store) -> None:
        store.note(asked(), fence=1, ask=ASK, answer=None)

        again = store.note(asked(), fence=1, ask=ASK, answer="late")

        assert isinstance(again, Noted)
        assert again.answer is None

    def test_an_ask_made_by_many_at_once_has_one_answer(self, store: Store) -> None:
        calls = [
            partial(store.note, asked(), fence=1, ask=ASK, answer=number) for number in range(8)
        ]

        answers = at_once(calls)

        assert {answer.answer for answer in answers if isinstance(answer, Noted)} == {
            store.answered(ASK)
        }
        assert all(isinstance(answer, Noted) for answer in answers)

    def test_a_lower_fence_changes_nothing(self, store: Store) -> None:
        store.note(asked(), fence=3)
        before = everything(store)

        answer = store.note(
            commented(asked()), fence=2, ask=ASK, answer=1, audit=[tried(asked())], seed=initial()
        )

        assert answer == Fenced(3)
        assert store.answered(ASK) is None
        assert everything(store) == before

    def test_a_fence_is_raised_and_seen(self, store: Store) -> None:
        store.note(asked(), fence=1)
        store.note(asked(), fence=4)

        assert store.view("r1", STATE).fence == 4

    def test_a_picture_never_goes_backwards(self, store: Store) -> None:
        newer = commented(waiting_for(asked(), "user:ben"))
        store.note(newer, fence=1)

        answer = store.note(waiting_for(asked(), "user:carl"), fence=2, ask=ASK, answer="kept")

        assert answer == Noted(answer="kept", request=newer)
        assert store.request("r1") == newer
        assert store.view("r1", STATE).fence == 2

    def test_a_picture_with_the_same_decisions_is_replaced(self, store: Store) -> None:
        store.note(waiting_for(asked(), "user:ben"), fence=1)

        store.note(waiting_for(asked(), "user:carl"), fence=1)

        found = store.request("r1")
        assert found is not None
        assert found.awaiting == ("user:carl",)

    def test_a_request_id_belongs_to_one_content(self, store: Store) -> None:
        store.note(asked(), fence=1)
        before = everything(store)

        with pytest.raises(RequestIdReused):
            store.note(asked(reason="something else"), fence=2)
        with pytest.raises(RequestIdReused):
            store.end(cancel_of(asked(reason="something else")))

        assert everything(store) == before

    def test_the_id_of_an_ended_request_is_not_free_again(self, store: Store) -> None:
        store.end(cancel_of(asked()))

        with pytest.raises(RequestIdReused):
            store.note(asked(reason="something else"), fence=1)

    def test_g14_a_note_after_the_end_is_answered_with_the_record(self, store: Store) -> None:
        ending = cancel_of(asked())
        store.end(ending)
        before = everything(store)

        answer = store.note(commented(asked()), fence=9, ask=ASK, answer=1, audit=[tried(asked())])

        assert answer == Ended(ending.request)
        assert everything(store) == before

    def test_a_picture_that_claims_to_have_ended_is_refused(self, store: Store) -> None:
        with pytest.raises(InvalidTransition):
            store.note(cancel_of(asked()).request, fence=1)

        assert store.request("r1") is None

    def test_a_state_is_opened_once(self, store: Store) -> None:
        store.note(asked(), fence=1, seed=initial(plan="free"))

        store.note(asked("r2"), fence=1, seed=initial(plan="other"))

        assert store.state(STATE) == initial(plan="free")
        assert store.view("r1", STATE).state == initial(plan="free")

    def test_one_audit_entry_for_each_execution(self, store: Store) -> None:
        entry, other = tried(asked()), tried(asked())

        store.note(asked(), fence=1, audit=[entry])
        store.note(asked(), fence=1, audit=[entry, other])

        assert store.audit() == [entry, other]
