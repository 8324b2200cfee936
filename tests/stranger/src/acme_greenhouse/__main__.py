"""A year in the greenhouse, told by the engine alone, as JSON on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import count

from core import (
    Engine,
    ExecutionContext,
    ExecutionResult,
    Facts,
    Mode,
    Mutation,
    MutationContext,
    Observer,
    Outcome,
)

from . import Clear, Greenhouse, MoveVents, Sow, Warm, domain

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
NIGHT = datetime(2026, 4, 1, 23, tzinfo=UTC)


class Endings(Observer):
    """Counts how runs end."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.seen: dict[str, int] = {}

    def _count(self, result: ExecutionResult[Greenhouse], run: ExecutionContext) -> None:
        self.seen[result.outcome] = self.seen.get(result.outcome, 0) + 1

    after = blocked = invalid = failed = _count


class Story:
    """One greenhouse through the engine, step by step."""

    def __init__(self) -> None:
        """Begin with an empty house."""
        ticks, ids = count(), count(1)
        self.endings = Endings()
        self.engine = Engine(
            clock=lambda: next(ticks) / 1000,
            new_id=lambda: f"run-{next(ids)}",
            options=domain.options,
            observers=[self.endings],
        )
        self.house = Greenhouse()
        self.told: list[str] = []

    def step(
        self,
        *wishes: Mutation[Greenhouse],
        at: datetime = NOON,
        outside: int = 12,
        fulfilled: Sequence[str] = (),
        mode: Mode = Mode.COMMIT,
    ) -> ExecutionResult[Greenhouse]:
        """Run some wishes as one change, keep the state, and tell how it ended."""
        result = self.engine.execute(
            wishes,
            self.house,
            context=MutationContext(actor_id="gardener", mode=mode),
            facts=Facts(at, fulfilled, {"outside": outside}),
            policies=domain.policies,
        )
        if mode is Mode.COMMIT:
            self.house = result.state or self.house
        blocked = result.outcome is Outcome.BLOCKED
        by = ", ".join(result.ruling.determined_by) if blocked else ""
        lines = [change.describe() for change in result.effect.changes.changes]
        self.told.append(" | ".join(filter(None, [result.outcome, by, *lines])))
        return result


def tell() -> dict[str, object]:
    """Tell the story."""
    story = Story()
    story.step(Sow(bed="herbs", on=date(2026, 12, 24)))
    story.step(Sow(bed="herbs", on=date(2026, 4, 1)), Warm(bed="herbs", celsius=21))
    story.step(Warm(bed="weeds", celsius=21))
    story.step(MoveVents(percent=20), outside=-4)
    story.step(MoveVents(percent=80), mode=Mode.SIMULATE)
    story.step(MoveVents(percent=80))
    waiting = story.step(Warm(bed="herbs", celsius=19), at=NIGHT)
    story.step(Warm(bed="herbs", celsius=19), at=NIGHT, fulfilled=[r.id for r in waiting.unmet])
    cleared = story.step(Clear(bed="herbs"))
    (demanded,) = cleared.unmet
    ways = [[r.describe() for r in way] for way in demanded.alternatives]
    grower = next(way for way in demanded.alternatives if way[0].who.people)
    story.step(Clear(bed="herbs"), fulfilled=[r.id for r in grower])
    return {
        "told": story.told,
        "ways": ways,
        "endings": story.endings.seen,
        "left": story.house.model_dump(mode="json"),
        "core": sys.modules["core"].__file__,
    }


if __name__ == "__main__":
    json.dump(tell(), sys.stdout, indent=2)
