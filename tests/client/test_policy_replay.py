"""Today's policies on recorded evaluations: what they were told then, and what they say now."""

from __future__ import annotations

import random
from collections.abc import Sequence
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
    Policy,
    PolicyDecision,
    Requirement,
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


def unasked(_: object) -> float:
    raise AssertionError("nobody is asked in a replay")


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
        wish = Wish(
            state_id=f"box/{on}",
            mutations=(WishedMutation(type=type_, parameters=given),),
            actor_id="ana",
        )
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


def test_what_failed_then_or_fails_today_is_listed_with_the_reason(
    year: Year, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.KNOBS.raises = 2
    year.make("r1")
    assert box.KNOBS.raises == 0
    year.make("r2")
    monkeypatch.setattr(box.KNOBS, "raises", 1)

    found = {(r.request_id, r.mode.value): r.problem for r in year.replayed(same)}

    assert "It ended failed then" in str(found["r1", "simulate"])
    assert [v for k, v in found.items() if k[0] == "r2"].count(None) == 1
    assert any("It ends failed today" in str(v) for v in found.values())


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
