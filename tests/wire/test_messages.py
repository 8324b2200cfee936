"""What callers send is read verb by verb: each has its own fields, and says what it lacks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from core.checks import MAX_EVIDENCE
from core.digests import MAX_LEVELS
from core.errors import InvalidParameters, MalformedMessage
from wire.messages import MAX_COMMENT, read_message, read_start
from wire.names import Signal, Update

WHO = {"decision_id": "d1", "actor_id": "ben"}

WHOLE: dict[str, dict[str, Any]] = {
    Signal.FULFIL: {"verdict": "passed"},
    Update.FULFIL_REQUIREMENT: {"verdict": "failed"},
    Signal.DELEGATE: {"to": "bo", "until": "2026-12-01T09:00:00Z"},
    Signal.SUPERSEDE: {"by": "newer-1"},
    Signal.COMMENT: {"text": "Looks risky."},
    Update.DECIDE: {"verdict": "approve"},
}

START: dict[str, Any] = {
    "state_id": "billing_quotas/acme",
    "mutations": [{"type": "IncreaseQuota", "parameters": {"amount": 1}}],
    "actor_id": "ana",
}


@pytest.mark.parametrize("name", WHOLE)
def test_each_verb_is_read_when_it_has_what_it_needs(name: str) -> None:
    message = read_message(name, [WHO | WHOLE[name]])

    said = message.model_dump(mode="json", exclude_defaults=True)
    assert said == WHO | WHOLE[name]


@pytest.mark.parametrize(
    ("name", "missing"), [(name, field) for name, fields in WHOLE.items() for field in fields]
)
def test_what_a_verb_lacks_is_named(name: str, missing: str) -> None:
    payload = WHO | {k: v for k, v in WHOLE[name].items() if k != missing}

    with pytest.raises(MalformedMessage, match=rf"payload of {name} needs .*{missing}"):
        read_message(name, [payload])


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        (Signal.FULFIL, "approve"),
        (Update.FULFIL_REQUIREMENT, "withdraw"),
        (Update.DECIDE, "passed"),
        (Signal.APPROVE, "failed"),
        (Signal.CANCEL, "passed"),
    ],
)
def test_a_verdict_of_another_verb_is_refused(name: str, verdict: str) -> None:
    with pytest.raises(MalformedMessage, match=f"verdict '{verdict}' is none of"):
        read_message(name, [WHO | {"verdict": verdict}])


IDS = ("actor_id", "on_behalf_of", "supersedes", "correlation_id", "causation_id", "session")


@pytest.mark.parametrize("character", ["\0", "\t", "\n", "\x1b", "\x7f", "\x85"])
@pytest.mark.parametrize(
    ("where", "fields"),
    [
        *((field, {field: "a{}b"}) for field in IDS),
        ("state_id", {"state_id": "box/a{}b"}),
        ("request_id", {"request_id": "r{}1"}),
        ("actor_name", {"actor_name": "A{}B"}),
        ("depends_on.1", {"depends_on": ["r0", "r{}2"]}),
        ("tags.0", {"tags": ["a{}b"]}),
        ("mutations.0.type", {"mutations": [{"type": "A{}B"}]}),
    ],
)
def test_g9_a_control_character_in_an_id_is_refused_before_anything_waits_for_it(
    where: str, fields: dict[str, Any], character: str
) -> None:
    payload = START | json.loads(json.dumps(fields).replace("{}", json.dumps(character)[1:-1]))
    code = f"U\\+{ord(character):04X}"

    with pytest.raises(InvalidParameters, match=rf"{where}: .*control character, such as {code}"):
        read_start([payload], "r1")


@pytest.mark.parametrize("request_id", ["r\0", "r\n1"])
def test_g9_so_is_one_in_the_id_of_the_workflow(request_id: str) -> None:
    with pytest.raises(InvalidParameters, match=r"request id .*control character"):
        read_start([START], request_id)


@pytest.mark.parametrize("field", ["reason", "user_agent"])
def test_g9_a_text_has_any_character_but_nul(field: str) -> None:
    assert getattr(read_start([START | {field: "a\n\tb"}], "r1"), field) == "a\n\tb"
    with pytest.raises(InvalidParameters, match=rf"{field}: .*no NUL"):
        read_start([START | {field: "a\0b"}], "r1")


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        (Signal.APPROVE, "decision_id", "d\0"),
        (Signal.APPROVE, "actor_id", "be\nn"),
        (Signal.APPROVE, "requirement_id", "a\0"),
        (Signal.APPROVE, "binding", "a\0"),
        (Signal.APPROVE, "code", "a\0"),
        (Signal.APPROVE, "reason", "a\0"),
        (Signal.FULFIL, "name", "a\0"),
        (Signal.DELEGATE, "to", "a\0"),
        (Signal.SUPERSEDE, "by", "a\0"),
        (Signal.COMMENT, "text", "a\0b"),
    ],
)
def test_g9_what_a_message_cannot_be_kept_with_is_named(name: str, field: str, value: str) -> None:
    payload = WHO | WHOLE.get(name, {}) | {field: value}

    with pytest.raises(MalformedMessage, match=rf"does not validate: {field}: "):
        read_message(name, [payload])


@pytest.mark.parametrize("name", [Signal.APPROVE, Signal.CANCEL, Update.REFRESH])
def test_what_only_other_verbs_read_is_ignored_however_it_is_written(name: str) -> None:
    strange = {"to": 5, "until": "some day", "by": "", "text": "x" * 5000, "evidence": "none"}

    read = read_message(name, [WHO | strange])

    plain = read_message(name, [WHO])
    assert read == plain
    assert read.content_digest(name) == plain.content_digest(name)


def test_a_message_without_the_newer_fields_has_the_digest_it_always_had() -> None:
    message = read_message(Signal.APPROVE, [WHO | {"reason": "fine"}])

    assert message.content_digest("approve") == (
        "v1:sha256:062c18fbc14d4fe9a1b4b2aed8a7387735f088919b70d1cfe8220282518cc20f"
    )


def test_the_end_of_a_delegation_has_an_offset() -> None:
    with pytest.raises(MalformedMessage, match=r"until.*timezone"):
        read_message(Signal.DELEGATE, [WHO | {"to": "bo", "until": "2026-12-01T09:00:00"}])


def test_a_comment_is_bounded_and_not_blank() -> None:
    longest = read_message(Signal.COMMENT, [WHO | {"text": "x" * MAX_COMMENT}])
    assert longest.text == "x" * MAX_COMMENT

    for text in ("x" * (MAX_COMMENT + 1), "  ", ""):
        with pytest.raises(MalformedMessage, match="text"):
            read_message(Signal.COMMENT, [WHO | {"text": text}])


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return {"a": value}


@pytest.mark.parametrize("field", ["metadata", "evidence"])
def test_g9_a_message_is_nested_no_deeper_than_a_record_can_hold(field: str) -> None:
    said = WHO | {"verdict": "passed", field: nested(MAX_LEVELS - 2)}

    assert getattr(read_message("fulfil", [said]), field) == said[field]
    with pytest.raises(MalformedMessage, match="nested deeper than 100 levels"):
        read_message("fulfil", [said | {field: nested(MAX_LEVELS - 1)}])


def test_g9_a_start_is_nested_no_deeper_than_a_record_can_hold() -> None:
    assert read_start([START | {"metadata": nested(MAX_LEVELS - 2)}], "r").metadata
    with pytest.raises(InvalidParameters, match="nested deeper than 100 levels"):
        read_start([START | {"metadata": nested(MAX_LEVELS - 1)}], "r")


def test_evidence_is_bounded() -> None:
    fits = {"log": "x" * (MAX_EVIDENCE - len('{"log":""}'))}
    read = read_message(Signal.FULFIL, [WHO | {"verdict": "passed", "evidence": fits}])
    assert read.evidence == fits

    with pytest.raises(MalformedMessage, match=f"evidence.*at most {MAX_EVIDENCE}"):
        read_message(
            Signal.FULFIL, [WHO | {"verdict": "passed", "evidence": {"log": fits["log"] + "x"}}]
        )


def test_a_fulfilment_says_what_it_rests_on_beside_metadata_and_code() -> None:
    message = read_message(
        Signal.FULFIL,
        [
            WHO
            | {
                "verdict": "failed",
                "name": "load-test",
                "reason": "Too slow.",
                "evidence": {"p99": 1200},
                "metadata": {"from": "ci"},
                "code": "slow",
            }
        ],
    )

    assert message.fulfilment() == {
        "verdict": "failed",
        "name": "load-test",
        "requirement_id": None,
        "reason": "Too slow.",
        "binding": None,
        "decision_id": "d1",
        "metadata": {"p99": 1200, "from": "ci", "code": "slow"},
    }


def test_a_start_says_when_after_what_and_instead_of_what() -> None:
    start = read_start(
        [
            START
            | {
                "not_before": "2030-01-01T00:00:00+02:00",
                "depends_on": ["first"],
                "supersedes": "older",
                "on_state_moved": "supersede",
            }
        ],
        "r1",
    )

    assert start.not_before == datetime(2029, 12, 31, 22, tzinfo=UTC)
    assert start.wish().depends_on == ("first",)
    assert (start.supersedes, start.on_state_moved) == ("older", "supersede")


def test_the_earliest_moment_of_a_start_has_an_offset() -> None:
    with pytest.raises(InvalidParameters, match=r"not_before.*timezone"):
        read_start([START | {"not_before": "2030-01-01T00:00:00"}], "r1")


def test_what_is_not_honoured_yet_is_refused() -> None:
    with pytest.raises(InvalidParameters, match="cannot honour compensates"):
        read_start([START | {"compensates": {"request_id": "r0", "kind": "restore"}}], "r1")
