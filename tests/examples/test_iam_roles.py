from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core import Mutation, Outcome, RiskLevel
from examples.iam_roles import GrantRole, Organisation, RevokeRole, domain, seed
from tests.examples.desk import MODEST, Desk, codes

desk = Desk(domain)
TWO_PEOPLE = "2 of role:security, role:operator"

roles = st.sampled_from(["administrator", "payments", "developer", "viewer", "nonsense"])
people = st.sampled_from(["ana", "ben", "cleo", "dan", "eve"])
changes = st.one_of(
    st.builds(GrantRole, role=roles, person=people),
    st.builds(RevokeRole, role=roles, person=people),
)


def organisation(*administrators: str, developers: tuple[str, ...] = ()) -> Organisation:
    held = {"administrator": administrators, "developer": developers, "viewer": ()}
    return Organisation.model_validate(
        {
            "roles": {
                role: {
                    "critical": role == "administrator",
                    "members": [{"person": person} for person in names],
                }
                for role, names in held.items()
            }
        }
    )


def test_an_organisation_begins_with_the_administrator_of_its_seed() -> None:
    acme = seed("acme")

    assert acme is not None
    assert acme.people("administrator") == ("ana",)


def test_an_organisation_without_a_seed_cannot_begin() -> None:
    assert seed("unheard-of") is None


def test_a_seed_without_an_administrator_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "seed.json"
    path.write_text('{"acme": {"roles": {"viewer": {}}}}', "utf-8")
    monkeypatch.setenv("MUTATOR_IAM_SEED", str(path))

    with pytest.raises(ValidationError, match="nobody is administrator"):
        seed("acme")


def test_a_role_is_granted_once_one_of_security_approved() -> None:
    state = organisation("ana")

    assert desk.demands(GrantRole(role="viewer", person="eve"), on=state) == ["1 of role:security"]
    after = desk.approve(GrantRole(role="viewer", person="eve"), on=state)
    assert after.outcome is Outcome.COMMITTED
    assert after.effect.changes.paths == ("/roles/viewer/members/eve",)


def test_two_people_decide_on_a_critical_role_given_or_taken() -> None:
    state = organisation("ana", "ben")

    assert desk.demands(GrantRole(role="administrator", person="eve"), on=state) == [TWO_PEOPLE]
    assert desk.demands(RevokeRole(role="administrator", person="ben"), on=state) == [TWO_PEOPLE]


def test_a_role_that_is_not_critical_is_taken_unattended() -> None:
    state = organisation("ana", developers=("dan",))

    result = desk.run(RevokeRole(role="developer", person="dan"), on=state)

    assert result.outcome is Outcome.COMMITTED


def test_the_last_administrator_stays_whoever_approves() -> None:
    result = desk.approve(RevokeRole(role="administrator", person="ana"), on=organisation("ana"))

    assert result.outcome is Outcome.BLOCKED
    assert result.ruling.determined_by == ("the_last_administrator_stays",)


def test_an_administrator_leaves_when_another_one_comes_first() -> None:
    result = desk.approve(
        GrantRole(role="administrator", person="ben"),
        RevokeRole(role="administrator", person="ana"),
        on=organisation("ana"),
    )

    assert result.outcome is Outcome.COMMITTED
    assert result.state is not None
    assert result.state.people("administrator") == ("ben",)


def test_two_administrators_do_not_leave_in_one_request() -> None:
    result = desk.approve(
        RevokeRole(role="administrator", person="ana"),
        RevokeRole(role="administrator", person="ben"),
        on=organisation("ana", "ben"),
    )

    assert result.outcome is Outcome.BLOCKED


def test_nobody_grants_themselves_a_role() -> None:
    result = desk.approve(GrantRole(role="viewer", person="dan"), on=organisation("ana"))

    assert result.outcome is Outcome.BLOCKED
    assert result.ruling.determined_by == ("nobody_grants_themselves_a_role",)


def test_a_role_that_does_not_exist_is_named_with_those_that_do() -> None:
    result = desk.run(GrantRole(role="nonsense", person="eve"), on=organisation("ana"))

    assert result.outcome is Outcome.INVALID
    assert codes(result) == ["unknown_role"]
    assert "administrator, developer, viewer" in result.issues[0].message


def test_a_role_granted_twice_changes_nothing_and_says_so() -> None:
    state = organisation("ana", developers=("eve",))

    result = desk.approve(GrantRole(role="developer", person="eve"), on=state)

    assert result.outcome is Outcome.COMMITTED
    assert codes(result) == ["already_granted"]
    assert result.history is None


def test_a_role_is_not_taken_from_somebody_who_does_not_hold_it() -> None:
    result = desk.run(RevokeRole(role="viewer", person="eve"), on=organisation("ana"))

    assert result.outcome is Outcome.INVALID
    assert codes(result) == ["not_granted"]


def test_the_intent_says_how_dangerous_an_administrator_is() -> None:
    assert GrantRole(role="administrator", person="eve").intent.risk is RiskLevel.CRITICAL
    assert GrantRole(role="viewer", person="eve").intent.risk is RiskLevel.MEDIUM


@MODEST
@given(st.lists(changes, max_size=15))
def test_whatever_is_asked_and_approved_somebody_is_administrator(
    asked: list[Mutation[Organisation]],
) -> None:
    state = organisation("ana", "ben")
    for change in asked:
        result = desk.approve(change, on=state)
        assert result.error is None
        state = result.state or state

        assert state.people("administrator")
