"""Everything up for exploring, until Ctrl-C: Temporal with its UI, and a worker with three domains.

`python -m examples.dev`, or `make dev`. What happens in it is kept in `.mutator/dev`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from client import Mutator
from core import MutatorError

from .demo.ready import until_ready
from .servers import ROOT, CannotStart, Place, Processes, leave, point_at, run, until_interrupted

PORT, UI_PORT = 7233, 8233
"""Temporal's own defaults; clients find a server there without being told."""

FOLDER = ROOT / ".mutator" / "dev"

TRY = """\
  mutator --as ana submit feature_flags/web DisableFlag flag=dark-mode --reason "too dark"
  mutator --as dan submit feature_flags/web ChangeRollout flag=new-checkout variant=on \\
      percentage=25 --reason "it sells more" --request-id checkout-25
  mutator --as ben pending
  mutator --as ben approve checkout-25
  mutator --as cleo approve checkout-25
  mutator show checkout-25
  mutator history feature_flags/web"""


def main(arguments: Sequence[str]) -> int:
    """Start everything and answer the exit code once it has ended."""
    parser = argparse.ArgumentParser(prog="python -m examples.dev", description=__doc__)
    parser.add_argument("--data", type=Path, default=FOLDER, help="where it is kept")
    options = parser.parse_args(arguments)
    try:
        return run(Place(options.data.absolute()), _serve)
    except (CannotStart, MutatorError) as error:
        sys.stdout.flush()
        sys.stderr.write(f"{error}\n")
        return 1


async def _serve(processes: Processes) -> int:
    place = processes.place
    print("Starting a Temporal server and a worker ...", flush=True)
    server = await processes.temporal(port=PORT, ui_port=UI_PORT)
    processes.worker(server)
    point_at(server)
    await until_ready(await Mutator.connect(), processes)
    taken = [
        f"Port {port} is taken, so another one is used."
        for port, address in ((PORT, server.address), (UI_PORT, server.ui))
        if not address.endswith(f":{port}")
    ]
    for line in (
        *taken,
        "",
        f"Temporal      {server.address}",
        f"Temporal UI   {server.ui}",
        f"Flags         {place.flags / 'web.json'}, after the first commit",
        f"Logs          {place.log('worker')}",
        "",
        "In another terminal:",
        "",
        f"  export TEMPORAL_ADDRESS={server.address}",
        f"  export MUTATOR_STORE_URL={place.store_url}",
        f"  export PATH={Path(sys.executable).parent}:$PATH",
        "",
        TRY,
        "",
        "It runs until Ctrl-C, and keeps what happened for the next time.",
    ):
        print(line)
    sys.stdout.flush()
    code = await until_interrupted(processes)
    print("\nEnding: the worker finishes what it has begun.", flush=True)
    return code


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
