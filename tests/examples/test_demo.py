"""The story, `make demo`, and `make dev`: each as a newcomer runs it, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from examples.servers import HOST

SCENES = (
    # a low-risk change executes unattended
    r"ana .*dark-mode.*percentage=10.*\n +Executed: committed as version 1\.",
    # the requester and a stranger are refused by name
    r"dan +approves checkout-25\n +Refused, SelfApproval: dan ",
    r"eve +approves checkout-25\n +Refused, NotAuthorised: eve ",
    # one of two is not enough
    r"ben +approves checkout-25\n +Pending: needs 2 of role:release-manager, has 1; until ",
    # an unrelated change: the approvals survive, with the proof
    r"cleo approves checkout-25\n +Executed: committed as version 3\.\n +ApprovalsSurvived: ",
    r"versions: approved on 1, resolved on 2\n +drifted: +/flags/search-ranking/state\n",
    r"effect: +(v1:sha256:[0-9a-f]+) as approved\n +\1 as executed\n",
    # the side effect
    r'flags/web\.json.*\n +new-checkout \[\["on", 25\], \["off", 75\]\], version 3\n',
    # the same flag: asked again, with the difference
    r"RenewedApprovalRequired: .*\n +Pending: needs 2 of role:release-manager, has 0; until ",
    r'- /flags/new-checkout/.*\["on", 25\].*\n +\+ /flags/new-checkout/.*\["on", 5\].*\n',
    r"cleo approves checkout-50\n +Executed: committed as version 5\.",
    # a dependency, a moment, a budget: each waits, and goes on by itself
    r"eve .*IncreaseQuota.*\n +Pending: provider-two executed: waits for provider-two; until ",
    r"What waited for it, provider-calls, .*\n +Executed: committed as version 1\.",
    r"dan .*IncreaseQuota.*sale.*\n +Pending: its moment is \d+ \w+ \d+ [\d:]+ UTC; until ",
    r"And the moment of sale-quota has come:\n +Executed: committed as version 1\.",
    r"percentage=10: .*\n +Pending: The soak time of recommendations: .*: 0 of 1 left, 1 wanted; ",
    r"Waited [\d.]+ s: what was committed leaves the budget\.\n +Executed: .*version 9\.",
    # stale, canceled, expired
    r"cleo approves provider-two-now\n +Rejected \(stale, moved\): ",
    r"eve +cancels acme-quota.*\n +Canceled: ",
    r"Waited [\d.]+ s: the deadline of eve-views.*\n +Expired: ",
    # the killed worker
    r"Approved, and worker \d+ is killed by SIGKILL; the state is still at version 6\.",
    r"Executed: committed as version 7\.\n +Exactly one version",
    # the table, and where to look
    r"\ncheckout-25 +dan +ChangeRollout +feature_flags/web +Executed +3 *\n",
    r"\nprovider-two-now +ana +ChangeVariant +feature_flags/web +Rejected +- *\n",
    r"\neve-views +dan +GrantRole +iam_roles/acme +Expired +- *\n",
    r"\nacme-quota +eve +IncreaseQuota +billing_quotas/acme +Canceled +- *\n",
    r"\nprovider-calls +eve +IncreaseQuota +billing_quotas/provider-two +Executed +1 *\n",
    r"\nsale-quota +dan +IncreaseQuota +billing_quotas/sale +Executed +1 *\n",
    r"\nrecommend-10 +ana +ChangeRollout +feature_flags/web +Executed +9 *\n",
    r'Temporal UI.*\n.*make dev ARGS="--data ',
)


class Run:
    """A process, what it says, and every process it ever started."""

    def __init__(self, module: str, *arguments: str, output: Path) -> None:
        self.output, cwd = output, output.parent
        with output.open("wb") as writing:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=cwd,
                env=os.environ | {"TEMPORAL_ADDRESS": "nowhere:1", "MUTATOR_DOMAINS": "no.such"},
                stdout=writing,
                stderr=subprocess.STDOUT,
            )
        self._process = psutil.Process(self.popen.pid)
        self.started: set[psutil.Process] = set()

    @property
    def said(self) -> str:
        return self.output.read_text("utf-8")

    def until(self, reached: Callable[[], bool], within: float) -> None:
        deadline = time.monotonic() + within
        while not reached():
            assert time.monotonic() < deadline, self.said
            if self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE:
                self.started.update(self._process.children(recursive=True))
            time.sleep(0.05)

    def until_said(self, words: str, within: float = 60) -> None:
        self.until(lambda: words in self.said or self.popen.poll() is not None, within)
        assert words in self.said, self.said

    def ends(self, within: float = 60) -> int:
        self.until(lambda: self.popen.poll() is not None, within)
        return self.popen.wait()

    @property
    def survivors(self) -> list[psutil.Process]:
        return [process for process in self.started if process.is_running()]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Run a module from a folder that is not the project's; nothing of it outlives the test."""
    runs: list[Run] = []

    def begin(module: str, *arguments: str) -> Run:
        output = tmp_path / f"{len(runs)}.out"
        runs.append(Run(module, *arguments, "--data", str(tmp_path / "data"), output=output))
        return runs[-1]

    yield begin
    for run in runs:
        run.popen.kill()
        for process in run.survivors:
            process.kill()


