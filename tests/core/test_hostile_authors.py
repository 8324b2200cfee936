"""Whatever author code does to what it is given, or raises: a run ends by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from itertools import count
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator

from core import (
    Engine,
    Intent,
    Mode,
    Mutation,
    Observer,
    Options,
    Outcome,
    Secret,
    any_of,
    execute_batch,
)
from core.audit import AuditEntry, Subject
from core.batch import BatchResult
from core.digests import digest, jsonable
from core.engine import record
from core.errors import (
    DefinitionError,
    ExecutionCanceled,
    ExecutionTimeout,
    InputAltered,
    WrongType,
)
from core.facts import Facts
from core.history import replay
from core.metrics import Collector, Durations
from core.options import DEFAULT, STRICT
from core.policy import PolicyDecision, allow, amend, deny, policy, require
from core.result import ExecutionResult
from core.secrets import HmacRedactor
from tests.core.builders import AT, Clock, Ids, Notes, by_security, context

DEEDS: dict[str, Callable[[Any, Any], Any]] = {}


class Board(BaseModel):
    """A state that holds what can be altered in place."""

    model_config = ConfigDict(frozen=True)

    count: int = Field(default=1, ge=0)
    items: list[str] = []
    limits: dict[str, list[int]] = {}


class Do(Mutation[Board]):
    """Applies the deed to the state and to itself."""

    deed: str
    tags: list[str] = Field(default_factory=list)

    @property
    def intent(self) -> Intent:
        return Intent(operation="do")

    def apply(self, state: Board) -> Board:
        answer: Board = DEEDS[self.deed](state, self)
        return answer


def do(deed: Callable[[Any, Any], Any], **more: Any) -> Do:
    name = f"deed-{len(DEEDS)}"
    DEEDS[name] = deed
    return Do(deed=name, **more)


def counted(state: Board, by: int = 1) -> Board:
    return state.model_copy(update={"count": state.count + by})


COUNT = do(lambda state, _: counted(state))


def run(
    mutations: Mutation[Any] | Sequence[Mutation[Any]],
    *policies: Any,
    state: Any = None,
    options: Options = DEFAULT,
    facts: Facts | None = None,
    mode: Mode = Mode.COMMIT,
    clock: Clock | None = None,
    observers: Sequence[Observer] = (),
    **more: Any,
) -> ExecutionResult[Any]:
    used = clock or Clock()
    engine = Engine(
        clock=used,
        new_id=Ids(),
        options=options,
        observers=observers,
        redactor=HmacRedactor(b"k" * 32),
    )
    return engine.execute(
        mutations,
        state or Board(items=["a"], limits={"eu": [1]}),
        context=context(mode),
        facts=facts or Facts(AT, values={"on_call": ["ana", "ben"]}),
        policies=policies,
        **more,
    )


def altering(what: Callable[[Any, Any, Any, Any], Any]) -> Any:
    return policy(name="altering")(lambda *given: what(*given) or allow())


# What is altered in place.

ALTERED = [
    (do(lambda s, _: s.items.append("b") or counted(s)), "/items of the state"),
    (do(lambda s, _: s.limits["eu"].append(2) or counted(s)), "/limits/eu of the state"),
    (do(lambda s, m: m.tags.append("b") or counted(s)), "/tags of the parameters of Do"),
]
ALTERING = [
    (altering(lambda m, s, c, f: s.items.append("b")), "/items of the state"),
    (altering(lambda m, s, c, f: m.tags.append("b")), "/tags of the parameters of Do"),
    (altering(lambda m, s, c, f: c.metadata.update(x=1)), "the context's metadata"),
    (altering(lambda m, s, c, f: f["on_call"].pop()), "the fact 'on_call'"),
]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(("mutation", "what"), ALTERED)
def test_g3_apply_that_alters_its_input_never_commits(mutation: Do, what: str, mode: Mode) -> None:
    result = run(mutation, mode=mode)

    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, InputAltered)
    assert what in str(result.error)
    assert (result.state, result.history) == (None, None)
    assert result.audit.error == str(result.error)


@pytest.mark.parametrize(("rule", "what"), ALTERING)
def test_g3_a_policy_that_alters_what_it_is_asked_about_never_lets_through(
    rule: Any, what: str
) -> None:
    result = run(COUNT, rule)

    assert isinstance(result.error, InputAltered)
    assert what in str(result.error)


def test_what_a_policy_makes_of_a_fact_stands_in_no_record() -> None:
    facts = Facts(AT, values={"on_call": ["ana", "ben"]})

    result = run(COUNT, altering(lambda m, s, c, f: f["on_call"].pop()), facts=facts)

    assert result.audit.facts["on_call"] == ["ana", "ben"]


def test_what_was_altered_outweighs_what_was_raised_after_it() -> None:
    def alter_and_raise(state: Board, _: Any) -> Board:
        state.items.append("b")
        raise RuntimeError

    assert isinstance(run(do(alter_and_raise)).error, InputAltered)


def test_a_state_that_is_not_frozen_is_held_too() -> None:
    class Loose(BaseModel):
        count: int = 0

    def alter(state: Any, _: Any) -> Any:
        state.count += 1
        return state

    assert isinstance(run(do(alter), state=Loose()).error, InputAltered)


@pytest.mark.parametrize(
    ("mutations", "rules", "who"),
    [
        ([COUNT, ALTERED[0][0]], [], "Do.apply"),
        ([COUNT], [ALTERING[0][0]], "A policy"),
    ],
)
def test_strict_says_who_altered_it(mutations: Any, rules: Any, who: str) -> None:
    result = run(mutations, *rules, options=STRICT)

    assert isinstance(result.error, InputAltered)
    assert str(result.error).startswith(who)
    assert result.error.details["mutation_type"] == "Do"


def test_strict_says_that_a_check_altered_it() -> None:
    class Checked(Do):
        def check(self, state: Board) -> Any:
            state.items.append("b")
            return ()

    result = run(Checked(deed=COUNT.deed), options=STRICT)

    assert str(result.error).startswith("Checked.check altered /items of the state")


def test_strict_names_who_gives_another_result_the_second_time() -> None:
    numbers = count()

    result = run([COUNT, do(lambda s, _: counted(s, next(numbers)))], options=STRICT)

    assert isinstance(result.error, WrongType)
    assert "Do.apply gave another result the second time" in str(result.error)


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("options", [DEFAULT, STRICT])
def test_what_reads_as_it_was_changes_nothing_and_is_no_second_result(options: Options) -> None:
    result = run(do(lambda s, _: s.model_copy(update={"count": "1"})), options=options)

    assert result.outcome is Outcome.COMMITTED
    assert result.state == Board(items=["a"], limits={"eu": [1]})
    assert result.document == jsonable(result.state)
    assert result.history is None


# What one mutation leaves is what the next is given, as it would be read.


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@given(st.lists(st.sampled_from(["7", 7, 2, "1", 1]), max_size=4))
def test_one_run_of_several_is_their_steps_whatever_they_answer(answers: list[Any]) -> None:
    def counting(answer: Any) -> Do:
        return do(lambda state, _: state.model_copy(update={"count": answer}))

    doubled = do(lambda state, _: counted(state, state.count))
    steps = [each for answer in answers for each in (counting(answer), doubled)]

    whole = run(steps) if steps else None

    state: Any = Board(items=["a"], limits={"eu": [1]})
    for step in steps:
        state = run(step, state=state).state
    assert whole is None or whole.state == state


def test_what_is_no_state_between_two_mutations_is_refused() -> None:
    result = run([do(lambda s, _: counted(s, -5)), do(lambda s, _: counted(s, 9))])

    assert isinstance(result.error, WrongType)
    assert "count" in str(result.error)


# What is raised.


class Silent(Exception):
    """Says nothing, loudly."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def raising(error: BaseException) -> Callable[..., Any]:
    def raise_it(*_: Any) -> Any:
        raise error

    return raise_it


