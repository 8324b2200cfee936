"""Gates as a team would write them: approval, emergency, deployment, and one that clashes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from core import (
    Engine,
    Intent,
    Issue,
    Mode,
    Mutation,
    MutationContext,
    Outcome,
    Requirement,
    RiskLevel,
    Severity,
    SideEffect,
    Verdict,
    all_of,
    allow,
    amend,
    any_of,
    deny,
    first_decisive,
    policy,
    require,
)
from core.errors import PolicyConflict
from core.facts import Facts
from core.governance.outcome import rejection_of
from core.model import Value
from core.policy import Policy, PolicyDecision
from core.requirements import ANY
from core.result import ExecutionResult
from tests.core.builders import AT, Clock, Ids, context


class Service(Value):
    """What runs in production."""

    version: str = "1.0"
    replicas: int = 4
    frozen: bool = False
    owner: str = "shop"
    on_call: str | None = None


class ToService(Mutation[Service]):
    """Any change to a service."""


class Deploy(ToService):
    version: str
    replicas: int = 4
    risk: RiskLevel = RiskLevel.LOW

    @property
    def intent(self) -> Intent:
        return Intent(operation="deploy", risk=self.risk)

    def check(self, state: Service) -> Iterable[Issue]:
        if self.version == state.version:
            yield Issue(code="same", message="It runs already.", severity=Severity.WARNING)

    def apply(self, state: Service) -> Service:
        return state.model_copy(update={"version": self.version, "replicas": self.replicas})


class HandOver(ToService):
    owner: str

    @property
    def intent(self) -> Intent:
        return Intent(operation="hand over")

    def apply(self, state: Service) -> Service:
        return state.model_copy(update={"owner": self.owner})


LEAD = Requirement.approval(roles=["lead"], needed=1, title="Release lead")
PEERS = Requirement.approval(groups=["shop"], needed=2, title="Two peers")
COMMANDER = Requirement.approval(roles=["incident-commander"], needed=1, title="Commander")


# The approval gate: little risk goes through, more of it needs the lead or two peers.


@policy(Deploy)
def small(mutation: Deploy, *_: Any) -> PolicyDecision:
    if mutation.intent.risk.rank <= RiskLevel.LOW.rank:
        return allow("little risk")
    return deny("more than little risk")


@policy(ToService)
def lead_approves(*_: Any) -> PolicyDecision:
    return require(LEAD)


@policy(ToService)
def peers_approve(*_: Any) -> PolicyDecision:
    return require(PEERS)


approval_gate = any_of(small, lead_approves, peers_approve, name="approval")


# The emergency gate: while an incident is open the commander's word is enough, and is announced.


@policy(Deploy, version=2)
def commander_decides(
    mutation: Deploy, state: Service, context_: MutationContext, _: Facts
) -> PolicyDecision:
    if "incident" not in context_.metadata:
        return deny("no incident is open")
    page = SideEffect(contract="page", payload={"incident": context_.metadata["incident"]})
    return amend({"/on_call": context_.actor_id}, side_effects=[page], requirements=[COMMANDER])


emergency_gate = any_of(commander_decides, approval_gate, name="emergency or approved")


# The deployment gate: nothing while frozen, never more replicas than there is room for.


@policy(Deploy)
def freeze(mutation: Deploy, state: Service, *_: Any) -> PolicyDecision:
    return deny("frozen", severity=Severity.CRITICAL) if state.frozen else allow()


@policy(Deploy)
def room(mutation: Deploy, *_: Any) -> PolicyDecision:
    if mutation.replicas <= 8:
        return allow()
    return amend({"/replicas": 8}, override=True, reason="there is room for 8")


deployment_gate = all_of(freeze, room, emergency_gate, name="deployment", applies_to=(Deploy,))


# The gate of conflicting owners: two teams each write themselves down.


@policy(ToService)
def shop_owns(*_: Any) -> PolicyDecision:
    return amend({"/owner": "shop"})


@policy(ToService)
def platform_owns(*_: Any) -> PolicyDecision:
    return amend({"/owner": "platform"})


owner_gate = all_of(shop_owns, platform_owns, name="owners")


def ask_for(
    mutation: Mutation[Service],
    *gates: Policy,
    state: Service | None = None,
    fulfilled: tuple[Requirement, ...] = (),
    mode: Mode = Mode.COMMIT,
    **metadata: Any,
) -> ExecutionResult[Service]:
    return Engine(clock=Clock(), new_id=Ids()).execute(
        mutation,
        state or Service(),
        context=context(mode, metadata=metadata),
        facts=Facts(AT, [r.id for r in fulfilled]),
        policies=gates,
    )


RISKY = Deploy(version="2.0", risk=RiskLevel.HIGH)


def test_little_risk_passes_the_approval_gate_without_anybody() -> None:
    result = ask_for(Deploy(version="1.1"), approval_gate)

    assert result.outcome is Outcome.COMMITTED
    assert result.ruling.decisions[0].winners == ("small",)
    assert result.ruling.decisions[0].blockers == ("lead_approves", "peers_approve")


def test_more_risk_waits_at_the_approval_gate_for_the_lead_or_two_peers() -> None:
    waiting = ask_for(RISKY, approval_gate)

    assert waiting.outcome is Outcome.BLOCKED
    assert [r.kind for r in waiting.unmet] == [ANY]
    assert waiting.unmet[0].demanded_by == ("lead_approves", "peers_approve")
    for way in ((LEAD,), (PEERS,)):
        assert ask_for(RISKY, approval_gate, fulfilled=way).outcome is Outcome.COMMITTED


def test_what_the_rules_of_deploying_do_not_apply_to_still_needs_a_person() -> None:
    result = ask_for(HandOver(owner="platform"), approval_gate)

    assert [part.policy for part in result.ruling.decisions[0].parts] == [
        "lead_approves",
        "peers_approve",
    ]
    assert result.outcome is Outcome.BLOCKED


def test_without_an_incident_the_emergency_gate_is_the_approval_gate() -> None:
    assert ask_for(RISKY, emergency_gate).unmet == ask_for(RISKY, approval_gate).unmet


def test_in_an_incident_the_commander_alone_suffices_and_it_is_announced() -> None:
    waiting = ask_for(RISKY, emergency_gate, incident="INC-7")
    done = ask_for(RISKY, emergency_gate, incident="INC-7", fulfilled=(COMMANDER,))

    (alternative,) = waiting.unmet
    assert {r.id for way in alternative.alternatives for r in way} == {
        COMMANDER.id,
        LEAD.id,
        PEERS.id,
    }
    assert done.state == Service(version="2.0", on_call="ana")
    assert [e.contract for e in done.effect.side_effects] == ["page"]


def test_a_frozen_service_is_deployed_by_nobody_however_urgent() -> None:
    result = ask_for(
        RISKY,
        deployment_gate,
        state=Service(frozen=True),
        fulfilled=(COMMANDER, LEAD, PEERS),
        incident="INC-7",
    )

    assert result.outcome is Outcome.BLOCKED
    assert result.ruling.severity is Severity.CRITICAL
    no = rejection_of(result)
    assert no is not None
    assert (no.code, no.message) == ("denied", "deployment: freeze: frozen")


def test_more_replicas_than_there_is_room_for_are_cut_and_approvers_are_warned() -> None:
    wide = Deploy(version="2.0", replicas=20, risk=RiskLevel.HIGH)

    shown = ask_for(wide, deployment_gate, mode=Mode.SIMULATE)
    done = ask_for(wide, deployment_gate, fulfilled=(LEAD,))

    assert [line.message for line in shown.issues] == [
        "The policy 'room' overrides what the mutation made of /replicas."
    ]
    assert done.state == Service(version="2.0", replicas=8)
    assert done.effect == shown.effect


def test_the_deployment_gate_says_nothing_of_other_changes() -> None:
    assert ask_for(HandOver(owner="platform"), deployment_gate).ruling.decisions == ()


@pytest.mark.parametrize("mode", Mode)
def test_owners_who_conflict_are_refused_by_name_and_nothing_is_committed(mode: Mode) -> None:
    result = ask_for(
        RISKY, deployment_gate, owner_gate, mode=mode, fulfilled=(LEAD,), incident="INC-7"
    )

    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, PolicyConflict)
    assert result.error.details == {"policies": ["platform_owns", "shop_owns"], "path": "/owner"}
    assert (result.state, result.document, result.history) == (None, None, None)


def test_one_owner_of_several_is_no_conflict_where_one_goes_first() -> None:
    for gate in (
        any_of(shop_owns, platform_owns, name="owners"),
        first_decisive(shop_owns, platform_owns, name="owners"),
    ):
        result = ask_for(RISKY, deployment_gate, gate, fulfilled=(LEAD,))

        assert result.state == Service(version="2.0", owner="shop")


def test_an_owner_who_amends_what_a_handover_changes_is_refused() -> None:
    result = ask_for(HandOver(owner="platform"), shop_owns)

    assert isinstance(result.error, PolicyConflict)
    assert result.error.details == {"policies": ["shop_owns"], "path": "/owner"}
    assert ask_for(HandOver(owner="platform"), platform_owns).outcome is Outcome.COMMITTED


def test_the_whole_house_of_gates_tells_who_decided() -> None:
    result = ask_for(RISKY, deployment_gate, platform_owns, mode=Mode.SIMULATE)

    (gate,) = (d for d in result.ruling.decisions if d.policy == "deployment")
    assert result.ruling.verdict is gate.verdict is Verdict.REQUIRE
    assert result.ruling.determined_by == ("deployment",)
    assert gate.winners == gate.blockers == ("emergency or approved",)
    inner = gate.parts[-1]
    assert (inner.winners, inner.blockers) == (
        ("approval",),
        ("commander_decides", "approval"),
    )
