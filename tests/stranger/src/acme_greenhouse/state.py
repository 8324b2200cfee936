"""A greenhouse, as it is kept."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from core import Identity

Celsius = Annotated[int, Field(ge=-10, le=60)]
Percent = Annotated[int, Field(ge=0, le=100)]


class Bed(BaseModel):
    """A bed and how warm it is kept."""

    model_config = ConfigDict(frozen=True)

    name: str
    warmth: Celsius = 18
    sown: date | None = None


class Greenhouse(BaseModel):
    """One greenhouse; its beds are told apart by name."""

    model_config = ConfigDict(frozen=True)

    beds: Annotated[tuple[Bed, ...], Identity("name")] = ()
    vents: Percent = 0
    heating: bool = True

    def bed(self, name: str) -> Bed | None:
        """Answer the bed of that name, or nothing."""
        return next((bed for bed in self.beds if bed.name == name), None)

    def with_bed(self, changed: Bed) -> Greenhouse:
        """Answer the greenhouse with a bed as it is now, or with one more."""
        others = [changed if bed.name == changed.name else bed for bed in self.beds]
        if self.bed(changed.name) is None:
            others.append(changed)
        return self.model_copy(update={"beds": tuple(others)})
