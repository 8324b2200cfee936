"""A domain for tests: a box of numbers, with policies that the request's metadata steer.

`metadata["needs"]` is a list of what is required: arguments of `Requirement.approval`, or with a
`kind` of that constructor, `seconds` for the duration; `metadata["strategy"]` names the strategy;
`metadata["deny"]` denies. What the tests need to vary between submission and execution is in
`KNOBS`, which lives in the worker's process.

The same box twice: `box` is asked local first, as every domain that says nothing; `remote-box`
remotely from the start.

`told` boxes look facts up: `load`, and `owner`, which may be an hour old. `metadata["at_most"]`
denies where the load is greater; with `metadata["without"]` a missing one is no matter. `told` says
that its facts are quick; those of `remote-told` may take seconds, so it is asked remotely.

Every box has the check `ci`, which answers as the knobs say, and the callbacks `ticket`, which is
filed, and `silent`, which is not. `calendars` and `budgets` are states that schedules and quotas
may name.
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from core import (
    Applied,
    Domain,
    Facts,
    Intent,
    Issue,
    Mutation,
    MutationContext,
    Options,
    PolicyDecision,
    Requirement,
    RiskLevel,
    SideEffect,
    Strategy,
    allow,
    deny,
    policy,
    require,
)
from core.budgets import Budget
from core.calendars import Calendar
from core.checks import Callback, Check, CheckAnswer, CheckQuestion, passed
from core.facts import Fact, FactQuestion
from core.requirements import Who, either

PASSED = passed("all green", run=7)


@dataclass
class Knobs:
    """What author code does from now on; reset after each test.

    Attributes:
        load: What the provider of that fact answers.
        load_fails: How often it raises before that.
        load_takes: Seconds it takes.
        looked_up: Which facts were asked for, of which actor's requests.
        check: What the check `ci` answers.
        check_fails: How often it raises before that, and how often filing `ticket` does.
        check_waits: What it waits for before it answers, saying all the while that it goes on.
        checked: The keys it was asked with.
        filed: The keys with which a ticket was filed.
    """

    deny: str = ""
    also_needs: tuple[Requirement, ...] = ()
    sleep: float = 0.0
    raises: int = 0
    dispatched: list[tuple[str, int]] = field(default_factory=list)
    handler_failures: int = 0
    load: object = 0.5
    load_fails: int = 0
    load_takes: float = 0.0
    looked_up: list[tuple[str, str]] = field(default_factory=list)
    check: CheckAnswer = PASSED
    check_fails: int = 0
    check_waits: threading.Event | None = None
    checked: list[str] = field(default_factory=list)
    filed: list[str] = field(default_factory=list)


KNOBS = Knobs()

Way = Literal["local_first", "remote"]
"""How the workflow asks for what author code does; a domain's `run`."""

WAYS: tuple[Way, ...] = ("local_first", "remote")


class Box(BaseModel):
    """Numbers by name."""

    model_config = ConfigDict(frozen=True)

    numbers: dict[str, int] = Field(default_factory=dict)


class Add(Mutation[Box]):
    """Add to one number."""

    key: str
    amount: int = 1

    @property
    def intent(self) -> Intent:
        return Intent(operation="add", category="box", risk=RiskLevel.LOW, tags=("arithmetic",))

    def check(self, state: Box) -> Iterable[Issue]:
        if state.numbers.get(self.key, 0) + self.amount < 0:
            yield Issue(code="negative", path=f"/numbers/{self.key}", message="below zero")

    def apply(self, state: Box) -> Box | Applied[Box]:
        if KNOBS.sleep:
            time.sleep(KNOBS.sleep)
        if KNOBS.raises:
            KNOBS.raises -= 1
            raise RuntimeError("author code is broken")
        numbers = state.numbers | {self.key: state.numbers.get(self.key, 0) + self.amount}
        return Box(numbers=numbers)


class Put(Mutation[Box]):
    """Set one number, whatever it was; tells others."""

    key: str
    value: int

    @property
    def intent(self) -> Intent:
        return Intent(operation="put", category="box", risk=RiskLevel.HIGH)

    def apply(self, state: Box) -> Applied[Box]:
        told = SideEffect(contract="box.changed", payload={"key": self.key, "value": self.value})
        return Applied(Box(numbers=state.numbers | {self.key: self.value}), (told,))


