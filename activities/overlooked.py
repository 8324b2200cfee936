"""Finds open requests that wait for what has come, where whoever ought to tell them was lost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from core.errors import StoreUnavailable
from core.governance.fulfilment import awaited
from core.governance.request import Finding, MutationRequest
from core.governance.resolution import is_superseded
from core.requirements import Requirement, RequirementKind

from .budgets import reserve
from .outside import Outside

log = logging.getLogger("mutator.reconciler")

FIRST = 20
"""How many of those who wait for room in a budget are looked at."""


@contextmanager
def going_on(without: str) -> Iterator[None]:
    """Let trouble with one thing keep nobody else from being looked at; it is logged.

    A store that does not answer is trouble with all of them.

    Raises:
        StoreUnavailable: It does not answer.
    """
    try:
        yield
    except StoreUnavailable:
        raise
    except Exception:
        log.exception("The sweep goes on without %s", without)


class Overlooked:
    """What a sweep over the open requests finds; it looks as their own activities would."""

    def __init__(self, outside: Outside, at: datetime) -> None:
        """Begin with nothing found.

        Args:
            outside: The store.
            at: The time of the sweep.
        """
        self._outside = outside
        self._at = at
        self._moved: list[str] = []
        self._versions: dict[str, int | None] = {}
        self._asking: dict[str, dict[str, Requirement]] = {}

    def add(self, request: MutationRequest) -> None:
        """Take an open request into the sweep."""
        if request.on_state_moved == "supersede" and is_superseded(
            request, self._version(request.state_id)
        ):
            self._moved.append(request.request_id)
        if any(r.requirement.kind == RequirementKind.QUOTA for r in request.requirements):
            self._add_quotas(request)

    def found(self) -> list[str]:
        """Answer who is to be woken."""
        roomy: list[str] = []
        for budget in sorted(self._asking):
            with going_on(f"the budget {budget!r}"):
                roomy += self._with_room(budget)
        return [*self._outside.store.untold(), *self._moved, *roomy]

    def _add_quotas(self, request: MutationRequest) -> None:
        for state in awaited(request):
            if state.requirement.kind == RequirementKind.QUOTA and state.requirement.is_whole:
                asking = self._asking.setdefault(state.requirement.wanted.key, {})
                asking[request.request_id] = state.requirement

    def _version(self, state_id: str) -> int | None:
        if state_id not in self._versions:
            state = self._outside.store.state(state_id)
            self._versions[state_id] = state.version if state else None
        return self._versions[state_id]

    def _with_room(self, budget: str) -> list[str]:
        """Take room for the first who ask for it, up to the one for whom there is none.

        That they keep it when they look is what makes sure that there is some.
        """
        asking, found = self._asking[budget], []
        for request_id in self._outside.store.queue(budget, limit=FIRST):
            if (requirement := asking.get(request_id)) is None:
                continue
            finding = reserve(self._outside, request_id, requirement, self._at)
            if not (isinstance(finding, Finding) and finding.verdict == "holds"):
                break
            found.append(request_id)
        return found
