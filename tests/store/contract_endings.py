"""What every store promises of endings: one a request, all of it at once, on the version meant."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import pytest

from core.digests import digest
from core.errors import InvalidTransition
from core.governance.outcome import Ending
from core.governance.request import MutationRequest, Status
from core.history import replay
from store.protocol import EXECUTE, Ask, Conflict, Ended, EndingOfPicture, Fenced, Noted, Store
from tests.core.builders import ChoosePlan, Quota, later
from tests.store.nouns import (
    STATE,
    approved,
    asked,
    at_once,
    cancel_of,
    commented,
    commit_of,
    everything,
    initial,
    tried,
    waiting_for,
)

ASK = Ask(request_id="r1", round=0, fence=2, kind=EXECUTE)


def of_picture(picture: MutationRequest) -> EndingOfPicture:
    """Answer the ending that cancels a request as somebody else sees it."""
    ending = cancel_of(picture)
    return EndingOfPicture(request=ending.request, made_of=picture.decision_number)


class Endings:
    """See `tests.store.contract`."""

    def test_the_first_ending_written_wins(self, store: Store) -> None:
        first, second = cancel_of(asked(), "first"), cancel_of(asked(), "second")

        assert store.end(first) == Ended(first.request)
        assert store.end(second) == Ended(first.request)
        assert store.request("r1") == first.request

    def test_the_first_of_many_endings_at_once_is_the_record_of_all(self, store: Store) -> None:
        store.note(asked(), fence=1, seed=initial())
        calls = [partial(store.end, cancel_of(asked(), f"reason {n}")) for n in range(6)]
        calls += [partial(store.end, commit_of(asked())) for _ in range(2)]

        answers = at_once(calls)

        record = store.request("r1")
        assert record is not None
        assert answers == [Ended(record)] * 8
        state = store.state(STATE)
        assert state is not None
        assert state.version == (1 if record.status is Status.EXECUTED else 0)

    def test_g7_a_commit_changes_everything_together(self, store: Store) -> None:
        store.note(waiting_for(asked(), "user:ben"), fence=1, seed=initial())
        ending = commit_of(asked(), at=later(hours=2))

        assert store.end(ending) == Ended(ending.request)

        assert ending.commit is not None
        state = store.state(STATE)
        assert state is not None
        assert (state.version, state.digest) == (1, digest(state.document))
        assert state.committed_at == ending.request.executed_at
        assert store.history(STATE) == [ending.commit.history]
        assert replay(initial(plan="plan-0").document, store.history(STATE)) == state.document
        assert store.audit(request_id="r1") == list(ending.audit)
        assert [d.effect for d in store.undelivered(STATE)] == list(ending.request.side_effects)
        assert store.request("r1") == ending.request
        view = store.view("r1", STATE)
        assert (view.ended, view.fence, view.state) == (ending.request, 1, state)
        assert store.open_requests() == []

    def test_a_request_may_end_that_was_never_noted(self, store: Store) -> None:
        ending = commit_of(asked(), fence=7)

        assert store.end(ending) == Ended(ending.request)
        assert store.view("r1", STATE).fence == 7

    def test_g5_a_commit_for_another_version_writes_nothing(self, store: Store) -> None:
        store.end(commit_of(asked("r1")))
        store.note(asked("r2"), fence=1)
        before = everything(store)

        assert store.end(commit_of(asked("r2"), 0)) == Conflict(1)
        assert store.end(commit_of(asked("r2"), 5)) == Conflict(1)
        assert store.end(commit_of(asked("r3"), 0)) == Conflict(1)
        assert everything(store) == before

    def test_a_commit_on_a_state_never_opened_is_on_version_0(self, store: Store) -> None:
        assert store.end(commit_of(asked("r1"), 3)) == Conflict(0)
        assert store.states() == []

        assert isinstance(store.end(commit_of(asked("r1"), 0)), Ended)

    def test_a_fence_raised_refuses_the_late_commit(self, store: Store) -> None:
        store.note(asked(), fence=1, seed=initial())
        store.note(asked(), fence=2)
        before = everything(store)

        assert store.end(commit_of(asked(), fence=1)) == Fenced(2)

        assert everything(store) == before
        assert isinstance(store.end(commit_of(asked(), fence=2)), Ended)

    def test_a_commit_without_a_fence_is_below_every_fence(self, store: Store) -> None:
        store.note(asked(), fence=1)
        ending = commit_of(asked()).model_copy(update={"fence": None})

        assert store.end(ending) == Fenced(1)

    def test_an_ending_that_commits_nothing_needs_no_fence(self, store: Store) -> None:
        store.note(asked(), fence=5)

        assert isinstance(store.end(cancel_of(asked())), Ended)
        assert store.view("r1", STATE).fence == 5

    def test_g1_a_commit_of_an_ask_that_was_answered_writes_nothing(self, store: Store) -> None:
        store.note(asked(), fence=2, ask=ASK, answer="renewed", seed=initial())
        before = everything(store)

        assert store.end(commit_of(asked(), fence=2)) == Fenced(2)

        assert everything(store) == before
        assert store.answered(ASK) == "renewed"
        assert isinstance(store.end(commit_of(asked(), fence=3)), Ended)

    @pytest.mark.parametrize("other", [{"round": 1}, {"fence": 1}, {"kind": "resolve"}])
    def test_what_another_ask_was_answered_is_in_no_commits_way(
        self, store: Store, other: dict[str, object]
    ) -> None:
        store.note(asked(), fence=2, ask=ASK.model_copy(update=other), answer="renewed")

        assert isinstance(store.end(commit_of(asked(), fence=2)), Ended)

    def test_nor_is_an_answer_in_the_way_of_an_ending_that_commits_nothing(
        self, store: Store
    ) -> None:
        store.note(asked(), fence=2, ask=ASK, answer="renewed")

        assert isinstance(store.end(cancel_of(asked())), Ended)

    def test_g4_of_an_answer_and_a_commit_of_one_ask_at_once_one_stands(self, store: Store) -> None:
        for number in range(12):
            request = asked(f"r{number}", state_id=f"quota/{number}")
            ask = ASK.model_copy(update={"request_id": request.request_id})
            store.note(request, fence=1, seed=initial(request.state_id))
            calls: list[Callable[[], object]] = [
                partial(store.note, request, fence=2, ask=ask, answer="renewed"),
                partial(store.end, commit_of(request, fence=2)),
            ]

            answers = at_once(calls * 3 if number % 2 else [*reversed(calls)] * 3)

            state = store.state(request.state_id)
            assert state is not None
            kinds = {type(answer) for answer in answers}
            assert (kinds, state.version) in [({Noted, Fenced}, 0), ({Ended}, 1)]

    def test_g14_an_ending_of_an_older_picture_leaves_no_decision_out(self, store: Store) -> None:
        picture = waiting_for(asked(), "user:ben")
        store.note(commented(picture), fence=1)
        before = everything(store)

        assert store.end(of_picture(picture)) == Conflict(picture.decision_number + 1)

        assert everything(store) == before
        ending = of_picture(commented(picture))
        assert store.end(ending) == Ended(ending.request)
        assert store.end(of_picture(picture)) == Ended(ending.request)

    def test_the_requests_own_ending_need_not_know_the_picture(self, store: Store) -> None:
        store.note(commented(waiting_for(asked(), "user:ben")), fence=1)

        assert isinstance(store.end(cancel_of(asked())), Ended)

    def test_an_ending_of_a_picture_further_than_the_store_ends_it(self, store: Store) -> None:
        store.note(asked(), fence=1)

        assert isinstance(store.end(of_picture(commented(waiting_for(asked())))), Ended)

    def test_g4_a_commit_written_twice_is_one_commit(self, store: Store) -> None:
        ending = commit_of(asked())
        store.end(ending)
        before = everything(store)

        assert store.end(ending) == Ended(ending.request)
        assert store.end(commit_of(asked(), 1, fence=9)) == Ended(ending.request)
        assert everything(store) == before

    def test_g4_one_request_commits_once_from_many_threads(self, store: Store) -> None:
        store.note(asked(), fence=1, seed=initial())
        calls = [partial(store.end, commit_of(asked())) for _ in range(8)]

        answers = at_once(calls)

        record = store.request("r1")
        assert record is not None
        assert answers == [Ended(record)] * 8
        assert [entry.version for entry in store.history(STATE)] == [1]
        assert [entry.execution_id for entry in store.audit()] == [record.execution_id]
        assert len(store.undelivered(STATE)) == 1

    @pytest.mark.parametrize("opened", [True, False])
    def test_g5_two_commits_on_one_version_one_conflicts(self, store: Store, opened: bool) -> None:
        for version in range(5):
            names = [f"a{version}", f"b{version}"]
            for name in names if opened else []:
                store.note(asked(name), fence=1, seed=initial())

            answers = at_once([partial(store.end, commit_of(asked(n), version)) for n in names])

            kinds = sorted(type(answer).__name__ for answer in answers)
            assert kinds == ["Conflict", "Ended"]
            assert Conflict(version + 1) in answers

    def test_g5_a_first_commit_and_an_opening_at_once_lose_nothing(self, store: Store) -> None:
        for number in range(10):
            state_id = f"quota/{number}"
            request = asked(f"a{number}", state_id=state_id)
            other = asked(f"b{number}", state_id=state_id)

            calls: list[Callable[[], object]] = [
                partial(store.end, commit_of(request)),
                partial(store.note, other, fence=1, seed=initial(state_id)),
            ]
            commit, _ = at_once(calls)

            assert isinstance(commit, Ended)
            state = store.state(state_id)
            assert state is not None
            assert state.version == 1

    def test_g5_no_update_is_lost_under_a_hammer(self, store: Store) -> None:
        store.note(asked("opener"), fence=1, seed=initial())

        def ten(thread: int) -> None:
            for number in range(10):
                request = asked(f"{thread}.{number}")
                # The last ones do not queue: safety is not the turn's.
                queues = thread < 18
                while True:
                    with store.turn(STATE) if queues else nullcontext():
                        state = store.state(STATE)
                        assert state is not None
                        if isinstance(store.end(commit_of(request, state.version)), Ended):
                            break

        at_once([partial(ten, thread) for thread in range(20)])

        state = store.state(STATE)
        assert state is not None
        assert state.version == 200
        entries = store.history(STATE, limit=1000)
        assert [entry.version for entry in entries] == list(range(1, 201))
        assert len({entry.subject.request_id for entry in entries}) == 200
        assert replay(initial(plan="plan-0").document, entries) == state.document

    def test_a_commit_that_changes_nothing_writes_no_version(self, store: Store) -> None:
        store.end(commit_of(asked("r1")))
        ending = commit_of(asked("r2"), 1, mutation=ChoosePlan(plan="plan-1"))

        assert store.end(ending) == Ended(ending.request)

        state = store.state(STATE)
        assert state is not None
        assert state.version == ending.request.resulting_version == 1
        assert len(store.history(STATE)) == 1
        assert [d.request_id for d in store.undelivered(STATE)] == ["r1", "r2"]

    def test_a_commit_that_changes_nothing_is_for_one_version_too(self, store: Store) -> None:
        store.end(commit_of(asked("r1")))
        ending = commit_of(asked("r2"), 0, mutation=ChoosePlan(plan="plan-0"))

        assert store.end(ending) == Conflict(1)
        assert store.request("r2") is None

    def test_g14_nothing_changes_an_ended_request(self, store: Store) -> None:
        store.note(asked(), fence=1, seed=initial())
        ending = commit_of(asked())
        store.end(ending)
        before = everything(store)
        (delivery,) = store.undelivered(STATE)

        store.note(waiting_for(asked(), "user:ben"), fence=8, audit=[tried(asked())])
        store.end(cancel_of(asked()))
        store.end(commit_of(asked(), 1, fence=8))
        assert everything(store) == before
        store.delivered(delivery.key, later(hours=1))

        assert store.request("r1") == ending.request
        assert everything(store) == {**before, "outbox": {STATE: []}}

    def test_g1_executed_is_an_ending_by_commit_only(self, store: Store) -> None:
        commit = commit_of(asked())

        for wrong in (
            commit.model_copy(update={"commit": None}),
            commit.model_copy(update={"request": cancel_of(asked()).request}),
            Ending(request=approved(asked())),
        ):
            with pytest.raises(InvalidTransition):
                store.end(wrong)

        assert everything(store)["requests"] == []
        assert store.states() == []

    def test_a_large_document_is_read_back_as_it_was_written(self, store: Store) -> None:
        plan = "ä𝄞\u0000\u2028" * 30_000
        ending = commit_of(asked(), mutation=ChoosePlan(plan=plan))

        store.end(ending)

        state = store.state(STATE)
        assert state is not None
        assert Quota.model_validate(state.document).plan == plan
