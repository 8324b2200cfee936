"""The door of the client: every name is there, and Temporal's SDK is not loaded for nothing."""

from __future__ import annotations

import subprocess
import sys

import client


def test_the_door_is_sorted_and_every_name_is_behind_it() -> None:
    assert sorted(client.__all__) == client.__all__
    for name in client.__all__:
        assert getattr(client, name).__name__ == name


def test_the_command_line_starts_without_temporal_and_without_a_database() -> None:
    loaded = "import client.cli, sys; print({'temporalio', 'sqlalchemy'} & set(sys.modules))"

    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout == "set()\n"
