"""Who people are: what a directory says of them, never what a payload claims."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from pydantic import Field

from ..errors import UnknownActor
from ..model import Value
from ..requirements import Requirement, Who

OPERATOR = "operator"
"""The role that may cancel any request."""

SYSTEM = "system:mutator"
"""The actor of what the project does by itself."""


class Person(Value):
    """One person or service, with the roles and groups the directory gives them now."""

    id: str
    name: str = ""
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @cached_property
    def tokens(self) -> frozenset[str]:
        """Answer every name a requirement could mean them by."""
        return frozenset(Who(people=(self.id,), roles=self.roles, groups=self.groups).tokens)

    def may_answer(self, requirement: Requirement, *, escalated: bool = False) -> bool:
        """Answer whether the requirement names them, by any of their names.

        Args:
            requirement: The requirement.
            escalated: Whether others may answer it as well by now.
        """
        return not self.tokens.isdisjoint(requirement.answered_by(escalated=escalated))


class Directory(Value):
    """Everybody, with the roles and groups that exist at all; ids are compared in lower case.

    A role or group that nobody holds must be declared in `roles` or `groups` to be known: an
    unknown one blocks, a known empty one can be filled.
    """

    people: dict[str, Person] = Field(default_factory=dict)
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @cached_property
    def known(self) -> frozenset[str]:
        """Answer every token that stands for somebody or something here."""
        declared = Who(roles=self.roles, groups=self.groups).tokens
        return frozenset(declared).union(*(p.tokens for p in self.people.values()))

    def find(self, actor_id: str) -> Person | None:
        """Answer the person of that id, or nothing."""
        return self.people.get(actor_id.lower())

    def person(self, actor_id: str) -> Person:
        """Answer the person of that id.

        Raises:
            UnknownActor: The directory has nobody of that id.
        """
        found = self.find(actor_id)
        if found is None:
            message = f"The directory does not know {actor_id!r}. Check the id, or add them to it."
            raise UnknownActor(message, actor_id=actor_id)
        return found

    def unknown(self, who: Who) -> tuple[str, ...]:
        """Answer the names of a requirement that stand for nobody here."""
        return tuple(token for token in who.tokens if token not in self.known)

    def able(
        self, requirement: Requirement, without: Iterable[str], *, escalated: bool = False
    ) -> tuple[Person, ...]:
        """Answer who could answer the requirement, leaving out the ids given.

        Args:
            requirement: The requirement.
            without: The ids of those who are left out.
            escalated: Whether others may answer it as well by now.
        """
        barred = {actor.lower() for actor in without}
        return tuple(
            person
            for key, person in sorted(self.people.items())
            if key not in barred and person.may_answer(requirement, escalated=escalated)
        )

    @staticmethod
    def of(
        people: Iterable[Person], *, roles: Iterable[str] = (), groups: Iterable[str] = ()
    ) -> Directory:
        """Make a directory of people."""
        return Directory(
            people={p.id.lower(): p for p in people}, roles=tuple(roles), groups=tuple(groups)
        )
