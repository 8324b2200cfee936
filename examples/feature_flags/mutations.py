"""What may happen to a flag: enable, disable, another default, a rollout to a part of all users."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Annotated, ClassVar

from pydantic import Field, JsonValue

from core import Applied, Intent, Issue, Mutation, RiskLevel, Severity, SideEffect

from .flags import Flag, FlagFile, Name, pointer

PUBLISH = "flagd.publish"
"""The contract of the side effect that asks for the flag file to be published."""

FEW = 10
"""The percentage of a canary; up to here a rollout is of low risk."""

HALF = 50
"""The percentage up to which a rollout is of medium risk, and by which it may rise in one step."""


class FlagMutation(Mutation[FlagFile]):
    """A change of one flag: each kind says what becomes of it, the rest is the same for all."""

    operation: ClassVar[str]

    flag: Name

    @property
    def risk(self) -> RiskLevel:
        """Answer how dangerous this is on a flag nothing is known of."""
        return RiskLevel.MEDIUM

    @property
    def intent(self) -> Intent:
        """Say what is done to which flag; policies also look at how critical the flag is."""
        return Intent(
            operation=self.operation,
            category="feature-flags",
            description=self.sentence(),
            risk=self.risk,
            tags=(self.flag,),
        )

    def check(self, state: FlagFile) -> Iterable[Issue]:
        """The flag exists, and what is asked of it makes sense."""
        if self.flag in state.flags:
            yield from self.check_flag(state.flags[self.flag])
        else:
            known = ", ".join(sorted(state.flags)[:10]) or "none"
            message = f"There is no flag {self.flag!r}; there are: {known}."
            yield Issue(code="unknown_flag", message=message, path="/flags", attempted=self.flag)

    def apply(self, state: FlagFile) -> Applied[FlagFile]:
        """Answer the file with the flag changed; publishing it is a side effect."""
        after = state.with_flag(self.flag, self.apply_to(state.flags[self.flag]))
        return Applied(after, (SideEffect(contract=PUBLISH, payload={"flag": self.flag}),))

    def finding(
        self, code: str, message: str, part: str, attempted: JsonValue, severity: Severity
    ) -> Issue:
        """Answer an issue with a part of the flag."""
        path = pointer(self.flag, part)
        return Issue(code=code, message=message, path=path, attempted=attempted, severity=severity)

    def error(self, code: str, message: str, part: str, attempted: JsonValue = None) -> Issue:
        """Answer what makes this change invalid."""
        return self.finding(code, message, part, attempted, Severity.ERROR)

    def warning(self, code: str, message: str, part: str, attempted: JsonValue = None) -> Issue:
        """Answer what whoever decides should look at."""
        return self.finding(code, message, part, attempted, Severity.WARNING)

    def check_variant(self, flag: Flag, variant: str) -> Iterable[Issue]:
        """The variant is one of the flag's, and the flag is served at all."""
        if variant not in flag.variants:
            message = f"The flag has the variants {', '.join(flag.variants)}; not {variant!r}."
            yield self.error("unknown_variant", message, "variants", variant)
        if flag.state == "DISABLED":
            message = "The flag is disabled: nobody sees this until it is enabled."
            yield self.warning("flag_disabled", message, "state")

    @abstractmethod
    def sentence(self) -> str:
        """Say the change for people."""

    def check_flag(self, flag: Flag) -> Iterable[Issue]:
        """Answer what is wrong with this change on this flag."""
        return ()

    @abstractmethod
    def apply_to(self, flag: Flag) -> Flag:
        """Answer the flag after the change."""


class EnableFlag(FlagMutation):
    """Let the flag decide."""

    operation = "enable flag"

    def sentence(self) -> str:
        """Say the change for people."""
        return f"enable {self.flag}"

    def check_flag(self, flag: Flag) -> Iterable[Issue]:
        """Enabling what is enabled changes nothing."""
        if flag.state == "ENABLED":
            message = "The flag is enabled already; nothing changes."
            yield self.warning("already_enabled", message, "state", "ENABLED")

    def apply_to(self, flag: Flag) -> Flag:
        """Answer the flag after the change."""
        return flag.changed(state="ENABLED")


