"""What policies change after the mutation: together or not at all, and never in silence."""

from __future__ import annotations

import random
import time
from typing import Annotated, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import Field, JsonValue, RootModel

from core import (
    Engine,
    Identity,
    Intent,
    Mode,
    Mutation,
    Outcome,
    Severity,
    SideEffect,
    Verdict,
    amend,
    deny,
    policy,
    require,
)
from core.amendments import Amendment, amended
from core.changes import apply, diff
from core.digests import jsonable
from core.errors import DefinitionError, InvalidAmendment, InvalidValue, PolicyConflict
from core.facts import Facts
from core.governance.outcome import rejection_of
from core.history import replay
from core.model import Value
from core.options import STRICT
from core.policy import Policy, PolicyDecision
from core.result import ExecutionResult
from core.survey import survey
from tests.core.builders import AT, ChoosePlan, Clock, Ids, Quota, by_security, context, run
from tests.core.naive_policies import GONE, at, naively_amended


class Flag(Value):
    id: str
    state: str = "OFF"
    weight: int = 0


class Group(Value):
    name: str
    flags: Annotated[list[Flag], Identity("id")] = Field(default_factory=list)


class Config(Value):
    limit: int = Field(default=100, ge=0)
    plan: str = "free"
    limits: dict[str, int] = Field(default_factory=dict)
    flags: Annotated[list[Flag], Identity("id")] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    owner: str | None = None
    groups: Annotated[list[Group], Identity("name")] = Field(default_factory=list)


class Put(Mutation[Config]):
    """Sets fields of the state."""

    fields: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def intent(self) -> Intent:
        return Intent(operation="put")

    def apply(self, state: Config) -> Config:
        return Config.model_validate({**state.model_dump(), **self.fields})


BETA, GAMMA = Flag(id="beta"), Flag(id="gamma", weight=1)
BEFORE = Config(limits={"eu": 1, "us": 2}, flags=[BETA, GAMMA], tags=["a"])


def put(**fields: JsonValue) -> Put:
    return Put(fields=fields)


def saying(decision: PolicyDecision, name: str = "p", *, enforce: bool = True) -> Policy:
    return policy(name=name, enforce=enforce)(lambda *_: decision)


def amending(
    values: dict[str, Any] | None = None, *, name: str = "p", enforce: bool = True, **more: Any
) -> Policy:
    return saying(amend(values, **more), name, enforce=enforce)


def execute(
    mutations: Mutation[Config] | list[Put],
    *policies: Policy,
    mode: Mode = Mode.COMMIT,
    engine: Engine | None = None,
) -> ExecutionResult[Config]:
    return (engine or Engine(clock=Clock(), new_id=Ids())).execute(
        mutations, BEFORE, context=context(mode), facts=Facts(AT), policies=policies
    )


def state_of(result: ExecutionResult[Config]) -> Config:
    assert result.error is None, result.error
    assert result.outcome is Outcome.COMMITTED
    assert result.state is not None
    return result.state


def conflict_of(result: ExecutionResult[Any]) -> tuple[tuple[str, ...], str]:
    """Answer who conflicts where; nothing may have been kept."""
    assert isinstance(result.error, PolicyConflict), result.error
    assert result.outcome is Outcome.FAILED
    assert (result.state, result.document, result.history) == (None, None, None)
    return tuple(result.error.details["policies"]), result.error.details["path"]


def invalid_of(result: ExecutionResult[Any]) -> InvalidAmendment:
    assert isinstance(result.error, InvalidAmendment), result.error
    assert (result.outcome, result.state) == (Outcome.FAILED, None)
    return result.error


# What they do.


def test_an_amendment_is_made_after_the_mutation_and_is_part_of_the_effect() -> None:
    result = execute(put(limit=120), amending({"/plan": "pro"}))

    assert state_of(result) == BEFORE.model_copy(update={"limit": 120, "plan": "pro"})
    assert result.effect.changes.paths == ("/limit", "/plan")
    assert apply(jsonable(BEFORE), result.effect.changes) == result.document
    assert result.history is not None
    assert replay(jsonable(BEFORE), [result.history]) == result.document
    assert result.audit.effect_digest == result.effect.digest()


