"""The reference pages say what the code says."""

from __future__ import annotations

import inspect
import re
from types import ModuleType
from typing import Any

import pytest
import typer

import client
import client.errors
import core.errors
from client.cli import app
from client.cli.call import _OPTIONS, _VARIABLES, DEFAULT_STORE
from client.cli.exits import ExitCode
from core.context import ActorType
from core.governance.lifecycle import TRANSITIONS
from core.governance.outcome import REJECTION_CODES
from core.governance.request import MAX_REFUSED, Category, MutationRequest, Status
from core.requirements import Strategy
from tests.docs.pages import DOCS, ROOT, plain, rows
from tests.docs.test_pages import worker_command
from wire import names
from wire.errors import BY_TYPE
from wire.messages import MAX_ID, MAX_MESSAGE, MAX_START, NOT_YET, Message, Start
from wire.search_attributes import REGISTRY

REFERENCE = DOCS / "reference"
WIRE, ERRORS, STATUSES, SETTINGS, CLI, CLIENT, GLOSSARY = (
    REFERENCE / f"{name}.md"
    for name in ("wire", "errors", "statuses", "settings", "cli", "client", "glossary")
)


def table(page: Any, under: str) -> list[list[str]]:
    return [[plain(cell) for cell in row] for row in rows(page, under=under)[1:]]


@pytest.mark.parametrize(
    ("module", "under"),
    [
        (core.errors, "What the domain says"),
        (client.errors, "What stands between the caller and an answer"),
    ],
    ids=["core", "client"],
)
def test_every_error_is_described_as_its_class_says(module: ModuleType, under: str) -> None:
    declared = [
        [name, value.mro()[1].__name__, plain((inspect.getdoc(value) or "").splitlines()[0])]
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    ]

    assert [row[:3] for row in table(ERRORS, under)] == declared
    assert all(row[3] for row in table(ERRORS, under))


def test_every_error_of_the_domain_is_known_by_its_type_on_the_wire() -> None:
    assert [row[0] for row in table(ERRORS, "What the domain says")] == list(BY_TYPE)


def test_every_status_is_described() -> None:
    described = {name: ended == "yes" for name, _, ended in table(STATUSES, "Statuses")}

    assert described == {status.value: status.is_terminal for status in Status}


def test_the_transitions_are_the_table_that_the_code_uses() -> None:
    first, *body = rows(STATUSES, under="Transitions")
    written = {
        Status(row[0]): {Status(first[i]) for i, cell in enumerate(row) if cell == "yes"}
        for row in body
    }

    assert written == {status: set(to) for status, to in TRANSITIONS.items() if to}


def test_the_rejection_codes_are_those_of_the_code() -> None:
    written: dict[str, tuple[str, ...]] = {}
    for category, code, *_ in table(STATUSES, "Rejections"):
        written[category] = (*written.get(category, ()), code)

    assert written == REJECTION_CODES


def test_a_rejection_code_is_marked_unless_something_gives_it() -> None:
    source = "\n".join(
        path.read_text("utf-8")
        for room in ("core/governance", "activities")
        for path in (ROOT / room).glob("*.py")
    )
    source = re.sub(r"^REJECTION_CODES.*?^}", "", source, flags=re.DOTALL | re.MULTILINE)

    for category, code, _, mark in table(STATUSES, "Rejections"):
        given = f'"{code}"' in source and f'category="{category}"' in source
        assert given == (mark != "not yet"), (category, code)


def test_every_decision_code_that_is_described_is_given() -> None:
    source = "\n".join(p.read_text("utf-8") for p in (ROOT / "core" / "governance").glob("*.py"))

    described = table(STATUSES, "Decisions")
    for category, code, _ in described:
        assert category in {c.value for c in Category}
        assert f'"{code}"' in source, code
    appended = set(re.findall(r'^ +"([A-Z][A-Za-z]+)"( if approval.*)?,$', source, re.MULTILINE))
    assert {code for code, _ in appended} <= {code for _, code, _ in described}
    lifecycle = {code for category, code, _ in described if category == "lifecycle"}
    assert lifecycle == {"Submitted", *(s.value for s in Status if s is not Status.CREATED)}


def test_every_setting_of_the_worker_is_described() -> None:
    declared = {}
    for parameter in worker_command().params:
        if isinstance(parameter, typer.core.TyperOption) and parameter.name != "help":
            default = "none" if parameter.default is None else str(parameter.default)
            declared[parameter.opts[0]] = (
                parameter.envvar,
                "required" if parameter.required else default,
            )

    described = {row[0]: (row[1], row[2]) for row in table(SETTINGS, "The worker")}

    assert described == declared


