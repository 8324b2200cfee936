"""A requirement is what is demanded: neither its words nor who demands it are part of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import Requirement, Strategy, require
from core.errors import DefinitionError
from core.facts import Facts
from core.policy import policy
from core.requirements import RequirementKind, Who, united
from tests.core.builders import IncreaseQuota, by, by_ops, by_security, run


def test_the_id_is_independent_of_words_and_of_who_demands_it() -> None:
    plain = by_security()

    assert by_security(title="Two pairs of eyes").id == plain.id
    assert plain.model_copy(update={"demanded_by": ("policy",)}).id == plain.id
    assert Requirement.approval(roles=["SECURITY"], needed=1).id == plain.id


def test_the_id_is_independent_of_the_order_of_names() -> None:
    assert by("ben", "carl", needed=2).id == by("carl", "ben", needed=2).id


@pytest.mark.parametrize(
    "other",
    [
        {"kind": RequirementKind.REVIEW},
        {"who": Who(groups=("security",))},
        {"needed": 2},
        {"refusals": 2},
        {"refusals": None},
        {"step": 2},
        {"covers": ("/limit",)},
        {"duration": timedelta(days=1)},
        {"parameters": {"name": "tests"}},
    ],
    ids=str,
)
def test_the_id_says_what_is_demanded(other: dict[str, Any]) -> None:
    plain = by_security()
    before = plain.id

    assert plain.model_copy(update=other).id != before


def test_the_id_begins_with_the_kind_and_stays_what_it_is() -> None:
    """Grants hold on to it in stored requests: a changed form would void them all."""
    assert by_security().id == "approval-" + by_security().id.removeprefix("approval-")
    written = Requirement.model_validate_json(by_security(3, step=2).model_dump_json())
    assert written.id == by_security(3, step=2).id


def test_equal_requirements_of_several_policies_are_one_that_names_them_all() -> None:
    @policy()
    def first(mutation: object, state: object, context: object, facts: Facts) -> Any:
        return require(by_security(title="First"))

    @policy()
    def second(mutation: object, state: object, context: object, facts: Facts) -> Any:
        return require(by_security(title="Second", reason_required=True), by_ops())

    ruling = run(IncreaseQuota(amount=1), second, first).ruling
    one = {r.id: r for r in ruling.requirements}

    assert one.keys() == {by_security().id, by_ops().id}
    assert one[by_security().id].demanded_by == ("first", "second")
    assert one[by_security().id].reason_required
    assert one[by_ops().id].demanded_by == ("second",)


requirements = st.lists(
    st.builds(
        lambda needed, step, title, policy_: by_security(needed, step=step, title=title).model_copy(
            update={"demanded_by": (policy_,)}
        ),
        st.integers(1, 2),
        st.integers(1, 2),
        st.sampled_from(["", "a", "b"]),
        st.sampled_from("pq"),
    ),
    max_size=6,
)


@given(requirements, st.randoms(use_true_random=False))
def test_uniting_does_not_depend_on_the_order(demanded: list[Requirement], chance: Any) -> None:
    shuffled = list(demanded)
    chance.shuffle(shuffled)

    assert united(shuffled) == united(demanded)


@given(requirements, requirements)
def test_uniting_loses_nothing_and_is_united(
    demanded: list[Requirement], more: list[Requirement]
) -> None:
    once = united(demanded)

    assert {r.id for r in once} == {r.id for r in demanded}
    assert len({r.id for r in once}) == len(once)
    assert united(once) == once
    assert {r.id for r in united([*demanded, *more])} >= {r.id for r in once}
    assert [r.step for r in once] == sorted(r.step for r in once)


def test_an_approval_says_who_and_how_many() -> None:
    assert by("ben").needed == 1
    for wrong, sentence in [
        ({}, "names nobody"),
        ({"roles": ["security"]}, "there is no default"),
        ({"people": ["ben", "carl"]}, "there is no default"),
        ({"people": ["ben"], "needed": 2}, "2 approvals cannot come from user:ben"),
        ({"people": ["ben", "Ben"], "needed": 2}, "cannot come from"),
        ({"roles": ["security"], "needed": 0}, "at least one"),
        ({"people": ["ben"], "needed": 0}, "at least one"),
    ]:
        with pytest.raises(DefinitionError, match=sentence):
            Requirement.approval(**wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("name", ["people", "roles", "groups", "covers"])
def test_a_bare_text_is_no_list_of_names(name: str) -> None:
    """Python would take it letter by letter, and nobody would hold the role `s`."""
    given_: dict[str, Any] = {"roles": ["security"], "needed": 1, name: "/security"}

    with pytest.raises(DefinitionError, match=name):
        Requirement.approval(**given_)


@pytest.mark.parametrize("covers", [[], ["limit"], ["/limit", "plan"]])
def test_an_approval_covers_some_part_of_the_effect(covers: list[str]) -> None:
    with pytest.raises(DefinitionError, match="covers"):
        by_security(covers=covers)


@given(st.lists(st.none() | st.sampled_from(Strategy), max_size=4))
def test_the_strictest_of_the_strategies_named_wins(named: list[Strategy | None]) -> None:
    strictest = Strategy.strictest(named)

    given_ = [s for s in named if s is not None]
    assert strictest is (
        next(s for s in Strategy if s in given_) if given_ else Strategy.KEEP_IF_UNAFFECTED
    )
