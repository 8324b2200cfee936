"""A domain whose author tells its secrets wherever something can be told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict

from core import (
    Applied,
    Dispatch,
    Domain,
    Fact,
    FactQuestion,
    Facts,
    Intent,
    Issue,
    Mutation,
    MutationContext,
    PolicyDecision,
    Requirement,
    Secret,
    Severity,
    SideEffect,
    deny,
    policy,
    require,
)

FIRST = "the-first-token-of-all"


class Gateway(BaseModel):
    """What a token opens."""

    model_config = ConfigDict(frozen=True)

    note: str = ""
    token: Annotated[str, Secret()] = FIRST


class SetToken(Mutation[Gateway]):
    """Tells both tokens in everything it says."""

    token: Annotated[str, Secret()]

    @property
    def intent(self) -> Intent:
        return Intent(
            operation="set token",
            category=f"access {self.token}"[:200],
            description=f"set {self.token}",
            tags=(self.token,),
            metadata={"token": self.token},
        )

    def check(self, state: Gateway) -> Iterator[Issue]:
        yield Issue(
            code="worn",
            message=f"{state.token} becomes {self.token}",
            path="/token",
            attempted=self.token,
            severity=Severity.WARNING,
        )

    def apply(self, state: Gateway) -> Applied[Gateway]:
        told = SideEffect(contract="token.set", payload={"from": state.token, "to": self.token})
        return Applied(state.model_copy(update={"token": self.token}), (told,))


class ForceToken(SetToken):
    """The same, and nobody is asked."""


class Break(SetToken):
    """Raises what it should keep."""

    def apply(self, state: Gateway) -> Applied[Gateway]:
        raise KeyError(f"{state.token} {self.token}")


class Refuse(SetToken):
    """Finds itself wrong, and says why."""

    def check(self, state: Gateway) -> Iterator[Issue]:
        yield Issue(code="no", message=f"{self.token} is no token", attempted=[state.token])


@policy(SetToken)
def two_of_three(
    mutation: SetToken, state: Gateway, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Two agree, who are told the tokens."""
    if isinstance(mutation, ForceToken | Break):
        return require()
    approval = Requirement.approval(
        people=["ben", "cleo"], needed=2, title=f"May {mutation.token} follow {state.token}?"
    )
    return require(approval, reason=f"{state.token} goes.", told=str(facts["seen"]))


@policy(SetToken, enforce=False)
def raising(mutation: SetToken, state: Gateway, *_: Any) -> PolicyDecision:
    """Raises what it should keep."""
    raise ValueError(f"{state.token} {mutation.token}")


@policy(SetToken, enforce=False)
def denying(mutation: SetToken, state: Gateway, *_: Any) -> PolicyDecision:
    """Denies with what it should keep."""
    return deny(f"{state.token} {mutation.token}", token=mutation.token)


def seen(question: FactQuestion) -> dict[str, str]:
    """Answer what should be kept."""
    return {each.token: question.state.token for each in _setting(question)}


def lost(question: FactQuestion) -> str:
    """Raise what should be kept."""
    raise LookupError(f"{question.state.token} {[each.token for each in _setting(question)]}")


def _setting(question: FactQuestion) -> list[SetToken]:
    return [each for each in question.mutations if isinstance(each, SetToken)]


def follow(effect: SideEffect, dispatch: Dispatch) -> None:
    """Fail at first, with all there is to tell."""
    if dispatch.attempt == 1:
        raise RuntimeError(f"{effect.payload} {dispatch.state}")


domain = Domain(
    "gateways",
    Gateway,
    [SetToken, ForceToken, Break, Refuse],
    policies=[two_of_three, raising, denying],
    initial=lambda _: Gateway(),
    handlers={"token.set": follow},
    facts=[Fact("seen", seen, timeout=0.2), Fact("lost", lost, timeout=0.2, retries=0)],
)
