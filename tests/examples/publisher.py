"""Stands in for commit and dispatcher: a flag set that is published after each commit."""

from __future__ import annotations

from typing import Any

from core import Dispatch, ExecutionResult, Mutation
from examples.feature_flags import FlagFile, domain, seed
from tests.examples.desk import AT, Desk


class Publisher:
    """Runs mutations on the flag set `web`; what commits is handed to the domain's handlers."""

    def __init__(self) -> None:
        state = seed("web")
        assert state is not None
        self.state = state
        self.version = 0
        self.desk = Desk(domain)

    def approved(self, *mutations: Mutation[FlagFile]) -> ExecutionResult[Any]:
        return self._settle(self.desk.approve(*mutations, on=self.state))

    def unapproved(self, *mutations: Mutation[FlagFile]) -> ExecutionResult[Any]:
        return self._settle(self.desk.run(*mutations, on=self.state))

    def _settle(self, result: ExecutionResult[Any]) -> ExecutionResult[Any]:
        if result.state is None or result.history is None:
            return result
        self.state = result.state
        self.version += 1
        for effect in result.history.side_effects:
            (domain.handlers or {})[effect.contract](effect, self.dispatch())
        return result

    def dispatch(self) -> Dispatch:
        return dispatch(self.state, self.version)


def dispatch(state: FlagFile, version: int, key: str = "web") -> Dispatch:
    return Dispatch(
        key=f"key-{version}",
        request_id=f"request-{version}",
        state_id=f"feature_flags/{key}",
        version=version,
        current_version=version,
        state=state.model_dump(mode="json"),
        at=AT,
    )
