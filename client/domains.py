"""Find the domain that an author names as `package.module:attribute`."""

from __future__ import annotations

import importlib
from typing import Any

from core import Domain
from core.errors import DefinitionError


def read_domain(reference: str) -> Domain[Any]:
    """Import `package.module:attribute`.

    Raises:
        DefinitionError: There is no such module or attribute, or it is no domain.
    """
    module_name, _, attribute = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute or "domain")
    except (ImportError, AttributeError, ValueError) as error:
        raise DefinitionError(
            f"The domain {reference!r} cannot be imported: {error}. "
            "Name it as package.module:attribute."
        ) from error
    if not isinstance(found, Domain):
        raise DefinitionError(f"{reference!r} is a {type(found).__name__}, not a core.Domain.")
    return found
