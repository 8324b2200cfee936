"""What can be read from a history: states of any version, what happened to a path, and how much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue

from core.audit import MutationRecord, Subject
from core.changes import diff
from core.context import MutationContext
from core.digests import jsonable
from core.errors import ChangeConflict, InvalidValue
from core.history import (
    HistoryEntry,
    HistoryGap,
    HistoryStatistics,
    replay,
    state_at,
    statistics,
    timeline,
)
from core.mutation import Intent
from core.secrets import HmacRedactor, redact
from core.survey import Secret, Survey, survey
from tests.core.builders import AT

FLAGS = Survey(fields={"flags": Survey("id")})


def entry(version: int, before: JsonValue, after: JsonValue, **more: Any) -> HistoryEntry:
    given: dict[str, Any] = {
        "state_id": "flags/web",
        "version": version,
        "execution_id": f"run-{version}",
        "subject": Subject(state_id="flags/web", version=version - 1, request_id=f"r{version}"),
        "at": AT + timedelta(hours=version),
        "mutations": (MutationRecord(type="Set", schema_version=1, parameters={}, digest="d"),),
        "intent": Intent(operation="set"),
        "context": MutationContext(actor_id="ana"),
        "changes": diff(before, after, identity=FLAGS),
    }
    return HistoryEntry(**(given | more))


def history(documents: Sequence[JsonValue]) -> list[HistoryEntry]:
    """Answer the history that leads from the first document through all the others."""
    pairs = pairwise(documents)
    return [entry(n, before, after) for n, (before, after) in enumerate(pairs, 1)]


def flags(**on: bool) -> Any:
    return {"flags": [{"id": name, "on": value} for name, value in sorted(on.items())], "n": 0}


STATES: list[Any] = [
    flags(a=False),
    flags(a=True),
    flags(a=True, b=False),
    flags(a=True, b=True),
    {"flags": None, "n": 0},
    {"flags": None, "n": 1},
]
ENTRIES = history(STATES)

values: st.SearchStrategy[Any] = st.dictionaries(
    st.sampled_from("abc"), st.integers(0, 2) | st.lists(st.booleans(), max_size=1), max_size=3
)


# Replay.


@given(st.lists(values, min_size=1, max_size=6))
def test_every_version_can_be_replayed(documents: list[Any]) -> None:
    entries = history(documents)

    assert replay(documents[0], entries) == documents[-1]
    for version, document in enumerate(documents):
        assert state_at(documents[0], entries, version) == document
        assert replay(documents[0], entries, until=version) == document
        assert replay(document, entries[version:], version=version) == documents[-1]


@given(st.lists(values, min_size=2, max_size=6), st.data())
def test_replaying_a_part_and_then_the_rest_is_replaying_all(
    documents: list[Any], data: st.DataObject
) -> None:
    entries = history(documents)
    cut = data.draw(st.integers(0, len(entries)))

    part = replay(documents[0], entries[:cut])

    assert replay(part, entries[cut:]) == replay(documents[0], entries)


@pytest.mark.parametrize(
    ("since", "version"),
    [
        (timedelta(), 0),
        (timedelta(hours=1), 1),
        (timedelta(hours=2, minutes=59), 2),
        (timedelta(days=9), 5),
    ],
)
def test_until_a_moment_is_what_was_committed_by_then(since: timedelta, version: int) -> None:
    assert replay(STATES[0], ENTRIES, until=AT + since) == STATES[version]


@pytest.mark.parametrize("entries", [ENTRIES, []])
@pytest.mark.parametrize("until", [AT.replace(tzinfo=None), AT.date(), "2026-01-05T09:00:00Z"])
def test_until_a_moment_that_would_be_another_elsewhere_is_refused(
    until: Any, entries: list[HistoryEntry]
) -> None:
    with pytest.raises(InvalidValue, match="aware"):
        replay(STATES[0], entries, until=until)


def test_what_depends_on_moments_refuses_entries_that_say_theirs_without_a_zone() -> None:
    naive = [ENTRIES[0], entry(2, STATES[1], STATES[2], at=datetime(2026, 1, 5, 23, 30))]  # noqa: DTZ001 - as it may stand in an old record

    assert replay(STATES[0], naive) == STATES[2]
    asks: list[Callable[[], Any]] = [
        lambda: replay(STATES[0], naive, until=AT + timedelta(days=1)),
        lambda: statistics(naive),
    ]
    for ask in asks:
        with pytest.raises(InvalidValue, match=r"version 2 .*aware"):
            ask()


def test_an_empty_history_leads_nowhere() -> None:
    assert replay(STATES[0], []) is STATES[0]
    assert state_at(STATES[0], ENTRIES, 0) is STATES[0]


@pytest.mark.parametrize("missing", [1, 2, 4])
def test_a_missing_version_is_named(missing: int) -> None:
    entries = [e for e in ENTRIES if e.version != missing]

    asks: list[Callable[[], Any]] = [
        lambda: replay(STATES[0], entries, version=0),
        lambda: state_at(STATES[0], entries, 5),
    ]
    for ask in asks:
        with pytest.raises(HistoryGap, match=f"lacks version {missing};") as gap:
            ask()
        assert gap.value.version == missing  # type: ignore[attr-defined]
        assert gap.value.state_id == "flags/web"  # type: ignore[attr-defined]


def test_a_missing_version_within_is_named_by_whatever_reads_the_entries() -> None:
    entries = [*ENTRIES[:2], *ENTRIES[3:]]

    asks: list[Callable[[], Any]] = [
        lambda: replay(STATES[0], entries),
        lambda: timeline(entries, "/flags"),
        lambda: statistics(entries),
    ]
    for ask in asks:
        with pytest.raises(HistoryGap, match="version 3"):
            ask()


def test_a_version_that_was_never_reached_is_missing() -> None:
    with pytest.raises(HistoryGap, match="version 6"):
        state_at(STATES[0], ENTRIES, 9)
    with pytest.raises(HistoryGap, match="version 1"):
        state_at(STATES[0], [], 1)
    with pytest.raises(InvalidValue, match="-1"):
        state_at(STATES[0], ENTRIES, -1)


def test_what_lies_beyond_the_wanted_version_is_not_read() -> None:
    assert state_at(STATES[0], [*ENTRIES[:2], ENTRIES[4]], 2) == STATES[2]


def test_entries_out_of_order_or_twice_or_of_another_state_are_refused() -> None:
    with pytest.raises(HistoryGap):
        replay(STATES[1], [ENTRIES[1], ENTRIES[0]])
    with pytest.raises(HistoryGap, match="version 2"):
        replay(STATES[0], [ENTRIES[0], ENTRIES[0]])
    stranger = entry(2, STATES[1], STATES[2], state_id="flags/app")
    with pytest.raises(InvalidValue, match=r"flags/web has an entry of flags/app"):
        replay(STATES[0], [ENTRIES[0], stranger])


def test_a_version_that_comes_twice_is_refused_also_where_it_would_fit() -> None:
    same = [entry(1, {"n": 0}, {"n": 1}), entry(1, {"m": 0}, {"m": 1})]

    asks: list[Callable[[], Any]] = [
        lambda: replay({"n": 0, "m": 0}, same),
        lambda: timeline(same, ""),
        lambda: statistics(same),
    ]
    for ask in asks:
        with pytest.raises(HistoryGap, match="version 2"):
            ask()
    with pytest.raises(HistoryGap, match="version 5"):
        replay({"n": 0}, [entry(4, {"n": 0}, {"n": 1})], version=4)


def test_an_entry_that_does_not_fit_is_a_conflict() -> None:
    with pytest.raises(ChangeConflict):
        replay({"flags": [], "n": 5}, ENTRIES)


def test_a_history_with_secrets_replays_to_their_hashes() -> None:
    class Account(BaseModel):
        name: str
        token: Annotated[str, Secret()]

    redactor = HmacRedactor(b"k" * 32)
    accounts = [Account(name="a", token="t1"), Account(name="b", token="t2")]
    shown = [redact(jsonable(each), survey(Account), redactor) for each in accounts]

    state: Any = replay(shown[0], history(shown))

    assert state == {"name": "b", "token": redactor("t2")}
    with pytest.raises(ChangeConflict):
        replay(jsonable(accounts[0]), history(shown))


# The timeline of a path.


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/flags/b/on", [(3, "/flags/b/on"), (2, "/flags/b"), (4, "/flags")]),
        ("/flags/b", [(2, "/flags/b"), (3, "/flags/b/on"), (4, "/flags")]),
        ("/flags/a/on", [(1, "/flags/a/on"), (4, "/flags")]),
        ("/n", [(5, "/n")]),
        ("/nothing", []),
    ],
)
def test_a_timeline_tells_what_happened_at_under_and_above_a_path(
    path: str, told: list[tuple[int, str]]
) -> None:
    found = timeline(ENTRIES, path)

    assert [(each.version, each.change.path) for each in found] == sorted(told)


def test_a_timeline_says_when_who_and_by_which_request() -> None:
    context = MutationContext(actor_id="ben", on_behalf_of="carl")

    (told,) = timeline([entry(7, {"n": 0}, {"n": 1}, context=context)], "")

    assert (told.version, told.at) == (7, AT + timedelta(hours=7))
    assert (told.actor_id, told.on_behalf_of, told.request_id) == ("ben", "carl", "r7")
    assert (told.execution_id, told.mutations) == ("run-7", ("Set",))
    assert told.change.describe() == "/n: 0 -> 1"


@given(st.lists(values, min_size=1, max_size=6))
def test_the_timeline_of_everything_is_every_change(documents: list[Any]) -> None:
    entries = history(documents)

    assert [each.change for each in timeline(entries, "")] == [
        change for each in entries for change in each.changes.changes
    ]


@pytest.mark.parametrize("path", ["flags", "/flags~b", "/flags/~", "/~2", "~0"])
@pytest.mark.parametrize("entries", [ENTRIES, []])
def test_a_path_that_is_none_is_refused(path: str, entries: list[HistoryEntry]) -> None:
    with pytest.raises(InvalidValue, match=r"no JSON Pointer.*slash"):
        timeline(entries, path)


@pytest.mark.parametrize("path", ["", "/", "/~0~1", "/a//b", "/a b\n"])
def test_whatever_may_be_a_name_has_a_path(path: str) -> None:
    assert timeline([], path) == ()


# Statistics.


def mutations(*types: str) -> tuple[MutationRecord, ...]:
    return tuple(
        MutationRecord(type=each, schema_version=1, parameters={}, digest="d") for each in types
    )


def test_statistics_count_by_path_actor_mutation_and_day() -> None:
    ben = MutationContext(actor_id="ben")
    late = datetime(2026, 1, 5, 23, 30, tzinfo=timezone(timedelta(hours=-1)))  # the 6th in UTC
    entries = [
        entry(1, {}, {"a": {"x": 1}, "b": 1}, mutations=mutations("Set", "Move")),
        entry(2, {"a": {"x": 1, "y": 0}}, {"a": {"x": 2, "y": 1}}, context=ben),
        entry(3, {"b": 1}, {}, context=ben, at=late, mutations=mutations("Drop")),
    ]

    assert statistics(entries) == HistoryStatistics(
        versions=3,
        changes=5,
        first=AT + timedelta(hours=1),
        last=late,
        by_path={"/a": 3, "/b": 2},
        by_actor={"ana": 1, "ben": 2},
        by_mutation={"Drop": 1, "Move": 1, "Set": 2},
        by_day={"2026-01-05": 2, "2026-01-06": 1},
    )
    assert statistics(entries, depth=2).by_path == {"/a": 1, "/a/x": 1, "/a/y": 1, "/b": 2}
    assert statistics(entries, depth=0).by_path == {"": 5}


def test_statistics_of_nothing_are_zeros() -> None:
    assert statistics([]) == HistoryStatistics()
    with pytest.raises(InvalidValue, match="-1"):
        statistics([], depth=-1)


@given(st.lists(values, min_size=1, max_size=6), st.integers(0, 3))
def test_every_sum_is_the_whole(documents: list[Any], depth: int) -> None:
    entries = history(documents)

    counted = statistics(entries, depth=depth)

    assert sum(counted.by_path.values()) == counted.changes
    assert sum(counted.by_actor.values()) == counted.versions == len(entries)
    assert sum(counted.by_day.values()) == counted.versions
    assert sum(counted.by_mutation.values()) == sum(len(each.mutations) for each in entries)
    assert all(date.fromisoformat(day) for day in counted.by_day)
