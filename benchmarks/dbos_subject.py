"""DBOS as a second yardstick: the same job in its own manner, on PostgreSQL.

A workflow waits for one approval (`recv`), then takes three steps: read the version, compute, and
write state, request and audit by compare-and-set, in one transaction with the step's checkpoint.
Like BARE it has no policies, identity, deadline or digests. Caller and worker are one process,
this one, and talk to nothing but PostgreSQL: the shortest way there is for it.

`python -m benchmarks.dbos_subject --url ADDRESS --report FILE` measures and writes the figures.
"""

import argparse
import asyncio
import importlib.util
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter, sleep
from typing import TYPE_CHECKING, TypeVar

from . import postgres
from .errors import BenchmarkError, NotReady, ProcessEnded, WrongEnding
from .measure import Size
from .processes import clean_environment, cpu_seconds, running, service_cpu_seconds
from .session import QUIET, ROOT

if TYPE_CHECKING:
    from dbos import WorkflowHandle

T = TypeVar("T")

POOL = 16
PATIENCE = 3600.0
TOPIC = "approve"
SCHEMA = """
CREATE TABLE state (id TEXT PRIMARY KEY, version INTEGER NOT NULL, value INTEGER NOT NULL);
CREATE TABLE request (
    id TEXT PRIMARY KEY, state_id TEXT NOT NULL, status TEXT NOT NULL, version INTEGER NOT NULL
);
CREATE TABLE audit (
    n BIGSERIAL PRIMARY KEY, request_id TEXT NOT NULL, approver TEXT NOT NULL,
    value INTEGER NOT NULL
);
"""
WRITE_STATE = (
    "INSERT INTO state VALUES (:state, :version, :value) ON CONFLICT (id) DO UPDATE"
    " SET version = :version, value = :value WHERE state.version = :version - 1"
)
WRITE_REQUEST = "INSERT INTO request VALUES (:request, :state, 'executed', :version)"
WRITE_AUDIT = "INSERT INTO audit (request_id, approver, value) VALUES (:request, :approver, :value)"


def job(url: str) -> "Callable[[int], WorkflowHandle[int]]":
    """Launch DBOS on an empty database and give what starts request `number`."""
    import sqlalchemy as sa  # noqa: PLC0415
    from dbos import DBOS, SetWorkflowID, SQLAlchemyDatasource  # noqa: PLC0415

    DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR"})
    source = SQLAlchemyDatasource.create(url, engine_kwargs={"pool_size": POOL})
    with source.engine.begin() as connection:
        connection.execute(sa.text(SCHEMA))
    select = sa.text("SELECT version, value FROM state WHERE id = :state")
    writes = [sa.text(each) for each in (WRITE_STATE, WRITE_REQUEST, WRITE_AUDIT)]

    @DBOS.step()
    def read_version(state: str) -> tuple[int, int]:
        with source.engine.connect() as connection:
            row = connection.execute(select, {"state": state}).fetchone()
        return (row[0], row[1]) if row else (0, 0)

    @DBOS.step()
    def compute(value: int, amount: int) -> int:
        return value + amount

    @source.transaction(isolation_level="READ COMMITTED")
    def write(change: dict[str, str | int]) -> int:
        session = source.sql_session()
        written = [session.execute(each, change) for each in writes]
        if getattr(written[0], "rowcount", 0) != 1:
            message = f"{change['state']} is no longer at the version that was read"
            raise BenchmarkError(message)
        return int(change["version"])

    @DBOS.workflow()
    def request(state: str, amount: int) -> int:
        approver = str(DBOS.recv(TOPIC, PATIENCE))
        version, value = read_version(state)
        change: dict[str, str | int] = {
            "request": str(DBOS.workflow_id),
            "state": state,
            "approver": approver,
            "version": version + 1,
            "value": compute(value, amount),
        }
        return write(change)

    DBOS.launch()

    def start(number: int) -> "WorkflowHandle[int]":
        with SetWorkflowID(f"dbos-{number}"):
            return DBOS.start_workflow(request, f"bench/{number}", 1)

    return start


