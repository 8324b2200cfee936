"""What a model declares about the places of its documents: which lists are keyed, what is secret.

```python
class Flags(BaseModel):
    flags: Annotated[list[Flag], Identity("id")]
    token: Annotated[str, Secret()]
```

A declaration holds wherever the annotation can be: in nested models, dataclasses and typed
dictionaries, in lists, maps and unions. Where a place may be one of several annotations, what any
of them declares holds for the place. Only annotations are read: what is annotated `Any`, or written
by a serialiser of its own, has no declarations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeAlias, get_args, get_origin

import pydantic
from pydantic import BaseModel, SecretBytes, SecretStr

from .annotations import Member, arms, fields, inner, is_class, is_list, is_map
from .documents import tokens
from .errors import DefinitionError


@dataclass(frozen=True, slots=True)
class Identity:
    """Declare the key of a list's items: `Annotated[list[Rule], Identity("id")]`.

    Args:
        key: The field of an item, text or integer, that no two items of the list share.
    """

    key: str


@dataclass(frozen=True, slots=True)
class Secret:
    """Declare that a value is secret: `Annotated[str, Secret()]`.

    The value may be anything: a text, a list, a whole model. Change sets, digests, previews,
    history, audit and logs show its keyed hash instead; the state itself holds the value.
    """


class Survey:
    """What is declared about one place of a document and those below it: a tree along the paths.

    A model that contains itself makes a tree that does. Places without any declaration, below too,
    are left out, but for fields beside `items`.

    Attributes:
        key: The identity key, where this place is a keyed list; otherwise `None`.
        secret: Whether the value here, with all that is below, is secret.
        fields: The places of a model's fields, by name.
        items: The place that each value of a map, or item of a list, is, and each value of a model
            at a name that is no field; `None` for nothing.
        holds_secret: Whether this place, or one below, is secret.
    """

    __slots__ = ("fields", "holds_secret", "items", "key", "secret")

    def __init__(
        self,
        key: str | None = None,
        *,
        secret: bool = False,
        fields: Mapping[str, Survey] | None = None,
        items: Survey | None = None,
    ) -> None:
        self.key = key
        self.secret = secret
        self.fields: dict[str, Survey] = dict(fields or {})
        self.items = items
        self.holds_secret: bool = secret or any(part.holds_secret for part in self.parts())

    def parts(self) -> list[Survey]:
        """Answer the places right below this one."""
        return [*self.fields.values(), *([self.items] if self.items else [])]

    def below(self, token: str) -> Survey | None:
        """Answer the place that a name, key or index leads to; `None` for nothing declared."""
        return self.fields.get(token) or self.items

    def at(self, path: str) -> Survey:
        """Answer the place at a JSON Pointer; what lies in a secret is that secret."""
        here = self
        for token in tokens(path):
            if here.secret:
                break
            here = here.below(token) or NOTHING_DECLARED
        return here


NOTHING_DECLARED: Final = Survey()
"""No list is keyed and nothing is secret."""


@cache
def survey(model: type[BaseModel]) -> Survey:
    """Find what a model declares; once per model.

    Raises:
        DefinitionError: `Identity` stands at something that is not a list, names a field that the
            items do not have or a secret one, or two members of a union name different keys. A
            map's key is declared secret. A field is one of pydantic's secret types, which are
            written as asterisks: the state would lose the value.
    """
    return _Walk().of(model)


_Mark: TypeAlias = Identity | Secret
_Arm: TypeAlias = tuple[Any, tuple[_Mark, ...]]


class _Walk:
    """One walk over a model's annotations; annotations met again are the same place."""

    def __init__(self) -> None:
        # Not every annotation can be hashed, and a model has few places.
        self.known: list[tuple[list[_Arm], Survey]] = []

    def of(self, model: type[BaseModel]) -> Survey:
        root = self.place([(model, ())])
        places = [place for _, place in self.known]
        for place in places:
            _check_key(place)
        declared = _reaching(places, {place for place in places if place.key or place.secret})
        secret = _reaching(places, {place for place in places if place.secret})
        for place in places:
            place.items = place.items if place.items in declared else None
            # What stands at a field of its own is none of the other values.
            place.fields = {
                name: part
                for name, part in place.fields.items()
                if part in declared or place.items is not None
            }
            place.holds_secret = place in secret
        return root

    def place(self, members: list[Member]) -> Survey:
        """Answer the place that may be any of several annotations."""
        found: list[_Arm] = []
        for arm in (_marked(arm) for member in members for arm in arms(*member)):
            if arm not in found:  # or what contains itself twice would never be met again
                found.append(arm)
        for known, place in self.known:
            if known == found:
                return place
        place = Survey()
        self.known.append((found, place))
        named: dict[str, list[Member]] = {}
        others: list[tuple[set[str], list[Member]]] = []
        for annotation, marks in found:
            _refuse(annotation)
            for mark in marks:
                if isinstance(mark, Identity):
                    _declare(place, mark.key, annotation)
                else:
                    place.secret = True
            own: set[str] = set()
            for name, member in fields(annotation):
                named.setdefault(name, []).append(member)
                own.add(name)
            others.append((own, [(each, ()) for each in inner(annotation)]))
        # Where a model or a map can be, a name may be a field of the one or a key of the other.
        place.fields = {
            name: self.place([*each, *_of(own for names, own in others if name not in names)])
            for name, each in named.items()
        }
        items = _of(own for _, own in others)
        place.items = self.place(items) if items else None
        return place


