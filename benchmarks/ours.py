"""OURS: the whole governed job, called as any language would, by the wire contract alone.

One requester, one approver with the role `approver`, one policy that requires one approval; each
request has a state of its own, so that nothing but the machine is shared.
"""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowUpdateStage
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from wire.names import TASK_QUEUE, WORKFLOW_TYPE
from wire.search_attributes import REGISTRY

ROOT = Path(__file__).resolve().parent.parent
DOMAIN = "benchmarks.domain:domain"
REQUESTER = "rob"
APPROVER = "ana"
DIRECTORY = f"""
[people.{REQUESTER}]
name = "Rob"

[people.{APPROVER}]
name = "Ana"
roles = ["approver"]
"""


class Ours:
    """Our worker as a subject, see `benchmarks.subject.Subject`."""

    name = "OURS"
    search_attributes: Mapping[str, str] = REGISTRY

    def missing(self) -> str | None:
        """Say why it cannot run here: no worker, or a domain that does not load."""
        if not (ROOT / "worker.py").exists():
            return "worker.py is not there"
        try:
            importlib.import_module(DOMAIN.partition(":")[0])
        except ImportError as error:
            return f"the domain {DOMAIN} does not load: {error}"
        return None

    def store(self, folder: Path) -> str:
        """Give the address of the store of record."""
        return f"sqlite:///{folder / 'ours.sqlite'}"

    def worker_command(self, folder: Path) -> Sequence[str]:
        """Write the directory and give the arguments that run the worker with its store."""
        directory = folder / "directory.toml"
        directory.write_text(DIRECTORY, encoding="utf-8")
        options = ["--domain", DOMAIN, "--directory", str(directory), "--store", self.store(folder)]
        return ["worker.py", *options]

    async def start(self, client: Client, number: int) -> str:
        """Start request `number` on a state of its own and give its id."""
        return await _start(client, number, f"bench/{number}", "IncreaseQuota")

    async def approve(self, client: Client, request_id: str) -> None:
        """Approve by signal; a request with one binding needs none in the decision."""
        await client.get_workflow_handle(request_id).signal("approve", _decision(request_id))

    async def wait(self, client: Client, request_id: str) -> object:
        """Wait for the end; give `None` when it was executed, else the result."""
        result: Any = await client.get_workflow_handle(request_id).result()
        return None if result.get("status") == "Executed" else result


class OursByUpdate(Ours):
    """The same, approved by the update `decide`, which answers the approver."""

    name = "OURS by update"

    async def approve(self, client: Client, request_id: str) -> None:
        """Approve by update and wait for its answer."""
        decision = {**_decision(request_id), "verdict": "approve"}
        handle = await client.get_workflow_handle(request_id).start_update(
            "decide",
            decision,
            id=decision["decision_id"],
            wait_for_stage=WorkflowUpdateStage.COMPLETED,
        )
        await handle.result()


class OursOnPostgres(Ours):
    """The same, with the store of record in PostgreSQL."""

    name = "OURS on PostgreSQL"

    def __init__(self, url: str) -> None:
        """Take the address of a store that is up to date."""
        self._url = url

    def store(self, folder: Path) -> str:
        """Give the address of the store of record."""
        return self._url


class OursByPolicy(Ours):
    """The same without people: a policy approves; also on a state that many requests share."""

    async def start_on(self, client: Client, number: int, state: str) -> str:
        """Start request `number` on the state `state` and give its id."""
        return await _start(client, number, f"bench/{state}", "GrantQuota")

    async def start(self, client: Client, number: int) -> str:
        """Start request `number` on a state of its own and give its id."""
        return await self.start_on(client, number, str(number))

    async def approve(self, client: Client, request_id: str) -> None:
        """Do nothing: the policy has approved."""


async def _start(client: Client, number: int, state_id: str, mutation: str) -> str:
    request_id = f"ours-{number}"
    handle = await client.start_workflow(
        WORKFLOW_TYPE,
        {
            "request_id": request_id,
            "state_id": state_id,
            "mutations": [{"type": mutation, "parameters": {"amount": 1}}],
            "actor_id": REQUESTER,
            "reason": "a benchmark",
        },
        id=request_id,
        task_queue=TASK_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
    )
    return handle.id


def _decision(request_id: str) -> dict[str, str]:
    return {"decision_id": f"{request_id}-{APPROVER}", "actor_id": APPROVER}
