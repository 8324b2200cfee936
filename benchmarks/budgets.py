"""The rows of the table: what is measured, and the must and the aim of each in the budgets."""

from dataclasses import dataclass

from .measure import Size


@dataclass(frozen=True)
class Goal:
    """A bound for our figure: a multiple of BARE, or (`absolute`) a number in the row's unit."""

    bound: float
    absolute: bool = False
    note: str = ""

    def __str__(self) -> str:
        """Give it as the budgets write it."""
        bound = f"{self.bound:,g}"
        return (bound if self.absolute else f"{bound} x") + self.note

    def limit(self, floor: float | None) -> float | None:
        """Give the bound in the row's unit, `floor` being the yardstick's figure if any."""
        if self.absolute:
            return self.bound
        return None if floor is None else self.bound * floor


@dataclass(frozen=True)
class Row:
    """One figure of a subject, by the name under which `measure` gives it.

    Attributes:
        key: That name.
        what: What the table calls it.
        more_is_better: Else less is.
        must: What OURS has to keep.
        aim: What OURS is meant to reach.
        beside: The heading under which a picture shows it, on one scale with others of that
            heading; without it, it is shown by itself.
        bar: What it is called there.
    """

    key: str
    what: str
    more_is_better: bool = False
    must: Goal | None = None
    aim: Goal | None = None
    beside: str = ""
    bar: str = ""

    def verdict(self, ours: float, floor: float | None) -> str:
        """Give the better goal that `ours` keeps: aim, must, NO; empty where it cannot be told."""
        told = False
        for word, goal in (("aim", self.aim), ("must", self.must)):
            limit = goal.limit(floor) if goal else None
            if limit is None:
                continue
            told = True
            if (ours >= limit) if self.more_is_better else (ours <= limit):
                return word
        return "NO" if told else ""


CPU = (
    Row("cpu_server_ms", "of it server, ms"),
    Row("cpu_worker_ms", "of it worker, ms"),
    Row("cpu_caller_ms", "of it caller, ms"),
)


def throughput(size: Size) -> tuple[Row, ...]:
    """Give the rows of the whole job; the goals hold for sixteen callers."""
    return (
        Row(
            "requests_per_s",
            f"requests/s, {size.callers} callers, approved at once",
            more_is_better=True,
            must=Goal(1.2),
            aim=Goal(1.6),
        ),
        Row(
            "approvals_per_s",
            f"approvals/s, waiting requests, {size.callers} approvers",
            more_is_better=True,
            must=Goal(1.5),
            aim=Goal(2.0),
        ),
        Row(
            "lone_ms",
            "one approval to terminal, p50, alone, ms",
            must=Goal(0.6),
            aim=Goal(0.42, note=", 16 ms"),
        ),
        Row("cpu_ms", "CPU a request, all processes, ms", must=Goal(0.9), aim=Goal(0.75)),
        *CPU,
        Row(
            "events",
            "history events, one approval, later",
            must=Goal(20, absolute=True),
            aim=Goal(17, absolute=True),
        ),
    )


def waiting(size: Size) -> tuple[Row, ...]:
    """Give the rows of many waiting requests; the goals hold for 10 and 10,000 of them."""
    few, many = size.waiting[0], size.waiting[-1]
    return (
        Row(
            "waiting_per_gib",
            f"waiting requests by GiB of worker, {many:,} waiting",
            more_is_better=True,
            must=Goal(20_000, absolute=True),
            aim=Goal(27_000, absolute=True),
        ),
        *(
            Row(
                f"worker_{level}_mib",
                f"memory of the worker, {level:,} waiting, MiB",
                beside="memory of the worker, MiB",
                bar=f"{level:,} waiting",
            )
            for level in size.waiting
        ),
        *(
            Row(
                f"waiting_{level}_ms",
                f"one approval to terminal, p50, {level:,} waiting, ms",
                beside="one approval to terminal, p50, while others wait, ms",
                bar=f"{level:,} waiting",
            )
            for level in size.waiting
        ),
        Row(
            "waiting_growth",
            f"the same with {many:,} waiting, over that with {few}",
            must=Goal(2, absolute=True, note=" x"),
            aim=Goal(1.3, absolute=True, note=" x"),
        ),
        Row(
            "restart_s",
            f"worker killed, started again, {many:,} waiting: first decision served, s",
            must=Goal(10, absolute=True),
            aim=Goal(3, absolute=True),
        ),
    )


