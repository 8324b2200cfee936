"""The reasons a request can wait for: how each is demanded, met, refused, and made to last."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from core.checks import failed, not_yet
from wire.messages import Reply

from . import box
from .world import Handle, World

HOUR = timedelta(hours=1)


@dataclass
class Wait:
    """One request that waits for one reason.

    Attributes:
        meet: Does what it waits for.
        refuse: Does what ends it with a "no"; nothing where there is no "no".
        rejection: Category and code of that.
        twice: Meets it again; answers the name of the refusal.
    """

    handle: Handle
    state_id: str
    meet: Callable[[], Awaitable[object]]
    refuse: Callable[[], Awaitable[object]] | None = None
    rejection: tuple[str, str] | None = None
    twice: Callable[[], Awaitable[Reply]] | None = None


async def fulfil(
    world: World, handle: Handle, actor: str, verdict: str = "passed", **more: Any
) -> Reply:
    """Answer a callback or a review by an update, with the present binding."""
    shown = await world.request(handle)
    message = {
        "decision_id": world.fresh("d"),
        "actor_id": actor,
        "verdict": verdict,
        "binding": shown.binding,
        "reason": "looked at it",
        **more,
    }
    return await world.send(handle, "fulfil_requirement", message)


async def approval(world: World, also: list[dict[str, Any]]) -> Wait:
    handle, state_id = await _start(world, [{"people": ["ben"]}, *also])

    def decide(verdict: str) -> Callable[[], Awaitable[Reply]]:
        return lambda: world.decide(handle, "ben", verdict)

    return Wait(
        handle,
        state_id,
        meet=decide("approve"),
        refuse=decide("reject"),
        rejection=("approval", "refused"),
        twice=decide("approve"),
    )


async def review(world: World, also: list[dict[str, Any]]) -> Wait:
    return await _answered(world, {"kind": "review", "people": ["eve"]}, also, "review_failed")


async def callback(world: World, also: list[dict[str, Any]]) -> Wait:
    return await _answered(
        world, {"kind": "check", "name": "ticket", "people": ["eve"]}, also, "failed"
    )


async def check(world: World, also: list[dict[str, Any]]) -> Wait:
    box.KNOBS.check = not_yet("still running", HOUR)
    handle, state_id = await _start(world, [{"kind": "check", "name": "ci"}, *also])

    async def answer(said: Any) -> None:
        box.KNOBS.check = said
        await world.skip(handle, HOUR + timedelta(seconds=1))

    return Wait(
        handle,
        state_id,
        meet=lambda: answer(box.PASSED),
        refuse=lambda: answer(failed("two tests are red")),
        rejection=("check", "failed"),
    )


async def schedule(world: World, also: list[dict[str, Any]]) -> Wait:
    at = datetime.now(UTC) + HOUR
    needs = [{"kind": "schedule", "not_before": at.isoformat()}, *also]
    handle, state_id = await _start(world, needs)
    return Wait(handle, state_id, meet=lambda: world.skip(handle, HOUR + timedelta(seconds=1)))


async def dependency(world: World, also: list[dict[str, Any]]) -> Wait:
    other = await world.start("Add", needs=[{"people": ["ben"]}])
    await world.pending(other)
    handle, state_id = await _start(world, also, depends_on=[other.id])
    return Wait(
        handle,
        state_id,
        meet=lambda: world.decide(other, "ben"),
        refuse=lambda: world.decide(other, "ben", "reject"),
        rejection=("dependency", "ended"),
    )


async def quota(world: World, also: list[dict[str, Any]]) -> Wait:
    one_an_hour = {
        "kind": "quota",
        "key": world.fresh("budget"),
        "budget": {"limit": 1, "per": HOUR},
    }
    one_an_hour["budget"] = {"limit": 1, "per": "PT1H"}
    first = await world.start("Add", needs=[one_an_hour])
    assert (await world.result(first)).status == "Executed"
    handle, state_id = await _start(world, [one_an_hour, *also])
    return Wait(handle, state_id, meet=lambda: world.skip(handle, HOUR + timedelta(seconds=1)))


REASONS: dict[str, Callable[[World, list[dict[str, Any]]], Awaitable[Wait]]] = {
    "approval": approval,
    "review": review,
    "callback": callback,
    "check": check,
    "schedule": schedule,
    "dependency": dependency,
    "quota": quota,
}
"""Every reason by name; each begins a request that waits for it, and for what else is handed in."""


async def _answered(
    world: World, need: dict[str, Any], also: list[dict[str, Any]], code: str
) -> Wait:
    handle, state_id = await _start(world, [need, *also])

    def answer(verdict: str) -> Callable[[], Awaitable[Reply]]:
        return lambda: fulfil(world, handle, "eve", verdict)

    category = "approval" if code == "review_failed" else "check"
    return Wait(
        handle,
        state_id,
        meet=answer("passed"),
        refuse=answer("failed"),
        rejection=(category, code),
        twice=answer("passed"),
    )


async def _start(world: World, needs: list[dict[str, Any]], **payload: Any) -> tuple[Handle, str]:
    state_id = payload.pop("state_id", None) or world.state()
    handle = await world.start("Add", state_id=state_id, needs=needs, **payload)
    await world.pending(handle)
    return handle, state_id