@pytest.mark.parametrize("error", [Silent(), SystemExit(3)])
def test_whatever_apply_raises_is_an_ending(error: BaseException) -> None:
    result = run(do(raising(error)))

    assert result.outcome is Outcome.FAILED
    assert result.error is error
    assert result.audit.error is not None
    assert type(error).__name__ in result.audit.error


@pytest.mark.parametrize("error", [Silent(), SystemExit(3)])
def test_whatever_a_policy_raises_is_a_denial(error: BaseException) -> None:
    result = run(COUNT, policy(name="raising")(raising(error)))

    assert result.outcome is Outcome.BLOCKED
    (decision,) = result.ruling.decisions
    assert (decision.policy, decision.failed) == ("raising", True)
    assert type(error).__name__ in decision.reason


@pytest.mark.parametrize("hook", ["applies", "before", "after"])
@pytest.mark.parametrize("error", [Silent(), SystemExit(3)])
def test_whatever_an_observer_raises_is_kept_and_no_more(error: BaseException, hook: str) -> None:
    observer = Observer()
    setattr(observer, hook, raising(error))

    result = run(COUNT, observers=[observer])

    assert result.outcome is Outcome.COMMITTED
    (failure,) = result.observer_failures
    assert type(error).__name__ in failure


def test_a_batch_that_cannot_know_whether_it_was_cancelled_goes_no_further() -> None:
    engine = Engine(clock=Clock(), new_id=Ids())

    result: BatchResult[Any] = execute_batch(
        engine,
        [COUNT],
        Board(),
        context=context(),
        facts=Facts(AT),
        canceled=raising(RuntimeError("away")),
    )

    assert result.canceled
    assert result.results == ()


