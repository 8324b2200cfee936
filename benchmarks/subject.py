"""What a way of doing the job must offer to be measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from temporalio.client import Client


class Subject(Protocol):
    """One way to do the job: a request on a state of its own, one approval, one commit.

    Its worker is a process of its own; the other methods run in the caller's process, and are all
    that the caller does for it.
    """

    @property
    def name(self) -> str:
        """The column's heading."""

    @property
    def search_attributes(self) -> Mapping[str, str]:
        """Search attributes it needs, with their types as the server's command line names them."""

    def missing(self) -> str | None:
        """Say in one sentence why it cannot run here, or `None` when it can."""

    def worker_command(self, folder: Path) -> Sequence[str]:
        """Give the interpreter's arguments for the worker, which keeps its data in `folder`.

        It runs in the repository's root, finds the server by TEMPORAL_ADDRESS and stops at SIGTERM.
        Called once before each start: it may write files it needs into `folder`. How many waiting
        requests it keeps in memory is what it does by itself.
        """

    async def start(self, client: Client, number: int) -> str:
        """Start request `number` (never used twice on one server) and give its workflow id."""

    async def approve(self, client: Client, request_id: str) -> None:
        """Send the one approval that the request waits for, or will wait for."""

    async def wait(self, client: Client, request_id: str) -> object:
        """Wait until the workflow has closed; give `None` if it committed, else what it gave."""


class HotSubject(Subject, Protocol):
    """A way to do the job without people, on any state: a policy approves."""

    async def start_on(self, client: Client, number: int, state: str) -> str:
        """Start request `number` on the state `state` and give its workflow id."""
