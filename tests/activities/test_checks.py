"""What a check answers, what is no answer, and that whoever asks again is told the same."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, cast

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import checks as module
from activities.checks import Checking
from core import Domain, Intent, Mutation, Requirement, Secret
from core.checks import (
    MAX_EVIDENCE,
    Callback,
    Check,
    CheckAnswer,
    CheckQuestion,
    failed,
    not_yet,
    passed,
)
from core.digests import digest
from core.governance import waits
from core.governance.assessment import CheckPlan
from core.governance.request import Finding, MutationRequest, Status
from core.model import Value
from core.requirements import either
from core.secrets import HmacRedactor
from tests.activities.desk import Desk, later, look_at, opened, run, run_both
from wire.asks import AssessRequest, LookedAt


class Vault(Value):
    note: str = "open"
    token: Annotated[str, Secret()] = "the-only-token"


class Open(Mutation[Vault]):
    """Open a vault."""

    @property
    def intent(self) -> Intent:
        return Intent(operation="open", category="vault")

    def apply(self, state: Vault) -> Vault:
        return state


@dataclass
class Runner:
    """Does what it is told to do first, then answers; keeps what it was asked."""

    answer: Any = field(default_factory=passed)
    first: list[Callable[[], Any]] = field(default_factory=list)
    asked: list[CheckQuestion] = field(default_factory=list)

    def plain(self, question: CheckQuestion) -> Any:
        self.asked.append(question)
        if self.first:
            self.first.pop(0)()
        return self.answer

    async def waiting(self, question: CheckQuestion) -> Any:
        self.asked.append(question)
        if self.first and (doing := self.first.pop(0)()):
            await doing
        return self.answer

    async def __call__(self, question: CheckQuestion) -> Any:
        return await self.waiting(question)

    def awaitable(self, question: CheckQuestion) -> Any:
        return self.waiting(question)


@pytest.fixture
def runner() -> Runner:
    return Runner()


@pytest.fixture
def desk(tmp_path: Path, runner: Runner) -> Iterator[Desk]:
    declared = (
        Check("ci", runner.plain, timeout=2, retries=4),
        Check("async-ci", runner.waiting, timeout=2),
        Check("object-ci", runner, timeout=2),
        Check("awaitable-ci", runner.awaitable, timeout=2),
        Check("hasty", runner.plain, timeout=0.1),
        Check("async-hasty", runner.waiting, timeout=0.1),
        Callback("ticket", runner.plain, timeout=7, retries=3),
        Callback("silent"),
    )
    vault = Domain(
        name="vault",
        state=Vault,
        mutations=(Open,),
        initial=lambda _: Vault(),
        checks=declared[:1],
    )
    with opened(tmp_path, checks=declared, domains=[vault]) as made:
        yield made


def checked(
    desk: Desk, name: str = "ci", *, people: Sequence[str] = (), **parameters: Any
) -> MutationRequest:
    """A request that waits for a check."""
    desk.demanded[:] = [Requirement.check(name, parameters=parameters, people=people)]
    return desk.open()


def look(
    desk: Desk, request: MutationRequest, *, file: bool = False, minutes: float = 0
) -> Finding:
    checking = Checking(desk.outside)
    ask = look_at(request, at=later(minutes=minutes))
    answer = run(checking.file_check if file else checking.run_check, ask)
    assert isinstance(answer, LookedAt)
    assert answer.finding is not None
    return answer.finding


def refused(desk: Desk, request: MutationRequest, *, file: bool = False) -> ApplicationError:
    with pytest.raises(ApplicationError) as error:
        look(desk, request, file=file)
    assert not error.value.non_retryable
    return error.value


# What is an answer.


def test_what_passed_holds(desk: Desk, runner: Runner) -> None:
    runner.answer = passed("all green", run=7)
    request = checked(desk)

    found = look(desk, request, minutes=3)

    assert (found.verdict, found.reason, found.metadata) == ("holds", "all green", {"run": 7})
    assert (found.at, found.actor_id) == (later(minutes=3), "system:mutator")
    assert found.binding == request.requirements[0].binding
    assert waits.found(request, {request.requirements[0].id: found}, found.at).status is (
        Status.APPROVED
    )


def test_what_failed_ends_the_request_with_its_evidence(desk: Desk, runner: Runner) -> None:
    runner.answer = failed("two tests are red", red=["a", "b"])
    request = checked(desk)

    found = look(desk, request)

    assert found.verdict == "failed"
    assert found.rejection is not None
    assert (found.rejection.category, found.rejection.code) == ("check", "failed")
    assert found.rejection.message == "check ci failed: two tests are red"
    assert found.rejection.metadata["evidence"] == {"red": ["a", "b"]}
    ended = waits.found(request, {request.requirements[0].id: found}, found.at)
    assert ended.closing is not None
    assert ended.closing.rejection == found.rejection


@pytest.mark.parametrize(
    ("pause", "again"),
    [
        (timedelta(minutes=5), timedelta(minutes=5)),
        (timedelta(days=9), timedelta(days=1)),
        (timedelta(seconds=-5), timedelta(seconds=1)),
        (None, timedelta(minutes=15)),
    ],
)
def test_what_cannot_be_said_yet_is_asked_again_when_the_check_says(
    desk: Desk, runner: Runner, pause: timedelta | None, again: timedelta
) -> None:
    runner.answer = CheckAnswer(
        verdict="not_yet", reason="queued", again_in=pause, evidence={"place": 3}
    )

    found = look(desk, checked(desk), minutes=1)

    assert (found.verdict, found.reason) == ("not_yet", "queued")
    assert found.metadata == {"place": 3}
    assert found.again_at == later(minutes=1) + again


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (passed(), "check ci passed"),
        (failed(""), "check ci failed"),
        (not_yet("", timedelta(hours=1)), "check ci cannot be said yet"),
    ],
)
def test_an_answer_without_a_reason_is_told_all_the_same(
    desk: Desk, runner: Runner, answer: CheckAnswer, said: str
) -> None:
    runner.answer = answer

    assert look(desk, checked(desk)).reason == said


@pytest.mark.parametrize("name", ["async-ci", "object-ci", "awaitable-ci"])
def test_async_checks_are_asked_like_plain_ones(desk: Desk, runner: Runner, name: str) -> None:
    loops: list[object] = []

    async def wait() -> None:
        loops.append(asyncio.get_running_loop())

    runner.first = [wait]

    assert look(desk, checked(desk, name)).verdict == "holds"
    assert len(loops) == 1


def test_a_check_is_told_all_there_is_to_judge(desk: Desk, runner: Runner) -> None:
    desk.executed("before")
    request = checked(desk, people=["ben"], pipeline="deploy")

    look(desk, request, minutes=2)

    (asked,) = runner.asked
    (state,) = request.requirements
    assert asked.key == digest(["r", state.id, state.binding])
    assert (asked.request_id, asked.requirement_id, asked.binding) == ("r", state.id, state.binding)
    assert (asked.state_id, asked.state) == ("box/a", {"numbers": {"x": 1}})
    assert asked.mutations == request.mutations
    assert asked.effect == request.effect
    assert asked.effect.lines
    assert asked.context == request.context
    assert asked.parameters == {"pipeline": "deploy"}
    assert asked.at == later(minutes=2)


def test_of_a_state_that_was_never_opened_it_is_told_the_first_version(
    desk: Desk, runner: Runner
) -> None:
    request = checked(desk).model_copy(update={"state_id": "box/other"})

    look(desk, request)

    assert runner.asked[0].state == {"numbers": {}}


def test_a_secret_of_the_state_is_shown_to_no_check(desk: Desk, runner: Runner) -> None:
    request = checked(desk).model_copy(update={"state_id": "vault/a"})
    redactor = HmacRedactor(b"0" * 32)
    outside = replace(desk.outside, redactor=redactor)

    run(Checking(outside).run_check, look_at(request))

    assert runner.asked[0].state == {"note": "open", "token": redactor("the-only-token")}


def test_g10_where_nothing_stands_for_secrets_it_blocks(desk: Desk, runner: Runner) -> None:
    found = look(desk, checked(desk).model_copy(update={"state_id": "vault/a"}))

    assert found.verdict == "not_yet"
    assert runner.asked == []


# What is none.


def leave() -> None:
    raise SystemExit(1)


def give_up() -> None:
    raise asyncio.CancelledError


def time_out() -> None:
    raise TimeoutError("the socket")


def break_down() -> None:
    raise ConnectionError("the runner is not there")


@pytest.mark.parametrize("name", ["ci", "async-ci", "awaitable-ci"])
@pytest.mark.parametrize("deed", [leave, give_up, time_out, break_down])
def test_g8_one_that_raises_has_not_failed_and_is_asked_again(
    desk: Desk, runner: Runner, name: str, deed: Callable[[], None]
) -> None:
    runner.first = [deed]
    request = checked(desk, name)

    error = refused(desk, request)

    assert error.type == "CheckRaised"
    assert error.message.startswith(f"The check {name!r} raised ")
    assert look(desk, request).verdict == "holds"


def test_a_domain_error_that_it_raises_is_retried_as_well(desk: Desk, runner: Runner) -> None:
    from core.errors import InvalidTransition

    def refuse() -> None:
        raise InvalidTransition("r", "Pending", "Executed")

    runner.first = [refuse]

    assert refused(desk, checked(desk)).type == "CheckRaised"


@pytest.mark.parametrize(
    ("name", "wait"),
    [("hasty", lambda: time.sleep(0.5)), ("async-hasty", lambda: asyncio.sleep(30))],
)
def test_g8_one_that_is_late_has_not_failed_and_is_left_behind(
    desk: Desk, runner: Runner, name: str, wait: Callable[[], Any]
) -> None:
    runner.first = [wait]
    request = checked(desk, name)
    began = time.monotonic()

    error = refused(desk, request)

    assert error.type == "CheckLate"
    assert error.message == f"The check {name!r} did not answer within 0.1 s."
    assert time.monotonic() - began < 0.45
    assert look(desk, request).verdict == "holds"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        True,
        {"verdict": "passed"},
        CheckAnswer.model_construct(verdict="perhaps"),  # type: ignore[arg-type]  # wrong on purpose
        passed("", evidence="x" * MAX_EVIDENCE),
        CheckAnswer.model_construct(verdict="passed", evidence={"x": float("nan")}),
        CheckAnswer(verdict="passed", reason="half a character: \ud800"),
        CheckAnswer(verdict="passed", evidence={"x": "\ud800"}),
    ],
)
def test_an_answer_that_cannot_be_kept_is_none(desk: Desk, runner: Runner, answer: object) -> None:
    runner.answer = answer
    request = checked(desk)

    error = refused(desk, request)

    assert error.type == "CheckUnreadable"
    assert error.message.startswith("The check 'ci' answered what cannot be kept: ")
    runner.answer = passed()
    assert look(desk, request).verdict == "holds"


def test_as_much_evidence_as_is_allowed_is_kept(desk: Desk, runner: Runner) -> None:
    around = len('{"x":""}')
    runner.answer = passed("", x="x" * (MAX_EVIDENCE - around))

    assert len(str(look(desk, checked(desk)).metadata["x"])) == MAX_EVIDENCE - around


def test_a_reason_is_cut_to_what_a_request_can_carry(desk: Desk, runner: Runner) -> None:
    runner.answer = CheckAnswer(verdict="failed", reason="x" * 9000)

    assert len(look(desk, checked(desk)).reason) == 2000


def test_an_async_check_ends_with_its_loop(
    desk: Desk, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GLANCE", 0.05)
    own = asyncio.new_event_loop()
    thread = threading.Thread(target=own.run_forever)
    thread.start()
    monkeypatch.setattr(module, "shared_loop", lambda: own)

    def close() -> None:
        own.call_soon_threadsafe(own.stop)
        thread.join()
        own.close()

    runner.first = [lambda: asyncio.sleep(30)]
    request = checked(desk, "async-ci")
    closing = threading.Timer(0.2, close)
    closing.start()

    error = refused(desk, request)

    closing.join()
    assert error.message == "The loop of async checks was blocked."


# Signs of life, and calling it off.


@pytest.mark.parametrize("name", ["ci", "async-ci"])
def test_a_long_check_says_that_it_goes_on(desk: Desk, runner: Runner, name: str) -> None:
    request = checked(desk, name)
    beats: list[object] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *_: beats.append(1)

    def go_on() -> Any:
        for _ in range(3):
            runner.asked[-1].alive()
        return asyncio.sleep(0.1) if name == "async-ci" else time.sleep(0.1)

    runner.first = [go_on]

    asyncio.run(environment.run(Checking(desk.outside).run_check, look_at(request)))

    assert len(beats) == 3


def test_who_was_left_behind_may_go_on_saying_so(desk: Desk, runner: Runner) -> None:
    late = threading.Event()
    done: list[bool] = []

    def go_on() -> None:
        late.wait(5)
        runner.asked[-1].alive()
        done.append(True)

    runner.first = [go_on]
    refused(desk, checked(desk, "hasty"))
    late.set()

    while not done:
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["ci", "async-ci"])
async def test_one_that_is_called_off_is_not_waited_for(
    desk: Desk, runner: Runner, name: str
) -> None:
    begun, release, cut = threading.Event(), threading.Event(), threading.Event()

    async def wait_async() -> None:
        begun.set()
        try:
            await asyncio.sleep(30)
        finally:
            cut.set()

    def wait() -> Any:
        if name == "async-ci":
            return wait_async()
        begun.set()
        return cast("Any", release.wait(30))

    runner.first = [wait]
    request = await asyncio.to_thread(checked, desk, name)
    running = asyncio.create_task(
        ActivityEnvironment().run(Checking(desk.outside).run_check, look_at(request))
    )
    await asyncio.to_thread(begun.wait, 5)

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    release.set()
    if name == "async-ci":
        assert await asyncio.to_thread(cut.wait, 5)


# Asked twice, late, or of nothing.


def test_whoever_repeats_the_ask_gets_the_same_answer(desk: Desk, runner: Runner) -> None:
    request = checked(desk)
    first = look(desk, request)
    runner.answer = failed("changed its mind")

    assert look(desk, request, minutes=5) == first
    assert len(runner.asked) == 1


def test_whoever_asks_at_once_gets_the_same_answer_though_both_were_run(
    desk: Desk, runner: Runner
) -> None:
    both = threading.Barrier(2)
    answers = iter([passed("the one"), passed("the other")])

    def meet() -> None:
        both.wait(5)
        runner.answer = next(answers)

    runner.first = [meet, meet]
    request = checked(desk)

    one, other = run_both(Checking(desk.outside).run_check, look_at(request))

    assert one == other
    assert len(runner.asked) == 2
    assert {asked.key for asked in runner.asked} == {runner.asked[0].key}


def test_a_later_ask_is_run_again(desk: Desk, runner: Runner) -> None:
    runner.answer = not_yet("queued", timedelta(minutes=1))
    request = checked(desk)
    found = look(desk, request)
    request = waits.found(request, {request.requirements[0].id: found}, found.at)
    runner.answer = passed()

    assert look(desk, request, minutes=1).verdict == "holds"
    assert {asked.key for asked in runner.asked} == {runner.asked[0].key}


def test_one_that_is_bound_to_another_effect_is_another_question(
    desk: Desk, runner: Runner
) -> None:
    request = checked(desk)
    look(desk, request)
    (state,) = request.requirements
    changed = state.model_copy(update={"binding": "of another effect"})

    look(desk, request.model_copy(update={"requirements": (changed,)}))

    first, second = runner.asked
    assert first.key != second.key
    assert second.binding == "of another effect"


def test_a_request_that_has_ended_answers_its_record_and_is_not_checked(
    desk: Desk, runner: Runner
) -> None:
    request = checked(desk)
    record = desk.cancel(request)

    for activity in (Checking(desk.outside).run_check, Checking(desk.outside).file_check):
        assert run(activity, look_at(request)) == LookedAt(ended=record)
    assert runner.asked == []


def test_what_is_no_longer_demanded_is_not_checked(desk: Desk, runner: Runner) -> None:
    request = checked(desk)
    ask = look_at(request)

    gone = ask.model_copy(update={"request": request.model_copy(update={"requirements": ()})})

    assert run(Checking(desk.outside).run_check, gone) == LookedAt()
    assert runner.asked == []


@pytest.mark.parametrize("file", [False, True])
def test_g10_a_check_that_is_not_registered_blocks_by_name_until_it_is(
    desk: Desk, runner: Runner, file: bool
) -> None:
    found = look(desk, checked(desk, "pen-test"), file=file)

    assert found.verdict == "not_yet"
    assert found.again_at == later(minutes=15)
    assert found.reason.startswith("The domain 'box' has no check 'pen-test' here; registered: ci,")
    assert runner.asked == []


def test_g10_a_requirement_that_names_no_check_blocks(desk: Desk) -> None:
    desk.demanded.append(Requirement(kind="check"))

    assert look(desk, desk.open()).verdict == "not_yet"


def test_g10_a_state_that_cannot_be_read_blocks_by_name(desk: Desk, runner: Runner) -> None:
    request = checked(desk).model_copy(update={"state_id": "box/no-such"})

    found = look(desk, request)

    assert (found.verdict, found.again_at) == ("not_yet", later(minutes=15))
    assert "There is no state 'box/no-such'" in found.reason
    assert runner.asked == []


def test_g10_a_domain_that_is_not_there_blocks_by_name(desk: Desk) -> None:
    request = checked(desk).model_copy(update={"state_id": "nowhere/a"})

    assert "no domain 'nowhere'" in look(desk, request).reason


# Filed with another system.


def test_a_question_is_filed_once_with_its_key(desk: Desk, runner: Runner) -> None:
    runner.answer = "T-1"
    request = checked(desk, "ticket", people=["ben", "cleo"])

    found = look(desk, request, file=True)

    assert (found.verdict, found.again_at, found.reference) == ("not_yet", None, "T-1")
    assert found.reason == "filed as T-1 with ticket; waits for user:ben, user:cleo"
    (state,) = request.requirements
    assert runner.asked[0].key == digest(["r", state.id, state.binding])
    runner.answer = "T-2"
    assert look(desk, request, file=True, minutes=4) == found
    again = waits.found(request, {state.id: found}, found.at)
    assert look(desk, again, file=True, minutes=9) == found
    assert len(runner.asked) == 1


def test_filed_twice_at_once_it_has_one_key_and_one_answer(desk: Desk, runner: Runner) -> None:
    both = threading.Barrier(2)
    names = iter(["T-1", "T-2"])

    def meet() -> None:
        both.wait(5)
        runner.answer = next(names)

    runner.first = [meet, meet]
    request = checked(desk, "ticket", people=["ben"])

    one, other = run_both(Checking(desk.outside).file_check, look_at(request))

    assert one == other
    assert runner.asked[0].key == runner.asked[1].key
    assert look(desk, request, file=True) == one.finding


@pytest.mark.parametrize(
    ("answer", "said", "reference"),
    [
        (4711, "filed as 4711 with ticket; waits for user:ben", "4711"),
        (None, "filed with ticket; waits for user:ben", None),
        ("", "filed with ticket; waits for user:ben", None),
        ("T" * 500, f"filed as {'T' * 200} with ticket; waits for user:ben", "T" * 200),
    ],
)
def test_what_the_other_system_calls_it_is_kept(
    desk: Desk, runner: Runner, answer: object, said: str, reference: str | None
) -> None:
    runner.answer = answer

    found = look(desk, checked(desk, "ticket", people=["ben"]), file=True)

    assert (found.reason, found.reference) == (said, reference)


@pytest.mark.parametrize("answer", [passed(), ["T-1"], "\ud800"])
def test_what_is_no_reference_is_no_answer(desk: Desk, runner: Runner, answer: object) -> None:
    runner.answer = answer

    assert refused(desk, checked(desk, "ticket", people=["ben"]), file=True).type == (
        "CheckUnreadable"
    )


def test_filing_that_raises_is_tried_again(desk: Desk, runner: Runner) -> None:
    runner.answer, runner.first = "T-1", [break_down]
    request = checked(desk, "ticket", people=["ben"])

    error = refused(desk, request, file=True)

    assert error.message.endswith("raised ConnectionError: the runner is not there")
    assert look(desk, request, file=True).reference == "T-1"
    assert runner.asked[0].key == runner.asked[1].key


def test_what_the_other_system_finds_by_itself_is_not_filed(desk: Desk) -> None:
    found = look(desk, checked(desk, "silent", people=["ben"]), file=True)

    assert (found.verdict, found.reference, found.again_at) == ("not_yet", None, None)
    assert found.reason == "waits for user:ben"


def test_what_is_registered_now_decides_what_is_done(desk: Desk, runner: Runner) -> None:
    runner.answer = "T-1"
    filed = look(desk, checked(desk, "ticket", people=["ben"]))

    runner.answer = passed()
    desk.demanded[:] = [Requirement.check("ci")]
    ran = look(desk, desk.open("s"), file=True)

    assert (filed.reference, ran.verdict) == ("T-1", "holds")


# How it is asked.


def test_the_plan_says_how_each_check_is_asked_that_is_demanded(desk: Desk) -> None:
    from activities.assess import Assessing

    approved = Requirement.approval(roles=["approver"], needed=1)
    desk.demanded[:] = [
        Requirement.check("ci"),
        Requirement.check("pen-test"),
        *either([[Requirement.check("ticket", people=["ben"])], [approved]]),
    ]
    ask = AssessRequest(request=desk.ask(), at=later(), fence=1)

    answer = run(Assessing(desk.outside).assess_request, ask)

    assert answer.assessment.plan.checks == {
        "ci": CheckPlan(files=False, timeout=2, retries=4),
        "ticket": CheckPlan(files=True, timeout=7, retries=3),
    }
