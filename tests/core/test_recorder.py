"""The engine alone, with a record in memory: states by compare-and-set, audit and history."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import Engine, Facts, Mode, Mutation, Outcome
from core.digests import jsonable
from core.history import state_at
from core.policy import deny, policy
from core.recorder import Recorded, Recorder, VersionConflict
from core.result import ExecutionResult
from tests.core.builders import AT, ChoosePlan, Clock, Ids, IncreaseQuota, Quota, context

STATE = "quota/acme"


class Desk:
    """The engine with a recorder, as somebody would use them without anything else."""

    def __init__(self) -> None:
        self.engine = Engine(clock=Clock(), new_id=Ids())
        self.recorder = Recorder()

    def state(self, state_id: str = STATE) -> Quota:
        recorded = self.recorder.state(state_id)
        return Quota.model_validate(recorded.document) if recorded else Quota()

    def run(
        self, mutation: Mutation[Quota], *policies: Any, mode: Mode = Mode.COMMIT, of: str = STATE
    ) -> ExecutionResult[Quota]:
        return self.engine.execute(
            mutation,
            self.state(of),
            context=context(mode),
            facts=Facts(AT),
            policies=policies,
            subject=self.recorder.subject(of),
        )


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_commit_is_kept_with_its_version_history_and_audit(desk: Desk) -> None:
    result = desk.run(IncreaseQuota(amount=20))

    assert desk.recorder.record(result) == 1

    assert desk.recorder.state(STATE) == Recorded({"limit": 120, "plan": "free"}, 1)
    assert desk.recorder.version(STATE) == 1
    assert desk.recorder.history(STATE) == (result.history,)
    assert desk.recorder.audit() == (result.audit,)


@given(st.lists(st.integers(0, 3), max_size=6))
def test_versions_rise_by_one_and_the_history_replays_to_the_state(amounts: list[int]) -> None:
    desk = Desk()

    for amount in amounts:
        desk.recorder.record(desk.run(IncreaseQuota(amount=amount)))

    entries = desk.recorder.history(STATE)
    assert [entry.version for entry in entries] == list(range(1, len(entries) + 1))
    assert len(entries) == sum(amount > 0 for amount in amounts)
    assert desk.state().limit == 100 + sum(amounts)
    assert state_at(jsonable(Quota()), entries, len(entries)) == jsonable(desk.state())
    assert len(desk.recorder.audit(STATE)) == len(amounts)


def test_of_two_runs_on_one_version_the_second_is_refused_and_leaves_nothing(desk: Desk) -> None:
    first, second = desk.run(IncreaseQuota(amount=1)), desk.run(IncreaseQuota(amount=2))
    desk.recorder.record(first)

    with pytest.raises(VersionConflict, match=r"at version 1.*version 0") as conflict:
        desk.recorder.record(second)

    assert conflict.value.details == {"state_id": STATE, "expected": 0, "current": 1}
    assert desk.state().limit == 101
    assert desk.recorder.history(STATE) == (first.history,)
    assert desk.recorder.audit() == (first.audit,)
    assert desk.recorder.record(desk.run(IncreaseQuota(amount=2))) == 2


def test_a_commit_that_changes_nothing_is_compared_as_well(desk: Desk) -> None:
    unchanging = desk.run(ChoosePlan(plan="free"))
    assert desk.recorder.record(unchanging) == 0
    desk.recorder.record(desk.run(IncreaseQuota(amount=1)))

    with pytest.raises(VersionConflict):
        desk.recorder.record(unchanging)


def test_what_did_not_commit_is_audited_and_changes_nothing(desk: Desk) -> None:
    never = policy(name="never")(lambda *_: deny("no"))
    tried = [
        desk.run(IncreaseQuota(amount=1), mode=Mode.SIMULATE),
        desk.run(IncreaseQuota(amount=1), never),
        desk.run(IncreaseQuota(amount=-1)),
    ]

    assert [desk.recorder.record(result) for result in tried] == [0, 0, 0]

    assert [e.outcome for e in desk.recorder.audit()] == [
        Outcome.SIMULATED,
        Outcome.BLOCKED,
        Outcome.INVALID,
    ]
    assert desk.recorder.state(STATE) is None
    assert desk.recorder.history(STATE) == ()


def test_states_are_apart(desk: Desk) -> None:
    desk.recorder.record(desk.run(IncreaseQuota(amount=1)))
    desk.recorder.record(desk.run(IncreaseQuota(amount=2), of="quota/other"))

    assert (desk.state().limit, desk.state("quota/other").limit) == (101, 102)
    assert desk.recorder.version("quota/other") == 1
    assert [e.subject.state_id for e in desk.recorder.audit("quota/other")] == ["quota/other"]
    assert len(desk.recorder.audit()) == 2
