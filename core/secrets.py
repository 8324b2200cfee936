# ruff: noqa: A005 - within core it is always `.secrets`, and the library's is banned here
"""Secrets are shown as keyed hashes: equal values alike, and nothing to be learnt of them.

```python
redactor = HmacRedactor(key)  # 32 random bytes or more, kept where the database is not
shown = redact(document, survey(Plan), redactor)
```

A document is redacted before it is compared, so whatever is made of the change set (digests,
previews, history, audit, logs) shows hashes, and a secret that changed shows as a change from one
hash to another. What author code says in words is searched for the texts of secrets; see `Mask`.
It follows that

- a replay of history leads to the redacted document, from the redacted one at version 0;
- a change set never brings a secret back: a restore that would have to is a conflict;
- another key gives other hashes. A history written under two keys replays up to the first change
  of a secret that was written under the second.

A redacted document is for people and comparisons; no state is read from it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol

from pydantic import BaseModel, JsonValue

from .digests import canonical
from .documents import escaped
from .errors import AUTHORS, DefinitionError, InvalidValue, MutatorError
from .survey import NOTHING_DECLARED, Secret, Survey, survey
from .texts import writable

__all__ = [
    "HmacRedactor",
    "Mask",
    "Redactor",
    "Secret",
    "redact",
    "redact_given",
    "replaced",
    "require_redactor",
    "secret_paths",
    "told",
]

SCHEME: Final = "v1:hmac-sha256"

RECOGNISED: Final = 8
"""Characters from which on a secret text is looked for in what author code says; what is shorter
stands in too many words by chance."""

_LEAST_KEY = 32
_WHOLLY = Survey(secret=True)


class Redactor(Protocol):
    """What stands for a secret: the same text for equal values, from which none can be found."""

    def __call__(self, value: JsonValue, /) -> str:
        """Answer the text to show in place of the value."""


class HmacRedactor:
    """Shows a secret as `v1:hmac-sha256:`, the key's id, and 64 digits over its canonical form.

    Args:
        key: At least 32 random bytes. Who has it can try values; who has not learns nothing but
            which secrets are equal.

    Attributes:
        key_id: Eight hexadecimal digits by which a key is told from another; nothing is learnt of
            it.

    Raises:
        InvalidValue: The key is shorter.
    """

    __slots__ = ("_key", "key_id")

    def __init__(self, key: bytes) -> None:
        if len(key) < _LEAST_KEY:
            raise InvalidValue(
                f"A redactor's key has at least {_LEAST_KEY} bytes, not {len(key)}; "
                "make one with `openssl rand -hex 32`."
            )
        self._key = bytes(key)
        # No canonical form begins like this, so it is the hash of no value.
        self.key_id = hmac.digest(self._key, b"key id", "sha256").hex()[:8]

    def __call__(self, value: JsonValue, /) -> str:
        """Answer the keyed hash of a value."""
        hashed = hmac.digest(self._key, canonical(value), "sha256").hex()
        return f"{SCHEME}:{self.key_id}:{hashed}"


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

    def hashed(value: JsonValue) -> JsonValue:
        return _needed(redactor, declared)(value)

    return replaced(document, declared, hashed)


def replaced(
    document: JsonValue, declared: Survey, stand_in: Callable[[JsonValue], JsonValue]
) -> JsonValue:
    """Answer the document with the value at every secret place replaced.

    What holds no secret is shared with the document; one without any is answered as it is.

    Args:
        document: As in `redact`.
        declared: As in `redact`.
        stand_in: Answers what is to stand in the place of a value.
    """
    if not declared.holds_secret:
        return document
    if declared.secret:
        return stand_in(document)
    if isinstance(document, dict):
        shown = {
            name: replaced(value, declared.below(name) or NOTHING_DECLARED, stand_in)
            for name, value in document.items()
        }
        return shown if any(shown[name] is not document[name] for name in shown) else document
    if isinstance(document, list) and declared.items:
        items = [replaced(item, declared.items, stand_in) for item in document]
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


class Mask:
    """Replaces the texts of secrets where author code quotes them: in reasons, messages, payloads.

    It is a net for mistakes and has a mesh: a text is found as it is written, from `RECOGNISED`
    characters on. What is shorter, no text, or quoted in parts passes.

    Args:
        redactor: Makes what stands for them.
    """

    __slots__ = ("_found", "_redactor", "_texts")

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._texts: dict[str, str] = {}
        self._found: re.Pattern[str] | None = None

    def look_for(self, document: JsonValue, declared: Survey) -> None:
        """Take up the secrets of a document."""
        secrets: list[JsonValue] = []
        replaced(document, declared, secrets.append)
        texts = {text for secret in secrets for text in _texts(secret) if len(text) >= RECOGNISED}
        hashed = {text: self._redactor(text) for text in texts - self._texts.keys()}
        # What quotes one may have been written anew.
        self._texts |= {writable(text): shown for text, shown in hashed.items()} | hashed
        # The longest first: one may stand in another.
        longest = sorted(self._texts, key=len, reverse=True)
        self._found = re.compile("|".join(map(re.escape, longest))) if longest else None

    def text(self, said: str) -> str:
        """Answer a text without the secrets it quotes."""
        if self._found is None:
            return said
        return self._found.sub(lambda match: self._texts[match[0]], said)

    def data(self, said: JsonValue) -> JsonValue:
        """Answer plain JSON data without the secrets that its texts and keys quote."""
        if self._found is None:
            return said
        if isinstance(said, str):
            return self.text(said)
        if isinstance(said, dict):
            return {self.text(name): self.data(value) for name, value in said.items()}
        if isinstance(said, list):
            return [self.data(item) for item in said]
        return said


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def told(error: BaseException, declared: Iterable[Survey]) -> str:
    """Say what was raised, in words that can be kept; see `writable`.

    Where there are secrets only its type is said, as its text may quote them.
    """
    name = writable(type(error).__name__)
    if any(each.holds_secret for each in declared):
        return name
    try:
        return writable(f"{name}: {error}")
    except AUTHORS:  # an author's error may raise when it is asked what it says
        return name


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
