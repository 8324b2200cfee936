"""The state: one flag file in the public format of OpenFeature's flagd.

The format is https://flagd.dev/reference/flag-definitions; only its parts that the mutations and
policies look at have names here. Everything else in a file is kept as it was written.
"""

from __future__ import annotations

import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_serializer,
    model_validator,
)

from core import RiskLevel

SEED = Path(__file__).parent.parent / "data" / "flags.json"
KEY = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
"""The keys of flag sets: the file published for one is named after it."""

MAX_EXACT = 2**53 - 1

Name = Annotated[str, Field(min_length=1, max_length=100)]
Metadata = dict[str, StrictBool | StrictInt | StrictFloat | StrictStr]


class AsWritten(BaseModel):
    """A part of a flag file: what is absent stays absent, what has no name here is kept."""

    model_config = ConfigDict(frozen=True, extra="allow", serialize_by_alias=True)

    @model_serializer(mode="wrap")
    def _without_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        absent = {
            field.alias or name
            for name, field in type(self).model_fields.items()
            if name not in self.model_fields_set
        }
        return {name: value for name, value in write(self).items() if name not in absent}


class Flag(AsWritten):
    """One flag: its values by variant, and how one of them is chosen."""

    state: Literal["ENABLED", "DISABLED"]
    variants: Annotated[dict[Name, JsonValue], Field(min_length=1)]
    default_variant: str | None = Field(default=None, alias="defaultVariant")
    targeting: dict[str, JsonValue] = Field(default_factory=dict)
    metadata: Metadata = Field(default_factory=dict)

    @model_validator(mode="after")
    def _default_exists(self) -> Flag:
        if self.default_variant and self.default_variant not in self.variants:
            raise ValueError(f"the default variant {self.default_variant!r} is no variant")
        return self

    @property
    def risk(self) -> RiskLevel:
        """Answer how dangerous any change of it is; a level nobody knows raises."""
        return RiskLevel(str(self.metadata.get("risk", RiskLevel.LOW)))

    @property
    def team(self) -> str | None:
        """Answer the group that owns it, or nothing."""
        team = self.metadata.get("team")
        return None if team is None else str(team)

    @property
    def soak(self) -> timedelta | None:
        """Answer how long a step of its rollout is watched before the next one, or nothing."""
        seconds = self.metadata.get("soakSeconds")
        return None if seconds is None else timedelta(seconds=float(seconds))

    def changed(self, **fields: Any) -> Flag:
        """Answer the same flag with other fields."""
        return self.model_copy(update=fields)


class FlagFile(AsWritten):
    """One flag file: flags by name, and what they share."""

    flags: dict[Name, Flag]
    metadata: Metadata = Field(default_factory=dict)

    def with_flag(self, name: str, flag: Flag) -> FlagFile:
        """Answer the same file with one flag changed."""
        return self.model_copy(update={"flags": {**self.flags, name: flag}})


def pointer(name: str, *parts: str) -> str:
    """Answer the JSON Pointer of a flag, or of a part of it."""
    escaped = (part.replace("~", "~0").replace("/", "~1") for part in (name, *parts))
    return "/flags/" + "/".join(escaped)


def seed(key: str) -> FlagFile | None:
    """Answer the flag set as its seed has it, or nothing: then no such set can begin.

    `MUTATOR_FLAGS_SEED` names a flag file, which seeds the set that its `flagSetId` says (its own
    name where it says none), or a directory, where `<key>.json` seeds the set `<key>`.
    """
    path = Path(os.environ.get("MUTATOR_FLAGS_SEED", SEED))
    if not KEY.match(key):
        return None
    if path.is_dir():
        path = path / f"{key}.json"
        return _read(path) if path.is_file() else None
    flags = _read(path)
    return flags if flags.metadata.get("flagSetId", path.stem) == key else None


def _read(path: Path) -> FlagFile:
    text = path.read_text("utf-8")
    return FlagFile.model_validate(
        json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_no_number)
    )


def _integer(written: str) -> int:
    return int(written) if abs(int(written)) <= MAX_EXACT else _no_number(written)


def _float(written: str) -> float:
    return float(written) if abs(float(written)) <= MAX_EXACT else _no_number(written)


def _no_number(written: str) -> NoReturn:
    message = f"The number {written} is not one that every reader of the file keeps exactly."
    raise ValueError(message)