def _of(members: Iterable[list[Member]]) -> list[Member]:
    return [each for some in members for each in some]


def _marked(member: Member) -> _Arm:
    annotation, metadata = member
    marks = (Secret() if each is Secret else each for each in metadata)
    return annotation, tuple(each for each in marks if isinstance(each, Identity | Secret))


def _reaching(places: list[Survey], wanted: set[Survey]) -> set[Survey]:
    """Answer the places that are wanted or from which one can be reached."""
    size = -1
    while size < len(wanted):
        size = len(wanted)
        wanted |= {place for place in places if any(part in wanted for part in place.parts())}
    return wanted


def _declare(place: Survey, key: str, annotation: Any) -> None:
    if not is_list(annotation):
        raise DefinitionError(f"Identity({key!r}) stands at {annotation}; only a list has one.")
    if place.key not in {None, key}:
        raise DefinitionError(f"A list has one identity key, not {place.key!r} and {key!r}.")
    for item, _ in (arm for each in inner(annotation) for arm in arms(each)):
        names = {name for name, _ in fields(item)}
        if names and key not in names:
            raise DefinitionError(f"Identity({key!r}): {item.__name__} has no such field.")
    place.key = key


def _check_key(place: Survey) -> None:
    key = place.items.fields.get(place.key) if place.items and place.key else None
    if key is not None and key.secret:
        raise DefinitionError(
            f"Identity({place.key!r}): that field is secret, and an item's key stands in paths; "
            "identify the items by another field."
        )


def _refuse(annotation: Any) -> None:
    """Raise `DefinitionError` where a declaration, or a type of pydantic's, would not do."""
    kind = get_origin(annotation) or annotation
    if is_class(kind) and issubclass(kind, SecretStr | SecretBytes | pydantic.Secret):
        raise DefinitionError(
            f"pydantic's {kind.__name__} is written as asterisks, so the state would lose it; "
            "annotate the value itself: Annotated[str, Secret()]."
        )
    if is_map(annotation):
        for key in get_args(annotation)[:1]:
            if any(_marked(arm)[1] for arm in arms(key)):
                raise DefinitionError(
                    f"A declaration stands at the keys of {annotation}, and keys are part of "
                    "paths; declare it for the whole map."
                )
