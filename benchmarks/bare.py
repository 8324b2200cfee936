"""BARE: the hand-written minimum that somebody would write instead of us, as a yardstick.

A sandboxed workflow with the default converter waits for one approval signal, then calls three
remote activities: read the version, compute, write a state row by compare-and-set with a request
row and an audit row, in SQLite through the standard library. No policies, identity, deadline,
digests or search attributes: whatever is added here moves every ratio in BUDGETS.md.

Worker process: `python -m benchmarks.bare --worker --database FILE`, connection by TEMPORAL_*.
"""

import argparse
import asyncio
import logging
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

TASK_QUEUE = "bare"
THREADS = 16
PATIENCE = timedelta(seconds=30)
SCHEMA = """
CREATE TABLE IF NOT EXISTS state (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL, value INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS request (
    id TEXT PRIMARY KEY, state_id TEXT NOT NULL, status TEXT NOT NULL, version INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS audit (
    n INTEGER PRIMARY KEY, request_id TEXT NOT NULL, approver TEXT NOT NULL, value INTEGER NOT NULL
);
"""


@dataclass
class Wish:
    """What is asked for: `amount` more on the state `state_id`."""

    state_id: str
    amount: int


@dataclass
class Current:
    """A state as it was read; version 0 was never written."""

    version: int
    value: int


@dataclass
class Change:
    """What is written when the state still has `expected` as its version."""

    request_id: str
    state_id: str
    approver: str
    expected: int
    value: int


@workflow.defn
class BareRequest:
    """One approval, three remote activities."""

    def __init__(self) -> None:
        """Begin with no approval."""
        self._approver: str | None = None

    @workflow.signal
    def approve(self, approver: str) -> None:
        """Take the one approval."""
        self._approver = approver

    @workflow.run
    async def run(self, wish: Wish) -> int:
        """Wait for the approval and give the version that was written."""
        await workflow.wait_condition(lambda: self._approver is not None)
        current = await workflow.execute_activity(
            "read_version", wish.state_id, result_type=Current, start_to_close_timeout=PATIENCE
        )
        value = await workflow.execute_activity(
            "compute", args=[current, wish], result_type=int, start_to_close_timeout=PATIENCE
        )
        change = Change(
            request_id=workflow.info().workflow_id,
            state_id=wish.state_id,
            approver=self._approver or "",
            expected=current.version,
            value=value,
        )
        version: int = await workflow.execute_activity(
            "write", change, result_type=int, start_to_close_timeout=PATIENCE
        )
        return version


class Activities:
    """The three activities on one SQLite file, with a connection for each thread."""

    def __init__(self, database: Path) -> None:
        """Make the tables in the file `database`."""
        self._database = database
        self._local = threading.local()
        self._connection().executescript(SCHEMA)

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._database, timeout=30, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            self._local.connection = connection
        return connection

    @activity.defn
    def read_version(self, state_id: str) -> Current:
        """Read version and value of a state."""
        row = (
            self._connection()
            .execute("SELECT version, value FROM state WHERE id = ?", (state_id,))
            .fetchone()
        )
        return Current(*row) if row else Current(0, 0)

    @activity.defn
    def compute(self, current: Current, wish: Wish) -> int:
        """Compute the new value."""
        return current.value + wish.amount

    @activity.defn
    def write(self, change: Change) -> int:
        """Write state, request and audit in one transaction, or refuse when the state moved."""
        version = change.expected + 1
        with self._connection() as connection:  # commits, or rolls back and raises
            connection.execute("BEGIN IMMEDIATE")
            written = connection.execute(
                "INSERT INTO state VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE"
                " SET version = ?2, value = ?3 WHERE version = ?2 - 1",
                (change.state_id, version, change.value),
            ).rowcount
            if written != 1:
                message = f"{change.state_id} is no longer at version {change.expected}"
                raise ApplicationError(message, type="Conflict", non_retryable=True)
            connection.execute(
                "INSERT INTO request VALUES (?, ?, 'executed', ?)",
                (change.request_id, change.state_id, version),
            )
            connection.execute(
                "INSERT INTO audit (request_id, approver, value) VALUES (?, ?, ?)",
                (change.request_id, change.approver, change.value),
            )
        return version


async def work(database: Path) -> None:
    """Run the worker until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    activities = Activities(database)
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    with ThreadPoolExecutor(THREADS) as threads:
        async with Worker(
            client,
            task_queue=TASK_QUEUE,
            workflows=[BareRequest],
            activities=[activities.read_version, activities.compute, activities.write],
            activity_executor=threads,
        ):
            await stop.wait()
    await asyncio.sleep(0.1)  # the SDK's threads may abort a process that ends at once


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the worker."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bare", description=__doc__)
    parser.add_argument("--worker", action="store_true", required=True, help="run the worker")
    parser.add_argument("--database", type=Path, required=True, help="SQLite file, made if missing")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(work(options.database))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # as the SDK's own test run: its threads may abort an ordinary exit


class Bare:
    """The yardstick as a subject, see `benchmarks.subject.Subject`."""

    name = "BARE"
    search_attributes: Mapping[str, str] = {}

    def missing(self) -> str | None:
        """Give `None`: the yardstick needs nothing but itself."""
        return None

    def worker_command(self, folder: Path) -> Sequence[str]:
        """Give the arguments for the interpreter that run the worker with its data in `folder`."""
        return ["-m", "benchmarks.bare", "--worker", "--database", str(folder / "bare.sqlite")]

    async def start(self, client: Client, number: int) -> str:
        """Start request `number` on a state of its own and give its id."""
        handle = await client.start_workflow(
            BareRequest.run,
            Wish(state_id=f"bench/{number}", amount=1),
            id=f"bare-{number}",
            task_queue=TASK_QUEUE,
        )
        return handle.id

    async def approve(self, client: Client, request_id: str) -> None:
        """Send the one approval."""
        await client.get_workflow_handle(request_id).signal(BareRequest.approve, "ana")

    async def wait(self, client: Client, request_id: str) -> object:
        """Wait for the end; give `None` when it committed, else the result."""
        result: Any = await client.get_workflow_handle(request_id).result()
        return None if result == 1 else result


if __name__ == "__main__":
    main()
