"""A replay of policies over secrets: what the state still holds is known again, by its hash."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, cast

import pytest
from pydantic import BaseModel, JsonValue
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.assess import Assessing, after
from activities.execute import Executing
from activities.outside import Outside
from activities.secret_folder import SecretFolder
from client.policy_replay import Replayed, replay
from core import (
    Domain,
    Domains,
    HmacRedactor,
    Intent,
    Mutation,
    PolicyDecision,
    Secret,
    allow,
    amend,
    deny,
    policy,
)
from core.errors import DefinitionError
from core.governance.lifecycle import submit
from core.governance.request import MutationRequest, Status, Wish, WishedMutation
from store import MemoryStore
from tests.support.people import PEOPLE
from wire.asks import AssessRequest, ExecuteMutation

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
REDACTOR = HmacRedactor(b"k" * 32)
SECOND = "the-second-token"


class Gateway(BaseModel):
    note: str = ""
    token: Annotated[str, Secret()] = "the-first-token"


class Rotate(Mutation[Gateway]):
    token: Annotated[str | None, Secret()] = None
    note: str = ""

    @property
    def intent(self) -> Intent:
        return Intent(operation="rotate")

    def apply(self, state: Gateway) -> Gateway:
        return Gateway(token=self.token or state.token, note=self.note)


@policy()
def never_twice(mutation: Rotate, state: Gateway, *_: Any) -> PolicyDecision:
    return deny(f"{state.token} is there already.") if state.token == mutation.token else allow()


@policy()
def worn_out(mutation: Rotate, state: Gateway, *_: Any) -> PolicyDecision:
    return amend({"/nothing": state.token})


@policy()
def tidies(*_: Any) -> PolicyDecision:
    return amend({"/note": "tidy"}, override=True)


@policy()
def renews(*_: Any) -> PolicyDecision:
    return amend({"/token": "a-token-of-today"}, override=True)


def gateways(*policies: Any) -> Domain[Gateway]:
    return Domain("gateways", Gateway, [Rotate], policies, initial=lambda _: Gateway())


def worker(folder: Path, *policies: Any) -> Outside:
    return Outside(
        store=MemoryStore(),
        domains=Domains([gateways(*policies)]),
        directory=lambda: PEOPLE,
        client=cast("Client", None),
        redactor=REDACTOR,
        secrets=SecretFolder(folder, REDACTOR),
    )


def assessed(
    outside: Outside, request_id: str, parameters: dict[str, JsonValue]
) -> MutationRequest:
    wish = Wish(
        state_id="gateways/main",
        mutations=(WishedMutation(type="Rotate", parameters=parameters),),
        actor_id="ana",
    )
    request = submit(request_id, wish, NOON, expires_in=timedelta(days=14))
    ask = AssessRequest(request=request, at=NOON, fence=1)
    return after(ask, ActivityEnvironment().run(Assessing(outside).assess_request, ask))


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    """A record in which the token was changed three times, in the end to what it was before."""
    folder = tmp_path / "gateways"
    folder.mkdir()
    outside = worker(tmp_path, never_twice)
    steps: list[dict[str, JsonValue]] = [
        {"token": {"secret": "second"}, "note": "r1"},
        {"note": "r2"},
        {"token": {"secret": "third"}, "note": "r3"},
        {"token": {"secret": "second"}, "note": "r4"},
    ]
    for number, parameters in enumerate(steps, 1):
        for name in ("second", "third"):
            (folder / name).write_text(f"the-{name}-token")
        request = assessed(outside, f"r{number}", parameters)
        assert request.status is Status.APPROVED, request.closing
        ask = ExecuteMutation(request=request, at=NOON, fence=2)
        executed = ActivityEnvironment().run(Executing(outside).execute_mutation, ask)
        assert executed.ended is not None
        assert executed.ended.status is Status.EXECUTED
    assert isinstance(outside.store, MemoryStore)
    return outside.store


def replayed(store: MemoryStore, *policies: Any, **more: Any) -> dict[str, list[Replayed]]:
    """Answer the evaluations of each request."""
    found: dict[str, list[Replayed]] = {}
    for each in replay(store, gateways(*policies), **{"redactor": REDACTOR, **more}):
        assert "-token" not in each.model_dump_json()
        found.setdefault(str(each.request_id), []).append(each)
    return found


def test_what_was_about_a_secret_that_the_state_holds_again_says_the_same(
    store: MemoryStore,
) -> None:
    found = replayed(store, never_twice)["r2"]

    assert [(r.mode.value, r.problem, r.changed) for r in found] == [
        ("simulate", None, False),
        ("commit", None, False),
    ]
    assert all(r.then == r.now for r in found)


def test_what_was_about_a_secret_that_nobody_holds_any_more_is_listed_with_the_reason(
    store: MemoryStore,
) -> None:
    found = replayed(store, never_twice)

    for request_id in ("r1", "r3", "r4"):
        for each in found[request_id]:
            assert each.problem is not None
            assert "only its keyed hash was recorded" in each.problem


def test_policies_of_today_see_the_secret_and_nobody_else_does(store: MemoryStore) -> None:
    @policy()
    def all_known(mutation: Rotate, state: Gateway, *_: Any) -> PolicyDecision:
        known = state.token == SECOND
        return deny(f"{state.token} is worn out.") if known else allow()

    found = replayed(store, never_twice, all_known)["r2"]

    assert [r.changed for r in found] == [True, True]
    for each in found:
        assert each.now is not None
        assert each.now.reasons == (f"{REDACTOR(SECOND)} is worn out.",)


def test_why_policies_cannot_amend_quotes_no_secret(store: MemoryStore) -> None:
    found = replayed(store, worn_out)["r2"]

    assert [r.now and r.now.reasons for r in found] == [("InvalidAmendment",)] * 2


@pytest.mark.parametrize(
    ("today", "changed"), [((worn_out, tidies), False), ((tidies, never_twice), True)]
)
def test_what_could_not_be_amended_then_was_a_refusal_though_only_its_kind_was_recorded(
    tmp_path: Path, today: tuple[Any, ...], changed: bool
) -> None:
    outside = worker(tmp_path, worn_out)
    assessed(outside, "r1", {"note": "r1"})

    (found,) = replay(outside.store, gateways(*today), redactor=REDACTOR)

    assert found.then is not None
    assert (found.then.verdict.value, found.then.policies) == ("deny", ("worn_out",))
    assert found.then.reasons == ("InvalidAmendment",)
    assert found.changed is changed


def test_what_is_amended_quotes_no_secret(store: MemoryStore) -> None:
    found = replayed(store, renews)["r2"]

    shown = f'set /token to "{REDACTOR("a-token-of-today")}", overriding'
    assert [r.now and r.now.reasons for r in found] == [(shown,)] * 2


def test_under_another_key_no_secret_is_known(store: MemoryStore) -> None:
    found = replayed(store, never_twice, redactor=HmacRedactor(b"another-key" * 3))

    assert all(r.problem for each in found.values() for r in each)


def test_without_the_key_nothing_is_begun(store: MemoryStore) -> None:
    with pytest.raises(DefinitionError, match="--secret-key-file"):
        list(replay(store, gateways(never_twice)))
