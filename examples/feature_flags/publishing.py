"""After the commit: write the flag file where flagd reads it, whole and never an older one.

The file is the state's document, and says in its own metadata which version it is
(`stateVersion`; OpenFeature hands it on with every evaluation). A new store counts from 1 again:
give it a directory of its own.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from core import Dispatch, SideEffect

from .flags import KEY, FlagFile

VERSION = "stateVersion"
LATER = 1_000_000
"""Nanoseconds by which a file is newer than the one before, for readers that go by its time."""


def publish(effect: SideEffect, dispatch: Dispatch) -> None:
    """Publish the present flag file of a set as `<key>.json` in `MUTATOR_FLAGS_DIR`.

    It may run twice, late, and at once with another: the file never goes back to an older version,
    and a reader sees the one before or the one after, never a part of one.
    """
    key = dispatch.state_id.partition("/")[2]
    if not KEY.match(key):
        message = f"The flag set {key!r} has no name that a file could have."
        raise ValueError(message)
    directory = Path(os.environ.get("MUTATOR_FLAGS_DIR", ".mutator/flags"))
    directory.mkdir(parents=True, exist_ok=True)
    flags = FlagFile.model_validate(dispatch.state)
    content = _written(flags, dispatch.current_version)
    with (directory / f".{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = directory / f"{key}.json"
        if published_version(path) <= dispatch.current_version:
            _replace(path, content)


def published_version(path: Path) -> int:
    """Answer which version a published file is; 0 where there is none, or not one of ours."""
    try:
        version = json.loads(path.read_bytes())["metadata"][VERSION]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return 0
    return version if isinstance(version, int) else 0


def _written(flags: FlagFile, version: int) -> bytes:
    numbered = flags.model_copy(update={"metadata": {**flags.metadata, VERSION: version}})
    document = numbered.model_dump(mode="json")
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _replace(path: Path, content: bytes) -> None:
    if path.exists() and path.read_bytes() == content:
        return
    # Under the lock the name is ours alone; a crash leaves one file that the next run overwrites.
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        # Two versions within one tick of the clock would have one time, and the second be missed.
        last, now = path.stat().st_mtime_ns, temporary.stat().st_mtime_ns
        os.utime(temporary, ns=(now, max(now, last + LATER)))
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
