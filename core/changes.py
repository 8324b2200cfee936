"""What changed between two documents: a change set that applies, inverts and names each path.

A document is plain JSON data as `digests.jsonable` makes it. Maps are compared key by key. A list
is one value, unless its field declares an identity key; then it is a map by that key, and a change
of the flag `beta` has a path like `/flags/beta/state`:

    class Flags(BaseModel):
        flags: Annotated[list[Flag], Identity("id")]

Where an item stands is no part of a change, so it is in no digest. It is not lost either: the
change set keeps the positions of items that come and go. When the items that stay change their
order, or keys are missing, used twice, or neither text nor integer, the list is replaced as one
value. Where order decides what a list means, declare no identity for it.

A change set carries all it needs to be applied, and goes on working when the model is gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from operator import itemgetter
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel, Field, JsonValue, RootModel, field_validator
from pydantic.fields import FieldInfo

from . import digests
from .errors import ChangeConflict, DefinitionError, InvalidValue
from .model import Value

Op: TypeAlias = Literal["added", "removed", "replaced"]

_MISSING: Final[Any] = object()
_OPPOSITE: Final[dict[Op, Op]] = {"added": "removed", "removed": "added", "replaced": "replaced"}
_PATCH: Final[dict[Op, str]] = {"added": "add", "removed": "remove", "replaced": "replace"}


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
            if any(above in paths for above in _above(path)):
                raise ValueError(f"the change at {path!r} lies under another change")
        return tuple(sorted(changes, key=_path_of))

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
        return _change_set(
            [_change(_OPPOSITE[c.op], c.path, c.after, c.before) for c in self.changes], self.keyed
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
        return _change_set(chosen, _lists_on_the_way(chosen, self.keyed))

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
            _change(c.op, c.path, _cut_value(c.before, width), _cut_value(c.after, width))
            for c in self.changes[:limit]
        ]
        whole = len(shown) == len(self.changes) and all(
            cut.before is c.before and cut.after is c.after
            for cut, c in zip(shown, self.changes, strict=False)
        )
        return Preview(changes=tuple(shown), total=len(self.changes), truncated=not whole)

    def to_json_patch(
        self, *, before: JsonValue = None, tests: bool = False
    ) -> list[dict[str, JsonValue]]:
        """Export as JSON Patch (RFC 6902): operations that apply in the order given.

        Args:
            before: The document the patch is for. Needed where `keyed` is not empty, since JSON
                Patch names the items of a list by index.
            tests: Whether to put a `test` of the old value before each remove and replace.

        Raises:
            ChangeConflict: A path leads through a keyed list that `before` does not have.
        """
        return list(_patch(self, before, tests=tests))


class Identity:
    """Declare the key of a list's items: `Annotated[list[Rule], Identity("id")]`.

    Args:
        key: The field of an item, text or integer, that no two items of the list share.
    """

    __slots__ = ("key",)

    def __init__(self, key: str) -> None:
        self.key = key

    def __repr__(self) -> str:
        return f"Identity({self.key!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and other.key == self.key

    def __hash__(self) -> int:
        return hash((Identity, self.key))


class IdentityKeys:
    """Which lists of a document are keyed, as a tree along its paths.

    A model that contains itself makes a tree that does. Parts without any keyed list are left out.

    Attributes:
        key: The identity key, where this part is a keyed list; otherwise `None`.
        fields: The parts of a model, by field name.
        items: The part that each value of a map, or item of a list, is; `None` for nothing keyed.
    """

    __slots__ = ("fields", "items", "key")

    def __init__(
        self,
        key: str | None = None,
        *,
        fields: Mapping[str, IdentityKeys] | None = None,
        items: IdentityKeys | None = None,
    ) -> None:
        self.key = key
        self.fields: dict[str, IdentityKeys] = dict(fields or {})
        self.items = items

    def parts(self) -> list[IdentityKeys]:
        """Answer the parts right below this one."""
        return [*self.fields.values(), *([self.items] if self.items else [])]


NO_IDENTITY: Final = IdentityKeys()
"""No list is keyed."""


@cache
def identity_keys(model: type[BaseModel]) -> IdentityKeys:
    """Find the keyed lists of a model, in nested models, maps and lists too; once per model.

    Raises:
        DefinitionError: `Identity` stands at something that is not a list, names a field that the
            items do not have, or two members of a union name different keys.
    """
    return _Survey().of(model)


def diff(before: JsonValue, after: JsonValue, *, identity: IdentityKeys = NO_IDENTITY) -> ChangeSet:
    """Compare two documents and answer what leads from one to the other.

    Numbers are compared by value (`1` is `1.0`), and are never equal to booleans. Takes time
    linear in the size of the documents; parts that are the same object are not looked into.

    Args:
        before: Plain JSON data, as `digests.jsonable` makes it.
        after: As `before`. Values in the change set are shared with both, not copied.
        identity: Which lists are keyed, from `identity_keys`.
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
        pair = _keyed_pair(old, new, here)
        if pair is not None:
            key, olds, news = pair
            positions = _positions(olds, news)
            lists[path] = KeyedList.model_construct(key=key, positions=positions)
            items = here.items if here else None
            each = IdentityKeys(items=items) if items else None
            _compare(path, olds, news, each, found=found, todo=todo)
        elif not _same(old, new):
            found.append(_change("replaced", path, old, new))
    found.sort(key=_path_of)
    return _change_set(found, _lists_on_the_way(found, lists))


