"""What an ending means to every store: whether it is one, and what it leaves behind."""

from __future__ import annotations

from core.errors import InvalidTransition
from core.governance.outcome import Ending
from core.governance.request import MutationRequest, Status

from .protocol import Delivery, StoredState


def require_open(request: MutationRequest) -> None:
    """Refuse a picture that claims to have ended: only an ending ends a request.

    Raises:
        InvalidTransition: The request says that it has ended.
    """
    if request.status.is_terminal:
        raise InvalidTransition(request.request_id, request.status.value, request.status.value)


def require_ending(ending: Ending) -> None:
    """Refuse what is no ending: one that is not terminal, or not Executed exactly by a commit.

    Raises:
        InvalidTransition: It is none.
    """
    request = ending.request
    executes = request.status is Status.EXECUTED
    if not request.status.is_terminal or executes != (ending.commit is not None):
        raise InvalidTransition(request.request_id, "open", request.status.value)


def committed_state(ending: Ending) -> StoredState | None:
    """Answer the version a commit writes; `None` where nothing changed."""
    commit = ending.commit
    if commit is None or commit.history is None:
        return None
    return StoredState.model_construct(
        state_id=commit.state_id,
        version=commit.expected_version + 1,
        document=commit.document,
        schema_version=commit.schema_version,
        digest=commit.digest,
        committed_at=ending.request.executed_at,
    )


def deliveries(ending: Ending) -> tuple[Delivery, ...]:
    """Answer the side effects a commit leaves to dispatch, also where no version is written."""
    request, commit = ending.request, ending.commit
    if commit is None or request.executed_at is None:
        return ()
    version = commit.expected_version + (commit.history is not None)
    return tuple(
        Delivery(
            key=f"{request.execution_id}:{position}",
            position=position,
            state_id=commit.state_id,
            version=version,
            request_id=request.request_id,
            effect=effect,
            committed_at=request.executed_at,
        )
        for position, effect in enumerate(request.side_effects)
    )
