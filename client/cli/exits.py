"""How a command ends: its exit code, and one sentence where it is not 0.

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | refused by name: unknown, invalid, unreadable, not authorised, outdated, closed ... |
| 2 | the command line itself is wrong |
| 3 | the server, a worker or the store cannot be reached, or refuses the connection |
| 4 | the request ended otherwise than Executed |
| 5 | no answer in time; it may still come |
| 6 | today's policies would decide otherwise |
| 130 | interrupted |
"""

from __future__ import annotations

import json
from enum import IntEnum

import typer

from core.errors import MutatorError, StoreError

from ..errors import (
    InvalidSettings,
    NoStore,
    NotSettled,
    RequestNotExecuted,
    ServerRefused,
    Unavailable,
)


class ExitCode(IntEnum):
    """The documented exit codes."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_EXECUTED = 4
    NOT_SETTLED = 5
    OTHERWISE = 6
    INTERRUPTED = 130


class Usage(typer.TyperException):
    """The command line itself is wrong; one sentence says how."""

    exit_code = ExitCode.USAGE


def code_of(error: MutatorError) -> ExitCode:
    """Answer the exit code of an error."""
    if isinstance(error, NotSettled):
        return ExitCode.NOT_SETTLED
    if isinstance(error, RequestNotExecuted):
        return ExitCode.NOT_EXECUTED
    if isinstance(error, Unavailable | ServerRefused | InvalidSettings | NoStore | StoreError):
        return ExitCode.UNREACHABLE
    return ExitCode.REFUSED


def sentence_of(type_: str, message: str, *, as_json: bool) -> str:
    """Answer the line that standard error gets, whatever the error."""
    if as_json:
        return json.dumps({"error": {"type": type_, "message": message}}, ensure_ascii=False)
    return f"mutator: {' '.join(printable(message).split())}"


def printable(text: str) -> str:
    """Answer text that cannot steer a terminal: others wrote it."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