def test_an_amendment_is_made_after_all_mutations_of_a_batch() -> None:
    result = execute([put(plan="pro"), put(limit=120)], amending({"/owner": "ana"}))

    after = state_of(result)
    assert (after.plan, after.limit, after.owner) == ("pro", 120, "ana")


@pytest.mark.parametrize("mode", Mode)
def test_every_mode_amends_alike(mode: Mode) -> None:
    result = execute(put(limit=120), amending({"/plan": "pro"}), mode=mode)

    assert result.effect == execute(put(limit=120), amending({"/plan": "pro"})).effect


def test_an_amendment_may_be_the_only_change() -> None:
    result = execute(put(), amending({"/plan": "pro"}))

    assert result.effect.changes.paths == ("/plan",)
    assert result.history is not None


def test_an_amendment_may_leave_no_change() -> None:
    result = execute(put(limit=120), amending({"/limit": 100}, override=True))

    assert state_of(result) == BEFORE
    assert result.effect.changes.is_empty
    assert result.history is None


def test_what_is_removed_is_gone_or_back_at_its_default() -> None:
    removing = amending(remove=["/limits/eu", "/flags/beta", "/tags", "/limits/none"])

    after = state_of(execute(put(), removing))

    assert (after.limits, after.flags, after.tags) == ({"us": 2}, [GAMMA], [])


def test_side_effects_of_policies_follow_those_of_the_mutation_and_equal_ones_are_one() -> None:
    mail, page = SideEffect(contract="mail", payload={"to": "ana"}), SideEffect(contract="page")

    result = run(
        ChoosePlan(plan="pro"),
        amending(side_effects=[page, mail], name="b"),
        amending(side_effects=[mail], name="a"),
        amending(side_effects=[SideEffect(contract="never")], name="c", enforce=False),
    )

    assert [e.contract for e in result.effect.side_effects] == ["mail", "mail", "page"]
    assert [e.payload for e in result.effect.side_effects][:2] == [{"plan": "pro"}, {"to": "ana"}]
    assert result.history is not None
    assert result.history.side_effects == result.effect.side_effects


def test_what_observes_amends_nothing_and_is_recorded() -> None:
    result = execute(put(limit=120), amending({"/limit": 1, "/plan": "pro"}, enforce=False))

    assert state_of(result).limit == 120
    assert result.effect.changes.paths == ("/limit",)
    assert [a.path for a in result.audit.decisions[0].amendments] == ["/limit", "/plan"]


def test_an_amendment_may_demand_something_first() -> None:
    asking = amending({"/plan": "pro"}, requirements=[by_security()])

    blocked = execute(put(limit=120), asking)
    shown = execute(put(limit=120), asking, mode=Mode.SIMULATE)

    assert blocked.ruling.verdict is Verdict.REQUIRE
    assert (blocked.outcome, blocked.state) == (Outcome.BLOCKED, None)
    assert shown.effect.changes.paths == ("/limit", "/plan")


def test_nothing_is_amended_in_what_is_denied() -> None:
    result = execute(
        put(limit=120), amending({"/plan": "pro"}), saying(deny("no"), "no"), mode=Mode.SIMULATE
    )

    assert result.outcome is Outcome.BLOCKED
    assert result.effect.changes.is_empty


def test_strict_applies_the_mutation_twice_and_not_the_amendments() -> None:
    engine = Engine(clock=Clock(), new_id=Ids(), options=STRICT)
    mailing = amending({"/plan": "pro"}, side_effects=[SideEffect(contract="mail")])

    result = execute(put(limit=120), mailing, engine=engine)

    assert state_of(result).plan == "pro"
    assert len(result.effect.side_effects) == 1


