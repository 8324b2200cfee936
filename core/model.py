"""The one base of every value: frozen, plain JSON on the wire, unknown fields ignored."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen value; a change is a new value (`model_copy(update=...)`)."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_bytes="base64")
