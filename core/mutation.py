"""The change, as a value: parameters, an intent, a check, and a pure `apply`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from .model import Value

if TYPE_CHECKING:
    from .effects import SideEffect
    from .validation import Issue

S = TypeVar("S", bound=BaseModel)


class RiskLevel(StrEnum):
    """How dangerous a change is, in rising order."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Answer the place in the order, low is 0."""
        return list(RiskLevel).index(self)


class BlastRadius(StrEnum):
    """How wide a change reaches, in rising order."""

    SINGLE = "single"
    MODULE = "module"
    SYSTEM = "system"
    GLOBAL = "global"

    @property
    def rank(self) -> int:
        """Answer the place in the order, single is 0."""
        return list(BlastRadius).index(self)


class Intent(Value):
    """Why a change is wanted, how dangerous and how wide it is."""

    operation: str
    category: str = "general"
    description: str = ""
    risk: RiskLevel = RiskLevel.LOW
    blast_radius: BlastRadius = BlastRadius.SINGLE
    estimated_count: int | None = None
    reversible: bool = True
    tags: tuple[str, ...] = ()
    metadata: dict[str, JsonValue] = Field(default_factory=dict)

    @staticmethod
    def united(intents: Sequence[Intent]) -> Intent:
        """Answer the intent of a batch: risk and radius are the greatest, reversible is all."""
        if len(intents) == 1:
            return intents[0]
        metadata: dict[str, JsonValue] = {}
        for intent in intents:
            metadata |= intent.metadata
        counts = [i.estimated_count for i in intents if i.estimated_count is not None]
        return Intent(
            operation="batch" if intents else "nothing",
            category=_common([i.category for i in intents], "batch"),
            description="; ".join(i.description or i.operation for i in intents),
            risk=max((i.risk for i in intents), key=lambda r: r.rank, default=RiskLevel.LOW),
            blast_radius=max(
                (i.blast_radius for i in intents), key=lambda b: b.rank, default=BlastRadius.SINGLE
            ),
            estimated_count=sum(counts) if counts else None,
            reversible=all(i.reversible for i in intents),
            tags=tuple(dict.fromkeys(tag for i in intents for tag in i.tags)),
            metadata=metadata,
        )


def _common(values: Sequence[str], otherwise: str) -> str:
    return values[0] if values and all(v == values[0] for v in values) else otherwise


@dataclass(frozen=True, slots=True)
class Applied(Generic[S]):
    """What `apply` answers when the change has side effects besides the new state."""

    state: S
    side_effects: tuple[SideEffect, ...] = ()


class Mutation(BaseModel, ABC, Generic[S]):
    """A change to a state `S`: a frozen model of its parameters.

    `check` and `apply` are pure. They get no time, ids or chance: what a change needs is a
    parameter. `apply` never alters the state it is given; it answers a new one.

    Attributes:
        schema_version: The version of the parameters' form; several can be registered.
        type_name: The name on the wire; the class name unless said otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: ClassVar[int] = 1
    type_name: ClassVar[str | None] = None

    @classmethod
    def name(cls) -> str:
        """Answer the mutation's type on the wire."""
        return cls.type_name or cls.__name__

    @property
    @abstractmethod
    def intent(self) -> Intent:
        """Answer why the change is wanted, how dangerous and how wide it is."""

    def check(self, state: S) -> Iterable[Issue]:
        """Answer what is wrong with this change on this state; nothing unless overridden."""
        return ()

    @abstractmethod
    def apply(self, state: S) -> S | Applied[S]:
        """Answer the state after the change."""

    def compensation(self, before: S, after: S) -> Mutation[S] | None:
        """Answer the mutation that takes this one back; nothing: the inverse change set will do."""
        return None
