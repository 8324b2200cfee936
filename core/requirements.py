"""What policies demand first, and the names that policies and domains use for it.

Their rules (who counts, when one is met, what survives drift) live in `core.governance`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Final

from pydantic import Field, JsonValue

from .digests import digest
from .errors import DefinitionError
from .model import Value

EVERYTHING = ("",)
"""The `covers` of a requirement that answers for the whole effect."""


class RequirementKind(StrEnum):
    """The kinds this version knows; an unknown kind blocks."""

    APPROVAL = "approval"
    CHECK = "check"
    SCHEDULE = "schedule"
    DEPENDENCY = "dependency"
    QUOTA = "quota"
    REVIEW = "review"


ANY: Final = "any"
"""The kind of a requirement that is met when one of its alternatives is; see `either`."""


class Strategy(StrEnum):
    """What happens when the state moved or the effect changed, strict to loose."""

    REJECT_STALE = "reject_stale"
    REQUIRE_RENEWED_APPROVAL = "require_renewed_approval"
    KEEP_IF_UNAFFECTED = "keep_if_unaffected"
    REVALIDATE_ON_LATEST = "revalidate_on_latest"

    @property
    def rank(self) -> int:
        """Answer the place in the order; the strictest is 0."""
        return list(Strategy).index(self)

    @staticmethod
    def strictest(strategies: Iterable[Strategy | None]) -> Strategy:
        """Answer the strictest of those named, or the default when none is."""
        named = [s for s in strategies if s is not None]
        return min(named, key=lambda s: s.rank, default=Strategy.KEEP_IF_UNAFFECTED)


class Who(Value):
    """Who may answer: people, roles, groups, any mix. Ids are compared in lower case."""

    people: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """Answer the names as they stand in search attributes: `user:ana`, `role:security`."""
        return tuple(
            dict.fromkeys(
                f"{kind}:{name}".lower()
                for kind, names in (
                    ("user", self.people),
                    ("role", self.roles),
                    ("group", self.groups),
                )
                for name in names
            )
        )

    def __bool__(self) -> bool:
        """Answer whether anybody is named."""
        return bool(self.people or self.roles or self.groups)

    def describe(self) -> str:
        """Answer the names for people to read."""
        return ", ".join(self.tokens) or "nobody"


class Requirement(Value):
    """Something a policy demands before a request may execute.

    Attributes:
        kind: One of `RequirementKind`; another one blocks.
        who: Who may answer (approval, review).
        needed: How many of them must.
        refusals: How many refusals reject the request; `None`: when the quorum cannot be reached.
        step: Those of one step run side by side; a later step opens when the earlier is done.
        duration: How long it may stay open; `None`: as long as the request.
        covers: Which part of the effect it answers for, as JSON Pointer prefixes.
        reason_required: Whether an answer must give a reason.
        title: What people read; not part of its identity.
        demanded_by: The policies that demand it; not part of its identity.
        parameters: What the other kinds need.
        alternatives: Of kind `ANY`: sets of requirements, one of which has to be met whole. Its
            `step` is the earliest of theirs; within an alternative their steps go on in order.
    """

    kind: str
    who: Who = Who()
    needed: Annotated[int, Field(ge=1, le=100)] = 1
    refusals: Annotated[int, Field(ge=1, le=100)] | None = 1
    step: Annotated[int, Field(ge=1, le=100)] = 1
    duration: timedelta | None = None
    covers: tuple[str, ...] = EVERYTHING
    reason_required: bool = False
    title: str = ""
    demanded_by: tuple[str, ...] = ()
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    alternatives: tuple[tuple[Requirement, ...], ...] = ()

    @cached_property
    def id(self) -> str:
        """Answer the identity: a digest of what is demanded, not of who demands it or how."""
        demanded: dict[str, Any] = {
            "kind": self.kind,
            "who": sorted(self.who.tokens),
            "needed": self.needed,
            "refusals": self.refusals,
            "step": self.step,
            "covers": sorted(self.covers),
            "seconds": None if self.duration is None else self.duration.total_seconds(),
            "parameters": self.parameters,
        }
        if self.alternatives:
            demanded["alternatives"] = [[r.id for r in way] for way in self.alternatives]
        return f"{self.kind}-{digest(demanded).rpartition(':')[2][:20]}"

    def is_met(self, fulfilled: Collection[str]) -> bool:
        """Answer whether it, or of kind `ANY` the whole of one of its alternatives, is fulfilled.

        Args:
            fulfilled: The ids of the requirements that have been met.
        """
        ways = [way for way in self.alternatives if way] if self.kind == ANY else []
        return self.id in fulfilled or any(all(r.is_met(fulfilled) for r in way) for way in ways)

    @staticmethod
    def approval(
        *,
        people: Iterable[str] = (),
        roles: Iterable[str] = (),
        groups: Iterable[str] = (),
        needed: int | None = None,
        refusals: int | None = 1,
        step: int = 1,
        duration: timedelta | None = None,
        covers: Iterable[str] = EVERYTHING,
        reason_required: bool = False,
        title: str = "",
    ) -> Requirement:
        """Demand that `needed` of the people, roles and groups grant the request.

        Raises:
            DefinitionError: Nobody is named, or `needed` is missing where more than one could
                decide, or more people are needed than are named and nobody else could; a bare
                text stands where names belong; nothing is covered, or what is no JSON Pointer.
        """
        lists = {"people": people, "roles": roles, "groups": groups, "covers": covers}
        for field, names in lists.items():
            if isinstance(names, str):
                message = f"{field} takes a list of texts, not the text {names!r} alone."
                raise DefinitionError(message)
        covers = tuple(covers)
        if not covers or any(prefix and not prefix.startswith("/") for prefix in covers):
            message = f"covers takes JSON Pointers, at least one, not {covers!r}."
            raise DefinitionError(message)
        who = Who(people=tuple(people), roles=tuple(roles), groups=tuple(groups))
        if not who:
            message = "An approval names nobody; give people, roles or groups."
            raise DefinitionError(message)
        only_one = len(who.people) == 1 and not who.roles and not who.groups
        if needed is None and not only_one:
            message = f"Say how many of {who.describe()} are needed; there is no default."
            raise DefinitionError(message)
        if not who.roles and not who.groups and (needed or 1) > len(who.tokens):
            message = f"{needed} approvals cannot come from {who.describe()}."
            raise DefinitionError(message)
        if needed is not None and needed < 1:
            message = "An approval needs at least one person."
            raise DefinitionError(message)
        return Requirement(
            kind=RequirementKind.APPROVAL,
            who=who,
            needed=needed or 1,
            refusals=refusals,
            step=step,
            duration=duration,
            covers=covers,
            reason_required=reason_required,
            title=title,
        )

    def describe(self) -> str:
        """Answer in words what is demanded."""
        if self.kind == RequirementKind.APPROVAL:
            words = f"{self.needed} of {self.who.describe()}"
            return f"{self.title}: {words}" if self.title else words
        if self.alternatives and not self.title:
            ways = (
                " and ".join(f"({r.describe()})" if r.alternatives else r.describe() for r in way)
                for way in self.alternatives
            )
            return f"either {'; or '.join(ways)}"
        return self.title or self.kind


def united(requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """Unite requirements by identity; one demanded by several policies names them all.

    The order is by step, then by id, so the order in which policies are asked changes nothing.
    """
    found: dict[str, Requirement] = {}
    for each in requirements:
        other = found.get(each.id)
        found[each.id] = each if other is None else _as_one(other, each)
    return tuple(sorted(found.values(), key=lambda r: (r.step, r.id)))


def either(sets: Iterable[Iterable[Requirement]]) -> tuple[Requirement, ...]:
    """Answer what is demanded where it suffices to meet the whole of any one set.

    A set that demands all that another does, and more, is no way that anybody needs. Where one
    way is left it is answered as it is, else one requirement of kind `ANY`. A set that is nothing
    but such a requirement counts as its alternatives, so nesting changes nothing.

    Args:
        sets: What each of several policies demands; an empty one demands nothing, so nothing is.
    """
    ways: dict[frozenset[str], tuple[Requirement, ...]] = {}
    for each in sets:
        demanded = united(each)
        alone = len(demanded) == 1 and demanded[0].alternatives
        for way in alone or (demanded,):
            ids = frozenset(r.id for r in way)
            ways[ids] = united((*ways.get(ids, ()), *way))
    least = [way for ids, way in ways.items() if not any(other < ids for other in ways)]
    if len(least) < 2:  # noqa: PLR2004 - an alternative is one of two
        return least[0] if least else ()
    every = [requirement for way in least for requirement in way]
    prefixes = {prefix for r in every for prefix in r.covers}
    return (
        Requirement(
            kind=ANY,
            step=min(r.step for r in every),
            covers=EVERYTHING if "" in prefixes else tuple(sorted(prefixes)),
            demanded_by=tuple(sorted({name for r in every for name in r.demanded_by})),
            alternatives=tuple(sorted(least, key=lambda way: [r.id for r in way])),
        ),
    )


def _as_one(one: Requirement, other: Requirement) -> Requirement:
    """Answer one of two requirements of the same identity."""
    return one.model_copy(
        update={
            "demanded_by": tuple(sorted({*one.demanded_by, *other.demanded_by})),
            "title": min(filter(None, (one.title, other.title)), default=""),
            "reason_required": one.reason_required or other.reason_required,
            "alternatives": tuple(
                tuple(map(_as_one, *ways))
                for ways in zip(one.alternatives, other.alternatives, strict=True)
            ),
        }
    )
