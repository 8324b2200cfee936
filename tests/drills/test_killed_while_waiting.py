"""The worker is killed with SIGKILL while requests wait; another one brings each of them home.

Whatever a request waits for: met, it executes exactly once; a "no" ends it by name, and so does its
deadline. Local first on SQLite, remotely on PostgreSQL.

A drill mostly waits until the server notices, so several run at once, and each test looks at how
one of them went.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from temporalio.testing import WorkflowEnvironment

from core.governance.request import MutationRequest
from tests.drills import points
from tests.drills.ground import Callers, Ground
from tests.drills.waiting import LIFE
from tests.fixtures.postgres import Postgres
from tests.support import box
from tests.support.server import start_server
from tests.support.waits import HOUR, REASONS, Wait, fulfil
from tests.support.world import Handle
from wire.asks import Reconciled
from wire.names import RECONCILER_TYPE

AT_ONCE = 10
"""Drills at once: each is a process that is forked, and then much waiting."""

FORGETFUL = 40
"""Events after which one of the servers wants a new history."""

LONG = timedelta(days=14, seconds=1)
BEN = {"people": ["ben"]}
TWO = {"roles": ["approver"], "needed": 2}
REVIEW = {"kind": "review", "people": ["eve"]}
TICKET = {"kind": "check", "name": "ticket", "people": ["eve"]}
REFUSABLE = ("approval", "review", "callback", "dependency")
LASTING = ("approval", "review", "callback", "dependency")

T = TypeVar("T")
Drill = Callable[[Ground], Awaitable[None]]
DRILLS: dict[tuple[str, box.Way], Drill] = {}


def drill(*ways: box.Way) -> Callable[[Drill], Drill]:
    """Name a drill, in the ways in which it shows something; both when none is said."""

    def named(live: Drill) -> Drill:
        DRILLS.update({(live.__name__, way): live for way in ways or box.WAYS})
        return live

    return named


# Everything at once: who waits is not where the worker dies.


@drill()
async def whatever_is_waited_for_is_met_refused_or_late(ground: Ground) -> None:
    async with ground.doomed(points.NEVER) as world:
        others = [begin for name, begin in REASONS.items() if name != "check"]
        met = await together(*(begin(world, []) for begin in others), runs_on(world, "passed"))
        refusable = [REASONS[name](world, []) for name in REFUSABLE]
        refused = await together(*refusable, runs_on(world, "failed"))
        late = await together(*(REASONS[name](world, []) for name in LASTING))
        never = await runs_on(world, "not_yet", seconds=5400)
        full = await waits_for_room(world, budget(world), seconds=5400)

    async with ground.living() as world:
        await together(*(each.meet() for each in met))
        await together(*(each.refuse() for each in refused if each.refuse))
        await together(*(world.skip(each.handle, LONG) for each in late))
        await together(*(world.skip(each, 2 * HOUR) for each in (never.handle, full)))
        for wait in met:
            await executed_once(world, wait.handle)
        for wait in refused:
            assert await rejected(world, wait.handle) == wait.rejection
        for handle in (*(each.handle for each in (*late, never)), full):
            await expired(world, handle)


# Checks.


@drill("local_first")
async def a_check_that_was_cut_off_is_asked_again_under_its_key(ground: Ground) -> None:
    async with ground.doomed(points.CHECKING) as world:
        passes = await world.start(needs=[says(then="passed")])
    async with ground.living() as world:
        await executed_once(world, passes)

    (first, key), (then, again) = LIFE.asked(passes.id)
    assert (first, then) == ("first", "then")
    assert key == again


@drill("remote")
async def a_check_that_was_cut_off_may_fail_when_it_is_asked_again(ground: Ground) -> None:
    async with ground.doomed(points.CHECKING) as world:
        fails = await world.start(needs=[says(then="failed")])
    async with ground.living() as world:
        assert await rejected(world, fails) == ("check", "failed")


@drill("local_first")
async def a_check_that_was_cut_off_and_is_never_done_expires(ground: Ground) -> None:
    async with ground.doomed(points.CHECKING) as world:
        handle = await world.start(needs=[{**says(then="not_yet"), "seconds": 5400}])
    async with ground.living() as world:
        await world.until(handle, lambda r: r.pending and r.pending[0].again_at)
        await world.skip(handle, 2 * HOUR)
        await expired(world, handle)


@drill()
async def what_a_check_said_before_it_was_kept_twice_stands(ground: Ground) -> None:
    async with ground.doomed(points.KEPT) as world:
        handle = await world.start(needs=[says(first="passed", then="failed")])
    async with ground.living() as world:
        await executed_once(world, handle)

    assert [life for life, _ in LIFE.asked(handle.id)] == ["first"]


@drill("local_first")
async def a_no_of_a_check_stands_when_it_was_kept(ground: Ground) -> None:
    async with ground.doomed(points.KEPT) as world:
        handle = await world.start(needs=[says(first="failed", then="passed")])
    async with ground.living() as world:
        assert await rejected(world, handle) == ("check", "failed")

    assert [life for life, _ in LIFE.asked(handle.id)] == ["first"]


# Callbacks and reviews.


@drill("local_first")
async def a_question_that_may_have_been_filed_is_filed_again_under_its_key(ground: Ground) -> None:
    async with ground.doomed(points.FILED) as world:
        handle = await world.start(needs=[TICKET])
    async with ground.living() as world:
        assert await reference(world, handle) == "T-then"
        await fulfil(world, handle, "eve")
        await executed_once(world, handle)

    (_, key), (_, again) = LIFE.asked(handle.id)
    assert key == again


@drill()
async def a_question_that_was_filed_is_not_filed_again(ground: Ground) -> None:
    async with ground.doomed(points.KEPT) as world:
        handle = await world.start(needs=[TICKET])
    async with ground.living() as world:
        assert await reference(world, handle) == "T-first"
        await fulfil(world, handle, "eve")
        request = await executed_once(world, handle)

    assert [life for life, _ in LIFE.asked(handle.id)] == ["first"]
    assert codes(request).count("Fulfilled") == 1


@drill("local_first")
async def a_no_to_a_question_that_was_filed_rejects(ground: Ground) -> None:
    async with ground.doomed(points.KEPT) as world:
        handle = await world.start(needs=[TICKET])
    async with ground.living() as world:
        await reference(world, handle)
        await fulfil(world, handle, "eve", "failed")
        assert await rejected(world, handle) == ("check", "failed")


@drill()
async def an_answer_counts_once_whose_sender_was_being_looked_up(ground: Ground) -> None:
    async with ground.doomed(points.DECISION_RECEIVED) as world:
        called, reviewed = [await world.start(needs=[each]) for each in (TICKET, REVIEW)]
        await reference(world, called)
        await world.pending(reviewed)
        answer = asyncio.create_task(fulfil(world, reviewed, "eve"))
        await called.signal("fulfil", {**by("eve"), "verdict": "passed"})
    async with ground.living() as world:
        for handle in (called, reviewed):
            request = await executed_once(world, handle)
            assert codes(request).count("Fulfilled") == 1
        reply = await answer
        assert reply.status == "Executed" or not reply.settled


# Schedules.


@drill()
async def the_moment_comes_while_no_worker_is_there(ground: Ground) -> None:
    at = datetime.now(UTC) + HOUR
    async with ground.doomed(points.LOOKING) as world:
        handle = await world.start(needs=[{"kind": "schedule", "not_before": at.isoformat()}])
        await world.pending(handle)
        skips = asyncio.create_task(world.skip(handle, HOUR + timedelta(seconds=1)))
    async with ground.living() as world:
        await skips
        await executed_once(world, handle)


# Dependencies.


@drill()
async def who_waits_is_woken_when_the_worker_died_with_the_commit(ground: Ground) -> None:
    async with ground.doomed(points.COMMITTED) as world:
        other, waiter = await two(world)
        await other.signal("approve", by("ben"))
    async with ground.living() as world:
        await executed_once(world, other)
        await executed_once(world, waiter)


@drill()
async def who_waits_is_woken_when_the_worker_died_before_it_told(ground: Ground) -> None:
    async with ground.doomed(points.LAST_STEP) as world:
        other, waiter = await two(world)
        await other.signal("approve", by("ben"))
    async with ground.living() as world:
        await executed_once(world, other)
        await executed_once(world, waiter)


@drill()
async def who_waits_is_told_of_a_no_when_the_worker_died_with_it(ground: Ground) -> None:
    async with ground.doomed(points.COMMITTED) as world:
        other, waiter = await two(world)
        await other.signal("reject", by("ben"))
    async with ground.living() as world:
        assert await rejected(world, other) == ("approval", "refused")
        assert await rejected(world, waiter) == ("dependency", "ended")


@drill()
async def who_had_looked_in_vain_looks_again(ground: Ground) -> None:
    async with ground.doomed(points.LOOKED) as world:
        other = await world.start(needs=[BEN])
        await world.pending(other)
        waiter = await world.start(depends_on=[other.id])
    async with ground.living() as world:
        await world.decide(other, "ben")
        await executed_once(world, waiter)


@drill()
async def a_chain_goes_on_where_the_worker_died_at_each_link(ground: Ground) -> None:
    async with ground.doomed(points.LAST_STEP) as world:
        chain = [*await two(world)]
        for _ in range(2):
            chain.append(await world.start(depends_on=[chain[-1].id]))
            await world.pending(chain[-1])
        await chain[0].signal("approve", by("ben"))
    for point in (points.COMMITTED, points.LAST_STEP, points.COMMITTED):
        async with ground.doomed(point):
            pass
    async with ground.living() as world:
        for handle in chain:
            await executed_once(world, handle)


@drill()
async def who_waits_for_one_whose_workflow_is_gone_is_found_by_the_reconciler(
    ground: Ground,
) -> None:
    async with ground.doomed(points.COMMITTED) as world:
        other, waiter = await two(world)
        await other.signal("approve", by("ben"))
    await other.terminate()
    async with ground.living() as world:
        await gone(world, other)
        assert world.store.untold() == [waiter.id]
        assert (await world.request(waiter)).status == "Pending"

        swept = await reconcile(world)

        await executed_once(world, waiter)
    assert (swept.woken, swept.ended) == (1, 0)


@drill()
async def who_waits_for_one_that_went_without_an_ending_is_told_in_the_same_sweep(
    ground: Ground,
) -> None:
    async with ground.doomed(points.BEFORE_COMMIT) as world:
        other, waiter = await two(world)
        await other.signal("approve", by("ben"))
    await other.terminate()
    async with ground.living() as world:
        await gone(world, other)

        swept = await reconcile(world)

        assert await rejected(world, waiter) == ("dependency", "ended")
        ended = world.store.request(other.id)
    assert (swept.woken, swept.ended) == (1, 1)
    assert ended is not None
    assert ended.status == "Canceled"
    assert ended.closing is None


# Room in budgets.


@drill()
async def room_that_was_reserved_is_used_once(ground: Ground) -> None:
    async with ground.doomed(points.RESERVED) as world:
        need = budget(world, limit=2)
        first = await world.start(needs=[need])
    async with ground.living() as world:
        await executed_once(world, first)
        await room_for_one(world, need)


@drill()
async def room_is_used_once_when_the_answer_was_lost(ground: Ground) -> None:
    async with ground.doomed(points.RESERVATION_ANSWERED) as world:
        need = budget(world, limit=2)
        first = await world.start(needs=[need])
    async with ground.living() as world:
        await executed_once(world, first)
        await room_for_one(world, need)


@drill()
async def room_is_given_back_once_by_one_that_was_cancelled_before_it_knew(ground: Ground) -> None:
    async with ground.doomed(points.RESERVED) as world:
        need = budget(world)
        first = await world.start(needs=[need])
    await first.signal("cancel", by("ana"))
    async with ground.living() as world:
        assert (await world.result(first)).status == "Canceled"
        await room_for_one(world, need)


@drill()
async def a_place_in_the_queue_is_kept(ground: Ground) -> None:
    async with ground.doomed(points.QUEUED) as world:
        need = budget(world, per="PT1H")
        await world.result(await world.start(needs=[need]))
        second = await world.start(needs=[need])
    async with ground.living() as world:
        await world.pending(second)
        third = await world.start(needs=[need])
        await looked(world, third)
        assert world.store.queue(need["key"]) == [second.id, third.id]

        await world.skip(second, HOUR + timedelta(seconds=1))

        await executed_once(world, second)
        assert (await world.request(third)).status == "Pending"


@drill()
async def a_commit_uses_room_once(ground: Ground) -> None:
    async with ground.doomed(points.COMMITTED) as world:
        need = budget(world, limit=2)
        first = await world.start(needs=[need])
    async with ground.living() as world:
        await executed_once(world, first)
        await room_for_one(world, need)


@drill()
async def room_is_given_back_once_when_the_worker_died_with_the_ending(ground: Ground) -> None:
    async with ground.doomed(points.COMMITTED) as world:
        held, second, third = await three_for_one(world)
        await held.signal("cancel", by("ana"))
    async with ground.living() as world:
        assert (await world.result(held)).status == "Canceled"
        await executed_once(world, second)
        assert (await world.request(third)).status == "Pending"


@drill()
async def who_waits_for_room_is_woken_when_the_worker_died_before_it_told(ground: Ground) -> None:
    async with ground.doomed(points.LAST_STEP) as world:
        held, second, third = await three_for_one(world)
        await held.signal("cancel", by("ana"))
    async with ground.living() as world:
        assert (await world.result(held)).status == "Canceled"
        await executed_once(world, second)
        assert (await world.request(third)).status == "Pending"


@drill()
async def who_waits_for_room_of_one_whose_workflow_is_gone_is_found_by_the_reconciler(
    ground: Ground,
) -> None:
    async with ground.doomed(points.COMMITTED) as world:
        held, second, third = await three_for_one(world)
        await held.signal("cancel", by("ana"))
    await held.terminate()
    async with ground.living() as world:
        await gone(world, held)
        assert (await world.request(second)).status == "Pending"

        swept = await reconcile(world)

        await executed_once(world, second)
        assert (await world.request(third)).status == "Pending"
    assert (swept.woken, swept.ended) == (1, 0)


# Newer requests, and newer versions.


@drill()
async def a_newer_request_goes_on_when_the_worker_died_with_the_older_ones_ending(
    ground: Ground,
) -> None:
    async with ground.doomed(points.COMMITTED) as world:
        older = await world.start(needs=[BEN])
        state_id = (await world.pending(older)).state_id
        newer = await world.start("Put", state_id=state_id, supersedes=older.id)
    async with ground.living() as world:
        taken = await executed_once(world, newer)
        assert (await world.result(older)).status == "Superseded"
        left = await world.agree(older)
    assert [(link.request_id, link.relation) for link in taken.links] == [(older.id, "supersedes")]
    assert [(link.request_id, link.relation) for link in left.links] == [
        (newer.id, "superseded_by")
    ]


# Histories that begin anew.


async def _wear_on(world: Callers) -> Handle:
    """Start a request that waits for people and a ticket, and send it much."""
    handle = await world.start(needs=[TWO, TICKET])
    await reference(world, handle)
    for number in range(FORGETFUL // 2):
        for verb in ("approve", "withdraw"):
            await handle.signal(verb, {**by("ben"), "decision_id": f"{verb}-{number}"})
    return handle


async def _has_lost_nothing(world: Callers, handle: Handle) -> None:
    await handle.signal("approve", {**by("ben"), "decision_id": "approve-0"})
    await handle.signal("comment", {**by("eve"), "text": "still there?"})
    before = await world.until(handle, lambda r: r.comments, seconds=60)
    assert codes(before).count("Granted") == codes(before).count("Withdrawn") == FORGETFUL // 2
    assert [d.number for d in before.decisions] == list(range(1, len(before.decisions) + 1))
    assert (await handle.describe()).run_id != handle.first_execution_run_id

    await world.decide(handle, "ben")
    await world.decide(handle, "cleo")
    await fulfil(world, handle, "eve")
    await executed_once(world, handle)
    assert [life for life, _ in LIFE.asked(handle.id)] == ["first"]


@drill()
async def nothing_is_lost_when_a_history_was_to_begin_anew(ground: Ground) -> None:
    async with ground.doomed(points.CONTINUING) as world:
        handle = await _wear_on(world)
    async with ground.living() as world:
        await _has_lost_nothing(world, handle)


@drill()
async def nothing_is_lost_when_a_history_had_just_begun_anew(ground: Ground) -> None:
    async with ground.doomed(points.CONTINUED) as world:
        handle = await _wear_on(world)
    async with ground.living() as world:
        await _has_lost_nothing(world, handle)


BEGUN_ANEW = {
    nothing_is_lost_when_a_history_was_to_begin_anew,
    nothing_is_lost_when_a_history_had_just_begun_anew,
}
"""On the server that wants short histories."""


# All of them.


@pytest.fixture(scope="module")
async def drills(
    request: pytest.FixtureRequest,
    server: WorkflowEnvironment,
    postgres: Postgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[dict[tuple[str, box.Way], asyncio.Task[None]]]:
    """The drills that the tests asked for look at, running."""
    folder, turn = tmp_path_factory.mktemp("waiting"), asyncio.Semaphore(AT_ONCE)
    LIFE.log = folder / "asked"
    LIFE.log.touch()

    async def live(name: str, way: box.Way) -> None:
        async with turn:
            lived = DRILLS[name, way]
            local = f"sqlite:///{folder / name}.db"
            ground = Ground(
                await forgetful if lived in BEGUN_ANEW else server,
                local if way == "local_first" else postgres.database(),
                way,
                log=LIFE.log,
            )
            began = time.monotonic()
            await lived(ground)
            ground.store.close()
            print(f"{time.monotonic() - began:.1f} s {way} {name}")

    settings = f"limit.historyCount.suggestContinueAsNew={FORGETFUL}"
    forgetful = asyncio.create_task(start_server(settings))
    running = {each: asyncio.create_task(live(*each)) for each in _asked(request)}
    yield running
    for task in running.values():
        task.cancel()
    await asyncio.gather(*running.values(), return_exceptions=True)
    await (await forgetful).shutdown()
    vars(box.KNOBS).update(vars(box.Knobs()))


def _asked(request: pytest.FixtureRequest) -> list[tuple[str, box.Way]]:
    items = [item for item in request.session.items if item.path == Path(__file__)]
    found = [item.callspec.params for item in items if isinstance(item, pytest.Function)]
    return [each for each in DRILLS if any((p["name"], p["way"]) == each for p in found)]


@pytest.mark.parametrize(("name", "way"), DRILLS)
async def test_g4_g9_another_worker_brings_home_what_waited(
    drills: dict[tuple[str, box.Way], asyncio.Task[None]], name: str, way: box.Way
) -> None:
    await drills[name, way]


# What is asked and seen.


def by(actor: str) -> dict[str, str]:
    return {"decision_id": "d-1", "actor_id": actor}


def says(*, first: str = "passed", then: str) -> dict[str, Any]:
    return {"kind": "check", "name": "says", "parameters": {"first": first, "then": then}}


def budget(world: Callers, *, limit: int = 1, per: str = "P1D") -> dict[str, Any]:
    return {"kind": "quota", "key": world.fresh("budget"), "budget": {"limit": limit, "per": per}}


async def two(world: Callers) -> tuple[Handle, Handle]:
    """Start one that waits for Ben, and one that waits for it."""
    other = await world.start(needs=[BEN])
    await world.pending(other)
    waiter = await world.start(depends_on=[other.id])
    await world.pending(waiter)
    return other, waiter


async def waits_for_room(world: Callers, need: dict[str, Any], **more: Any) -> Handle:
    """Use a budget of one up, and start another that waits for room in it."""
    first = await world.start(needs=[need])
    assert (await world.result(first)).status == "Executed"
    handle = await world.start(needs=[{**need, **more}])
    await world.pending(handle)
    return handle


async def runs_on(world: Callers, then: str, **more: Any) -> Wait:
    """Start one whose check cannot say yet; in an hour, and another life, it can."""
    handle = await world.start(needs=[{**says(first="not_yet", then=then), **more}])
    request = await world.until(handle, lambda r: r.pending and r.pending[0].again_at)

    async def later() -> None:
        await world.skip(handle, HOUR + timedelta(seconds=1))

    return Wait(handle, request.state_id, later, refuse=later, rejection=("check", "failed"))


async def together(*doing: Awaitable[T]) -> list[T]:
    """Let several things be done at once."""
    return [*await asyncio.gather(*doing)]


async def three_for_one(world: Callers) -> list[Handle]:
    """Start one that has room and is held, and two that wait for it, in this order."""
    need, key = budget(world), world.fresh("key")
    handles = [await world.start("Jam", parameters={"key": key}, needs=[BEN, need])]
    await world.pending(handles[0])
    LIFE.jam(key).touch()
    await handles[0].signal("approve", by("ben"))
    await world.until(handles[0], lambda r: r.held)
    for _ in range(2):
        handles.append(await world.start(needs=[need]))
        await looked(world, handles[-1])
    return handles


async def room_for_one(world: Callers, need: dict[str, Any]) -> None:
    """Assert that a budget has room for one more, and for one only."""
    await executed_once(world, await world.start(needs=[need]))
    last = await world.start(needs=[need])
    await looked(world, last)
    assert (await world.request(last)).status == "Pending"
    assert world.store.queue(need["key"]) == [last.id]


def codes(request: MutationRequest) -> list[str]:
    return [d.code for d in request.decisions]


async def executed_once(world: Callers, handle: Handle) -> MutationRequest:
    result = await world.result(handle, seconds=60)
    request = await world.agree(handle)
    tried = [entry.execution_id for entry in world.store.audit(request_id=handle.id)]
    assert result.status == "Executed"
    assert codes(request).count("Executed") == 1
    assert tried.count(request.execution_id or "") == 1
    assert [e.subject.request_id for e in world.store.history(request.state_id)] == [handle.id]
    assert world.value(request.state_id) == 1
    return request


async def rejected(world: Callers, handle: Handle) -> tuple[str, str] | None:
    """Answer how it was rejected, with nothing committed."""
    result = await world.result(handle, seconds=60)
    request = await world.agree(handle)
    assert result.status == "Rejected"
    assert world.value(request.state_id) == 0
    return None if result.rejection is None else (result.rejection.category, result.rejection.code)


async def expired(world: Callers, handle: Handle) -> None:
    assert (await world.result(handle, seconds=60)).status == "Expired"
    assert world.value((await world.agree(handle)).state_id) == 0


async def looked(world: Callers, handle: Handle) -> None:
    """Wait until it was looked at, and is waited for."""
    await world.until(handle, lambda r: r.pending and any(each.finding for each in r.requirements))


async def reference(world: Callers, handle: Handle) -> str | None:
    """Wait until a question was filed, and answer what it is called there."""
    request = await world.until(handle, _filed, seconds=60)
    return _filed(request)


def _filed(request: MutationRequest) -> str | None:
    found = [r.finding.reference for r in request.requirements if r.finding]
    return next((each for each in found if each), None)


async def gone(world: Callers, handle: Handle) -> None:
    """Wait until the list of those that run leaves one out, which is late at times."""
    query = f"WorkflowId = '{handle.id}' AND ExecutionStatus = 'Running'"
    async with asyncio.timeout(20):
        while [each async for each in world.client.list_workflows(query)]:
            await asyncio.sleep(0.05)


async def reconcile(world: Callers) -> Reconciled:
    """Sweep once."""
    found: Reconciled = await world.client.execute_workflow(
        RECONCILER_TYPE,
        id=f"mutator/reconcile-{world.fresh()}",
        task_queue=world.task_queue,
        result_type=Reconciled,
    )
    return found
