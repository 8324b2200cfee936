"""Observers watch every run and alter none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from core import Engine, LoggingObserver, Mode, Observer, Outcome
from core.policy import deny, policy
from tests.core.builders import Clock, Ids, IncreaseQuota, Notes, Quota, doing, run

HOOKS = ("applies", "before", "after", "blocked", "invalid", "failed")


class Noting(Observer):
    """Writes down which hook was called."""

    def __init__(self, notes: Notes, name: str, order: int = 0) -> None:
        self.notes, self.name, self.order = notes, name, order

    def before(self, mutations: Sequence[Any], run: Any) -> None:
        self.notes.append(f"{self.name} before")

    def after(self, result: Any, run: Any) -> None:
        self.notes.append(f"{self.name} after")

    def blocked(self, result: Any, run: Any) -> None:
        self.notes.append(f"{self.name} blocked")

    def invalid(self, result: Any, run: Any) -> None:
        self.notes.append(f"{self.name} invalid")

    def failed(self, result: Any, run: Any) -> None:
        self.notes.append(f"{self.name} failed")


def watched_by(*observers: Observer) -> Engine:
    return Engine(clock=Clock(), new_id=Ids(), observers=observers)


def test_lower_order_goes_first_and_comes_back_last() -> None:
    notes = Notes()

    run(IncreaseQuota(amount=1), engine=watched_by(Noting(notes, "b", 2), Noting(notes, "a", 1)))

    assert notes == ["a before", "b before", "b after", "a after"]


def test_each_ending_has_its_hook() -> None:
    denying = policy(name="no")(lambda *_: deny("no"))
    ways: list[tuple[str, Any]] = [
        ("after", (IncreaseQuota(amount=1),)),
        ("blocked", (IncreaseQuota(amount=1), denying)),
        ("invalid", (IncreaseQuota(amount=-1),)),
        ("failed", (doing(lambda _: None),)),
    ]
    for expected, arguments in ways:
        notes = Notes()

        run(*arguments, engine=watched_by(Noting(notes, "a")))

        assert notes == ["a before", f"a {expected}"]


def test_who_does_not_apply_sees_nothing() -> None:
    notes = Notes()

    class OnlyCommits(Noting):
        def applies(self, intent: Any, context: Any) -> bool:
            return bool(context.mode is Mode.COMMIT)

    engine = watched_by(OnlyCommits(notes, "a"))
    run(IncreaseQuota(amount=1), mode=Mode.SIMULATE, engine=engine)
    assert notes == []
    run(IncreaseQuota(amount=1), engine=engine)
    assert notes == ["a before", "a after"]


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("amount", [1, -1])
def test_an_observer_that_raises_is_recorded_and_changes_nothing(hook: str, amount: int) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("blind")

    notes = Notes()
    blind = Noting(Notes(), "blind")
    setattr(blind, hook, broken)

    plain = run(IncreaseQuota(amount=amount))
    result = run(IncreaseQuota(amount=amount), engine=watched_by(blind, Noting(notes, "sees")))

    assert result.outcome is plain.outcome
    assert (result.state, result.audit) == (plain.state, plain.audit)
    assert len(notes) == 2
    called = hook in {"applies", "before"} or (hook == "after") == (amount == 1)
    if called and hook not in {"blocked", "failed"}:
        assert result.observer_failures == ("Noting: RuntimeError: blind",)
    else:
        assert result.observer_failures == ()


def test_observers_share_the_scratch_data_of_one_run_only() -> None:
    seen = Notes()

    class Timing(Observer):
        def before(self, mutations: Sequence[Any], run: Any) -> None:
            seen.append(dict(run.scratch))
            run.scratch["began"] = run.elapsed()

        def after(self, result: Any, run: Any) -> None:
            seen.append(dict(run.scratch))

    engine = watched_by(Timing())
    for _ in range(2):
        run(IncreaseQuota(amount=1), engine=engine)

    assert seen == [{}, {"began": 0.0}] * 2


def test_the_logging_one_writes_a_line_for_every_ending() -> None:
    lines = Notes()

    class Logger:
        def info(self, msg: str, *args: object) -> None:
            lines.append(msg % args)

    engine = watched_by(LoggingObserver(Logger()))
    run(IncreaseQuota(amount=1), engine=engine)
    run(IncreaseQuota(amount=-1), engine=engine)
    run(doing(lambda _: 1), engine=engine, state=Quota())

    assert lines[0] == "execution-1 increase on quota/acme: committed after 0.000000 s"
    assert [line.split()[4] for line in lines] == [
        Outcome.COMMITTED.value,
        Outcome.INVALID.value,
        Outcome.FAILED.value,
    ]
