"""Boxes whose checks answer as their requirement says: one thing in the worker that will be killed,
another in the one after it.

A requirement names the check `says`, or `once`, which is not tried again at once, with
`parameters={"first": ..., "then": ...}`, each `passed`, `failed` or `not_yet`. While `Jam` is
jammed it cannot be carried out, and the request is held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from core import Applied
from core.checks import Callback, Check, CheckAnswer, CheckQuestion, failed, not_yet, passed
from tests.drills import points
from tests.support import box
from tests.support.box import Add, Box


@dataclass
class Life:
    """The worker that this process is.

    Attributes:
        is_first: Whether it will be killed.
        reached: Told of points that only an author's code can reach.
        log: Where what is asked of others is written down, by every worker.
    """

    is_first: bool = False
    reached: Callable[[str], None] = lambda _: None
    log: Path = Path("unset")

    @property
    def name(self) -> str:
        return "first" if self.is_first else "then"

    def jam(self, key: str) -> Path:
        """Answer the file that is there when additions to a number cannot be carried out."""
        return self.log.with_name(f"jam-{key}")

    def write(self, question: CheckQuestion) -> None:
        """Write down that something is asked; a line is written whole."""
        with self.log.open("ab") as log:
            log.write(f"{question.request_id} {self.name} {question.key}\n".encode())

    def asked(self, request_id: str) -> list[tuple[str, str]]:
        """Answer who asked about a request, and with which key."""
        lines = (line.split() for line in self.log.read_text().splitlines())
        return [(life, key) for each, life, key in lines if each == request_id]


LIFE = Life()

ANSWERS = {
    "passed": passed("all green"),
    "failed": failed("two tests are red"),
    "not_yet": not_yet("still running", timedelta(hours=1)),
}


def _says(question: CheckQuestion) -> CheckAnswer:
    LIFE.write(question)
    LIFE.reached(points.CHECKING)
    return ANSWERS[str(question.parameters[LIFE.name])]


def _file(question: CheckQuestion) -> str:
    LIFE.write(question)
    return f"T-{LIFE.name}"


class Jam(Add):
    """Add, unless it is jammed."""

    def apply(self, state: Box) -> Box | Applied[Box]:
        if LIFE.jam(self.key).exists():
            raise RuntimeError("it is jammed")
        return super().apply(state)


CHECKS = (
    Check("says", _says, retries=1),
    Check("once", _says, retries=0),
    Callback("ticket", _file, retries=1),
    *(each for each in box.CHECKS if each.name != "ticket"),
)

_mutations = (Add, box.Put, Jam)
local_first = box.make("again", checks=CHECKS, mutations=_mutations, on_error="hold")
remote = box.make(
    "remote-again", checks=CHECKS, mutations=_mutations, on_error="hold", run="remote"
)

ALL = (local_first, remote)
