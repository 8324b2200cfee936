"""A spring in two greenhouses, told by the engine alone, as JSON on standard output."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import count

from core import (
    Collector,
    Dispatch,
    Engine,
    ExecutionContext,
    ExecutionResult,
    FactQuestion,
    Facts,
    HmacRedactor,
    Lookup,
    Mode,
    Mutation,
    MutationContext,
    Observer,
    Outcome,
    Recorder,
    execute_batch,
    survey,
    three_way,
)

from . import (
    ChangeDoorCode,
    Clear,
    Door,
    Greenhouse,
    MoveVents,
    Sow,
    Warm,
    domain,
    motors,
)

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
NIGHT = datetime(2026, 4, 1, 23, tzinfo=UTC)
REDACTOR = HmacRedactor(bytes(range(32)))
GARDENER = MutationContext(actor_id="gardener", reason="spring")


class Severe(Observer):
    """Sees what was denied critically."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.seen: list[str] = []

    def blocked(self, result: ExecutionResult[Greenhouse], run: ExecutionContext) -> None:
        """Keep the reasons."""
        self.seen += [d.reason for d in result.ruling.denials if d.severity == "critical"]


async def look_up(question: FactQuestion) -> dict[str, Lookup]:
    """Ask the domain's providers as a worker would."""
    found: dict[str, Lookup] = {}
    for fact in domain.facts:
        if fact.applies([type(wish) for wish in question.mutations]):
            answer = fact.provider(question)
            value = await answer if inspect.isawaitable(answer) else answer
            found[fact.name] = Lookup(at=question.at, value=value)
    return found


class Story:
    """What happens in the greenhouses, step by step."""

    def __init__(self) -> None:
        """Begin with nothing kept."""
        ticks, ids = count(), count(1)
        self.severe, self.cost, self.kept = Severe(), Collector(), Recorder()
        self.engine = Engine(
            clock=lambda: next(ticks) / 1000,
            new_id=lambda: f"run-{next(ids)}",
            options=domain.options,
            observers=[self.severe, self.cost],
            redactor=REDACTOR,
        )
        self.told: list[str] = []

    def house(self, state_id: str) -> Greenhouse:
        """Answer a greenhouse as it is now."""
        recorded = self.kept.state(state_id)
        if recorded is not None:
            return domain.read_state(recorded.document, domain.schema_version)
        begun = domain.initial(state_id.partition("/")[2]) if domain.initial else None
        assert begun is not None, f"there is no greenhouse {state_id}"
        return begun

    def step(
        self,
        *wishes: Mutation[Greenhouse],
        on: str = "greenhouses/south",
        at: datetime = NOON,
        fulfilled: Sequence[str] = (),
        mode: Mode = Mode.COMMIT,
    ) -> ExecutionResult[Greenhouse]:
        """Run some wishes as one change, keep what came of it, and tell how it ended."""
        context, house = GARDENER.in_mode(mode), self.house(on)
        question = FactQuestion(on, house, wishes, context, at)
        result = self.engine.execute(
            wishes,
            house,
            context=context,
            facts=Facts(at, fulfilled, looked_up=asyncio.run(look_up(question))),
            policies=domain.policies,
            subject=self.kept.subject(on),
        )
        self.kept.record(result)
        if result.outcome is Outcome.COMMITTED:
            self.dispatch(result)
        by = ", ".join(result.ruling.determined_by) if result.outcome is Outcome.BLOCKED else ""
        lines = [change.describe() for change in result.effect.changes.changes]
        self.told.append(" | ".join(filter(None, [result.outcome, by, *lines])))
        return result

    def dispatch(self, result: ExecutionResult[Greenhouse]) -> None:
        """Hand the side effects of a commit to the domain's handlers, twice, as may happen."""
        subject = result.audit.subject
        for place, effect in enumerate(result.effect.side_effects * 2):
            handler = (domain.handlers or {})[effect.contract]
            version = self.kept.version(subject.state_id)
            told = Dispatch(
                key=f"{subject.state_id}@{version}",
                request_id="",
                state_id=subject.state_id,
                version=version,
                current_version=version,
                state=result.document,
                at=result.audit.at,
                attempt=place + 1,
            )
            handler(effect, told)


def tell() -> dict[str, object]:
    """Tell the story."""
    story = Story()
    story.step(Sow(bed="herbs", on=date(2026, 12, 24)))
    story.step(Sow(bed="herbs", on=date(2026, 4, 1)), Warm(bed="herbs", celsius=21))
    story.step(Warm(bed="weeds", celsius=21))
    story.step(MoveVents(percent=20), on="greenhouses/north")
    story.step(MoveVents(percent=80), mode=Mode.SIMULATE)
    story.step(MoveVents(percent=80))
    waiting = story.step(Warm(bed="herbs", celsius=19), at=NIGHT)
    story.step(Warm(bed="herbs", celsius=19), at=NIGHT, fulfilled=[r.id for r in waiting.unmet])
    (demanded,) = story.step(Clear(bed="herbs")).unmet
    grower = next(way for way in demanded.alternatives if way[0].who.people)
    story.step(Clear(bed="herbs"), fulfilled=[r.id for r in grower])

    south = story.kept.state("greenhouses/south")
    assert south is not None
    _, vented, *_ = story.kept.history("greenhouses/south")
    undone = three_way(
        south.document, vented.changes.inverse(), declared=survey(Greenhouse), redactor=REDACTOR
    )
    coded = story.engine.execute(
        ChangeDoorCode(code="4711"),
        Door(),
        context=GARDENER,
        facts=Facts(NOON),
        subject=story.kept.subject("doors/north"),
    )
    (recoded,) = coded.effect.changes.changes
    batch = execute_batch(
        story.engine,
        [Warm(bed="herbs", celsius=20), Sow(bed="cress", on=date(2026, 5, 1))],
        story.house("greenhouses/south"),
        context=GARDENER,
        facts=Facts(NOON),
        policies=domain.policies,
        stop_on_first_failure=False,
    )
    return {
        "told": story.told,
        "ways": [[r.describe() for r in way] for way in demanded.alternatives],
        "severe": story.severe.seen,
        "outcomes": story.cost.report().outcomes,
        "motors": motors,
        "left": south.document,
        "undone": undone.document,
        "batch": batch.reason,
        "kept": "4711" in json.dumps(coded.document),
        "shown": "4711" in f"{coded.audit} {coded.history} {coded.effect}",
        "recoded": recoded.describe(),
        "beds": [bed.name for bed in batch.state.beds],
        "read": domain.read_mutation("MoveVents", {"percent": 5}).intent.description,
        "core": sys.modules["core"].__file__,
    }


if __name__ == "__main__":
    json.dump(tell(), sys.stdout, indent=2)
