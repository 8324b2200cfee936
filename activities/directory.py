"""Reads the directory file: people with their roles and groups, in TOML.

```toml
roles = ["security", "operator"]     # declared, so that a role nobody holds is known
groups = ["team-web"]

[people.ben]
name = "Ben"
roles = ["security"]
groups = ["team-web"]
```

Put a new one in its place by renaming: one that is written in place can be read half written, and
whoever is not in it yet has no rights until it is read again.
"""

from __future__ import annotations

import threading
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)

from core.domain import problems
from core.errors import DirectoryError
from core.governance.people import Directory, Person
from core.texts import ONE_LINE, Name

_Id = Annotated[str, StringConstraints(min_length=1, pattern=r"\S"), ONE_LINE]


class DirectoryFile:
    """The directory in a file; read again whenever the file changes."""

    def __init__(self, path: Path) -> None:
        """Remember where it is."""
        self._path = path
        self._lock = threading.Lock()
        self._read: tuple[tuple[int, int], Directory] | None = None

    def __call__(self) -> Directory:
        """Answer the directory as the file has it now.

        Raises:
            DirectoryError: The file is not there, does not say who is who, or has nobody in it.
        """
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size)
            with self._lock:
                if self._read is None or self._read[0] != seen:
                    self._read = (seen, _directory(self._path))
                return self._read[1]
        except OSError as error:
            raise DirectoryError(
                f"The directory file {self._path} cannot be read: {error.strerror}. "
                "Give its path with --directory."
            ) from error


class _Entry(BaseModel):
    """What the file says of one person; what it says besides may be a right that is misspelt."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name = ""
    roles: list[_Id] = Field(default_factory=list)
    groups: list[_Id] = Field(default_factory=list)


class _Content(BaseModel):
    """What the file says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    roles: list[_Id] = Field(default_factory=list)
    groups: list[_Id] = Field(default_factory=list)
    people: dict[_Id, _Entry] = Field(default_factory=dict)

    @field_validator("people")
    @classmethod
    def _told_apart(cls, people: dict[str, _Entry]) -> dict[str, _Entry]:
        known: dict[str, str] = {}
        for each in people:
            other = known.setdefault(each.lower(), each)
            if other != each:
                raise ValueError(f"{other!r} and {each!r} are one id, as case does not matter")
        return people


def _directory(path: Path) -> Directory:
    try:
        content = _Content.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DirectoryError(f"The directory file {path} is no TOML: {error}.") from error
    except ValidationError as error:
        raise DirectoryError(
            f"The directory file {path} does not say who is who: {problems(error)}."
        ) from error
    if not content.people:
        # An empty file is TOML, too: one that is written in place is empty for a moment.
        raise DirectoryError(
            f"The directory file {path} has nobody in it; it needs tables [people.<id>]. "
            "Replace it by renaming, never write it in place."
        )
    return Directory.of(
        [
            Person(id=key, name=each.name, roles=tuple(each.roles), groups=tuple(each.groups))
            for key, each in content.people.items()
        ],
        roles=content.roles,
        groups=content.groups,
    )
