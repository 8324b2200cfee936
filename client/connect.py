"""Connect to Temporal; where and how is said to `temporalio.envconfig` only.

`TEMPORAL_ADDRESS` (default localhost:7233), `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`,
`TEMPORAL_PROFILE`, TLS and the settings file are Temporal's own, the same for every language.
"""

from __future__ import annotations

import asyncio

from temporalio.client import Client
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.service import RPCError

from .errors import InvalidSettings, ServerRefused, ServerUnavailable
from .plugin import client_plugin

DEFAULT_ADDRESS = "localhost:7233"
CONNECT_WITHIN = 10.0
"""Seconds a server may take to answer the first call."""


def settings() -> ClientConnectConfig:
    """Read the connection settings from the environment and the settings file.

    Raises:
        InvalidSettings: They cannot be read.
    """
    try:
        found = ClientConfig.load_client_connect_config()
    except (RuntimeError, ValueError, OSError, TypeError) as error:
        raise InvalidSettings(
            f"The Temporal connection settings cannot be read: {' '.join(str(error).split())}. "
            "Check the TEMPORAL_ variables and the settings file."
        ) from error
    return {"target_host": DEFAULT_ADDRESS, **found}


async def connect(*, lazy: bool = False) -> Client:
    """Connect with the project's plugin.

    Args:
        lazy: Connect at the first call only.

    Raises:
        InvalidSettings: The settings cannot be read.
        ServerUnavailable: No server answers within `CONNECT_WITHIN` seconds.
        ServerRefused: Something else than a Temporal server answers, or it refuses the key.
    """
    found = settings()
    address = found["target_host"]
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            return await Client.connect(**found, plugins=[client_plugin()], lazy=lazy)
    except (TimeoutError, RPCError) as error:
        raise ServerUnavailable(address) from error
    except (RuntimeError, ValueError, TypeError) as error:
        said = " ".join(str(error).split())
        if "call error after connection" in said or not said.startswith("Failed client connect"):
            raise ServerRefused(
                f"What answers at {address} does not take the connection: {said[:200]}. "
                "Check TEMPORAL_ADDRESS, TEMPORAL_API_KEY and the TLS settings.",
                address=address,
            ) from error
        raise ServerUnavailable(address) from error
