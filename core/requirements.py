"""What policies demand first, and the names that policies and domains use for it.

Their rules (who counts, when one is met, what survives drift) live in `core.governance`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated

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

    @cached_property
    def id(self) -> str:
        """Answer the identity: a digest of what is demanded, not of who demands it or how."""
        written = digest(
            {
                "kind": self.kind,
                "who": sorted(self.who.tokens),
                "needed": self.needed,
                "refusals": self.refusals,
                "step": self.step,
                "covers": sorted(self.covers),
                "seconds": None if self.duration is None else self.duration.total_seconds(),
                "parameters": self.parameters,
            }
        )
        return f"{self.kind}-{written.rpartition(':')[2][:20]}"

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
        return self.title or self.kind


def united(requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """Unite requirements by identity; one demanded by several policies names them all.

    The order is by step, then by id, so the order in which policies are asked changes nothing.
    """
    found: dict[str, Requirement] = {}
    for requirement in requirements:
        other = found.get(requirement.id)
        if other is None:
            found[requirement.id] = requirement
            continue
        found[requirement.id] = other.model_copy(
            update={
                "demanded_by": tuple(sorted({*other.demanded_by, *requirement.demanded_by})),
                "title": min(filter(None, (other.title, requirement.title)), default=""),
                "reason_required": other.reason_required or requirement.reason_required,
            }
        )
    return tuple(sorted(found.values(), key=lambda r: (r.step, r.id)))