def test_whoever_amends_is_named_in_the_decision() -> None:
    lying = amend({"/plan": "pro"})
    lying = lying.model_copy(
        update={"amendments": (lying.amendments[0].model_copy(update={"policy": "honest"}),)}
    )

    result = execute(put(), saying(lying, "liar"))

    assert [a.policy for a in result.ruling.amendments] == ["liar"]
    assert result.audit.decisions[0].reason == "set /plan"


# Lists.


def test_an_item_of_a_keyed_list_is_found_by_its_key() -> None:
    result = execute(put(), amending({"/flags/gamma/state": "ON"}))

    assert state_of(result).flags == [BETA, GAMMA.model_copy(update={"state": "ON"})]
    assert result.effect.changes.paths == ("/flags/gamma/state",)


def test_an_item_of_a_keyed_list_is_set_where_it_is_or_at_the_end() -> None:
    delta, off = Flag(id="delta"), Flag(id="beta", state="GONE")

    result = execute(put(), amending({"/flags/delta": delta, "/flags/beta": off}))

    assert state_of(result).flags == [off, GAMMA, delta]


def test_an_item_of_a_keyed_list_in_another_is_found_by_both_keys() -> None:
    group = Group(name="ops", flags=[BETA, GAMMA])
    before = BEFORE.model_copy(update={"groups": [Group(name="dev"), group]})

    after = amended(
        Config,
        jsonable(before),
        diff({}, {}),
        [Amendment(op="set", path="/groups/ops/flags/beta/state", value="ON")],
    ).state

    on = BETA.model_copy(update={"state": "ON"})
    assert after.groups == [Group(name="dev"), Group(name="ops", flags=[on, GAMMA])]


def test_a_name_with_a_slash_or_a_tilde_is_written_as_in_any_pointer() -> None:
    limits: dict[str, JsonValue] = {"a/b": 1, "c~1d": 2}

    after = state_of(execute(put(limits=limits), amending({"/limits/e~1f~0g": 3})))

    assert after.limits == {**limits, "e/f~g": 3}
    for path, name in (("/limits/a~1b", "a/b"), ("/limits/c~01d", "c~1d")):
        capping = amending({path: 9}, override=True)
        assert state_of(execute(put(limits=limits), capping)).limits == {**limits, name: 9}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/flags/delta", {"id": "epsilon"}),
        ("/flags/delta", {"state": "ON"}),
        ("/flags/beta", {"id": "gamma"}),
        ("/flags/beta/id", "delta"),
        ("/flags/beta", 7),
    ],
)
def test_an_item_of_a_keyed_list_carries_its_key(path: str, value: JsonValue) -> None:
    error = invalid_of(execute(put(), amending({path: value})))

    assert (error.details["policies"], error.details["path"]) == (["p"], path)
    assert error.message == (
        f"The amendment of 'p' to {path} cannot be made: an item of a keyed list carries its key."
    )


@pytest.mark.parametrize("path", ["/tags/0", "/tags/-"])
def test_a_list_without_identity_is_one_value(path: str) -> None:
    assert invalid_of(execute(put(), amending({path: "b"}))).message == (
        f"The amendment of 'p' to {path} cannot be made: "
        "the list at /tags is one value; set the whole."
    )
    assert state_of(execute(put(), amending({"/tags": ["b"]}))).tags == ["b"]


class Numbers(RootModel[list[int]]):
    pass


class Number(RootModel[int]):
    pass


class Flags(RootModel[Annotated[list[Flag], Identity("id")]]):
    pass


