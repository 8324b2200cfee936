"""A worker keeps secrets: whatever its author tells, they are found in the state alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import create_engine, select
from temporalio.client import Client

from client.cli.exits import ExitCode
from core.digests import digest, jsonable
from core.governance.request import MutationRequest
from core.secrets import HmacRedactor
from store import open_store
from store.schema import metadata
from tests.client.desk import Desk, Ended
from tests.drills.server import FileServer
from tests.support.leaky import FIRST, Gateway
from tests.support.process import worker
from wire.why import WhyBlocked

KEY = "0123456789abcdef0123456789abcdef"
REDACTOR = HmacRedactor(KEY.encode())
SECOND, THIRD, UNUSED = "the-second-token-of-all", "the-third-token-of-all", "nobody-s-token"
SECRETS = (FIRST, SECOND, THIRD)
PEOPLE = """
[people.ana]
name = "Ana"
[people.ben]
name = "Ben"
[people.cleo]
name = "Cleo"
"""
MAIN = "gateways/main"
TELLING = ("endings", "asks", "audit", "history", "outbox")


@dataclass
class Place:
    """A folder in which a worker keeps secrets, and all that was told there.

    Attributes:
        told: What was told, by where.
    """

    folder: Path
    desk: Desk
    client: Client
    told: dict[str, str] = field(default_factory=dict)

    async def run(self, *words: str, **environment: str) -> Ended:
        """Type a command, in words and as JSON."""
        ended = await self.desk.run(*words, **environment)
        self.told[f"{len(self.told)}: {' '.join(words)}"] = ended.out + ended.err
        return ended

    async def ask(self, type_: str, secret: str, request_id: str, *more: str) -> Ended:
        """Ask for a token by the name of its file."""
        named = json.dumps({"secret": secret})
        return await self.run(
            *("--as", "ana", "submit", MAIN, type_, f"token={named}", *more),
            *("--request-id", request_id),
        )

    async def approve(self, request_id: str, *people: str) -> None:
        for person in people:
            approved = await self.run("--as", person, "approve", request_id)
            assert approved.code == ExitCode.DONE, approved

    async def read(
        self, request_id: str, holds: Callable[[MutationRequest], object] = bool
    ) -> MutationRequest:
        """Read a request in every way there is, once something holds of it."""
        handle = self.client.get_workflow_handle(request_id)
        request: MutationRequest | None = None
        async with asyncio.timeout(20):
            while request is None or not holds(request):
                request = await handle.query("request", result_type=MutationRequest)
        why: WhyBlocked = await handle.query("why_blocked", result_type=WhyBlocked)
        self.told[f"queries of {request_id}"] = request.model_dump_json() + why.model_dump_json()
        await self.run("show", request_id)
        await self.run("show", request_id, "--json")
        return request

    async def until_dispatched(self, count: int) -> None:
        """Wait until so many side effects have been dispatched."""
        store = open_store(f"sqlite:///{self.folder / 'mutator.db'}")
        async with asyncio.timeout(30):
            while store.undelivered(MAIN) or len(store.history(MAIN)) < count:
                await asyncio.sleep(0.1)
        store.close()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """A server and a worker that was given a key and secrets."""
    (tmp_path / "directory.toml").write_text(PEOPLE)
    (tmp_path / "key").write_text(f"{KEY}\n")
    secrets = tmp_path / "secrets" / "gateways"
    secrets.mkdir(parents=True)
    for name, value in {"second": SECOND, "third": THIRD, "unused": UNUSED}.items():
        (secrets / name).write_text(f"{value}\n")
    async with FileServer(tmp_path / "temporal.db") as server:
        place = Place(tmp_path, Desk(tmp_path, server.address), await server.connect())
        async with worker(
            *("--domain", "tests.support.leaky:domain"),
            *("--store", f"sqlite:///{tmp_path / 'mutator.db'}"),
            *("--directory", str(tmp_path / "directory.toml")),
            *("--secret-key-file", str(tmp_path / "key"), "--secrets-dir", str(secrets.parent)),
            address=server.address,
        ) as process:
            yield place
    place.told["the worker's log"] = process.said.decode()
    place.told["Temporal's database"] = temporal(tmp_path)
    place.told |= tables(tmp_path / "mutator.db")
    nothing_is_told(place)


def temporal(folder: Path) -> str:
    """Answer all that Temporal keeps: histories, queries of its own, activities asked alone."""
    return "".join(
        file.read_bytes().decode("latin-1") for file in sorted(folder.glob("temporal.db*"))
    )


def tables(database: Path) -> dict[str, str]:
    """Answer what stands in each table of the store, but for the documents of states."""
    engine = create_engine(f"sqlite:///{database}")
    found: dict[str, str] = {}
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            columns = [c for c in table.c if (table.name, c.name) != ("states", "document")]
            rows = connection.execute(select(*columns)).all()
            found[f"table {table.name}"] = "\n".join(str(cell) for row in rows for cell in row)
    engine.dispose()
    return found


def nothing_is_told(place: Place) -> None:
    """Look for the secrets, and for digests that a guess could be tried on, everywhere."""
    guessed = [digest(jsonable(Gateway(token=each))).rpartition(":")[2] for each in SECRETS]
    guessed += [digest(each).rpartition(":")[2] for each in SECRETS]
    for where, text in place.told.items():
        for secret in (*SECRETS, UNUSED, KEY, *guessed):
            assert secret not in text, f"{secret} is told in: {where}"
    # Where it was looked, there is something to be found.
    for where in ("Temporal's database", *(f"table {name}" for name in TELLING)):
        assert REDACTOR(SECOND) in place.told[where] or REDACTOR(THIRD) in place.told[where], where


async def test_no_secret_is_told_from_its_request_to_its_commit(place: Place) -> None:
    named = json.dumps({"secret": "second"})
    for more in ((), ("--json",)):
        preview = ("--as", "ana", "preview", MAIN, "SetToken", f"token={named}")
        assert (await place.run(*preview, *more)).code == ExitCode.DONE

    await place.ask("SetToken", "second", "slow")
    await place.approve("slow", "ben")
    waiting = await place.read("slow", lambda r: r.answers)
    await place.run("--as", "cleo", "pending")
    assert (await place.ask("ForceToken", "third", "fast", "--wait")).code == ExitCode.DONE
    await place.approve("slow", "cleo")
    renewed = await place.read("slow", lambda r: r.round > 1)
    await place.approve("slow", "ben", "cleo")
    done = await place.run("watch", "slow", "--json")
    await place.read("slow")
    await place.until_dispatched(2)
    await place.run("history", MAIN)
    await place.run("history", MAIN, "--json")
    replayed = await place.run(
        *("policy", "replay", "--domain", "tests.support.leaky:domain", "--json"),
        MUTATOR_SECRET_KEY_FILE=str(place.folder / "key"),
    )

    assert (waiting.status, renewed.status) == ("Pending", "Pending")
    assert waiting.effect is not None
    assert waiting.effect != renewed.effect, "the token that goes is another"
    assert any("difference" in d.metadata for d in renewed.decisions), renewed.decisions
    assert json.loads(done.out.splitlines()[-1])["status"] == "Executed"
    store = open_store(f"sqlite:///{place.folder / 'mutator.db'}")
    state = store.state(MAIN)
    assert state is not None
    assert state.version == 2
    assert cast("dict[str, Any]", state.document)["token"] == SECOND, "kept where it belongs"
    store.close()
    assert replayed.value["evaluations"] > 3


async def test_no_secret_is_told_of_requests_that_come_to_nothing(place: Place) -> None:
    named = json.dumps({"secret": "second"})
    broken = await place.ask("Break", "second", "broken", "--wait")
    refused = await place.ask("Refuse", "third", "refused", "--wait")
    unknown = await place.ask("SetToken", "fourth", "unknown", "--wait")
    odd = await place.run(
        *("--as", "ana", "submit", MAIN, "SetToken", f"token={named}", "colour=1", "--wait")
    )
    await place.ask("SetToken", "second", "stuck")
    (place.folder / "secrets" / "gateways" / "second").write_text("replaced")
    await place.approve("stuck", "ben", "cleo")
    stuck = await place.read("stuck", lambda r: r.held)
    (place.folder / "secrets" / "gateways" / "second").write_text(SECOND)
    for request_id in ("broken", "refused", "unknown"):
        await place.read(request_id)
    assert (await place.ask("ForceToken", "third", "forced", "--wait")).code == ExitCode.DONE

    assert broken.code == ExitCode.NOT_EXECUTED
    assert {refused.code, unknown.code, odd.code} == {ExitCode.REFUSED}
    assert "KeyError" in broken.err
    assert f"{REDACTOR(THIRD)} is no token" in refused.err
    assert "gateways/fourth" in unknown.err
    assert stuck.status == "Approved"
    assert stuck.held is not None
    assert "No file of gateways" in stuck.held.reason
