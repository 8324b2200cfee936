"""A newer request takes an older one's place, unless the store says otherwise."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.dependencies import Depending
from activities.supersede import Superseding
from core import Requirement
from core.governance import approval
from core.governance.lifecycle import append
from core.governance.request import Category, Link, MutationRequest, Status
from tests.activities.desk import Desk, later, look_at, opened, run, run_both
from tests.support.people import PEOPLE
from wire.asks import SupersededRequest, SupersedeRequest

APPROVED = Requirement.approval(roles=["approver"], needed=1)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path) as made:
        made.demanded.append(APPROVED)
        yield made


def ask(actor: str = "ana", *, older: str = "old", by: str = "new") -> SupersedeRequest:
    return SupersedeRequest(request_id=older, by=by, actor_id=actor, at=later(hours=1))


def supersede(
    desk: Desk, wanted: SupersedeRequest | None = None, *, asker: str = "new"
) -> SupersededRequest:
    activity = Superseding(desk.outside).supersede_request
    answer = run(activity, wanted or ask(), workflow_id=asker)
    assert isinstance(answer, SupersededRequest)
    return answer


def refused(answer: SupersededRequest, type_: str = "NotSuperseding") -> str:
    assert answer.ended is None
    assert answer.refusal is not None
    assert answer.refusal.type == type_
    return answer.refusal.message


@pytest.fixture
def older(desk: Desk) -> MutationRequest:
    return desk.open("old")


@pytest.fixture
def newer(desk: Desk, older: MutationRequest) -> MutationRequest:
    return desk.open("new", supersedes="old", at=later(minutes=1))


def test_the_older_one_ends_and_its_workflow_is_woken(desk: Desk, newer: MutationRequest) -> None:
    answer = supersede(desk)

    assert answer.refusal is None
    assert answer.ended is not None
    assert answer.ended.status is Status.SUPERSEDED
    assert answer.ended.closed_at == later(hours=1)
    assert answer.ended.links == (Link(request_id="new", relation="superseded_by"),)
    assert desk.store.request("old") == answer.ended
    assert desk.post.told == ["old"]
    assert desk.store.request("new") == newer


def test_asked_by_the_older_one_itself_nobody_is_woken(desk: Desk, newer: MutationRequest) -> None:
    answer = supersede(desk, asker="old")

    assert answer.ended is not None
    assert desk.post.told == []


def test_it_says_whether_others_wait_for_the_older_one(desk: Desk, newer: MutationRequest) -> None:
    desk.open("dependent", depends_on=("old",), at=later(minutes=2))

    assert supersede(desk).waiters
    assert supersede(desk).waiters, "said again, as the first may have been lost"


@pytest.mark.parametrize("actor", ["ana", "dan"])
def test_its_requester_and_an_operator_may(desk: Desk, newer: MutationRequest, actor: str) -> None:
    answer = supersede(desk, ask(actor))

    assert answer.ended is not None
    assert answer.ended.decisions[-1].actor_id == actor


def test_others_may_not(desk: Desk, newer: MutationRequest) -> None:
    said = refused(supersede(desk, ask("ben")))

    assert "ben may not let go of it" in said
    stored = desk.store.request("old")
    assert stored is not None
    assert stored.status is Status.PENDING
    assert desk.post.told == []


def test_whom_the_directory_does_not_know_may_not(desk: Desk, newer: MutationRequest) -> None:
    refused(supersede(desk, ask("zoe")), "UnknownActor")


# The domain's rule.


def late(*_: str) -> bool:
    time.sleep(5)
    return True


def broken(*_: str) -> bool:
    raise SystemError("nobody knows")


@pytest.mark.parametrize(
    ("rule", "may"),
    [
        (lambda actor, requester: (actor, requester) == ("ben", "ana"), True),
        (lambda actor, requester: actor == requester, False),
        (lambda *_: "perhaps", False),
        (broken, False),
        (lambda *_: sys.exit(), False),
        (late, False),
    ],
)
def test_the_domain_may_let_others_and_one_that_cannot_say_does_not(
    tmp_path: Path, rule: Callable[[str, str], Any], may: bool
) -> None:
    from core import Options

    with opened(tmp_path, may_supersede=rule, options=Options(timeout=0.1)) as desk:
        desk.demanded.append(APPROVED)
        desk.open("old")
        desk.open("new", supersedes="old", at=later(minutes=1))

        answer = supersede(desk, ask("ben"))

    assert (answer.ended is not None) is may
    assert (answer.refusal is None) is may


# What is refused.


def test_a_request_that_is_not_there_has_no_place(desk: Desk, newer: MutationRequest) -> None:
    assert "the record has no such request" in refused(supersede(desk, ask(older="nobody")))


@pytest.mark.parametrize("by", ["nobody", ""])
def test_nor_does_one_that_is_not_there_take_any(
    desk: Desk, newer: MutationRequest, by: str
) -> None:
    assert "it is not in the record" in refused(supersede(desk, ask(by=by)))


def test_one_that_was_denied_takes_nobodys_place(desk: Desk, newer: MutationRequest) -> None:
    desk.cancel(newer)

    assert "it is Canceled" in refused(supersede(desk))


def test_one_that_has_executed_does(desk: Desk, older: MutationRequest) -> None:
    desk.executed("new", supersedes="old", at=later(minutes=1))

    assert supersede(desk).ended is not None


def test_no_circle_is_followed_however_long(desk: Desk) -> None:
    desk.open("old", supersedes="third")
    desk.open("third", supersedes="second")
    desk.open("second", supersedes="new")
    desk.open("new", supersedes="old")

    said = refused(supersede(desk))

    assert "in a circle: new, old, third, second, new." in said


def test_what_has_ended_is_in_nobodys_way(desk: Desk) -> None:
    desk.open("old", supersedes="third")
    desk.cancel(desk.open("third", supersedes="new"))
    desk.open("new", supersedes="old")

    assert supersede(desk).ended is not None


def test_a_line_ends_where_the_record_does(desk: Desk) -> None:
    desk.open("old", supersedes="never-asked")
    desk.open("new", supersedes="old")

    assert supersede(desk).ended is not None


# Whoever writes it first.


def test_what_ended_otherwise_is_answered_as_it_did(
    desk: Desk, older: MutationRequest, newer: MutationRequest
) -> None:
    record = desk.cancel(older)

    answer = supersede(desk)

    assert answer == SupersededRequest(ended=record)
    assert desk.post.told == ["old"], "who canceled it may have been lost before it said so"


def test_g4_a_commit_that_was_first_stands(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, newer: MutationRequest, older: MutationRequest
) -> None:
    end = desk.store.end
    first: list[MutationRequest] = []

    def end_late(ending: Any) -> Any:
        if not first:
            monkeypatch.undo()
            first.append(desk.cancel(older))
        return end(ending)

    monkeypatch.setattr(desk.store, "end", end_late)

    assert supersede(desk).ended == first[0]


def granted_by(desk: Desk, actor: str, number: int) -> None:
    """Let somebody approve what the store knows of the older one, which goes on waiting."""
    picture = desk.store.request("old")
    assert picture is not None
    grant = approval.grant(
        picture,
        PEOPLE.person(actor),
        later(minutes=5 + number),
        decision_id=f"d{number}",
        binding=picture.binding,
    )
    desk.note(grant, fence=2 + number)


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Desk]:
    """A desk where the older one waits for more grants than are given."""
    with opened(tmp_path) as made:
        made.demanded.append(Requirement.approval(roles=["approver"], needed=2))
        made.open("old")
        made.open("new", supersedes="old", at=later(minutes=1))
        yield made


def test_g14_no_decision_is_left_out_that_was_noted_meanwhile(
    crowded: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = crowded.store.end

    def end_late(ending: Any) -> Any:
        monkeypatch.undo()
        granted_by(crowded, "ben", 1)
        return end(ending)

    monkeypatch.setattr(crowded.store, "end", end_late)
    record = supersede(crowded).ended

    assert record is not None
    assert [d.code for d in record.decisions][-2:] == ["Granted", "Superseded"]
    assert [d.number for d in record.decisions] == [*range(1, len(record.decisions) + 1)]
    assert crowded.store.request("old") == record


def test_where_the_older_one_goes_on_all_the_time_the_ask_is_repeated(
    crowded: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    end, number = crowded.store.end, itertools.count(1)

    def end_late(ending: Any) -> Any:
        picture = crowded.store.request("old")
        assert picture is not None
        crowded.note(remind(picture, next(number)), fence=2)
        return end(ending)

    monkeypatch.setattr(crowded.store, "end", end_late)
    with pytest.raises(ApplicationError, match="decides all the time"):
        supersede(crowded)

    stored = crowded.store.request("old")
    assert stored is not None
    assert stored.status is Status.PENDING
    assert len([d for d in stored.decisions if d.code == "Reminded"]) == next(number) - 1


def remind(request: MutationRequest, number: int) -> MutationRequest:
    return append(
        request, Category.APPROVAL, "Reminded", actor_id="system:mutator", at=later(minutes=number)
    )


def test_asked_twice_at_once_it_is_one_ending(desk: Desk, newer: MutationRequest) -> None:
    one, other = run_both(Superseding(desk.outside).supersede_request, ask())

    assert one.ended == other.ended
    assert one.ended.status is Status.SUPERSEDED
    assert desk.store.request("old") == one.ended


def test_asked_again_after_its_replacement_it_is_the_same(
    desk: Desk, newer: MutationRequest
) -> None:
    first = supersede(desk)
    desk.cancel(newer)

    assert supersede(desk).ended == first.ended


def test_where_the_older_ones_workflow_is_gone_it_has_ended_all_the_same(
    desk: Desk, newer: MutationRequest
) -> None:
    desk.post.gone.add("old")

    assert supersede(desk).ended is not None


def test_where_it_cannot_be_told_the_ask_is_repeated(desk: Desk, newer: MutationRequest) -> None:
    desk.post.unreachable.add("old")
    with pytest.raises(RPCError):
        supersede(desk)
    desk.post.unreachable.clear()

    assert supersede(desk).ended is not None
    assert desk.post.told == ["old"]


def test_who_depends_on_the_older_one_fails(desk: Desk, newer: MutationRequest) -> None:
    dependent = desk.open("dependent", depends_on=("old",), at=later(minutes=2))
    supersede(desk)
    index = [r.requirement.kind for r in dependent.requirements].index("dependency")

    answer = run(Depending(desk.outside).read_dependencies, look_at(dependent, index))

    assert answer.finding.reason == "old ended Superseded."
