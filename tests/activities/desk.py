"""The activities on a real store, with a domain that demands what a test says.

Temporal is a post office here: it keeps to whom a wake-up was sent. Whole requests, with a server,
are in `tests/workflows`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.assess import Assessing, after
from activities.execute import Executing
from activities.outside import Outside
from activities.record import Recording
from core import Domain, Domains, Policy, PolicyDecision, Requirement, policy, require
from core.governance.lifecycle import submit
from core.governance.outcome import cancel_by
from core.governance.people import Directory
from core.governance.request import MutationRequest, Wish, WishedMutation
from core.governance.resolution import resolved
from store import open_store
from store.protocol import Store
from tests.support import box
from tests.support.people import PEOPLE
from wire.asks import AssessRequest, ExecuteMutation, LookAt, RecordOutcome, RecordProgress

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def later(**since: float) -> datetime:
    """Answer a time after noon."""
    return NOON + timedelta(**since)


@dataclass
class Post:
    """Stands where Temporal's client does: keeps whom it told, and knows who is gone."""

    told: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    unreachable: set[str] = field(default_factory=set)

    def get_workflow_handle(self, request_id: str) -> _Letterbox:
        return _Letterbox(self, request_id)

    async def start_workflow(self, _type: str, _argument: str, *, id: str, **_: Any) -> None:  # noqa: A002 - the SDK's name
        self.started.append(id)


@dataclass
class _Letterbox:
    post: Post
    request_id: str

    async def signal(self, name: str) -> None:
        assert name == "wake"
        await asyncio.sleep(0)
        if self.request_id in self.post.unreachable:
            raise RPCError("nobody answers", RPCStatusCode.UNAVAILABLE, b"")
        if self.request_id in self.post.gone:
            raise RPCError("no such workflow", RPCStatusCode.NOT_FOUND, b"")
        self.post.told.append(self.request_id)


@dataclass
class Desk:
    """What the tests of single activities act on.

    Attributes:
        demanded: What the policy of the domain `box` demands from now on, besides what the request
            demands of itself.
    """

    outside: Outside
    post: Post
    demanded: list[Requirement]

    @property
    def store(self) -> Store:
        return self.outside.store

    def ask(self, request_id: str = "r", *, at: datetime = NOON, **wish: Any) -> MutationRequest:
        """Answer a request as it was submitted; nobody has seen it yet."""
        content = {
            "state_id": "box/a",
            "mutations": (WishedMutation(type="Add", parameters={"key": "x"}),),
            "actor_id": "ana",
            **wish,
        }
        made = Wish.model_validate(content)
        return submit(request_id, made, at, expires_in=timedelta(days=14))

    def assess(self, request: MutationRequest, **more: Any) -> MutationRequest:
        """Assess it, so that it stands in the record, and answer what follows."""
        ask = AssessRequest(request=request, at=request.created_at, fence=1, **more)
        answer = run(Assessing(self.outside).assess_request, ask)
        return after(ask, answer)

    def open(self, request_id: str = "r", *, at: datetime = NOON, **wish: Any) -> MutationRequest:
        """Answer a request that stands in the record."""
        return self.assess(self.ask(request_id, at=at, **wish))

    def note(self, request: MutationRequest, fence: int = 1) -> MutationRequest:
        """Keep a picture of it, and answer it."""
        run(Recording(self.outside).record_progress, RecordProgress(request=request, fence=fence))
        return request

    def execute(
        self, request: MutationRequest, *, at: datetime = NOON, fence: int = 2
    ) -> MutationRequest:
        """Carry an approved request out and answer its record."""
        ask = ExecuteMutation(request=request, at=at, fence=fence)
        answer = run(Executing(self.outside).execute_mutation, ask)
        assert isinstance(answer.ended, MutationRequest), answer
        return answer.ended

    def change(
        self, request: MutationRequest, *, at: datetime = NOON, fence: int = 2
    ) -> MutationRequest:
        """Answer what an approved request becomes that cannot be carried out any more."""
        ask = ExecuteMutation(request=request, at=at, fence=fence)
        answer = run(Executing(self.outside).execute_mutation, ask)
        assert answer.resolution is not None, answer
        return resolved(request, answer.resolution)

    def cancel(self, request: MutationRequest, *, at: datetime = NOON) -> MutationRequest:
        """Cancel it and answer its record."""
        ask = RecordOutcome(request=cancel_by(request, "dan"), at=at)
        answer = run(Recording(self.outside).record_outcome, ask)
        assert isinstance(answer.ended, MutationRequest)
        return answer.ended

    def executed(self, request_id: str, *, at: datetime = NOON, **wish: Any) -> MutationRequest:
        """Answer a request that demanded nothing and was executed at once."""
        demanded, self.demanded[:] = [*self.demanded], []
        record = self.execute(self.open(request_id, at=at, **wish), at=at)
        self.demanded[:] = demanded
        return record


@contextmanager
def opened(
    path: Path,
    *,
    domains: Sequence[Domain[Any]] = (),
    directory: Directory = PEOPLE,
    **settings: Any,
) -> Iterator[Desk]:
    """Yield a desk on a store in a file; `settings` are those of the domain `box`."""
    file = path / "mutator.db"
    file.write_bytes(_empty())
    store = open_store(f"sqlite:///{file}")
    demanded: list[Requirement] = []
    post = Post()
    outside = Outside(
        store=store,
        domains=Domains(
            [box.make("box", policies=[_as_the_desk_says(demanded)], **settings), *domains]
        ),
        directory=lambda: directory,
        client=cast("Client", post),
    )
    yield Desk(outside, post, demanded)
    store.close()


@cache
def _empty() -> bytes:
    """Answer a file with the schema of today and nothing in it; making one takes a while."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "mutator.db"
        open_store(f"sqlite:///{file}").close()
        return file.read_bytes()


def _as_the_desk_says(demanded: list[Requirement]) -> Policy:
    @policy()
    def as_the_desk_says(*_: object) -> PolicyDecision:
        return require(*demanded)

    return as_the_desk_says


def look_at(request: MutationRequest, index: int = 0, *, at: datetime = NOON) -> LookAt:
    """Answer the ask to look at one of the request's requirements."""
    return LookAt(request=request, requirement_id=request.requirements[index].id, at=at)


def run(activity: Callable[[Any], Any], ask: Any, *, workflow_id: str = "r") -> Any:
    """Run an activity as the worker would."""
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, workflow_id=workflow_id)
    answer = environment.run(activity, ask)
    return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer


def run_both(activity: Callable[[Any], Any], ask: Any) -> list[Any]:
    """Run an activity twice at once, as a replaced attempt that still runs does."""
    with ThreadPoolExecutor(2) as pool:
        return [each.result() for each in [pool.submit(run, activity, ask) for _ in range(2)]]
