"""The table, the bars and the machine, as text; and the section of the README they make."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from .budgets import Row
from .errors import BenchmarkError

BAR = 40

Figures = Mapping[str, Mapping[str, float]]
"""The medians: by column, by row key."""


def number(value: float) -> str:
    """Give a figure with as many digits as mean something."""
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _ratio(value: float | None, floor: float | None) -> str:
    return f"{value / floor:.2f}" if value is not None and floor else ""


def _cells(
    row: Row, figures: Figures, others: Sequence[str], floor: str | None, *, goals: bool
) -> list[str]:
    base = figures[floor].get(row.key) if floor else None
    values = [figures[name].get(row.key) for name in others]
    shown = [base, *values] if floor else values
    cells = [row.what, *("" if value is None else number(value) for value in shown)]
    if floor and others:
        cells.append(" / ".join(_ratio(value, base) for value in values))
    if goals:
        verdicts = [row.verdict(value, base) for value in values if value is not None]
        cells += [str(goal) if goal else "" for goal in (row.must, row.aim)]
        cells.append(" / ".join(filter(None, verdicts)))
    return cells


def table(rows: Sequence[Row], figures: Figures, floor: str | None = None) -> str:
    """Give the figures as a Markdown table; ratios beside the column `floor` if it was measured."""
    floor = floor if floor in figures else None
    others = [name for name in figures if name != floor]
    goals = bool(others) and any(row.must for row in rows)
    heading = ["what", *([floor] if floor else []), *others]
    heading += ["ratio"] if floor and others else []
    heading += ["must", "aim", "met"] if goals else []
    lines = [heading, *(_cells(row, figures, others, floor, goals=goals) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    written = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    written.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(written)


def bars(rows: Sequence[Row], figures: Figures) -> str:
    """Give a bar for each column under each row that has a goal."""
    width = max(len(name) for name in figures)
    lines: list[str] = []
    for row in rows:
        if not row.must:
            continue
        better = "more is better" if row.more_is_better else "less is better"
        lines.append(f"{row.what} ({better})")
        values = {name: own[row.key] for name, own in figures.items() if row.key in own}
        largest = max(values.values())
        for name, value in values.items():
            bar = "#" * max(1, round(BAR * value / largest)) if largest else ""
            lines.append(f"  {name.ljust(width)} {bar} {number(value)}")
    return "\n".join(lines)


def rounds(count: int) -> str:
    """Say what the figures are medians of."""
    return f"Medians over {count} rounds" if count > 1 else "Medians within one round"


def machine(words: Mapping[str, str]) -> str:
    """Give the machine and the versions in one line."""
    return ", ".join(f"{name} {value}" for name, value in words.items())


def put(readme: Path, name: str, text: str) -> None:
    """Replace what stands in `readme` between the two markers of the section `name`.

    Raises `BenchmarkError` when the markers are not there.
    """
    begin, end = f"<!-- {name}: begin, generated -->", f"<!-- {name}: end -->"
    whole = readme.read_text(encoding="utf-8")
    before, found, rest = whole.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        message = f"the README has no place for {name}: {begin} {end}"
        raise BenchmarkError(message)
    readme.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}", encoding="utf-8")
