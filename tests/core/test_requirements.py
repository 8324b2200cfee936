"""A requirement is what is demanded: neither its words nor who demands it are part of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core import Requirement, Strategy, require
from core.budgets import Budget
from core.calendars import Calendar, Window
from core.errors import DefinitionError
from core.facts import Facts
from core.governance import agenda, resolution
from core.governance.request import Status
from core.policy import policy
from core.requirements import BY_PEOPLE, LAST_STEP, LONGEST, RequirementKind, Who, either, united
from tests.core.builders import (
    AT,
    BEN,
    CARL,
    IncreaseQuota,
    assessment,
    by,
    by_ops,
    by_security,
    created,
    granted,
    run,
)


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


def test_two_instants_are_two_demands() -> None:
    """Else who waited for the earlier one would have met the later one."""
    asked = Requirement.schedule(not_before=AT)

    assert Requirement.schedule(not_before=AT + timedelta(seconds=1)).id != asked.id
    assert Requirement.schedule(not_before=AT.astimezone(ZoneInfo("UTC"))).id == asked.id


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


def test_a_review_says_who_and_how_many_and_wants_a_reason() -> None:
    review = Requirement.review(people=["eve"])

    assert (review.kind, review.needed, review.refusals) == (RequirementKind.REVIEW, 1, 1)
    assert review.reason_required
    for wrong, sentence in [
        ({}, "A review names nobody"),
        ({"roles": ["security"]}, "there is no default"),
        ({"people": ["ben"], "needed": 2}, "2 reviews cannot come from user:ben"),
    ]:
        with pytest.raises(DefinitionError, match=sentence):
            Requirement.review(**wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    "make", [by_security, lambda **more: Requirement.review(people=["eve"], **more)]
)
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"step": 0}, "A step is 1 to 999, not 0"),
        ({"step": LAST_STEP}, "A step is 1 to 999, not 1000"),
        ({"duration": timedelta(0)}, "duration: give more than nothing"),
        ({"lifetime": timedelta(seconds=-1)}, "lifetime: give more than nothing"),
        ({"remind_before": timedelta(0)}, "remind_before: give more than nothing"),
        (
            {"escalate_after": timedelta(0), "escalate_to": Who(roles=("ops",))},
            "escalate_after: give more than nothing",
        ),
        ({"escalate_after": timedelta(1)}, "needs both"),
        ({"escalate_to": Who(roles=("ops",))}, "needs both"),
    ],
    ids=str,
)
def test_its_times_are_more_than_nothing_and_an_escalation_is_whole(
    make: Any, wrong: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DefinitionError, match=sentence):
        make(**wrong)


@pytest.mark.parametrize(
    "other",
    [
        {"lifetime": timedelta(days=1)},
        {"remind_before": timedelta(days=1)},
        {"escalate_after": timedelta(days=1), "escalate_to": Who(roles=("ops",))},
        {"escalate_after": timedelta(days=1), "escalate_to": Who(roles=("board",))},
    ],
    ids=str,
)
def test_its_times_are_part_of_what_is_demanded(other: dict[str, Any]) -> None:
    ids = {by_security().id, by_security(**other).id, by_security(duration=timedelta(days=1)).id}
    assert len(ids) == 3
    swapped = {
        by_security(escalate_after=timedelta(days=1), escalate_to=Who(roles=("a", "b"))).id,
        by_security(escalate_after=timedelta(days=1), escalate_to=Who(roles=("b", "a"))).id,
    }
    assert len(swapped) == 1


def test_once_it_is_escalated_others_answer_it_as_well() -> None:
    both = Who(roles=("security", "board"))
    asked = by_security(escalate_after=timedelta(days=1), escalate_to=both)

    assert asked.answered_by() == ("role:security",)
    assert asked.answered_by(escalated=True) == ("role:security", "role:board")


def test_what_others_than_people_answer_says_what_it_needs() -> None:
    at = datetime(2026, 3, 1, 9, tzinfo=UTC)
    freeze = Window(start=at.replace(tzinfo=None), duration=timedelta(1), name="x")
    night = Calendar(freeze=(freeze,))
    small = Budget(limit=5, per="day")

    for requirement, words in [
        (Requirement.check("ci"), "check ci"),
        (Requirement.check("ci", title="Tests"), "Tests: check ci"),
        (Requirement.schedule(not_before=at), "not before 2026-03-01 09:00 UTC"),
        (
            Requirement.schedule(not_before=at, calendar="calendars/night"),
            "not before 2026-03-01 09:00 UTC and when calendars/night allows it",
        ),
        (Requirement.schedule(calendar=night), "when its calendar allows it (x)"),
        (Requirement.dependency("r2", "r1", "r2"), "r1, r2 executed"),
        (Requirement.dependency(*"abcde"), "a, b, c and 2 more executed"),
        (
            Requirement.quota("k", small, amount=2),
            f"2 of the budget k ({small.describe()})",
        ),
        (Requirement.quota("k", "budgets/k"), "1 of the budget k (as budgets/k says)"),
    ]:
        assert requirement.is_whole
        assert requirement.describe() == words
        assert Requirement.model_validate_json(requirement.model_dump_json()) == requirement
    assert Requirement.dependency("r2", "r1").id == Requirement.dependency("r1", "r2").id
    assert Requirement.quota("k", small).step == LAST_STEP
    assert Requirement.schedule(calendar=night).timing.calendar == night
    assert Requirement.quota("k", small).wanted.budget == small


WRONG: Any = [datetime]
"""What is neither names nor words nor JSON."""


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (Requirement.schedule, "A timing cannot be demanded so: give not_before, a calendar"),
        (
            lambda: Requirement.schedule(not_before=AT.replace(tzinfo=None)),
            "A timing cannot be demanded so: not_before: ",
        ),
        (lambda: Requirement.quota("", "budgets/k"), "A quota cannot be demanded so: key: "),
        (lambda: Requirement.quota("k", "budgets/k", amount=0), "so: amount: "),
        (Requirement.dependency, "names 1 to 200 requests, not 0"),
        (lambda: Requirement.dependency(*map(str, range(201))), "names 1 to 200 requests, not 201"),
        (lambda: Requirement.check("ci", step=LAST_STEP), "A step is 1 to 999"),
        (lambda: Requirement.check("ci", covers=["limit"]), "covers takes JSON Pointers"),
        (lambda: Requirement.check("ci", people="ben"), "people takes a list"),
        (
            lambda: Requirement.check("ci", duration=timedelta(0)),
            "duration: give more than nothing",
        ),
        (lambda: Requirement.dependency("r", duration=timedelta(0)), "duration: give more than"),
        (lambda: Requirement.quota("k", "b/k", duration=timedelta(0)), "duration: give more than"),
        (
            lambda: Requirement.schedule(calendar="c/n", duration=timedelta(0)),
            "duration: give more than",
        ),
        (lambda: Requirement.check(""), "A check has a name"),
        (lambda: Requirement.dependency(""), "dependency names no request in ''"),
        (lambda: Requirement.dependency("r1", ""), "dependency names no request in ''"),
        (lambda: Requirement.approval(people=[""]), "people names nobody in ''"),
        (lambda: Requirement.approval(people=WRONG), "A who cannot be demanded so: people.0: "),
        (lambda: Requirement.check("ci", roles=["ci", ""]), "roles names nobody in ''"),
        (lambda: Requirement.approval(roles=["ops"], needed=101), "so: needed: .* 100"),
        (lambda: Requirement.approval(roles=["ops"], needed=1, refusals=0), "so: refusals: .* 1"),
        (lambda: Requirement.review(roles=["ops"], needed=101), "so: needed: .* 100"),
        (lambda: Requirement.check("ci", title=WRONG), "so: title: "),
        (lambda: Requirement.check("ci", parameters={"n": float("nan")}), "no number nan"),
        (lambda: Requirement.check("ci", parameters={"n": "\ud800"}), "no canonical form"),
        (lambda: Requirement.check("ci", parameters={"n": WRONG}), "so: parameters"),
        (lambda: Requirement.dependency("\ud800"), "no canonical form"),
    ],
)
def test_what_cannot_be_demanded_is_refused_where_it_is_written(make: Any, sentence: str) -> None:
    with pytest.raises(DefinitionError, match=sentence):
        make()


NAMED: list[Callable[[str], Requirement]] = [
    lambda name: Requirement.approval(people=[name]),
    lambda name: Requirement.approval(roles=["ops", name], needed=1),
    lambda name: Requirement.review(groups=[name], needed=1),
    Requirement.check,
    lambda name: Requirement.check("ci", people=[name]),
    lambda name: Requirement.quota(name, "budgets/a"),
    lambda name: Requirement.quota("key", f"budgets/{name}"),
    lambda name: Requirement.schedule(calendar=f"calendars/{name}"),
    lambda name: Requirement.dependency("r1", name),
]


@pytest.mark.parametrize("make", NAMED)
@pytest.mark.parametrize("character", ["\0", "\n", "\x9f"])
def test_g9_a_name_that_not_every_store_can_look_for_is_refused_where_it_is_written(
    make: Callable[[str], Requirement], character: str
) -> None:
    code = f"U\\+{ord(character):04X}"
    with pytest.raises(
        DefinitionError, match=f"cannot be demanded so: .* character, such as {code}"
    ):
        make(f"a{character}b")

    assert make("a b").is_whole


def test_g9_nor_can_a_name_be_made_by_hand() -> None:
    for fields in (
        {"kind": "a\0"},
        {"kind": "quota", "parameters": {"key": "a\0"}},
        {"kind": "dependency", "parameters": {"requests": ["a\0"]}},
    ):
        with pytest.raises(ValidationError, match="control character"):
            Requirement.model_validate(fields)
    with pytest.raises(ValidationError, match="control character"):
        Who(roles=("a\0",))


def test_what_a_check_is_told_may_have_any_lines() -> None:
    given = {"script": "make\ntest\n", "name": "a\nb"}

    assert Requirement.check("ci", parameters=given).parameters["given"] == given


SPANS = ["duration", "lifetime", "remind_before", "escalate_after"]


def timed(name: str, span: timedelta) -> dict[str, Any]:
    escalates = {"escalate_to": Who(people=("eve",))} if name == "escalate_after" else {}
    return {name: span, **escalates}


@pytest.mark.parametrize("name", SPANS)
def test_g9_a_time_that_no_clock_reaches_is_refused_where_it_is_written(name: str) -> None:
    for span in (timedelta.max, LONGEST + timedelta(microseconds=1)):
        with pytest.raises(DefinitionError, match=f"{name}: .* at most 3650 days; .* never ends"):
            by_security(**timed(name, span))


@pytest.mark.parametrize("name", SPANS)
@pytest.mark.parametrize("span", [timedelta.min, timedelta(0), timedelta.max])
def test_g9_nor_can_it_be_made_by_hand(name: str, span: timedelta) -> None:
    with pytest.raises(ValidationError, match=f"{name}\n.* at most 3650 days"):
        Requirement(kind="approval", who=Who(roles=("security",)), **timed(name, span))


@pytest.mark.parametrize("name", SPANS)
@pytest.mark.parametrize("until", [timedelta(days=14), LONGEST])
def test_g9_with_the_longest_times_everything_still_has_its_moment(
    name: str, until: timedelta
) -> None:
    found = assessment(by_security(2, **timed(name, LONGEST)))
    request = resolution.assessed(created(expires_in=until), found, AT, own_deadline=True)
    once = granted(request, BEN)
    twice = granted(once, CARL)

    assert twice.status is Status.APPROVED
    for each in (request, once, twice):
        assert AT <= agenda.next_moment(each) <= AT + until
        assert agenda.next_moment(agenda.ring(each, AT)) == AT + until
        assert agenda.lapse(each, AT) == each


def test_alternatives_are_told_by_their_title_where_they_have_one() -> None:
    (choice,) = either([[by_security()], [by_ops()]])

    assert choice.is_whole
    assert choice.describe() == "either 1 of role:security; or 1 of group:ops"
    assert choice.model_copy(update={"title": "Either team"}).describe() == "Either team"


def test_a_check_is_bound_to_the_effect_or_to_the_mutation() -> None:
    assert Requirement.check("ci").is_bound_to_effect
    assert not Requirement.check("ci", bound_to="mutation").is_bound_to_effect
    assert by_security().is_bound_to_effect
    assert not Requirement.dependency("r1").is_bound_to_effect


@pytest.mark.parametrize("kind", [*RequirementKind, "seance"])
def test_what_a_policy_makes_by_hand_and_does_not_finish_can_be_met_by_nothing(kind: str) -> None:
    made = Requirement(kind=kind, parameters={"nothing": True})

    assert made.is_whole is (kind in BY_PEOPLE)
    assert made.model_copy(update={"title": "By hand"}).describe().startswith("By hand")


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


@pytest.mark.parametrize("parameters", [{"key": 5}, {"requests": [5, None]}, {"requests": "r"}])
def test_g10_a_name_that_is_no_text_is_left_to_block(parameters: dict[str, Any]) -> None:
    assert not Requirement(kind="quota", parameters=parameters).is_whole
