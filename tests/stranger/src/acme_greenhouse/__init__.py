"""The domain `greenhouses`: a worker is given it as `--domain acme_greenhouse:domain`.

Beside it are the `doors`, whose codes are secret.
"""

from __future__ import annotations

from datetime import timedelta

from core import Contracts, Dispatch, Domain, Options, SideEffect, Strategy

from .doors import ChangeDoorCode, Door, doors
from .facts import FACTS
from .mutations import Clear, MoveVents, Sow, VentsMoved, Warm
from .policies import POLICIES
from .state import Bed, Greenhouse

__all__ = [
    "Bed",
    "ChangeDoorCode",
    "Clear",
    "Door",
    "Greenhouse",
    "MoveVents",
    "Sow",
    "Warm",
    "domain",
    "doors",
    "motors",
]

motors: dict[str, str] = {}
"""What the motors were told, by the key of the side effect."""

known = Contracts([VentsMoved])


def tell_the_motors(effect: SideEffect, dispatch: Dispatch) -> None:
    """Hand a movement to the motors; the same key is the same movement."""
    match known.read(effect):
        case VentsMoved(percent=percent):
            motors[dispatch.key] = f"{dispatch.state_id}: {percent} %"
        case unknown:
            raise ValueError(f"The motors do not know what to do with {unknown}.")


def begun(key: str) -> Greenhouse | None:
    """Answer an empty greenhouse, where there is one."""
    return Greenhouse() if key in {"north", "south"} else None


domain = Domain(
    name="greenhouses",
    state=Greenhouse,
    mutations=[Sow, Clear, Warm, MoveVents],
    policies=POLICIES,
    initial=begun,
    handlers={"vents.moved": tell_the_motors},
    strategy=Strategy.KEEP_IF_UNAFFECTED,
    expires_in=timedelta(days=2),
    options=Options(timeout=1.0, check_determinism=True),
    facts=FACTS,
)