def test_every_common_option_of_the_command_line_is_described() -> None:
    declared = {flags[0]: _VARIABLES.get(name, "") for name, (_, flags, _) in _OPTIONS.items()}

    described = {
        row[0]: row[1] for row in table(SETTINGS, "The command line and the Python client")
    }

    assert described == declared
    assert DEFAULT_STORE in SETTINGS.read_text("utf-8")


def test_what_is_fixed_is_what_the_code_says() -> None:
    from activities.dispatch import HANDLER_TIMEOUT, MAX_ATTEMPTS
    from activities.execute import ATTEMPTS
    from core.domain import DEFAULT_EXPIRY
    from workflows.options import ASK, BACKOFF, QUEUE, SETTLE

    minutes = ", ".join(f"{pause.total_seconds() / 60:g}" for pause in BACKOFF)
    assert [row[1] for row in table(SETTINGS, "What is fixed")] == [
        f"{ASK.total_seconds():g} s",
        f"{minutes} minutes, the last repeats",
        f"{SETTLE.total_seconds():g} s",
        f"{ATTEMPTS} times",
        f"{QUEUE.total_seconds():g} s",
        str(MAX_ATTEMPTS),
        f"{HANDLER_TIMEOUT:g}",
        str(MAX_REFUSED),
        f"{DEFAULT_EXPIRY.days} days",
    ]


def test_every_command_of_the_command_line_is_described_as_it_describes_itself() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    declared = {name: command.help for name, command in group.commands.items()}

    described = {row[0].split()[0]: row[1] for row in table(CLI, "The command line")}

    assert described == declared


def test_every_method_of_the_client_is_described_as_it_describes_itself() -> None:
    declared = {
        name: [
            plain((inspect.getdoc(method) or "").splitlines()[0]),
            ", ".join(p for p in inspect.signature(method).parameters if p != "self"),
        ]
        for name, method in inspect.getmembers(client.Mutator)
        if not name.startswith("_")
    }

    assert {name: rest for name, *rest in table(CLIENT, "What can be asked")} == declared


def test_every_name_beside_the_client_is_described() -> None:
    declared = {
        name: plain((inspect.getdoc(value) or "").splitlines()[0])
        for name in client.__all__
        if (value := getattr(client, name)) is not client.Mutator
        and name not in vars(client.errors)
    }

    assert dict(table(CLIENT, "Beside it")) == declared


def test_every_exit_code_is_described() -> None:
    assert [int(row[0]) for row in table(CLI, "Exit codes")] == [code.value for code in ExitCode]


def test_every_name_of_the_wire_is_described() -> None:
    text = WIRE.read_text("utf-8")
    for holder in (names.Signal, names.Update, names.Query, names.Activity):
        for key, name in vars(holder).items():
            assert not key.isupper() or f"`{name}`" in text, name
    for name in (names.TASK_QUEUE, names.WORKFLOW_TYPE, names.CONTENT_DIGEST_MEMO):
        assert f"`{name}`" in text
    for name in (names.DISPATCHER_TYPE, names.RECONCILER_TYPE, names.RECONCILER_SCHEDULE):
        assert f"`{name}`" in text
    assert names.dispatcher_id("<state id>") in text


def test_every_search_attribute_is_described() -> None:
    assert {row[0]: row[1] for row in table(WIRE, "Find requests")} == REGISTRY


@pytest.mark.parametrize(
    ("model", "under"), [(Start, "Start a request"), (Message, "Decide")], ids=["Start", "Message"]
)
def test_every_field_that_callers_send_is_described(model: type[Any], under: str) -> None:
    described = {name for row in table(WIRE, under) for name in row[0].split(", ")}

    assert described == set(model.model_fields)


def test_the_start_payload_shows_every_field_that_is_honoured() -> None:
    from tests.docs.pages import blocks

    shown = next(block for block in blocks(WIRE, "json") if "model=Start" in block.marks)
    read = Start.model_validate_json(shown.text)

    assert read.model_fields_set == set(Start.model_fields) - set(NOT_YET)


def test_the_fields_described_of_a_request_are_its_fields() -> None:
    described = {name for row in table(WIRE, "Ask") for name in row[0].split(", ")}

    assert described <= set(MutationRequest.model_fields)


def test_the_bounds_that_are_named_are_those_of_the_code() -> None:
    text = WIRE.read_text("utf-8")

    assert f"{MAX_START:,} bytes" in text
    assert f"{MAX_MESSAGE:,} bytes" in text
    assert f"at most {MAX_ID} characters" in text
    assert f"first {MAX_REFUSED} messages" in text
    assert all(f"`{kind.value}`" in text for kind in ActorType)


def test_every_strategy_is_in_the_glossary_in_its_order() -> None:
    assert [row[0] for row in table(GLOSSARY, "Strategies")] == [s.value for s in Strategy]


def test_no_word_is_explained_twice() -> None:
    words = [w for row in table(GLOSSARY, "Glossary") for w in row[0].split(", ")]

    assert len(words) == len(set(words))
