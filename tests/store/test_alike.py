"""Whatever is asked, in whatever order, the fake and the database answer alike."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import MutatorError
from core.governance.request import MutationRequest
from core.requirements import Requirement
from store import MemoryStore
from store.protocol import EXECUTE, Ask, EndingOfPicture, RequestFilter, Store
from tests.core.builders import ChoosePlan, later
from tests.store.nouns import (
    asked,
    cancel_of,
    claim,
    commented,
    commit_of,
    demanding,
    everything,
    initial,
    quota,
    saying,
    tried,
    waiting_for,
)

Question = Callable[[Store], object]

NAMES = ["r0", "r1", "r2", "r3"]
TOKENS = ("user:ben", "role:security", "group:ops")
QUOTAS = (quota("a"), quota("a", 2), quota("b"))


def a_question(chance: random.Random) -> Question:
    """Draw something to ask of a store; the same of both."""
    name = chance.choice(NAMES)
    state_id = f"quota/{chance.randrange(2)}"
    reason = chance.choice(["more room"] * 9 + ["another wish"])
    request: MutationRequest = asked(name, state_id=state_id, reason=reason)
    fence, version = chance.randrange(4), chance.randrange(3)
    ask = Ask(request_id=name, round=0, fence=fence, kind=chance.choice(["assess", EXECUTE]))
    picture = waiting_for(request, *chance.sample(TOKENS, 2))
    if chance.random() < 0.5:
        picture = commented(picture)
    given: dict[str, Any] = {"fence": fence}
    if chance.random() < 0.5:
        given |= {"ask": ask, "answer": chance.choice([None, 1, {"a": [1]}])}
    if chance.random() < 0.3:
        given |= {"audit": [tried(request)], "seed": initial(state_id, plan=name)}
    cancel = cancel_of(request)
    mutation = ChoosePlan(plan=f"plan-{chance.randrange(3)}")
    commit = commit_of(request, version, fence=fence, mutation=mutation)
    wants = [*chance.sample(QUOTAS, chance.randrange(3))]
    waiting = demanding(picture, Requirement.dependency(*chance.sample(NAMES, 2)), *wants)
    resting = demanding(picture, *wants[1:], closed=wants[:1])
    served = demanding(request, *wants[1:], holding=wants[:1])
    at = later(minutes=chance.randrange(90))
    fulfilled = commit_of(served, version, fence=fence, at=at, mutation=mutation)
    given_up = cancel_of(waiting)
    seen = EndingOfPicture(request=cancel.request, made_of=request.decision_number)
    room = claim(name, chance.choice(QUOTAS), at=at, limit=chance.randrange(1, 4))
    comment = saying(chance.choice("ab"), name, by=chance.choice(["ben", "BEN", "carl"]))
    wanted = RequestFilter(
        state_id=chance.choice([None, state_id]),
        statuses=chance.choice([(), ("Pending",), ("Executed", "Canceled")]),
        awaiting=tuple(chance.sample(TOKENS, chance.randrange(3))),
        open_only=chance.random() < 0.3,
    )
    return chance.choice(
        [
            lambda store: store.note(picture, **given),
            lambda store: store.note(picture, **given),
            lambda store: store.end(commit),
            lambda store: store.end(commit),
            lambda store: store.end(cancel),
            lambda store: store.answered(ask),
            lambda store: store.view(name, state_id),
            lambda store: list(store.requests(wanted, limit=2, after=chance_of(name))),
            lambda store: store.drift(state_id, version, version + 2),
            lambda store: [store.delivered(d.key, later()) for d in store.undelivered(state_id)],
            lambda store: store.ended_among(NAMES),
            lambda store: store.keep(ask, given.get("answer")),
            lambda store: store.note(waiting, **given),
            lambda store: store.note(resting, fence=fence),
            lambda store: store.note(served, fence=fence),
            lambda store: store.end(fulfilled),
            lambda store: store.end(given_up),
            lambda store: store.end(seen),
            lambda store: store.reserve(room),
            lambda store: store.reserve(room),
            lambda store: store.reserve(room),
            lambda store: [store.reserved(name, each.id) for each in QUOTAS],
            lambda store: store.add_comment(comment, most=2),
            waits,
        ]
    )


def waits(store: Store) -> object:
    """Ask all that can be read of those who wait."""
    tokens = [f"request:{each}" for each in NAMES]
    return (
        store.standings(NAMES),
        [store.told_by([each]) for each in (*tokens, *TOKENS, "budget:a", "state:quota/0")],
        store.told_by(tokens, limit=2),
        store.untold(),
        [store.queue(budget) for budget in "ab"],
        [store.comments(each) for each in NAMES],
    )


def chance_of(name: str) -> str | None:
    return None if name == "r0" else name


def answer_of(store: Store, question: Question) -> object:
    try:
        return question(store)
    except MutatorError as error:
        return error.code, error.details


@pytest.mark.parametrize("seed", range(25))
def test_the_fake_and_the_database_answer_alike(
    sqlite_store: Store, seed: int, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    fake = MemoryStore()

    for _ in range(60):
        question = a_question(chance)
        assert answer_of(fake, question) == answer_of(sqlite_store, question)

    assert everything(fake) == everything(sqlite_store)
    assert waits(fake) == waits(sqlite_store)
