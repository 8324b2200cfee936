"""The client layer of the project's Temporal plugin: how payloads are written and read.

A worker inherits the plugins of its client, so this layer is given to `Client.connect` only; the
worker adds its own layer beside it and never passes this one again.
"""

from __future__ import annotations

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.plugin import SimplePlugin

NAME = "mutator.client"


def client_plugin() -> SimplePlugin:
    """Make the layer that every client of the project connects with."""
    return SimplePlugin(NAME, data_converter=pydantic_data_converter)
