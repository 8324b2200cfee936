"""What every store promises of those who wait: who is told of what, and what is said meanwhile."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from pydantic import JsonValue

from core.errors import UnknownRequest
from core.governance import lifecycle
from core.governance.request import Category
from core.requirements import Requirement
from store.protocol import Ask, Ended, RequestFilter, Standing, Store
from tests.core.builders import AT, ChoosePlan, later
from tests.store.nouns import (
    STATE,
    asked,
    at_once,
    cancel_of,
    claim,
    commit_of,
    demanding,
    initial,
    quota,
    saying,
    waiting_for,
)

ASK = Ask(request_id="r1", round=1, fence=1, kind="file")


def after(*request_ids: str) -> Requirement:
    return Requirement.dependency(*request_ids)


def by_calendar(state_id: str = "calendar/ops") -> Requirement:
    return Requirement.schedule(calendar=state_id)


class Waits:
    """See `tests.store.contract`."""

    def test_an_answer_without_a_picture_is_kept_once(self, store: Store) -> None:
        assert store.keep(ASK, {"filed": "T-1"}) == {"filed": "T-1"}
        assert store.keep(ASK, {"filed": "T-2"}) == {"filed": "T-1"}

        assert store.answered(ASK) == {"filed": "T-1"}
        assert store.request("r1") is None

    def test_an_answer_kept_is_the_answer_of_a_note_with_the_same_ask(self, store: Store) -> None:
        store.note(asked(), fence=1)
        store.keep(ASK, "first")

        store.note(asked(), fence=1, ask=ASK, answer="second")

        assert store.answered(ASK) == "first"

    def test_of_many_answers_kept_at_once_one_stands(self, store: Store) -> None:
        answers = at_once([partial(store.keep, ASK, number) for number in range(8)])

        assert set(map(str, answers)) == {str(store.answered(ASK))}

    def test_standings_are_of_those_in_the_record(self, store: Store) -> None:
        store.note(waiting_for(asked("open"), "user:ben"), fence=1)
        store.end(commit_of(asked("done", at=later(hours=1))))
        store.end(cancel_of(asked("given-up")))

        found = store.standings(["open", "done", "given-up", "nobody"])

        assert found == {
            "open": Standing(request_id="open", status="Pending", created_at=AT),
            "done": Standing(request_id="done", status="Executed", created_at=later(hours=1)),
            "given-up": Standing(request_id="given-up", status="Canceled", created_at=AT),
        }
        assert store.standings([]) == {}

    def test_what_was_undone_since_stands_as_compensated(self, store: Store) -> None:
        undone = lifecycle.append(
            asked("undone"), Category.COMPENSATION, "Compensated", actor_id="ana", at=AT
        )
        store.end(commit_of(undone))
        store.end(commit_of(asked("done"), 1))

        found = store.standings(["undone", "done"])

        assert {key: each.compensated for key, each in found.items()} == {
            "undone": True,
            "done": False,
        }

    def test_standings_of_very_many_are_answered_at_once(self, store: Store) -> None:
        store.note(asked(), fence=1)

        assert list(store.standings([*(f"n{n}" for n in range(1200)), "r1"])) == ["r1"]

    def test_a_request_is_told_by_what_its_picture_names(self, store: Store) -> None:
        store.note(demanding(asked("r1"), after("A", "b")), fence=1)
        store.note(demanding(asked("r2"), by_calendar("calendar/Ops"), quota("Keys/1")), fence=1)
        store.note(waiting_for(asked("r3"), "user:ben"), fence=1)

        assert store.told_by(["request:A"]) == ["r1"]
        assert store.told_by(["request:b", "state:calendar/Ops"]) == ["r1", "r2"]
        assert store.told_by(["budget:Keys/1"]) == ["r2"]
        assert store.told_by(["request:a", "state:calendar/ops", "budget:keys/1"]) == []
        assert store.told_by([]) == []

    def test_whoever_is_told_is_answered_in_the_order_of_asking(self, store: Store) -> None:
        for number, hour in enumerate((3, 1, 2)):
            request = asked(f"r{number}", at=later(hours=hour))
            store.note(demanding(request, after("a", "b")), fence=1)
        many = [*(f"request:{n}" for n in range(1200)), "request:a", "request:b"]

        assert store.told_by(many) == ["r1", "r2", "r0"]
        assert store.told_by(many, limit=2) == ["r1", "r2"]

    def test_what_a_request_is_told_by_follows_its_picture(self, store: Store) -> None:
        store.note(demanding(asked("r1"), after("a")), fence=1)
        store.note(demanding(asked("r2"), after("a")), fence=1)

        store.note(demanding(asked("r1"), holding=[after("a")]), fence=1)
        store.end(cancel_of(asked("r2")))

        assert store.told_by(["request:a"]) == []

    def test_an_inbox_holds_what_waits_for_a_person_and_nothing_besides(self, store: Store) -> None:
        told = demanding(waiting_for(asked("r1"), "user:Ben"), after("user:ben"))
        store.note(told.model_copy(update={"pending": ()}), fence=1)
        store.note(waiting_for(asked("r2"), "user:Ben"), fence=1)

        for wanted in (
            RequestFilter(awaiting=("user:BEN",)),
            RequestFilter(awaiting=("user:ben",), state_id=STATE),
        ):
            assert [r.request_id for r in store.requests(wanted)] == ["r2"]

    @pytest.mark.parametrize("ends", [cancel_of, commit_of])
    def test_an_ending_says_whether_others_wait_for_it(self, store: Store, ends: Any) -> None:
        store.note(demanding(asked("r2"), after("r1")), fence=1)

        ended = ends(asked("r1"))

        assert store.end(ended) == Ended(ended.request, waiters=True)
        assert store.end(ended) == Ended(ended.request, waiters=True)
        assert store.note(asked("r1"), fence=9) == Ended(ended.request, waiters=True)
        assert store.reserve(claim("r1", quota())) == Ended(ended.request, waiters=True)
        store.end(cancel_of(asked("r2")))
        assert store.end(ended) == Ended(ended.request, waiters=False)

    def test_a_commit_is_news_for_who_waits_for_its_state_and_a_cancel_is_not(
        self, store: Store
    ) -> None:
        store.note(demanding(asked("r9", state_id="quota/b"), by_calendar(STATE)), fence=1)

        canceled = store.end(cancel_of(asked("r1")))
        committed = store.end(commit_of(asked("r2")))

        assert isinstance(canceled, Ended)
        assert not canceled.waiters
        assert isinstance(committed, Ended)
        assert committed.waiters

    def test_a_commit_that_changes_nothing_is_no_news_of_the_state(self, store: Store) -> None:
        store.note(demanding(asked("r9", state_id="quota/b"), by_calendar(STATE)), fence=1)
        ending = commit_of(asked("r1"), mutation=ChoosePlan(plan="plan-0"), resolved=True)

        assert store.end(ending) == Ended(ending.request, waiters=False)
        assert store.end(ending) == Ended(ending.request, waiters=False)

    def test_the_end_of_who_asked_for_room_is_news_for_who_waits_for_it(self, store: Store) -> None:
        for name in ("r1", "r2"):
            store.note(demanding(asked(name), quota()), fence=1)

        for ending in (cancel_of(asked("r0")), cancel_of(demanding(asked("r1"), quota("other")))):
            assert store.end(ending) == Ended(ending.request, waiters=False)
        ending = cancel_of(demanding(asked("r3"), quota()))
        assert store.end(ending) == Ended(ending.request, waiters=True)
        assert store.end(ending) == Ended(ending.request, waiters=True)

    def test_a_demand_never_reached_is_no_news_for_who_waits_for_room(self, store: Store) -> None:
        store.note(demanding(asked("r1"), quota()), fence=1)
        unreached = demanding(asked("r2"), quota())
        (state,) = unreached.requirements
        waiting = state.model_copy(update={"status": "waiting", "opened_at": None})
        ending = cancel_of(unreached.model_copy(update={"requirements": (waiting,)}))

        assert store.end(ending) == Ended(ending.request, waiters=False)

    def test_a_demand_nobody_can_read_is_in_the_way_of_no_ending(self, store: Store) -> None:
        written: list[dict[str, JsonValue]] = [{}, {"key": ""}, {"budget": "none"}]
        for name, parameters in zip(("r1", "r2", "r3"), written, strict=True):
            unreadable = Requirement(kind="quota", parameters=parameters)
            ending = cancel_of(demanding(asked(name), unreadable))

            assert store.end(ending) == Ended(ending.request)
            assert store.end(ending) == Ended(ending.request)

    def test_who_registers_while_another_ends_is_seen_or_sees_it(self, store: Store) -> None:
        for number in range(10):
            name, other = f"a{number}", f"b{number}"
            store.note(asked(name), fence=1)

            def register_and_look(name: str = name, other: str = other) -> bool:
                store.note(demanding(asked(other), after(name)), fence=1)
                return store.standings([name])[name].status == "Canceled"

            def end(name: str = name) -> bool:
                answer = store.end(cancel_of(asked(name)))
                return isinstance(answer, Ended) and answer.waiters

            assert any(at_once([register_and_look, end]))

    def test_who_was_told_by_a_request_that_has_ended_is_untold(self, store: Store) -> None:
        store.note(demanding(asked("r1", at=later(hours=1)), after("a", "b")), fence=1)
        store.note(demanding(asked("r2"), after("b")), fence=1)
        store.note(demanding(asked("r3"), by_calendar(), quota()), fence=1)
        assert store.untold() == []

        store.end(cancel_of(asked("a")))
        assert store.untold() == ["r1"]

        store.end(commit_of(asked("b")))
        assert store.untold() == ["r2", "r1"]
        assert store.untold(limit=1) == ["r2"]

        store.note(demanding(asked("r2"), holding=[after("b")]), fence=1)
        store.end(cancel_of(asked("r1")))
        assert store.untold() == []

    def test_what_is_said_is_read_in_the_order_it_was_kept(self, store: Store) -> None:
        store.note(asked(), fence=1)
        said = [saying(f"say {n}", by=by, number=n) for n, by in enumerate(("ben", "carl", "Ben"))]

        assert [store.add_comment(each, most=10) for each in said] == [1, 2, 3]

        assert store.comments("r1") == said
        assert store.comments("r1", limit=2) == said[:2]
        assert store.comments("r2") == []

    def test_a_comment_sent_again_is_the_same_comment(self, store: Store) -> None:
        store.note(asked(), fence=1)
        first = saying("as it was", by="ben")

        assert store.add_comment(first, most=1) == 1
        assert store.add_comment(saying("another text", by="BEN"), most=1) == 1

        assert store.comments("r1") == [first]

    def test_more_than_the_bound_is_not_kept(self, store: Store) -> None:
        store.note(asked(), fence=1)
        calls = [
            partial(store.add_comment, saying("so many", number=number), most=5)
            for number in range(12)
        ]

        counts = at_once(calls)

        assert sorted(counts, key=lambda each: each or 0) == [*[None] * 7, 1, 2, 3, 4, 5]
        assert len(store.comments("r1")) == 5

    def test_a_comment_needs_a_request_in_the_record(self, store: Store) -> None:
        with pytest.raises(UnknownRequest):
            store.add_comment(saying("to nobody"), most=5)

        assert store.comments("r1") == []

    def test_g14_what_is_said_changes_no_request(self, store: Store) -> None:
        ending = cancel_of(asked())
        store.end(ending)

        assert store.add_comment(saying("too late \u0000 𝄞"), most=5) == 1

        assert store.request("r1") == ending.request
        assert store.comments("r1") == [saying("too late \u0000 𝄞")]

    def test_a_state_opened_is_no_news(self, store: Store) -> None:
        store.note(demanding(asked("r9"), by_calendar(STATE)), fence=1, seed=initial())

        assert store.told_by([f"state:{STATE}"]) == ["r9"]
        assert store.untold() == []
