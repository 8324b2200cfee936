"""Plain JSON documents: their paths, when two are equal, and how to find what stands at a path.

A path is a JSON Pointer (RFC 6901); "" is the whole document. Where a list is keyed, a token of the
path is the item's key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from operator import eq, is_
from typing import Any, Final

from .errors import ChangeConflict, InvalidValue

MISSING: Final[Any] = object()
"""What stands where nothing stands; `None` is a value."""


def tokens(path: str) -> list[str]:
    """Answer the names along a path."""
    parts = path.split("/")[1:]
    return [unescaped(part) for part in parts] if "~" in path else parts


def require_pointer(path: str) -> None:
    """Refuse what is no JSON Pointer.

    Raises:
        InvalidValue: It does not begin with a slash, or has a `~` that is neither `~0` nor `~1`.
    """
    if not _POINTER.fullmatch(path):
        message = f"{path!r} is no JSON Pointer; begin it with a slash, and write ~ as ~0."
        raise InvalidValue(message)


_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")


def escaped(token: str) -> str:
    """Write a name as a token of a path."""
    if "~" in token or "/" in token:
        return token.replace("~", "~0").replace("/", "~1")
    return token


def unescaped(token: str) -> str:
    """Read a token of a path as a name."""
    return token.replace("~1", "/").replace("~0", "~")


def above(path: str) -> Iterator[str]:
    """Yield the paths above this one, the nearest first."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def same(one: Any, other: Any) -> bool:
    """Whether two documents are equal as JSON, where Python takes `True` for `1`."""
    if one is other:
        return True
    if type(one) is dict and type(other) is dict:
        if len(one) != len(other):
            return False
        return all(same(value, other.get(name, MISSING)) for name, value in one.items())
    if type(one) is list and type(other) is list:
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and (type(one) is bool) is (type(other) is bool)


def holds_the_same(old: Any, new: Any) -> bool:
    """Answer whether two lists or maps hold the very same objects; validation makes new ones."""
    if type(old) is dict:
        return (
            len(old) == len(new)
            and all(map(is_, old.values(), new.values()))
            and all(map(eq, old, new))
        )
    if type(old) is list or type(old) is tuple:
        return len(old) == len(new) and all(map(is_, old, new))
    return False


def by_key(items: list[Any], key: str) -> dict[str, Any] | None:
    """Read a list as a map by its items' key; `None` where a key is missing or used twice."""
    found: dict[str, Any] = {}
    for item in items:
        name = item.get(key) if type(item) is dict else None
        if type(name) is int:
            name = str(name)
        if type(name) is not str or name in found:
            return None
        found[name] = item
    return found


def members(value: Any, key: str | None, path: str) -> dict[str, Any]:
    """Answer what lies right below a path, by the next token; the map itself where it is one.

    Args:
        value: What stands at the path.
        key: The items' key, where the list there is keyed.
        path: Named in the error.

    Raises:
        ChangeConflict: Nothing can lie below: it is no map, and no list with that key.
    """
    found: dict[str, Any] | None = None
    if key is not None:
        found = by_key(value, key) if type(value) is list else None
    elif type(value) is dict:
        found = value
    if found is None:
        wanted = "map" if key is None else f"list keyed by {key!r}"
        raise ChangeConflict(path, f"There is no {wanted} at {path or 'the root'}.")
    return found


class Located:
    """A document and what has been found in it; each list is read by key once.

    Args:
        document: Plain JSON data.
        keys: The keys of keyed lists, by the lists' paths.
    """

    def __init__(self, document: Any, keys: Mapping[str, str]) -> None:
        self.document = document
        self.keys = keys
        self._known: dict[str, dict[str, Any] | None] = {}

    def holder(self, path: str) -> dict[str, Any] | None:
        """Answer what lies right below a path, by the next token; `None` where nothing is there.

        Raises:
            ChangeConflict: See `members`.
        """
        if path not in self._known:
            value = self.at(path)
            found = None if value is MISSING else members(value, self.keys.get(path), path)
            self._known[path] = found
        return self._known[path]

    def at(self, path: str) -> Any:
        """Answer the value at a path, or `MISSING`.

        Raises:
            ChangeConflict: The path leads through something that holds nothing; see `members`.
        """
        if not path:
            return self.document
        container, _, token = path.rpartition("/")
        held = self.holder(container)
        return MISSING if held is None else held.get(unescaped(token), MISSING)
