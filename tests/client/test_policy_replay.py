"""Today's policies on recorded evaluations: what they were told then, and what they say now."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.assess import Assessing, after
from activities.execute import Executing
from activities.outside import Outside
from client.cli.exits import ExitCode
from client.policy_replay import Replayed, replay
from core import (
    Domain,
    Domains,
    Issue,
    Policy,
    PolicyDecision,
    Requirement,
    SideEffect,
    Strategy,
    all_of,
    allow,
    amend,
    any_of,
    deny,
    policy,
    require,
)
from core.facts import Fact
from core.governance.lifecycle import submit
from core.governance.request import Status, Wish, WishedMutation
from core.history import HistoryEntry
from store import MemoryStore, open_store
from store.protocol import Store
from tests.client.desk import Desk
from tests.support import box
from tests.support.people import PEOPLE
from wire.asks import AssessRequest, ExecuteMutation

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@policy()
def loose(*_: Any) -> PolicyDecision:
    return allow()


@policy()
def no_puts(mutation: Any, *_: Any) -> PolicyDecision:
    return deny("Nothing is put.") if isinstance(mutation, box.Put) else allow()


@policy(enforce=False)
def nothing_at_all(*_: Any) -> PolicyDecision:
    return deny("Nothing is done.")


@policy()
def below_two(_: Any, state: box.Box, *__: Any) -> PolicyDecision:
    return deny("There are two.") if state.numbers.get("x", 0) >= 2 else allow()


@policy()
def one_approves(*_: Any) -> PolicyDecision:
    return require(Requirement.approval(roles=["approver"], needed=1))


@policy()
def closed_in_spring(_m: Any, _s: Any, _c: Any, facts: Any) -> PolicyDecision:
    return deny("It is spring.") if 3 <= facts["at"].month <= 5 else allow()


def under(limit: float) -> Policy:
    @policy(name="under_load")
    def rule(_m: Any, _s: Any, _c: Any, facts: Any) -> PolicyDecision:
        return deny(f"The load is {facts['load']}.") if facts["load"] > limit else allow()

    return rule


@policy()
def overloaded(_m: Any, _s: Any, _c: Any, facts: Any) -> PolicyDecision:
    return deny("Too much.") if facts.get("load", 0) > 0.8 else allow()


def unasked(_: object) -> float:
    raise AssertionError("nobody is asked in a replay")


def wished(type_: str, **parameters: Any) -> WishedMutation:
    return WishedMutation(type=type_, parameters=parameters)


def boxes(*policies: Policy, **more: Any) -> Domain[box.Box]:
    return box.make(policies=policies, **more)


same, stricter = boxes(loose), boxes(loose, no_puts)


class Year:
    """A record that a worker made, at the times that a test says."""

    def __init__(self, store: Store, domain: Domain[box.Box] | None = None) -> None:
        self.store = store
        self._outside = Outside(
            store=store,
            domains=Domains([domain or same]),
            directory=lambda: PEOPLE,
            client=cast("Client", None),
        )

    def make(
        self,
        request_id: str,
        type_: str = "Add",
        *,
        on: str = "a",
        at: datetime = NEW_YEAR,
        **parameters: Any,
    ) -> None:
        """Assess a request and execute it where it demands nothing."""
        given = {"key": "x", **({"value": 1} if type_ == "Put" else {}), **parameters}
        self.ask(request_id, wished(type_, **given), on=on, at=at)

    def ask(
        self, request_id: str, *mutations: WishedMutation, on: str = "a", at: datetime = NEW_YEAR
    ) -> None:
        """Do the same with a batch."""
        wish = Wish(state_id=f"box/{on}", mutations=mutations, actor_id="ana")
        request = submit(request_id, wish, at, expires_in=timedelta(days=14))
        run = ActivityEnvironment().run
        ask = AssessRequest(request=request, at=at, fence=1)
        request = after(ask, run(Assessing(self._outside).assess_request, ask))
        if request.status is Status.APPROVED:
            asked = ExecuteMutation(request=request, at=at, fence=2)
            run(Executing(self._outside).execute_mutation, asked)

    def replayed(self, domain: Domain[Any], **more: Any) -> list[Replayed]:
        return list(replay(self.store, domain, **more))

    def changed(self, domain: Domain[Any], **more: Any) -> list[str | None]:
        """Answer the requests of which one evaluation, or more, would be decided otherwise."""
        return sorted({r.request_id for r in self.replayed(domain, **more) if r.changed}, key=str)


@pytest.fixture
def year() -> Year:
    return Year(MemoryStore())


def test_the_same_policies_say_the_same(year: Year) -> None:
    year.make("r1")
    year.make("r2", "Put", on="b")

    found = year.replayed(same)

    assert [(r.request_id, r.mode.value) for r in found] == [
        ("r1", "simulate"),
        ("r1", "commit"),
        ("r2", "simulate"),
        ("r2", "commit"),
    ]
    assert not any(r.changed or r.problem for r in found)
    assert all(r.then == r.now for r in found)


def test_a_policy_of_today_is_asked_about_what_was_asked_then(year: Year) -> None:
    year.make("r1")
    year.make("r2", "Put")

    found = [r for r in year.replayed(stricter) if r.changed]

    assert {r.request_id for r in found} == {"r2"}
    assert [r.then.verdict.value for r in found if r.then] == ["allow", "allow"]
    for each in found:
        assert each.now is not None
        assert each.now.verdict.value == "deny"
        assert each.now.policies == ("no_puts",)
        assert each.now.reasons == ("Nothing is put.",)
        assert each.mutations == ("Put",)


def test_a_demand_that_was_not_made_is_a_change(year: Year) -> None:
    year.make("r1")

    (first, *_) = year.replayed(boxes(loose, one_approves))

    assert first.changed
    assert first.now is not None
    assert first.now.requirements == ("1 of role:approver",)


def test_amendments_that_conflict_today_are_a_refusal(year: Year) -> None:
    @policy()
    def one(*_: Any) -> PolicyDecision:
        return amend({"/numbers/z": 1})

    @policy()
    def two(*_: Any) -> PolicyDecision:
        return amend({"/numbers/z": 2})

    year.make("r1")

    (found, _) = year.replayed(boxes(one, two))

    assert found.changed
    assert found.now is not None
    assert (found.now.verdict.value, found.now.policies) == ("deny", ("one", "two"))
    assert "amend /numbers/z differently" in found.now.reasons[0]


@policy(name="one")
def sets_one(*_: Any) -> PolicyDecision:
    return amend({"/numbers/z": 1})


@policy(name="two")
def sets_two(*_: Any) -> PolicyDecision:
    return amend({"/numbers/z": 2})


@policy(name="one")
def overrides(*_: Any) -> PolicyDecision:
    return amend({"/numbers/z": 1}, override=True)


@policy(name="one")
def sets_x(*_: Any) -> PolicyDecision:
    return amend({"/numbers/x": 7})


@policy(name="one")
def sets_nowhere(*_: Any) -> PolicyDecision:
    return amend({"/nothing": 7})


@policy(name="one")
def sets_both(mutation: Any, *_: Any) -> PolicyDecision:
    return amend({"/numbers/z": 1 if isinstance(mutation, box.Add) else 2})


@pytest.mark.parametrize(
    ("then", "who", "sentence"),
    [
        ((sets_one, sets_two), ("one", "two"), "The policies 'one' and 'two' amend /numbers/z"),
        ((sets_x, sets_two), ("one",), "What 'one' made of /numbers/x is not what the mutation"),
        ((sets_both, loose), ("one",), "The policy 'one' amends /numbers/z in two ways"),
        ((sets_nowhere, sets_two), ("one",), "The amendment of 'one' to /nothing cannot be made"),
    ],
)
def test_amendments_that_could_not_be_made_then_were_a_refusal_and_can_be_tried_again(
    then: tuple[Policy, ...], who: tuple[str, ...], sentence: str
) -> None:
    year = Year(MemoryStore(), boxes(*then))
    year.ask("r1", wished("Add", key="x"), wished("Put", key="y", value=1))

    (same_again,) = year.replayed(boxes(*then))
    (mended,) = year.replayed(boxes(overrides, sets_two))

    assert not same_again.changed
    assert same_again.then == same_again.now
    assert mended.problem is None
    assert mended.changed
    assert (mended.then and mended.then.verdict.value, mended.then and mended.then.policies) == (
        "deny",
        who,
    )
    assert mended.then is not None
    assert mended.then.reasons[0].startswith(sentence)
    assert mended.now is not None
    assert (mended.now.verdict.value, mended.now.policies) == ("allow", ("one", "two"))


def test_what_is_denied_then_and_now_is_no_change_whatever_is_demanded_besides(year: Year) -> None:
    year = Year(MemoryStore(), stricter)
    year.make("r1", "Put")

    assert year.changed(boxes(no_puts, one_approves, sets_two)) == []


# What comes of a request that is let pass.


@policy()
def caps(_: Any, state: box.Box, *__: Any) -> PolicyDecision:
    return amend({"/numbers/x": 1}, override=True, reason="One is enough.")


MANY = dict.fromkeys(map(str, range(100, 200)), 1)
WRITTEN = "{" + ",".join(f'"{name}":1' for name in MANY) + "}"


@policy()
def fills(*_: Any) -> PolicyDecision:
    return amend({"/numbers": MANY}, override=True)


@policy()
def tells(*_: Any) -> PolicyDecision:
    return amend(side_effects=[SideEffect(contract="box.changed")])


@policy()
def never_stale(*_: Any) -> PolicyDecision:
    return require(strategy=Strategy.REJECT_STALE)


@policy()
def as_by_default(*_: Any) -> PolicyDecision:
    return require(strategy=Strategy.KEEP_IF_UNAFFECTED)


@pytest.mark.parametrize(
    ("today", "words"),
    [
        (caps, ("One is enough.", "set /numbers/x to 1, overriding")),
        (sets_two, ("set /numbers/z to 2",)),
        (fills, (f"set /numbers to {WRITTEN[:97]}..., overriding",)),
        (tells, ("tell box.changed",)),
        (never_stale, ("on drift reject_stale",)),
    ],
)
def test_what_policies_let_pass_otherwise_is_a_change(
    year: Year, today: Policy, words: tuple[str, ...]
) -> None:
    year.make("r1", amount=5)

    (first, second) = year.replayed(boxes(loose, today))

    assert (first.changed, second.changed) == (True, True)
    assert first.then is not None
    assert first.now is not None
    assert (first.then.verdict, first.now.verdict) == ("allow", "allow")
    assert (first.then.reasons, first.now.reasons) == ((), words)


def test_an_amendment_that_makes_no_difference_is_no_change(year: Year) -> None:
    year.make("r1", amount=1)

    assert year.changed(boxes(loose, caps)) == []
    assert year.changed(boxes(loose, as_by_default)) == []


def test_what_another_policy_amends_alike_is_no_change() -> None:
    @policy()
    def another(*_: Any) -> PolicyDecision:
        return amend({"/numbers/z": 2})

    year = Year(MemoryStore(), boxes(sets_two))
    year.make("r1")

    assert year.changed(boxes(another)) == []
    assert year.changed(boxes(loose)) == ["r1"]


def test_what_the_mutation_of_today_makes_otherwise_is_no_word_of_a_policy(year: Year) -> None:
    class Doubled(box.Add):
        type_name = "Add"

        def apply(self, state: box.Box) -> box.Box:
            return box.Box(numbers={self.key: 2 * self.amount})

    year.make("r1")

    assert year.changed(boxes(loose, mutations=(Doubled, box.Put))) == []


def test_a_policy_that_only_observes_changes_nothing(year: Year) -> None:
    year.make("r1")

    assert year.changed(boxes(loose, nothing_at_all)) == []


def test_policies_are_told_the_state_of_then(year: Year) -> None:
    for number in range(4):
        year.make(f"r{number}")

    found = year.replayed(boxes(loose, below_two))

    assert {(r.request_id, r.version) for r in found if r.changed} == {("r2", 2), ("r3", 3)}


def test_every_state_is_walked_back_to_what_it_was() -> None:
    seen: list[tuple[str, int]] = []

    @policy()
    def sees(_: Any, state: box.Box, *__: Any) -> PolicyDecision:
        seen.append((state.model_dump_json(), len(state.numbers)))
        return allow()

    chance = random.Random(7)
    domain = boxes(sees)
    year = Year(MemoryStore(), domain)
    for number in range(60):
        type_ = chance.choice(["Add", "Put"])
        year.make(
            f"r{number}",
            type_,
            on=chance.choice("ab"),
            at=NEW_YEAR + timedelta(hours=number),
            key=chance.choice("xyz"),
        )
    then = sorted(seen)
    seen.clear()

    found = year.replayed(domain)

    assert not any(r.problem for r in found)
    assert len(found) == 120
    assert sorted(seen) == then


def test_policies_are_told_the_time_of_then(year: Year) -> None:
    for month in (1, 4, 12):
        year.make(f"r{month}", at=datetime(2026, month, 1, tzinfo=UTC))

    assert year.changed(boxes(loose, closed_in_spring)) == ["r4"]


def test_policies_are_told_the_facts_of_then_and_nobody_is_asked() -> None:
    loads = iter([0.2, 0.2, 0.7, 0.7])
    year = Year(MemoryStore(), boxes(under(0.9), facts=[Fact("load", lambda _: next(loads))]))
    year.make("calm")
    year.make("busy")

    assert year.changed(boxes(under(0.5), facts=[Fact("load", unasked)])) == ["busy"]


def test_a_fact_that_was_missing_is_missing_again() -> None:
    year = Year(MemoryStore(), boxes(under(0.9), facts=[Fact("load", unasked, retries=0)]))
    year.make("r1")

    (found,) = year.replayed(boxes(under(0.9), facts=[Fact("load", unasked)]))

    assert found.then == found.now
    assert found.then is not None
    assert found.then.verdict.value == "deny"
    assert "'load' is missing" in found.then.reasons[0]


def test_a_fact_that_is_not_looked_up_any_more_is_missing_as_it_is_in_the_engine() -> None:
    year = Year(MemoryStore(), boxes(under(0.9), facts=[Fact("load", lambda _: 0.5)]))
    year.make("r1")

    others = Fact("load", unasked, applies_to=(box.Put,))

    for facts in ((), (others,)):
        (found, _) = year.replayed(boxes(under(0.9), facts=facts))
        assert found.changed
        assert found.now is not None
        assert found.now.verdict.value == "deny"
        assert "'load' is missing" in found.now.reasons[0]


def test_what_nobody_looks_up_then_or_today_is_missing_as_it_is_in_the_engine(year: Year) -> None:
    year.make("r1")

    assert year.changed(boxes(overloaded)) == []
    assert year.changed(boxes(under(0.9))) == ["r1"]
    assert year.changed(
        boxes(under(0.9), facts=[Fact("load", unasked, applies_to=(box.Put,))])
    ) == ["r1"]


Read = Callable[[Any], object]
READS: tuple[Read, ...] = (
    lambda facts: facts["load"],
    lambda facts: facts.get("load", 0) > 0.8,
    lambda facts: facts.get("load"),
    lambda facts: "load" in facts,
    lambda facts: "load" in facts.keys(),  # noqa: SIM118 - another way to ask
    lambda facts: facts.missing.get("load"),
    lambda facts: dict(facts).get("load", 0),
    len,
)


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("denies", [False, True])
def test_whoever_asks_in_whatever_way_for_what_was_not_looked_up_then_is_not_answered_for(
    year: Year, read: Read, denies: bool
) -> None:
    @policy()
    def reads(_m: Any, _s: Any, _c: Any, facts: Any) -> PolicyDecision:
        read(facts)
        return deny("It is unknown.") if denies else allow()

    year.make("r1")

    for today in (reads, any_of(reads, loose, name="either"), all_of(loose, reads, name="all")):
        for found in year.replayed(boxes(today, facts=[Fact("load", unasked)])):
            assert found.problem == "Policies need what was not looked up then: load."
            assert (found.changed, found.now) == (False, None)


def test_what_was_not_looked_up_then_and_no_policy_asks_for_is_no_matter(year: Year) -> None:
    @policy()
    def at_any_time(_m: Any, _s: Any, _c: Any, facts: Any) -> PolicyDecision:
        told = [facts["at"].year, facts["state_id"], "another" in facts, facts.get("another", 0)]
        return allow() if told == [2026, "box/a", False, 0] else deny(f"{told}")

    year.make("r1")

    found = year.replayed(boxes(at_any_time, facts=[Fact("load", unasked)]))

    assert [r.problem for r in found] == [None, None]
    assert not any(r.changed for r in found)


def test_what_policies_that_only_observe_ask_for_is_no_matter(year: Year) -> None:
    year.make("r1")
    watching = under(0.5)
    watching.enforce = False
    facts = [Fact("load", unasked)]

    for today in (
        boxes(loose, watching, facts=facts),
        boxes(any_of(loose, all_of(watching, name="inner"), name="either"), facts=facts),
    ):
        found = year.replayed(today)
        assert [r.problem for r in found] == [None, None]
        assert not any(r.changed for r in found)
    assert watching in today.policies[0].parts[1].parts


# What cannot be replayed is said.


class Other(BaseModel):
    """Another form of the state."""

    numbers: dict[str, str]


class Add(box.Add):
    """The same type and version with a parameter more."""

    type_name = "Add"
    note: str = ""


class Without(MemoryStore):
    """A store that has lost some of its history."""

    def history(self, state_id: str, *, after: int = 0, limit: int = 100) -> Sequence[HistoryEntry]:
        found = super().history(state_id, after=after, limit=limit)
        return [entry for entry in found if entry.version != 2]


def raising(*_: object) -> Any:
    raise ValueError("broken today")


@pytest.mark.parametrize(
    ("domain", "sentence"),
    [
        (boxes(loose, mutations=(box.Put,)), "has no mutation Add"),
        (boxes(loose, mutations=(Add,)), "Add v1 is no longer read as it was then."),
        (boxes(loose, state=Other), "cannot be read"),
        (boxes(loose, state=Other, upgrades={1: raising}, schema_version=2), "cannot be lifted"),
        (
            boxes(loose, under(1), facts=[Fact("load", unasked)]),
            "Policies need what was not looked up then: load.",
        ),
        (
            boxes(any_of(under(1), loose, name="either"), facts=[Fact("load", unasked)]),
            "Policies need what was not looked up then: load.",
        ),
    ],
)
def test_what_today_cannot_read_is_listed_with_the_reason(
    year: Year, domain: Domain[Any], sentence: str
) -> None:
    year.make("r1")
    year.make("r2")

    found = [r for r in year.replayed(domain) if r.version]

    assert [r.request_id for r in found] == ["r2", "r2"]
    for each in found:
        assert sentence in (each.problem or "")
        assert not each.changed
        assert each.now is None


class Sparing(box.Add):
    """The same type and version, which finds more wrong."""

    type_name = "Add"

    def check(self, _: box.Box) -> Iterable[Issue]:
        if self.amount > 3:
            yield Issue(code="much", message="that is too much")


@policy(box.Put)
def puts_are_approved(*_: Any) -> PolicyDecision:
    return require(Requirement.approval(roles=["approver"], needed=1))


MUCH, ADDED = wished("Add", key="x", amount=9), wished("Add", key="x")
BELOW, PUT = wished("Add", key="x", amount=-1), wished("Put", key="y", value=1)
sparing = {"mutations": (Sparing, box.Put)}


def test_a_batch_that_ends_early_today_is_not_answered_for() -> None:
    year = Year(MemoryStore(), boxes(loose, puts_are_approved))
    year.ask("r1", MUCH, PUT)

    (found,) = year.replayed(boxes(loose, puts_are_approved, **sparing))

    assert found.problem == (
        "It ends invalid today, and no policy was heard on its last mutation: that is too much"
    )
    assert (found.changed, found.then, found.now) == (False, None, None)


def test_a_batch_that_ended_early_then_is_not_answered_for(year: Year) -> None:
    year.ask("invalid", BELOW, PUT)
    box.KNOBS.raises = 2
    year.ask("failed", ADDED, PUT)
    assert box.KNOBS.raises == 0

    problems = {r.request_id: str(r.problem) for r in year.replayed(stricter)}

    assert problems["invalid"].startswith("It ended invalid then, and no policy")
    assert problems["failed"].startswith("It ended failed then, and no policy")


@pytest.mark.parametrize("batch", [(BELOW,), (PUT, BELOW)])
def test_what_was_invalid_after_all_were_heard_is_tried_again(
    year: Year, batch: tuple[WishedMutation, ...]
) -> None:
    year.ask("r1", *batch)

    @policy(box.Add)
    def no_adds(*_: Any) -> PolicyDecision:
        return deny("Nothing is added.")

    assert [r.problem for r in year.replayed(same)] == [None]
    assert year.changed(same) == []
    assert year.changed(boxes(loose, no_adds)) == ["r1"]


def test_what_is_invalid_alone_was_heard_even_if_no_policy_is_about_it() -> None:
    year = Year(MemoryStore(), boxes(puts_are_approved))
    year.ask("r1", BELOW)

    assert [r.problem for r in year.replayed(boxes(puts_are_approved))] == [None]
    assert year.changed(boxes(below_two)) == []
    assert year.changed(boxes(one_approves)) == ["r1"]


@pytest.mark.parametrize("batch", [(ADDED,), (PUT, ADDED)])
def test_what_fails_after_all_were_heard_then_or_today_is_tried_again(
    year: Year, batch: tuple[WishedMutation, ...]
) -> None:
    box.KNOBS.raises = 2
    year.ask("then", *batch)
    assert box.KNOBS.raises == 0

    @policy(box.Add)
    def no_adds(*_: Any) -> PolicyDecision:
        return deny("Nothing is added.")

    assert [r.problem for r in year.replayed(same)] == [None]
    (found,) = year.replayed(boxes(loose, no_adds))
    assert found.changed
    assert found.then is not None
    assert found.now is not None
    assert (found.then.verdict, found.now.verdict) == ("allow", "deny")

    box.KNOBS.raises = 1
    (found,) = year.replayed(boxes(loose, one_approves))
    assert box.KNOBS.raises == 0
    assert found.changed
    assert found.now is not None
    assert found.now.requirements == ("1 of role:approver",)


@policy()
def alters_the_state(_: Any, state: box.Box, *__: Any) -> PolicyDecision:
    state.numbers["mine"] = 1
    return allow()


@policy()
def alters_a_fact(_m: Any, _s: Any, _c: Any, facts: Any) -> PolicyDecision:
    facts["people"].append("me")
    return allow()


@pytest.mark.parametrize("today", [alters_the_state, alters_a_fact])
def test_policies_that_alter_what_they_are_given_are_not_answered_for(today: Policy) -> None:
    people = Fact("people", lambda _: ["ana"])
    year = Year(MemoryStore(), boxes(loose, facts=[people]))
    year.make("r1")

    for found in year.replayed(boxes(today, facts=[people])):
        assert str(found.problem).startswith("It ends failed today: A policy, ")
        assert found.now is None


def test_what_failed_with_no_word_of_a_policy_is_not_answered_for() -> None:
    year = Year(MemoryStore(), boxes(puts_are_approved))
    box.KNOBS.raises = 2
    year.make("r1")

    (found,) = year.replayed(boxes(loose))

    assert "It ended failed then" in str(found.problem)
    assert "author code is broken" in str(found.problem)


def test_below_a_gap_in_the_history_nothing_is_replayed() -> None:
    year = Year(Without())
    for number in range(3):
        year.make(f"r{number}")

    found = {(r.version, r.problem) for r in year.replayed(same)}

    gap = "The history of 'box/a' has no version 2."
    assert found == {(2, None), (1, gap), (0, gap)}


# Which evaluations.


def test_a_window_of_time_is_from_then_on_and_before_then(year: Year) -> None:
    for day in range(4):
        year.make(f"r{day}", "Put", at=NEW_YEAR + timedelta(days=day), value=day)

    window = {"since": NEW_YEAR + timedelta(days=1), "until": NEW_YEAR + timedelta(days=3)}

    assert year.changed(stricter, **window) == ["r1", "r2"]


def test_one_state_or_every_state_of_the_domain(year: Year) -> None:
    for on in "abc":
        year.make(f"r{on}", "Put", on=on)

    assert year.changed(stricter) == ["ra", "rb", "rc"]
    assert year.changed(stricter, state_id="box/b") == ["rb"]
    assert year.replayed(box.make("bo", policies=(no_puts,))) == []


def test_more_than_a_page_is_read(year: Year, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.policy_replay.PAGE", 3)
    for number in range(8):
        year.make(f"r{number}")

    assert [r.problem for r in year.replayed(same)] == [None] * 16


# The command.


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A folder with a record of a year in it."""
    store = open_store(f"sqlite:///{tmp_path}/mutator.db")
    year = Year(store)
    year.make("adds")
    year.make("puts", "Put", at=datetime(2026, 6, 1, tzinfo=UTC))
    store.close()
    return Desk(tmp_path, "127.0.0.1:1")


