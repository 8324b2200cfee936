"""The engine in memory, beside what somebody would write by hand for the same change.

Both run the same `apply`, ask rules that look at the same, and leave an audit entry, and after a
commit a history entry. By hand that is: rules are functions, the difference is looked for where the
mutation is known to write, entries are dicts, and nothing is validated or digested.

`python -m benchmarks.engine --column ours --json FILE` measures one of the two.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from itertools import count
from pathlib import Path
from time import monotonic, process_time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from core import (
    Engine,
    ExecutionResult,
    Facts,
    Identity,
    Intent,
    Issue,
    Mode,
    Mutation,
    MutationContext,
    Policy,
    PolicyDecision,
    allow,
    deny,
    diff,
)
from core.audit import MutationRecord, Subject
from core.changes import ChangeSet
from core.engine import record

from .errors import BenchmarkError, NotReady
from .processes import clean_environment, running

ROOT = Path(__file__).resolve().parent.parent
SMALL, LARGE = 1_000, 100_000
KEYS = 10_000
BATCHES = 15
BATCH_SECONDS = 0.005
AHEAD = 1_000_000  # bytes of JSON in the inputs that are read ahead for one timed batch
UNITS = {"us": 1e6, "ms": 1e3}


# --- what is changed


class Owner(BaseModel):
    """Who answers for a project."""

    model_config = ConfigDict(frozen=True)

    team: str
    contact: str | None
    since: date


class Quota(BaseModel):
    """What a project may use in one region."""

    model_config = ConfigDict(frozen=True)

    seats: int = Field(ge=0)
    gigabytes: int = Field(ge=0)
    plan: Literal["free", "team"]


class Rule(BaseModel):
    """Whether a role comes in."""

    model_config = ConfigDict(frozen=True)

    id: str
    role: str
    open: bool


class Project(BaseModel):
    """The state: a model in a model, a map of small models, and a list keyed by `id`."""

    model_config = ConfigDict(frozen=True)

    name: str
    owner: Owner
    quotas: dict[str, Quota]
    rules: Annotated[list[Rule], Identity("id")]


class LooseProject(Project):
    """The same with a field of two types, which need not read as it was written."""

    budget: int | str = 0


class Edit(Mutation[Project]):
    """What the mutations share."""

    @property
    def intent(self) -> Intent:
        """Say what it is; the risk is the default, low."""
        return Intent(operation="edit", category="project")

    @abstractmethod
    def apply(self, state: Project) -> Project:
        """Give the project after it."""

    @abstractmethod
    def difference(self, before: Project, after: Project) -> tuple[str, Any, Any]:
        """Give path, old and new value, as somebody would who knows what `apply` does."""


class AddSeats(Edit):
    """Allow more seats in one region: one field of one value of the map."""

    region: str
    seats: int = Field(ge=1)

    def check(self, state: Project) -> Iterator[Issue]:
        """Refuse a region that is not there."""
        if self.region not in state.quotas:
            yield Issue(path="/region", code="unknown", message="There is no such region.")

    def apply(self, state: Project) -> Project:
        """Add them."""
        quota = state.quotas[self.region]
        more = quota.model_copy(update={"seats": quota.seats + self.seats})
        return state.model_copy(update={"quotas": {**state.quotas, self.region: more}})

    def difference(self, before: Project, after: Project) -> tuple[str, Any, Any]:
        """Look at the seats of the region."""
        old, new = (state.quotas[self.region].seats for state in (before, after))
        return f"/quotas/{self.region}/seats", old, new


class OpenRule(Edit):
    """Open one rule: one field of one item of the keyed list."""

    id: str

    def apply(self, state: Project) -> Project:
        """Open it."""
        rules = [
            rule.model_copy(update={"open": True}) if rule.id == self.id else rule
            for rule in state.rules
        ]
        return state.model_copy(update={"rules": rules})

    def difference(self, before: Project, after: Project) -> tuple[str, Any, Any]:
        """Look at the rule."""
        old, new = (
            next(rule.open for rule in state.rules if rule.id == self.id)
            for state in (before, after)
        )
        return f"/rules/{self.id}/open", old, new


def _written(model: type[Project], pairs: int) -> str:
    return model(
        name="apollo",
        owner=Owner(team="platform", contact="ana@example.org", since=date(2024, 2, 29)),
        quotas={_region(n): Quota(seats=100 + n, gigabytes=500, plan="team") for n in range(pairs)},
        rules=[Rule(id=_rule(n), role="viewer", open=False) for n in range(pairs)],
    ).model_dump_json()


def _region(number: int) -> str:
    return f"region-{number:04}"


def _rule(number: int) -> str:
    return f"rule-{number:04}"


@cache
def _pairs(size: int) -> int:
    """Give how many quotas, and as many rules, a state of about `size` bytes of JSON has."""
    one, two = (len(_written(Project, pairs)) for pairs in (1, 2))
    return 1 + round((size - one) / (two - one))


# --- what is measured


@dataclass(frozen=True, slots=True)
class Given:
    """The input of one run."""

    state: Project
    mutations: Sequence[Edit]
    records: Sequence[MutationRecord] | None


@dataclass(frozen=True)
class Job:
    """One way to run mutations on a state, the same for both columns.

    Attributes:
        key: The name of its figure, ending in the unit.
        size: Bytes of the state as JSON, about.
        policies: How many are asked; each looks at the state and allows.
        mode: How far it goes.
        reads: Whether the new state is read as a document, as a commit to a store needs it.
        recorded: Whether the engine is handed the mutations as values, as the worker does.
        batch: How many mutations run as one change; the figure is for one of them.
        keyed: Whether the field is in an item of the keyed list; else in a value of the map.
        model: The state's type.
    """

    key: str
    size: int = SMALL
    policies: int = 1
    mode: Mode = Mode.COMMIT
    reads: bool = True
    recorded: bool = False
    batch: int = 1
    keyed: bool = False
    model: type[Project] = Project

    def mutations(self) -> list[Edit]:
        """Give what is applied: in the middle of the state, or to one region after the other."""
        pairs = _pairs(self.size)
        if self.keyed:
            return [OpenRule(id=_rule(pairs // 2))]
        first = pairs // 2
        return [
            AddSeats(region=_region((first + number) % pairs), seats=1)
            for number in range(self.batch)
        ]

    def reader(self) -> Callable[[], Given]:
        """Give what reads the input of one run: objects that nobody has looked at yet."""
        text = _written(self.model, _pairs(self.size))

        def read() -> Given:
            mutations = self.mutations()
            records = tuple(map(record, mutations)) if self.recorded else None
            return Given(self.model.model_validate_json(text), mutations, records)

        return read


JOBS = (
    Job("simulate_us", mode=Mode.SIMULATE, reads=False),
    Job("commit_us"),
    Job("unread_us", reads=False),
    Job("recorded_us", recorded=True),
    Job("commit_0_us", policies=0),
    Job("commit_10_us", policies=10),
    Job("batch_us", batch=100),
    Job("large_us", LARGE),
    Job("large_unread_us", LARGE, reads=False),
    Job("large_keyed_us", LARGE, keyed=True),
    Job("large_loose_us", LARGE, model=LooseProject),
    Job("large_0_us", LARGE, policies=0),
    Job("large_10_us", LARGE, policies=10),
    Job("large_batch_us", LARGE, batch=100),
)
DIFFS = {"diff_ms": 100, "diff_all_ms": 1}
"""Of two documents of 10,000 keys, one value in so many differs."""

AT = datetime(2026, 1, 1, tzinfo=UTC)
FACTS = Facts(AT)
CONTEXT = MutationContext(actor_id="ana", actor_name="Ana", reason="The team grows.")
SUBJECT = Subject(state_id="bench/apollo", version=7, request_id="request-1")
MOST_REGIONS = 5_000


# --- ours


class FewRegions(Policy):
    """It looks at the state, and allows."""

    def __init__(self, number: int) -> None:
        """Take a name of its own."""
        self.name = f"few_regions_{number}"

    def evaluate(
        self, mutation: Edit, state: Project, context: MutationContext, facts: Facts
    ) -> PolicyDecision:
        """Deny what has too many."""
        return deny("too many regions") if len(state.quotas) > MOST_REGIONS else allow()


def _engine(job: Job) -> Callable[[Given], ExecutionResult[Project]]:
    """Give one run of the engine; what a result may make only when it is read is read."""
    engine = Engine(clock=monotonic, new_id=map(str, count()).__next__)
    policies = [FewRegions(number) for number in range(job.policies)]
    context = CONTEXT.in_mode(job.mode)

    def run(given: Given) -> ExecutionResult[Project]:
        result = engine.execute(
            given.mutations,
            given.state,
            context=context,
            facts=FACTS,
            policies=policies,
            subject=SUBJECT,
            records=given.records,
        )
        _ = result.audit.mutations, result.audit.effect, result.audit.effect_digest
        if result.history is not None:
            _ = result.history.mutations, result.history.changes
        if job.reads:
            _ = result.document
        return result

    return run


def _diff(documents: tuple[Any, Any]) -> ChangeSet:
    return diff(*documents)


# --- by hand


@dataclass(frozen=True, slots=True)
class ByHand:
    """What is left of a change that is made by hand."""

    state: Project
    document: object
    audit: dict[str, Any]
    history: dict[str, Any] | None


def _too_many(state: Project) -> str | None:
    return "too many regions" if len(state.quotas) > MOST_REGIONS else None


def _by_hand(job: Job) -> Callable[[Given], ByHand]:
    new_id = map(str, count()).__next__
    rules = {f"few_regions_{number}": _too_many for number in range(job.policies)}
    commits = job.mode is Mode.COMMIT

    def run(given: Given) -> ByHand:
        execution_id = new_id()
        before = after = given.state
        verdicts: list[dict[str, str | None]] = []
        for mutation in given.mutations:
            for name, rule in rules.items():
                if reason := rule(after):
                    raise BenchmarkError(reason)
                verdicts.append({"policy": name, "verdict": "allow", "reason": reason})
            after = mutation.apply(after)
        found = dict.fromkeys(mutation.difference(before, after) for mutation in given.mutations)
        changes = [{"path": path, "before": old, "after": new} for path, old, new in found]
        audit = {
            "execution_id": execution_id,
            "state_id": SUBJECT.state_id,
            "at": AT,
            "actor_id": CONTEXT.actor_id,
            "reason": CONTEXT.reason,
            "mutations": [(type(each).__name__, each.model_dump()) for each in given.mutations],
            "verdicts": verdicts,
            "changes": changes,
            "version_before": SUBJECT.version,
            "version_after": SUBJECT.version + 1 if commits else None,
        }
        history = {
            "execution_id": execution_id,
            "state_id": SUBJECT.state_id,
            "version": SUBJECT.version + 1,
            "at": AT,
            "actor_id": CONTEXT.actor_id,
            "changes": changes,
        }
        document = after.model_dump(mode="json") if job.reads else None
        return ByHand(after, document, audit, history if commits else None)

    return run


def _loop(documents: tuple[Mapping[str, Any], Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    before, after = documents
    found = [
        ("removed", key, old, None) if key not in after else ("replaced", key, old, after[key])
        for key, old in before.items()
        if key not in after or after[key] != old
    ]
    found += [("added", key, None, new) for key, new in after.items() if key not in before]
    return found


# --- the same for both


def _documents(one_in: int) -> Callable[[], tuple[Any, Any]]:
    """Give what reads two flat documents that share no object; one value in so many differs."""
    before = {f"setting-{number:05}": f"value {number}" for number in range(KEYS)}
    after = {
        key: value if number % one_in else f"other {number}"
        for number, (key, value) in enumerate(before.items())
    }
    texts = json.dumps(before), json.dumps(after)
    return lambda: (json.loads(texts[0]), json.loads(texts[1]))


def _check(job: Job) -> None:
    """Refuse a job that the two do differently: their times would mean nothing."""
    given = job.reader()()
    ours, floor = _engine(job)(given), _by_hand(job)(given)
    changed = [(each.path, each.before, each.after) for each in ours.effect.changes.changes]
    same = (
        ours.is_success
        and ours.state == floor.state
        and sorted(changed) == sorted(tuple(each.values()) for each in floor.audit["changes"])
        and len(ours.audit.decisions) == len(floor.audit["verdicts"])
        and (ours.history is None) is (floor.history is None)
        and (ours.document == floor.document or not job.reads)
    )
    if not same:
        how = ours.error or ours.outcome
        message = f"{job.key}: by hand it ends otherwise than by the engine ({how})"
        raise BenchmarkError(message)


def _check_diff(key: str) -> None:
    documents = _documents(DIFFS[key])()
    ours = [(f"/{found[1]}", *found[2:]) for found in _loop(documents)]
    if ours != [(each.path, each.before, each.after) for each in _diff(documents).changes]:
        message = f"{key}: by hand other differences are found than by the engine"
        raise BenchmarkError(message)


@dataclass(frozen=True)
class _Timed:
    """Something to time. Each run takes an input of its own, which is read outside the time.

    Attributes:
        most: How many runs at most make a batch, for their inputs are held at once.
        parts: What the time of a run is divided by.
    """

    key: str
    run: Callable[[Any], object]
    read: Callable[[], Any]
    most: int
    parts: int = 1

    def seconds(self, runs: int) -> float:
        """Give the CPU seconds of a part, over so many runs: nothing here waits for anything."""
        inputs = [self.read() for _ in range(runs)]
        begun = process_time()
        for each in inputs:
            self.run(each)
        return (process_time() - begun) / (runs * self.parts)

    def warm_up(self) -> int:
        """Give how many runs make a batch, having made some."""
        quickest = min(self.seconds(1) for _ in range(5)) * self.parts
        runs = max(1, min(self.most, round(BATCH_SECONDS / quickest)))
        self.seconds(runs)
        return runs


WAYS: Mapping[str, tuple[Callable[[Job], Callable[[Any], object]], Callable[[Any], object]]] = {
    "hand": (_by_hand, _loop),
    "ours": (_engine, _diff),
}
"""The columns, and what they run: for a job, and for a diff."""


def figures(column: str) -> dict[str, float]:
    """Measure here; batches of all jobs take turns, and a figure is the median of its batches."""
    job_run, diff_run = WAYS[column]
    for job in JOBS:
        _check(job)
    for key in DIFFS:
        _check_diff(key)
    timed = [
        _Timed(job.key, job_run(job), job.reader(), most=AHEAD // job.size, parts=job.batch)
        for job in JOBS
    ]
    timed += [_Timed(key, diff_run, _documents(one_in), most=1) for key, one_in in DIFFS.items()]
    runs = [each.warm_up() for each in timed]
    spent: dict[str, list[float]] = {each.key: [] for each in timed}
    for _ in range(BATCHES):
        for each, many in zip(timed, runs, strict=True):
            unit = UNITS[each.key.rpartition("_")[2]]
            spent[each.key].append(unit * each.seconds(many))
    pairs = zip(spent["commit_us"], spent["commit_10_us"], strict=True)
    spent["policy_us"] = [(ten - one) / 9 for one, ten in pairs]
    return {key: statistics.median(values) for key, values in spent.items()}


async def measure(column: str, *, limit: float) -> dict[str, float]:
    """Give the figures of one round, made in a process of its own.

    Raises:
        ProcessEnded: It could not make them.
        NotReady: It took longer than `limit` seconds.
    """
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        file = Path(name) / "figures.json"
        command = ["-m", "benchmarks.engine", "--column", column, "--json", str(file)]
        async with running(
            f"engine process ({column})",
            [sys.executable, *command],
            folder=ROOT,
            log=Path(name) / "engine.log",
            environment=clean_environment(),
        ) as child:
            try:
                async with asyncio.timeout(limit):
                    ended = await child.ended()
            except TimeoutError as error:
                raise NotReady(f"one round of the engine ({column})", limit) from error
        if not file.exists():
            raise ended
        read: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
        return read


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--column", choices=list(WAYS), required=True, help="what to measure")
    parser.add_argument("--json", type=Path, required=True, help="file for the figures")
    options = parser.parse_args(arguments)
    options.json.write_text(json.dumps(figures(options.column), indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