class DisableFlag(FlagMutation):
    """Let the default in the code decide: the way back, so nothing should be in its way."""

    operation = "disable flag"

    @property
    def risk(self) -> RiskLevel:
        """Answer that it is the safe direction."""
        return RiskLevel.LOW

    def sentence(self) -> str:
        """Say the change for people."""
        return f"disable {self.flag}"

    def check_flag(self, flag: Flag) -> Iterable[Issue]:
        """Disabling what is disabled changes nothing."""
        if flag.state == "DISABLED":
            message = "The flag is disabled already; nothing changes."
            yield self.warning("already_disabled", message, "state", "DISABLED")

    def apply_to(self, flag: Flag) -> Flag:
        """Answer the flag after the change."""
        return flag.changed(state="DISABLED")


class ChangeVariant(FlagMutation):
    """Serve another variant where no targeting decides."""

    operation = "change variant"

    variant: Name

    def sentence(self) -> str:
        """Say the change for people."""
        return f"serve {self.variant} as the default of {self.flag}"

    def check_flag(self, flag: Flag) -> Iterable[Issue]:
        """The variant exists; a flag with targeting serves its default to few."""
        yield from self.check_variant(flag, self.variant)
        if flag.targeting:
            message = "The flag has targeting: the default is served only where that says nothing."
            yield self.warning("targeting_decides", message, "targeting")

    def apply_to(self, flag: Flag) -> Flag:
        """Answer the flag after the change."""
        return flag.changed(default_variant=self.variant)


class ChangeRollout(FlagMutation):
    """Serve a variant to a percentage of all users, and the default variant to the others.

    It is written as flagd's `fractional` targeting. Who is in it is decided by the flag and the
    targeting key (or whatever the flag's present rollout goes by), so somebody who is in at 10 %
    is in at 20 %.
    """

    operation = "change rollout"

    variant: Name
    percentage: Annotated[int, Field(ge=0, le=100)]

    @property
    def risk(self) -> RiskLevel:
        """Answer how many will see it."""
        if self.percentage > HALF:
            return RiskLevel.HIGH
        return RiskLevel.MEDIUM if self.percentage > FEW else RiskLevel.LOW

    def sentence(self) -> str:
        """Say the change for people."""
        return f"serve {self.variant} of {self.flag} to {self.percentage} %"

    def check_flag(self, flag: Flag) -> Iterable[Issue]:
        """There is another variant for the others, and no other targeting would be lost."""
        yield from self.check_variant(flag, self.variant)
        if not flag.default_variant:
            message = "The flag has no default variant for those outside the rollout."
            yield self.error("no_default_variant", message, "defaultVariant")
        elif flag.default_variant == self.variant:
            message = f"{self.variant!r} is the default variant: everybody is served it anyway."
            yield self.error("variant_is_default", message, "defaultVariant", self.variant)
        rollout = shares(flag)
        if rollout is None:
            message = "The flag has targeting of its own, which a rollout would replace."
            yield self.error("targeting_in_the_way", message, "targeting")
            return
        lost = sorted(rollout.keys() - {self.variant, flag.default_variant})
        if lost:
            message = f"The present rollout also serves {', '.join(lost)}; that would end."
            yield self.warning("rollout_replaced", message, "targeting")
        if self.percentage - rollout.get(self.variant, 0) > HALF:
            message = f"It rises from {rollout.get(self.variant, 0):g} % in one step."
            yield self.warning("large_step", message, "targeting", self.percentage)

    def apply_to(self, flag: Flag) -> Flag:
        """Answer the flag after the change."""
        rest = 100 - self.percentage
        parts: list[JsonValue] = [[self.variant, self.percentage], [flag.default_variant, rest]]
        return flag.changed(targeting={"fractional": bucketing(flag) + parts})


def bucketing(flag: Flag) -> list[JsonValue]:
    """Answer what the present rollout goes by, as the first argument of `fractional`, or none."""
    parts = flag.targeting.get("fractional")
    if not isinstance(parts, list):
        return []
    return [part for part in parts[:1] if not isinstance(part, list)]


def shares(flag: Flag) -> dict[str, float] | None:
    """Answer the percentage of each variant in the present rollout; empty where there is none.

    `None` where the targeting is no rollout, or one that names more than variants and weights.
    """
    if not flag.targeting:
        return {}
    parts = flag.targeting.get("fractional")
    if flag.targeting.keys() != {"fractional"} or not isinstance(parts, list):
        return None
    weights: dict[str, int] = {}
    for part in parts[len(bucketing(flag)) :]:
        match part:
            case [str(variant), int(weight)]:
                weights[variant] = weights.get(variant, 0) + weight
            case [str(variant)]:
                weights[variant] = weights.get(variant, 0) + 1
            case _:
                return None
    total = sum(weights.values()) or 1
    return {variant: 100 * weight / total for variant, weight in weights.items()}
