"""Bars as SVG, without a library: a panel for each row, a dot for each round, a line for a goal."""

from collections.abc import Mapping, Sequence
from html import escape

from .budgets import Row
from .report import number

WIDTH = 760
LEFT = 150
RIGHT = 90
BAR = 18
GAP = 6
HEAD = 34
FOOT = 26
COLOURS = ("#8a94a6", "#2f6fde", "#3a9d6e", "#c77d2e")
GOALS = (("must", "#b3261e"), ("aim", "#1a7f37"))

Rounds = Mapping[str, Sequence[Mapping[str, float]]]
"""Every round's figures: by column, round after round, by row key."""


def _text(x: float, y: float, words: str, **attributes: str) -> str:
    written = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{written}>{escape(words)}</text>'


def _panel(
    row: Row,
    medians: Mapping[str, Mapping[str, float]],
    rounds: Rounds,
    floor: str | None,
    top: float,
) -> tuple[list[str], float]:
    """Give one row's elements, and where the next panel begins."""
    names = [name for name in medians if row.key in medians[name]]
    base = medians[floor].get(row.key) if floor and floor in medians else None
    limits = [
        (word, colour, limit)
        for (word, colour), goal in zip(GOALS, (row.must, row.aim), strict=True)
        if goal and (limit := goal.limit(base)) is not None
    ]
    seen = [own[row.key] for name in names for own in rounds[name]]
    largest = max([*seen, *(limit for _, _, limit in limits)], default=0) or 1
    scale = (WIDTH - LEFT - RIGHT) / largest
    better = "more is better" if row.more_is_better else "less is better"
    parts = [
        _text(8, top + 20, row.what, font_weight="600"),
        _text(WIDTH - 8, top + 20, better, text_anchor="end", fill="#6b7280"),
    ]
    y = top + HEAD
    for place, name in enumerate(medians):
        if name not in names:
            continue
        value = medians[name][row.key]
        middle = y + BAR / 2
        parts.append(_text(LEFT - 8, middle + 4, name, text_anchor="end"))
        parts.append(
            f'<rect x="{LEFT}" y="{y}" width="{value * scale:.1f}" height="{BAR}"'
            f' fill="{COLOURS[place % len(COLOURS)]}"/>'
        )
        parts += [
            f'<circle cx="{LEFT + own[row.key] * scale:.1f}" cy="{middle}" r="2.5"'
            ' fill="#fff" stroke="#111827"/>'
            for own in rounds[name]
        ]
        furthest = max(value, *(own[row.key] for own in rounds[name])) * scale
        parts.append(_text(LEFT + furthest + 8, middle + 4, number(value)))
        y += BAR + GAP
    for word, colour, limit in limits:
        x = LEFT + limit * scale
        parts.append(
            f'<line x1="{x:.1f}" y1="{top + HEAD - 4}" x2="{x:.1f}" y2="{y}"'
            f' stroke="{colour}" stroke-width="1.5" stroke-dasharray="4 3"/>'
        )
        parts.append(
            _text(
                x,
                y + 10 if word == "must" else top + HEAD - 6,
                f"{word} {number(limit)}",
                text_anchor="middle",
                fill=colour,
                font_size="10",
            )
        )
    return parts, y + FOOT


def svg(
    title: str,
    rows: Sequence[Row],
    medians: Mapping[str, Mapping[str, float]],
    rounds: Rounds,
    floor: str | None,
) -> str:
    """Give the picture of one section."""
    parts: list[str] = []
    top = 34.0
    for row in rows:
        panel, top = _panel(row, medians, rounds, floor, top)
        parts += panel
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top:.0f}" role="img"'
        f' font-family="system-ui, sans-serif" font-size="12" fill="#111827">'
        f"<title>{escape(title)}</title>"
        f'<rect width="{WIDTH}" height="{top:.0f}" fill="#ffffff"/>'
    )
    return "\n".join(
        [head, _text(8, 22, title, font_size="15", font_weight="700"), *parts, "</svg>", ""]
    )