@pytest.mark.parametrize(
    ("state_type", "document", "path", "why"),
    [
        (Numbers, [1], "/0", "the list at the root is one value; set the whole"),
        (Number, 1, "/0", "the value at the root has no parts"),
        (Config, {"limit": 1}, "/limit/a/b", "the value at /limit has no parts"),
        (Config, {"flags": [{}]}, "/flags/a", "an item of the list at /flags has no 'id' of"),
        (Flags, [{"id": True}], "/a", "an item of the list at the root has no 'id' of its"),
        (Flags, [{"id": "a"}, {"id": "a"}], "/a", "an item of the list at the root has no 'id'"),
        (Flags, [7], "/a", "an item of the list at the root has no 'id' of its own"),
    ],
)
def test_where_a_path_cannot_lead_is_named(
    state_type: Any, document: JsonValue, path: str, why: str
) -> None:
    with pytest.raises(InvalidAmendment) as refused:
        amended(state_type, document, diff({}, {}), [Amendment(op="set", path=path, policy="p")])

    assert refused.value.message.startswith(f"The amendment of 'p' to {path} cannot be made: {why}")


def test_the_items_of_a_keyed_state_may_be_numbered() -> None:
    class Numbered(Value):
        id: int
        on: bool = False

    class All(RootModel[Annotated[list[Numbered], Identity("id")]]):
        pass

    found = amended(
        All, [{"id": 1}, {"id": 2}], diff({}, {}), [Amendment(op="set", path="/2/on", value=True)]
    )

    assert found.state.root == [Numbered(id=1), Numbered(id=2, on=True)]


def test_policies_may_amend_different_items_of_one_list() -> None:
    one = amending({"/flags/beta/weight": 5}, name="a")
    other = amending({"/flags/gamma/weight": 6}, name="b")

    assert [f.weight for f in state_of(execute(put(), one, other)).flags] == [5, 6]


# Conflicts.


def test_what_the_mutation_changed_differently_is_a_conflict() -> None:
    result = execute(put(limit=120), amending({"/limit": 110}, name="cap"))

    assert conflict_of(result) == (("cap",), "/limit")
    assert "the mutation" in str(result.error)
    assert result.audit.error == str(result.error)
    assert result.audit.effect is None


def test_to_put_back_what_the_mutation_changed_is_a_conflict() -> None:
    assert conflict_of(execute(put(limit=120), amending({"/limit": 100}))) == (("p",), "/limit")
    assert conflict_of(execute(put(limits={"us": 2}), amending({"/limits/eu": 1}))) == (
        ("p",),
        "/limits/eu",
    )


def test_above_and_below_what_the_mutation_changed_is_a_conflict() -> None:
    above = execute(put(limits={"eu": 9, "us": 2}), amending({"/limits": {"us": 2}}))
    below = execute(put(flags=[{"id": "new"}]), amending({"/flags/new/state": "ON"}))
    inside_what_went = execute(put(flags=[]), amending({"/flags/beta/state": "ON"}))

    assert conflict_of(above) == (("p",), "/limits/eu")
    assert conflict_of(below) == (("p",), "/flags/new")
    assert conflict_of(inside_what_went) == (("p",), "/flags/beta/state")
    assert str(inside_what_went.error) == (
        "What 'p' made of /flags/beta/state is not what the mutation made of it. "
        "Let the policy override, or deny."
    )


def test_what_keeps_what_the_mutation_made_of_an_item_is_no_conflict() -> None:
    on = {"id": "beta", "state": "ON", "weight": 5}
    mutation = put(flags=[{"id": "beta", "state": "ON"}, GAMMA.model_dump()])

    after = state_of(execute(mutation, amending({"/flags/beta": on})))

    assert after.flags == [Flag(id="beta", state="ON", weight=5), GAMMA]


def test_what_the_mutation_changed_alike_or_elsewhere_is_none() -> None:
    alike = amending({"/limit": 120}, remove=["/limits/eu"], name="a")
    above = amending({"/limits": {"us": 2, "cn": 3}}, name="b")

    after = state_of(execute(put(limit=120, limits={"us": 2}), alike, above))

    assert (after.limit, after.limits) == (120, {"us": 2, "cn": 3})


def test_policies_that_amend_one_path_differently_conflict() -> None:
    one, other = amending({"/plan": "pro"}, name="b"), amending({"/plan": "max"}, name="a")

    assert conflict_of(execute(put(), one, other)) == (("a", "b"), "/plan")
    assert conflict_of(execute(put(), one, amending(remove=["/plan"], name="c"))) == (
        ("b", "c"),
        "/plan",
    )


