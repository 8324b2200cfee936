"""Read the key that secrets are hashed by, from its file."""

from __future__ import annotations

from pathlib import Path

from core.errors import DefinitionError, InvalidValue
from core.secrets import HmacRedactor


def read_redactor(path: Path) -> HmacRedactor:
    """Answer what stands for secrets under the key in a file; white space around it is no part.

    Raises:
        DefinitionError: The file cannot be read, or its key is too short.
    """
    make = f"Make one by: openssl rand -hex 32 > {path}"
    try:
        return HmacRedactor(path.read_bytes().strip())
    except OSError as error:
        message = f"The file of the secret key {path} cannot be read: {error.strerror}. {make}"
        raise DefinitionError(message) from error
    except InvalidValue as error:
        raise DefinitionError(f"The file of the secret key {path}: {error.message}") from error