async def replays(desk: Desk, domain: str, *more: str) -> Any:
    return await desk.run("policy", "replay", "--domain", f"{__name__}:{domain}", *more)


async def test_nothing_changes_and_the_command_is_done(desk: Desk) -> None:
    ended = await replays(desk, "same")

    assert (ended.code, ended.err) == (ExitCode.DONE, "")
    assert ended.out == "4 evaluations: 0 would be decided otherwise, 0 cannot be replayed.\n"


async def test_what_changes_is_listed_and_the_exit_code_says_so(desk: Desk) -> None:
    plain = await replays(desk, "stricter")
    in_json = await replays(desk, "stricter", "--json")

    assert (plain.code, plain.err) == (ExitCode.OTHERWISE, "")
    lines = plain.out.splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("puts ")
    for said in ("Put", "box/a version 1", "allow, by loose", "deny, by no_puts (Nothing is put.)"):
        assert said in lines[1]
    assert lines[-1] == "4 evaluations: 2 would be decided otherwise, 0 cannot be replayed."
    assert in_json.code == ExitCode.OTHERWISE
    assert in_json.value["evaluations"] == 4
    assert [c["request_id"] for c in in_json.value["changed"]] == ["puts", "puts"]
    assert in_json.value["changed"][0]["now"]["verdict"] == "deny"
    assert in_json.value["not_replayed"] == []


