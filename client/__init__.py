"""How to ask, from Python and from the command line.

```python
from client import Mutator

mutator = await Mutator.connect(records)
submitted = await mutator.submit(
    {
        "state_id": "feature_flags/site",
        "mutations": [{"type": "EnableFlag", "parameters": {"flag": "beta"}}],
        "actor_id": "ana",
        "reason": "the beta opens",
    }
)
request = await mutator.assessed(submitted.request_id)
await mutator.approve(request.request_id, actor_id="ben", binding=request.binding)
print((await mutator.result(request.request_id)).status)
```
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .difference import Difference, differences
    from .errors import (
        ClientError,
        InvalidSettings,
        NoStore,
        NotSettled,
        RequestNotExecuted,
        RequestRejected,
        ServerRefused,
        ServerUnavailable,
        Unavailable,
        UnexpectedFailure,
        UnreadablePayload,
        WorkerUnavailable,
        WorkflowGone,
    )
    from .mutator import Mutator
    from .plugin import client_plugin
    from .submission import Submitted
    from .wish import payload_of

_ROOMS = {
    "Difference": "difference",
    "Mutator": "mutator",
    "Submitted": "submission",
    "client_plugin": "plugin",
    "differences": "difference",
    "payload_of": "wish",
}
"""Where a name lives, unless in `errors`: Temporal's SDK is loaded with the first that needs it."""

__all__ = [
    "ClientError",
    "Difference",
    "InvalidSettings",
    "Mutator",
    "NoStore",
    "NotSettled",
    "RequestNotExecuted",
    "RequestRejected",
    "ServerRefused",
    "ServerUnavailable",
    "Submitted",
    "Unavailable",
    "UnexpectedFailure",
    "UnreadablePayload",
    "WorkerUnavailable",
    "WorkflowGone",
    "client_plugin",
    "differences",
    "payload_of",
]


def __getattr__(name: str) -> object:
    """Load a name of the door when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_ROOMS.get(name, 'errors')}", __name__), name)
