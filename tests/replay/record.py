"""Records the histories that changed workflows are replayed against.

`python -m tests.replay.record` lists the stories; `python -m tests.replay.record expired conflict`
records those. A history that is there is kept, because it stands for requests that wait somewhere;
`--over` replaces it, which is right only while no release has made such requests.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from store import open_store
from tests.replay.stories import STORIES
from tests.support.server import start_server
from tests.support.world import World, make_world

HISTORIES = Path(__file__).with_name("histories")

WORKER = re.compile(r"\d+@[\w.-]+")
"""How a worker names itself: its process and host, which are nobody's business."""


def path_of(name: str) -> Path:
    return HISTORIES / f"{name}.json"


def without_traces(value: Any) -> Any:
    """A history without the names of machines."""
    if isinstance(value, dict):
        return {k: without_traces(v) for k, v in value.items() if k != "stackTrace"}
    if isinstance(value, list):
        return [without_traces(item) for item in value]
    return WORKER.sub("a-worker", value) if isinstance(value, str) else value


LONG: Final = 250
"""Events after which the server wants a new history; only one story makes so many."""

SHORT: Final = {"began_anew": 30}
"""Events after which it wants one, where that is what is told."""


async def record(names: Sequence[str]) -> None:
    for name in names:
        env = await start_server(f"limit.historyCount.suggestContinueAsNew={SHORT.get(name, LONG)}")
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(f"sqlite:///{folder}/mutator.db")
            async with make_world(env, store) as world:
                await _record(world, name)
            store.close()
        await env.shutdown()
    # A process that used the SDK can abort while it exits unless its threads had a moment.
    await asyncio.sleep(0.1)


async def _record(world: World, name: str) -> None:
    handle = await STORIES[name](world)
    world.hooks.hooks.clear()
    history = await handle.fetch_history()
    kept = {"workflow_id": handle.id, "history": without_traces(history.to_json_dict())}
    path_of(name).write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", "utf-8")
    print(f"{name}: {len(history.events)} events")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.replay.record", description=__doc__)
    parser.add_argument("stories", nargs="*", help="which to record; without one they are listed")
    parser.add_argument("--over", action="store_true", help="replace histories that are there")
    asked = parser.parse_args(arguments)
    if not asked.stories:
        for name, story in STORIES.items():
            kept = "kept" if path_of(name).exists() else "not recorded"
            print(f"{name} ({kept}): {story.__doc__}")
        return 0
    if unknown := set(asked.stories) - set(STORIES):
        parser.error(f"there is no story {', '.join(sorted(unknown))}")
    there = [name for name in asked.stories if path_of(name).exists()]
    if there and not asked.over:
        parser.error(f"recorded already: {', '.join(there)}; --over replaces them")
    HISTORIES.mkdir(exist_ok=True)
    asyncio.run(record(asked.stories))
    return 0


if __name__ == "__main__":
    sys.exit(main())