def figures(url: str, size: Size, server: int) -> dict[str, float]:
    """Measure here; `server` is the process id of PostgreSQL."""
    from dbos import DBOS  # noqa: PLC0415

    start = job(url)

    def decide(handle: "WorkflowHandle[int]") -> None:
        DBOS.send(handle.workflow_id, "ana", TOPIC)
        result = handle.get_result()
        if result != 1:
            raise WrongEnding(handle.workflow_id, result)

    def whole(number: int) -> None:
        decide(start(number))

    def each(items: Iterable[T], work: Callable[[T], None]) -> float:
        begun = perf_counter()
        with ThreadPoolExecutor(size.callers) as threads:
            for _ in threads.map(work, items):
                pass
        return perf_counter() - begun

    def cpu() -> dict[str, float]:
        return {
            "cpu_server_ms": 1000 * service_cpu_seconds(server),
            "cpu_worker_ms": 1000 * cpu_seconds(),
        }

    first = 2 * size.callers
    each(range(first), whole)
    spent: list[float] = []
    for number in range(first, first + size.lone):
        handle = start(number)
        sleep(2 * QUIET)
        begun = perf_counter()
        decide(handle)
        spent.append(1000 * (perf_counter() - begun))
    first += size.lone
    before = cpu()
    seconds = each(range(first, first + size.requests), whole)
    after = cpu()
    parts = {name: (after[name] - before[name]) / size.requests for name in before}
    first += size.requests
    handles = [start(number) for number in range(first, first + size.requests)]
    sleep(1)
    approving = each(handles, decide)
    DBOS.destroy()
    return {
        "requests_per_s": size.requests / seconds,
        "approvals_per_s": size.requests / approving,
        "lone_ms": statistics.median(spent),
        "cpu_ms": sum(parts.values()),
        **parts,
    }


class Dbos:
    """The second yardstick; not a `Subject`, for it knows no Temporal."""

    name = "DBOS"

    def missing(self) -> str | None:
        """Say why it cannot run here, or `None` when it can."""
        if importlib.util.find_spec("dbos") is None:
            return "dbos is not installed"
        return postgres.missing()

    async def measure(self, size: Size, *, limit: float) -> dict[str, float]:
        """Give the figures of one round on a fresh server."""
        with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
            report = Path(name) / "figures.json"
            async with postgres.postgres_server() as server:
                command = ["-m", "benchmarks.dbos_subject", "--url", server.database()]
                command += ["--report", str(report), "--server", str(server.pid)]
                for option in ("callers", "requests", "lone"):
                    command += [f"--{option}", str(getattr(size, option))]
                async with running(
                    "DBOS process",
                    [sys.executable, *command],
                    folder=ROOT,
                    log=Path(name) / "dbos.log",
                    environment=clean_environment(),
                ) as child:
                    try:
                        async with asyncio.timeout(limit):
                            ended = await child.ended()
                    except TimeoutError as error:
                        raise NotReady("one round of DBOS", limit) from error
            return _figures(report, ended)


def _figures(report: Path, ended: ProcessEnded) -> dict[str, float]:
    if not report.exists():
        raise ended
    read: dict[str, float] = json.loads(report.read_text(encoding="utf-8"))
    return read


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dbos_subject", description=__doc__)
    parser.add_argument("--url", required=True, help="an empty database")
    parser.add_argument("--report", type=Path, required=True, help="file for the figures, JSON")
    parser.add_argument("--server", type=int, required=True, help="process id of PostgreSQL")
    for option in ("callers", "requests", "lone"):
        parser.add_argument(f"--{option}", type=int, required=True)
    options = parser.parse_args(arguments)
    size = Size(callers=options.callers, requests=options.requests, lone=options.lone)
    measured = figures(options.url, size, options.server)
    options.report.write_text(json.dumps(measured), encoding="utf-8")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that still wait for a message would keep it


if __name__ == "__main__":
    main()
