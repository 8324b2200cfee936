"""The effect of a change: its change set plus the side effects that others act on after commit."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, JsonValue, ValidationInfo, field_validator

from .changes import ChangeSet
from .contracts import OnFailure, Payload, contract_of
from .digests import digest, jsonable
from .model import Value
from .validation import Severity


class SideEffect(Value):
    """What others may act on after the commit, named by a contract.

    An unknown contract stays readable as data. A critical one always requires action.
    """

    contract: str
    contract_version: int = 1
    payload: dict[str, JsonValue] = Field(default_factory=dict)
    severity: Severity = Severity.INFO
    requires_action: bool = Field(default=False, validate_default=True)
    on_failure: OnFailure = "record"

    @field_validator("requires_action")
    @classmethod
    def _critical_is_acted_on(cls, value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic's signature
        return value or info.data.get("severity") is Severity.CRITICAL

    @staticmethod
    def of(
        payload: Payload,
        *,
        severity: Severity | None = None,
        requires_action: bool | None = None,
        on_failure: OnFailure | None = None,
    ) -> SideEffect:
        """Say something under its contract.

        Args:
            payload: What is said.
            severity: `None`: as the contract has it; so with the others.
            requires_action: Has no say where it is critical.
            on_failure: See the class.

        Raises:
            DefinitionError: The payload's class names no contract, or has secret fields.
            InvalidValue: The payload holds what JSON has no form for.
        """
        agreed = contract_of(type(payload))
        written = jsonable(payload)
        assert isinstance(written, dict)  # noqa: S101 - a model dumps to a mapping; for the type checker
        return SideEffect(
            contract=agreed.name,
            contract_version=agreed.version,
            payload=written,
            severity=agreed.severity if severity is None else severity,
            requires_action=agreed.requires_action if requires_action is None else requires_action,
            on_failure=agreed.on_failure if on_failure is None else on_failure,
        )

    @property
    def opens_todo(self) -> bool:
        """Answer whether somebody has to act on it."""
        return self.requires_action or self.severity is Severity.CRITICAL


class Effect(Value):
    """The change set after amendments, plus side effects, predicted or actual."""

    changes: ChangeSet = ChangeSet()
    side_effects: tuple[SideEffect, ...] = ()

    def digest(self, covers: Sequence[str] = ("",), *, among: Sequence[str] = ("",)) -> str:
        """Digest the part of the effect that somebody answers for.

        Args:
            covers: What they cover, as JSON Pointer prefixes.
            among: What all who answer for a part of it cover. What nobody covers belongs to
                everybody, and so do side effects, which have no path: nothing changes without
                being asked again.
        """
        mine = self.changes.covered(covers)
        if mine is not self.changes:
            answered_for = {change.path for change in self.changes.covered(among).changes}
            nobodys = [c for c in self.changes.changes if c.path not in answered_for]
            if nobodys:
                mine = ChangeSet(changes=(*mine.changes, *nobodys))
        return digest(
            {
                "changes": mine.digest(),
                "side_effects": [effect.model_dump(mode="json") for effect in self.side_effects],
            }
        )


class EffectPreview(Value):
    """An effect cut to what a person can read and a history can carry.

    Attributes:
        lines: One sentence a change, in the order of paths.
        total: How many changes there are, also those not shown.
        side_effects: The contracts of the side effects.
    """

    lines: tuple[str, ...] = ()
    total: int = 0
    side_effects: tuple[str, ...] = ()

    @property
    def truncated(self) -> bool:
        """Answer whether there is more than is shown."""
        return self.total > len(self.lines)

    @staticmethod
    def of(effect: Effect, limit: int = 20) -> EffectPreview:
        """Cut an effect to at most `limit` changes."""
        shown = effect.changes.changes[:limit]
        return EffectPreview(
            lines=tuple(change.describe() for change in shown),
            total=len(effect.changes.changes),
            side_effects=tuple(f"{e.contract} v{e.contract_version}" for e in effect.side_effects),
        )
