"""The secrets that requests name: files on the worker, one a secret, in a folder a domain.

A request never carries a secret: `{"secret": "main-2027"}` stands in its place, and the file
`<folder>/<domain>/main-2027` holds it. Once it was assessed the request has the keyed hash of what
the file held, and that is looked for from then on: what was approved is what executes, and a file
that was replaced meanwhile is missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from core.audit import MutationRecord
from core.errors import DefinitionError, InvalidParameters
from core.secrets import SCHEME, Redactor, replaced
from core.survey import Survey

REFERENCE: Final = "secret"
"""The one key of what stands for a secret in a start payload."""

MAX_SECRET: Final = 64 * 1024
"""Bytes of a secret."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")


@dataclass(frozen=True)
class SecretFolder:
    """Where a worker finds the secrets that requests name; read whenever one is needed.

    Args:
        path: The folder that has a folder for each domain.
        redactor: Makes the hashes by which assessed requests know secrets.
    """

    path: Path
    redactor: Redactor

    def check(self) -> None:
        """Refuse a folder that is not there.

        Raises:
            DefinitionError: It is none.
        """
        if not self.path.is_dir():
            raise DefinitionError(
                f"There is no folder of secrets at {self.path}; make it, or name another with "
                "--secrets-dir."
            )

    def opened(self, domain: str, wished: MutationRecord, declared: Survey) -> MutationRecord:
        """Answer a mutation's record with its secrets in clear; it is kept nowhere.

        Args:
            domain: Whose secrets may be named.
            wished: As the request has it: names, or hashes, in the places of secrets.
            declared: What the mutation's model declares.

        Raises:
            InvalidParameters: A secret is not there, cannot be read, or was sent in clear.
        """

        def found(given: JsonValue) -> JsonValue:
            if given is None:
                return None
            if isinstance(given, dict) and given.keys() == {REFERENCE}:
                return self._named(domain, wished.type, given[REFERENCE])
            if isinstance(given, str) and given.startswith(f"{SCHEME}:"):
                return self._hashed(domain, wished.type, given)
            raise InvalidParameters(
                f"A secret of {wished.type} was sent in clear, so it stands in Temporal's history "
                "by now: take it for known, and make another. Put that into the worker's folder of "
                f'secrets, and send its name: {{"{REFERENCE}": "name-of-the-file"}}.',
                mutation_type=wished.type,
            )

        parameters = replaced(wished.parameters, declared, found)
        return wished.model_copy(update={"parameters": parameters})

    def _named(self, domain: str, type_: str, name: JsonValue) -> JsonValue:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidParameters(
                f"A secret of {type_} is named by a file's name: letters, digits and _.- only.",
                mutation_type=type_,
            )
        return self._content(domain, name, type_)

    def _hashed(self, domain: str, type_: str, wanted: str) -> JsonValue:
        for value in self._all(domain, type_):
            if self.redactor(value) == wanted:
                return value
        raise InvalidParameters(
            f"No file of {domain} in the folder of secrets holds that of {type_} whose hash, by "
            f"the key of this worker, is {wanted}. Put back what it was, or ask anew.",
            mutation_type=type_,
        )

    def _all(self, domain: str, type_: str) -> Iterator[JsonValue]:
        """Yield every secret of a domain; null is none, and always there."""
        yield None
        folder = self.path / domain
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            if _NAME.fullmatch(file.name) and file.is_file():
                yield self._content(domain, file.name, type_)

    def _content(self, domain: str, name: str, type_: str) -> JsonValue:
        """Read a secret: text without its last line break, or JSON where the name ends so.

        Raises:
            InvalidParameters: It cannot be read; nothing of it is told.
        """
        file = self.path / domain / name
        try:
            content = file.read_bytes()
            if len(content) <= MAX_SECRET:
                text = content.decode().rstrip("\r\n")
                value: JsonValue = json.loads(text) if file.suffix == ".json" else text
                return value
            problem = f"holds more than {MAX_SECRET} bytes"
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
        except ValueError:
            problem = "is no text in UTF-8, or no JSON though it is named so"
        raise InvalidParameters(
            f"The secret {domain}/{name} of {type_} {problem}.", mutation_type=type_
        )
