"""The laws of a whole run, tried on states, mutations and policies that nobody thought of.

What holds of one part is tried where that part is tested; `docs/explanation/laws.md` names every
law with its test.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, create_model

from core import (
    Applied,
    Engine,
    Facts,
    Intent,
    Issue,
    Mode,
    Mutation,
    Options,
    Outcome,
    Severity,
    all_of,
    amend,
    any_of,
    first_decisive,
)
from core.audit import AuditEntry, Subject
from core.batch import execute_batch
from core.changes import Identity, apply
from core.digests import jsonable
from core.documents import same
from core.effects import SideEffect
from core.history import HistoryEntry, replay
from core.options import DEFAULT, STRICT
from core.policy import Policy, allow, deny, policy, require
from core.reading import read
from core.requirements import Strategy
from core.result import ExecutionResult
from core.secrets import HmacRedactor, redact
from core.survey import Secret, survey
from tests.core.builders import AT, Clock, Ids, Notes, by_ops, by_security, context

# States: models of any of these fields.


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Part(Frozen):
    on: bool = False
    share: int = 0


class Item(Frozen):
    id: str
    token: Annotated[str, Secret()] = ""
    parts: tuple[Part, ...] = ()


numbers = st.integers(-3, 3)
names = st.text("ab~/", max_size=2)
tokens = st.integers(0, 9).map("hush-{}".format)
parts = st.builds(Part, on=st.booleans(), share=numbers)
items = st.builds(Item, id=names, token=tokens, parts=st.lists(parts, max_size=2).map(tuple))

FIELDS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "by": (Annotated[str, Field(alias="from")], names),
    "count": (int, numbers),
    "day": (date, st.dates(date(2026, 1, 1), date(2026, 1, 3))),
    "either": (int | str, numbers | names),
    "items": (
        Annotated[list[Item], Identity("id")],
        st.lists(items, max_size=3, unique_by=lambda item: item.id),
    ),
    "limits": (dict[str, int], st.dictionaries(names, numbers, max_size=2)),
    "maybe": (str | None, st.none() | names),
    "order": (list[int], st.lists(numbers, max_size=3)),
    "part": (Part, parts),
    "parts": (dict[str, Part], st.dictionaries(names, parts, max_size=2)),
    "price": (Decimal, st.decimals("-1", "1", places=1)),
    "strictly": (Annotated[date, Field(strict=True)], st.dates(date(2026, 1, 1), date(2026, 1, 3))),
    "token": (Annotated[str, Secret()], tokens),
}


@cache
def model_of(fields: frozenset[str]) -> type[BaseModel]:
    """Answer the model that has these fields."""
    declared: dict[str, Any] = {name: (FIELDS[name][0], ...) for name in sorted(fields)}
    return create_model("State", __base__=Frozen, **declared)


# Mutations: they set some of the fields, and then do what they are made for.

Deed = Literal[
    "sets",
    "mails",
    "warns",
    "finds an error",
    "raises",
    "answers nothing",
    "answers a document",
    "is late",
    "is cancelled",
]
DEEDS: tuple[Deed, ...] = get_args(Deed)
HARMLESS: tuple[Deed, ...] = ("sets", "mails", "warns")

CLOCK = Clock()
CANCELED = Notes()


class Change(Mutation[BaseModel]):
    values: Annotated[dict[str, Any], Secret()]
    token: Annotated[str, Secret()] = "hush-0"
    deed: Deed = "sets"

    @property
    def intent(self) -> Intent:
        return Intent(operation=self.deed, tags=tuple(sorted(self.values)))

    def check(self, state: BaseModel) -> Iterable[Issue]:
        if self.deed in {"warns", "finds an error"}:
            severity = Severity.ERROR if self.deed == "finds an error" else Severity.WARNING
            yield Issue(code="found", message="", attempted=self.token, severity=severity)

    def apply(self, state: BaseModel) -> Any:
        match self.deed:
            case "raises":
                raise RuntimeError(f"cannot set {self.token}")
            case "answers nothing":
                return None
            case "answers a document":
                return jsonable(state)
            case "is late":
                CLOCK.pass_by(60)
            case "is cancelled":
                CANCELED.append(self)
        after = state.model_copy(update=self.values)
        if self.deed == "mails":
            return Applied(after, (SideEffect(contract="mail", payload={"n": len(self.values)}),))
        return after


# Policies: what a rule says, whoever is asked; and what is composed of such rules.


@dataclass(frozen=True)
class Rule:
    """A rule that always says the same, or what is composed of several."""

    says: str
    values: tuple[tuple[str, Any], ...] = ()
    override: bool = False
    enforce: bool = True
    parts: tuple[Rule, ...] = ()


SECURITY, OPS = by_security(), by_ops()
KINDS: dict[str, Any] = {"all_of": all_of, "any_of": any_of, "first_decisive": first_decisive}
GENTLE = ("allows", "asks security", "asks ops", "mails")
AMENDING = (*GENTLE, *["amends"] * 5)
SAYS = (*AMENDING, "denies", "raises", "answers nothing", "is late")


def _said(rule: Rule) -> Any:
    match rule.says:
        case "allows":
            return allow("fine")
        case "denies":
            return deny("no")
        case "raises":
            raise RuntimeError("hush-0")
        case "asks security":
            return require(SECURITY, strategy=Strategy.REJECT_STALE)
        case "asks ops":
            return require(OPS)
        case "mails":
            return amend(side_effects=[SideEffect(contract="note")])
        case "amends":
            return amend(dict(rule.values), override=rule.override)
        case "is late":
            CLOCK.pass_by(3)
            return allow()
    return None


def made(rule: Rule, name: str) -> Policy:
    """Make the policy."""
    if rule.says in KINDS:
        inner = [made(part, f"{name}.{n}") for n, part in enumerate(rule.parts)]
        composed: Policy = KINDS[rule.says](*inner, name=name, enforce=rule.enforce)
        return composed
    return policy(name=name, enforce=rule.enforce, timeout=2)(lambda *_: _said(rule))


def rules(fields: frozenset[str], says: Sequence[str]) -> st.SearchStrategy[Rule]:
    """Answer rules that say one of these things, and may amend these fields."""
    amendments = st.lists(
        st.sampled_from(sorted(fields)).flatmap(
            lambda name: st.tuples(st.just(f"/{name}"), FIELDS[name][1])
        ),
        min_size=1,
        max_size=2,
        unique_by=lambda each: each[0],
    ).map(tuple)
    enforce = st.sampled_from([True, True, True, False])
    leaves = st.builds(
        Rule,
        st.sampled_from(says),
        values=amendments,
        override=st.booleans(),
        enforce=enforce,
    )
    return leaves | st.builds(
        Rule,
        st.sampled_from(sorted(KINDS)),
        parts=st.lists(leaves, min_size=1, max_size=3).map(tuple),
        enforce=enforce,
    )


# Runs.


@dataclass(frozen=True)
class Attempt:
    """What is handed to the engine."""

    state: BaseModel
    mutations: tuple[Change, ...]
    rules: tuple[Rule, ...]
    fulfilled: frozenset[str]

    @property
    def policies(self) -> list[Policy]:
        return [made(rule, f"p{n}") for n, rule in enumerate(self.rules)]

    def then(self, deed: Deed) -> Attempt:
        """Answer the attempt with one more mutation, which does a deed."""
        more = (*self.mutations, Change(values={}, deed=deed))
        return Attempt(self.state, more, self.rules, self.fulfilled)


@st.composite
def attempts(
    draw: st.DrawFn,
    deeds: Sequence[Deed] = DEEDS,
    says: Sequence[str] = SAYS,
) -> Attempt:
    """Answer a state of a random model, changes of it, and policies about them."""
    fields = frozenset(draw(st.sets(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=4)))
    values = st.fixed_dictionaries({}, optional={name: FIELDS[name][1] for name in sorted(fields)})
    changes = st.builds(
        Change, values=values, token=tokens, deed=st.sampled_from(("sets", *HARMLESS, *deeds))
    )
    met = st.sampled_from([(SECURITY.id, OPS.id), (SECURITY.id, OPS.id), (OPS.id,), ()])
    return Attempt(
        model_of(fields).model_validate(
            {name: draw(FIELDS[name][1]) for name in sorted(fields)}, by_name=True
        ),
        tuple(draw(st.lists(changes, min_size=draw(st.sampled_from([0, 1, 1, 1])), max_size=3))),
        tuple(draw(st.lists(rules(fields, says), max_size=3))),
        frozenset(draw(met)),
    )


harmless = attempts(deeds=HARMLESS, says=AMENDING)
modes = st.sampled_from(list(Mode))
REDACTOR = HmacRedactor(b"0123456789abcdef0123456789abcdef")


def go(
    attempt: Attempt,
    mode: Mode = Mode.COMMIT,
    *,
    policies: Sequence[Policy] | None = None,
    options: Options = DEFAULT,
) -> ExecutionResult[BaseModel]:
    """Run the attempt at version 3."""
    CANCELED.clear()
    return engine(options).execute(
        attempt.mutations,
        attempt.state,
        context=context(mode),
        facts=Facts(AT, attempt.fulfilled),
        policies=attempt.policies if policies is None else policies,
        subject=Subject(state_id="states/s", version=3, request_id="r1"),
        canceled=lambda: bool(CANCELED),
    )


def engine(options: Options = DEFAULT) -> Engine:
    return Engine(clock=CLOCK, new_id=Ids(), options=options, redactor=REDACTOR)


def shown(state: BaseModel) -> Any:
    """Answer the document of a state as everybody may see it."""
    return redact(jsonable(state), survey(type(state)), REDACTOR)


# What a run predicts and does.


@given(attempts())
def test_a_commit_has_the_effect_that_its_simulation_predicts(attempt: Attempt) -> None:
    simulated, committed = go(attempt, Mode.SIMULATE), go(attempt)

    assert simulated.effect == committed.effect
    assert simulated.issues == committed.issues
    assert simulated.ruling == committed.ruling
    if committed.is_success:
        assert simulated.audit.effect_digest == committed.audit.effect_digest
    if simulated.outcome is Outcome.SIMULATED:
        unmet = simulated.ruling.unmet(attempt.fulfilled)
        assert committed.outcome is (Outcome.BLOCKED if unmet else Outcome.COMMITTED)
        assert committed.unmet == unmet
        assert committed.state == (None if unmet else simulated.state)
    else:
        assert committed.outcome is simulated.outcome
        assert committed.audit.error == simulated.audit.error


@given(attempts())
def test_validating_goes_as_far_as_simulating(attempt: Attempt) -> None:
    simulated, validated = go(attempt, Mode.SIMULATE), go(attempt, Mode.VALIDATE)

    if simulated.is_success:
        assert validated.outcome is Outcome.VALIDATED
        assert validated.effect == simulated.effect
        assert validated.state is None
    else:
        assert validated.outcome is simulated.outcome


@given(harmless)
def test_the_change_set_leads_from_before_to_after_and_back(attempt: Attempt) -> None:
    result = go(attempt, Mode.SIMULATE)

    if result.state is not None:
        before, after = shown(attempt.state), shown(result.state)
        assert same(apply(before, result.effect.changes), after)
        assert same(apply(after, result.effect.changes.inverse()), before)
        assert read(type(attempt.state), result.document) == result.state


@given(harmless)
def test_one_version_is_written_where_something_changed_and_none_where_nothing_did(
    attempt: Attempt,
) -> None:
    result = go(attempt)

    changed = result.state is not None and not same(jsonable(attempt.state), result.document)
    assert (result.history is not None) is changed
    if result.outcome is Outcome.COMMITTED:
        assert result.audit.version_after == 3 + changed
    if result.history is not None:
        assert result.history.version == 4
        assert result.history.changes == result.effect.changes


@given(harmless)
def test_the_history_of_any_steps_replays_to_what_is_shown_of_their_state(
    attempt: Attempt,
) -> None:
    CANCELED.clear()
    done = execute_batch(
        engine(),
        attempt.mutations,
        attempt.state,
        context=context(),
        facts=Facts(AT, attempt.fulfilled),
        policies=attempt.policies,
        stop_on_first_failure=False,
    )

    entries = [result.history for result in done.results if result.history is not None]
    read = [HistoryEntry.model_validate_json(entry.model_dump_json()) for entry in entries]
    assert [entry.version for entry in read] == list(range(1, done.version + 1))
    assert same(replay(shown(attempt.state), read, version=0), shown(done.state))


@given(harmless, st.lists(modes, max_size=3))
def test_to_apply_twice_makes_no_difference_where_nothing_is_impure(
    attempt: Attempt, asked: list[Mode]
) -> None:
    for mode in asked:
        once, twice = go(attempt, mode), go(attempt, mode, options=STRICT)

        assert (once.outcome, once.state, once.audit) == (twice.outcome, twice.state, twice.audit)


# Who decides.


@given(attempts(), st.randoms(use_true_random=False), modes)
def test_the_order_of_policies_never_changes_how_a_run_ends(
    attempt: Attempt, chance: random.Random, mode: Mode
) -> None:
    asked = attempt.policies
    shuffled = list(asked)
    chance.shuffle(shuffled)

    one, other = go(attempt, mode, policies=asked), go(attempt, mode, policies=shuffled)

    assert one.audit == other.audit
    assert (one.state, one.history, one.ruling) == (other.state, other.history, other.ruling)


@given(attempts(), modes)
def test_a_denial_lets_nothing_through_whatever_else_is_said_and_done(
    attempt: Attempt, mode: Mode
) -> None:
    no = policy(name="no")(lambda *_: deny("never"))

    result = go(attempt.then("sets"), mode, policies=[*attempt.policies, no])

    assert result.outcome is Outcome.BLOCKED
    assert (result.state, result.history) == (None, None)
    assert "no" in result.ruling.determined_by


@given(attempts(), modes)
def test_what_is_not_enforced_changes_nothing_but_what_is_shown(
    attempt: Attempt, mode: Mode
) -> None:
    watching = policy(name="watching", enforce=False)(
        lambda *_: deny("no").model_copy(update={"requirements": (SECURITY,)})
    )

    plain, watched = go(attempt, mode), go(attempt, mode, policies=[*attempt.policies, watching])

    assert (plain.outcome, plain.state) == (watched.outcome, watched.state)
    assert plain.effect == watched.effect
    assert plain.unmet == watched.unmet
    others = tuple(d for d in watched.ruling.decisions if d.policy != "watching")
    assert plain.ruling.decisions == others


# How a run ends.


@given(attempts(), modes)
def test_no_ending_but_success_yields_a_state(attempt: Attempt, mode: Mode) -> None:
    before = json.dumps(jsonable(attempt.state))

    result = go(attempt, mode)

    assert json.dumps(jsonable(attempt.state)) == before
    assert (result.state is not None) is (result.outcome in {Outcome.COMMITTED, Outcome.SIMULATED})
    assert (result.audit.version_after is not None) is (result.outcome is Outcome.COMMITTED)
    assert result.history is None or result.outcome is Outcome.COMMITTED
    assert (result.error is not None) is (
        result.outcome in {Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CANCELED}
    )


DENYING = Rule("denies")
WAYS: dict[Outcome, tuple[Mode, Deed, tuple[Rule, ...]]] = {
    Outcome.COMMITTED: (Mode.COMMIT, "sets", ()),
    Outcome.SIMULATED: (Mode.SIMULATE, "warns", ()),
    Outcome.VALIDATED: (Mode.VALIDATE, "mails", ()),
    Outcome.BLOCKED: (Mode.COMMIT, "sets", (DENYING,)),
    Outcome.INVALID: (Mode.COMMIT, "finds an error", ()),
    Outcome.FAILED: (Mode.COMMIT, "raises", ()),
    Outcome.TIMED_OUT: (Mode.COMMIT, "is late", ()),
    Outcome.CANCELED: (Mode.COMMIT, "is cancelled", ()),
}


def test_there_is_a_way_to_every_ending() -> None:
    assert WAYS.keys() == set(Outcome)


@pytest.mark.parametrize("outcome", Outcome)
@given(attempts(deeds=HARMLESS, says=GENTLE))
def test_g12_the_audit_entry_of_every_ending_is_whole(outcome: Outcome, attempt: Attempt) -> None:
    mode, deed, more = WAYS[outcome]
    everything = frozenset({SECURITY.id, OPS.id})
    asked = Attempt(attempt.state, attempt.mutations, (*attempt.rules, *more), everything).then(
        deed
    )

    result = go(asked, mode)

    audit = result.audit
    assert result.outcome is audit.outcome is outcome
    assert audit.execution_id == result.execution_id == "execution-1"
    assert audit.subject == Subject(state_id="states/s", version=3, request_id="r1")
    assert (audit.at, audit.version_before) == (AT, 3)
    assert [m.type for m in audit.mutations] == ["Change"] * len(asked.mutations)
    assert audit.intent == Intent.united([m.intent for m in asked.mutations])
    assert audit.context == context(mode)
    assert audit.facts == Facts(AT, everything).recorded()
    assert {d.policy for d in audit.decisions} == {f"p{n}" for n in range(len(asked.rules))}
    assert audit.issues == result.issues
    assert (audit.error is None) is (result.error is None)
    assert (audit.effect is not None) is outcome.is_success
    assert AuditEntry.model_validate_json(audit.model_dump_json()) == audit


@given(attempts(), modes)
def test_no_secret_is_in_what_is_written_however_a_run_ends(attempt: Attempt, mode: Mode) -> None:
    result = go(attempt, mode)

    written = [result.audit, *([result.history] if result.history else []), result.effect]
    if any(survey(type(each)).holds_secret for each in (attempt.state, *attempt.mutations)):
        assert all("hush" not in each.model_dump_json() for each in written)
