"""What every store promises of side effects left to dispatch, and of turns on a state."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any, cast

import pytest

from core.effects import SideEffect
from store.protocol import Store
from tests.core.builders import AT, ChoosePlan, IncreaseQuota, later
from tests.store.nouns import STATE, approved, asked, commit_of

LATER = later(days=1)


def with_effects(store: Store, request_id: str, version: int, count: int) -> None:
    """Commit a request with so many side effects."""
    ending = commit_of(asked(request_id), version)
    effects = tuple(SideEffect(contract="mail", payload={"n": n}) for n in range(count))
    request = ending.request.model_copy(update={"side_effects": effects})
    store.end(ending.model_copy(update={"request": request}))


class Outbox:
    """See `tests.store.contract`."""

    def test_side_effects_wait_in_version_order_then_as_they_were_caused(
        self, store: Store
    ) -> None:
        with_effects(store, "r1", 0, 12)
        with_effects(store, "r2", 1, 2)

        left = store.undelivered(STATE)

        assert [(d.version, d.position) for d in left] == [
            *((1, n) for n in range(12)),
            (2, 0),
            (2, 1),
        ]
        assert [d.effect.payload["n"] for d in left] == [*range(12), 0, 1]
        assert [d.version for d in store.undelivered(STATE, limit=3)] == [1, 1, 1]

    def test_each_has_a_key_that_names_its_execution_and_position(self, store: Store) -> None:
        ending = commit_of(asked())
        store.end(ending)

        (delivery,) = store.undelivered(STATE)

        assert delivery.key == f"{ending.request.execution_id}:0"
        assert (delivery.request_id, delivery.state_id) == ("r1", STATE)
        assert (delivery.committed_at, delivery.attempts) == (ending.request.executed_at, 0)

    def test_commits_that_share_a_version_are_dispatched_one_after_the_other(
        self, store: Store
    ) -> None:
        store.end(commit_of(asked("r1"), 0))
        for number in (9, 10):
            store.end(
                commit_of(
                    asked(f"r{number}"),
                    1,
                    mutation=ChoosePlan(plan="plan-1"),
                    at=AT + timedelta(seconds=number),
                )
            )

        assert [d.request_id for d in store.undelivered(STATE)] == ["r1", "r9", "r10"]

    def test_what_was_dispatched_is_so_once_and_for_all(self, store: Store) -> None:
        with_effects(store, "r1", 0, 2)
        first, second = store.undelivered(STATE)

        store.delivered(first.key, LATER)
        store.delivered(first.key, LATER)
        store.not_delivered(first.key, "too late to fail", LATER, final=False)

        assert store.undelivered(STATE) == [second]

    def test_a_failed_attempt_is_counted_and_stays_in_its_place(self, store: Store) -> None:
        with_effects(store, "r1", 0, 2)
        first, second = store.undelivered(STATE)

        store.not_delivered(first.key, "no answer", LATER, final=False)
        store.not_delivered(first.key, "no answer", LATER, final=False)

        assert store.undelivered(STATE) == [first.model_copy(update={"attempts": 2}), second]

    def test_what_failed_for_good_is_not_in_the_way(self, store: Store) -> None:
        with_effects(store, "r1", 0, 2)
        first, second = store.undelivered(STATE)

        store.not_delivered(first.key, "gone", LATER, final=True)

        assert store.undelivered(STATE) == [second]

    def test_a_key_nobody_knows_changes_nothing(self, store: Store) -> None:
        store.delivered("nobody:0", LATER)
        store.not_delivered("nobody:0", "?", LATER, final=True)

        assert store.undelivered_states() == []

    def test_the_states_with_something_left_are_known(self, store: Store) -> None:
        for state_id in ("quota/b", "quota/a", "quota/c"):
            store.end(commit_of(asked(state_id, state_id=state_id)))
        store.end(commit_of(approved(asked("quiet")), mutation=IncreaseQuota(amount=1)))
        (done,) = store.undelivered("quota/c")
        store.delivered(done.key, LATER)

        assert store.undelivered_states() == ["quota/a", "quota/b"]
        assert store.undelivered_states(limit=1) == ["quota/a"]


class Turns:
    """See `tests.store.contract`."""

    def test_turns_on_a_state_are_taken_first_come_first_served(self, store: Store) -> None:
        taken: list[int] = []

        def take(number: int) -> None:
            with store.turn(STATE):
                taken.append(number)

        threads = [threading.Thread(target=take, args=(number,)) for number in range(6)]
        with store.turn(STATE):
            for count, thread in enumerate(threads, start=2):
                thread.start()
                _wait_for_queue(store, count)
            assert taken == []
        for thread in threads:
            thread.join()

        assert taken == list(range(6))

    def test_another_state_does_not_wait(self, store: Store) -> None:
        with store.turn("quota/a"), store.turn("quota/b"):
            pass

    def test_a_turn_that_fails_is_given_to_the_next_and_leaves_nothing(self, store: Store) -> None:
        with pytest.raises(ZeroDivisionError), store.turn(STATE):
            _ = 1 // 0

        with store.turn(STATE):
            pass
        assert _queues(store) == {}


def _queues(store: Store) -> dict[str, Any]:
    return cast("dict[str, Any]", store._turns._queues)  # type: ignore[attr-defined]


def _wait_for_queue(store: Store, length: int) -> None:
    until = time.monotonic() + 5
    while len(_queues(store)[STATE].waiting) < length:
        assert time.monotonic() < until
        time.sleep(0.001)
