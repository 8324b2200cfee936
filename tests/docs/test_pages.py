"""Every page: its links lead somewhere, its blocks do what they say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from pydantic import BaseModel

import worker
from client.cli import app
from core.governance.request import MutationRequest
from tests.docs.pages import DOCS, ROOT, Block, anchors, blocks, commands, links, pages, prose
from tests.support.server import TEMPORAL
from wire.asks import Authenticate, Authenticated, Preview, PreviewMutation
from wire.messages import Message, Reply, RequestResult, Start, read_message, read_start
from wire.names import TASK_QUEUE, WORKFLOW_TYPE, Activity, Query, Signal, Update
from wire.search_attributes import REGISTRY
from wire.why import WhyBlocked


def _params(found: list[Path]) -> list[Any]:
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in found]


PAGES = _params(pages())
WITH_PYTHON = _params([page for page in pages() if blocks(page, "python")])
MODELS: dict[str, type[BaseModel]] = {
    model.__name__: model
    for model in (
        Start,
        Message,
        Reply,
        RequestResult,
        MutationRequest,
        WhyBlocked,
        PreviewMutation,
        Preview,
        Authenticate,
        Authenticated,
    )
}
SIGNALS, UPDATES, QUERIES, ACTIVITIES = (
    {value for name, value in vars(names).items() if name.isupper()}
    for names in (Signal, Update, Query, Activity)
)


def of(language: str) -> list[Any]:
    found = [block for page in pages() for block in blocks(page, language)]
    return [pytest.param(block, id=block.id) for block in found]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(there), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES)
def test_one_sentence_a_line(page: Path) -> None:
    for line in prose(page).splitlines():
        if not line.startswith(("|", "<")):
            assert not re.search(r"[a-z)`]{2}[.?!] [A-Z][a-z]", line), line


def test_every_page_is_reached_from_the_index() -> None:
    seen, todo = set(), [DOCS / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        todo += [(page.parent / t.partition("#")[0]).resolve() for t in links(page) if ":" not in t]

    assert set(DOCS.rglob("*.md")) <= seen


@pytest.mark.parametrize("page", WITH_PYTHON)
def test_the_python_of_a_page_runs_from_top_to_bottom(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    for block in blocks(page, "python"):
        # Blank lines in front make the line of a failure the line in the page.
        code = compile("\n" * block.line + block.text, str(page), "exec", flags=_TOP_LEVEL_AWAIT)
        if "needs=server" not in block.marks:
            exec(code, vars(module))


@pytest.mark.parametrize("block", of("json"))
def test_every_json_example_is_what_it_says(block: Block) -> None:
    value = json.loads(block.text)
    for mark in block.marks:
        kind, _, name = mark.partition("=")
        assert kind == "model"
        read = MODELS[name].model_validate(value)
        assert set(value) <= set(MODELS[name].model_fields), "a field that the model does not have"
        again = read.model_dump(mode="json", exclude_unset=True)
        assert MODELS[name].model_validate(again) == read


@pytest.mark.parametrize("block", of("shell"))
def test_every_command_is_one_that_there_is(block: Block) -> None:
    for words in commands(block):
        match words:
            case ["temporal", *rest]:
                _check_temporal(rest)
            case ["mutator", *rest]:
                _check_mutator(rest)
            case ["python", "worker.py", *rest]:
                if rest != ["--help"]:
                    _parse(worker_command(), rest)
            case ["python", "-m", module, *_]:
                assert (ROOT / Path(*module.split("."))).with_suffix(".py").exists() or (
                    ROOT / Path(*module.split(".")) / "__main__.py"
                ).exists(), module
            case ["make", target, *_]:
                assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
            case ["export", *_] | ["docker", "compose", *_] | ["pip", "install", *_]:
                pass
            case _:
                pytest.fail(f"nobody checks: {' '.join(words)}")


@cache
def worker_command() -> typer.core.TyperCommand:
    made = typer.Typer(add_completion=False)
    made.command()(worker.main)
    found = typer.main.get_command(made)
    assert isinstance(found, typer.core.TyperCommand)
    return found


def _parse(command: typer.core.TyperCommand, words: list[str]) -> None:
    command.make_context(command.name or "", list(words)).close()


def _check_mutator(words: list[str]) -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    with group.make_context("mutator", list(words)) as context:
        rest = [*context._protected_args, *context.args]
        name, command, arguments = group.resolve_command(context, rest)
        assert name is not None
        assert command is not None
        command.make_context(name, arguments, parent=context).close()


@cache
def flags_of(*subcommand: str) -> frozenset[str]:
    """Answer the flags that Temporal's command line takes, asked of itself."""
    told = [
        subprocess.run(
            [str(TEMPORAL), *words, "--help"], capture_output=True, text=True, check=True
        ).stdout
        for words in (subcommand, ("options",))
    ]
    return frozenset(re.findall(r"--[a-z][a-z-]+|(?<=\s)-[a-z](?=,)", "\n".join(told)))


def _check_temporal(words: list[str]) -> None:
    count = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    subcommand, rest = tuple(words[:count]), words[count:]
    given: dict[str, list[str]] = {}
    known = flags_of(*subcommand)
    flag = ""
    for word in rest:
        if word.startswith("--"):
            flag, _, value = word.partition("=")
            assert flag in known, f"temporal {' '.join(subcommand)} has no {flag}"
            given.setdefault(flag, [])
            if value:
                given[flag].append(value)
        else:
            given[flag].append(word)

    def one(name: str) -> str:
        assert len(given[name]) == 1, f"{name} is given once"
        return given[name][0]

    match subcommand:
        case ("workflow", "start" | "execute"):
            assert one("--type") == WORKFLOW_TYPE
            assert one("--task-queue") == TASK_QUEUE
            read_start([json.loads(one("--input"))], one("--workflow-id"))
            for pair in given.get("--search-attribute", ()):
                name, _, value = pair.partition("=")
                assert name in REGISTRY
                json.loads(value)
        case ("workflow", "signal"):
            assert one("--name") in SIGNALS
            if one("--name") != Signal.WAKE:
                read_message(one("--name"), [json.loads(one("--input"))])
        case ("workflow", "update", "execute"):
            assert one("--name") in UPDATES
            read_message(one("--name"), [json.loads(one("--input"))])
        case ("workflow", "query"):
            assert one("--name") in QUERIES
        case ("activity", "execute" | "start"):
            assert one("--type") in ACTIVITIES
            assert one("--task-queue") == TASK_QUEUE
            asks = {"preview_mutation": "PreviewMutation", "authenticate": "Authenticate"}
            MODELS[asks[one("--type")]].model_validate(json.loads(one("--input")))
        case ("workflow", "list" | "count"):
            asked = set(re.findall(r"Mutation[A-Za-z]+", one("--query"))) - {WORKFLOW_TYPE}
            assert asked <= set(REGISTRY)


_TOP_LEVEL_AWAIT = 0x2000
