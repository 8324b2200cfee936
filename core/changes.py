"""What changed between two documents: `diff` finds it, `apply` makes it.

A document is plain JSON data as `digests.jsonable` makes it. Maps are compared key by key. A list
is one value, unless its field declares an identity key; then it is a map by that key, and a change
of the flag `beta` has a path like `/flags/beta/state`:

    class Flags(BaseModel):
        flags: Annotated[list[Flag], Identity("id")]

Where an item stands is no part of a change, so it is in no digest. It is not lost either: the
change set keeps the positions of items that come and go. When the items that stay change their
order, or keys are missing, used twice, or neither text nor integer, the list is replaced as one
value. Where order decides what a list means, declare no identity for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias

from pydantic import JsonValue

from .change_set import (
    Change,
    ChangeSet,
    KeyedList,
    Op,
    Preview,
    change_of,
    keyed_above,
    keys_of,
    set_of,
)
from .documents import MISSING, Located, by_key, escaped, same, tokens
from .errors import ChangeConflict
from .survey import NOTHING_DECLARED, Identity, Survey

__all__ = [
    "Change",
    "ChangeSet",
    "Identity",
    "KeyedList",
    "Op",
    "Preview",
    "apply",
    "diff",
]


def diff(before: JsonValue, after: JsonValue, *, identity: Survey = NOTHING_DECLARED) -> ChangeSet:
    """Compare two documents and answer what leads from one to the other.

    Numbers are compared by value (`1` is `1.0`), and are never equal to booleans. Takes time
    linear in the size of the documents; parts that are the same object are not looked into.

    Args:
        before: Plain JSON data, as `digests.jsonable` makes it.
        after: As `before`. Values in the change set are shared with both, not copied.
        identity: Which lists are keyed, from `survey`.
    """
    found: list[Change] = []
    lists: dict[str, KeyedList] = {}
    # A stack of our own: a document may be nested deeper than calls can be.
    todo: list[_Pair] = [("", before, after, identity)]
    while todo:
        path, old, new, here = todo.pop()
        if type(old) is dict and type(new) is dict:
            _compare(path, old, new, here, found=found, todo=todo)
            continue
        if here and here.key is not None and (pair := _keyed_pair(old, new, here.key)):
            olds, news = pair
            positions = _positions(olds, news)
            lists[path] = KeyedList.model_construct(key=here.key, positions=positions)
            each = Survey(items=here.items)
            _compare(path, olds, news, each, found=found, todo=todo)
        elif not same(old, new):
            found.append(change_of("replaced", path, old, new))
    found.sort(key=attrgetter("path"))
    return set_of(found, keyed_above(found, lists))


_Pair: TypeAlias = tuple[str, Any, Any, Survey | None]


def _compare(
    path: str,
    olds: dict[str, Any],
    news: dict[str, Any],
    here: Survey | None,
    *,
    found: list[Change],
    todo: list[_Pair],
) -> None:
    """Compare two maps, one level deep; what has to be looked into goes on the stack."""
    stayed = 0
    for name, value in olds.items():
        other = news.get(name, MISSING)
        if other is value:
            stayed += 1
            continue
        if other is MISSING:
            found.append(change_of("removed", f"{path}/{escaped(name)}", value, None))
            continue
        stayed += 1
        kind = type(value)
        if kind is dict or kind is list:
            part = here.below(name) if here else None
            todo.append((f"{path}/{escaped(name)}", value, other, part))
        elif value != other or (kind is bool) is not (type(other) is bool):
            found.append(change_of("replaced", f"{path}/{escaped(name)}", value, other))
    if stayed < len(news):
        found.extend(
            change_of("added", f"{path}/{escaped(name)}", None, value)
            for name, value in news.items()
            if name not in olds
        )


def apply(before: JsonValue, changes: ChangeSet) -> JsonValue:
    """Make the changes in a document and answer the new one.

    Neither argument is altered; the answer shares with them whatever did not change.

    Args:
        before: Plain JSON data; another document than the one compared will do, as long as the
            changed paths hold what they held there.
        changes: What `diff` found, its inverse, or a part of it.

    Raises:
        ChangeConflict: What `before` holds at a changed path is not what the change expects;
            `path` names it. Nothing is changed then.
    """
    if not changes.changes:
        return before
    located = Located(before, keys_of(changes))
    tree: _Tree = {}
    for change in changes.changes:
        if problem := misfit(change, located):
            raise ChangeConflict(change.path, problem)
        if change.path == "":
            return change.after
        *way, last = tokens(change.path)
        branch: Any = tree
        for token in way:
            branch = branch.setdefault(token, {})  # never a change: no change lies under another
        branch[last] = change
    after: JsonValue = _changed("", tree, located, changes.keyed)
    return after


def misfit(change: Change, located: Located) -> str | None:
    """Say why a change cannot be made in a document; `None` where it can.

    Raises:
        ChangeConflict: The way to the path leads through something that holds nothing.
    """
    path = change.path or "the root"
    current = located.at(change.path)
    if change.op == "added":
        container = change.path.rpartition("/")[0]
        if current is not MISSING:
            return f"There is a value at {path} already."
        return None if located.holder(container) is not None else f"There is no {container} for it."
    if current is MISSING:
        return f"There is nothing at {path} any more."
    if not same(current, change.before):
        return f"The value at {path} is another than expected."
    return None


_Tree: TypeAlias = "dict[str, Change | _Tree]"


def _changed(path: str, tree: _Tree, located: Located, keyed: Mapping[str, KeyedList]) -> Any:
    """Make changes that fit, in what lies at and below a path."""
    target = dict(located.holder(path) or {})
    added: list[str] = []
    for token, entry in tree.items():
        if not isinstance(entry, Change):
            target[token] = _changed(f"{path}/{escaped(token)}", entry, located, keyed)
        elif entry.op == "removed":
            del target[token]
        else:
            target[token] = entry.after
            if entry.op == "added":
                added.append(token)
    return _arranged(target, added, keyed[path].positions) if path in keyed else target


def _arranged(target: dict[str, Any], added: list[str], positions: Mapping[str, int]) -> list[Any]:
    """Put the added items at their positions between those that stayed."""
    if not added:
        return list(target.values())
    end = len(target)
    newcomers = [(positions.get(name, end), target.pop(name)) for name in added]
    stayed = iter(target.values())
    items: list[Any] = []
    for position, item in sorted(newcomers, key=itemgetter(0)):
        items.extend(islice(stayed, max(0, position - len(items))))
        items.append(item)
    return [*items, *stayed]


def _keyed_pair(old: Any, new: Any, key: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Read two lists as maps by key; `None` where that cannot be, or would lose their order."""
    if type(old) is not list or type(new) is not list:
        return None
    olds, news = by_key(old, key), by_key(new, key)
    if olds is None or news is None:
        return None
    if [name for name in olds if name in news] != [name for name in news if name in olds]:
        return None
    return olds, news


def _positions(olds: dict[str, Any], news: dict[str, Any]) -> dict[str, int]:
    if olds.keys() == news.keys():
        return {}
    gone = {name: index for index, name in enumerate(olds) if name not in news}
    return gone | {name: index for index, name in enumerate(news) if name not in olds}
