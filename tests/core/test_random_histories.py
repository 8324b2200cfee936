"""The lifecycle agrees with a naive model on random histories, and keeps its laws on each."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.requirements import Requirement, Strategy, Who, either
from tests.core.histories import MANY, MAY, History, tell
from tests.core.naive import LONGEST, everything


def may_be(*times: int) -> st.SearchStrategy[timedelta | None]:
    """Answer one of some numbers of hours, or nothing."""
    return st.sampled_from([None, None, *(timedelta(hours=each) for each in times)])


escalations = st.sampled_from(
    [
        {},
        {},
        {"escalate_after": timedelta(hours=30), "escalate_to": Who(roles=("blue",))},
        {"escalate_after": timedelta(hours=60), "escalate_to": Who(roles=("red", "green"))},
    ]
)
approvals = st.builds(
    Requirement.approval,
    roles=st.sampled_from([("red",), ("green",), ("blue",), ("red", "green")]),
    needed=st.integers(1, 2),
    refusals=st.sampled_from([1, 2, None]),
    step=st.integers(1, 2),
    covers=st.sampled_from([("",), ("/a",), ("/b",)]),
    duration=st.sampled_from([None, None, timedelta(hours=50)]),
)
timed = st.builds(
    lambda escalation, **more: Requirement.approval(**more, **escalation),
    escalations,
    roles=st.sampled_from([("red",), ("green",), ("blue",)]),
    needed=st.integers(1, 2),
    refusals=st.sampled_from([1, 2, 2, None]),
    step=st.sampled_from([1, 1, 2]),
    covers=st.sampled_from([("",), ("/a",)]),
    duration=may_be(50, 100),
    lifetime=may_be(20, 45),
    remind_before=may_be(10, 80, 200),
)


def choices(
    inner: st.SearchStrategy[tuple[Requirement, ...]],
) -> st.SearchStrategy[tuple[Requirement, ...]]:
    """Make requirements of which one of several sets suffices."""
    sets = st.lists(inner, min_size=1, max_size=2).map(lambda each: sum(each, ()))
    return st.lists(sets, min_size=2, max_size=3).map(either)


def demands(
    approvals: st.SearchStrategy[Requirement],
) -> st.SearchStrategy[list[Requirement]]:
    """Make what is demanded: approvals, and choices of sets of them, one in the other."""
    plain = approvals.map(lambda r: (r,))
    return (
        st.lists(plain | plain | choices(plain | choices(plain)), min_size=1, max_size=3)
        .map(lambda sets: list({r.id: r for r in sum(sets, ())}.values()))
        .filter(lambda demanded: len(everything(demanded)) <= MANY)
    )


requirements, timed_requirements = demands(approvals), demands(timed)
values = st.sampled_from([1, 1, 1, 2])
people = st.sampled_from(list(MAY))
resolving = st.tuples(st.just("resolve"), st.integers(0, 1), values, values, st.none())
ordinary = st.one_of(
    st.tuples(st.just("grant"), people),
    st.just(("grant_all",)),
    resolving,
    resolving,
    st.tuples(st.just("resolve"), st.integers(0, 1), values, values, st.just([]) | requirements),
    st.tuples(st.sampled_from(["grant", "refuse", "withdraw"]), people),
)
ending = st.one_of(
    st.tuples(st.just("wait"), st.integers(0, 200)),
    st.tuples(st.sampled_from(["cancel", "refuse"]), people),
    st.tuples(st.sampled_from(["expire", "end"])),
)
steps = st.tuples(st.lists(ordinary, max_size=15), st.lists(ordinary | ending, max_size=10)).map(
    lambda halves: halves[0] + halves[1]
)
which = st.none() | st.integers(0, MANY - 1)
others = st.sampled_from([name for name in MAY if name != "ana"] * 5 + ["ana"])
handing = st.tuples(
    st.just("delegate"),
    others,
    st.sampled_from(["fay", "fay", "ben", "ana"]) | others,
    st.sampled_from([0, 5, 50, 50, 300, LONGEST + 1]),
    which,
)
passing = st.one_of(
    handing,
    handing,
    st.tuples(st.just("wait"), st.integers(1, 40)),
    st.tuples(st.just("pass_by"), st.integers(5, 50)),
    st.tuples(st.just("pass_by"), st.integers(5, 50)),
    st.just(("ring",)),
    st.tuples(st.just("grant"), others, which),
    st.tuples(st.just("grant"), others),
    st.tuples(st.just("stand_in"), others, st.just("fay") | others, which),
    st.tuples(st.just("stand_in"), others, st.just("fay") | others, which),
    st.tuples(st.sampled_from(["grant", "withdraw"]), others),
    st.tuples(st.just("refuse"), others, which),
    st.tuples(st.just("leave"), people.filter(lambda name: name != "ana")),
    resolving,
    st.tuples(
        st.just("resolve"), st.integers(0, 1), values, values, st.just([]) | timed_requirements
    ),
)
timed_steps = st.lists(passing, min_size=6, max_size=30)


@given(st.sampled_from(Strategy), requirements, values, values, steps)
def test_the_lifecycle_agrees_with_a_naive_model_on_random_histories(
    strategy: Strategy, demanded: list[Requirement], a: int, b: int, told: list[tuple[object, ...]]
) -> None:
    tell(History(strategy, demanded, a, b), told)


@given(st.sampled_from(Strategy), timed_requirements, values, values, timed_steps)
def test_what_time_brings_and_what_is_handed_on_agree_with_a_naive_model_on_random_histories(
    strategy: Strategy, demanded: list[Requirement], a: int, b: int, told: list[tuple[object, ...]]
) -> None:
    tell(History(strategy, demanded, a, b), told)
