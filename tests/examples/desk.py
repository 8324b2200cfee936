"""What the tests of the examples share: one way to run a mutation of a domain."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count
from typing import Any

from hypothesis import settings

from activities.facts import look_up
from core import (
    Domain,
    Engine,
    ExecutionResult,
    FactQuestion,
    Facts,
    Mode,
    Mutation,
    MutationContext,
    Options,
)
from core.engine import record

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
MODEST = settings(max_examples=60, deadline=None)


class Desk:
    """Runs a domain's mutations as a request would; what is fulfilled is said by hand.

    What the domain declares as facts is looked up, as a worker does before it asks.
    """

    def __init__(self, domain: Domain[Any]) -> None:
        self.domain = domain
        ticks, ids = count(), count(1)
        self.engine = Engine(
            clock=lambda: next(ticks) / 1000,
            new_id=lambda: f"run-{next(ids)}",
            options=Options(check_determinism=True),
        )

    def run(
        self,
        *mutations: Mutation[Any],
        on: Any,
        at: datetime = AT,
        fulfilled: Iterable[str] = (),
        mode: Mode = Mode.COMMIT,
    ) -> ExecutionResult[Any]:
        context = MutationContext(actor_id="dan", reason="a test", mode=mode)
        question = FactQuestion(f"{self.domain.name}/acme", on, mutations, context, at)
        due = self.domain.facts_for([record(each) for each in mutations])
        found = look_up(due, question, timeout=self.domain.options.fact_timeout) if due else {}
        return self.engine.execute(
            mutations,
            on,
            context=context,
            facts=Facts(at, fulfilled=fulfilled, looked_up=found),
            policies=self.domain.policies,
        )

    def demands(self, *mutations: Mutation[Any], on: Any, at: datetime = AT) -> list[str]:
        """Answer in words who must approve."""
        result = self.run(*mutations, on=on, at=at, mode=Mode.SIMULATE)
        return sorted(f"{r.needed} of {r.who.describe()}" for r in result.ruling.requirements)

    def approve(
        self, *mutations: Mutation[Any], on: Any, at: datetime = AT
    ) -> ExecutionResult[Any]:
        """Commit with everything fulfilled that is demanded."""
        demanded = self.run(*mutations, on=on, at=at, mode=Mode.SIMULATE).ruling.requirements
        return self.run(*mutations, on=on, at=at, fulfilled=[r.id for r in demanded])


def codes(result: ExecutionResult[Any]) -> list[str]:
    return [issue.code for issue in result.issues]
