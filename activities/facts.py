"""Looks facts up: before the engine runs, side by side, each within its time, under no lock.

Async providers share one event loop in a thread of its own, so that they can share a client; plain
ones run in threads that can be left behind. A loop that a provider blocks is left behind as well,
and those that come later get a new one.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, JsonValue

from core.errors import InvalidValue
from core.facts import LONGEST_LOOKUP, Fact, FactQuestion, Facts, Lookup, kept
from core.governance.request import MutationRequest
from core.secrets import told
from core.survey import survey

from .author_code import GRACE, in_thread
from .evaluation import Loaded
from .outside import Outside

WAITING = 256
"""Threads that wait for plain providers, at most; they are made when they are needed."""


class StateMoved(Exception):
    """The state is another than the one that facts were looked up for."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What a fact's look-up brought, when it was asked for on the monotonic clock, and of what.

    Attributes:
        version: Of the state that the provider was shown.
    """

    fact: Fact
    lookup: Lookup
    asked: float
    version: int

    def is_usable(self, now: float) -> bool:
        """Answer whether it is an answer, and not older than it may be."""
        young = now - self.asked < self.fact.max_age.total_seconds()
        return young and self.lookup.missing is None


class Lookups:
    """What one ask has looked up for a request; used again up to each fact's `max_age`."""

    def __init__(self, outside: Outside, request: MutationRequest, at: datetime) -> None:
        """Begin with nothing looked up.

        Args:
            outside: The clock that ages are measured by.
            request: Whose evaluation the facts are for.
            at: The time that policies and providers are told.
        """
        self._clock = outside.clock
        self._request = request
        self._at = at
        self._known: dict[str, _Known] = {}

    def fresh(self, loaded: Loaded) -> Facts:
        """Answer the facts, after looking up what is unknown or too old; never under a lock."""
        now = self._clock()
        usable = {name for name, known in self._known.items() if known.is_usable(now)}
        due = [f for f in loaded.domain.facts_for(loaded.records) if f.name not in usable]
        if due:
            question = FactQuestion(
                state_id=self._request.state_id,
                state=loaded.state,
                mutations=loaded.mutations,
                context=self._request.context,
                at=self._at,
            )
            found = look_up(due, question, timeout=loaded.domain.options.fact_timeout)
            version = loaded.stored.version
            self._known |= {fact.name: _Known(fact, found[fact.name], now, version) for fact in due}
        return self.known(loaded)

    def known(self, loaded: Loaded) -> Facts:
        """Answer the facts as they were looked up last, and ask nobody."""
        looked_up = {name: known.lookup for name, known in self._known.items()}
        given = {
            "state_id": self._request.state_id,
            "asked_at": self._request.created_at.isoformat(),
        }
        return Facts(self._at, self._request.fulfilled, given, looked_up=looked_up)

    def of_this(self, loaded: Loaded) -> Facts:
        """Answer the facts as they were looked up last, where they hold for this very state.

        A provider is shown the state, so what it answers may be of it; a fact with a `max_age` may
        be older than the state, as its author says.

        Raises:
            StateMoved: A fact without one was looked up for another version.
        """
        known = self._known.values()
        if any(not k.fact.max_age and k.version != loaded.stored.version for k in known):
            raise StateMoved
        return self.known(loaded)

    @property
    def are_usable(self) -> bool:
        """Answer whether everything that was looked up may be used again."""
        now = self._clock()
        return all(known.is_usable(now) for known in self._known.values())


