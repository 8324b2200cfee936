"""How requests end: the taxonomy of rejections, the attempts to end, and what an ending writes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import JsonValue

from ..audit import AuditEntry
from ..errors import InvalidAmendment, NotAuthorised, PolicyConflict, WrongType
from ..history import HistoryEntry
from ..model import Value
from ..result import ExecutionResult, Outcome
from .lifecycle import close, closed, intend
from .people import OPERATOR, Person
from .request import Closing, MutationRequest, Rejection, Status

REJECTION_CODES: dict[str, tuple[str, ...]] = {
    "policy": ("denied", "unauthenticated", "unauthorised", "policy_failed", "policy_conflict"),
    "validation": (
        "unknown_mutation",
        "unknown_state",
        "invalid_parameters",
        "check_failed",
        "too_large",
    ),
    "approval": ("refused", "review_failed"),
    "stale": ("moved", "effect_changed"),
    "check": ("failed",),
    "dependency": ("ended", "undone", "unknown"),
    "quota": ("over_budget",),
    "engine": ("error", "timeout", "wrong_type"),
    "unsatisfiable": ("no_approver", "no_window", "no_budget"),
    "compensation": (
        "not_executed",
        "other_state",
        "irreversible",
        "already_compensated",
        "conflict",
    ),
}
"""Every category of rejection with its codes; docs, tests and code share this table."""


class Commit(Value):
    """What an Executed ending writes besides the request.

    Attributes:
        expected_version: The version it was resolved on; another one found is a conflict.
        document: The new state, or nothing when nothing changed: then no version is written.
        schema_version: The form the document is written in.
        digest: The new state's digest.
    """

    state_id: str
    expected_version: int
    document: JsonValue = None
    schema_version: int = 1
    digest: str = ""
    history: HistoryEntry | None = None


class Ending(Value):
    """Everything one ending writes, in one transaction, under the request's key.

    Attributes:
        request: The request with its terminal decision.
        fence: The fence of the ask that commits; `None` for endings that commit nothing.
    """

    request: MutationRequest
    fence: int | None = None
    commit: Commit | None = None
    audit: tuple[AuditEntry, ...] = ()


def rejection_of(result: ExecutionResult[Any]) -> Rejection | None:
    """Answer why a run means "no", or nothing when it does not.

    Requirements that are demanded and unmet are no "no": they are waited for.
    """
    match result.outcome:
        case Outcome.BLOCKED if result.ruling.denials:
            denials = result.ruling.denials
            failed = all(d.failed for d in denials)
            return Rejection(
                category="policy",
                code="policy_failed" if failed else "denied",
                message="; ".join(f"{d.policy}: {d.reason}" for d in denials)[:2000],
                metadata={
                    "policies": [d.policy for d in denials],
                    "severity": result.ruling.severity.value,
                },
            )
        case Outcome.INVALID:
            return Rejection(
                category="validation",
                code="check_failed",
                message="; ".join(i.message for i in result.issues if i.is_error)[:2000],
                metadata={"codes": [i.code for i in result.issues if i.is_error]},
            )
        case Outcome.TIMED_OUT:
            return Rejection(category="engine", code="timeout", message=str(result.error))
        case Outcome.FAILED if isinstance(result.error, PolicyConflict | InvalidAmendment):
            conflict = isinstance(result.error, PolicyConflict)
            return Rejection(
                category="policy",
                code="policy_conflict" if conflict else "policy_failed",
                # As it was audited: the error's own sentence may quote what is secret.
                message=result.audit.error or result.error.message,
                metadata=result.error.details,
            )
        case Outcome.FAILED | Outcome.CANCELED:
            wrong = isinstance(result.error, WrongType)
            return Rejection(
                category="engine",
                code="wrong_type" if wrong else "error",
                message=result.audit.error or "The mutation failed.",
            )
        case _:
            return None


def reject(request: MutationRequest, rejection: Rejection, *, actor_id: str) -> MutationRequest:
    """Intend to reject the request."""
    return intend(
        request,
        Closing(
            status=Status.REJECTED,
            actor_id=actor_id,
            reason=rejection.message,
            rejection=rejection,
        ),
    )


def cancel(
    request: MutationRequest, sender: Person, *, reason: str = "", decision_id: str | None = None
) -> MutationRequest:
    """Intend to cancel the request; its requester may, and an operator.

    Args:
        request: The request as it is.
        sender: Who cancels, as the directory knows them.
        reason: Why.
        decision_id: The sender's name for the message, kept with the ending.

    Raises:
        RequestClosed: It has ended, or is about to.
        NotAuthorised: The sender is neither.
    """
    if request.status.is_terminal or request.closing is not None:
        raise closed(request)
    if sender.id.lower() not in request.requester_ids and f"role:{OPERATOR}" not in sender.tokens:
        raise NotAuthorised(
            f"{sender.id} may not cancel request {request.request_id!r}; its requester "
            f"{request.context.actor_id} may, and the role {OPERATOR!r}.",
            request_id=request.request_id,
            actor_id=sender.id,
        )
    return cancel_by(request, sender.id, reason=reason, decision_id=decision_id)


def cancel_by(
    request: MutationRequest, actor_id: str, *, reason: str = "", decision_id: str | None = None
) -> MutationRequest:
    """Intend to cancel the request for somebody whose right was established elsewhere."""
    closing = Closing(
        status=Status.CANCELED, actor_id=actor_id, reason=reason, decision_id=decision_id
    )
    return intend(request, closing)


def executed(
    request: MutationRequest,
    result: ExecutionResult[Any],
    *,
    version: int,
    at: datetime,
    actor_id: str,
) -> MutationRequest:
    """Close a request whose mutation is being committed as `version`."""
    closed = close(
        request,
        Closing(
            status=Status.EXECUTED, actor_id=actor_id, reason=f"Committed as version {version}."
        ),
        at,
    )
    return closed.model_copy(
        update={
            "execution_id": result.execution_id,
            "executed_at": closed.decisions[-1].at,
            "resulting_version": version,
            "side_effects": result.effect.side_effects,
        }
    )
