"""Bars as SVG, without a library: a panel for each row, a dot for each round, a line for a goal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from .budgets import Row
from .report import number

WIDTH = 760
LEFT = 150
RIGHT = 90
BAR = 18
GAP = 6
HEAD = 34
FOOT = 26
LABEL = 90
FLOOR = "#8a94a6"
OTHERS = ("#2f6fde", "#3a9d6e", "#c77d2e")
GOALS = (("must", "#b3261e"), ("aim", "#1a7f37"))

Medians = Mapping[str, Mapping[str, float]]
"""The medians: by column, by row key."""

Rounds = Mapping[str, Sequence[Mapping[str, float]]]
"""Every round's figures: by column, round after round, by row key."""


def _text(x: float, y: float, words: str, **attributes: str) -> str:
    written = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{written}>{escape(words)}</text>'


@dataclass(frozen=True)
class _Bar:
    label: str
    value: float
    rounds: Sequence[float]
    colour: str


@dataclass(frozen=True)
class _Panel:
    heading: str
    more_is_better: bool
    bars: Sequence[_Bar]
    limits: Sequence[tuple[str, str, float]] = ()


def _limits(row: Row, base: float | None) -> list[tuple[str, str, float]]:
    return [
        (word, colour, limit)
        for (word, colour), goal in zip(GOALS, (row.must, row.aim), strict=True)
        if goal and (limit := goal.limit(base)) is not None
    ]


def _panels(
    rows: Sequence[Row], medians: Medians, rounds: Rounds, floor: str | None
) -> list[_Panel]:
    """Give what is worth a picture: what has a goal, or something beside it."""
    others = [name for name in medians if name != floor]
    colours = {name: OTHERS[place % len(OTHERS)] for place, name in enumerate(others)}
    panels: list[_Panel] = []
    for heading, together in groupby(rows, key=lambda row: row.beside or row.what):
        group = list(together)
        bars = [
            _Bar(
                " ".join(filter(None, (name if len(medians) > 1 or not row.bar else "", row.bar))),
                medians[name][row.key],
                [own[row.key] for own in rounds[name]],
                colours.get(name, FLOOR),
            )
            for row in group
            for name in medians
            if row.key in medians[name]
        ]
        base = medians[floor].get(group[0].key) if floor and floor in medians else None
        limits = _limits(group[0], base)
        if len(bars) > 1 or (bars and limits):
            panels.append(_Panel(heading, group[0].more_is_better, bars, limits))
    return panels


def _drawn(panel: _Panel, top: float) -> tuple[list[str], float]:
    """Give the elements of a panel, and where the next one begins."""
    seen = [value for bar in panel.bars for value in (bar.value, *bar.rounds)]
    scale = (WIDTH - LEFT - RIGHT) / (max([*seen, *(limit for _, _, limit in panel.limits)]) or 1)
    better = "more is better" if panel.more_is_better else "less is better"
    parts = [
        _text(8, top + 20, panel.heading, font_weight="600"),
        _text(WIDTH - 8, top + 20, better, text_anchor="end", fill="#6b7280"),
    ]
    y = top + HEAD
    for bar in panel.bars:
        middle = y + BAR / 2
        parts.append(_text(LEFT - 8, middle + 4, bar.label, text_anchor="end"))
        parts.append(
            f'<rect x="{LEFT}" y="{y:.1f}" width="{bar.value * scale:.1f}" height="{BAR}"'
            f' fill="{bar.colour}"/>'
        )
        parts += [
            f'<circle cx="{LEFT + value * scale:.1f}" cy="{middle:.1f}" r="2.5"'
            ' fill="#fff" stroke="#111827"/>'
            for value in bar.rounds
        ]
        shown = number(bar.value)
        parts.append(_text(WIDTH - 8, middle + 4, shown, text_anchor="end", font_weight="600"))
        y += BAR + GAP
    crowded = len(panel.limits) > 1 and (
        abs(panel.limits[0][2] - panel.limits[1][2]) * scale < LABEL
    )
    for place, (word, colour, limit) in enumerate(panel.limits):
        x = LEFT + limit * scale
        low = y + 10 + (12 if crowded and place else 0)
        parts.append(
            f'<line x1="{x:.1f}" y1="{top + HEAD - 4:.1f}" x2="{x:.1f}" y2="{low - 9:.1f}"'
            f' stroke="{colour}" stroke-width="1.5" stroke-dasharray="4 3"/>'
        )
        words = f"{word} {limit:,.4g}" if limit < 1000 else f"{word} {limit:,.0f}"
        parts.append(_text(x, low, words, text_anchor="middle", fill=colour, font_size="10"))
    return parts, y + (FOOT if panel.limits else GAP) + (12 if crowded else 0)


def svg(
    title: str,
    rows: Sequence[Row],
    medians: Medians,
    rounds: Rounds,
    floor: str | None,
) -> str:
    """Give the picture of one section."""
    parts: list[str] = []
    top = 34.0
    for panel in _panels(rows, medians, rounds, floor):
        drawn, top = _drawn(panel, top)
        parts += drawn
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top:.0f}" role="img"'
        f' font-family="system-ui, sans-serif" font-size="12" fill="#111827">'
        f"<title>{escape(title)}</title>"
        f'<rect width="{WIDTH}" height="{top:.0f}" fill="#ffffff"/>'
    )
    return "\n".join(
        [head, _text(8, 22, title, font_size="15", font_weight="700"), *parts, "</svg>", ""]
    )
