"""The client layer of the project's Temporal plugin: how payloads are written and read.

A worker inherits the plugins of its client, so this layer is given to `Client.connect` only; the
worker adds its own layer beside it and never passes this one again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
)
from temporalio.plugin import SimplePlugin

NAME = "mutator.client"


_JSON = PydanticJSONPlainPayloadConverter()
_ENCODINGS = tuple(
    _JSON if isinstance(each, JSONPlainPayloadConverter) else each
    for each in DefaultPayloadConverter.default_encoding_payload_converters
)
"""Shared: the SDK makes a converter for every activation, and each would learn all types anew."""


class LenientPayloadConverter(CompositePayloadConverter):
    """Reads plain JSON; what cannot be read where no type is asked for stays raw.

    The SDK drops a signal that it cannot decode before any handler sees it: it would be lost, and
    every later signal would be taken for the one before it. Kept raw, it reaches the inbox, which
    records that it could not be read. Where a type is asked for, what does not fit raises as ever.
    """

    def __init__(self) -> None:
        super().__init__(*_ENCODINGS)

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        """Read each payload."""
        if type_hints:
            return super().from_payloads(payloads, type_hints)
        return [self._read(payload) for payload in payloads]

    def _read(self, payload: Payload) -> Any:
        try:
            return super().from_payloads([payload])[0]
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it has to reach the inbox
            return RawValue(payload)


data_converter = DataConverter(payload_converter_class=LenientPayloadConverter)


def client_plugin() -> SimplePlugin:
    """Make the layer that every client of the project connects with."""
    return SimplePlugin(NAME, data_converter=data_converter)
