"""Bad input ends with one sentence and an exit code, as a process of its own would see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from client.cli import run
from client.cli.exits import ExitCode, code_of, printable, sentence_of
from client.errors import (
    NoStore,
    NotSettled,
    RequestNotExecuted,
    ServerUnavailable,
    WorkerUnavailable,
)
from core.errors import MutatorError, RequestClosed, StoreUnavailable, UnknownRequest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = "127.0.0.1:1"
COMMANDS = (
    *("preview", "submit", "pending", "show", "watch", "history", "list"),
    *("approve", "reject", "withdraw", "fulfil", "cancel", "refresh"),
    *("delegate", "supersede", "comment"),
)


def mutator(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TEMPORAL_", "MUTATOR_"))}
    return subprocess.run(
        [sys.executable, "-c", "from client.cli import main; main()", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "TEMPORAL_ADDRESS": NOBODY, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        ("show req-1", ExitCode.UNREACHABLE, f"No Temporal server answers at {NOBODY}"),
        ("submit box/1 Add key=a --as ana", ExitCode.UNREACHABLE, "make dev"),
        ("approve req-1 --as ben", ExitCode.UNREACHABLE, "TEMPORAL_ADDRESS"),
        ("pending --as ben", ExitCode.UNREACHABLE, "MUTATOR_STORE_URL"),
        ("history box/1", ExitCode.UNREACHABLE, "MUTATOR_STORE_URL"),
        ("list", ExitCode.UNREACHABLE, "MUTATOR_STORE_URL"),
        ("submit Box Add --as ana", ExitCode.REFUSED, "<domain>/<key>"),
        ("submit box/1 Add key --as ana", ExitCode.REFUSED, "key=value"),
        ("submit --file nothing.json --as ana", ExitCode.REFUSED, "nothing.json"),
        ("submit box/1 Add key=a", ExitCode.USAGE, "--as"),
        ("submit --as ana", ExitCode.USAGE, "STATE_ID"),
        ("submit box/1 Add --expires-in soon --as ana", ExitCode.USAGE, "duration"),
        ("submit box/1 Add --strategy hope --as ana", ExitCode.USAGE, "--strategy"),
        ("approve --as ben", ExitCode.USAGE, "REQUEST_ID"),
        ("submit box/1 Add --not-before 2026-12-01T09:00 --as a", ExitCode.USAGE, "offset"),
        ("submit box/1 Add --on-state-moved run --as ana", ExitCode.USAGE, "--on-state-moved"),
        ("preview box/1 Add --vary amount --as ana", ExitCode.USAGE, "range"),
        ("preview box/1 Add --vary amount=1..101 --as ana", ExitCode.REFUSED, "1 to 100 values"),
        ("fulfil req-1 --as ci", ExitCode.USAGE, "--passed or --failed"),
        ("fulfil r --passed --check a --requirement b --as ci", ExitCode.USAGE, "once"),
        ("fulfil req-1 --passed --evidence p99 --as ci", ExitCode.REFUSED, "key=value"),
        ("fulfil req-1 --failed --as ci", ExitCode.UNREACHABLE, "TEMPORAL_ADDRESS"),
        ("delegate req-1 --until 3d --as ben", ExitCode.USAGE, "--to"),
        ("delegate req-1 --to bo --until soon --as ben", ExitCode.USAGE, "moment"),
        ("delegate req-1 --to bo --until 3d", ExitCode.USAGE, "--as"),
        ("supersede req-1 --as ana", ExitCode.USAGE, "--by"),
        ("supersede req-1 --by req-2 --as ana", ExitCode.UNREACHABLE, "TEMPORAL_ADDRESS"),
        ("comment req-1 hello --as eve", ExitCode.UNREACHABLE, "MUTATOR_STORE_URL"),
        ("decide", ExitCode.USAGE, "decide"),
    ],
)
def test_bad_input_is_one_sentence_on_standard_error(
    tmp_path: Path, arguments: str, code: ExitCode, named: str
) -> None:
    plain = mutator(*arguments.split(), folder=tmp_path)
    in_json = mutator(*arguments.split(), "--json", folder=tmp_path)

    assert (plain.returncode, plain.stdout) == (code, "")
    assert plain.stderr.count("\n") == 1
    assert named in plain.stderr
    assert (in_json.returncode, in_json.stdout) == (code, "")
    error = json.loads(in_json.stderr)["error"]
    assert error.keys() == {"type", "message"}
    assert named in error["message"]
    assert list(tmp_path.iterdir()) == []


def test_settings_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("[")

    ended = mutator("show", "req-1", folder=tmp_path, TEMPORAL_CONFIG_FILE="broken.toml")

    assert ended.returncode == ExitCode.UNREACHABLE
    assert ended.stderr.count("\n") == 1
    assert "TEMPORAL_" in ended.stderr


def test_a_mistake_of_our_own_is_one_sentence_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(typer.main, "get_command", broken)

    assert run(["list", "--json"]) == ExitCode.REFUSED
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["type"] == "UnexpectedFailure"
    assert "ZeroDivisionError: division by zero" in error["message"]


def test_help_names_every_command(tmp_path: Path) -> None:
    ended = mutator("--help", folder=tmp_path)

    assert (ended.returncode, ended.stderr) == (ExitCode.DONE, "")
    for command in COMMANDS:
        assert f"\n  {command} " in ended.stdout


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnknownRequest("req-1"), ExitCode.REFUSED),
        (RequestClosed("It is over."), ExitCode.REFUSED),
        (StoreUnavailable("It does not answer."), ExitCode.UNREACHABLE),
        (ServerUnavailable("somewhere"), ExitCode.UNREACHABLE),
        (WorkerUnavailable("mutations", 5), ExitCode.UNREACHABLE),
        (NoStore("something"), ExitCode.UNREACHABLE),
        (RequestNotExecuted("It expired."), ExitCode.NOT_EXECUTED),
        (NotSettled("req-1", 30), ExitCode.NOT_SETTLED),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: MutatorError, code: ExitCode) -> None:
    assert code_of(error) == code


def test_what_others_wrote_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\r\nc\u202ed") == "a\ufffd[2Jb\ufffd\nc\ufffdd"
    assert sentence_of("X", "one\ntwo", as_json=False) == "mutator: one two"
