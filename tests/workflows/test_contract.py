"""What the rooms promise each other by name, read from the code itself.

The workflow calls activities by their wire name and says which type it expects; nothing but these
tests compares that with what a worker registers. And the one way to a commit is counted here: a
second writer of state, a second caller of the engine, or a trigger that goes around the gate fails.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
from temporalio import activity, workflow
from temporalio.client import ActivityFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

import workflows
from activities.outside import Outside
from activities.registry import all_activities
from core.governance.request import Answer, MutationRequest, Status
from store.protocol import Store
from tests.support.world import World
from wire import asks, names, search_attributes
from wire.messages import Message, Start
from workflows import ALL_WORKFLOWS, MutationRequestWorkflow, looking

ROOT = Path(__file__).parents[2]
ROOMS = ("core", "wire", "store", "activities", "workflows", "client", "console", "examples")


# --- the code as it is written


@dataclass(frozen=True)
class Place:
    """A node of the code, and where it stands."""

    path: str
    function: str
    node: ast.AST

    def __str__(self) -> str:
        return f"{self.path}:{self.function}"


@cache
def everywhere() -> tuple[Place, ...]:
    """Every node of every room, with the function it stands in."""
    files = [ROOT / "worker.py"]
    for room in ROOMS:
        files += sorted((ROOT / room).rglob("*.py"))
    return tuple(
        place
        for file in files
        for place in _within(
            file.relative_to(ROOT).as_posix(), "", ast.parse(file.read_text("utf-8"))
        )
    )


def places(of: str = "") -> Iterator[Place]:
    return (place for place in everywhere() if place.path.startswith(of))


def _within(path: str, function: str, node: ast.AST) -> Iterator[Place]:
    for child in ast.iter_child_nodes(node):
        inner = function
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = child.name
        yield Place(path, inner, child)
        yield from _within(path, inner, child)


def users_of_store(method: str) -> set[str]:
    """The functions that call a method of a store, or hand it on to be called."""
    return {
        str(place)
        for place in places()
        if isinstance(place.node, ast.Attribute)
        and place.node.attr == method
        and ast.unparse(place.node.value).split(".")[-1] == "store"
    }


def users_of(name: str) -> set[str]:
    """The functions in which a name is read, whether bare or as an attribute."""
    return {
        str(place)
        for place in places()
        if (isinstance(place.node, ast.Name) and place.node.id == name)
        or (isinstance(place.node, ast.Attribute) and place.node.attr == name)
    }


def wire_names(holder: type) -> set[str]:
    return {value for key, value in vars(holder).items() if key.isupper()}


# --- activities: asked by name, with the types that are registered


@dataclass(frozen=True)
class Asked:
    """One place where the workflow asks for an activity."""

    name: str
    place: str
    takes: type
    answers: type


def registered() -> dict[str, Any]:
    outside = Outside(*cast("Any", (None, None, None, None)))
    definitions = [activity._Definition.must_from_callable(a) for a in all_activities(outside)]
    return {str(definition.name): definition for definition in definitions}


def asked() -> list[Asked]:
    looks = {*looking.BY_KIND.values(), names.Activity.FILE_CHECK}
    return [
        *(
            _asked(place, place.node)
            for place in places("workflows/")
            if isinstance(place.node, ast.Call) and _activity(place.node)
        ),
        *(
            Asked(name, "workflows/looking.py:_look", asks.LookAt, asks.LookedAt)
            for name in sorted(looks)
        ),
    ]


def _activity(call: ast.Call) -> str | None:
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Attribute) and ast.unparse(first.value) == "Activity":
        return str(getattr(names.Activity, first.attr))
    return None


def _asked(place: Place, call: ast.Call) -> Asked:
    module = sys.modules[place.path.removesuffix(".py").replace("/", ".")]
    types = [
        found
        for node in [*call.args, *(keyword.value for keyword in call.keywords)]
        if isinstance(found := _value(module, node), type)
    ]
    assert len(types) == 1, f"{place} does not say what {_activity(call)} answers"
    ask = call.args[1]
    if isinstance(ask, ast.Name):
        ask = _assigned(place, ask.id)
    assert isinstance(ask, ast.Call), f"{place} asks with something that is not made there"
    made_by = ask.func
    if isinstance(made_by, ast.Attribute) and made_by.attr == "of":
        made_by = made_by.value
    takes = _value(module, made_by)
    assert isinstance(takes, type), f"{place} asks with {ast.unparse(ask.func)}"
    return Asked(str(_activity(call)), str(place), takes, types[0])


def _assigned(place: Place, variable: str) -> ast.expr:
    for other in places(place.path):
        node = other.node
        if (
            other.function == place.function
            and isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) == variable
        ):
            return node.value
    raise AssertionError(f"{place} asks with {variable}, made elsewhere")


def _value(module: ModuleType, node: ast.expr) -> object:
    if isinstance(node, ast.Name):
        return getattr(module, node.id, None)
    if isinstance(node, ast.Attribute):
        return getattr(_value(module, node.value), node.attr, None)
    return None


def test_every_activity_of_the_wire_is_registered_and_no_other() -> None:
    assert set(registered()) == wire_names(names.Activity)


@pytest.mark.parametrize("ask", asked(), ids=lambda ask: f"{ask.place}-{ask.name}")
def test_the_workflow_asks_with_the_types_that_the_activity_is_registered_with(ask: Asked) -> None:
    definition = registered()[ask.name]

    assert definition.arg_types == [ask.takes]
    assert definition.ret_type is ask.answers


def test_every_activity_is_asked_for_by_a_workflow_or_is_for_callers() -> None:
    for_callers = {names.Activity.PREVIEW_MUTATION}

    assert {ask.name for ask in asked()} | for_callers == wire_names(names.Activity)


def test_every_answer_to_the_request_can_say_that_it_ended() -> None:
    outside_the_story = {asks.SignalTimes, asks.WokenUp, asks.Dispatched, asks.Reconciled}
    answers = {ask.answers for ask in asked()} - outside_the_story

    assert answers
    assert all(issubclass(answer, asks.Answered) for answer in answers)


def test_activities_with_author_code_or_transactions_run_in_threads_that_no_cancel_cuts() -> None:
    for name, definition in registered().items():
        if not definition.is_async:
            assert definition.no_thread_cancel_exception, name


# --- the doors of the request


def doors() -> Any:
    return workflow._Definition.must_from_class(MutationRequestWorkflow)


def test_signals_updates_and_queries_are_those_of_the_wire() -> None:
    definition = doors()

    assert definition.name == names.WORKFLOW_TYPE
    assert set(definition.signals) == wire_names(names.Signal) | {None}
    assert set(definition.updates) == wire_names(names.Update)
    assert set(definition.queries) == wire_names(names.Query)


def test_workflow_types_are_those_of_the_wire() -> None:
    types = {workflow._Definition.must_from_class(each).name for each in ALL_WORKFLOWS}

    assert types == {names.WORKFLOW_TYPE, names.DISPATCHER_TYPE, names.RECONCILER_TYPE}
    assert set(workflows.__all__) - {"ALL_WORKFLOWS"} == {each.__name__ for each in ALL_WORKFLOWS}


def test_every_update_declares_a_validator() -> None:
    assert all(update.validator is not None for update in doors().updates.values())


def test_every_signal_update_and_query_says_what_it_is_for() -> None:
    definition = doors()
    handlers = [
        *definition.signals.values(),
        *definition.updates.values(),
        *definition.queries.values(),
    ]

    assert all(handler.description for handler in handlers)


def test_every_signal_takes_whatever_comes_so_that_no_payload_can_raise() -> None:
    for name, handler in doors().signals.items():
        if name is not None:
            parameters = list(inspect.signature(handler.fn).parameters.values())[1:]
            assert [p.kind for p in parameters] == [inspect.Parameter.VAR_POSITIONAL], name


def test_search_attributes_are_those_of_the_design() -> None:
    keyword, several, moment = "Keyword", "KeywordList", "Datetime"

    assert {
        "MutationStatus": keyword,
        "MutationStateId": keyword,
        "MutationType": keyword,
        "MutationCategory": keyword,
        "MutationRisk": keyword,
        "MutationRequester": keyword,
        "MutationPendingReasons": several,
        "MutationApprovers": several,
        "MutationTags": several,
        "MutationExpiresAt": moment,
    } == search_attributes.REGISTRY


def test_search_attributes_fit_into_what_sql_visibility_offers() -> None:
    counted = Counter(search_attributes.REGISTRY.values())

    assert counted["Keyword"] <= 10
    assert counted["KeywordList"] <= 3
    assert counted["Datetime"] <= 3


# --- G1, G2: the one way to a commit


def test_g1_endings_are_written_in_four_places_and_one_of_them_commits() -> None:
    assert users_of_store("end") == {
        "activities/execute.py:_attempt",
        "activities/record.py:record_outcome",
        "activities/supersede.py:_attempt",
        "activities/temporal.py:_end",
    }
    commits = {
        str(place)
        for place in places()
        if isinstance(place.node, ast.Call)
        and ast.unparse(place.node.func).split(".")[-1] == "Commit"
    }
    assert commits == {"activities/execute.py:_ending"}
    with_commit = {
        str(place)
        for place in places()
        if isinstance(place.node, ast.keyword) and place.node.arg == "commit"
    }
    assert with_commit == {"activities/execute.py:_ending"}


def test_g1_a_request_is_closed_as_executed_by_one_function_only() -> None:
    closed = {str(p) for p in places() if isinstance(p.node, ast.Call) and _closes_executed(p.node)}

    assert closed == {"core/governance/outcome.py:executed"}
    assert users_of("executed") == {"activities/execute.py:_ending"}


def _closes_executed(call: ast.Call) -> bool:
    """A `Closing` or a copy whose status is `Status.EXECUTED`."""
    values = [keyword.value for keyword in call.keywords if keyword.arg == "status"]
    return any(ast.unparse(value).endswith("EXECUTED") for value in values)


def test_g1_the_stores_methods_that_write_are_these() -> None:
    """A new method that writes is a new way in: name it here, and say who may call it."""
    writing = {"note", "end", "keep", "reserve", "add_comment", "delivered", "not_delivered"}
    reading = {
        "answered",
        "audit",
        "check",
        "close",
        "comments",
        "drift",
        "ended_among",
        "history",
        "open_requests",
        "queue",
        "request",
        "requests",
        "reserved",
        "standings",
        "state",
        "states",
        "told_by",
        "turn",
        "undelivered",
        "undelivered_states",
        "untold",
        "view",
    }
    methods = {name for name, _ in inspect.getmembers(Store, inspect.isfunction)}

    assert {name for name in methods if not name.startswith("_")} == writing | reading


def test_g1_states_are_written_by_the_store_in_one_function() -> None:
    writers = {
        str(place)
        for place in places()
        if isinstance(place.node, ast.Call)
        and ast.unparse(place.node.func).split(".")[-1] in {"insert", "update", "delete", "_New"}
        and place.node.args
        and ast.unparse(place.node.args[0]).split(".")[-1] == "states"
    }

    assert writers <= {"store/writing.py:", "store/writing.py:write_state"}
    assert writers
    assert users_of("_new_state") | users_of("_UPDATE_STATE") <= {
        "store/writing.py:",
        "store/writing.py:write_state",
    }
    calls = [
        place
        for place in places()
        if isinstance(place.node, ast.Call)
        and ast.unparse(place.node.func).split(".")[-1] == "write_state"
    ]
    assert all(place.path.startswith("store/") for place in calls)
    over = [
        ast.unparse(keyword.value)
        for place in calls
        if isinstance(place.node, ast.Call)
        for keyword in place.node.keywords
        if keyword.arg == "over"
    ]
    # One opens a state at version 0, where there is none; the other is the commit.
    assert len(calls) == len(over) == 2
    assert over.count("None") == 1


def test_g1_only_the_wiring_opens_a_store_that_can_write() -> None:
    openers = {path.split(":")[0] for path in users_of("open_store")}

    assert {path for path in openers if not path.startswith("store/")} == {"worker.py"}


def test_g2_execution_is_asked_for_in_one_place() -> None:
    (execute,) = [ask for ask in asked() if ask.name == names.Activity.EXECUTE_MUTATION]
    (resolve,) = [ask for ask in asked() if ask.name == names.Activity.RESOLVE_VERSION]

    assert execute.place == "workflows/story.py:_carry_out"
    assert resolve.place == "workflows/story.py:_resolve"
    assert users_of("_resolve") == {"workflows/story.py:_carry_out"}
    named = {"wire/names.py:", "activities/execute.py:execute_mutation"}
    assert users_of("EXECUTE_MUTATION") == {*named, execute.place}
    written = [
        place.path
        for place in places()
        if isinstance(place.node, ast.Constant) and place.node.value == "execute_mutation"
    ]
    assert written == ["wire/names.py"]


def test_g2_between_resolution_and_commit_stands_the_verdict() -> None:
    """The only statement that commits comes after a return for every verdict that does not."""
    (attempt,) = [
        place.node
        for place in places("activities/execute.py")
        if isinstance(place.node, ast.FunctionDef) and place.node.name == "_attempt"
    ]
    assert isinstance(attempt, ast.FunctionDef)
    lines: dict[str, list[int]] = {"resolve": [], "verdict": [], "commit": []}
    for position, statement in enumerate(attempt.body):
        text = ast.unparse(statement)
        if "compare(" in text:
            lines["resolve"].append(position)
        if ".store.end(" in text:
            lines["commit"].append(position)
        leaves = isinstance(statement, ast.If) and isinstance(statement.body[-1], ast.Return)
        if leaves and "not resolution.outcome.executes" in text.partition(":")[0]:
            lines["verdict"].append(position)

    (resolve,), (verdict,), (commit,) = lines.values()
    assert resolve < verdict < commit


def test_g2_a_remote_execution_is_asked_for_after_a_resolution_that_executes() -> None:
    statements = [
        next(
            statement
            for block in ast.walk(place.node)
            if isinstance(block, ast.If)
            for statement in block.body
            if isinstance(statement, ast.If)
        )
        for place in places("workflows/story.py")
        if isinstance(place.node, ast.AsyncFunctionDef) and place.node.name == "_carry_out"
    ]
    (guard,) = statements

    assert ast.unparse(guard.test) == "not self._asking.plan.local and (not await self._resolve())"
    assert isinstance(guard.body[-1], ast.Return)


def test_g1_a_grant_is_carried_out_by_the_activity_that_executes_and_only_if_it_approves() -> None:
    (carried_out,) = [
        place.node
        for place in places("activities/authenticate.py")
        if isinstance(place.node, ast.FunctionDef) and place.node.name == "_carried_out"
    ]
    assert isinstance(carried_out, ast.FunctionDef)
    *_, guard, executes = carried_out.body

    assert isinstance(guard, ast.If)
    assert ast.unparse(guard.test) == "request.status is not Status.APPROVED"
    assert isinstance(guard.body[-1], ast.Return)
    assert "execute_mutation(" in ast.unparse(executes)
    assert users_of("execute_mutation") == {
        "activities/registry.py:all_activities",
        "activities/authenticate.py:_carried_out",
    }


# --- every trigger goes through the same gate


def test_nobody_can_submit_a_request_as_already_approved() -> None:
    decided = {"status", "decisions", "answers", "requirements", "closing", "binding", "snapshot"}

    assert not decided & set(Start.model_fields)
    assert not decided - {"binding"} & set(Message.model_fields)


def test_every_trigger_only_appends_to_the_inbox() -> None:
    """Signals and updates reach no activity and no rule; `run` does, one message at a time."""
    handlers = [*doors().signals.values(), *doors().updates.values()]

    for handler in handlers:
        tree = ast.parse(inspect.cleandoc(inspect.getsource(handler.fn)))
        called = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
        called = {c for c in called if not c.startswith("workflow.")}
        assert called <= {"self._inbox.put_signal", "self._answered"}, handler.name


def test_only_the_request_workflow_asks_for_what_decides() -> None:
    deciding = {
        names.Activity.ASSESS_REQUEST,
        names.Activity.RESOLVE_VERSION,
        names.Activity.EXECUTE_MUTATION,
        names.Activity.RECORD_OUTCOME,
        names.Activity.RECORD_PROGRESS,
    }

    assert {ask.place.split(":")[0] for ask in asked() if ask.name in deciding} == {
        "workflows/story.py",
        "workflows/taking.py",
        "workflows/holding.py",
    }
    bases = {each.__module__ for each in MutationRequestWorkflow.__mro__}
    assert {"workflows.story", "workflows.taking", "workflows.holding"} <= bases


def granted_by_hand(request: MutationRequest, *people: str) -> MutationRequest:
    """What the request would be had these people granted it; they never did."""
    at = request.updated_at
    (waiting,) = request.requirements
    bindings = {waiting.id: waiting.binding}
    return request.model_copy(
        update={
            "status": Status.APPROVED,
            "pending": (),
            "requirements": (
                waiting.model_copy(update={"status": "fulfilled", "granted_by": people}),
            ),
            "answers": tuple(
                Answer(actor_id=each, verdict="grant", bindings=bindings, decision=1, at=at)
                for each in people
            ),
        }
    )


async def test_g1_an_activity_called_without_its_request_commits_nothing(world: World) -> None:
    """Temporal lets anybody call an activity alone; a picture made by hand is no request."""
    state = f"box/{world.fresh()}"
    waiting = await world.start("Add", state_id=state, needs=[{"roles": ["approver"], "needed": 2}])
    forged = granted_by_hand(await world.pending(waiting), "ben", "cleo")
    at = datetime.now(UTC)
    for name, ask in {
        names.Activity.EXECUTE_MUTATION: asks.ExecuteMutation(request=forged, at=at, fence=9),
        names.Activity.ASSESS_REQUEST: asks.AssessRequest(request=forged, at=at, fence=9),
        names.Activity.RESOLVE_VERSION: asks.ResolveVersion(request=forged, at=at, fence=9),
        names.Activity.RECORD_OUTCOME: asks.RecordOutcome(request=forged, at=at),
        names.Activity.RECORD_PROGRESS: asks.RecordProgress(request=forged, fence=9),
        names.Activity.SEND_WAKEUPS: asks.SendWakeups.of(forged),
        names.Activity.DISPATCH_SIDE_EFFECTS: asks.DispatchSideEffects(state_id=state),
        names.Activity.RECONCILE: asks.Reconcile(at=at + timedelta(days=400)),
        names.Activity.AUTHENTICATE: asks.Authenticate(
            request_id=forged.request_id,
            state_id=state,
            actor_id="ben",
            grant=asks.Grant(
                request=forged,
                message=Message(decision_id="d", actor_id="ben"),
                granted_at=at,
                at=at,
                fence=9,
            ),
        ),
    }.items():
        with pytest.raises(ActivityFailureError) as refused:
            await world.client.execute_activity(
                name,
                ask,
                id=world.fresh("alone"),
                task_queue=world.task_queue,
                start_to_close_timeout=timedelta(seconds=5),
                retry_policy=RetryPolicy(maximum_attempts=1),
            )
        assert isinstance(refused.value.cause, ApplicationError)
        assert refused.value.cause.type == "NotTheRequest", name

    stored = world.store.request(waiting.id)
    assert stored is not None
    assert stored.status is Status.PENDING
    assert world.value(state) == 0


def test_g1_that_gate_knows_every_activity_that_is_handed_a_request() -> None:
    handed = {
        name
        for name, d in registered().items()
        if '"MutationRequest"' in json.dumps(d.arg_types[0].model_json_schema())
    }

    assert handed == {
        names.Activity.ASSESS_REQUEST,
        names.Activity.RESOLVE_VERSION,
        names.Activity.EXECUTE_MUTATION,
        names.Activity.RECORD_OUTCOME,
        names.Activity.RECORD_PROGRESS,
        names.Activity.AUTHENTICATE,
        names.Activity.RUN_CHECK,
        names.Activity.FILE_CHECK,
        names.Activity.NEXT_WINDOW,
        names.Activity.READ_DEPENDENCIES,
        names.Activity.RESERVE_QUOTA,
    }
