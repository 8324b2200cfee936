"""When changes may be made, itself governed: a freeze is declared at once and lifted by another.

```
calendars/web    HandOver(people=["dan"])                  waits for a release manager
                 DeclareFreeze(window={...})               executes unattended: dan is on call
                 LiftFreeze(window="checkout is down")     waits for one who did not ask for it
                 AllowException(window={...})              likewise
```

A policy of any other domain names such a calendar, and its requests wait for a moment it allows:

    require(Requirement.schedule(calendar="calendars/web"))

The calendar is read whenever a request is about to execute, so a freeze that is declared now holds
up what was approved last week.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from core import (
    BlastRadius,
    Domain,
    Facts,
    Identity,
    Intent,
    Issue,
    Mutation,
    MutationContext,
    PolicyDecision,
    Requirement,
    RiskLevel,
    allow,
    deny,
    policy,
    require,
)
from core.calendars import Calendar, TimeZone, Window

AT_ONCE = timedelta(days=7)
"""How long a freeze may last that nobody approves."""

LONGEST_EXCEPTION = timedelta(days=1)

Kind = Literal["allow", "freeze", "exceptions"]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}$")]
Person = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,62}$")]


class NamedWindow(Window):
    """A window that a change can name; whatever else stands in it is a mistake."""

    model_config = ConfigDict(extra="forbid")

    name: Name


Windows = Annotated[tuple[NamedWindow, ...], Identity("name"), Field(max_length=200)]
"""Compared by name, so that a change names the window in its path."""


class Plan(Calendar):
    """A calendar, and who is on call for what it guards; at first nothing is frozen, and nobody."""

    allow: Windows = ()
    freeze: Windows = ()
    exceptions: Windows = ()
    on_call: tuple[Person, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Plan:
        for windows in (self.allow, self.freeze, self.exceptions):
            if len({window.name for window in windows}) < len(windows):
                raise ValueError("two windows have the same name")
        return self

    def windows(self, kind: Kind) -> dict[str, NamedWindow]:
        """Answer the windows of a kind, by name."""
        found: Windows = getattr(self, kind)
        return {window.name: window for window in found}

    def having(self, kind: Kind, windows: Iterable[NamedWindow]) -> Plan:
        """Answer the same calendar with other windows of a kind."""
        return self.model_copy(update={kind: tuple(windows)})


class AddWindow(Mutation[Plan]):
    """A change that adds a window."""

    kind: ClassVar[Kind]

    window: NamedWindow

    @property
    def path(self) -> str:
        """Answer the path that it changes."""
        return f"/{self.kind}/{self.window.name}"

    def check(self, state: Plan) -> Iterable[Issue]:
        """A name stands for one window."""
        if self.window.name in state.windows(self.kind):
            message = f"There is a window {self.window.name!r}; take it away, or name this another."
            yield _issue("name_taken", message, self.path)

    def apply(self, state: Plan) -> Plan:
        """Answer the calendar with one window more."""
        return state.having(self.kind, [*state.windows(self.kind).values(), self.window])


class RemoveWindow(Mutation[Plan]):
    """A change that takes a window away."""

    kind: ClassVar[Kind]

    window: Name

    @property
    def path(self) -> str:
        """Answer the path that it changes."""
        return f"/{self.kind}/{self.window}"

    def check(self, state: Plan) -> Iterable[Issue]:
        """The window is there: else the name is likely wrong."""
        there = state.windows(self.kind)
        if self.window not in there:
            names = ", ".join(sorted(there)) or "none"
            message = f"There is no window {self.window!r}; there are: {names}."
            yield _issue("no_such_window", message, self.path)

    def apply(self, state: Plan) -> Plan:
        """Answer the calendar without it."""
        left = state.windows(self.kind)
        return state.having(self.kind, [left[name] for name in left if name != self.window])


class OpenWindow(AddWindow):
    """Allow changes in one window more; the first one forbids them at any other time."""

    kind = "allow"

    @property
    def intent(self) -> Intent:
        """Whoever plans their changes plans by it."""
        return _intent("open window", f"allow changes in {self.window.name}", RiskLevel.MEDIUM)


class CloseWindow(RemoveWindow):
    """Allow changes in one window less."""

    kind = "allow"

    @property
    def intent(self) -> Intent:
        """Whoever planned by it plans again."""
        return _intent("close window", f"no more changes in {self.window}", RiskLevel.MEDIUM)

    def check(self, state: Plan) -> Iterable[Issue]:
        """One stays: a calendar without windows allows changes at any time."""
        yield from super().check(state)
        if [*state.windows(self.kind)] == [self.window]:
            message = "Without a window changes could be made at any time; open another one first."
            yield _issue("last_window", message, "/allow")


class DeclareFreeze(AddWindow):
    """Let no changes be made for a time, whatever allows them."""

    kind = "freeze"

    @property
    def intent(self) -> Intent:
        """What waits longer does no harm."""
        return _intent("declare freeze", f"no changes: {self.window.name}", RiskLevel.LOW)


class LiftFreeze(RemoveWindow):
    """End a freeze before its time."""

    kind = "freeze"

    @property
    def intent(self) -> Intent:
        """All that waited goes on at once."""
        return _intent("lift freeze", f"lift {self.window}", RiskLevel.HIGH)


class AllowException(AddWindow):
    """Allow changes for a short time, whatever freezes them."""

    kind = "exceptions"

    @property
    def intent(self) -> Intent:
        """What is frozen is frozen for a reason."""
        return _intent("allow exception", f"except {self.window.name}", RiskLevel.HIGH)


class WithdrawException(RemoveWindow):
    """Take an exception back."""

    kind = "exceptions"

    @property
    def intent(self) -> Intent:
        """As it was before."""
        return _intent("withdraw exception", f"no longer except {self.window}", RiskLevel.LOW)


class SetTimezone(Mutation[Plan]):
    """Read all times of the calendar by the clock of another place."""

    timezone: TimeZone

    @property
    def intent(self) -> Intent:
        """Every window moves."""
        return _intent("set time zone", f"by the clock of {self.timezone}", RiskLevel.HIGH)

    def check(self, state: Plan) -> Iterable[Issue]:
        """A calendar of a zone that nobody knows would block whoever waits for it."""
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            message = f"There is no time zone {self.timezone!r}; give a name such as Europe/Rome."
            yield _issue("unknown_timezone", message, "/timezone")

    def apply(self, state: Plan) -> Plan:
        """Answer the calendar of the other place."""
        return state.model_copy(update={"timezone": self.timezone})


class HandOver(Mutation[Plan]):
    """Say who is on call from now on."""

    people: tuple[Person, ...] = Field(min_length=1, max_length=20)

    @property
    def intent(self) -> Intent:
        """They may stop everybody for a week."""
        description = f"on call: {', '.join(self.people)}"
        return _intent("hand over", description, RiskLevel.MEDIUM)

    def apply(self, state: Plan) -> Plan:
        """Answer the calendar with others on call."""
        return state.model_copy(update={"on_call": self.people})


@policy(DeclareFreeze)
def on_call_freezes_at_once(
    mutation: DeclareFreeze, state: Plan, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Whoever is on call need not ask, for a week at most; others, and for longer, are approved."""
    short = mutation.window.rule is None and mutation.window.duration <= AT_ONCE
    if short and context.actor_id.lower() in state.on_call:
        return allow(f"{context.actor_id} is on call.")
    return require(
        Requirement.approval(roles=["release-manager"], needed=1, title="A freeze"),
        reason=f"On call are {', '.join(state.on_call) or 'none'}, for freezes up to {AT_ONCE}.",
    )