def hot(size: Size) -> tuple[Row, ...]:
    """Give the rows of one state that many requests change; the goals hold for 200 from 20."""
    return (
        Row(
            "apart_per_s",
            f"commits/s, {size.hot} states, {size.hot_tasks} tasks, approved by policy",
            more_is_better=True,
            beside="commits/s, approved by policy",
            bar=f"{size.hot} states",
        ),
        Row(
            "hot_per_s",
            "commits/s, the same on one state",
            more_is_better=True,
            beside="commits/s, approved by policy",
            bar="one state",
        ),
        Row(
            "hot_share",
            f"one state over {size.hot} states",
            more_is_better=True,
            must=Goal(0.5, absolute=True, note=" x"),
            aim=Goal(0.9, absolute=True, note=" x"),
        ),
    )


def engine(_size: Size) -> tuple[Row, ...]:
    """Give the rows of the engine in memory, which have one size; microseconds a run."""
    return (
        *(
            Row(
                key,
                f"{what}, 1 KB state, one policy, us",
                must=Goal(30, absolute=True),
                aim=Goal(12, absolute=True),
                beside="1 KB state, one policy, us",
                bar=bar,
            )
            for key, what, bar in (
                ("simulate_us", "simulate", "simulate"),
                ("commit_us", "commit", "commit"),
                ("unread_us", "commit, new document not read", "not read"),
                ("recorded_us", "commit, mutation digested before", "digested"),
            )
        ),
        *(
            Row(
                f"commit_{many}_us",
                f"commit, 1 KB state, {bar}, us",
                beside="commit, 1 KB state, us",
                bar=bar,
            )
            for many, bar in ((0, "no policy"), (10, "ten policies"))
        ),
        Row(
            "policy_us",
            "each further policy, us",
            must=Goal(2, absolute=True),
            aim=Goal(0.5, absolute=True),
        ),
        *(
            Row(
                key,
                f"commit, 100 KB state, one policy, one field changed, {what}, us",
                must=Goal(1_000, absolute=True),
                aim=Goal(200, absolute=True),
                beside="commit, 100 KB state, one policy, one field changed, us",
                bar=bar,
            )
            for key, what, bar in (
                ("large_us", "in a map", "in a map"),
                ("large_unread_us", "new document not read", "not read"),
                ("large_keyed_us", "in a keyed list", "in a list"),
                ("large_loose_us", "beside a field of two types", "two types"),
            )
        ),
        *(
            Row(
                f"large_{many}_us",
                f"commit, 100 KB state, {bar}, us",
                beside="commit, 100 KB state, us",
                bar=bar,
            )
            for many, bar in ((0, "no policy"), (10, "ten policies"))
        ),
        *(
            Row(
                key,
                f"100 mutations as one commit, {bar} state, one policy, each, us",
                beside="100 mutations as one commit, one policy, each, us",
                bar=bar,
            )
            for key, bar in (("batch_us", "1 KB"), ("large_batch_us", "100 KB"))
        ),
        *(
            Row(
                key,
                f"diff of 10,000 keys, {bar} changed, ms",
                must=Goal(20, absolute=True),
                aim=Goal(5, absolute=True),
                beside="diff of 10,000 keys, ms",
                bar=bar,
            )
            for key, bar in (("diff_ms", "1%"), ("diff_all_ms", "all"))
        ),
    )


def peers(size: Size) -> tuple[Row, ...]:
    """Give the rows that can be compared with a way of doing the job without Temporal."""
    return (
        Row(
            "requests_per_s",
            f"requests/s, {size.callers} callers, approved at once",
            more_is_better=True,
        ),
        Row(
            "approvals_per_s",
            f"approvals/s, waiting requests, {size.callers} approvers",
            more_is_better=True,
        ),
        Row("lone_ms", "one approval to terminal, p50, alone, ms"),
        Row("cpu_ms", "CPU a request, all processes, ms"),
        Row("cpu_server_ms", "of it servers, ms"),
        Row("cpu_worker_ms", "of it worker, ms (DBOS: and caller)"),
        Row("cpu_caller_ms", "of it caller, ms"),
    )
