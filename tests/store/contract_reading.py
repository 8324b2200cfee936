"""What every store promises whoever reads: order, pages, filters, inboxes, drift."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest

from core.audit import AuditEntry
from core.governance.request import Status
from store.protocol import RequestFilter, Store
from tests.core.builders import AT, ChoosePlan, IncreaseQuota, later
from tests.store.nouns import (
    STATE,
    asked,
    cancel_of,
    commit_of,
    initial,
    tried,
    waiting_for,
)

EVERY = RequestFilter()


def ids(requests: object) -> list[str]:
    return [request.request_id for request in requests]  # type: ignore[attr-defined]


class Reading:
    """See `tests.store.contract`."""

    @pytest.fixture
    def some(self, store: Store) -> Store:
        """Six requests: two to each minute, two states, three requesters, some ended."""
        for number in range(6):
            request = asked(
                f"r{number}",
                at=later(minutes=number // 2),
                state_id=f"quota/{number % 2}",
                actor_id=("Ana", "ben", "carl")[number % 3],
            )
            store.note(waiting_for(request, "role:Security", f"user:{number}"), fence=1)
        store.end(cancel_of(asked("r0", state_id="quota/0", actor_id="Ana")))
        return store

    def test_requests_come_newest_first(self, some: Store) -> None:
        assert ids(some.requests(EVERY)) == ["r5", "r4", "r3", "r2", "r1", "r0"]

    def test_times_are_compared_as_times(self, store: Store) -> None:
        east = timezone(timedelta(hours=9))
        store.note(asked("early", at=AT.astimezone(east)), fence=1)
        store.note(asked("late", at=(AT + timedelta(microseconds=1)).astimezone(UTC)), fence=1)
        store.note(asked("whole", at=AT + timedelta(seconds=1)), fence=1)

        assert ids(store.requests(EVERY)) == ["whole", "late", "early"]

    def test_keys_are_ordered_by_code_point(self, store: Store) -> None:
        names = ["Z", "a", "_", "é", "a-b", "ab", "B"]
        for name in names:
            store.note(asked(name, state_id=name), fence=1, seed=initial(name))

        assert ids(store.open_requests()) == sorted(names)
        assert ids(store.requests(EVERY)) == sorted(names, reverse=True)
        assert [state.state_id for state in store.states()] == sorted(names)

    @pytest.mark.parametrize("size", [1, 2, 4, 6])
    @pytest.mark.parametrize(
        "wanted",
        [
            EVERY,
            RequestFilter(statuses=("Pending", "Canceled")),
            RequestFilter(awaiting=("role:security", "user:3", "user:4")),
        ],
    )
    def test_pages_meet_without_gap_or_repeat(
        self, some: Store, size: int, wanted: RequestFilter
    ) -> None:
        pages: list[str] = []

        after = None
        while page := ids(some.requests(wanted, limit=size, after=after)):
            assert len(page) <= size
            pages += page
            after = page[-1]

        assert pages == ids(some.requests(wanted, limit=1000))

    def test_nothing_comes_after_a_request_nobody_knows(self, some: Store) -> None:
        assert some.requests(EVERY, after="nobody") == []

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            (RequestFilter(state_id="quota/1"), ["r5", "r3", "r1"]),
            (RequestFilter(requester="ana"), ["r3", "r0"]),
            (RequestFilter(requester="BEN"), ["r4", "r1"]),
            (RequestFilter(statuses=("Canceled",)), ["r0"]),
            (RequestFilter(statuses=("Approved",)), []),
            (RequestFilter(statuses=("Canceled", "Pending"), state_id="quota/0"), "r4 r2 r0"),
            (RequestFilter(open_only=True, requester="ana"), ["r3"]),
            (RequestFilter(awaiting=("user:2",)), ["r2"]),
            (RequestFilter(awaiting=("ROLE:security",), state_id="quota/0"), ["r4", "r2"]),
            (RequestFilter(awaiting=("user:2", "user:5", "role:none")), ["r5", "r2"]),
            (RequestFilter(awaiting=("user:0",)), []),
            (RequestFilter(awaiting=("role:security",), open_only=True, requester="ana"), "r3"),
            (
                RequestFilter(awaiting=("role:security",), statuses=("Pending",), requester="ben"),
                "r4 r1",
            ),
            (RequestFilter(state_id="quota/1", requester="ben", statuses=("Pending",)), "r1"),
        ],
    )
    def test_every_field_of_a_filter_narrows(
        self, some: Store, wanted: RequestFilter, found: list[str] | str
    ) -> None:
        expected = found.split() if isinstance(found, str) else found

        assert ids(some.requests(wanted)) == expected

    def test_an_inbox_follows_whom_a_request_waits_for(self, store: Store) -> None:
        inbox = RequestFilter(awaiting=("user:ben",))
        store.note(waiting_for(asked(), "user:ben", "user:carl"), fence=1)
        assert ids(store.requests(inbox)) == ["r1"]

        store.note(waiting_for(asked(), "user:carl"), fence=1)
        assert ids(store.requests(inbox)) == []

    def test_an_ended_request_is_in_no_inbox(self, store: Store) -> None:
        store.note(waiting_for(asked(), "user:ben"), fence=1)
        still_waiting = cancel_of(asked()).request.model_copy(
            update={"pending": waiting_for(asked(), "user:ben").pending}
        )

        store.end(cancel_of(asked()).model_copy(update={"request": still_waiting}))

        assert store.requests(RequestFilter(awaiting=("user:ben",))) == []

    def test_open_requests_come_by_id_and_in_pages(self, some: Store) -> None:
        assert ids(some.open_requests()) == ["r1", "r2", "r3", "r4", "r5"]
        assert ids(some.open_requests(limit=2, after="r2")) == ["r3", "r4"]

    def test_which_have_ended_is_answered_for_any_number(self, some: Store) -> None:
        many = [f"x{number}" for number in range(1500)]

        assert some.ended_among([*many, "r0", "r1"]) == {"r0"}
        assert some.ended_among([]) == frozenset()

    def test_states_come_in_pages(self, store: Store) -> None:
        for name in "cab":
            store.note(asked(name, state_id=name), fence=1, seed=initial(name))

        assert [s.state_id for s in store.states(limit=2)] == ["a", "b"]
        assert [s.state_id for s in store.states(limit=2, after="b")] == ["c"]

    def test_history_comes_by_version_and_in_pages(self, store: Store) -> None:
        for version in range(4):
            store.end(commit_of(asked(f"r{version}"), version))

        assert [e.version for e in store.history(STATE)] == [1, 2, 3, 4]
        assert [e.version for e in store.history(STATE, after=1, limit=2)] == [2, 3]
        assert store.history("quota/other") == []

    def test_audit_comes_in_the_order_written_and_narrowed(self, store: Store) -> None:
        first, second = tried(asked("r1")), tried(asked("r1"))
        other = tried(asked("r2", state_id="quota/b"))
        store.note(asked("r1"), fence=1, audit=[first])
        store.note(asked("r2", state_id="quota/b"), fence=1, audit=[other])
        store.note(asked("r1"), fence=1, audit=[second])

        assert store.audit() == [first, other, second]
        assert store.audit(request_id="r1") == [first, second]
        assert store.audit(state_id="quota/b") == [other]
        assert store.audit(request_id="r1", state_id="quota/b") == []
        assert store.audit(limit=2) == [first, other]

    def test_audit_comes_in_pages_that_meet(self, store: Store) -> None:
        entries = [tried(asked("r1")) for _ in range(5)]
        others = [tried(asked("r2", state_id="quota/b")) for _ in range(2)]
        for entry in (*entries[:3], *others, *entries[3:]):
            request = asked(entry.subject.request_id or "", state_id=entry.subject.state_id)
            store.note(request, fence=1, audit=[entry])
        pages: list[AuditEntry] = []

        after = None
        while page := store.audit(state_id=STATE, limit=2, after=after):
            pages += page
            after = page[-1].execution_id

        assert pages == entries
        assert store.audit(after=entries[2].execution_id) == [*others, *entries[3:]]
        assert store.audit(after="nobody") == []

    def test_drift_is_the_paths_that_moved_between_two_versions(self, store: Store) -> None:
        store.end(commit_of(asked("r1"), 0))
        store.end(commit_of(asked("r2"), 1, mutation=IncreaseQuota(amount=5)))
        store.end(commit_of(asked("r3"), 2, mutation=ChoosePlan(plan="other")))

        assert store.drift(STATE, 0, 3) == ("/limit", "/plan")
        assert store.drift(STATE, 1, 2) == ("/limit",)
        assert store.drift(STATE, 3, 3) == ()
        assert store.drift("quota/other", 0, 9) == ()

    def test_the_record_is_what_lists_show_of_an_ended_request(self, some: Store) -> None:
        (record,) = some.requests(RequestFilter(statuses=("Canceled",)))

        assert record.status is Status.CANCELED
        assert record == some.request("r0")
