"""A change set as JSON Patch (RFC 6902), which names the items of a list by index."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from .documents import Located, tokens, unescaped
from .errors import ChangeConflict

if TYPE_CHECKING:
    from pydantic import JsonValue

    from .change_set import Change, ChangeSet, Op

_OPERATION: Final[dict[Op, str]] = {"added": "add", "removed": "remove", "replaced": "replace"}


def patch(
    changes: ChangeSet, before: Any, *, keys: dict[str, str], tests: bool
) -> Iterator[dict[str, JsonValue]]:
    """Yield the operations; see `ChangeSet.to_json_patch`.

    First what moves no index; then items that go, from the end; then items that come, from the
    start; and the innermost lists first, while the indices that lead to them still hold.
    """
    pointers = _Pointers(before, keys)
    moving: dict[str, list[Change]] = {}
    for change in changes.changes:
        container = change.path.rpartition("/")[0]
        if change.path and change.op != "replaced" and container in changes.keyed:
            moving.setdefault(container, []).append(change)
        else:
            yield from _operations(change, pointers.of(change.path), tests=tests)
    for container in sorted(moving, key=lambda path: path.count("/"), reverse=True):
        at = pointers.of(container)
        size = len(pointers.indices(container))
        gone = [(pointers.index(c.path), c) for c in moving[container] if c.op == "removed"]
        for index, change in sorted(gone, key=itemgetter(0), reverse=True):
            yield from _operations(change, f"{at}/{index}", tests=tests)
        positions = changes.keyed[container].positions
        come = [
            (positions.get(tokens(c.path)[-1], size + len(moving[container])), c)
            for c in moving[container]
            if c.op == "added"
        ]
        ordered = sorted(come, key=itemgetter(0))
        for end, (position, change) in enumerate(ordered, size - len(gone)):
            yield from _operations(change, f"{at}/{min(position, end)}", tests=tests)


def _operations(change: Change, at: str, *, tests: bool) -> Iterator[dict[str, JsonValue]]:
    if tests and change.op != "added":
        yield {"op": "test", "path": at, "value": change.before}
    if change.op == "removed":
        yield {"op": "remove", "path": at}
    else:
        yield {"op": _OPERATION[change.op], "path": at, "value": change.after}


class _Pointers:
    """The paths of a change set as pointers into a document, with indices for keys."""

    def __init__(self, document: Any, keys: dict[str, str]) -> None:
        self.keys = keys
        self.located = Located(document, keys)
        self.known: dict[str, dict[str, int]] = {}

    def of(self, path: str) -> str:
        if not self.keys:
            return path
        at = way = ""
        for token in path.split("/")[1:]:
            part: object = token
            if way in self.keys:
                part = self.indices(way).get(unescaped(token))
                if part is None:
                    raise ChangeConflict(path, f"The document has no item {way}/{token}.")
            at, way = f"{at}/{part}", f"{way}/{token}"
        return at

    def index(self, path: str) -> int:
        return int(self.of(path).rpartition("/")[2])

    def indices(self, path: str) -> dict[str, int]:
        """Answer the index of each item of a keyed list, by its key."""
        if path not in self.known:
            items = self.located.holder(path)
            if items is None:
                raise ChangeConflict(path, f"The document has nothing at {path}.")
            self.known[path] = {name: index for index, name in enumerate(items)}
        return self.known[path]
