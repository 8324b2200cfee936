"""What every test of a whole request stands on: one server, one worker a store, a session each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from store import open_store
from tests.fixtures.postgres import Postgres, postgres
from tests.support import box
from tests.support.people import PEOPLE
from tests.support.server import start_server
from tests.support.twice import Twice
from tests.support.world import World, make_world

__all__ = ["postgres"]


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[WorkflowEnvironment]:
    """A real Temporal server."""
    env = await start_server()
    yield env
    await env.shutdown()
    # A process that used the SDK can abort while it exits unless its threads had a moment.
    await asyncio.sleep(0.1)


@pytest.fixture(scope="session")
async def sqlite_world(
    server: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A worker on SQLite, the embedded default."""
    path: Path = tmp_path_factory.mktemp("store") / "mutator.db"
    store = open_store(f"sqlite:///{path}")
    async with make_world(server, store) as made:
        yield made
    store.close()


@pytest.fixture(scope="session")
async def sqlite_doubled_world(
    server: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A worker that runs every activity twice, at once."""
    path: Path = tmp_path_factory.mktemp("doubled") / "mutator.db"
    store = open_store(f"sqlite:///{path}")
    async with make_world(server, store, interceptors=[Twice()]) as made:
        yield made
    store.close()


@pytest.fixture(scope="session")
async def postgres_world(server: WorkflowEnvironment, postgres: Postgres) -> AsyncIterator[World]:
    """A worker on PostgreSQL."""
    store = open_store(postgres.database())
    async with make_world(server, store) as made:
        yield made
    store.close()


@pytest.fixture(scope="session")
async def postgres_doubled_world(
    server: WorkflowEnvironment, postgres: Postgres
) -> AsyncIterator[World]:
    """A worker on PostgreSQL that runs every activity twice, at once."""
    store = open_store(postgres.database())
    async with make_world(server, store, interceptors=[Twice()]) as made:
        yield made
    store.close()


@pytest.fixture
def way() -> box.Way:
    """How what author code does is asked for; modules that go both ways parametrise it."""
    return "local_first"


@pytest.fixture
def world(sqlite_world: World, way: box.Way) -> Iterator[World]:
    """The worker on SQLite, with everything a test may have turned put back."""
    yield from in_its_way(sqlite_world, way)


def in_its_way(world: World, way: box.Way) -> Iterator[World]:
    """Yield a world whose requests are asked in one way, and put everything back."""
    world.way = way
    yield world
    put_back(world)


def put_back(world: World) -> None:
    world.way = "local_first"
    world.hooks.hooks.clear()
    world.directory[0] = PEOPLE
    vars(box.KNOBS).update(vars(box.Knobs()))
