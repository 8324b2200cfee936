"""The scenes: who asks, who decides, what becomes of it; each checks what it tells."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from time import monotonic

from client import differences
from core.governance.request import Decision, MutationRequest, Status

from ..billing_quotas import IncreaseQuota
from ..feature_flags import ChangeRollout, ChangeVariant, DisableFlag
from ..iam_roles import GrantRole
from .stage import FLAGS, WITHIN, Stage, expect

BEFORE = 6
"""The version of the flags before the worker is killed."""

SOAK = timedelta(seconds=2)
"""How long a step of the rollout of `recommendations` soaks, as its flag says."""


async def play(stage: Stage) -> None:
    """Play the whole story."""
    await a_low_risk_change(stage)
    await a_critical_change(stage)
    await an_unrelated_change(stage)
    await the_same_flag_changes(stage)
    await a_stale_request(stage)
    await a_dependent_change(stage)
    await a_killed_worker(stage)
    await a_rollout_that_soaks(stage)
    await how_it_ended(stage)


async def a_low_risk_change(stage: Stage) -> None:
    """Nobody has to agree."""
    await stage.teller.scene("A low-risk change executes unattended")
    change = ChangeRollout(flag="dark-mode", variant="on", percentage=10)
    request = await stage.ask("ana", "dark-mode-10", change, "a few people try it")
    await stage.executes(request.request_id, version=1)
    await stage.shows_effect(request)


async def a_critical_change(stage: Stage) -> None:
    """Two of three have to agree; neither the requester nor a stranger counts."""
    await stage.teller.scene("A critical change waits for two of the three release managers")
    change = ChangeRollout(flag="new-checkout", variant="on", percentage=25)
    request = await stage.ask("dan", "checkout-25", change, "the new checkout sells more")
    await stage.waits(request)
    await stage.shows_effect(request)
    await stage.is_refused("dan", request, "SelfApproval")
    await stage.is_refused("eve", request, "NotAuthorised")
    await stage.waits(await stage.approve("ben", request))


async def an_unrelated_change(stage: Stage) -> None:
    """What was approved is what would be done now, so the grants survive, with the proof."""
    teller = stage.teller
    await teller.scene("Meanwhile an unrelated flag changes, and the approvals survive")
    change = DisableFlag(flag="search-ranking")
    other = await stage.ask("eve", "search-ranking-off", change, "searches time out")
    await stage.executes(other.request_id, version=2)
    await stage.approve("cleo", await stage.mutator.get("checkout-25"))
    request = await stage.executes("checkout-25", version=3)
    survived = said(request, "ApprovalsSurvived")
    proof = survived.metadata
    drift, kept = proof["drift"], proof["grants_kept"]
    expect(kept == ["ben", "cleo"], f"the grants of ben and cleo should survive, not {kept}")
    expect(proof["effect_before"] == proof["effect_now"], "the effect should be the same")
    expect(drift == ["/flags/search-ranking/state"], f"one path should have drifted, not {drift}")
    await teller.tell(f"ApprovalsSurvived: {survived.reason} The proof:")
    await teller.details(
        [
            f"versions: approved on {proof['from_version']}, resolved on {proof['to_version']}",
            "drifted:  /flags/search-ranking/state",
            f"effect:   {short(proof['effect_before'])} as approved",
            f"          {short(proof['effect_now'])} as executed",
        ]
    )
    flag = await stage.published("new-checkout", version=3)
    rollout = flag["targeting"]["fractional"]
    expect(rollout == [["on", 25], ["off", 75]], f"flagd should read 25 %, not {rollout}")
    file = stage.processes.place.flags / "web.json"
    await teller.tell(f"The side effect: {file.parent.name}/{file.name}, which flagd reads, says:")
    await teller.details([f"new-checkout {json.dumps(rollout)}, version 3"])


async def the_same_flag_changes(stage: Stage) -> None:
    """What was approved is not what would be done now, so it is asked again."""
    teller = stage.teller
    await teller.scene("Then the same flag changes, and approval is asked again")
    change = ChangeRollout(flag="new-checkout", variant="on", percentage=50)
    request = await stage.ask("dan", "checkout-50", change, "it still sells more")
    await stage.waits(await stage.approve("ben", request))
    back = ChangeRollout(flag="new-checkout", variant="on", percentage=5)
    other = await stage.ask("cleo", "checkout-5", back, "too many payments fail")
    await stage.approve("ana", other)
    await stage.approve("ben", other)
    await stage.executes(other.request_id, version=4)
    again = await stage.approve("cleo", request)
    await teller.tell(f"RenewedApprovalRequired: {said(again, 'RenewedApprovalRequired').reason}")
    await stage.waits(again)
    shown = {difference.actor_id: difference.lines for difference in differences(again)}
    expect(set(shown) == {"ben", "cleo"}, f"ben and cleo should be asked again, not {set(shown)}")
    await teller.tell("ben and cleo are shown the difference to what they granted:")
    await teller.details(shown["ben"])
    await stage.approve("ben", again)
    await stage.approve("cleo", again)
    await stage.executes(request.request_id, version=5)


async def a_stale_request(stage: Stage) -> None:
    """Its requester wanted it on that version or not at all."""
    await stage.teller.scene("A request that says reject_stale is rejected when the state moves")
    change = ChangeVariant(flag="card-provider", variant="two")
    request = await stage.ask(
        "ana", "provider-two-now", change, "as measured today", strategy="reject_stale"
    )
    await stage.waits(await stage.approve("ben", request))
    other = await stage.ask(
        "dan", "upload-limit-off", DisableFlag(flag="upload-limit"), "the disk is full"
    )
    await stage.executes(other.request_id, version=6)
    rejected = await stage.approve("cleo", request)
    await stage.has_ended(rejected, Status.REJECTED)
    rejection = rejected.rejection
    expect(rejection is not None and rejection.category == "stale", "it should be stale")


async def a_dependent_change(stage: Stage) -> None:
    """It is not wanted before another one is executed; that one is told of in the next scene."""
    await stage.teller.scene("A change waits for another one")
    change = ChangeVariant(flag="card-provider", variant="two")
    request = await stage.ask("ana", "provider-two", change, "the other provider costs less")
    await stage.waits(request)
    more = IncreaseQuota(amount=50)
    dependent = await stage.ask(
        *("eve", "provider-calls", more, "from then on it is called more often"),
        state_id="billing_quotas/provider-two",
        depends_on=[request.request_id],
    )
    await stage.waits(dependent)


async def a_killed_worker(stage: Stage) -> None:
    """The approval stands and the commit does not; then there is one, and only one."""
    teller, mutator = stage.teller, stage.mutator
    await teller.scene("The worker is killed between approval and commit")
    request = await mutator.get("provider-two")
    await stage.waits(await stage.approve("ben", request))
    with stage.locked_store():
        await teller.tell("This demo locks the database for a moment: nothing can be committed.")
        await teller.says("cleo", "approves provider-two")
        answer = asyncio.create_task(
            mutator.approve(
                request.request_id, actor_id="cleo", binding=request.binding, within=WITHIN
            )
        )
        approved = await stage.until(request.request_id, Status.APPROVED)
        pid, killed_at = stage.kill_worker(), monotonic()
    try:
        version = (await mutator.history(FLAGS))[-1].version
        expect(version == BEFORE, f"nothing should be committed yet, not version {version}")
        await teller.tell(
            f"{approved.status.value}, and worker {pid} is killed by SIGKILL; "
            f"the state is still at version {version}.",
            "bold red",
        )
        async with teller.waiting("the lock is gone, and another worker starts"):
            await stage.start_worker()
        await meanwhile_others_go_on(stage)
        await teller.scene("The request of the killed worker executes, and only once")
        lost = "the killed worker gave no sign of life, so what it began was begun again"
        async with teller.waiting(lost, since=killed_at):
            reply = await answer
    finally:
        answer.cancel()
    expect(reply.status == "Executed", f"cleo should be told Executed, not {reply.status}")
    await teller.says("cleo", "is answered: the approval sent before the crash still counts")
    await stage.executes(request.request_id, version=BEFORE + 1)
    entries = await mutator.history(FLAGS)
    mine = [entry for entry in entries if entry.subject.request_id == request.request_id]
    expect(len(mine) == 1, f"provider-two should be one version, not {len(mine)}")
    flag = await stage.published("card-provider", version=BEFORE + 1)
    expect(flag["defaultVariant"] == "two", "flagd should read card-provider two")
    await teller.tell(f"Exactly one version; the history of {FLAGS}:")
    await teller.details(
        f"{entry.version}  {entry.mutations[0].type:<13}  by {entry.context.actor_id:<4}  "
        f"request {entry.subject.request_id}"
        for entry in entries
    )
    await teller.tell("What waited for it, provider-calls, goes on by itself:")
    dependent = await stage.executes("provider-calls", version=1)
    expect(executed_at(dependent) >= mine[0].at, "provider-calls should come after provider-two")


async def meanwhile_others_go_on(stage: Stage) -> None:
    """One waits for its moment, one expires, one is canceled: none waits for another's trouble."""
    teller = stage.teller
    await teller.scene("Meanwhile one request waits for its moment, one expires, one is canceled")
    moment = datetime.now(UTC) + timedelta(seconds=4)
    scheduled = await stage.ask(
        *("dan", "sale-quota", IncreaseQuota(amount=90), "the sale begins in a moment"),
        state_id="billing_quotas/sale",
        not_before=moment.isoformat(),
    )
    await stage.waits(scheduled)
    role = GrantRole(role="viewer", person="eve")
    expiring = await stage.ask(
        "dan", "eve-views", role, "she joins", state_id="iam_roles/acme", expires_in=6
    )
    await stage.waits(expiring)
    quota = IncreaseQuota(amount=800)
    other = await stage.ask("eve", "acme-quota", quota, "they grow", state_id="billing_quotas/acme")
    await stage.waits(other)
    await stage.mutator.cancel(other.request_id, actor_id="eve", reason="one zero too many")
    await teller.says("eve", "cancels acme-quota: one zero too many")
    await stage.has_ended(await stage.mutator.get(other.request_id), Status.CANCELED)
    left = max((expiring.expires_at - datetime.now(UTC)).total_seconds(), 0.0)
    async with teller.waiting(f"the deadline of eve-views, in {left:.0f} s"):
        expired = await stage.until(expiring.request_id, Status.EXPIRED)
    await stage.has_ended(expired, Status.EXPIRED)
    await teller.tell("And the moment of sale-quota has come:")
    sold = await stage.executes(scheduled.request_id, version=1)
    expect(executed_at(sold) >= moment, "sale-quota should not be executed before its moment")