@policy(LiftFreeze, AllowException)
def another_agrees_to_end_a_freeze(
    mutation: LiftFreeze | AllowException, state: Plan, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Who is in a hurry is not alone to judge; the requester never counts."""
    return require(
        Requirement.approval(
            roles=["release-manager", "security"],
            needed=1,
            covers=[mutation.path],
            title="Changes in a freeze",
            reason_required=True,
        )
    )


@policy(AllowException)
def exceptions_are_short_and_come_once(
    mutation: AllowException, state: Plan, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """An exception that lasts, or comes again, is a window."""
    if mutation.window.rule is not None or mutation.window.duration > LONGEST_EXCEPTION:
        return deny(f"An exception comes once, for {LONGEST_EXCEPTION} at most.")
    return allow("It is short.")


@policy(HandOver)
def on_call_hands_over(
    mutation: HandOver, state: Plan, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Whoever is on call may hand it on; where nobody is, somebody decides."""
    if context.actor_id.lower() in state.on_call:
        return allow(f"{context.actor_id} is on call.")
    return require(
        Requirement.approval(roles=["release-manager"], needed=1, title="Who is on call")
    )


@policy(OpenWindow, CloseWindow, SetTimezone)
def release_managers_plan(
    mutation: Mutation[Plan], state: Plan, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """When changes are made in general is theirs to say."""
    return require(
        Requirement.approval(roles=["release-manager"], needed=1, title="When changes are made")
    )


def _intent(operation: str, description: str, risk: RiskLevel) -> Intent:
    return Intent(
        operation=operation,
        category="calendar",
        description=description,
        risk=risk,
        blast_radius=BlastRadius.SYSTEM,
    )


def _issue(code: str, message: str, path: str) -> Issue:
    return Issue(code=code, message=message, path=path)


domain = Domain(
    name="calendars",
    state=Plan,
    mutations=[
        OpenWindow,
        CloseWindow,
        DeclareFreeze,
        LiftFreeze,
        AllowException,
        WithdrawException,
        SetTimezone,
        HandOver,
    ],
    policies=[
        on_call_freezes_at_once,
        another_agrees_to_end_a_freeze,
        exceptions_are_short_and_come_once,
        on_call_hands_over,
        release_managers_plan,
    ],
    initial=lambda _: Plan(),
)
