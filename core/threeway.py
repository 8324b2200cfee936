"""Make a change in a document that has moved on: keep what was edited since, or name the conflict.

```python
undone = three_way(current, entry.changes.inverse())
if undone.conflicts: ...  # somebody edited what would be undone; nothing was changed
```
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from .change_set import Change, ChangeSet, change_of, keys_of, set_of
from .changes import apply, misfit
from .documents import MISSING, Located, same
from .errors import ChangeConflict
from .model import Value
from .secrets import Redactor, redact, require_redactor
from .survey import NOTHING_DECLARED, Survey


class PathConflict(Value):
    """Why the change at one path does not fit any more."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class ThreeWay:
    """What came of making a change set in a document that has moved on.

    Attributes:
        document: The document with the changes made; as it was given where there is a conflict.
        fitting: The changes that still fit and have not been made by somebody else, as they lead
            from the document given.
        conflicts: Every path at which the change does not fit, in the order of paths.
    """

    document: JsonValue
    fitting: ChangeSet
    conflicts: tuple[PathConflict, ...] = ()


def three_way(
    current: JsonValue,
    changes: ChangeSet,
    *,
    declared: Survey = NOTHING_DECLARED,
    redactor: Redactor | None = None,
) -> ThreeWay:
    """Make the changes in a document that has moved on: all of them, or none.

    What was edited elsewhere is kept. A change fits where its path holds what the change expects,
    with nothing edited above or below; where it holds what the change leads to, there is nothing to
    do. Anything else is a conflict. A removal is done where nothing stands any more.

    The changes of a document with secrets hold keyed hashes. They can be compared, so an item that
    held a secret can be removed; they cannot be written, so a change that leads to a secret is a
    conflict.

    Args:
        current: Plain JSON data, with its secrets in clear.
        changes: What `diff` found between other states of the document, or its inverse.
        declared: What the document's model declares, from `survey`; needed where it has secrets.
        redactor: The one that the change set was made with.

    Raises:
        DefinitionError: There are secrets and no redactor.
    """
    require_redactor(redactor, declared)
    shown = redact(current, declared, redactor)
    keys = keys_of(changes)
    seen, held = Located(shown, keys), Located(current, keys)
    fitting: list[Change] = []
    conflicts: list[PathConflict] = []
    for change in changes.changes:
        wanted = MISSING if change.op == "removed" else change.after
        try:
            if same(seen.at(change.path), wanted):
                continue
            problem = misfit(change, seen) or _kept_secret(change, declared)
        except ChangeConflict as conflict:
            problem = conflict.message
        if problem:
            conflicts.append(PathConflict(path=change.path, message=problem))
        else:
            before = None if change.op == "added" else held.at(change.path)
            fitting.append(change_of(change.op, change.path, before, change.after))
    left = set_of(fitting, changes.keyed)
    return ThreeWay(current if conflicts else apply(current, left), left, tuple(conflicts))


def _kept_secret(change: Change, declared: Survey) -> str | None:
    """Say where a change leads to a secret, of which only the hash is known."""
    place = declared.at(change.path)
    if redact(change.after, place, lambda _: MISSING) is change.after:
        return None
    return (
        f"The value for {change.path or 'the root'} is secret, and its record is a hash; "
        "set it by a change of its own."
    )