async def a_rollout_that_soaks(stage: Stage) -> None:
    """There is room for one step in that time; the next one waits for it by itself."""
    teller = stage.teller
    await teller.scene("A rollout soaks, and its next step waits until there is room again")
    first, second = (
        ChangeRollout(flag="recommendations", variant="on", percentage=share) for share in (5, 10)
    )
    await stage.ask("ana", "recommend-5", first, "a first look")
    before = await stage.executes("recommend-5", version=BEFORE + 2)
    await stage.ask("ana", "recommend-10", second, "a second look")
    await stage.waits(await stage.looked_at("recommend-10"))
    async with teller.waiting("what was committed leaves the budget"):
        await stage.mutator.result("recommend-10", within=WITHIN)
    after = await stage.executes("recommend-10", version=BEFORE + 3)
    soaked = executed_at(after) - executed_at(before)
    expect(soaked >= SOAK, f"two steps should lie {SOAK} apart, not {soaked}")


async def how_it_ended(stage: Stage) -> None:
    """Show all requests, their statuses and the versions they became."""
    teller = stage.teller
    requests = [await stage.mutator.get(request_id) for request_id in stage.requests]
    await teller.scene("How it ended")
    teller.table(
        ("REQUEST", "ASKED BY", "MUTATION", "STATE", "STATUS", "VERSION"),
        [
            (
                request.request_id,
                request.context.actor_id,
                request.mutations[0].type,
                request.state_id,
                request.status.value,
                str(request.resulting_version or "-"),
            )
            for request in requests
        ],
    )


def said(request: MutationRequest, code: str) -> Decision:
    """Answer the newest decision of a code."""
    found = [decision for decision in request.decisions if decision.code == code]
    expect(found, f"{request.request_id} should have a decision {code}")
    return found[-1]


def executed_at(request: MutationRequest) -> datetime:
    """Answer when a request was executed."""
    expect(request.executed_at, f"{request.request_id} should have been executed")
    return request.executed_at or request.updated_at


def short(digest: object) -> str:
    """Answer as much of a digest as a person compares."""
    return str(digest)[:31]
