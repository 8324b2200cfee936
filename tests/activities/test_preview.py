"""A preview makes no request, and shows where over a range of values what is demanded changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import ValidationError
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities import preview as module
from activities.outside import Outside
from activities.preview import Previewing
from core import (
    Domains,
    Facts,
    Mutation,
    MutationContext,
    PolicyDecision,
    Requirement,
    allow,
    deny,
    policy,
    require,
)
from core.governance.request import Wish, WishedMutation
from store import MemoryStore
from tests.activities.desk import opened
from tests.support import box
from tests.support.people import PEOPLE
from wire.asks import Preview, PreviewMutation
from wire.varying import Vary

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@policy()
def by_size(
    mutation: Mutation[box.Box], state: box.Box, context: MutationContext, facts: Facts
) -> PolicyDecision:
    """Demand the more the more is added."""
    amount = getattr(mutation, "amount", 0)
    if amount > 90:
        return deny("too much at once")
    if amount < 50:
        return allow()
    return require(Requirement.approval(roles=["approver"], needed=1 if amount < 80 else 2))


class Ticks:
    """A clock that goes on by as much whenever it is read."""

    def __init__(self, seconds: float) -> None:
        self.now, self.seconds = 0.0, seconds

    def __call__(self) -> float:
        self.now += self.seconds
        return self.now


def shown(*, tick: float = 0.0, **more: Any) -> Preview:
    outside = Outside(
        store=MemoryStore(),
        domains=Domains([box.make(policies=(by_size,))]),
        directory=lambda: PEOPLE,
        client=cast("Client", None),
        clock=Ticks(tick),
    )
    asked: dict[str, Any] = {
        "state_id": "box/a",
        "mutations": (WishedMutation(type="Add", parameters={"key": "x"}),),
        "actor_id": "eve",
        "at": NOON,
    }
    ask = PreviewMutation(**asked | more)
    return ActivityEnvironment().run(Previewing(outside).preview_mutation, ask)


def test_a_range_shows_where_the_requirements_change() -> None:
    preview = shown(vary=Vary(parameter="/amount", first=10, last=100, step=10))

    told = [
        (r.first, r.last, r.count, r.verdict.value, [p.text for p in r.pending])
        for r in preview.varied
    ]
    assert told == [
        (10, 40, 4, "allow", []),
        (50, 70, 3, "require", ["approval by 1 of role:approver"]),
        (80, 90, 2, "require", ["approval by 2 of role:approver"]),
        (100, 100, 1, "deny", []),
    ]
    assert preview.varied[-1].rejection is not None
    assert "too much at once" in preview.varied[-1].rejection.message
    assert preview.untried == 0


def test_the_preview_itself_is_of_the_value_that_is_given_or_the_first() -> None:
    own = WishedMutation(type="Add", parameters={"key": "x", "amount": 60})
    vary = Vary(parameter="/amount", values=(20, 85))

    first, given = shown(vary=vary), shown(vary=vary, mutations=(own,))

    assert first.request.mutations[0].parameters["amount"] == 20
    assert first.request.pending == ()
    assert given.request.mutations[0].parameters["amount"] == 60
    assert len(given.request.pending) == 1
    assert first.varied == given.varied


def test_a_value_that_cannot_be_is_told_among_the_others() -> None:
    preview = shown(vary=Vary(parameter="/amount", values=(1, "many", -5)))

    refused = [r.rejection.code if r.rejection else None for r in preview.varied]
    assert refused == [None, "invalid_parameters", "check_failed"]


def test_values_there_is_no_time_for_are_told_as_untried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VARIED_WITHIN", 30.0)

    preview = shown(tick=1.0, vary=Vary(parameter="/amount", first=1, last=100))

    assert preview.untried > 0
    assert sum(r.count for r in preview.varied) + preview.untried == 100
    assert preview.varied[0].first == 1


def test_without_a_range_nothing_is_varied() -> None:
    preview = shown()

    assert (preview.varied, preview.untried) == ((), 0)


def test_a_deadline_of_its_own_is_the_deadline_shown() -> None:
    assert shown(expires_in=timedelta(hours=2)).request.expires_at == NOON + timedelta(hours=2)
    assert shown().request.expires_at == NOON + timedelta(days=14)


@pytest.mark.parametrize("expires_in", [timedelta(0), timedelta(days=3651), timedelta.max])
def test_a_preview_takes_no_deadline_that_a_request_would_not(expires_in: timedelta) -> None:
    with pytest.raises(ValidationError, match="expires_in"):
        shown(expires_in=expires_in)


def test_what_the_request_demands_of_itself_is_shown() -> None:
    later = shown(not_before=NOON + timedelta(days=1))

    assert [r.kind for r in later.request.pending] == ["schedule"]
    assert later.request.pending[0].again_at == NOON + timedelta(days=1)
    assert "not before 2026-01-02 12:00 UTC" in later.request.pending[0].text


def test_what_can_never_be_met_is_told_as_a_rejection() -> None:
    never = shown(not_before=NOON + timedelta(days=1), expires_in=timedelta(hours=1))
    unknown = shown(depends_on=("never-was",))

    codes = [(p.rejection.category, p.rejection.code) for p in (never, unknown) if p.rejection]
    assert codes == [("unsatisfiable", "no_window"), ("dependency", "unknown")]


def test_a_preview_leaves_nothing_behind() -> None:
    store = MemoryStore()
    outside = Outside(
        store=store,
        domains=Domains([box.domain]),
        directory=lambda: PEOPLE,
        client=cast("Client", None),
    )
    ask = PreviewMutation(
        state_id="box/a",
        mutations=(WishedMutation(type="Add", parameters={"key": "x"}),),
        actor_id="eve",
        at=NOON,
        vary=Vary(parameter="/amount", values=(1, 2)),
    )

    ActivityEnvironment().run(Previewing(outside).preview_mutation, ask)

    assert store.request("preview") is None
    assert store.state("box/a") is None


# The request that is previewed is the one that would be submitted.


@policy()
def no_agents(*asked: Any) -> PolicyDecision:
    """Deny what agents ask for."""
    return deny("agents may not") if asked[2].actor_type == "agent" else allow()


EVERYTHING: dict[str, Any] = {
    "state_id": "box/a",
    "mutations": ({"type": "Add", "parameters": {"key": "x"}},),
    "actor_id": "ana",
    "actor_name": "Ana",
    "actor_type": "service",
    "on_behalf_of": "ben",
    "reason": "they grow",
    "metadata": {"order": "A-17"},
    "tags": ("billing",),
    "correlation_id": "c",
    "causation_id": "b",
    "session": "s",
    "source_address": "10.0.0.1",
    "user_agent": "curl",
    "expected_version": 0,
    "strategy": "reject_stale",
    "expires_in": timedelta(hours=2),
    "not_before": NOON,
    "depends_on": ("other",),
    "supersedes": "older",
    "on_state_moved": "wait",
    "compensates": {"request_id": "r", "kind": "correct"},
}


def test_a_preview_is_of_all_that_a_request_is_asked_with() -> None:
    ask = PreviewMutation.model_validate(EVERYTHING | {"at": NOON})

    assert EVERYTHING.keys() | {"mode"} == Wish.model_fields.keys()
    assert ask.wish() == Wish.model_validate(EVERYTHING)
    assert type(ask.wish()) is Wish
    assert ask.wish().content_digest() == Wish.model_validate(EVERYTHING).content_digest()


@pytest.mark.parametrize(
    "wrong", [{"mode": "simulate"}, {"at": "2026-01-01T12:00:00"}, {"mutations": ()}]
)
def test_what_no_request_could_be_cannot_be_previewed(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PreviewMutation.model_validate(EVERYTHING | {"at": NOON} | wrong)


@pytest.mark.parametrize(
    ("wish", "refused"),
    [
        ({"actor_type": "agent"}, ("policy", "denied")),
        ({"actor_id": "nobody"}, ("policy", "unauthenticated")),
        (
            {"actor_id": "nobody", "mutations": (WishedMutation(type="Nope"),)},
            ("policy", "unauthenticated"),
        ),
        (
            {
                "actor_id": "nobody",
                "mutations": (WishedMutation(type="Add", parameters={"key": "x", "amount": -5}),),
            },
            ("policy", "unauthenticated"),
        ),
        ({"state_id": "nope/a"}, ("validation", "unknown_state")),
        (
            {"expected_version": 0, "strategy": "reject_stale"},
            ("stale", "moved"),
        ),
        ({"depends_on": ("never-was",)}, ("dependency", "unknown")),
        ({"tags": ("billing",), "session": "s"}, None),
    ],
)
def test_a_preview_is_refused_for_what_the_request_would_be(
    tmp_path: Path, wish: dict[str, Any], refused: tuple[str, str] | None
) -> None:
    with opened(tmp_path) as opened_desk:
        opened_desk.executed("before")
        domains = Domains([box.make("box", policies=(no_agents,))])
        outside = replace(opened_desk.outside, domains=domains)
        desk = replace(opened_desk, outside=outside)
        submitted = desk.assess(desk.ask("r", **wish), strategy=wish.get("strategy"))
        content = {
            "state_id": "box/a",
            "mutations": (WishedMutation(type="Add", parameters={"key": "x"}),),
            "actor_id": "ana",
        }
        ask = PreviewMutation.model_validate(content | wish | {"at": NOON})
        preview = ActivityEnvironment().run(Previewing(outside).preview_mutation, ask)

    closing = submitted.closing
    assert preview.rejection == (closing.rejection if closing else None)
    assert refused == (
        (preview.rejection.category, preview.rejection.code) if preview.rejection else None
    )
    assert preview.request.context == submitted.context
    assert preview.request.tags == submitted.tags
