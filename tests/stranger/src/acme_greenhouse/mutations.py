"""What can be changed in a greenhouse."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from core import (
    Applied,
    BlastRadius,
    Intent,
    Issue,
    Mutation,
    Payload,
    RiskLevel,
    Severity,
    SideEffect,
)

from .state import Bed, Celsius, Greenhouse, Percent


class BedMutation(Mutation[Greenhouse]):
    """A change of one bed."""

    bed: str

    def check(self, state: Greenhouse) -> Iterable[Issue]:
        """The bed is there."""
        if state.bed(self.bed) is None:
            known = ", ".join(bed.name for bed in state.beds) or "none"
            message = f"There is no bed {self.bed!r}; there are: {known}."
            yield Issue(code="unknown_bed", message=message, path="/beds", attempted=self.bed)


class Sow(Mutation[Greenhouse]):
    """Make a bed and sow it."""

    bed: str
    on: date

    @property
    def intent(self) -> Intent:
        """A new bed harms nobody."""
        return Intent(operation="sow", category="beds", description=f"sow {self.bed}")

    def check(self, state: Greenhouse) -> Iterable[Issue]:
        """What is sown already is better left alone."""
        if state.bed(self.bed) is not None:
            message = f"{self.bed} is there already; it will be sown again."
            yield Issue(code="sown_again", message=message, severity=Severity.WARNING)

    def apply(self, state: Greenhouse) -> Greenhouse:
        """Answer the greenhouse with the bed."""
        return state.with_bed(Bed(name=self.bed, sown=self.on))

    def compensation(self, before: Greenhouse, after: Greenhouse) -> Mutation[Greenhouse] | None:
        """What was sown is cleared again, unless it stood there before."""
        return Clear(bed=self.bed) if before.bed(self.bed) is None else None


class Clear(BedMutation):
    """Take a bed away with all that grows in it."""

    @property
    def intent(self) -> Intent:
        """Nobody brings the plants back."""
        return Intent(
            operation="clear",
            category="beds",
            description=f"clear {self.bed}",
            risk=RiskLevel.HIGH,
            reversible=False,
        )

    def apply(self, state: Greenhouse) -> Greenhouse:
        """Answer the greenhouse without the bed."""
        left = tuple(bed for bed in state.beds if bed.name != self.bed)
        return state.model_copy(update={"beds": left})


class Warm(BedMutation):
    """Keep a bed so warm."""

    celsius: Celsius

    @property
    def intent(self) -> Intent:
        """Too warm is as bad as too cold."""
        return Intent(
            operation="warm",
            category="climate",
            description=f"keep {self.bed} at {self.celsius} degrees",
            risk=RiskLevel.MEDIUM,
            tags=("climate",),
        )

    def apply(self, state: Greenhouse) -> Greenhouse:
        """Answer the greenhouse with the bed so warm."""
        bed = state.bed(self.bed)
        assert bed is not None, "checked"
        return state.with_bed(bed.model_copy(update={"warmth": self.celsius}))


class VentsMoved(Payload, contract="vents.moved", on_failure="compensate"):
    """The motors have to follow."""

    percent: Percent


class MoveVents(Mutation[Greenhouse]):
    """Open the vents so far."""

    percent: Percent

    @property
    def intent(self) -> Intent:
        """The vents move the air of all beds."""
        return Intent(
            operation="move vents",
            category="climate",
            description=f"open the vents to {self.percent} %",
            blast_radius=BlastRadius.SYSTEM,
            tags=("climate",),
        )

    def apply(self, state: Greenhouse) -> Applied[Greenhouse]:
        """Answer the greenhouse with its vents moved, for the motors to follow."""
        moved = SideEffect.of(VentsMoved(percent=self.percent))
        return Applied(state.model_copy(update={"vents": self.percent}), (moved,))
