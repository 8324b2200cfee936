"""The rows of the table: what is measured, and the must and the aim of each in the budgets."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """A bound for our figure: a multiple of BARE, or (`absolute`) a number in the row's unit."""

    bound: float
    absolute: bool = False
    note: str = ""

    def __str__(self) -> str:
        """Give it as the budgets write it."""
        return (f"{self.bound:g}" if self.absolute else f"{self.bound:g} x") + self.note

    def met(self, ours: float, bare: float, *, more_is_better: bool) -> bool:
        """Tell whether `ours` keeps the bound, `bare` being the yardstick's figure."""
        limit = self.bound if self.absolute else self.bound * bare
        return ours >= limit if more_is_better else ours <= limit


@dataclass(frozen=True)
class Row:
    """One figure of a subject, by the name under which `measure` gives it."""

    key: str
    what: str
    more_is_better: bool = False
    must: Goal | None = None
    aim: Goal | None = None

    def verdict(self, ours: float, bare: float) -> str:
        """Give the better goal that `ours` keeps: aim, must, or NO; empty without goals."""
        for word, goal in (("aim", self.aim), ("must", self.must)):
            if goal and goal.met(ours, bare, more_is_better=self.more_is_better):
                return word
        return "NO" if self.must else ""


def rows(callers: int) -> tuple[Row, ...]:
    """Give the rows for `callers` callers; the goals hold for sixteen."""
    return (
        Row(
            "requests_per_s",
            f"requests/s, {callers} callers, approved at once",
            more_is_better=True,
            must=Goal(1.2),
            aim=Goal(1.6),
        ),
        Row(
            "approvals_per_s",
            f"approvals/s, waiting requests, {callers} approvers",
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
        Row(
            "cpu_ms",
            "CPU a request, all three processes, ms",
            must=Goal(0.9),
            aim=Goal(0.75),
        ),
        Row("cpu_server_ms", "  of it server, ms"),
        Row("cpu_worker_ms", "  of it worker, ms"),
        Row("cpu_caller_ms", "  of it caller, ms"),
        Row(
            "events",
            "history events, one approval, later",
            must=Goal(20, absolute=True),
            aim=Goal(17, absolute=True),
        ),
    )
