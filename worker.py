"""The wiring: settings, store, domains -> a Temporal worker.

    python worker.py --domain examples.feature_flags:domain

Every setting is a flag and an environment variable; `--help` lists them. The connection to Temporal
is set by `TEMPORAL_ADDRESS` and the other variables of `temporalio.envconfig`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
)
from temporalio.plugin import SimplePlugin
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.alive import ShowsLife
from activities.crossing import ErrorsCross
from activities.directory import DirectoryFile
from activities.gate import OnlyItsWorkflow
from activities.outside import Outside
from activities.registry import all_activities
from activities.secret_folder import SecretFolder
from client.connect import connect
from client.domains import read_domain
from client.secret_key import read_redactor
from core import Domain, Domains
from core.errors import DefinitionError, MutatorError
from core.secrets import Redactor, secret_paths
from store import open_store
from wire.names import RECONCILER_SCHEDULE, RECONCILER_TYPE, TASK_QUEUE
from wire.search_attributes import REGISTRY
from workflows import ALL_WORKFLOWS

log = logging.getLogger("mutator.worker")

THREADS = 64
"""Activities at once, each in a thread of its own."""

DRAIN = timedelta(seconds=30)
"""How long running activities may go on after SIGTERM."""

CACHED = 1000
"""Waiting requests kept in memory; one that is not is replayed when something comes for it."""

SWITCH = 0.0005
"""Seconds a thread keeps the interpreter: the loop that serves Temporal must not wait for the 5 ms
that Python gives an activity's thread by default."""

SWEEP = timedelta(minutes=1)
"""How often the reconciler compares open workflows with the record."""


class WorkerLayer(SimplePlugin):
    """The worker's layer of the plugin; the client's layer comes with the client."""


def worker_plugin(outside: Outside) -> WorkerLayer:
    """Make the worker's layer of the plugin."""
    return WorkerLayer(
        "mutator.worker",
        workflows=ALL_WORKFLOWS,
        activities=all_activities(outside),
        interceptors=[ErrorsCross(), OnlyItsWorkflow(), ShowsLife()],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )


def make_worker(client: Client, outside: Outside, **options: Any) -> Worker:
    """Make a worker of everything there is.

    Args:
        client: A client that was connected with the client's layer of the plugin.
        outside: What the activities are handed.
        **options: Passed on to `temporalio.worker.Worker`, over ours.
    """
    settings: dict[str, Any] = {
        "task_queue": TASK_QUEUE,
        "activity_executor": ThreadPoolExecutor(THREADS, thread_name_prefix="activity"),
        "max_concurrent_activities": THREADS,
        # Signs of life are sent as often as they are given; else one late sign means death.
        "max_heartbeat_throttle_interval": timedelta(seconds=1),
        "graceful_shutdown_timeout": DRAIN,
        # After a crash the first decision is served in 2 s instead of 10.
        "sticky_queue_schedule_to_start_timeout": timedelta(seconds=2),
        "plugins": [worker_plugin(outside)],
    }
    return Worker(client, **(settings | options))


def served(
    domain: Domain[Any], *, redactor: Redactor | None = None, secrets: SecretFolder | None = None
) -> Domain[Any]:
    """Answer a domain that this worker can serve.

    Args:
        domain: Whose models are looked into.
        redactor: What stands for secrets.
        secrets: Where those are that requests name.

    Raises:
        DefinitionError: It has secrets, and the worker has not what it takes to keep them.
    """
    for model in (domain.state, *domain.mutations):
        if not (paths := secret_paths(model)):
            continue
        said = (
            f"{model.__name__} of the domain {domain.name!r} has secret fields ({', '.join(paths)})"
        )
        if redactor is None:
            raise DefinitionError(
                f"{said}, and the worker has no key to hash them by; give it one with "
                "--secret-key-file."
            )
        if model is not domain.state and secrets is None:
            raise DefinitionError(
                f"{said}, which a request names and never carries; say where they are with "
                "--secrets-dir."
            )
    return domain


async def ensure_search_attributes(client: Client) -> None:
    """Make the search attributes that are missing; name the command where that is not allowed.

    Raises:
        DefinitionError: They are missing and cannot be made from here.
    """
    service = client.operator_service
    try:
        listed = await service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
        missing = {n: t for n, t in REGISTRY.items() if n not in listed.custom_attributes}
        if missing:
            await service.add_search_attributes(
                AddSearchAttributesRequest(
                    namespace=client.namespace,
                    search_attributes={n: _indexed(t) for n, t in missing.items()},
                )
            )
    except RPCError as error:
        flags = " ".join(f"--name {n} --type {t}" for n, t in REGISTRY.items())
        raise DefinitionError(
            f"The search attributes cannot be made: {error.message}. Make them by: "
            f"temporal operator search-attribute create --namespace {client.namespace} {flags}"
        ) from error


