"""The JSON Schemas of what crosses the wire, made from the models and never written by hand.

`python -m wire.schemas` prints them all in one object, `python -m wire.schemas Start` prints one.
What callers send is described as it is read, what they are answered as it is written.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, Final, Literal

from core.governance.request import MutationRequest
from core.model import Value

from .asks import Authenticate, Authenticated, Preview, PreviewMutation
from .messages import Message, Reply, RequestResult, Start
from .why import WhyBlocked

SENT: Final[tuple[type[Value], ...]] = (Start, Message, PreviewMutation, Authenticate)
"""What callers send; unknown fields are ignored."""

ANSWERED: Final[tuple[type[Value], ...]] = (
    Reply,
    RequestResult,
    MutationRequest,
    WhyBlocked,
    Preview,
    Authenticated,
)
"""What callers are answered."""

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """Answer every schema by the name of its model."""
    return {
        **{model.__name__: _schema(model, "validation") for model in SENT},
        **{model.__name__: _schema(model, "serialization") for model in ANSWERED},
    }


def written(schema: dict[str, Any]) -> str:
    """Answer a schema as the text of its file."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _schema(model: type[Value], mode: Literal["validation", "serialization"]) -> dict[str, Any]:
    return {"$schema": DIALECT, **model.model_json_schema(mode=mode)}


def main(names: Sequence[str] = ()) -> int:
    """Print the schemas named, or all of them in one object; answer the exit code."""
    known = schemas()
    if unknown := [name for name in names if name not in known]:
        sys.stderr.write(f"There is no schema {unknown[0]!r}; there are: {', '.join(known)}.\n")
        return 1
    for schema in [known[name] for name in names] or [known]:
        sys.stdout.write(written(schema))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
