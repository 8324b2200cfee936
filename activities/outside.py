"""What the activities are handed: the store, the domains, the directory, time and ids."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from temporalio.client import Client

from core.domain import Domains
from core.governance.people import Directory
from core.secrets import Redactor
from store.protocol import Store

from .secret_folder import SecretFolder


def _new_id() -> str:
    return f"exec-{uuid4().hex}"


@dataclass(frozen=True)
class Outside:
    """Everything an activity may have a conversation with.

    Args:
        store: The store of record.
        domains: The authors' domains.
        directory: Answers the directory as it is now.
        client: Talks to Temporal, for wake-ups and the reconciler.
        clock: Monotonic seconds, for durations and deadlines of author code only.
        new_id: Answers a new execution id.
        redactor: Stands for what is secret; needed where a domain has secrets.
        secrets: The secrets that requests name; needed where a mutation takes any.
    """

    store: Store
    domains: Domains
    directory: Callable[[], Directory]
    client: Client
    clock: Callable[[], float] = time.monotonic
    new_id: Callable[[], str] = field(default=_new_id)
    redactor: Redactor | None = None
    secrets: SecretFolder | None = None