def _indexed(type_: str) -> IndexedValueType.ValueType:
    return {
        "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
        "KeywordList": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
        "Datetime": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
    }[type_]


async def ensure_reconciler(
    client: Client, *, every: timedelta = SWEEP, task_queue: str = TASK_QUEUE
) -> None:
    """Make the reconciler's schedule, or give the one that is there these settings."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            RECONCILER_TYPE, id=f"{RECONCILER_SCHEDULE}/run", task_queue=task_queue
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    )
    try:
        await client.create_schedule(RECONCILER_SCHEDULE, schedule)
    except ScheduleAlreadyRunningError:
        there = client.get_schedule_handle(RECONCILER_SCHEDULE)
        await there.update(lambda _: ScheduleUpdate(schedule=schedule))


async def serve(
    *,
    domains: list[str],
    store_url: str,
    directory: Path,
    sweep: timedelta,
    max_cached: int = CACHED,
    secret_key_file: Path | None = None,
    secrets_dir: Path | None = None,
) -> None:
    """Run a worker until SIGTERM or SIGINT, then let running activities finish."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    redactor = read_redactor(secret_key_file) if secret_key_file else None
    secrets = SecretFolder(secrets_dir, redactor) if secrets_dir and redactor else None
    if secrets:
        secrets.check()
    registered = Domains(
        [served(read_domain(each), redactor=redactor, secrets=secrets) for each in domains]
    )
    people = DirectoryFile(directory)
    people()
    store = open_store(store_url)
    try:
        store.check()
        client = await connect()
        await ensure_search_attributes(client)
        await ensure_reconciler(client, every=sweep)
        outside = Outside(
            store=store,
            domains=registered,
            directory=people,
            client=client,
            redactor=redactor,
            secrets=secrets,
        )
        log.warning(
            "This worker runs in TRUSTED mode: whoever can reach Temporal can decide as anybody in "
            "%s. Credentials are not checked.",
            directory,
        )
        async with make_worker(client, outside, max_cached_workflows=max_cached):
            log.info("Serving %s on task queue %s", ", ".join(domains), TASK_QUEUE)
            await stop.wait()
            log.info("Draining")
    finally:
        store.close()


def main(
    *,
    domain: Annotated[
        list[str],
        typer.Option(
            help="package.module:attribute of a domain; repeatable.", envvar="MUTATOR_DOMAINS"
        ),
    ],
    store: Annotated[
        str, typer.Option(help="URL of the store of record.", envvar="MUTATOR_STORE_URL")
    ] = "sqlite:///mutator.db",
    directory: Annotated[
        Path, typer.Option(help="The directory file of people.", envvar="MUTATOR_DIRECTORY")
    ] = Path("directory.toml"),
    sweep: Annotated[
        int, typer.Option(help="Seconds between sweeps of the reconciler.", envvar="MUTATOR_SWEEP")
    ] = int(SWEEP.total_seconds()),
    max_cached: Annotated[
        int,
        typer.Option(
            help="Waiting requests kept in memory; others are replayed.",
            envvar="MUTATOR_MAX_CACHED",
            min=0,
        ),
    ] = CACHED,
    secret_key_file: Annotated[
        Path | None,
        typer.Option(
            help="The file of the key that secrets are hashed by.",
            envvar="MUTATOR_SECRET_KEY_FILE",
        ),
    ] = None,
    secrets_dir: Annotated[
        Path | None,
        typer.Option(
            help="The folder of the secrets that requests name, a folder a domain.",
            envvar="MUTATOR_SECRETS_DIR",
        ),
    ] = None,
) -> None:
    """Serve requests on the task queue `mutations`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        sys.setswitchinterval(SWITCH)
        uvloop.run(
            _serve_and_settle(
                domains=domain,
                store_url=store,
                directory=directory,
                sweep=timedelta(seconds=sweep),
                max_cached=max_cached,
                secret_key_file=secret_key_file,
                secrets_dir=secrets_dir,
            )
        )
    except MutatorError as error:
        sys.stderr.write(f"{error.message}\n")
        raise typer.Exit(2) from error


async def _serve_and_settle(**settings: Any) -> None:
    try:
        await serve(**settings)
    finally:
        # A process that used the SDK can abort while it exits unless its threads had a moment.
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    typer.run(main)
