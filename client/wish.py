"""Write down a wish and read it as the workflow will, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from core.governance.request import Wish
from core.mutation import Mutation
from wire.messages import Start, read_start


def new_request_id() -> str:
    """Make an id for a request."""
    return f"req-{uuid4().hex}"


def payload_of(state_id: str, *mutations: Mutation[Any], **fields: Any) -> dict[str, Any]:
    """Write the start payload for mutations that are at hand as values.

    Args:
        fields: The other fields of the start payload: `actor_id`, `reason`, `tags` ...
    """
    written = [
        {
            "type": mutation.name(),
            "schema_version": mutation.schema_version,
            "parameters": mutation.model_dump(mode="json"),
        }
        for mutation in mutations
    ]
    return {"state_id": state_id, "mutations": written, **fields}


def start_of(
    wish: Wish | Mapping[str, Any],
    *,
    request_id: str | None = None,
    credential: str | None = None,
) -> Start:
    """Read a wish as the workflow will; nothing is sent.

    Args:
        wish: A value, or the fields of the start payload.
        request_id: The id it is to have; `None`: the payload's own, or a new one.
        credential: The proof of who asks; `None`: the payload's own, if any.

    Raises:
        InvalidParameters: It does not validate; the sentence names each field.
        TooLarge: It exceeds `wire.messages.MAX_START` bytes.
    """
    given = (
        wish.model_dump(mode="json", exclude_defaults=True)
        if isinstance(wish, Wish)
        else dict(wish)
    )
    if credential is not None:
        given["credential"] = credential
    # Blanks around an id are none of it, as with every id on the wire.
    id_ = str(request_id or given.get("request_id") or "").strip() or new_request_id()
    start = read_start([given], id_)
    return start.model_copy(update={"request_id": id_})
