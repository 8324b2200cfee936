"""What requests keep of what was said and done, and what a refusal tells, word by word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from core.audit import MutationRecord
from core.digests import digest
from core.effects import EffectPreview
from core.errors import (
    DeadlinePassed,
    DecisionRefused,
    DuplicateDecision,
    InvalidTransition,
    NotAuthorised,
    NothingToWithdraw,
    OutdatedBinding,
    ReasonRequired,
    RequestClosed,
    SelfApproval,
    StepNotOpen,
    UnknownRequirement,
)
from core.governance import lifecycle, resolution
from core.governance.approval import grant, refuse, withdraw
from core.governance.request import (
    Category,
    Cause,
    Closing,
    Held,
    MutationRequest,
    Status,
    WishedMutation,
)
from tests.core.builders import (
    ANA,
    AT,
    BEN,
    CARL,
    DIRECTORY,
    DORA,
    EVE,
    assessment,
    by,
    by_ops,
    by_security,
    created,
    effect,
    granted,
    later,
    waiting,
)

NAMES_NONE = "The decision names no binding"
ON_ANOTHER = "The decision was taken on something else"
OUTDATED = (
    ", and what request 'r1' would do has changed since it was first shown. "
    "Look at it again and decide with its present binding."
)


def last(request: MutationRequest) -> tuple[Any, ...]:
    """Answer what the newest decision says, its number and metadata aside."""
    said = request.decisions[-1]
    return said.category, said.code, said.actor_id, said.at, said.reason, said.decision_id


# Refusals.


def shown_twice() -> MutationRequest:
    """Answer a request whose effect became another one while it waited."""
    request = waiting(by_security(2))
    other = assessment(by_security(2), version=4, does=effect(limit=500))
    return resolution.adopt(request, other, later(hours=1))


def closing(request: MutationRequest) -> MutationRequest:
    return lifecycle.intend(request, Closing(status=Status.CANCELED, actor_id="ana"))


REQUEST = waiting(by_security(2), by_ops())
IN_STEPS = waiting(by_security(step=1), by("eve", step=2))
WITH_REASON = waiting(by_security(reason_required=True))

REFUSED: list[tuple[Callable[[], Any], type[DecisionRefused], str, dict[str, Any]]] = [
    (
        lambda: grant(REQUEST, ANA, AT),
        SelfApproval,
        "ana asked for request 'r1' and never counts towards it.",
        {"request_id": "r1", "actor_id": "ana"},
    ),
    (
        lambda: refuse(REQUEST, EVE, AT),
        NotAuthorised,
        "eve may not decide on request 'r1'; who may: role:security; group:ops.",
        {"request_id": "r1", "actor_id": "eve"},
    ),
    (
        lambda: grant(created(), BEN, AT),
        NotAuthorised,
        "ben may not decide on request 'r1'; who may: nobody; it needs no approval.",
        {"request_id": "r1", "actor_id": "ben"},
    ),
    (
        lambda: grant(IN_STEPS, EVE, AT),
        StepNotOpen,
        "Step 2 of request 'r1' opens when the steps before it are done; decide then.",
        {"request_id": "r1", "step": 2},
    ),
    (
        lambda: grant(WITH_REASON, BEN, AT, reason=" "),
        ReasonRequired,
        "A decision on request 'r1' must give a reason.",
        {"request_id": "r1"},
    ),
    (
        lambda: grant(WITH_REASON, BEN, AT),
        ReasonRequired,
        "A decision on request 'r1' must give a reason.",
        {"request_id": "r1"},
    ),
    (
        lambda: grant(REQUEST, BEN, AT, requirement_id="other"),
        UnknownRequirement,
        "Request 'r1' has no approval requirement 'other'; it has: "
        + ", ".join(r.id for r in REQUEST.requirements)
        + ".",
        {"request_id": "r1", "requirement_id": "other"},
    ),
    (
        lambda: grant(created(), BEN, AT, requirement_id="other"),
        UnknownRequirement,
        "Request 'r1' has no approval requirement 'other'; it has: none.",
        {"request_id": "r1", "requirement_id": "other"},
    ),
    (
        lambda: grant(REQUEST, BEN, REQUEST.expires_at),
        DeadlinePassed,
        f"The deadline of request 'r1' was {later(days=14).isoformat()}.",
        {"request_id": "r1", "deadline": later(days=14).isoformat()},
    ),
    (
        lambda: grant(granted(REQUEST, BEN), BEN, AT),
        DuplicateDecision,
        "ben has granted request 'r1' already.",
        {"request_id": "r1", "actor_id": "ben"},
    ),
    (
        lambda: refuse(refuse(waiting(by_security(refusals=None)), BEN, AT), BEN, AT),
        DuplicateDecision,
        "ben has refused request 'r1' already.",
        {"request_id": "r1", "actor_id": "ben"},
    ),
    (
        lambda: withdraw(REQUEST, BEN, AT),
        NothingToWithdraw,
        "ben has no grant on request 'r1' to take back.",
        {"request_id": "r1", "actor_id": "ben"},
    ),
    (
        lambda: grant(shown_twice(), BEN, later(hours=2)),
        OutdatedBinding,
        NAMES_NONE + OUTDATED,
        {"request_id": "r1", "binding": shown_twice().binding},
    ),
    (
        lambda: refuse(shown_twice(), BEN, later(hours=2), binding="old"),
        OutdatedBinding,
        ON_ANOTHER + OUTDATED,
        {"request_id": "r1", "binding": shown_twice().binding},
    ),
    (
        lambda: grant(closing(REQUEST), BEN, AT),
        RequestClosed,
        "Request 'r1' is Canceled; nothing can be decided any more.",
        {"request_id": "r1", "status": "Canceled"},
    ),
    (
        lambda: withdraw(
            lifecycle.close(REQUEST, Closing(status=Status.REJECTED, actor_id="ben"), AT), BEN, AT
        ),
        RequestClosed,
        "Request 'r1' is Rejected; nothing can be decided any more.",
        {"request_id": "r1", "status": "Rejected"},
    ),
]


@pytest.mark.parametrize(("ask", "error", "sentence", "details"), REFUSED)
def test_a_refusal_says_what_was_wrong_and_about_whom(
    ask: Callable[[], Any], error: type[DecisionRefused], sentence: str, details: dict[str, Any]
) -> None:
    with pytest.raises(DecisionRefused) as refused:
        ask()

    assert type(refused.value) is error
    assert str(refused.value) == sentence
    assert refused.value.details == details


def test_what_was_shown_last_can_be_decided() -> None:
    request = shown_twice()

    assert granted(request, BEN, at=later(hours=2)).answer_of("ben") is not None


# Answers.


@pytest.mark.parametrize(("give", "code"), [(grant, "Granted"), (refuse, "Refused")])
def test_an_answer_is_kept_with_all_that_was_said(give: Any, code: str) -> None:
    asked = by_security(2, refusals=None)
    request = waiting(asked)

    answered = give(
        request, BEN, later(hours=1), reason="seen", decision_id="d1", metadata={"ticket": 7}
    )

    moment = later(hours=1)
    assert last(answered) == (Category.APPROVAL, code, "ben", moment, "seen", "d1")
    assert answered.decisions[-1].metadata == {
        "requirements": [asked.id],
        "binding": request.binding,
        "given": {"ticket": 7},
    }
    standing = answered.answer_of("ben")
    assert standing is not None
    assert (standing.at, standing.reason, standing.effect) == (moment, "seen", request.effect)
    assert standing.decision == answered.decisions[-1].number


def test_an_answer_to_what_shows_no_effect_keeps_an_empty_one() -> None:
    request = waiting(by_security(2)).model_copy(update={"effect": None})

    standing = grant(request, BEN, AT).answer_of("ben")

    assert standing is not None
    assert standing.effect == EffectPreview()


@pytest.mark.parametrize("give", [grant, refuse])
def test_an_answer_without_words_keeps_none(give: Any) -> None:
    answered = give(waiting(by_security(2, refusals=None)), BEN, AT)

    assert answered.decisions[-1].reason == ""
    assert answered.decisions[-1].decision_id is None
    assert "given" not in answered.decisions[-1].metadata


def test_an_answer_is_never_dated_before_what_it_follows() -> None:
    request = grant(waiting(by_security(2)), BEN, later(hours=2))

    answered = grant(request, CARL, later(hours=1))

    standing = answered.answer_of("carl")
    assert standing is not None
    assert standing.at == later(hours=2)


def test_taking_a_grant_back_is_kept_with_all_that_was_said() -> None:
    request = granted(waiting(by_security(2)), BEN)

    taken = withdraw(request, BEN, later(hours=1), reason="wrong", decision_id="d2")

    assert last(taken) == (Category.APPROVAL, "Withdrawn", "ben", later(hours=1), "wrong", "d2")
    assert withdraw(request, BEN, AT).decisions[-1].reason == ""


def test_who_refuses_what_they_granted_takes_it_back_first_and_says_why() -> None:
    request = granted(waiting(by_security(2, refusals=None)), BEN)

    refused = refuse(request, BEN, later(hours=1), reason="wrong")

    back, no = refused.decisions[-2:]
    assert (back.code, back.actor_id, back.reason) == ("Withdrawn", "ben", "wrong")
    assert (no.code, no.reason) == ("Refused", "wrong")


def test_a_deadline_that_was_met_is_nobodys_any_more() -> None:
    soon, free = by_security(duration=timedelta(hours=1)), by_ops(2)
    request = granted(waiting(soon, free), BEN)

    found = request.requirement(soon.id)
    assert found is not None
    assert found.status == "fulfilled"
    assert found.deadline is not None
    late = grant(request, CARL, later(hours=3))
    assert late.answer_of("carl") is not None
    assert grant(late, DORA, later(hours=4)).answer_of("dora") is not None


# What is resolved.


def test_what_has_ended_is_not_resolved_and_the_reason_is_named() -> None:
    ended = lifecycle.close(
        waiting(by_security()), Closing(status=Status.REJECTED, actor_id="b"), AT
    )

    assert "it has ended: Rejected" in resolution.eligibility(ended, DIRECTORY, AT)


def test_a_resolution_that_found_nothing_changes_nothing() -> None:
    request = waiting(by_security())
    nothing = resolution.Resolution(
        round=1, fence=1, at=AT, outcome=resolution.ResolutionOutcome.REVALIDATED
    )

    assert resolution.resolved(request, nothing) is request


# The lifecycle.


def test_a_request_is_made_of_all_that_was_wished() -> None:
    named = WishedMutation(type="Named", schema_version=3, parameters={"a": 1})
    newest = WishedMutation(type="Newest", parameters={"b": 2})

    request = created(
        mutations=(named, newest), metadata={"ticket": 7}, tags=("urgent",), reason="more room"
    )

    assert (request.metadata, request.tags) == ({"ticket": 7}, ("urgent",))
    assert request.mutations == (
        MutationRecord(
            type="Named",
            schema_version=3,
            parameters={"a": 1},
            digest=digest(["Named", 3, {"a": 1}]),
        ),
        # Which version is the newest is known when the domain is asked.
        MutationRecord(
            type="Newest",
            schema_version=0,
            parameters={"b": 2},
            digest=digest(["Newest", 0, {"b": 2}]),
        ),
    )
    assert last(request) == (Category.LIFECYCLE, "Submitted", "ana", AT, "more room", None)


def test_a_request_keeps_when_after_what_and_instead_of_what_it_is_wished() -> None:
    request = created(
        not_before=later(days=1),
        depends_on=("r0",),
        supersedes="older",
        on_state_moved="supersede",
    )

    assert (request.not_before, request.depends_on) == (later(days=1), ("r0",))
    assert (request.supersedes, request.on_state_moved) == ("older", "supersede")


def test_an_ending_clears_what_was_open_and_says_why() -> None:
    request = closing(lifecycle.hold(waiting(by_security()), "no store", AT))
    assert (request.pending, request.held) != ((), None)
    ending = Closing(
        status=Status.CANCELED,
        actor_id="ana",
        reason="no longer needed",
        cause=Cause(category=Category.LIFECYCLE, code="CancelAsked", actor_id="ana", reason="why"),
    )

    ended = lifecycle.close(request, ending, later(hours=1))

    assert (ended.closing, ended.held, ended.pending) == (None, None, ())
    moment = later(hours=1)
    assert last(ended) == (
        Category.LIFECYCLE,
        "Canceled",
        "ana",
        moment,
        "no longer needed",
        None,
    )
    assert ended.decisions[-2].code == "CancelAsked"
    assert ended.decisions[-2].reason == "why"


def test_an_ending_keeps_what_its_sender_called_it() -> None:
    ending = Closing(status=Status.CANCELED, actor_id="ana", decision_id="d9")

    ended = lifecycle.close(waiting(by_security()), ending, AT)

    assert ended.decisions[-1].decision_id == "d9"
    assert ended.counted("ana", "d9") == ended.decisions[-1]


def test_what_is_said_later_leaves_what_was_said_before_at_its_time() -> None:
    asked = [by("ben", "eve", needed=2, step=1, title=t, covers=[f"/{t}"]) for t in "abc"]
    request = waiting(*asked)

    for hour, requirement in enumerate(asked):
        request = grant(
            request,
            BEN,
            later(hours=hour),
            requirement_id=requirement.id,
            binding=request.binding,
        )

    standing = request.answer_of("ben")
    assert standing is not None
    assert [standing.given_at(r.id) for r in asked] == [AT, later(hours=1), later(hours=2)]


def test_who_says_nothing_gives_no_reason() -> None:
    said = lifecycle.append(
        created(), Category.LIFECYCLE, "Noted", actor_id="ana", at=AT
    ).decisions[-1]
    moved = lifecycle.move(created(), Status.PENDING, actor_id="ana", at=AT).decisions[-1]

    assert (said.reason, said.decision_id, said.metadata) == ("", None, {})
    assert moved.reason == ""


def test_what_holds_a_request_is_shown_since_it_first_did() -> None:
    once = lifecycle.hold(created(), "no store", AT)

    assert once.held == Held(reason="no store", since=AT)
    assert lifecycle.hold(once, "no domain", later(hours=1)).held == Held(
        reason="no domain", since=AT
    )


@pytest.mark.parametrize(
    ("status", "try_it"),
    [
        (Status.PENDING, lambda r, ending: lifecycle.close(r, ending, AT)),
        (Status.PENDING, lifecycle.intend),
        (Status.EXECUTED, lifecycle.intend),
    ],
)
def test_a_move_that_is_not_open_is_named_with_its_request(status: Status, try_it: Any) -> None:
    with pytest.raises(InvalidTransition) as refused:
        try_it(created(), Closing(status=status, actor_id="ana"))

    assert refused.value.details == {
        "request_id": "r1",
        "current": "Created",
        "target": status.value,
    }


def test_a_request_without_decisions_is_created() -> None:
    assert lifecycle.status_of([]) is Status.CREATED
