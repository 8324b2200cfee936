"""Reads the directory file: people with their roles and groups, in TOML.

```toml
roles = ["security", "operator"]     # declared, so that a role nobody holds is known
groups = ["team-web"]

[people.ben]
name = "Ben"
roles = ["security"]
groups = ["team-web"]
```
"""

from __future__ import annotations

import threading
import tomllib
from pathlib import Path

from pydantic import ValidationError

from core.domain import problems
from core.errors import DirectoryError
from core.governance.people import Directory, Person


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
            DirectoryError: The file is not there, or does not say who is who.
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


def _directory(path: Path) -> Directory:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DirectoryError(f"The directory file {path} is no TOML: {error}.") from error
    people = content.get("people", {})
    if not isinstance(people, dict) or not all(isinstance(p, dict) for p in people.values()):
        raise DirectoryError(f"The directory file {path} needs tables [people.<id>].")
    try:
        return Directory.of(
            [Person.model_validate({**fields, "id": key}) for key, fields in people.items()],
            roles=content.get("roles", ()),
            groups=content.get("groups", ()),
        )
    except ValidationError as error:
        raise DirectoryError(
            f"The directory file {path} does not say who is who: {problems(error)}."
        ) from error
