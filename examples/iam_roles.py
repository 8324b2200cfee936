"""Who holds which role: the last administrator stays, critical roles take two people.

```
iam_roles/acme    GrantRole(role="viewer", person="eve")           waits for one of role `security`
                  GrantRole(role="administrator", person="ben")    waits for two people
                  RevokeRole(role="administrator", person="ana")   is denied: she is the last one
                  RevokeRole(role="developer", person="dan")       executes unattended
```

The organisations and their first administrators come from the file that `MUTATOR_IAM_SEED` names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core import (
    Domain,
    Facts,
    Identity,
    Intent,
    Issue,
    Mutation,
    MutationContext,
    PolicyDecision,
    Requirement,
    RiskLevel,
    Severity,
    allow,
    deny,
    policy,
    require,
)

ADMINISTRATOR = "administrator"
SEED = Path(__file__).parent / "data" / "iam_roles.json"

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,62}$")]


class Member(BaseModel):
    """Somebody who holds a role."""

    model_config = ConfigDict(frozen=True)

    person: Name


class Role(BaseModel):
    """A role and who holds it; compared by person, so that a change names them in its path."""

    model_config = ConfigDict(frozen=True)

    critical: bool = False
    members: Annotated[tuple[Member, ...], Identity("person")] = ()

    @property
    def people(self) -> tuple[str, ...]:
        """Answer who holds it."""
        return tuple(member.person for member in self.members)

    def held_by(self, people: Iterable[str]) -> Role:
        """Answer the same role held by these."""
        members = tuple(Member(person=person) for person in people)
        return Role(critical=self.critical, members=members)


class Organisation(BaseModel):
    """The roles of one organisation; somebody is always its administrator."""

    model_config = ConfigDict(frozen=True)

    roles: dict[Name, Role]

    @model_validator(mode="after")
    def _somebody_administers(self) -> Organisation:
        if not self.people(ADMINISTRATOR):
            raise ValueError("nobody is administrator")
        return self

    def people(self, role: str) -> tuple[str, ...]:
        """Answer who holds a role; nobody holds one that does not exist."""
        return self.roles[role].people if role in self.roles else ()

    def critical(self, role: str) -> bool:
        """Answer whether a role is critical; one that does not exist is."""
        return role not in self.roles or self.roles[role].critical

    def with_role(self, role: str, people: Iterable[str]) -> Organisation:
        """Answer the organisation with a role held by these people."""
        return Organisation(roles={**self.roles, role: self.roles[role].held_by(people)})


class RoleMutation(Mutation[Organisation]):
    """A change of who holds a role."""

    role: Name
    person: Name

    def _unknown_role(self, state: Organisation) -> Iterable[Issue]:
        if self.role not in state.roles:
            known = ", ".join(sorted(state.roles))
            message = f"There is no role {self.role!r}; there are {known}."
            yield Issue(code="unknown_role", message=message, path="/roles", attempted=self.role)

    def _finding(self, code: str, message: str, severity: Severity) -> Issue:
        path = f"/roles/{self.role}/members"
        return Issue(
            code=code, message=message, path=path, attempted=self.person, severity=severity
        )


class GrantRole(RoleMutation):
    """Give a role to somebody."""

    @property
    def intent(self) -> Intent:
        """An administrator can do everything."""
        risk = RiskLevel.CRITICAL if self.role == ADMINISTRATOR else RiskLevel.MEDIUM
        return Intent(
            operation="grant role",
            category="access",
            description=f"give {self.person} the role {self.role}",
            risk=risk,
        )

    def check(self, state: Organisation) -> Iterable[Issue]:
        """The role exists; giving it twice changes nothing."""
        yield from self._unknown_role(state)
        if self.person in state.people(self.role):
            message = f"{self.person} holds {self.role} already; nothing changes."
            yield self._finding("already_granted", message, Severity.WARNING)

    def apply(self, state: Organisation) -> Organisation:
        """Answer the organisation in which they hold it."""
        people = state.people(self.role)
        return (
            state if self.person in people else state.with_role(self.role, [*people, self.person])
        )


class RevokeRole(RoleMutation):
    """Take a role from somebody."""

    @property
    def intent(self) -> Intent:
        """Who loses a role can do less; who loses this one leaves others to do it."""
        risk = RiskLevel.HIGH if self.role == ADMINISTRATOR else RiskLevel.LOW
        return Intent(
            operation="revoke role",
            category="access",
            description=f"take the role {self.role} from {self.person}",
            risk=risk,
        )

    def check(self, state: Organisation) -> Iterable[Issue]:
        """The role exists and they hold it: else the name is likely wrong."""
        yield from self._unknown_role(state)
        if self.role in state.roles and self.person not in state.people(self.role):
            message = f"{self.person} does not hold {self.role}."
            yield self._finding("not_granted", message, Severity.ERROR)

    def apply(self, state: Organisation) -> Organisation:
        """Answer the organisation in which they hold it no more."""
        left = [person for person in state.people(self.role) if person != self.person]
        return state.with_role(self.role, left)


@policy(RevokeRole)
def the_last_administrator_stays(
    mutation: RevokeRole, state: Organisation, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Nobody could give the role back, so no approval can outweigh this."""
    if mutation.role == ADMINISTRATOR and state.people(ADMINISTRATOR) == (mutation.person,):
        return deny(f"{mutation.person} is the last administrator; name another one first.")
    return allow("An administrator is left.")


@policy(GrantRole)
def nobody_grants_themselves_a_role(
    mutation: GrantRole, state: Organisation, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Somebody else has to ask for it."""
    if mutation.person in {context.actor_id.lower(), (context.on_behalf_of or "").lower()}:
        return deny(f"{mutation.person} asks for a role of their own; somebody else has to.")
    return allow("It is asked for by somebody else.")


@policy()
def two_people_decide_on_critical_roles(
    mutation: RoleMutation, state: Organisation, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Whoever holds a critical role was looked at twice; so was whoever lost it."""
    if not state.critical(mutation.role):
        return allow("The role is not critical.")
    return require(
        Requirement.approval(
            roles=["security", "operator"],
            needed=2,
            covers=[f"/roles/{mutation.role}"],
            title="A critical role",
        ),
        reason=f"{mutation.role} is a critical role.",
    )


@policy(GrantRole)
def security_decides_on_grants(
    mutation: GrantRole, state: Organisation, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """More rights are looked at by one of security; for critical roles the other rule is enough."""
    if state.critical(mutation.role):
        return allow("Two people decide on it.")
    return require(Requirement.approval(roles=["security"], needed=1, title="More rights"))


def seed(key: str) -> Organisation | None:
    """Answer the organisation as the seed file has it, or nothing: then it cannot begin."""
    path = Path(os.environ.get("MUTATOR_IAM_SEED", SEED))
    organisations = json.loads(path.read_text("utf-8"))
    return Organisation.model_validate(organisations[key]) if key in organisations else None


domain = Domain(
    name="iam_roles",
    state=Organisation,
    mutations=[GrantRole, RevokeRole],
    policies=[
        the_last_administrator_stays,
        nobody_grants_themselves_a_role,
        two_people_decide_on_critical_roles,
        security_decides_on_grants,
    ],
    initial=seed,
)