def test_a_policy_conflicts_with_one_that_wants_what_is_there_already() -> None:
    stay, go = amending({"/plan": "free"}, name="stay"), amending({"/plan": "pro"}, name="go")

    assert conflict_of(execute(put(), stay, go)) == (("go", "stay"), "/plan")


def test_above_and_below_each_other_policies_conflict() -> None:
    above = amending({"/limits": {"eu": 5}}, name="above")
    below = amending({"/limits/eu": 6}, name="below")
    removing = amending(remove=["/limits"], name="removing")

    assert conflict_of(execute(put(), above, below)) == (("above", "below"), "/limits")
    assert conflict_of(execute(put(), removing, below)) == (("below", "removing"), "/limits/eu")
    assert state_of(execute(put(), above, amending({"/limits/eu": 5}, name="x"))).limits == {
        "eu": 5
    }


def test_a_name_that_only_begins_alike_is_elsewhere() -> None:
    one, other = amending({"/limits": {}}, name="a"), amending({"/limit": 7}, name="b")

    after = state_of(execute(put(), one, other))

    assert (after.limits, after.limit) == ({}, 7)


def test_equal_amendments_of_several_policies_are_one() -> None:
    result = execute(
        put(), amending({"/plan": "pro"}, name="a"), amending({"/plan": "pro"}, name="b")
    )

    assert state_of(result).plan == "pro"


def test_a_boolean_is_no_number() -> None:
    class Switch(Value):
        on: bool | int = False

    one = Amendment(op="set", path="/on", value=True, policy="a")
    other = Amendment(op="set", path="/on", value=1, policy="b")

    with pytest.raises(PolicyConflict):
        amended(Switch, {"on": False}, diff({}, {}), [one, other])


def test_a_policy_can_conflict_with_what_it_says_of_another_mutation_of_the_batch() -> None:
    stamping = policy(name="stamp")(
        lambda mutation, *_: amend({"/owner": str(mutation.fields["limit"])})
    )

    result = execute([put(limit=1), put(limit=2)], stamping)

    assert conflict_of(result) == (("stamp",), "/owner")
    assert state_of(execute([put(limit=2), put(limit=2)], stamping)).owner == "2"


# Overriding.


def overridden(result: ExecutionResult[Config]) -> list[str]:
    return [i.message for i in result.issues if i.code == "overridden"]


def test_to_override_wins_over_the_mutation_and_approvers_are_warned() -> None:
    capping = amending({"/limit": 110}, override=True, name="cap")

    result = execute(put(limit=120), capping)

    assert state_of(result).limit == 110
    assert overridden(result) == ["The policy 'cap' overrides what the mutation made of /limit."]
    warning = result.issues[-1]
    assert (warning.path, warning.severity, warning.is_error) == (
        "/limit",
        Severity.WARNING,
        False,
    )
    assert result.audit.issues == result.issues
    assert execute(put(limit=120), capping, mode=Mode.SIMULATE).issues == result.issues


def test_to_override_wins_over_policies_that_do_not() -> None:
    plain = amending({"/plan": "pro", "/owner": "ben"}, name="a")
    winning = amending({"/plan": "max"}, override=True, name="b")

    result = execute(put(), plain, winning)

    assert (state_of(result).plan, state_of(result).owner) == ("max", "ben")
    assert overridden(result) == ["The policy 'b' overrides what the policy 'a' made of /plan."]


def test_everybody_who_is_overridden_is_named() -> None:
    agreeing = amending({"/limit": 120}, name="a")
    other = amending({"/limit": 120, "/plan": "pro"}, name="b")
    winning = amending({"/limit": 110}, override=True, name="c")

    result = execute(put(limit=120), agreeing, other, winning)

    (said,) = overridden(result)
    assert said == (
        "The policy 'c' overrides what the mutation and the policy 'a' and the policy 'b' "
        "made of /limit."
    )