_Pair: TypeAlias = tuple[str, Any, Any, IdentityKeys | None]


def _compare(
    path: str,
    olds: dict[str, Any],
    news: dict[str, Any],
    here: IdentityKeys | None,
    *,
    found: list[Change],
    todo: list[_Pair],
) -> None:
    """Compare two maps, one level deep; what has to be looked into goes on the stack."""
    stayed = 0
    for name, value in olds.items():
        other = news.get(name, _MISSING)
        if other is value:
            stayed += 1
            continue
        if other is _MISSING:
            found.append(_change("removed", f"{path}/{_escaped(name)}", value, None))
            continue
        stayed += 1
        kind = type(value)
        if kind is dict or kind is list:
            part = (here.fields.get(name) or here.items) if here else None
            todo.append((f"{path}/{_escaped(name)}", value, other, part))
        elif value != other or (kind is bool) is not (type(other) is bool):
            found.append(_change("replaced", f"{path}/{_escaped(name)}", value, other))
    if stayed < len(news):
        found.extend(
            _change("added", f"{path}/{_escaped(name)}", None, value)
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
    if changes.changes[0].path == "":
        whole = changes.changes[0]
        _check_fit(whole, before)
        return whole.after
    tree: _Tree = {}
    for change in changes.changes:
        *way, last = _tokens(change.path)
        branch: Any = tree
        for token in way:
            branch = branch.setdefault(token, {})  # never a change: no change lies under another
        branch[last] = change
    after: JsonValue = _applied(before, tree, "", changes.keyed)
    return after


_Tree: TypeAlias = "dict[str, Change | _Tree]"


def _applied(value: Any, tree: _Tree, path: str, keyed: Mapping[str, KeyedList]) -> Any:
    target: dict[str, Any] | None = None
    listed = keyed.get(path) if type(value) is list else None
    if listed is not None:
        target = _by_key(value, listed.key)
    elif type(value) is dict:
        target = dict(value)
    if target is None:
        wanted = f"a list keyed by {keyed[path].key!r}" if path in keyed else "a map"
        raise ChangeConflict(path, f"The value at {path or 'the root'} is not {wanted} any more.")
    added: list[str] = []
    for token, entry in tree.items():
        current = target.get(token, _MISSING)
        if isinstance(entry, Change):
            _check_fit(entry, current)
            if entry.op == "removed":
                del target[token]
            else:
                target[token] = entry.after
                if entry.op == "added":
                    added.append(token)
        else:
            there = f"{path}/{_escaped(token)}"
            if current is _MISSING:
                raise ChangeConflict(there, f"There is nothing at {there} any more.")
            target[token] = _applied(current, entry, there, keyed)
    return _arranged(target, added, listed.positions) if listed else target


def _check_fit(change: Change, current: Any) -> None:
    path = change.path or "the root"
    if change.op == "added":
        if current is not _MISSING:
            raise ChangeConflict(change.path, f"There is a value at {path} already.")
    elif current is _MISSING:
        raise ChangeConflict(change.path, f"There is nothing at {path} any more.")
    elif current is not change.before and not _same(current, change.before):
        raise ChangeConflict(change.path, f"The value at {path} is another than expected.")


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


def _keyed_pair(
    old: Any, new: Any, here: IdentityKeys | None
) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
    """Read two lists as maps by key; `None` where that cannot be, or would lose their order."""
    key = here.key if here else None
    if key is None or type(old) is not list or type(new) is not list:
        return None
    olds, news = _by_key(old, key), _by_key(new, key)
    if olds is None or news is None:
        return None
    if [name for name in olds if name in news] != [name for name in news if name in olds]:
        return None
    return key, olds, news


def _by_key(items: list[Any], key: str) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for item in items:
        name = item.get(key) if type(item) is dict else None
        if type(name) is int:
            name = str(name)
        if type(name) is not str or name in found:
            return None
        found[name] = item
    return found


def _positions(olds: dict[str, Any], news: dict[str, Any]) -> dict[str, int]:
    if olds.keys() == news.keys():
        return {}
    gone = {name: index for index, name in enumerate(olds) if name not in news}
    return gone | {name: index for index, name in enumerate(news) if name not in olds}


def _same(one: Any, other: Any) -> bool:
    """Whether two documents are equal as JSON, where Python takes `True` for `1`."""
    if one is other:
        return True
    if type(one) is dict and type(other) is dict:
        if len(one) != len(other):
            return False
        return all(_same(value, other.get(name, _MISSING)) for name, value in one.items())
    if type(one) is list and type(other) is list:
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and (type(one) is bool) is (type(other) is bool)


def _patch(changes: ChangeSet, before: Any, *, tests: bool) -> Iterator[dict[str, JsonValue]]:
    # First what moves no index; then items that go, from the end; then items that come, from the
    # start; and the innermost lists first, while the indices that lead to them still hold.
    document = _Located(before, changes.keyed)
    moving: dict[str, list[Change]] = {}
    for change in changes.changes:
        container = change.path.rpartition("/")[0]
        if change.path and change.op != "replaced" and container in changes.keyed:
            moving.setdefault(container, []).append(change)
        else:
            at = document.find(change.path)[0] if changes.keyed else change.path
            yield from _operations(change, at, tests=tests)
    for container in sorted(moving, key=lambda path: path.count("/"), reverse=True):
        at = document.find(container)[0]
        indices = document.indices(container)
        gone = [(document.index(c.path), c) for c in moving[container] if c.op == "removed"]
        for index, change in sorted(gone, key=itemgetter(0), reverse=True):
            yield from _operations(change, f"{at}/{index}", tests=tests)
        end = len(indices) - len(gone)
        positions = changes.keyed[container].positions
        come = [
            (positions.get(_tokens(c.path)[-1], len(indices) + len(moving[container])), c)
            for c in moving[container]
            if c.op == "added"
        ]
        for end_now, (position, change) in enumerate(sorted(come, key=itemgetter(0)), end):
            yield from _operations(change, f"{at}/{min(position, end_now)}", tests=tests)


def _operations(change: Change, at: str, *, tests: bool) -> Iterator[dict[str, JsonValue]]:
    if tests and change.op != "added":
        yield {"op": "test", "path": at, "value": change.before}
    if change.op == "removed":
        yield {"op": "remove", "path": at}
    else:
        yield {"op": _PATCH[change.op], "path": at, "value": change.after}


class _Located:
    """A document whose keyed lists are reached by key, to learn the index."""

    def __init__(self, document: Any, keyed: Mapping[str, KeyedList]) -> None:
        self.document = document
        self.keyed = keyed
        self.known: dict[str, dict[str, int]] = {}

    def find(self, path: str) -> tuple[str, Any]:
        """Answer the pointer with indices for keys, and what is there."""
        at, value, way = "", self.document, ""
        for token in path.split("/")[1:]:
            there = f"{way}/{token}"
            if way in self.keyed:
                index = self._indices(way, value).get(_unescaped(token))
                if index is None:
                    raise ChangeConflict(path, f"`before` has no item at {there}.")
                at, value = f"{at}/{index}", value[index]
            else:
                name = _unescaped(token)
                at, value = f"{at}/{token}", value.get(name) if type(value) is dict else None
            way = there
        return at, value

    def index(self, path: str) -> int:
        return int(self.find(path)[0].rpartition("/")[2])

    def indices(self, path: str) -> dict[str, int]:
        """Answer the index of each item of a keyed list, by its key."""
        return self._indices(path, self.find(path)[1])

    def _indices(self, path: str, items: Any) -> dict[str, int]:
        if path not in self.known:
            found = _by_key(items, self.keyed[path].key) if type(items) is list else None
            if found is None:
                message = f"`before` has no keyed list at {path or 'the root'}."
                raise ChangeConflict(path, message)
            self.known[path] = {name: index for index, name in enumerate(found)}
        return self.known[path]


class _Survey:
    """One walk over a model's annotations; a model met again is the same part of the tree."""

    def __init__(self) -> None:
        self.known: dict[tuple[tuple[int, str | None], ...], IdentityKeys] = {}

    def of(self, model: type[BaseModel]) -> IdentityKeys:
        root = self.part([(model, None)])
        useful = {id(part) for part in self.known.values() if part.key is not None}
        size = -1
        while size < len(useful):
            size = len(useful)
            useful |= {
                id(part)
                for part in self.known.values()
                if any(id(below) in useful for below in part.parts())
            }
        for part in self.known.values():
            part.fields = {name: p for name, p in part.fields.items() if id(p) in useful}
            part.items = part.items if id(part.items) in useful else None
        return root

    def part(self, members: list[tuple[Any, str | None]]) -> IdentityKeys:
        """Answer the part for one place, which may be any of several annotations."""
        arms = [arm for annotation, key in members for arm in _arms(annotation, key)]
        # Annotations live as long as their models, and not all of them can be hashed.
        known = tuple((id(annotation), key) for annotation, key in arms)
        if known in self.known:
            return self.known[known]
        part = self.known[known] = IdentityKeys()
        fields: dict[str, list[tuple[Any, str | None]]] = {}
        items: list[tuple[Any, str | None]] = []
        for annotation, key in arms:
            inner = _inner(annotation)
            if key is not None:
                self.declare(part, key, annotation, inner)
            items.extend((each, None) for each in inner)
            if _is_model(annotation):
                for name, info in annotation.model_fields.items():
                    member = (info.annotation, _declared(info.metadata))
                    for written in dict.fromkeys((name, info.serialization_alias or name)):
                        fields.setdefault(written, []).append(member)
        part.fields = {name: self.part(found) for name, found in fields.items()}
        part.items = self.part(items) if items else None
        return part

    def declare(self, part: IdentityKeys, key: str, annotation: Any, inner: list[Any]) -> None:
        if not _is_list(annotation):
            raise DefinitionError(f"Identity({key!r}) stands at {annotation}; only a list has one.")
        if part.key not in {None, key}:
            raise DefinitionError(f"A list has one identity key, not {part.key!r} and {key!r}.")
        for item, _ in (arm for each in inner for arm in _arms(each, None)):
            if _is_model(item) and not _has_field(item, key):
                raise DefinitionError(f"Identity({key!r}): {item.__name__} has no such field.")
        part.key = key


def _arms(annotation: Any, key: str | None) -> Iterator[tuple[Any, str | None]]:
    """Yield what a place can hold, without the wrappings, each with the key declared for it."""
    if get_origin(annotation) is Annotated:
        base, *metadata = get_args(annotation)
        yield from _arms(base, _declared(metadata) or key)
    elif get_origin(annotation) in {Union, UnionType}:
        for member in get_args(annotation):
            if member is not type(None):
                yield from _arms(member, key)
    elif hasattr(annotation, "__value__"):  # a named type alias
        yield from _arms(annotation.__value__, key)
    elif _is_model(annotation) and issubclass(annotation, RootModel):
        info: FieldInfo = annotation.model_fields["root"]
        yield from _arms(info.annotation, _declared(info.metadata) or key)
    else:
        yield annotation, key


def _inner(annotation: Any) -> list[Any]:
    """Answer what the items of a list, or the values of a map, are annotated as."""
    origin, args = get_origin(annotation), get_args(annotation)
    if not isinstance(origin, type):
        return []
    if issubclass(origin, Mapping):
        return list(args[1:])
    if issubclass(origin, Sequence):
        return [arg for arg in args if arg is not Ellipsis]
    return []


def _is_list(annotation: Any) -> bool:
    kind = get_origin(annotation) or annotation
    return isinstance(kind, type) and issubclass(kind, Sequence) and kind not in {str, bytes}


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _has_field(model: type[BaseModel], key: str) -> bool:
    names = {info.serialization_alias for info in model.model_fields.values()}
    return key in {*model.model_fields, *model.model_computed_fields, *names}


def _declared(metadata: Sequence[Any]) -> str | None:
    return next((each.key for each in metadata if isinstance(each, Identity)), None)


# What `model_construct` does, at a fifth of its price; tests hold the two together.
_set_fields_set = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private = BaseModel.__dict__["__pydantic_private__"].__set__
_CHANGE_FIELDS: Final = {"op", "path", "before", "after"}
_CHANGE_SET_FIELDS: Final = {"changes", "keyed"}


def _change(op: Op, path: str, before: Any, after: Any) -> Change:
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


def _change_set(changes: list[Change], keyed: dict[str, KeyedList]) -> ChangeSet:
    made = ChangeSet.__new__(ChangeSet)
    made.__dict__["changes"] = tuple(changes)
    made.__dict__["keyed"] = keyed
    _set_fields_set(made, _CHANGE_SET_FIELDS)
    _set_extra(made, None)
    _set_private(made, None)
    return made


def _lists_on_the_way(
    changes: Sequence[Change], lists: dict[str, KeyedList]
) -> dict[str, KeyedList]:
    if not lists:
        return {}
    return {
        path: lists[path] for change in changes for path in _above(change.path) if path in lists
    }


def _above(path: str) -> Iterator[str]:
    """Yield the paths above this one, the nearest first."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _path_of(change: Change) -> str:
    return change.path


def _tokens(path: str) -> list[str]:
    tokens = path.split("/")[1:]
    return [_unescaped(token) for token in tokens] if "~" in path else tokens


def _unescaped(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _escaped(token: str) -> str:
    if "~" in token or "/" in token:
        return token.replace("~", "~0").replace("/", "~1")
    return token


def _shown(value: JsonValue) -> str:
    """Write a value so that it cannot break the line or hide what it says."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if text.isprintable() else json.dumps(value, sort_keys=True)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _cut_value(value: JsonValue, width: int) -> JsonValue:
    text = _shown(value)
    return value if len(text) <= width else _cut(text, width)
