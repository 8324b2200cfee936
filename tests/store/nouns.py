"""Nouns the store's tests speak of: requests at each station, their endings, and all there is."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, TypeVar

from core import Engine, Mutation
from core.audit import AuditEntry, Subject
from core.budgets import Budget
from core.digests import digest
from core.facts import Facts
from core.governance import lifecycle
from core.governance.outcome import Commit, Ending, executed
from core.governance.request import (
    Category,
    Closing,
    Finding,
    MutationRequest,
    PendingReason,
    RequirementState,
    Snapshot,
    Status,
)
from core.requirements import Requirement
from core.result import ExecutionResult
from store.protocol import Comment, RequestFilter, Reservation, Store, StoredState
from tests.core.builders import AT, ChoosePlan, Quota, context, later, wish

T = TypeVar("T")

STATE = "quota/acme"
_numbers = itertools.count(1)


def asked(
    request_id: str = "r1", *, state_id: str = STATE, at: datetime = AT, **more: Any
) -> MutationRequest:
    """Answer a request just submitted."""
    made = wish(state_id=state_id, **more)
    return lifecycle.submit(request_id, made, at, expires_in=timedelta(days=14))


def waiting_for(request: MutationRequest, *tokens: str) -> MutationRequest:
    """Answer the request waiting for whom the tokens name."""
    reason = PendingReason(kind="approval", requirement_id="q1", text="an approval", who=tokens)
    moved = request
    if request.status is not Status.PENDING:
        moved = lifecycle.move(request, Status.PENDING, actor_id="system:mutator", at=AT)
    return moved.model_copy(update={"pending": (reason,)})


def demanding(
    request: MutationRequest,
    *requirements: Requirement,
    holding: Sequence[Requirement] = (),
    closed: Sequence[Requirement] = (),
) -> MutationRequest:
    """Answer the request with these open, met where they hold, and closed for what comes before."""
    moved = waiting_for(request)
    held, not_yet = {r.id for r in holding}, {r.id for r in closed}
    states = tuple(
        RequirementState(
            id=r.id,
            requirement=r,
            covered="",
            binding=r.id,
            status="waiting" if r.id in not_yet else "fulfilled" if r.id in held else "open",
            opened_at=None if r.id in not_yet else AT,
            finding=Finding(verdict="holds", at=AT, binding=r.id, actor_id="system:mutator")
            if r.id in held
            else None,
        )
        for r in {r.id: r for r in (*requirements, *holding, *closed)}.values()
    )
    return moved.model_copy(update={"requirements": states})


def quota(key: str = "deploys", amount: int = 1, **more: Any) -> Requirement:
    """Answer a demand for room in a budget of ten an hour."""
    return Requirement.quota(key, Budget(limit=10, per=timedelta(hours=1)), amount=amount, **more)


def claim(
    request_id: str,
    wanted: Requirement,
    *,
    at: datetime = AT,
    limit: int = 10,
    since: datetime | None = None,
) -> Reservation:
    """Answer the question for room that a request's requirement asks."""
    return Reservation(
        request_id=request_id,
        requirement_id=wanted.id,
        budget=wanted.wanted.key,
        amount=wanted.wanted.amount,
        limit=limit,
        since=since or at - timedelta(hours=1),
        at=at,
    )


def saying(text: str, request_id: str = "r1", *, by: str = "ben", number: int = 1) -> Comment:
    """Answer what somebody says about a request."""
    return Comment(request_id=request_id, comment_id=f"c{number}", actor_id=by, text=text, at=AT)


def commented(request: MutationRequest) -> MutationRequest:
    """Answer the request one decision further."""
    return lifecycle.append(request, Category.APPROVAL, "Granted", actor_id="ben", at=AT)


def approved(request: MutationRequest) -> MutationRequest:
    """Answer the request ready to execute."""
    return lifecycle.move(request, Status.APPROVED, actor_id="system:mutator", at=AT)


def run(
    request: MutationRequest, version: int = 0, mutation: Mutation[Quota] | None = None
) -> ExecutionResult[Quota]:
    """Run the engine for a request on a version of its state."""
    engine = Engine(clock=time.monotonic, new_id=lambda: f"execution-{next(_numbers)}")
    return engine.execute(
        mutation or ChoosePlan(plan=f"plan-{version + 1}"),
        Quota(plan=f"plan-{version}"),
        context=context(),
        facts=Facts(AT),
        policies=(),
        subject=Subject(state_id=request.state_id, version=version, request_id=request.request_id),
    )


def commit_of(
    request: MutationRequest,
    version: int = 0,
    *,
    fence: int = 1,
    at: datetime = AT,
    mutation: Mutation[Quota] | None = None,
    resolved: bool = False,
) -> Ending:
    """Answer the ending that commits the request on a version, with its snapshot if resolved."""
    result = run(request, version, mutation)
    if resolved:
        snapshot = Snapshot(
            version=version, state_digest="", effect_digest="", policy_set_digest=""
        )
        request = request.model_copy(update={"snapshot": snapshot})
    changed = result.history is not None
    ready = request if request.status is Status.APPROVED else approved(request)
    written = version + changed
    closed = executed(ready, result, version=written, at=at, actor_id="system:mutator")
    return Ending(
        request=closed,
        fence=fence,
        commit=Commit(
            state_id=request.state_id,
            expected_version=version,
            document=result.document if changed else None,
            digest=digest(result.document),
            history=result.history,
        ),
        audit=(result.audit,),
    )


def cancel_of(request: MutationRequest, reason: str = "no longer needed") -> Ending:
    """Answer the ending that cancels the request."""
    closing = Closing(status=Status.CANCELED, actor_id="ana", reason=reason)
    return Ending(request=lifecycle.close(request, closing, later(hours=1)))


def tried(request: MutationRequest) -> AuditEntry:
    """Answer the entry of a run that was not committed."""
    return run(request).audit


def initial(state_id: str = STATE, plan: str = "free") -> StoredState:
    """Answer a state at version 0."""
    document = Quota(plan=plan).model_dump(mode="json")
    return StoredState(
        state_id=state_id,
        version=0,
        document=document,
        schema_version=1,
        digest=digest(document),
    )


def everything(store: Store) -> dict[str, Any]:
    """Answer all that can be read of a store, to say that nothing changed."""
    found = store.requests(RequestFilter(), limit=1000)
    states = store.states()
    return {
        "requests": list(found),
        "fences": {r.request_id: store.view(r.request_id, r.state_id).fence for r in found},
        "open": list(store.open_requests()),
        "states": list(states),
        "history": {s.state_id: list(store.history(s.state_id)) for s in states},
        "audit": list(store.audit(limit=1000)),
        "outbox": {s.state_id: list(store.undelivered(s.state_id)) for s in states},
    }


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make the calls in as many threads, all let go at the same moment; answer their answers."""
    gate = threading.Barrier(len(calls))

    def go(call: Callable[[], T]) -> T:
        gate.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(go, calls))
