"""Requests wait for weeks: a changed workflow must replay what older ones have done."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from client.plugin import client_plugin
from tests.replay.changed import NotesBeforeItAssesses
from tests.replay.lives import LIVES
from tests.replay.record import HISTORIES, main, path_of
from tests.replay.stories import STORIES
from tests.replay.waits import WAITS
from tests.support.histories import asked_locally, asked_remotely, failed_locally
from wire.names import WORKFLOW_TYPE, Activity
from workflows import ALL_WORKFLOWS, MutationRequestWorkflow
from workflows.options import LOCAL_FIRST_SINCE
from workflows.sandbox import sandboxed

ASKED = {value for name, value in vars(Activity).items() if name.isupper()}


def replayer(workflows: Sequence[type] = ALL_WORKFLOWS) -> Replayer:
    return Replayer(workflows=workflows, plugins=[client_plugin()], workflow_runner=sandboxed())


def kept() -> list[str]:
    return sorted(path.stem for path in HISTORIES.glob("*.json"))


def history(name: str) -> WorkflowHistory:
    found = json.loads(path_of(name).read_text("utf-8"))
    return WorkflowHistory.from_json(found["workflow_id"], found["history"])


@pytest.mark.parametrize("name", kept())
async def test_a_kept_history_replays(name: str) -> None:
    await replayer().replay_workflow(history(name))


def test_every_story_has_a_history_and_every_history_a_story() -> None:
    assert kept() == sorted(STORIES)


def test_the_histories_are_the_ways_a_request_can_go() -> None:
    demanded = {
        "executed",
        "rejected",
        "stale_renewed",
        "survived",
        "expired",
        "canceled",
        "conflict",
        "still_waiting",
        "fast_executed_at_once",
        "fast_executed",
        "fast_renewed",
        "fast_canceled",
        "fast_then_remote",
        "granted_at_once",
        "granted_at_once_and_renewed",
        "granted_then_remote",
        "granted_in_the_last_alternative",
        "remote",
        *(story.__name__ for story in (*WAITS, *LIVES)),
    }

    assert demanded <= set(STORIES)


@pytest.mark.parametrize("name", ["executed", "fast_executed"])
async def test_an_activity_asked_for_in_another_order_does_not_replay(name: str) -> None:
    changed = replayer([NotesBeforeItAssesses])
    unchanged = replayer([MutationRequestWorkflow])

    await unchanged.replay_workflow(history(name))
    with pytest.raises(NondeterminismError):
        await changed.replay_workflow(history(name))


@pytest.mark.parametrize("name", kept())
def test_a_kept_history_is_of_a_request_and_of_activities_that_still_exist(name: str) -> None:
    kept_one = history(name)
    started = kept_one.events[0].workflow_execution_started_event_attributes
    asked = {*asked_remotely(kept_one), *asked_locally(kept_one)}

    assert started.workflow_type.name == WORKFLOW_TYPE
    assert asked <= ASKED
    continues = bool(started.continued_execution_run_id)
    assert (Activity.ASSESS_REQUEST in asked) is not continues
    assert continues is (name == "waited_into_a_new_history")


def test_the_histories_go_both_ways() -> None:
    assert not any(asked_locally(history(name)) for name in kept() if _is_older(name))
    assert asked_remotely(history("fast_executed")) == []
    assert failed_locally(history("fast_then_remote")) == [Activity.EXECUTE_MUTATION]
    assert asked_remotely(history("fast_then_remote")) == [Activity.EXECUTE_MUTATION]
    assert Activity.EXECUTE_MUTATION in asked_locally(history("fast_executed"))
    assert Activity.EXECUTE_MUTATION not in asked_locally(history("granted_at_once"))
    assert asked_remotely(history("granted_at_once")) == []
    assert failed_locally(history("granted_then_remote")) == [Activity.AUTHENTICATE]
    assert asked_remotely(history("granted_then_remote")) == [Activity.EXECUTE_MUTATION]
    assert Activity.EXECUTE_MUTATION in asked_remotely(history("remote"))


def test_the_histories_tell_what_befell_a_workflow() -> None:
    types = {name: [e.event_type for e in history(name).events] for name in kept()}
    looks = asked_remotely(history("told_while_it_looked")).count(Activity.READ_DEPENDENCIES)
    left, dead = types["began_anew"][-1], types["died_while_a_check_ran"]

    assert left == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
    assert EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT in dead
    assert looks == 3, "when it stood in the record, when it was told, and once more"
    assert EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED in types["told_that_there_is_room"]


def _is_older(name: str) -> bool:
    """Answer whether it was recorded when every ask was remote."""
    return history(name).events[0].event_time.ToDatetime(tzinfo=UTC) < LOCAL_FIRST_SINCE


@pytest.mark.parametrize("name", kept())
def test_a_kept_history_names_no_machine(name: str) -> None:
    text = path_of(name).read_text("utf-8")

    assert not re.search(r"\d+@", text)
    assert socket.gethostname() not in text
    assert str(Path(__file__).parents[2]) not in text


def test_a_history_that_is_kept_is_never_recorded_over_in_silence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = path_of("executed").read_bytes()

    with pytest.raises(SystemExit):
        main(["executed"])

    assert "recorded already: executed" in capsys.readouterr().err
    assert path_of("executed").read_bytes() == before
