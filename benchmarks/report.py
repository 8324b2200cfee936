"""The table, the bars and the machine, as text."""

from collections.abc import Mapping, Sequence

from .budgets import Row

BAR = 40
YARDSTICK = "BARE"

Figures = Mapping[str, Mapping[str, float]]
"""The medians: by subject, by row key."""


def _number(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else f"{value:.1f}"


def _cells(row: Row, figures: Figures, names: Sequence[str]) -> list[str]:
    values = [figures[name][row.key] for name in names]
    cells = [row.what, *(_number(value) for value in values)]
    must, aim = (str(goal) if goal else "" for goal in (row.must, row.aim))
    if len(values) == 1:
        return [*cells, must, aim]
    bare, *others = values
    ratios = [f"{other / bare:.2f}" if bare else "" for other in others]
    verdicts = [row.verdict(other, bare) for other in others]
    return [*cells, " / ".join(ratios), must, aim, " / ".join(filter(None, verdicts))]


def table(rows: Sequence[Row], figures: Figures) -> str:
    """Give the figures as a Markdown table; ratio and verdict only beside the yardstick."""
    names = sorted(figures, key=lambda name: name != YARDSTICK)
    if YARDSTICK in figures:
        compared = ["ratio", "must", "aim", "met"] if len(names) > 1 else ["must", "aim"]
        lines = [["what", *names, *compared], *(_cells(row, figures, names) for row in rows)]
    else:
        lines = [["what", *names]]
        lines += [[row.what, *(_number(figures[name][row.key]) for name in names)] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    written = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    written.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(written)


def bars(rows: Sequence[Row], figures: Figures) -> str:
    """Give a bar for each subject under each row that has a goal."""
    width = max(len(name) for name in figures)
    lines: list[str] = []
    for row in rows:
        if not row.must:
            continue
        better = "more is better" if row.more_is_better else "less is better"
        lines.append(f"{row.what} ({better})")
        largest = max(values[row.key] for values in figures.values())
        for name, values in figures.items():
            value = values[row.key]
            bar = "#" * max(1, round(BAR * value / largest)) if largest else ""
            lines.append(f"  {name.ljust(width)} {bar} {_number(value)}")
    return "\n".join(lines)


def machine(words: Mapping[str, str]) -> str:
    """Give the machine and the versions in one line."""
    return ", ".join(f"{name} {value}" for name, value in words.items())
