"""Many runs in a few figures, in bounded memory."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import Engine, Mode
from core.metrics import Collector, Durations, Report, Summary
from core.policy import allow, deny, policy
from tests.core.builders import Clock, Ids, IncreaseQuota, Quota, doing, run

seconds = st.floats(0, 1000, allow_nan=False)


def summary(*values: float, window: int = 4096) -> Summary:
    durations = Durations(window)
    for value in values:
        durations.add(value)
    return durations.summary()


@given(st.lists(seconds, min_size=1, max_size=50))
def test_the_figures_are_those_of_all_durations(values: list[float]) -> None:
    found = summary(*values)

    assert (found.count, found.min, found.max) == (len(values), min(values), max(values))
    assert found.mean == pytest.approx(sum(values) / len(values))
    assert found.min <= found.p50 <= found.p95 <= found.p99 <= found.max


@given(st.lists(seconds, min_size=1, max_size=300), st.sampled_from([50, 95, 99]))
def test_a_percentile_is_the_least_duration_that_so_many_do_not_exceed(
    values: list[float], per_cent: int
) -> None:
    found = getattr(summary(*values), f"p{per_cent}")

    assert found in values
    assert sum(v <= found for v in values) * 100 >= per_cent * len(values)
    assert sum(v < found for v in values) * 100 < per_cent * len(values)


def test_a_hundred_durations_have_the_percentiles_one_counts() -> None:
    assert summary(*range(100, 0, -1)) == Summary(
        count=100, min=1, mean=50.5, max=100, p50=50, p95=95, p99=99
    )


def test_nothing_counted_is_all_zeros() -> None:
    assert summary() == Summary()
    assert Collector().report() == Report()


def test_percentiles_are_of_the_newest_and_the_rest_of_all() -> None:
    found = summary(1000, *[1] * 10, window=10)

    assert (found.count, found.max, found.min) == (11, 1000, 1)
    assert (found.p50, found.p99) == (1, 1)


def test_memory_is_bounded() -> None:
    durations = Durations(window=10)

    for value in range(1000):
        durations.add(value)

    assert len(durations._newest) == 10
    assert durations.summary().count == 1000


# Collected by an observer.


def watched(clock: Clock) -> tuple[Engine, Collector]:
    collector = Collector()
    return Engine(clock=clock, new_id=Ids(), observers=[collector]), collector


def taking(clock: Clock, spent: float) -> Any:
    return doing(lambda _: clock.pass_by(spent) and Quota(limit=1))


def test_runs_are_summed_up_as_a_whole_and_by_stage() -> None:
    clock = Clock()
    engine, collector = watched(clock)
    slow = policy(name="slow")(lambda *_: clock.pass_by(0.5) and allow())

    for spent in (1.0, 3.0):
        run(taking(clock, spent), slow, engine=engine)

    report = collector.report()
    assert report.total == Summary(count=2, min=1.5, mean=2.5, max=3.5, p50=1.5, p95=3.5, p99=3.5)
    assert report.stages.keys() == {"apply", "changes", "check", "policies"}
    assert (report.stages["apply"].min, report.stages["apply"].max) == (1.0, 3.0)
    assert report.stages["policies"].mean == 0.5
    assert report.throughput == pytest.approx(2 / 5)


def test_a_stage_counts_the_runs_that_came_to_it() -> None:
    clock = Clock()
    engine, collector = watched(clock)
    never = policy(name="never")(lambda *_: deny("no"))

    run(taking(clock, 1), never, engine=engine)
    run(taking(clock, 1), engine=engine)

    report = collector.report()
    assert report.stages["policies"].count == 2
    assert report.stages["apply"].count == 1


def test_every_ending_is_counted() -> None:
    clock = Clock()
    engine, collector = watched(clock)
    never = policy(name="never")(lambda *_: deny("no"))

    run(IncreaseQuota(amount=1), engine=engine)
    run(IncreaseQuota(amount=1), engine=engine, mode=Mode.SIMULATE)
    run(IncreaseQuota(amount=1), never, engine=engine)
    run(IncreaseQuota(amount=-1), engine=engine)
    run(doing(lambda _: 1 / 0), engine=engine)
    run(taking(clock, 9), engine=engine)
    run(IncreaseQuota(amount=1), engine=engine, canceled=lambda: True)

    report = collector.report()
    assert report.total.count == 7
    assert report.outcomes == {
        "blocked": 1,
        "canceled": 1,
        "committed": 1,
        "failed": 1,
        "invalid": 1,
        "simulated": 1,
        "timed_out": 1,
    }


def test_throughput_is_from_the_beginning_of_the_first_to_the_end_of_the_last() -> None:
    clock = Clock()
    engine, collector = watched(clock)

    run(taking(clock, 1), engine=engine)
    assert collector.report().throughput == 1
    clock.pass_by(2)
    run(taking(clock, 1), engine=engine)

    assert collector.report().throughput == 0.5


def test_where_no_time_passed_there_is_no_throughput() -> None:
    engine, collector = watched(Clock())

    run(IncreaseQuota(amount=1), engine=engine)

    assert collector.report().throughput == 0
