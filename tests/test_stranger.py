"""A package that somebody else ships: installed where nothing but `core` and its needs is.

It lies in `tests/stranger`, with a `pyproject.toml` of its own, and knows the public door only.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution, distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import core
from client.cli.exits import ExitCode
from store import open_store
from tests.client.desk import Desk
from tests.docs.pages import DOCS, ROOT, blocks
from tests.drills.server import FileServer
from tests.support.process import worker

STRANGER = ROOT / "tests" / "stranger"
SOURCES = sorted((STRANGER / "src").rglob("*.py"))
NEEDED = ("pydantic", "rfc8785")
"""What `core` may need of others."""


@dataclass(frozen=True)
class Environment:
    """A place where the stranger's package is installed.

    Attributes:
        python: Its interpreter.
        site: Where its packages are.
    """

    python: Path
    site: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run its interpreter, from a folder that is neither ours nor the stranger's."""
        return _run(self.python, *arguments, cwd=self.site.parent)

    def checked(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of our tools on the stranger's sources, with what is installed there."""
        return _run(sys.executable, "-m", *arguments, cwd=STRANGER)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Both packages, built and installed without a network, and what `core` needs."""
    folder = tmp_path_factory.mktemp("stranger")
    made = _made(folder / "env")
    for name in NEEDED:
        _link(distribution(name), made.site)
    pip = ("-m", "pip", "--disable-pip-version-check")
    alone = ("--quiet", "--no-deps", "--no-index")
    for source in (ROOT, STRANGER):
        wheels = folder / source.name
        _ok(
            _run(
                *(sys.executable, *pip, "wheel", *alone, "--no-build-isolation"),
                *("--wheel-dir", str(wheels), str(source)),
            )
        )
        (wheel,) = wheels.glob("*.whl")
        _ok(_run(sys.executable, *pip, "install", *alone, "--target", str(made.site), str(wheel)))
    return made


@pytest.fixture(scope="module")
def serving(installed: Environment, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What is installed there, and all that a worker needs."""
    made = _made(tmp_path_factory.mktemp("serving") / "env")
    (theirs,) = distributions(name="acme-greenhouse", path=[str(installed.site)])
    _link(theirs, made.site)
    return made


def test_a_stranger_imports_the_door_and_nothing_behind_it() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            named: list[str] = []
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                named = [node.module or ""]
                if node.module == "core":
                    behind = {alias.name for alias in node.names} - set(core.__all__)
                    assert not behind, f"{path.name}: {behind}"
            for name in named:
                known = name.partition(".")[0] in {"pydantic", *sys.stdlib_module_names}
                assert name == "core" or known, f"{path.name}: {name}"


def test_a_stranger_is_alone_with_what_core_needs(installed: Environment) -> None:
    found = installed.run(
        "-c",
        "import importlib.util as u, core, acme_greenhouse\n"
        "print(core.__file__, acme_greenhouse.__file__, u.find_spec('temporalio'))",
    )

    ours, theirs, temporal = _ok(found).split()
    assert Path(ours).is_relative_to(installed.site)
    assert Path(theirs).is_relative_to(installed.site)
    assert temporal == "None"


def test_a_strangers_domain_runs_on_the_engine_alone(installed: Environment) -> None:
    told = json.loads(_ok(installed.run("-m", "acme_greenhouse")))

    cleared = '/beds/herbs: removed {"name": "herbs", "sown": "2026-04-01", "warmth": 19}'
    assert Path(told["core"]).is_relative_to(installed.site)
    assert told["recoded"].startswith('/code: "v1:hmac-sha256:')
    assert (told["kept"], told["shown"]) == (True, False)
    assert told["told"] == [
        "blocked | may sow",
        'committed | /beds/herbs: added {"name": "herbs", "sown": "2026-04-01", "warmth": 21}',
        "invalid",
        "blocked | may vent",
        "simulated | /heating: true -> false | /vents: 0 -> 80",
        "committed | /heating: true -> false | /vents: 0 -> 80",
        "blocked | by night | /beds/herbs/warmth: 21 -> 19",
        "committed | /beds/herbs/warmth: 21 -> 19",
        f"blocked | may clear | {cleared}",
        f"committed | {cleared}",
    ]
    assert sorted(told["ways"]) == [["1 of user:grower"], ["2 of role:gardener"]]
    assert told["severe"] == ["not_in_the_frost: It freezes outside."]
    assert told["motors"] == {"greenhouses/south@2": "greenhouses/south: 80 %"}
    assert told["left"] == {
        "beds": [],
        "vents": 80,
        "heating": False,
    }
    assert told["undone"] == {**told["left"], "vents": 0, "heating": True}
    assert told["batch"] == ("Step 1 of 2 ended invalid: There is no bed 'herbs'; there are: none.")
    assert told["beds"] == ["cress"]
    assert told["outcomes"] == {"blocked": 4, "committed": 6, "invalid": 2, "simulated": 1}
    assert told["read"] == "open the vents to 5 %"


def test_the_tutorial_of_the_engine_runs_where_nothing_else_is(
    installed: Environment, tmp_path: Path
) -> None:
    page = DOCS / "tutorial" / "engine-alone.md"
    script = tmp_path / "page.py"
    script.write_text("\n".join(block.text for block in blocks(page, "python")), "utf-8")

    assert _ok(installed.run(str(script))) == ""


def test_a_strangers_package_is_typed_for_mypy(installed: Environment, tmp_path: Path) -> None:
    found = installed.checked(
        *("mypy", "--strict", "--warn-unreachable", "--cache-dir", str(tmp_path)),
        *("--config-file", "pyproject.toml", "--python-executable", str(installed.python), "src"),
    )

    assert _ok(found) == f"Success: no issues found in {len(SOURCES)} source files\n"


def test_a_strangers_package_is_typed_for_pyright(installed: Environment) -> None:
    found = installed.checked(
        *("pyright", "--outputjson", "--pythonpath", str(installed.python)),
        *("--project", str(STRANGER)),
    )

    told = json.loads(found.stdout)
    said = [f"{each['file']}: {each['message']}" for each in told["generalDiagnostics"]]
    assert said == []
    assert told["summary"]["filesAnalyzed"] == len(SOURCES)


async def test_a_worker_serves_a_strangers_domains_from_where_they_are_installed(
    serving: Environment, tmp_path: Path
) -> None:
    directory, key, code = (tmp_path / name for name in ("directory.toml", "key", "doors/autumn"))
    directory.write_text("[people.gardener]\nname = 'The gardener'\n", "utf-8")
    key.write_text("0123456789abcdef" * 2, "utf-8")
    code.parent.mkdir()
    code.write_text("47114711", "utf-8")
    store_url = f"sqlite:///{tmp_path / 'mutator.db'}"
    async with FileServer(tmp_path / "temporal.db") as server:
        desk = Desk(tmp_path, server.address)
        async with worker(
            *("--domain", "acme_greenhouse:domain", "--domain", "acme_greenhouse:doors"),
            *("--store", store_url, "--directory", str(directory)),
            *("--secret-key-file", str(key), "--secrets-dir", str(tmp_path)),
            address=server.address,
            python=serving.python,
        ):
            ask = ("--as", "gardener", "submit")
            sow = (*ask, "greenhouses/south", "Sow", "bed=herbs", "--wait")
            sown = await desk.run(*sow, "on=2026-04-01", "--json")
            denied = await desk.run(*sow, "on=2026-12-24")
            history = await desk.run("history", "greenhouses/south", "--json")
            named = 'code={"secret": "autumn"}'
            coded = await desk.run(*ask, "doors/south", "ChangeDoorCode", named, "--wait")
    store = open_store(store_url)
    state, door = store.state("greenhouses/south"), store.state("doors/south")
    store.close()

    assert find_spec("acme_greenhouse") is None, "it would be found without being installed"
    assert sown.code == 0, sown
    assert sown.value["status"] == "Executed"
    assert denied.code == ExitCode.NOT_EXECUTED
    assert "It is winter." in denied.err
    assert [entry["version"] for entry in history.value] == [1]
    assert state is not None
    assert state.version == 1
    assert state.document == {
        "beds": [{"name": "herbs", "warmth": 18, "sown": "2026-04-01"}],
        "vents": 0,
        "heating": True,
    }
    assert coded.code == 0, coded
    assert "47114711" not in coded.out
    assert door is not None
    assert door.document == {"code": "47114711"}


def _made(folder: Path) -> Environment:
    """Make an environment in which nothing is installed."""
    _ok(_run(sys.executable, "-m", "venv", "--without-pip", str(folder)))
    return Environment(
        python=folder / "bin" / "python",
        site=next((folder / "lib").glob("python*")) / "site-packages",
    )


def _link(found: Distribution, site: Path, seen: set[str] | None = None) -> None:
    """Put a package that we have, and what it needs, into a place, as links."""
    seen = set() if seen is None else seen
    name = re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()
    if name in seen:
        return
    seen.add(name)
    for part in {file.parts[0] for file in found.files or () if file.parts[0] != ".."}:
        there = site / part
        if not there.exists():
            there.symlink_to(str(found.locate_file(part)))
    for text in found.requires or ():
        needed = Requirement(text)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            _link(distribution(needed.name), site, seen)


def _run(*command: Any, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MYPY"))}
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _ok(ran: subprocess.CompletedProcess[str]) -> str:
    assert ran.returncode == 0, f"{ran.args}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout
