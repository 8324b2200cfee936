"""Every name that another language, a UI or a recorded history relies on; none ever changes."""

from __future__ import annotations

from typing import Final

TASK_QUEUE: Final = "mutations"
WORKFLOW_TYPE: Final = "MutationRequest"
DISPATCHER_TYPE: Final = "SideEffectDispatcher"
RECONCILER_TYPE: Final = "Reconciler"

OWN_PREFIX: Final = "mutator/"
"""Workflow ids that begin with it are the project's own; no request may have one."""

RECONCILER_SCHEDULE: Final = "mutator/reconciler"

CONTENT_DIGEST_MEMO: Final = "content_digest"


def dispatcher_id(state_id: str) -> str:
    """Answer the workflow id of a state's side-effect dispatcher."""
    return f"{OWN_PREFIX}dispatch/{state_id}"


class Signal:
    """Signals of a request."""

    APPROVE: Final = "approve"
    REJECT: Final = "reject"
    WITHDRAW: Final = "withdraw"
    CANCEL: Final = "cancel"
    FULFIL: Final = "fulfil"
    SUPERSEDE: Final = "supersede"
    DELEGATE: Final = "delegate"
    COMMENT: Final = "comment"
    WAKE: Final = "wake"


class Update:
    """Updates of a request."""

    DECIDE: Final = "decide"
    CANCEL_REQUEST: Final = "cancel_request"
    FULFIL_REQUIREMENT: Final = "fulfil_requirement"
    REFRESH: Final = "refresh"


class Query:
    """Queries of a request."""

    REQUEST: Final = "request"
    WHY_BLOCKED: Final = "why_blocked"


class Activity:
    """Activities, called by name with their result type."""

    ASSESS_REQUEST: Final = "assess_request"
    AUTHENTICATE: Final = "authenticate"
    RESOLVE_VERSION: Final = "resolve_version"
    EXECUTE_MUTATION: Final = "execute_mutation"
    RECORD_OUTCOME: Final = "record_outcome"
    RECORD_PROGRESS: Final = "record_progress"
    READ_SIGNAL_TIMES: Final = "read_signal_times"
    SEND_WAKEUPS: Final = "send_wakeups"
    PREVIEW_MUTATION: Final = "preview_mutation"
    DISPATCH_SIDE_EFFECTS: Final = "dispatch_side_effects"
    RECONCILE: Final = "reconcile"
    RUN_CHECK: Final = "run_check"
    FILE_CHECK: Final = "file_check"
    NEXT_WINDOW: Final = "next_window"
    READ_DEPENDENCIES: Final = "read_dependencies"
    RESERVE_QUOTA: Final = "reserve_quota"
    STORE_COMMENT: Final = "store_comment"
    SUPERSEDE_REQUEST: Final = "supersede_request"
