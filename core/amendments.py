"""What policies change in the state after the mutation, and what they may not.

Amendments are made in two layers: first those that override nothing, then those that do. In the
end of its layer every amendment holds: its path has what it sets, or nothing where it removes.
What the mutation changed holds at the end of the first. Whatever does not is a `PolicyConflict`,
so no order of policies, and no path above or below another, can make a difference.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal

from pydantic import Field, JsonValue, ValidationError

from .changes import Change, ChangeSet, diff
from .digests import canonical, jsonable
from .documents import above, by_key, unescaped
from .errors import DefinitionError, InvalidAmendment, PolicyConflict
from .model import Value
from .mutation import S
from .reading import read
from .survey import Survey, survey
from .validation import Issue, Severity

_POINTER: Final = re.compile(r"^(/([^~/]|~[01])*)*$")
_ABSENT: Final[Any] = object()
"""Nothing is at the path; `None` is a value."""

_NO_CHANGES: Final = ChangeSet()


class Amendment(Value):
    """One operation on the state after the mutation.

    Attributes:
        op: `set` puts a value at the path, whether one is there or not; `remove` leaves none.
        path: Where, as a JSON Pointer; in a keyed list the token is the item's key. A list without
            an identity key is one value. "" is the whole state.
        value: What is set, as plain JSON data.
        override: Whether it wins over the mutation and over amendments that do not override.
        policy: Who amends.
    """

    op: Literal["set", "remove"]
    path: str = Field(pattern=_POINTER.pattern)
    value: JsonValue = None
    override: bool = False
    policy: str = ""

    def touches(self, path: str) -> bool:
        """Answer whether its path is this one, above it, or below it."""
        mine, other = f"{self.path}/", f"{path}/"
        return mine.startswith(other) or other.startswith(mine)

    def agrees(self, other: Amendment) -> bool:
        """Answer whether another one is the same operation, whoever says so."""
        return (self.op, self.path) == (other.op, other.path) and not diff(self.value, other.value)


def operations(
    values: Mapping[str, Any], remove: Iterable[str], *, override: bool
) -> tuple[Amendment, ...]:
    """Make the amendments that set values by path and remove what is at others.

    Raises:
        DefinitionError: A path is no JSON Pointer, is both set and removed, or the whole state is
            to be removed.
        InvalidValue: A value that no document can hold.
    """
    if isinstance(remove, str):
        message = f"remove takes a list of paths, not the text {remove!r} alone."
        raise DefinitionError(message)
    removed = tuple(remove)
    for path in (*values, *removed):
        if not _POINTER.match(path):
            message = f"{path!r} is no JSON Pointer; begin it with a slash."
            raise DefinitionError(message)
    for path in removed:
        if not path or path in values:
            message = f"The path {path!r} is set as well." if path else "A state is never removed."
            raise DefinitionError(message)
    return (
        *(
            Amendment(op="set", path=p, value=jsonable(values[p]), override=override)
            for p in values
        ),
        *(Amendment(op="remove", path=p, override=override) for p in removed),
    )


@dataclass(frozen=True, slots=True)
class Amended(Generic[S]):
    """What became of a state.

    Attributes:
        state: The amended state, as the next request will read it.
        document: The same as plain JSON data.
        issues: One warning for each amendment that overrode something, for whoever approves.
    """

    state: S
    document: JsonValue
    issues: tuple[Issue, ...] = ()


def amended(
    state_type: type[S],
    document: JsonValue,
    changes: ChangeSet,
    amendments: Iterable[Amendment],
) -> Amended[S]:
    """Make amendments in the state that the mutation left.

    Takes time linear in the size of the state, the changes and the amendments.

    Args:
        state_type: The state's model.
        document: The state after the mutation, as plain JSON data.
        changes: What the mutation changed to get there.
        amendments: Those of all enforced policies; their order changes nothing.

    Raises:
        PolicyConflict: One is at a path that the mutation, or another one, changed differently,
            and does not override it; two that override differ.
        InvalidAmendment: One is at a path that the state does not have, or the state is no longer
            valid.
    """
    keys = survey(state_type)
    ordered = _ordered(amendments)
    plain = [each for each in ordered if not each.override]
    overriding = [each for each in ordered if each.override]
    middle = _layer(document, plain, keys, among=plain, changes=changes)
    amending = _Whose((each.path, each.policy) for each in plain)
    for change in changes.changes:
        against = amending.touching(change.path)
        if against and not middle.has_change(change):
            raise PolicyConflict(tuple(sorted(against)), change.path, with_mutation=True)
    last = _layer(middle.document, overriding, keys, among=ordered)
    state = _read(state_type, last.document, ordered)
    written = _Sight(jsonable(state), keys)
    for each in ordered:
        if each.op == "set" and last.has_amendment(each):
            _check_kept(written, each)
    return Amended(state, written.document, _overrides(last, changes, plain, overriding))


def _ordered(amendments: Iterable[Amendment]) -> list[Amendment]:
    """Put what is above before what is below; what one policy says twice is said once."""
    once = {(a.path, a.op, canonical(a.value), a.override, a.policy): a for a in amendments}
    return [once[key] for key in sorted(once)]


def _layer(
    document: JsonValue,
    layer: Sequence[Amendment],
    keys: Survey,
    *,
    among: Sequence[Amendment],
    changes: ChangeSet = _NO_CHANGES,
) -> _Sight:
    """Make all of a layer; at its end each of them holds, or it is an error.

    Args:
        document: What the layer is made in.
        layer: Sorted by path.
        keys: Which lists are keyed.
        among: Who else may be the reason that one does not hold.
        changes: The same of the mutation.
    """
    whole = _Open({"": document}, is_list=False)
    for each in layer:
        try:
            _make(whole, each, keys)
        except _MisfitError as misfit:
            raise _trouble(each, among, changes, str(misfit)) from None
    after = _Sight(_closed(whole.parts.get("")), keys)
    for each in layer:
        if not after.has_amendment(each):
            raise _trouble(each, among, changes, "an item of a keyed list carries its key")
    return after


@dataclass(slots=True)
class _Open:
    """A map or keyed list in the midst of a layer, copied once; what is amended below is open too.

    Attributes:
        parts: What lies right below, by token.
        is_list: Whether it is a keyed list, which is read by its key before anything is made.
    """

    parts: dict[str, Any]
    is_list: bool


def _make(whole: _Open, each: Amendment, keys: Survey) -> None:
    """Make one amendment; what is above its path is opened on the way.

    Raises:
        _MisfitError: It cannot be made there.
    """
    holder, token, way = whole, "", ""
    here: Survey | None = keys
    for written in each.path.split("/")[1:]:
        if token not in holder.parts:
            if each.op == "set":
                parent = each.path.rpartition("/")[0]
                raise _MisfitError(f"there is nothing at {parent} to set it in")
            return
        part = holder.parts[token]
        if not isinstance(part, _Open):
            part = _Open(dict(_parts(part, here, way)), is_list=type(part) is list)
            holder.parts[token] = part
        holder, token, way = part, unescaped(written), f"{way}/{written}"
        here = _below(here, token, in_list=part.is_list)
    if each.op == "set":
        holder.parts[token] = each.value
    else:
        holder.parts.pop(token, None)


def _closed(value: Any) -> Any:
    if not isinstance(value, _Open):
        return value
    parts = {token: _closed(part) for token, part in value.parts.items()}
    return list(parts.values()) if value.is_list else parts


def _parts(value: Any, here: Survey | None, way: str) -> dict[str, Any]:
    """Answer what lies right below a path, by token; the map itself where it is one.

    Raises:
        _MisfitError: Nothing can lie there.
    """
    if type(value) is dict:
        return value
    where = way or "the root"
    if type(value) is not list:
        raise _MisfitError(f"the value at {where} has no parts")
    if here is None or here.key is None:
        raise _MisfitError(f"the list at {where} is one value; set the whole")
    found = by_key(value, here.key)
    if found is None:
        raise _MisfitError(f"an item of the list at {where} has no {here.key!r} of its own")
    return found


def _below(here: Survey | None, token: str, *, in_list: bool) -> Survey | None:
    if here is None:
        return None
    return here.items if in_list else here.below(token)


class _Sight:
    """A document, to see what stands at its paths; each keyed list is read by key once.

    Args:
        document: Plain JSON data.
        keys: Which lists are keyed.
    """

    def __init__(self, document: JsonValue, keys: Survey) -> None:
        self.document = document
        self._keys = keys
        self._lists: dict[str, dict[str, Any]] = {}

    def has_amendment(self, each: Amendment) -> bool:
        """Answer whether an amendment holds."""
        return self._has(each.path, each.value if each.op == "set" else _ABSENT)

    def has_change(self, change: Change) -> bool:
        """Answer whether a change of the mutation holds."""
        return self._has(change.path, _ABSENT if change.op == "removed" else change.after)

    def lacks(self, path: str) -> bool:
        """Answer whether nothing stands at a path."""
        return self._has(path, _ABSENT)

    def _has(self, path: str, wanted: Any) -> bool:
        """Answer whether this value stands at a path, or nothing where that is wanted."""
        value: Any = self.document
        here: Survey | None = self._keys
        way = ""
        for written in path.split("/")[1:]:
            try:
                parts = self._found(value, here, way)
            except _MisfitError:
                return False
            token = unescaped(written)
            if token not in parts:
                return wanted is _ABSENT
            here = _below(here, token, in_list=type(value) is list)
            value, way = parts[token], f"{way}/{written}"
        return wanted is not _ABSENT and not diff(value, wanted)

    def _found(self, value: Any, here: Survey | None, way: str) -> dict[str, Any]:
        if type(value) is not list:
            return _parts(value, here, way)
        if way not in self._lists:
            self._lists[way] = _parts(value, here, way)
        return self._lists[way]


class _Whose:
    """Who says something at which paths.

    Args:
        said: Each path with a name.
    """

    def __init__(self, said: Iterable[tuple[str, str]]) -> None:
        self._at: dict[str, set[str]] = defaultdict(set)
        self._under: dict[str, set[str]] = defaultdict(set)
        for path, name in said:
            self._at[path].add(name)
            for higher in above(path):
                self._under[higher].add(name)

    def touching(self, path: str) -> set[str]:
        """Answer the names of those whose path is this one, above it, or below it."""
        found = set(self._under.get(path, ()))
        for each in (path, *above(path)):
            found.update(self._at.get(each, ()))
        return found


def _read(state_type: type[S], document: JsonValue, amendments: Sequence[Amendment]) -> S:
    try:
        return read(state_type, document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = "".join(f"/{part}" for part in first["loc"])
        names = _names(a for a in amendments if a.touches(path)) or _names(amendments)
        why = f"the {state_type.__name__} does not validate then: {first['msg']}"
        raise InvalidAmendment(names, path, why) from error


def _check_kept(written: _Sight, each: Amendment) -> None:
    """Raise `InvalidAmendment` where the model drops what was set, such as a misspelt field."""
    if written.lacks(each.path):
        raise InvalidAmendment((each.policy,), each.path, "the state has no such field")


def _overrides(
    last: _Sight,
    changes: ChangeSet,
    plain: Sequence[Amendment],
    overriding: Sequence[Amendment],
) -> tuple[Issue, ...]:
    """Say what was overridden by whom."""
    over = _Whose((each.path, each.policy) for each in overriding)
    mutation = _Whose(
        (change.path, "")
        for change in changes.changes
        if over.touching(change.path) and not last.has_change(change)
    )
    policies = _Whose(
        (each.path, each.policy)
        for each in plain
        if over.touching(each.path) and not last.has_amendment(each)
    )
    issues: list[Issue] = []
    for each in overriding:
        undone = ["the mutation"] if mutation.touching(each.path) else []
        undone += [f"the policy {name!r}" for name in sorted(policies.touching(each.path))]
        if undone:
            message = (
                f"The policy {each.policy!r} overrides what {' and '.join(undone)} "
                f"made of {each.path or 'the whole'}."
            )
            issues.append(
                Issue(
                    code="overridden",
                    path=each.path,
                    message=message,
                    severity=Severity.WARNING,
                )
            )
    return tuple(issues)


def _trouble(
    each: Amendment, among: Sequence[Amendment], changes: ChangeSet, why: str
) -> PolicyConflict | InvalidAmendment:
    """Answer the error of an amendment that does not hold: somebody undid it, or it never could."""
    others = [other for other in among if other.touches(each.path) and not other.agrees(each)]
    if others:
        return PolicyConflict(_names([each, *others]), each.path)
    if any(each.touches(change.path) for change in changes.changes):
        return PolicyConflict((each.policy,), each.path, with_mutation=True)
    return InvalidAmendment((each.policy,), each.path, why)


def _names(amendments: Iterable[Amendment]) -> tuple[str, ...]:
    return tuple(sorted({each.policy for each in amendments}))


class _MisfitError(Exception):
    """A path does not fit a document; the text says why."""
