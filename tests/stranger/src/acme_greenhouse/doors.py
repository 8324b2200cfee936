"""The domain `doors`: a greenhouse is opened by a code, which is secret.

It is one of its own, so that a worker without a key can be given the greenhouses.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from core import Domain, Intent, Mutation, Secret

Code = Annotated[str, Field(pattern=r"^\d{4,8}$"), Secret()]


class Door(BaseModel):
    """The door of a greenhouse."""

    model_config = ConfigDict(frozen=True)

    code: Code = "0000"


class ChangeDoorCode(Mutation[Door]):
    """Let nobody in who knows the old code only."""

    code: Code

    @property
    def intent(self) -> Intent:
        """Nobody reads the code here."""
        return Intent(operation="change door code", category="access")

    def apply(self, state: Door) -> Door:
        """Answer the door with another code."""
        return state.model_copy(update={"code": self.code})


doors = Domain(
    name="doors",
    state=Door,
    mutations=[ChangeDoorCode],
    initial=lambda key: Door() if key in {"north", "south"} else None,
)
