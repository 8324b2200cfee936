"""A worker on the queue that the command line speaks to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.outside import Outside
from core import Domains
from store import open_store
from tests.client.desk import Desk
from tests.support import box
from tests.support.people import PEOPLE
from worker import make_worker


@pytest.fixture(scope="session")
async def desk(
    server: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    """A worker on the queue of the wire, and a command line in its folder."""
    folder = tmp_path_factory.mktemp("desk")
    store = open_store(f"sqlite:///{folder / 'mutator.db'}")
    outside = Outside(
        store=store,
        domains=Domains([box.domain]),
        directory=lambda: PEOPLE,
        client=server.client,
    )
    async with make_worker(server.client, outside):
        yield Desk(folder, server.client.service_client.config.target_host)
    store.close()