amending = boxes(loose, sets_two)


async def test_what_is_amended_is_listed_in_words(desk: Desk) -> None:
    plain = await replays(desk, "amending")

    assert plain.code == ExitCode.OTHERWISE
    line = plain.out.splitlines()[1]
    assert line.endswith("allow, by loose  allow, by loose, two (set /numbers/z to 2)")


without_add = boxes(loose, mutations=(box.Put,))


async def test_what_cannot_be_replayed_is_listed_and_changes_nothing(desk: Desk) -> None:
    ended = await replays(desk, "without_add")

    assert ended.code == ExitCode.DONE
    assert "Cannot be replayed:" in ended.out
    assert "adds at 2026-01-01 00:00:00 UTC on box/a version 0" in ended.out
    assert "has no mutation Add" in ended.out


@pytest.mark.parametrize(
    ("window", "count"),
    [
        (("--since", "2026-03-01"), 2),
        (("--since", "2026-06-01T02:00+02:00"), 2),
        (("--since", "2026-06-01T00:00:01"), 0),
        (("--until", "2026-03-01"), 2),
        (("--since", "5000w"), 4),
        (("--until", "5000w"), 0),
        (("--state", "box/a"), 4),
        (("--state", "box/b"), 0),
    ],
)
async def test_a_window_is_typed_as_dates_or_as_how_long_ago(
    desk: Desk, window: tuple[str, str], count: int
) -> None:
    ended = await replays(desk, "same", "--json", *window)

    assert ended.value["evaluations"] == count


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("--domain", "nothing.here"), ExitCode.REFUSED, "'nothing.here' cannot be imported"),
        (("--domain", "json:dumps"), ExitCode.REFUSED, "not a core.Domain"),
        ((), ExitCode.USAGE, "--domain"),
        (("--domain", f"{__name__}:same", "--state", "other/a"), ExitCode.USAGE, "none of the"),
        (("--domain", f"{__name__}:same", "--since", "soon"), ExitCode.USAGE, "--since takes"),
    ],
)
async def test_bad_input_is_one_sentence(
    desk: Desk, arguments: tuple[str, ...], code: ExitCode, named: str
) -> None:
    ended = await desk.run("policy", "replay", *arguments)

    assert (ended.code, ended.out) == (code, "")
    assert ended.err.count("\n") == 1
    assert named in ended.err


async def test_without_a_store_it_says_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    desk = Desk(tmp_path, "127.0.0.1:1")

    ended = await desk.run(
        *("policy", "replay", "--domain", f"{__name__}:same"), MUTATOR_STORE_URL=""
    )

    assert ended.code == ExitCode.UNREACHABLE
    assert "what was recorded" in ended.err