def test_the_whole_state_can_be_overridden() -> None:
    result = execute(put(limit=120), amending({"": {"limit": 7}}, override=True, name="all"))

    assert state_of(result) == Config(limit=7)
    assert overridden(result) == ["The policy 'all' overrides what the mutation made of the whole."]


def test_to_override_removes_and_reaches_into_keyed_lists() -> None:
    mutation = put(limit=120, flags=[{"id": "beta", "state": "ON"}, GAMMA.model_dump()])
    result = execute(
        mutation,
        amending({"/flags/gamma/weight": 9}, remove=["/limits/eu"], override=True, name="a"),
    )

    after = state_of(result)
    assert after.flags == [Flag(id="beta", state="ON"), Flag(id="gamma", weight=9)]
    assert after.limits == {"us": 2}
    assert overridden(result) == []
    back = execute(mutation, amending({"/flags/beta/state": "OFF"}, override=True, name="b"))
    assert overridden(back) == [
        "The policy 'b' overrides what the mutation made of /flags/beta/state."
    ]
    gone = execute(put(limits={"eu": 5, "us": 2}), amending(remove=["/limits/eu"], override=True))
    assert state_of(gone).limits == {"us": 2}


def test_to_override_reaches_above_and_below() -> None:
    plain = amending({"/limits/eu": 5}, name="plain")
    above = amending({"/limits": {}}, override=True, name="above")
    below = amending({"/limits/eu": 6}, override=True, name="below")

    more = put(limits={"eu": 1, "us": 3})
    assert state_of(execute(more, plain, above)).limits == {}
    assert state_of(execute(put(), plain, below)).limits == {"eu": 6, "us": 2}


def test_two_that_override_differently_conflict() -> None:
    one = amending({"/limit": 110}, override=True, name="a")
    other = amending({"/limit": 90}, override=True, name="b")

    assert conflict_of(execute(put(limit=120), one, other)) == (("a", "b"), "/limit")


def test_who_overrides_excuses_nobody_else() -> None:
    winning = amending({"/limit": 110}, override=True, name="a")
    plain = amending({"/limit": 90}, name="b")

    assert conflict_of(execute(put(limit=120), winning, plain)) == (("b",), "/limit")


def test_nobody_is_warned_where_nothing_is_overridden() -> None:
    assert not overridden(execute(put(limit=120), amending({"/limit": 120}, override=True)))
    assert not overridden(execute(put(), amending({"/plan": "pro"}, override=True)))
    on = put(flags=[{"id": "beta", "state": "ON"}, GAMMA.model_dump()])
    assert not overridden(execute(on, amending({"/flags/beta/state": "ON"}, override=True)))
    alike = amending({"/plan": "pro", "/flags/beta/state": "ON"}, name="a")
    again = amending({"/plan": "pro", "/flags/beta/state": "ON"}, override=True, name="b")
    assert not overridden(execute(put(), alike, again))


def test_to_override_where_another_policy_left_no_place_is_a_conflict() -> None:
    removing = amending(remove=["/flags/beta"], name="a")
    inside = amending({"/flags/beta/state": "ON"}, override=True, name="b")

    assert conflict_of(execute(put(), removing, inside)) == (("a", "b"), "/flags/beta/state")


# What cannot be amended.


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"/limmit": 7}, "no such field"),
        ({"/flags/beta/colour": "red"}, "no such field"),
        ({"/nothing/here": 7}, "nothing at /nothing"),
        ({"/limit/deeper": 7}, "no parts"),
        ({"/limit": "many"}, "does not validate"),
        ({"/limit": -1}, "does not validate"),
        ({"/flags/delta/state": "ON"}, "nothing at /flags/delta"),
    ],
)
def test_what_the_state_has_no_place_for_is_refused(values: dict[str, Any], says: str) -> None:
    result = execute(put(), amending(values), amending({"/owner": "ana"}, name="other"))

    error = invalid_of(result)
    assert says in error.message
    assert error.details["policies"] == ["p"]