# What is answered.


@pytest.mark.parametrize("answer", [None, {"operation": "x"}])
def test_an_intent_that_is_none_is_named(answer: Any) -> None:
    class Vague(Do):
        @property
        def intent(self) -> Intent:
            return answer  # type: ignore[no-any-return]  # it is what is tried

    result = run(Vague(deed=COUNT.deed))

    assert isinstance(result.error, WrongType)
    assert "Vague.intent" in str(result.error)
    assert AuditEntry.model_validate_json(result.audit.model_dump_json()) == result.audit


def copied(**update: Any) -> PolicyDecision:
    return deny("no").model_copy(update=update)


@pytest.mark.parametrize("verdict", ["deny", "DENY", None, 0])
def test_a_denial_stays_one_however_its_verdict_is_written(verdict: Any) -> None:
    result = run(COUNT, policy(name="p")(lambda *_: copied(verdict=verdict)))

    assert result.outcome is Outcome.BLOCKED


@pytest.mark.parametrize(
    "update",
    [
        {"metadata": {"x": object()}},
        {"amendments": "x"},
        {"side_effects": ["x"]},
        {"reason": 7},
        {"requirements": (by_security().model_copy(update={"step": "late"}),)},
    ],
)
def test_a_decision_that_no_record_can_hold_is_a_denial(update: dict[str, Any]) -> None:
    rule = policy(name="p")(lambda *_: allow("yes").model_copy(update=update))

    result = run(COUNT, rule)

    assert result.outcome is Outcome.BLOCKED
    (decision,) = result.ruling.decisions
    assert decision.failed
    assert next(iter(update)) in decision.reason
    assert AuditEntry.model_validate_json(result.audit.model_dump_json()) == result.audit


def test_a_bare_permission_carries_nothing_from_run_to_run() -> None:
    def write(*_: Any) -> PolicyDecision:
        answer = allow()
        answer.metadata["note"] = "left here"
        return answer

    try:
        results = [run(COUNT, policy(name=name)(write)) for name in ("one", "two")]
        assert [r.ruling.decisions[0].metadata for r in results] == [{}, {}]
    finally:
        allow().metadata.clear()


def test_what_a_policy_demands_is_kept_as_it_was_said() -> None:
    demanded = by_security(2, title="Two of security")

    (decision,) = run(COUNT, policy(name="p")(lambda *_: require(demanded))).ruling.decisions

    assert decision.requirements == (demanded.model_copy(update={"demanded_by": ("p",)}),)


