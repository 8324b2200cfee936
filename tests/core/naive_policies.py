"""What policies should say together, said as simply as possible: as the ways through they leave.

A way is a set of requirements that suffices. No way at all is a denial; a way that demands nothing
is a permission. Slow and obvious; the evaluator is compared with it on random compositions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

from core.amendments import Amendment

Ways = frozenset[frozenset[str]]

DENIED: Ways = frozenset()
PASSED: Ways = frozenset([frozenset()])


@dataclass(frozen=True)
class Said:
    """What a policy says: the ways through, and the mails that it adds."""

    ways: Ways
    mails: frozenset[str] = frozenset()

    @property
    def verdict(self) -> str:
        if not self.ways:
            return "deny"
        return "allow" if frozenset() in self.ways else "require"

    @property
    def rank(self) -> int:
        return ["deny", "require", "allow"].index(self.verdict)

    def lets_through(self, fulfilled: Iterable[str]) -> bool:
        return any(way <= set(fulfilled) for way in self.ways)


@dataclass(frozen=True)
class Tree:
    """A policy that does a deed, or one of a kind that is composed of parts."""

    kind: str
    parts: tuple[Tree, ...] = ()
    enforce: bool = True
    applies: bool = True


def said(tree: Tree, deeds: Mapping[str, Said]) -> Said | None:
    """Answer what a policy says; nothing where it decides nothing."""
    if not tree.enforce or not tree.applies:
        return None
    if tree.kind in deeds:
        return deeds[tree.kind]
    answers = [answer for part in tree.parts if (answer := said(part, deeds)) is not None]
    if not answers:
        return None
    if tree.kind == "all_of":
        ways = {frozenset().union(*chosen) for chosen in product(*(a.ways for a in answers))}
        return Said(frozenset(ways), frozenset().union(*(a.mails for a in answers)))
    if tree.kind == "any_of":
        first = max(answers, key=lambda a: a.rank)  # of equals Python answers the first
        return Said(frozenset().union(*(a.ways for a in answers)), first.mails)
    return next((a for a in answers if a.verdict != "allow" or a.mails), Said(PASSED))


# Amendments: try every order, and see whether in the end everybody has what they want.

GONE: Any = object()
NO_PLACE: Any = object()


def naively_amended(
    document: Any, changed: Mapping[str, Any], amendments: Sequence[Amendment]
) -> Any:
    """Answer the amended document, or `GONE` where no order satisfies everybody.

    Args:
        document: The document after the mutation; its lists are values.
        changed: For each path that the mutation changed the value after it, or `GONE`.
        amendments: At most a few.
    """
    middle = _in_some_order(document, [a for a in amendments if not a.override], changed)
    if middle is GONE:
        return GONE
    return _in_some_order(middle, [a for a in amendments if a.override], {})


def _in_some_order(document: Any, layer: Sequence[Amendment], changed: Mapping[str, Any]) -> Any:
    wanted = [(a.path, a.value if a.op == "set" else GONE) for a in layer]
    for order in permutations(layer):
        after = document
        for each in order:
            after = after if after is GONE else _made(after, each)
        if after is not GONE and all(
            at(after, path) == value for path, value in [*wanted, *changed.items()]
        ):
            return after
    return GONE


def at(document: Any, path: str) -> Any:
    """Answer what is there; `GONE`: nothing is, `NO_PLACE`: nothing can be."""
    for token in path.split("/")[1:]:
        if document is GONE:
            return GONE
        if not isinstance(document, dict):
            return NO_PLACE
        document = document.get(token, GONE)
    return document


def _made(document: Any, each: Amendment) -> Any:
    """Answer the document after one amendment, or `GONE` where it cannot be made."""
    if not each.path:
        return each.value
    parent, _, token = each.path.rpartition("/")
    above = at(document, parent)
    if above is GONE and each.op == "remove":
        return document
    if not isinstance(above, dict):
        return GONE
    changed = {name: value for name, value in above.items() if name != token}
    if each.op == "set":
        changed[token] = each.value
    return _made(document, Amendment(op="set", path=parent, value=changed))
