"""Looks at the requests that a request depends on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from temporalio import activity

from core.governance.people import SYSTEM
from core.governance.request import Finding, MutationRequest, Rejection, Status
from core.requirements import Requirement, RequirementKind
from store.protocol import Standing
from wire.asks import LookAt, LookedAt
from wire.names import Activity

from .asked import demanded
from .outside import Outside

FEW: Final = 3
"""How many requests are named in words."""


@dataclass(frozen=True)
class Depending:
    """The activity `read_dependencies`."""

    outside: Outside

    @activity.defn(name=Activity.READ_DEPENDENCIES, no_thread_cancel_exception=True)
    def read_dependencies(self, ask: LookAt) -> LookedAt:
        """Answer how far the requests are that a requirement names."""
        state = demanded(self.outside, ask)
        if isinstance(state, LookedAt):
            return state
        found = look_at_dependencies(self.outside, ask.request, [state.requirement], ask.at)
        return LookedAt(finding=found.get(state.id))


def look_at_dependencies(
    outside: Outside, request: MutationRequest, requirements: Iterable[Requirement], at: datetime
) -> dict[str, Finding]:
    """Answer how far the named requests are, by the id of each requirement that names some.

    Only what was asked for before this request may be named, so that no circle can be written.

    Args:
        outside: The store.
        request: Who depends on them.
        requirements: What is demanded; those of other kinds are left out.
        at: The workflow's time.
    """
    naming = [r for r in requirements if r.kind == RequirementKind.DEPENDENCY]
    if not naming:
        return {}
    named = dict.fromkeys(each for r in naming for each in r.requests)
    earlier = {
        key: standing
        for key, standing in outside.store.standings([*named]).items()
        if standing.created_at < request.created_at
    }
    return {r.id: _finding(r, earlier, at) for r in naming}


def _finding(requirement: Requirement, standings: Mapping[str, Standing], at: datetime) -> Finding:
    named = requirement.requests
    known = [standings[each] for each in named if each in standings]
    done = [s for s in known if s.status == Status.EXECUTED]

    def answer(
        verdict: Literal["holds", "failed", "not_yet"], reason: str, code: str = ""
    ) -> Finding:
        no = Rejection(
            category="dependency",
            code=code,
            message=f"{requirement.describe()}: {reason}",
            metadata={"requirement": requirement.id},
        )
        return Finding(
            verdict=verdict,
            at=at,
            binding=requirement.id,
            actor_id=SYSTEM,
            reason=reason,
            have=len(done),
            needed=len(named),
            rejection=no if code else None,
        )

    if unknown := [each for each in named if each not in standings]:
        return answer(
            "failed",
            f"{_few(unknown)} not in the record from before this request; name requests that are.",
            "unknown",
        )
    if ended := [s for s in known if s not in done and Status(s.status).is_terminal]:
        ways = sorted({s.status for s in ended})
        return answer(
            "failed", f"{_few([s.request_id for s in ended])} ended {', '.join(ways)}.", "ended"
        )
    if undone := [s.request_id for s in done if s.compensated]:
        return answer("failed", f"{_few(undone)} executed and compensated since.", "undone")
    left = [s.request_id for s in known if s not in done]
    if left or not named:
        return answer("not_yet", f"waits for {_few(left) or 'requests that are not named'}")
    return answer("holds", f"{_few(named)} executed")


def _few(names: Sequence[str]) -> str:
    more = len(names) - FEW
    return ", ".join(names[:FEW]) + (f" and {more} more" if more > 0 else "")
