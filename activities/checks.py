"""Asks the checks of domains: runs a function, or files a question that another system answers.

Only an answer is an answer. A check that raises, is late, or says what cannot be kept has not
failed; Temporal asks it again.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from pydantic import JsonValue, ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from core.checks import MAX_EVIDENCE, Callback, Check, CheckAnswer, CheckQuestion
from core.digests import canonical, digest, jsonable
from core.domain import Domain
from core.effects import EffectPreview
from core.errors import InvalidValue
from core.governance.people import SYSTEM
from core.governance.request import Finding, RequirementState
from core.governance.waits import check_failed
from core.requirements import Requirement
from core.secrets import redact, told
from core.survey import survey
from store.protocol import Ask, StoredState
from wire.asks import LookAt, LookedAt
from wire.names import Activity

from .asked import LATER, UNREADABLE, ended, not_yet
from .author_code import awaited
from .facts import shared_loop
from .outside import Outside
from .states import declared_by, first_version

T = TypeVar("T")

LONGEST_PAUSE: Final = timedelta(days=1)
"""How much later a check that cannot say yet is asked again, at most."""

MAX_REFERENCE: Final = 200
"""Characters of what another system calls a question."""

_GLANCE: Final = 5.0
"""Seconds between looks at whether the loop of async code is still there."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A check that is to be asked, and what."""

    check: Check | Callback
    state: RequirementState
    question: CheckQuestion
    domain: Domain[Any]
    key: Ask


@dataclass(frozen=True)
class Checking:
    """The activities `run_check` and `file_check`.

    The plan of an assessment says which of them is asked for. What is registered now decides what
    is done: a check may have become one that is called back since.
    """

    outside: Outside

    @activity.defn(name=Activity.RUN_CHECK)
    async def run_check(self, ask: LookAt) -> LookedAt:
        """Ask a check; whoever repeats the ask gets the same answer."""
        return await self._look(ask)

    @activity.defn(name=Activity.FILE_CHECK)
    async def file_check(self, ask: LookAt) -> LookedAt:
        """Ask another system for its answer, once; it comes as a message to the request."""
        return await self._look(ask)

    async def _look(self, ask: LookAt) -> LookedAt:
        asked = await asyncio.to_thread(self._begin, ask, _alive())
        if isinstance(asked, LookedAt):
            return asked
        finding = await _answer(asked, ask.at)
        kept = await asyncio.to_thread(
            self.outside.store.keep, asked.key, finding.model_dump(mode="json")
        )
        return LookedAt(finding=Finding.model_validate(kept))

    def _begin(self, ask: LookAt, alive: Callable[[], None]) -> _Asked | LookedAt:
        """Answer what is to be asked, or what is known without asking."""
        request = ask.request
        view = self.outside.store.view(request.request_id, request.state_id)
        if view.ended is not None:
            return ended(LookedAt, self.outside, view.ended)
        state = request.requirement(ask.requirement_id)
        if state is None:
            return LookedAt()
        name = state.requirement.check_name
        try:
            domain = self.outside.domains.of(request.state_id)
            check = domain.check(name)
            if check is None:
                known = ", ".join(each.name for each in domain.checks) or "none"
                raise InvalidValue(
                    f"The domain {domain.name!r} has no check {name!r} here; registered: {known}."
                )
            key = _key(ask, state, check)
            if (kept := self.outside.store.answered(key)) is not None:
                return LookedAt(finding=Finding.model_validate(kept))
            document = self._document(domain, request.state_id, view.state)
        except UNREADABLE as error:
            return LookedAt(finding=not_yet(state.binding, ask.at, error.message, ask.at + LATER))
        question = CheckQuestion(
            key=digest([request.request_id, state.id, state.binding]),
            request_id=request.request_id,
            requirement_id=state.id,
            binding=state.binding,
            state_id=request.state_id,
            state=document,
            mutations=request.mutations,
            effect=request.effect or EffectPreview(),
            context=request.context,
            parameters=_given(state.requirement),
            at=ask.at,
            alive=alive,
        )
        return _Asked(check, state, question, domain, key)

    def _document(self, domain: Domain[Any], state_id: str, stored: StoredState | None) -> Any:
        """Answer the state's document in its newest form, with what stands for its secrets."""
        stored = stored or first_version(self.outside, domain, state_id)
        state = domain.read_state(stored.document, stored.schema_version)
        return redact(jsonable(state), declared_by(domain), self.outside.redactor)


def _key(ask: LookAt, state: RequirementState, check: Check | Callback) -> Ask:
    """Answer what whoever repeats the ask is known by; a question is filed once a round."""
    files = isinstance(check, Callback)
    binding = digest(state.binding).rpartition(":")[2][:20]
    return Ask(
        request_id=ask.request.request_id,
        round=ask.request.round,
        fence=0 if files else state.asked + 1,
        kind=f"{'file' if files else 'check'}:{state.id}:{binding}",
    )


