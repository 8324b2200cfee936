"""The command line `mutator`; its exit codes are in `client.cli.exits`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from core.errors import MutatorError

from ..errors import UnexpectedFailure
from . import asking, deciding, policy, reading, telling
from .call import register_common
from .exits import ExitCode, code_of, sentence_of

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
register_common(app)
for room in (asking, reading, deciding, telling, policy):
    room.register(app)


def main() -> NoReturn:
    """Run the command and leave at once.

    A process that used Temporal's SDK can abort while the interpreter winds down, so the output is
    flushed and nothing is wound down.
    """
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # whoever read it has gone
            code = code or ExitCode.REFUSED
    os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and answer its exit code; one sentence goes to standard error."""
    as_json = "--json" in arguments
    try:
        answer = typer.main.get_command(app).main(
            args=list(arguments), prog_name="mutator", standalone_mode=False
        )
    except MutatorError as error:
        _complain(error.code, error.message, as_json=as_json)
        return code_of(error)
    except typer.TyperException as error:
        _complain("Usage", error.format_message(), as_json=as_json)
        return ExitCode.USAGE
    except (typer.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except SystemExit as leaving:  # a reader that has gone
        return leaving.code if isinstance(leaving.code, int) else ExitCode.REFUSED
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no page of code to who asked
        said = f"This is a mistake of the command line itself: {type(error).__name__}: {error}"
        _complain(UnexpectedFailure.__name__, said, as_json=as_json)
        return ExitCode.REFUSED
    return answer if isinstance(answer, int) else ExitCode.DONE


def _complain(type_: str, message: str, *, as_json: bool) -> None:
    sys.stderr.write(sentence_of(type_, message, as_json=as_json) + "\n")