@pytest.fixture
def taken_ports() -> Iterator[None]:
    """Temporal's own ports are taken, by somebody else or by this test."""
    held: list[socket.socket] = []
    for port in (7233, 8233):
        listening = socket.socket()
        try:
            listening.bind((HOST, port))
            listening.listen()
        except OSError:
            listening.close()
        else:
            held.append(listening)
    yield
    for listening in held:
        listening.close()


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("taken_ports")
def test_the_story_is_told_and_every_line_of_it_holds(start: Callable[..., Run]) -> None:
    demo = start("examples.demo", "--fast")

    assert demo.ends(within=120) == 0, demo.said
    missing = [scene for scene in SCENES if not re.search(scene, demo.said)]
    assert missing == [], demo.said
    assert len(demo.said.splitlines()) <= 150
    assert len(demo.started) >= 3  # the server and two workers
    assert demo.survivors == []


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_story_that_is_interrupted_leaves_nothing_running(
    start: Callable[..., Run], name: signal.Signals
) -> None:
    demo = start("examples.demo", "--fast")
    demo.until_said("ben  approves checkout-25")

    demo.popen.send_signal(name)

    assert demo.ends() == 130, demo.said
    assert demo.started
    assert demo.survivors == []
    assert "Traceback" not in demo.said


@pytest.mark.timeout(240)
def test_a_story_that_is_kept_runs_until_it_is_interrupted_and_keeps_its_folder(
    start: Callable[..., Run], tmp_path: Path
) -> None:
    first = start("examples.demo", "--fast", "--keep")
    first.until_said("Mutator: a story of five people.")

    second = start("examples.demo", "--fast")

    assert second.ends() == 1
    assert second.said.splitlines() == [
        f"Another run uses {tmp_path / 'data'}; end it first, or name another folder with --data."
    ]
    first.until_said("everything runs until Ctrl-C", within=120)
    time.sleep(1)
    assert first.popen.poll() is None, first.said
    first.popen.send_signal(signal.SIGINT)
    assert first.ends() == 0, first.said
    assert first.survivors == []


def test_a_story_whose_server_dies_says_so_in_one_sentence(start: Callable[..., Run]) -> None:
    demo = start("examples.demo", "--fast")
    demo.until_said("ben  approves checkout-25")

    for process in demo.started:
        if "start-dev" in process.cmdline():
            process.kill()

    assert demo.ends() == 1
    assert "The Temporal server ended with code -9" in demo.said.splitlines()[-1]
    assert demo.survivors == []


@pytest.mark.usefixtures("taken_ports")
def test_what_happened_in_dev_is_there_again_the_next_time(start: Callable[..., Run]) -> None:
    first = start("examples.dev")
    first.until_said("It runs until Ctrl-C")
    said = first.said
    assert "Port 7233 is taken, so another one is used." in said
    assert "Port 8233 is taken, so another one is used." in said
    asked = mutator(said, "--as", "ana", "submit", "feature_flags/web", "DisableFlag")
    assert asked.returncode == 0, asked.stderr
    first.popen.send_signal(signal.SIGINT)
    assert first.ends() == 0, first.said
    assert first.survivors == []

    again = start("examples.dev")
    again.until_said("It runs until Ctrl-C")
    history = mutator(again.said, "history", "feature_flags/web")
    again.popen.send_signal(signal.SIGTERM)

    assert "version 1" in history.stdout, history.stderr
    assert again.ends() == 0, again.said
    assert again.survivors == []


def mutator(said: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with the environment that `make dev` says."""
    exported = dict(re.findall(r"export ((?:TEMPORAL|MUTATOR)_\w+)=(\S+)", said))
    parameters = ("flag=dark-mode", "--wait") if "submit" in words else ()
    return subprocess.run(
        [str(Path(sys.executable).parent / "mutator"), *words, *parameters],
        env=os.environ | exported,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