def _given(requirement: Requirement) -> Mapping[str, JsonValue]:
    given = requirement.parameters.get("given")
    return given if isinstance(given, dict) else {}


def _alive() -> Callable[[], None]:
    """Answer what an author's code calls, on whatever thread, to say that it goes on."""
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()

    def alive() -> None:
        with suppress(RuntimeError):  # it was left behind, and the worker is gone
            loop.call_soon_threadsafe(activity.heartbeat, context=context)

    return alive


async def _answer(asked: _Asked, at: datetime) -> Finding:
    """Ask, and answer what was found.

    Raises:
        ApplicationError: There was no answer; it is asked again.
    """
    if isinstance(asked.check, Check):
        answer = await _brought(asked, asked.check.run, _validated)
        return _found(asked.state, answer, at)
    reference = None
    if asked.check.file is not None:
        reference = await _brought(asked, asked.check.file, _reference)
    filed = "" if asked.check.file is None else f"filed with {asked.check.name}; "
    if reference is not None:
        filed = f"filed as {reference} with {asked.check.name}; "
    who = asked.state.requirement.who.describe()
    return not_yet(asked.state.binding, at, f"{filed}waits for {who}", reference=reference)


async def _brought(
    asked: _Asked, code: Callable[[CheckQuestion], Any], read: Callable[[Any], T]
) -> T:
    """Run an author's code, plain or async, within its time, and read what it answers."""
    check, question = asked.check, asked.question

    def raised(error: BaseException) -> ApplicationError:
        surveys = [declared_by(asked.domain), *map(survey, asked.domain.mutations)]
        said = f"The check {check.name!r} raised {told(error, surveys)}"[:500]
        return ApplicationError(said, type="CheckRaised")

    def plain() -> Any:
        try:
            return code(question)
        except BaseException as error:
            raise raised(error) from error

    async def waited(answer: Awaitable[Any]) -> Any:
        try:
            return await answer
        except GeneratorExit:  # its loop has ended
            raise
        except BaseException as error:
            raise raised(error) from error

    try:
        async with asyncio.timeout(check.timeout):
            is_async = inspect.iscoroutinefunction(code)
            answer = code(question) if is_async else await awaited(plain)
            if inspect.isawaitable(answer):
                answer = await _on_the_shared_loop(waited(answer))
    except TimeoutError:
        said = f"The check {check.name!r} did not answer within {check.timeout:g} s."
        raise ApplicationError(said, type="CheckLate") from None
    try:
        return read(answer)
    except (InvalidValue, ValidationError) as error:
        said = f"The check {check.name!r} answered what cannot be kept: {error}"[:500]
        raise ApplicationError(said, type="CheckUnreadable") from error


async def _on_the_shared_loop(answer: Coroutine[Any, Any, Any]) -> Any:
    """Wait for async code; it ends with its loop, where other code blocked that."""
    loop = shared_loop()
    future = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(answer, loop))
    try:
        while not future.done():
            await asyncio.wait([future], timeout=_GLANCE)
            if loop.is_closed() and not future.done():
                raise ApplicationError("The loop of async checks was blocked.", type="CheckLate")
        return future.result()
    finally:
        future.cancel()


def _validated(answer: object) -> CheckAnswer:
    """Read what a check answered.

    Raises:
        InvalidValue: It is no answer, or has more evidence than is kept.
        ValidationError: Likewise.
    """
    if not isinstance(answer, CheckAnswer):
        raise InvalidValue(f"{type(answer).__name__}; answer with passed, failed or not_yet")
    read = CheckAnswer.model_validate(jsonable(answer))
    size = len(canonical(read.evidence))
    if size > MAX_EVIDENCE:
        raise InvalidValue(f"evidence of {size} bytes; at most {MAX_EVIDENCE} are kept")
    canonical(read.reason)
    return read


def _reference(answer: object) -> str | None:
    """Read what another system calls the question.

    Raises:
        InvalidValue: It is neither text nor a number nor nothing.
    """
    if answer is None or answer == "":
        return None
    if not isinstance(answer, str | int):
        raise InvalidValue(f"{type(answer).__name__}; answer with a reference, or None")
    canonical(str(answer))
    return str(answer)[:MAX_REFERENCE]


def _found(state: RequirementState, answer: CheckAnswer, at: datetime) -> Finding:
    reason = (answer.reason or f"{state.requirement.describe()} {_SAID[answer.verdict]}")[:2000]
    if answer.verdict == "not_yet":
        pause = min(max(answer.again_in or LATER, timedelta(seconds=1)), LONGEST_PAUSE)
        return not_yet(state.binding, at, reason, at + pause, evidence=answer.evidence)
    failed = answer.verdict == "failed"
    return Finding(
        verdict="failed" if failed else "holds",
        at=at,
        binding=state.binding,
        actor_id=SYSTEM,
        reason=reason,
        rejection=check_failed(state, reason, answer.evidence) if failed else None,
        metadata=answer.evidence,
    )


_SAID: Final = {"passed": "passed", "failed": "failed", "not_yet": "cannot be said yet"}