@pytest.mark.parametrize(
    ("values", "policies", "path"),
    [
        ({"/limit": -1}, ["p"], "/limit"),
        ({"/limits": {"eu": "many"}}, ["p"], "/limits/eu"),
        # pydantic counts the items of a list, so nobody in particular is at this path.
        ({"/flags/beta/weight": "heavy"}, ["other", "p"], "/flags/0/weight"),
    ],
)
def test_where_the_state_is_no_longer_valid_is_named(
    values: dict[str, Any], policies: list[str], path: str
) -> None:
    error = invalid_of(execute(put(), amending(values), amending({"/owner": "ana"}, name="other")))

    assert error.details == {"policies": policies, "path": path}
    assert "the Config does not validate then: " in error.message


def test_the_whole_state_can_be_set() -> None:
    after = state_of(execute(put(), amending({"": {"limit": 7}})))

    assert after == Config(limit=7)
    assert "does not validate" in invalid_of(execute(put(), amending({"": 7}))).message


def test_what_is_set_is_read_as_the_model_reads_it() -> None:
    result = execute(put(), amending({"/limit": "7"}))

    assert state_of(result).limit == 7
    assert result.effect.changes.changes[0].after == 7


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: amend({"limit": 7}), "'limit' is no JSON Pointer; begin it with a slash."),
        (lambda: amend({"/a~2": 7}), "'/a~2' is no JSON Pointer; begin it with a slash."),
        (lambda: amend(remove=["limit"]), "'limit' is no JSON Pointer; begin it with a slash."),
        (
            lambda: amend(remove="/limit"),
            "remove takes a list of paths, not the text '/limit' alone.",
        ),
        (lambda: amend(remove=[""]), "A state is never removed."),
        (
            lambda: amend({"/limit": 7}, remove=["/limit"]),
            "The path '/limit' is set as well.",
        ),
    ],
)
def test_a_path_that_is_none_is_refused_where_it_is_written(wrong: Any, sentence: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        wrong()
    assert str(refused.value) == sentence

    result = execute(put(), policy(name="wrong")(lambda *_: wrong()))
    no = rejection_of(result)
    assert no is not None
    assert (no.code, no.metadata["policies"]) == ("policy_failed", ["wrong"])


def test_a_value_that_no_document_can_hold_is_refused_where_it_is_written() -> None:
    with pytest.raises(InvalidValue):
        amend({"/limit": float("nan")})
    with pytest.raises(InvalidValue):
        amend(side_effects=[SideEffect(contract="mail", payload={"a": float("nan")})])


def test_to_amend_nothing_is_to_allow() -> None:
    assert amend().is_bare
    assert execute(put(limit=120), amending()).effect == execute(put(limit=120)).effect


# Laws, on documents of any form.


class Document(RootModel[dict[str, JsonValue]]):
    pass


names = st.sampled_from(["a", "b"])
values = st.recursive(
    st.integers(0, 2), lambda inner: st.dictionaries(names, inner, max_size=2), max_leaves=4
)
documents = st.dictionaries(names, values, max_size=2)
paths = st.lists(names, min_size=1, max_size=3).map(lambda tokens: "".join(f"/{t}" for t in tokens))
amendments = st.builds(
    Amendment,
    op=st.sampled_from(["set", "set", "remove"]),
    path=paths,
    value=values,
    override=st.sampled_from([False, False, True]),
    policy=st.sampled_from(["p", "q", "r"]),
).map(lambda a: a if a.op == "set" else a.model_copy(update={"value": None}))
several = st.lists(amendments, max_size=4)


def end(before: Any, after: Any, given_: list[Amendment]) -> Any:
    """Answer the amended document, or the error as type and text."""
    try:
        return amended(Document, after, diff(before, after), given_).document
    except (PolicyConflict, InvalidAmendment) as error:
        return type(error), str(error)


@given(documents, documents, several)
def test_amendments_agree_with_one_who_tries_every_order(
    before: Any, after: Any, given_: list[Amendment]
) -> None:
    changed = {c.path: GONE if c.op == "removed" else c.after for c in diff(before, after).changes}

    expected = naively_amended(after, changed, given_)

    found = end(before, after, given_)
    assert isinstance(found, tuple) if expected is GONE else found == expected


@given(documents, documents, several, st.randoms(use_true_random=False))
def test_the_order_of_amendments_never_changes_the_outcome(
    before: Any, after: Any, given_: list[Amendment], chance: random.Random
) -> None:
    shuffled = [*given_, *given_[:1]]
    chance.shuffle(shuffled)

    assert end(before, after, given_) == end(before, after, shuffled)


@given(documents, documents, several)
def test_what_is_amended_holds_and_the_rest_stays_as_the_mutation_left_it(
    before: Any, after: Any, given_: list[Amendment]
) -> None:
    found = end(before, after, given_)
    assume(not isinstance(found, tuple))

    for change in diff(after, found).changes:
        assert any(a.touches(change.path) for a in given_)
    if not any(a.override for a in given_):
        for change in diff(before, after).changes:
            assert at(found, change.path) == at(after, change.path), change


class Items(Value):
    items: Annotated[list[dict[str, Any]], Identity("id")] = Field(default_factory=list)


@pytest.mark.parametrize("make", ["leaves", "maps", "items"])
def test_ten_thousand_amendments_take_time_in_proportion(make: str) -> None:
    """Every other of them overrides what the mutation changed; the rest touches nothing of it."""

    def state(size: int, value: int) -> Any:
        if make == "items":
            return {"items": [{"id": f"key-{n}", "v": value, "w": 0} for n in range(size)]}
        if make == "maps":
            return {f"key-{n}": {"v": value, "w": 0} for n in range(size)}
        return {f"{part}-{n}": value if part == "v" else 0 for n in range(size) for part in "vw"}

    def path(n: int, part: str) -> str:
        return {
            "items": f"/items/key-{n}/{part}",
            "maps": f"/key-{n}/{part}",
            "leaves": f"/{part}-{n}",
        }[make]

    model: Any = Items if make == "items" else Document
    where = survey(model)

    def seconds(size: int) -> float:
        document = state(size, 1)
        changed = diff(state(size, 0), document, identity=where)
        wanted = [
            Amendment(op="set", path=path(n, part), value=2, override=part == "v", policy="p")
            for n in range(size // 2)
            for part in "vw"
        ]
        began = time.process_time()  # whatever else the machine does meanwhile
        found = amended(model, document, changed, wanted)
        took = time.process_time() - began
        assert len(diff(document, found.document, identity=where).changes) == len(wanted)
        assert len(found.issues) == size // 2
        return took

    small = min(seconds(1000) for _ in range(5))

    assert min(seconds(10_000) for _ in range(3)) < 40 * small


@given(
    st.lists(
        st.sampled_from(
            [
                amend({"/plan": "pro"}),
                amend({"/plan": "max"}),
                amend({"/plan": "max"}, override=True),
                amend({"/limit": 120}),
                amend({"/limit": 90}, override=True),
                amend(side_effects=[SideEffect(contract="mail")]),
                amend({"/plan": "pro"}, requirements=[by_security()]),
                require(by_security()),
                deny("no"),
            ]
        ),
        max_size=4,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_policies_never_changes_what_they_amend(
    said: list[PolicyDecision], chance: random.Random
) -> None:
    asked = [saying(each, f"p{i}") for i, each in enumerate(said)]
    shuffled = list(asked)
    chance.shuffle(shuffled)

    one, other = execute(put(limit=120), *asked), execute(put(limit=120), *shuffled)

    assert (one.outcome, one.audit, one.effect) == (other.outcome, other.audit, other.effect)


def test_a_quota_is_left_alone_by_the_amendments_of_others() -> None:
    assert run(ChoosePlan(plan="pro"), amending({"/limit": 5})).state == Quota(limit=5, plan="pro")
