"""What policies change in the state after the mutation, and what they may not.

Amendments are made in two layers: first those that override nothing, then those that do. In the
end of its layer every amendment holds: its path has what it sets, or nothing where it removes.
What the mutation changed holds at the end of the first. Whatever does not is a `PolicyConflict`,
so no order of policies, and no path above or below another, can make a difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal

from pydantic import Field, JsonValue, ValidationError

from .changes import Change, ChangeSet, KeyedList, apply, diff
from .digests import canonical, jsonable
from .documents import by_key, unescaped
from .errors import DefinitionError, InvalidAmendment, PolicyConflict
from .model import Value
from .mutation import S
from .survey import Survey, survey
from .validation import Issue, Severity

_POINTER: Final = re.compile(r"^(/([^~/]|~[01])*)*$")
_ABSENT: Final[Any] = object()
"""Nothing is at the path, and something could be put there."""
_NOWHERE: Final[Any] = object()
"""Nothing is at the path, nor at the one above it."""

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
    for change in changes.changes:
        against = [each for each in plain if each.touches(change.path)]
        if against and not _change_holds(middle, change, keys):
            raise PolicyConflict(_names(against), change.path, with_mutation=True)
    last = _layer(middle, overriding, keys, among=ordered)
    state = _read(state_type, last, ordered)
    written = jsonable(state)
    for each in ordered:
        if each.op == "set" and _holds(last, each, keys):
            _check_kept(written, each, keys)
    return Amended(state, written, _overrides(last, changes, plain, overriding, keys))


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
) -> JsonValue:
    """Make all of a layer; at its end each of them holds, or it is an error.

    Args:
        document: What the layer is made in.
        layer: Sorted by path.
        keys: Which lists are keyed.
        among: Who else may be the reason that one does not hold.
        changes: The same of the mutation.
    """
    after = document
    for each in layer:
        try:
            after = _made(after, each, keys)
        except _MisfitError as misfit:
            raise _trouble(each, among, changes, str(misfit)) from None
    for each in layer:
        if not _holds(after, each, keys):
            raise _trouble(each, among, changes, "an item of a keyed list carries its key")
    return after


def _made(document: JsonValue, each: Amendment, keys: Survey) -> JsonValue:
    if not each.path:
        return each.value
    value, keyed = _find(document, each.path, keys)
    if each.op == "remove":
        if value is _ABSENT or value is _NOWHERE:
            return document
        change = Change(op="removed", path=each.path, before=value)
    elif value is _NOWHERE:
        message = f"there is nothing at {each.path.rpartition('/')[0]} to set it in"
        raise _MisfitError(message)
    elif value is _ABSENT:
        change = Change(op="added", path=each.path, after=each.value)
    else:
        change = Change(op="replaced", path=each.path, before=value, after=each.value)
    return apply(document, ChangeSet(changes=(change,), keyed=keyed))


def _holds(document: JsonValue, each: Amendment, keys: Survey) -> bool:
    return _has(document, each.path, keys, each.value if each.op == "set" else _ABSENT)


def _change_holds(document: JsonValue, change: Change, keys: Survey) -> bool:
    return _has(document, change.path, keys, _ABSENT if change.op == "removed" else change.after)


def _has(document: JsonValue, path: str, keys: Survey, wanted: Any) -> bool:
    """Answer whether a document has this value at a path, or nothing where that is wanted."""
    try:
        value, _ = _find(document, path, keys)
    except _MisfitError:
        return False
    if value is _ABSENT or value is _NOWHERE:
        return wanted is _ABSENT
    return wanted is not _ABSENT and not diff(value, wanted)


def _find(document: JsonValue, path: str, keys: Survey) -> tuple[Any, dict[str, KeyedList]]:
    """Answer what is at a path, and the keyed lists it leads through."""
    value: Any = document
    here: Survey | None = keys
    keyed: dict[str, KeyedList] = {}
    way = ""
    for written in path.split("/")[1:]:
        token, where = unescaped(written), way or "the root"
        if value is _ABSENT or value is _NOWHERE:
            return _NOWHERE, keyed
        if type(value) is list:
            if here is None or here.key is None:
                raise _MisfitError(f"the list at {where} is one value; set the whole")
            value = by_key(value, here.key)
            if value is None:
                raise _MisfitError(f"an item of the list at {where} has no {here.key!r} of its own")
            keyed[way] = KeyedList(key=here.key)
            here = here.items
        elif type(value) is dict:
            here = here.below(token) if here else None
        else:
            raise _MisfitError(f"the value at {where} has no parts")
        value = value.get(token, _ABSENT)
        way = f"{way}/{written}"
    return value, keyed


def _read(state_type: type[S], document: JsonValue, amendments: Sequence[Amendment]) -> S:
    try:
        return state_type.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = "".join(f"/{part}" for part in first["loc"])
        names = _names(a for a in amendments if a.touches(path)) or _names(amendments)
        why = f"the {state_type.__name__} does not validate then: {first['msg']}"
        raise InvalidAmendment(names, path, why) from error


def _check_kept(document: JsonValue, each: Amendment, keys: Survey) -> None:
    """Raise `InvalidAmendment` where the model drops what was set, such as a misspelt field."""
    if _has(document, each.path, keys, _ABSENT):
        raise InvalidAmendment((each.policy,), each.path, "the state has no such field")


def _overrides(
    document: JsonValue,
    changes: ChangeSet,
    plain: Sequence[Amendment],
    overriding: Sequence[Amendment],
    keys: Survey,
) -> tuple[Issue, ...]:
    """Say what was overridden by whom."""
    issues: list[Issue] = []
    for each in overriding:
        undone = (
            ["the mutation"]
            if any(
                each.touches(c.path) and not _change_holds(document, c, keys)
                for c in changes.changes
            )
            else []
        )
        undone += [
            f"the policy {name!r}"
            for name in _names(
                a for a in plain if each.touches(a.path) and not _holds(document, a, keys)
            )
        ]
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
