"""A change set: what changed, as values that invert, digest, name each path and can be read.

It carries all it needs to be applied, and goes on working when the model is gone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, Literal, TypeAlias

from pydantic import BaseModel, Field, JsonValue, field_validator

from . import digests
from .documents import above
from .errors import InvalidValue
from .json_patch import patch
from .model import Value

Op: TypeAlias = Literal["added", "removed", "replaced"]

_OPPOSITE: Final[dict[Op, Op]] = {"added": "removed", "removed": "added", "replaced": "replaced"}


class Change(Value):
    """One difference at one path.

    Attributes:
        op: Whether the value came, went, or became another.
        path: Where, as a JSON Pointer (RFC 6901); "" is the whole document. In a keyed list the
            token is the item's key, not its index.
        before: The value that went; `None` where one was added (and where it was null).
        after: The value that came; `None` where one was removed (and where it is null).
    """

    op: Op
    path: str = Field(pattern=r"^(/([^~/]|~[01])*)*$")
    before: JsonValue = None
    after: JsonValue = None

    def describe(self, width: int = 80) -> str:
        """Say the change in one line: `/flags/beta/state: "DISABLED" -> "ENABLED"`.

        Args:
            width: The most characters of one value; what is longer is cut and ends in an ellipsis.
                The path is cut at twice as many.
        """
        path = self.path if self.path.isprintable() else json.dumps(self.path)[1:-1]
        where = _cut(path, 2 * width) if path else "(all)"
        if self.op == "added":
            return f"{where}: added {_cut(_shown(self.after), width)}"
        if self.op == "removed":
            return f"{where}: removed {_cut(_shown(self.before), width)}"
        before, after = _cut(_shown(self.before), width), _cut(_shown(self.after), width)
        return f"{where}: {before} -> {after}"


class KeyedList(Value):
    """A list that the paths of a change set pass through by key instead of index.

    Attributes:
        key: The field that identifies an item.
        positions: Where an item stands that was removed (in the list before) or added (in the list
            after), from 0, by its key. Beyond the list's end means at its end.
    """

    key: str
    positions: dict[str, int] = Field(default_factory=dict)


class Preview(Value):
    """A change set cut to what a person can read.

    Attributes:
        changes: The first changes; a value that was cut is text that ends in an ellipsis.
        total: How many changes there are, also those not shown.
        truncated: Whether a change was left out or a value cut.
    """

    changes: tuple[Change, ...] = ()
    total: int = 0
    truncated: bool = False


class ChangeSet(Value):
    """All differences between two documents, at most one for a path, in the order of paths.

    Attributes:
        changes: Sorted by path; none lies under another.
        keyed: The lists that are compared by key, by their path.
    """

    changes: tuple[Change, ...] = ()
    keyed: dict[str, KeyedList] = Field(default_factory=dict)

    @field_validator("changes")
    @classmethod
    def _in_order(cls, changes: tuple[Change, ...]) -> tuple[Change, ...]:
        paths = {change.path for change in changes}
        if len(paths) < len(changes):
            raise ValueError("two changes have the same path")
        for path in (change.path for change in changes):
            if any(higher in paths for higher in above(path)):
                raise ValueError(f"the change at {path!r} lies under another change")
        return tuple(sorted(changes, key=attrgetter("path")))

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def is_empty(self) -> bool:
        """Answer whether nothing changed."""
        return not self.changes

    @property
    def paths(self) -> tuple[str, ...]:
        """Answer the changed paths, sorted."""
        return tuple(change.path for change in self.changes)

    def inverse(self) -> ChangeSet:
        """Answer the change set that leads back."""
        return set_of(
            [change_of(_OPPOSITE[c.op], c.path, c.after, c.before) for c in self.changes],
            self.keyed,
        )

    def covered(self, prefixes: Sequence[str]) -> ChangeSet:
        """Answer the changes that touch what lies under one of the prefixes.

        Args:
            prefixes: JSON Pointers, compared token by token: "/a" covers "/a" and "/a/b" and not
                "/ab". "" covers all. A change above a prefix contains it, so it is covered whole.

        Raises:
            InvalidValue: A prefix is no JSON Pointer.
        """
        for prefix in prefixes:
            if prefix and not prefix.startswith("/"):
                raise InvalidValue(f"{prefix!r} is no JSON Pointer; begin it with a slash.")
        if "" in prefixes:
            return self
        chosen = [
            change
            for change in self.changes
            if any(
                f"{change.path}/".startswith(f"{prefix}/")
                or f"{prefix}/".startswith(f"{change.path}/")
                for prefix in prefixes
            )
        ]
        return set_of(chosen, keyed_above(chosen, self.keyed))

    def digest(self) -> str:
        """Digest what changes, from what, to what; positions in keyed lists are left out."""
        return digests.digest([[c.op, c.path, c.before, c.after] for c in self.changes])

    def preview(self, limit: int, *, width: int = 200) -> Preview:
        """Cut the change set to what a person can read.

        Args:
            limit: The most changes, 0 or more.
            width: The most characters of one value's JSON text.
        """
        shown = [
            change_of(c.op, c.path, _cut_value(c.before, width), _cut_value(c.after, width))
            for c in self.changes[:limit]
        ]
        return Preview(
            changes=tuple(shown),
            total=len(self.changes),
            truncated=tuple(shown) != self.changes,
        )

    def to_json_patch(
        self, *, before: JsonValue = None, tests: bool = False
    ) -> list[dict[str, JsonValue]]:
        """Export as JSON Patch (RFC 6902): operations that apply in the order given.

        Args:
            before: The document the patch is for. Needed where `keyed` is not empty, since JSON
                Patch names the items of a list by index.
            tests: Whether to put a `test` of the old value before each remove and replace.

        Raises:
            ChangeConflict: A path leads through something that `before` does not have.
        """
        return list(patch(self, before, keys=keys_of(self), tests=tests))


# What `model_construct` does, at a fifth of its price; tests hold the two together.
_set_fields_set = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private = BaseModel.__dict__["__pydantic_private__"].__set__
_CHANGE_FIELDS: Final = {"op", "path", "before", "after"}
_CHANGE_SET_FIELDS: Final = {"changes", "keyed"}


def change_of(op: Op, path: str, before: Any, after: Any) -> Change:
    """Make a change of what needs no validation, fast."""
    change = Change.__new__(Change)
    fields = change.__dict__
    fields["op"] = op
    fields["path"] = path
    fields["before"] = before
    fields["after"] = after
    _set_fields_set(change, _CHANGE_FIELDS)
    _set_extra(change, None)
    _set_private(change, None)
    return change


def set_of(changes: list[Change], keyed: dict[str, KeyedList]) -> ChangeSet:
    """Make a change set of changes that are in order and do not overlap, fast."""
    made = ChangeSet.__new__(ChangeSet)
    made.__dict__["changes"] = tuple(changes)
    made.__dict__["keyed"] = keyed
    _set_fields_set(made, _CHANGE_SET_FIELDS)
    _set_extra(made, None)
    _set_private(made, None)
    return made


def keys_of(changes: ChangeSet) -> dict[str, str]:
    """Answer the items' keys of the keyed lists, by the lists' paths."""
    return {path: listed.key for path, listed in changes.keyed.items()}


def keyed_above(changes: Sequence[Change], lists: dict[str, KeyedList]) -> dict[str, KeyedList]:
    """Answer the keyed lists that the changes lie in."""
    if not lists:
        return {}
    return {path: lists[path] for change in changes for path in above(change.path) if path in lists}


def _shown(value: JsonValue) -> str:
    """Write a value so that it cannot break the line or hide what it says."""
    text = _as_it_is.encode(value)
    return text if text.isprintable() else _in_ascii.encode(value)


_as_it_is: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True)
_in_ascii: Final = json.JSONEncoder(sort_keys=True)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _cut_value(value: JsonValue, width: int) -> JsonValue:
    text = _shown(value)
    return value if len(text) <= width else _cut(text, width)
