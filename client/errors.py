"""Errors of asking: what stands between the caller and an answer, never a domain's "no".

```
MutatorError
└── ClientError
    ├── InvalidSettings        the connection settings cannot be read
    ├── Unavailable            somebody who should answer does not; ask again later
    │   ├── ServerUnavailable  no Temporal server
    │   ├── WorkerUnavailable  a server, but no worker that takes the work
    │   └── NotSettled         the answer is still under way; it may yet come
    ├── ServerRefused          the server does not take the call: permission, namespace, set-up
    ├── NoStore                the question needs the store of record and none was given
    ├── WorkflowGone           the workflow is gone and the record is still open
    ├── UnreadablePayload      a payload file is missing, too large, or no JSON object
    ├── RequestRejected        a request ended Rejected; `category` and `rejection_code` say why
    ├── RequestNotExecuted     a request ended otherwise than Executed
    └── UnexpectedFailure      anything else, in one sentence
```

What the domain says no to keeps its own class of `core.errors`, whichever way it came. Nothing of
Temporal's ever leaves the client.
"""

from __future__ import annotations

from core.errors import MutatorError


class ClientError(MutatorError):
    """Base of the errors of asking."""


class InvalidSettings(ClientError):
    """The connection settings cannot be read."""


class Unavailable(ClientError):
    """Somebody who should answer does not; the same call may be made again."""


class ServerUnavailable(Unavailable):
    """No Temporal server answers, or it is too busy to."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"No Temporal server answers at {address}; start one with `make dev`, "
            "or set TEMPORAL_ADDRESS.",
            address=address,
        )


class WorkerUnavailable(Unavailable):
    """The server answers, but no worker takes the work in time.

    Attributes:
        waited: Seconds.
        decision_id: Of a message that may yet be taken; repeated under it, it counts once.
    """

    def __init__(self, task_queue: str, waited: float, decision_id: str | None = None) -> None:
        again = (
            f"repeat it with the decision id {decision_id!r}, it may have been kept"
            if decision_id
            else "ask again"
        )
        super().__init__(
            f"No worker answered on task queue {task_queue!r} within {waited:g} s; start one with "
            f"`python worker.py --domain ...` and {again}.",
            task_queue=task_queue,
            waited=waited,
            decision_id=decision_id,
        )


class NotSettled(Unavailable):
    """The answer did not come in time and may come yet; `waited` is in seconds."""

    def __init__(self, request_id: str, waited: float, status: str | None = None) -> None:
        known = f" It is {status}." if status else ""
        super().__init__(
            f"Request {request_id!r} did not answer within {waited:g} s.{known} "
            "Watch it, or ask again with the same ids.",
            request_id=request_id,
            waited=waited,
            status=status,
        )


class ServerRefused(ClientError):
    """The server does not take the call: permission, namespace or set-up."""


class NoStore(ClientError):
    """The question needs the store of record and none was given."""

    def __init__(self, question: str) -> None:
        super().__init__(
            f"To answer {question} the store of record is needed; "
            "give its address with --store or MUTATOR_STORE_URL.",
            question=question,
        )


class WorkflowGone(ClientError):
    """The workflow is gone and its record is still open; the reconciler ends it."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"The workflow of request {request_id!r} is gone and its record is still open; "
            "the reconciler will end it. Ask for it again in a minute.",
            request_id=request_id,
        )


class UnreadablePayload(ClientError):
    """A payload file is missing, too large, or no JSON object."""


class RequestRejected(ClientError):
    """A request ended Rejected."""


class RequestNotExecuted(ClientError):
    """A request ended otherwise than Executed; `status` says how."""


class UnexpectedFailure(ClientError):
    """A failure that has no name of its own."""
