# ruff: noqa: A005 - within core it is always `.secrets`, and the library's is banned here
"""Secrets are shown as keyed hashes: equal values alike, and nothing to be learnt of them.

```python
redactor = HmacRedactor(key)  # 32 random bytes or more, kept where the database is not
shown = redact(document, survey(Plan), redactor)
```

A document is redacted before it is compared, so whatever is made of the change set (digests,
previews, history, audit, logs) shows hashes, and a secret that changed shows as a change from one
hash to another. It follows that

- a replay of history leads to the redacted document, from the redacted one at version 0;
- a change set never brings a secret back: a restore that would have to is a conflict;
- another key gives other hashes. A history written under two keys replays up to the first change
  of a secret that was written under the second.

A redacted document is for people and comparisons; no state is read from it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from pydantic import BaseModel, JsonValue

from .digests import canonical
from .documents import escaped
from .errors import DefinitionError, InvalidValue, MutatorError
from .survey import NOTHING_DECLARED, Secret, Survey, survey

__all__ = [
    "HmacRedactor",
    "Redactor",
    "Secret",
    "redact",
    "redact_given",
    "require_redactor",
    "secret_paths",
    "told",
]

_LEAST_KEY = 32
_WHOLLY = Survey(secret=True)


class Redactor(Protocol):
    """What stands for a secret: the same text for equal values, from which none can be found."""

    def __call__(self, value: JsonValue, /) -> str:
        """Answer the text to show in place of the value."""


class HmacRedactor:
    """Shows a secret as `hmac-sha256:` and 64 hexadecimal digits, over its canonical form.

    Args:
        key: At least 32 random bytes. Who has it can try values; who has not learns nothing but
            which secrets are equal.

    Raises:
        InvalidValue: The key is shorter.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) < _LEAST_KEY:
            raise InvalidValue(
                f"A redactor's key has at least {_LEAST_KEY} bytes, not {len(key)}; "
                "make one with `openssl rand -hex 32`."
            )
        self._key = bytes(key)

    def __call__(self, value: JsonValue, /) -> str:
        """Answer the keyed hash of a value."""
        return f"hmac-sha256:{hmac.digest(self._key, canonical(value), 'sha256').hex()}"


def redact(document: JsonValue, declared: Survey, redactor: Redactor | None) -> JsonValue:
    """Answer the document with every secret replaced by what stands for it.

    What holds no secret is shared with the document; one without any is answered as it is. Null is
    a value like others. Redact once: a hash is no secret, and would be hashed again.

    Args:
        document: Plain JSON data: a state, or a mutation's parameters.
        declared: What its model declares, from `survey`, or the place of it that this is.
        redactor: Needed where something is secret.

    Raises:
        DefinitionError: Something is secret and there is no redactor.
    """
    if not declared.holds_secret:
        return document
    if declared.secret:
        return _needed(redactor, declared)(document)
    if isinstance(document, dict):
        shown = {
            name: redact(value, declared.below(name) or NOTHING_DECLARED, redactor)
            for name, value in document.items()
        }
        return shown if any(shown[name] is not document[name] for name in shown) else document
    if isinstance(document, list) and declared.items:
        items = [redact(item, declared.items, redactor) for item in document]
        return items if any(map(_differ, items, document)) else document
    return document


def redact_given(
    value: JsonValue, path: str, declared: Iterable[Survey], redactor: Redactor | None
) -> JsonValue:
    """Answer a value that author code gives for a path, with every secret replaced.

    Nobody has validated it. So where the place holds secrets, a value that has no parts is taken
    for one, and where the path is no JSON Pointer, the value is. What cannot be hashed is left out.

    Args:
        value: What a check found, or a policy sets.
        path: Where, as the author code says.
        declared: The models whose place it may be.
        redactor: Needed where something is secret.
    """
    is_pointer = not path or path.startswith("/")
    for each in declared:
        place = each.at(path) if is_pointer else each
        if place.holds_secret and not (is_pointer and isinstance(value, dict | list)):
            place = _WHOLLY
        try:
            shown = redact(value, place, redactor)
        except MutatorError:
            return None
        if shown is not value:
            return shown
    return value


def told(error: Exception, declared: Iterable[Survey]) -> str:
    """Say what was raised; where there are secrets only its type, as its text may quote them."""
    name = type(error).__name__
    return name if any(each.holds_secret for each in declared) else f"{name}: {error}"


def require_redactor(redactor: Redactor | None, *declared: Survey) -> None:
    """Refuse to go on where something is secret and nothing stands for it.

    Args:
        redactor: What the engine was handed.
        declared: The surveys of the state and of every mutation.

    Raises:
        DefinitionError: It names the secret paths.
    """
    for each in declared:
        if each.holds_secret:
            _needed(redactor, each)


def secret_paths(declared: Survey | type[BaseModel]) -> tuple[str, ...]:
    """List the secret places, sorted, as paths in which `*` is any key or index.

    A model that contains itself is gone through once.
    """
    place = declared if isinstance(declared, Survey) else survey(declared)
    return tuple(sorted(_secret_below(place, "", ())))


def _secret_below(place: Survey, path: str, above: tuple[Survey, ...]) -> Iterator[str]:
    if place.secret:
        yield path
    elif place.holds_secret and place not in above:
        named = [(escaped(name), part) for name, part in place.fields.items()]
        for token, part in [*named, *([("*", place.items)] if place.items else [])]:
            yield from _secret_below(part, f"{path}/{token}", (*above, place))


def _needed(redactor: Redactor | None, declared: Survey) -> Redactor:
    if redactor is None:
        paths = ", ".join(path or "the whole" for path in secret_paths(declared))
        raise DefinitionError(
            f"There are secret fields ({paths}) and no redactor to hide them; hand the engine one, "
            "as in Engine(redactor=HmacRedactor(key))."
        )
    return redactor


def _differ(one: Any, other: Any) -> bool:
    return one is not other
