"""What can be measured, section by section; each can be run by itself."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from . import budgets, engine, measure, postgres
from .bare import Bare
from .budgets import Row
from .dbos_subject import Dbos
from .measure import Size
from .ours import Ours, OursByPolicy, OursByUpdate, OursOnPostgres
from .subject import Subject

Figures = dict[str, float]


@dataclass(frozen=True)
class Measured:
    """One column of a section.

    Attributes:
        name: The column's heading.
        missing: Says why it cannot be measured here, or nothing when it can.
        measure: Gives the figures of one round, which may take so many seconds.
    """

    name: str
    missing: Callable[[], str | None]
    measure: Callable[[Size, float], Awaitable[Figures]]


@dataclass(frozen=True)
class Section:
    """Figures that are measured in the same rounds.

    Attributes:
        title: What it answers, as a heading.
        columns: What can be measured, by the name on the command line.
        default: What is measured when nothing is named; the first is compared with.
        rows: The table's rows.
        limit: Seconds that one column may take in one round.
        seconds: About how long one column takes in one round, on two quiet cores.
        floor: The heading of the column that others are compared with, if there is one.
        rounds: How many rounds it has whatever is asked for, where it repeats within a round.
    """

    title: str
    columns: Mapping[str, Measured]
    default: tuple[str, ...]
    rows: Callable[[Size], tuple[Row, ...]]
    limit: float
    seconds: Callable[[Size], float]
    floor: str | None = None
    rounds: int | None = None

    def count(self, asked: int) -> int:
        """Give how many rounds it has when so many are asked for."""
        return asked if self.rounds is None else self.rounds


ATTRIBUTES = Ours.search_attributes
"""Every server knows the same: it is the same server for every subject."""


async def _throughput(subject: Subject, size: Size, limit: float) -> Figures:
    return await measure.throughput(subject, size, ATTRIBUTES, limit=limit)


async def _waiting(subject: Subject, size: Size, limit: float) -> Figures:
    return await measure.waiting(subject, size, ATTRIBUTES, limit=limit)


async def _hot(size: Size, limit: float) -> Figures:
    return await measure.hot(OursByPolicy(), size, ATTRIBUTES, limit=limit)


async def _on_postgres(size: Size, limit: float) -> Figures:
    async with postgres.postgres_server() as server:
        subject = OursOnPostgres(await postgres.migrated(server))
        return await measure.throughput(
            subject, size, ATTRIBUTES, limit=limit, services=server.cpu_seconds
        )


async def _dbos(size: Size, limit: float) -> Figures:
    return await Dbos().measure(size, limit=limit)


def _engine(name: str, column: str) -> Measured:
    async def work(_size: Size, limit: float) -> Figures:
        return await engine.measure(column, limit=limit)

    return Measured(name, lambda: None, work)


def _no_postgres() -> str | None:
    return Ours().missing() or postgres.missing()


def _columns(
    work: Callable[[Subject, Size, float], Awaitable[Figures]], **subjects: Subject
) -> Mapping[str, Measured]:
    return {
        key: Measured(subject.name, subject.missing, partial(work, subject))
        for key, subject in subjects.items()
    }


def _whole_job(size: Size) -> float:
    return 12 + 0.3 * size.lone + size.requests / 20


SECTIONS: Mapping[str, Section] = {
    "throughput": Section(
        title="The whole job",
        columns=_columns(_throughput, bare=Bare(), ours=Ours(), update=OursByUpdate()),
        default=("bare", "ours"),
        rows=budgets.throughput,
        limit=300,
        seconds=_whole_job,
        floor=Bare.name,
    ),
    "waiting": Section(
        title="Many requests wait",
        columns=_columns(_waiting, bare=Bare(), ours=Ours()),
        default=("ours",),
        rows=budgets.waiting,
        limit=1800,
        seconds=lambda size: (
            15 + size.waiting[-1] / 40 + 0.3 * size.lone * len(size.waiting) + 5 * size.kills
        ),
        rounds=1,  # every latency is a median of many, and so is the time after a kill
    ),
    "hot": Section(
        title="One state that everybody changes",
        columns={"ours": Measured(Ours.name, Ours().missing, _hot)},
        default=("ours",),
        rows=budgets.hot,
        limit=300,
        seconds=lambda size: 10 + size.hot / 15,
    ),
    "peers": Section(
        title="Beside DBOS, on PostgreSQL",
        columns={
            "dbos": Measured(Dbos.name, Dbos().missing, _dbos),
            "ours": Measured(OursOnPostgres.name, _no_postgres, _on_postgres),
        },
        default=("dbos", "ours"),
        rows=budgets.peers,
        limit=300,
        seconds=_whole_job,
        floor=Dbos.name,
    ),
    "engine": Section(
        title="The engine in memory",
        columns={"hand": _engine("BY HAND", "hand"), "ours": _engine(Ours.name, "ours")},
        default=("hand", "ours"),
        rows=budgets.engine,
        limit=120,
        seconds=lambda _size: 4,
        floor="BY HAND",
    ),
}
