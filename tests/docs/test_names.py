"""Every name that a page cites is one that there is: ours are imported, tests are found."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, pages, prose

ROOMS = ("core", "wire", "store", "activities", "workflows", "client", "worker", "examples")
_OURS = re.compile(rf"`((?:{'|'.join(ROOMS)})(?:\.\w+)+)`")
_TEST = re.compile(r"`(test_\w+)`")
_FILE_ENDINGS = ("py", "md", "toml", "json", "html")
UPSTREAM = DOCS / "reference" / "upstream.md"


def named(pattern: re.Pattern[str]) -> list[tuple[Path, str]]:
    found = [(page, name) for page in pages() for name in pattern.findall(prose(page))]
    return [(page, name) for page, name in found if name.rpartition(".")[2] not in _FILE_ENDINGS]


def load(name: str) -> object:
    """Import the longest part that is a module and take the rest from it."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            fields = getattr(found, "model_fields", {})
            found = fields[part] if part in fields else getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


@pytest.mark.parametrize(
    ("page", "name"), [pytest.param(p, n, id=f"{p.stem}-{n}") for p, n in named(_OURS)]
)
def test_every_name_of_ours_can_be_imported(page: Path, name: str) -> None:
    load(name)


@pytest.mark.parametrize(
    ("page", "name"), [pytest.param(p, n, id=f"{p.stem}-{n}") for p, n in named(_TEST)]
)
def test_every_test_that_is_cited_exists(page: Path, name: str) -> None:
    assert any(found == name or found.startswith(f"{name}_") for found in every_test()) or (
        name.endswith("_") and any(found.startswith(name) for found in every_test())
    )


def test_the_upstreams_components_are_all_mapped() -> None:
    text = UPSTREAM.read_text("utf-8")
    components = (
        "GovernanceExecutionManager",
        "GovernedMutation",
        "GovernedExecutionOutcomeHandler",
        "GovernedExecutionDecisionFactory",
        "GovernedExecutionRequestPersistence",
        "MutationEngine",
        "MutationExecutor",
        "ExecutionContext",
        "PendingApproval",
        "PendingExternalCheck",
        "PendingSchedule",
        "PendingDependency",
        "PendingQuota",
        "Rollback",
        "ForwardCorrection",
    )

    assert [name for name in components if f"`{name}`" not in text] == []
    assert "| interceptors |" in text
    assert len([name for page, name in named(_OURS) if page == UPSTREAM]) > 30


@cache
def every_test() -> frozenset[str]:
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        found |= set(re.findall(r"def (test_\w+)", path.read_text("utf-8")))
    return frozenset(found)
