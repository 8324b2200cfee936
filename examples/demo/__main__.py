"""Set everything up, play the story, end what was started."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from client import Mutator
from core import MutatorError
from store.records import open_records

from ..servers import (
    ROOT,
    CannotStart,
    Place,
    Processes,
    leave,
    point_at,
    run,
    until_interrupted,
    while_running,
)
from .ready import until_ready
from .scenes import play
from .stage import NotAsExpected, Stage
from .telling import Teller

FOLDER = ROOT / ".mutator" / "demo"


def main(arguments: Sequence[str]) -> int:
    """Play the story and answer the exit code."""
    options = _parser().parse_args(arguments)
    place = Place(options.data.absolute())
    try:
        return run(place, lambda processes: _story(processes, options), patience=5)
    except (NotAsExpected, CannotStart, MutatorError) as error:
        sys.stdout.flush()
        sys.stderr.write(f"{error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=main.__doc__)
    parser.add_argument("--fast", action="store_true", help="without pauses for reading")
    parser.add_argument("--keep", action="store_true", help="leave it running until Ctrl-C")
    parser.add_argument(
        "--data", type=Path, default=FOLDER, help="where it is kept (default .mutator/demo)"
    )
    return parser


async def _story(processes: Processes, options: argparse.Namespace) -> int:
    began, place = monotonic(), processes.place
    teller = Teller(fast=options.fast)
    place.clear()
    teller.line("Mutator: a story of five people.", "bold")
    teller.line("ana, ben and cleo are release managers, dan is an operator, eve has no role.")
    teller.line("They ask for changes of the flags of a web shop, the state feature_flags/web.")
    teller.line("The flag new-checkout is critical: two release managers have to agree.")
    teller.line()
    async with teller.waiting("a Temporal server and a worker start"):
        server = await processes.temporal()
        worker = processes.worker(server)
        point_at(server)
        records = open_records(place.store_url)
        mutator = await Mutator.connect(records)
        await until_ready(mutator, processes)
    await teller.details(
        [
            f"Temporal {server.address}, its UI {server.ui}",
            f"worker   process {worker.popen.pid}, with three domains",
            f"store    {_from_here(place.store_file)}",
        ]
    )
    try:
        stage = Stage(mutator, teller, processes, server, worker)
        await while_running(processes, play(stage))
    finally:
        records.close()
    teller.line()
    teller.line(f"The story took {monotonic() - began:.0f} s, and went as it should.", "bold")
    teller.line("Every request is a workflow, and its page in the Temporal UI says how it stands.")
    if options.keep:
        teller.line(f"Look at them at {server.ui}; everything runs until Ctrl-C.")
        return await until_interrupted(processes)
    teller.line(f'To look at them: make dev ARGS="--data {_from_here(place.folder)}"')
    return 0


def _from_here(path: Path) -> str:
    """Answer a path as it is shortest to read."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