class Aliased(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    count: int = 1
    from_: str = Field(default="nowhere", alias="from")
    since: date = date(2026, 1, 5)


def test_a_state_with_an_alias_in_strict_mode_is_amended_like_any_other() -> None:
    amending = policy(name="p")(lambda *_: amend({"/from_": "Oslo"}))
    before = Aliased.model_validate({"from": "Rome"})

    result = run(COUNT, amending, state=before)

    assert result.state == before.model_copy(update={"count": 2, "from_": "Oslo"})


# Observers.


def test_the_time_that_observers_take_is_none_of_the_runs() -> None:
    clock = Clock()

    class Slow(Observer):
        def applies(self, intent: Any, context: Any) -> bool:
            clock.pass_by(60)
            return True

        def before(self, mutations: Any, run: Any) -> None:
            clock.pass_by(60)

    collector = Collector()
    result = run(COUNT, clock=clock, observers=[Slow(), collector])

    assert result.outcome is Outcome.COMMITTED
    assert result.metrics.total == collector.report().total.max == 0.0


def test_observers_see_the_end_of_a_run_that_never_came_back() -> None:
    collector = Collector()
    engine = Engine(clock=Clock(), new_id=Ids(), observers=[collector])

    engine.dropped(
        [COUNT],
        Board(),
        context=context(),
        facts=Facts(AT),
        subject=Subject(state_id="board/a"),
        records=[record(COUNT)],
        error=ExecutionTimeout(5.0, 6.0),
    )

    assert collector.report().outcomes == {"timed_out": 1}


def test_two_policies_of_one_name_are_refused_before_any_is_asked() -> None:
    asked = Notes()
    twins = [policy(name="twin")(lambda *_: asked.take(1) and allow()) for _ in range(2)]

    result = run(COUNT, *twins)

    assert isinstance(result.error, DefinitionError)
    assert "'twin'" in str(result.error)
    assert asked == []


def test_an_observer_cannot_move_the_deadline() -> None:
    class Moving(Observer):
        def before(self, mutations: Any, run: Any) -> None:
            run.timeout = 0

    result = run(COUNT, observers=[Moving()])

    assert result.outcome is Outcome.COMMITTED
    assert "Moving" in result.observer_failures[0]


def test_what_an_observer_makes_of_the_state_is_not_written() -> None:
    class Writing(Observer):
        def after(self, result: Any, run: Any) -> None:
            result.state.items.append("mine")

    result = run(COUNT, observers=[Writing()])

    assert result.document == {"count": 2, "items": ["a"], "limits": {"eu": [1]}}
    assert result.effect.changes.paths == ("/count",)


def test_an_observer_that_alters_the_mutation_makes_the_run_fail() -> None:
    class Altering(Observer):
        def before(self, mutations: Any, run: Any) -> None:
            mutations[0].tags.append("mine")

    assert isinstance(run(COUNT, observers=[Altering()]).error, InputAltered)


def test_no_secret_is_in_what_an_observer_raises() -> None:
    class Safe(BaseModel):
        model_config = ConfigDict(frozen=True)
        count: int = 1
        token: Annotated[str, Secret()] = "hunter2-hunter2"

    class Quoting(Observer):
        def after(self, result: Any, run: Any) -> None:
            raise ValueError(result.state.token)

    result = run(COUNT, state=Safe(), observers=[Quoting()])

    assert result.outcome is Outcome.COMMITTED
    assert result.observer_failures == ("Quoting: ValueError",)


def test_no_secret_is_in_the_title_of_an_alternative() -> None:
    class Safe(BaseModel):
        model_config = ConfigDict(frozen=True)
        count: int = 1
        token: Annotated[str, Secret()] = "hunter2-hunter2"

    def titled(needed: int) -> Any:
        demanded = by_security(needed, title="It is hunter2-hunter2")
        return policy(name=f"needs_{needed}")(lambda *_: require(demanded))

    result = run(COUNT, any_of(titled(1), titled(2), name="either"), state=Safe())

    assert "hunter2" not in result.audit.model_dump_json()
    assert "hunter2" not in result.ruling.model_dump_json()


# Deadline and cancellation are looked at in all places.


class Sluggish(BaseModel):
    """A state that takes its time to be read."""

    model_config = ConfigDict(frozen=True)

    count: int = 0

    @field_validator("count")
    @classmethod
    def take_time(cls, value: int) -> int:
        if value:
            CLOCK.pass_by(60)
        return value


CLOCK = Clock()


def test_what_is_late_only_because_its_state_is_slow_to_read_commits_nothing() -> None:
    result = run(do(lambda s, _: Sluggish.model_construct(count=1)), state=Sluggish(), clock=CLOCK)

    assert result.outcome is Outcome.TIMED_OUT
    assert isinstance(result.error, ExecutionTimeout)
    assert (result.state, result.history) == (None, None)


def test_a_cancellation_is_noticed_at_every_look_and_there_are_no_others() -> None:
    looks = count()
    assert run([COUNT, COUNT], canceled=lambda: next(looks) < 0).is_success
    number = next(looks)

    for at in range(number):
        asked = count()
        result = run([COUNT, COUNT], canceled=lambda at=at, asked=asked: next(asked) >= at)
        assert isinstance(result.error, ExecutionCanceled)
        assert (result.state, result.history) == (None, None)
    asked = count()
    assert run([COUNT, COUNT], canceled=lambda: next(asked) >= number).is_success


# What a run says of itself.


def test_the_size_of_the_state_is_measured_where_it_is_asked_for() -> None:
    assert run(COUNT).metrics.state_bytes is None

    result = run(COUNT, options=Options(detailed_metrics=True))

    assert result.metrics.state_bytes == len(b'{"count":2,"items":["a"],"limits":{"eu":[1]}}')


def test_the_digest_of_the_state_stands_in_the_audit_entry() -> None:
    known = digest(jsonable(Board()))

    assert run(COUNT, state_digest=known).audit.state_digest == known


def test_what_was_committed_replays_whatever_rules_were_asked() -> None:
    before = Board(items=["a"])
    result = run(COUNT, state=before)

    assert result.history is not None
    assert replay(jsonable(before), [result.history]) == result.document


@pytest.mark.parametrize("window", [0, -1])
def test_a_window_of_durations_holds_something(window: int) -> None:
    for made in (Durations, Collector):
        with pytest.raises(Exception, match="1 or more"):
            made(window)
