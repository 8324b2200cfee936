"""What author code says in words is recorded, also where it says what no document can hold."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict

from core import Engine, Intent, Issue, Mode, Mutation, Outcome, Requirement, Secret, SideEffect
from core.audit import AuditEntry
from core.errors import DefinitionError
from core.facts import Facts
from core.policy import (
    FunctionPolicy,
    PolicyDecision,
    Verdict,
    allow,
    amend,
    check_names,
    deny,
    policy,
    require,
)
from core.requirements import either
from core.result import ExecutionResult
from core.secrets import HmacRedactor
from core.validation import Severity
from tests.core.builders import AT, Clock, Ids, context

HALF = os.fsdecode(b"caf\xe9")
"""The name of a file on an old disk: no encoding of Unicode holds its last character."""

SAID = r"caf\udce9"
NUL, SAID_NUL = "a\0b", r"a\x00b"


class Shelf(BaseModel):
    model_config = ConfigDict(frozen=True)

    book: str = ""


class Safe(Shelf):
    code: Annotated[str, Secret()]


class Place(Mutation[Shelf]):
    """Place a book; `said` is what is said about it, and where."""

    book: str = "a"
    where: str = ""

    @property
    def intent(self) -> Intent:
        if self.where == "intent":
            return Intent(
                operation=HALF, category=HALF, description=NUL, tags=(HALF,), metadata={HALF: HALF}
            )
        return Intent(operation="place")

    def check(self, state: Shelf) -> Iterable[Issue]:
        if self.where in {"error", "warning"}:
            severity = Severity(self.where)
            yield Issue(code=HALF, message=NUL, path=f"/{HALF}", attempted=HALF, severity=severity)
        if isinstance(state, Safe):
            yield Issue(code="code", message=f"The code is {state.code}.")

    def apply(self, state: Shelf) -> Shelf:
        if self.where == "apply":
            raise FileNotFoundError(HALF)
        return state.model_copy(update={"book": self.book})


def run(
    mutation: Place, *policies: FunctionPolicy, state: Shelf | None = None
) -> ExecutionResult[Shelf]:
    """Run it, and hold what is recorded of it to be the same when it is read again."""
    engine = Engine(clock=Clock(), new_id=Ids(), redactor=HmacRedactor(b"k" * 32))
    result = engine.execute(
        mutation,
        state or Shelf(),
        context=context(Mode.COMMIT),
        facts=Facts(AT),
        policies=policies,
    )
    assert AuditEntry.model_validate_json(result.audit.model_dump_json()) == result.audit
    return result


def saying(answer: Callable[[], Any]) -> FunctionPolicy:
    return policy(name="saying")(lambda *_: answer())


def raises() -> PolicyDecision:
    raise FileNotFoundError(HALF)


def test_g8_a_denial_is_a_denial_in_whatever_words() -> None:
    [denial] = run(Place(), saying(lambda: deny(HALF, file={HALF: NUL}))).ruling.denials

    assert (denial.reason, denial.metadata) == (SAID, {"file": {SAID: SAID_NUL}})


def test_g8_a_policy_that_raises_is_a_denial_whatever_the_error_says() -> None:
    [denial] = run(Place(), saying(raises)).ruling.denials

    assert denial.reason == f"It raised FileNotFoundError: {SAID}"


def test_what_is_allowed_or_demanded_is_so_in_whatever_words() -> None:
    assert run(Place(), saying(lambda: allow(HALF))).outcome is Outcome.COMMITTED

    by_ben = Requirement.approval(people=["ben"], title=HALF)
    [demanded] = run(Place(), saying(lambda: require(by_ben, reason=NUL))).unmet

    assert (demanded.title, demanded.id) == (SAID, by_ben.id)


def test_titles_within_alternatives_are_written_anew_too() -> None:
    ways = [[Requirement.approval(people=[name], title=HALF)] for name in ("ben", "cleo")]
    [demanded] = either(ways)
    [written] = run(Place(), saying(lambda: require(demanded))).unmet

    assert [way[0].title for way in written.alternatives] == [SAID, SAID]
    assert written.id == demanded.id


MATCHED = {
    "a kind": lambda: require(Requirement(kind=HALF)),
    "a parameter": lambda: require(Requirement(kind="other", parameters={"a": HALF})),
    "whom it names": lambda: require(Requirement.approval(people=[HALF])),
    "an amendment": lambda: amend({"/book": HALF}),
    "a side effect": lambda: PolicyDecision(
        verdict=Verdict.ALLOW, side_effects=(SideEffect(contract="c", payload={"a": HALF}),)
    ),
}


@pytest.mark.parametrize("answer", MATCHED.values(), ids=MATCHED)
def test_g8_what_is_matched_or_digested_is_refused_and_never_written_anew(
    answer: Callable[[], PolicyDecision],
) -> None:
    result = run(Place(), saying(answer))

    [denial] = result.ruling.denials
    assert denial.failed
    assert (denial.requirements, denial.amendments, denial.side_effects) == ((), (), ())


def test_a_policy_whose_name_no_document_can_hold_is_refused() -> None:
    with pytest.raises(DefinitionError, match="no document can hold"):
        check_names([policy(name=HALF)(lambda *_: allow())])


@pytest.mark.parametrize(
    ("severity", "outcome"), [("error", Outcome.INVALID), ("warning", Outcome.COMMITTED)]
)
def test_g8_what_a_check_finds_counts_in_whatever_words(severity: str, outcome: Outcome) -> None:
    result = run(Place(where=severity))

    assert result.outcome is outcome
    [issue] = result.issues
    assert issue.model_dump(exclude={"severity"}) == {
        "code": SAID,
        "message": SAID_NUL,
        "path": f"/{SAID}",
        "attempted": SAID,
    }


def test_an_intent_is_kept_in_whatever_words() -> None:
    intent = run(Place(where="intent")).intent

    assert (intent.operation, intent.category, intent.description) == (SAID, SAID, SAID_NUL)
    assert (intent.tags, intent.metadata) == ((SAID,), {SAID: SAID})


def test_g8_what_apply_raises_is_an_ending_whatever_it_says() -> None:
    result = run(Place(where="apply"))

    assert result.outcome is Outcome.FAILED
    assert result.audit.error == f"FileNotFoundError: {SAID}"


def test_a_secret_that_is_quoted_is_hidden_also_where_the_words_are_written_anew() -> None:
    result = run(Place(), state=Safe(code="open\0sesame"))

    assert result.outcome is Outcome.INVALID
    assert "sesame" not in result.audit.model_dump_json()