def look_up(
    facts: Iterable[Fact], question: FactQuestion, *, timeout: float
) -> Mapping[str, Lookup]:
    """Ask the providers side by side and answer what each brought, by the fact's name.

    Nothing is raised: what is late, raises, or answers what no record can hold, is missing.

    Args:
        facts: What to look up.
        question: What the providers are asked.
        timeout: Seconds of one attempt, where a fact names none.
    """
    loop = shared_loop()
    asked = [_Asking(fact, question, timeout) for fact in facts]
    futures = [asyncio.run_coroutine_threadsafe(each.answer(), loop) for each in asked]
    began = time.monotonic()
    for each, future in zip(asked, futures, strict=True):
        left = began + each.fact.longest(timeout) + GRACE - time.monotonic()
        if wait([future], max(left, 0)).not_done:
            _leave_behind(loop)
    return {e.fact.name: _brought(e, future) for e, future in zip(asked, futures, strict=True)}


class _Asking:
    """One fact that is looked up, and how often it has been tried until now."""

    def __init__(self, fact: Fact, question: FactQuestion, timeout: float) -> None:
        self.fact = fact
        self.attempts = 0
        self._question = question
        self._timeout = fact.timeout or timeout

    async def answer(self) -> Lookup:
        """Try it as often as it may be."""
        missing = ""
        for _ in range(self.fact.retries + 1):
            self.attempts += 1
            limit = asyncio.timeout(self._timeout)
            try:
                async with limit:
                    answer = await _asked(self.fact, self._question, self._timeout)
                return self._found(value=kept(answer))
            except InvalidValue as error:
                missing = f"its provider answered what cannot be kept: {error.message}".rstrip(".")
            except BaseException as error:  # author code may raise anything, even an exit
                if isinstance(error, asyncio.CancelledError) and _is_left():
                    raise
                if isinstance(error, TimeoutError) and limit.expired():
                    missing = f"late, there was no answer within {self._timeout:g} s"
                else:
                    said = _told(error, self._question).removesuffix(": ")
                    missing = f"its provider raised {said}"[:500]
        return self._found(missing=missing)

    def _found(self, *, value: JsonValue = None, missing: str | None = None) -> Lookup:
        at = datetime.now(UTC)
        return Lookup(at=at, value=value, attempts=self.attempts, missing=missing)


def _brought(asked: _Asking, future: Future[Lookup]) -> Lookup:
    if future.done() and not future.cancelled():
        return future.result()
    future.cancel()
    missing = "its provider did not come back"
    return Lookup(at=datetime.now(UTC), attempts=asked.attempts, missing=missing)


def _is_left() -> bool:
    """Answer whether nobody waits for this task any more; else a provider gave up by itself."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _told(error: BaseException, question: FactQuestion) -> str:
    """Say what was raised; where the provider was asked about secrets, only its type."""
    asked_about = (question.state, *question.mutations)
    return told(error, [survey(type(m)) for m in asked_about if isinstance(m, BaseModel)])


async def _asked(fact: Fact, question: FactQuestion, timeout: float) -> Any:  # noqa: ASYNC109 - see `in_thread`
    if inspect.iscoroutinefunction(fact.provider):
        return await fact.provider(question)
    answer = await asyncio.to_thread(in_thread, lambda: fact.provider(question), timeout)
    return await answer if inspect.isawaitable(answer) else answer


_lock = threading.Lock()
_loops: list[asyncio.AbstractEventLoop] = []
"""The one that is used, if any."""


def shared_loop() -> asyncio.AbstractEventLoop:
    """Answer the loop on which async code of authors runs, so that it can share clients."""
    with _lock:
        if not _loops:
            loop = asyncio.new_event_loop()
            loop.set_default_executor(ThreadPoolExecutor(WAITING, thread_name_prefix="facts"))
            threading.Thread(target=_live, args=(loop,), name="facts", daemon=True).start()
            _loops.append(loop)
        return _loops[-1]


def _live(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def _leave_behind(loop: asyncio.AbstractEventLoop) -> None:
    """Use it no more; once it goes on, what others wait for has its time, and then it ends."""
    with _lock:
        if loop in _loops:
            _loops.remove(loop)
            loop.call_soon_threadsafe(loop.call_later, LONGEST_LOOKUP, loop.stop)