@policy()
def as_metadata_says(
    mutation: Mutation[Box], state: Box, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Demand what the request's metadata names."""
    if reason := context.metadata.get("deny"):
        return deny(str(reason))
    needs: Any = context.metadata.get("needs", [])
    strategy = context.metadata.get("strategy")
    return require(
        *[required(**need) for need in needs],
        strategy=None if strategy is None else Strategy(str(strategy)),
    )


@policy()
def as_the_knobs_say(
    mutation: Mutation[Box], state: Box, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Change its mind while requests wait."""
    if KNOBS.deny:
        return deny(KNOBS.deny)
    return require(*KNOBS.also_needs) if KNOBS.also_needs else allow()


@policy()
def not_under_load(
    mutation: Mutation[Box], state: Box, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Deny while there is more load than the request's metadata allow."""
    at_most: Any = context.metadata.get("at_most", 1)
    load = facts.get("load", 0) if "without" in context.metadata else facts["load"]
    return deny(f"The load is {load}.") if load > at_most else allow(f"{facts['owner']} owns it.")


async def _load(question: FactQuestion) -> object:
    KNOBS.looked_up.append(("load", question.context.actor_id))
    if KNOBS.load_takes:
        await asyncio.sleep(KNOBS.load_takes)
    if KNOBS.load_fails:
        KNOBS.load_fails -= 1
        raise ConnectionError("the meter is not there")
    return KNOBS.load


def _owner(question: FactQuestion) -> str:
    KNOBS.looked_up.append(("owner", question.context.actor_id))
    return f"{question.state_id} at {len(question.state.numbers)}"


def _facts(timeout: float) -> tuple[Fact, ...]:
    an_hour = timedelta(hours=1)
    return (
        Fact("load", _load, timeout=timeout),
        Fact("owner", _owner, timeout=timeout, max_age=an_hour),
    )


def required(kind: str = "approval", seconds: float | None = None, **arguments: Any) -> Requirement:
    """Make a requirement of plain data."""
    for name in ("lifetime", "remind_before", "escalate_after"):
        if name in arguments:
            arguments[name] = timedelta(seconds=arguments[name])
    if "escalate_to" in arguments:
        arguments["escalate_to"] = Who(**arguments["escalate_to"])
    duration = None if seconds is None else timedelta(seconds=seconds)
    match kind:
        case "any":
            return either([[required(**each) for each in way] for way in arguments["ways"]])[0]
        case "dependency":
            return Requirement.dependency(*arguments["requests"], duration=duration)
        case "quota":
            budget = arguments.pop("budget")
            budget = budget if isinstance(budget, str) else Budget(**budget)
            key = arguments.pop("key")
            return Requirement.quota(key, budget, duration=duration, **arguments)
        case "schedule":
            calendar, not_before = arguments.get("calendar"), arguments.get("not_before")
            return Requirement.schedule(
                not_before=datetime.fromisoformat(not_before) if not_before else None,
                calendar=Calendar(**calendar) if isinstance(calendar, dict) else calendar,
                duration=duration,
            )
        case "check":
            return Requirement.check(arguments.pop("name"), duration=duration, **arguments)
        case "review":
            return Requirement.review(duration=duration, **arguments)
        case _:
            return Requirement.approval(duration=duration, **arguments)


def _run_ci(question: CheckQuestion) -> CheckAnswer:
    KNOBS.checked.append(question.key)
    while KNOBS.check_waits is not None and not KNOBS.check_waits.wait(0.2):
        question.alive()
    if KNOBS.check_fails:
        KNOBS.check_fails -= 1
        raise ConnectionError("the runner is not there")
    return KNOBS.check


def _file_ticket(question: CheckQuestion) -> str:
    if KNOBS.check_fails:
        KNOBS.check_fails -= 1
        raise ConnectionError("the desk is not there")
    KNOBS.filed.append(question.key)
    return f"T-{len(KNOBS.filed)}"


CHECKS = (
    Check("ci", _run_ci, timeout=30, retries=1),
    Callback("ticket", _file_ticket, retries=1),
    Callback("silent"),
)


def _told(effect: SideEffect, dispatch: Any) -> None:
    if KNOBS.handler_failures:
        KNOBS.handler_failures -= 1
        raise ConnectionError("the other side is not there")
    KNOBS.dispatched.append((dispatch.key, dispatch.version))


def make(name: str = "box", **arguments: Any) -> Domain[Box]:
    """Make a box domain."""
    settings: dict[str, Any] = {
        "state": Box,
        "mutations": (Add, Put),
        "policies": (as_metadata_says, as_the_knobs_say),
        "initial": lambda key: None if key.startswith("no-") else Box(),
        "handlers": {"box.changed": _told},
        "options": Options(timeout=2),
        "checks": CHECKS,
    }
    return Domain(name=name, **(settings | arguments))


domain = make()
held = make("held", on_error="hold")

remote = make("remote-box", run="remote")
remote_held = make("remote-held", on_error="hold", run="remote")

_told_policies = (as_metadata_says, as_the_knobs_say, not_under_load)
told = make("told", policies=_told_policies, facts=_facts(0.25))
remote_told = make("remote-told", policies=_told_policies, facts=_facts(0.5))


class SetCalendar(Mutation[Calendar]):
    """Replace a calendar."""

    calendar: Calendar

    @property
    def intent(self) -> Intent:
        return Intent(operation="set", category="calendar")

    def apply(self, state: Calendar) -> Calendar:
        return self.calendar


class SetBudget(Mutation[Budget]):
    """Replace a budget."""

    budget: Budget

    @property
    def intent(self) -> Intent:
        return Intent(operation="set", category="budget")

    def apply(self, state: Budget) -> Budget:
        return self.budget


calendars = Domain(
    name="calendars",
    state=Calendar,
    mutations=(SetCalendar,),
    initial=lambda key: None if key.startswith("no-") else Calendar(),
)
budgets = Domain(
    name="budgets",
    state=Budget,
    mutations=(SetBudget,),
    initial=lambda key: Budget(limit=1, per=timedelta(hours=1)),
)
moved = make("moved", on_state_moved="supersede")
aged = make("aged", lifetimes={RiskLevel.HIGH: timedelta(hours=2)})

ALL = (domain, held, told, remote, remote_held, remote_told, calendars, budgets, moved, aged)


def state(way: Way, domain: str = "box") -> str:
    """Answer a state id nobody has used, of the domain that is asked in a way."""
    prefix = "remote-" if way == "remote" else ""
    return f"{prefix}{domain}/s-{uuid.uuid4().hex[:12]}"
