"""An ask has one answer: whoever repeats it, or comes too late with it, changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from activities.assess import Assessing
from activities.execute import Executing
from core import Requirement
from core.errors import RequestIdReused
from core.governance.request import Status, WishedMutation
from core.governance.resolution import ResolutionOutcome
from store import open_store
from tests.activities.desk import NOON, Desk, opened, run
from wire.asks import AssessRequest, Executed, ExecuteMutation

SECURITY = Requirement.approval(roles=["security"], needed=1)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """The activities on each store."""
    with opened(tmp_path) as made:
        if request.param == "sqlite":
            yield made
            return
        postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
        store = open_store(postgres.database() if postgres else "memory:")
        yield replace(made, outside=replace(made.outside, store=store))
        store.close()


def execute(desk: Desk, ask: ExecuteMutation) -> Executed:
    answer = run(Executing(desk.outside).execute_mutation, ask)
    assert isinstance(answer, Executed)
    return answer


def before_the_next(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str, work: Callable[[], object]
) -> None:
    """Let something happen just before a method of the store is called the next time."""
    method = getattr(desk.store, name)

    def late(*given: Any, **more: Any) -> Any:
        monkeypatch.setattr(desk.store, name, method)
        work()
        return method(*given, **more)

    monkeypatch.setattr(desk.store, name, late)


def demands(desk: Desk) -> None:
    """Let what was demanded of nobody need an approval from now on."""
    desk.demanded[:] = [SECURITY]


def stands_open(desk: Desk) -> bool:
    """Answer whether the request waits, and its state is as it was."""
    found, state = desk.store.request("r"), desk.store.state("box/a")
    assert found is not None
    assert state is not None
    return (found.status, state.version, found.awaiting) == (Status.PENDING, 0, ("role:security",))


def test_g4_an_execution_repeated_after_its_answer_is_answered_the_same(desk: Desk) -> None:
    ask = ExecuteMutation(request=desk.open(), at=NOON, fence=2)
    demands(desk)
    first = execute(desk, ask)
    desk.demanded.clear()

    again = execute(desk, ask)

    assert first.resolution is not None
    assert first.resolution.outcome is ResolutionOutcome.RENEWED
    assert again == first
    assert stands_open(desk)


def test_g1_an_attempt_that_ends_after_its_replacement_answered_commits_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = ExecuteMutation(request=desk.open(), at=NOON, fence=2)
    replacement: list[Executed] = []

    def replace_it() -> None:
        demands(desk)
        replacement.append(execute(desk, ask))

    before_the_next(desk, monkeypatch, "end", replace_it)
    late = execute(desk, ask)

    assert replacement[0].resolution is not None
    assert late == replacement[0]
    assert stands_open(desk)


def test_g4_an_attempt_that_answers_after_its_replacement_committed_finds_the_record(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = ExecuteMutation(request=desk.open(), at=NOON, fence=2)
    demands(desk)
    replacement: list[Executed] = []

    def replace_it() -> None:
        desk.demanded.clear()
        replacement.append(execute(desk, ask))

    before_the_next(desk, monkeypatch, "note", replace_it)
    late = execute(desk, ask)

    assert late.ended is not None
    assert late.ended.status is Status.EXECUTED
    assert late.ended == replacement[0].ended


def test_an_attempt_outdated_while_it_ends_says_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = desk.open()

    before_the_next(desk, monkeypatch, "end", lambda: desk.note(request, fence=3))

    assert execute(desk, ExecuteMutation(request=request, at=NOON, fence=2)) == Executed(fenced=3)


def test_a_later_ask_is_a_new_resolution(desk: Desk) -> None:
    ask = ExecuteMutation(request=desk.open(), at=NOON, fence=2)
    demands(desk)
    execute(desk, ask)
    desk.demanded.clear()

    answer = execute(desk, ask.model_copy(update={"fence": 3}))

    assert answer.ended is not None
    assert execute(desk, ask) == answer, "whatever the ask was answered before"


def test_an_assessment_is_answered_to_its_own_content_only(desk: Desk) -> None:
    desk.open()
    other = desk.ask(mutations=(WishedMutation(type="Put", parameters={"key": "x", "value": 9}),))

    with pytest.raises(RequestIdReused):
        run(Assessing(desk.outside).assess_request, AssessRequest(request=other, at=NOON, fence=1))


def test_an_assessment_repeated_is_answered_the_same(desk: Desk) -> None:
    ask = AssessRequest(request=desk.ask(), at=NOON, fence=1)
    first = run(Assessing(desk.outside).assess_request, ask)
    demands(desk)

    assert run(Assessing(desk.outside).assess_request, ask) == first
