"""The rows of the budgets that are measured, beside their floor: `python -m benchmarks --help`."""

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from . import machine, plots, report
from .errors import BenchmarkError
from .measure import Size
from .sections import SECTIONS, Figures, Measured, Section

HERE = Path(__file__).resolve().parent
HONEST_ROUNDS = 3
INTERRUPTED = 130
NO_FIGURE = "This shows that it runs; it is no figure."


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _progress(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _within(low: int, high: int) -> Callable[[str], int]:
    def bounded(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            message = f"{value} is not between {low} and {high}"
            raise argparse.ArgumentTypeError(message)
        return value

    return bounded


def _sections(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(filter(None, text.split(","))))
    if unknown := [name for name in names if name not in SECTIONS]:
        message = f"there is no section {unknown[0]}; there are {', '.join(SECTIONS)}"
        raise argparse.ArgumentTypeError(message)
    return names


def _levels(text: str) -> tuple[int, ...]:
    levels = tuple(_within(2, 100_000)(part) for part in text.split(","))
    if len(levels) < 2 or list(levels) != sorted(set(levels)):
        message = "name at least two numbers, ascending"
        raise argparse.ArgumentTypeError(message)
    return levels


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    usual = Size()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    columns = sorted({key for section in SECTIONS.values() for key in section.columns})
    add(
        "--sections",
        type=_sections,
        default=tuple(SECTIONS),
        metavar="NAME,...",
        help=f"of {', '.join(SECTIONS)} (default: all)",
    )
    add(
        "--only",
        choices=columns,
        action="append",
        help="measure this column where a section has it; may be repeated",
    )
    add("--rounds", type=_within(1, 20), default=HONEST_ROUNDS, help="rounds (default 3)")
    add("--callers", type=_within(1, 256), default=usual.callers, help="callers at once (16)")
    add(
        "--requests",
        type=_within(16, 20_000),
        default=usual.requests,
        help="requests in each phase with many callers (400)",
    )
    add("--lone", type=_within(1, 1000), default=usual.lone, help="approvals for a latency (30)")
    add(
        "--waiting",
        type=_levels,
        default=usual.waiting,
        metavar="N,...",
        help="how many requests wait, ascending (10,1000,10000)",
    )
    add("--kills", type=_within(1, 20), default=usual.kills, help="kills of the worker a round (3)")
    add("--hot", type=_within(20, 20_000), default=usual.hot, help="requests on one state (200)")
    add("--limit", type=_within(10, 7200), help="seconds a column may take in a round")
    add("--json", type=Path, help="write every round, the medians and the machine to this file")
    add("--render", type=Path, help="measure nothing: show and publish what --json wrote")
    add("--no-publish", action="store_true", help="leave the README and the plots as they are")
    add("--quick", action="store_true", help="one round of little, to see that it runs; no figures")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds = 1
    return options


def _size(options: argparse.Namespace) -> Size:
    size = Size(
        callers=options.callers,
        requests=options.requests,
        lone=options.lone,
        waiting=options.waiting,
        kills=options.kills,
        hot=options.hot,
        limit=options.limit,
    )
    if not options.quick:
        return size
    return replace(size, requests=64, lone=5, waiting=(10, 50, 200), kills=1, hot=40)


def _columns(section: Section, only: Sequence[str] | None) -> dict[str, Measured]:
    """Give those that can run here; one asked for by name must."""
    chosen: dict[str, Measured] = {}
    for key in dict.fromkeys(only or section.default):
        column = section.columns.get(key)
        if column is None:
            continue
        if why := column.missing():
            if only:
                message = f"{column.name} cannot be measured: {why}"
                raise BenchmarkError(message)
            _progress(f"{column.name} is left out: {why}")
        else:
            chosen[key] = column
    return chosen


async def _rounds(
    name: str, columns: Sequence[Measured], size: Size, count: int
) -> dict[str, list[Figures]]:
    """Measure every column in every round; each round begins with the next one."""
    limit = size.limit or SECTIONS[name].limit
    measured: dict[str, list[Figures]] = {column.name: [] for column in columns}
    for number in range(count):
        first = number % len(columns)
        for column in [*columns[first:], *columns[:first]]:
            begun = asyncio.get_running_loop().time()
            figures = await column.measure(size, limit)
            took = asyncio.get_running_loop().time() - begun
            measured[column.name].append(figures)
            _progress(
                f"{name}, round {number + 1} of {count}, {column.name} ({took:.0f} s): "
                + ", ".join(f"{key} {report.number(value)}" for key, value in figures.items())
            )
    return measured


def _medians(rounds: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    return {
        name: {key: statistics.median(own[key] for own in figures) for key in figures[0]}
        for name, figures in rounds.items()
    }


def _expected(plan: Mapping[str, Mapping[str, Measured]], size: Size, rounds: int) -> str:
    """Say about how long it takes."""
    minutes = {
        name: SECTIONS[name].seconds(size) * len(columns) * SECTIONS[name].count(rounds) / 60
        for name, columns in plan.items()
    }
    parts = ", ".join(f"{name} {spent:.1f}" for name, spent in minutes.items())
    return f"This takes about {sum(minutes.values()):.0f} minutes on two quiet cores: {parts}."


async def _measured(options: argparse.Namespace) -> dict[str, Any]:
    """Measure, and give the document that --json writes."""
    size = _size(options)
    planned = {name: _columns(SECTIONS[name], options.only) for name in options.sections}
    plan = {name: columns for name, columns in planned.items() if columns}
    if not plan:
        raise BenchmarkError("nothing of what was asked for can be measured")
    _progress(_expected(plan, size, options.rounds))
    document: dict[str, Any] = {"machine": await machine.describe(), "sections": {}}
    usual = asdict(replace(Size(), limit=size.limit)) == asdict(size)
    for name, columns in plan.items():
        count = SECTIONS[name].count(options.rounds)
        document["sections"][name] = {
            "size": asdict(size),
            "whole": usual
            and options.rounds >= HONEST_ROUNDS
            and set(SECTIONS[name].default) <= set(columns),
            "rounds": await _rounds(name, list(columns.values()), size, count),
        }
        if options.json:  # after each section: a later one may fail
            options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return document


def _show(name: str, told: Mapping[str, Any], words: Mapping[str, str]) -> None:
    section = SECTIONS[name]
    rows = section.rows(_read_size(told))
    medians = _medians(told["rounds"])
    count = len(next(iter(told["rounds"].values())))
    _say(f"{section.title}\n\n{report.table(rows, medians, section.floor)}\n")
    if drawn := report.bars(rows, medians):
        _say(drawn + "\n")
    _say(f"{report.rounds(count)}; {report.machine(words)}.")
    if not told["whole"]:
        _say(NO_FIGURE)
    _say("")


def _read_size(told: Mapping[str, Any]) -> Size:
    return Size(**{**told["size"], "waiting": tuple(told["size"]["waiting"])})


def _publish(name: str, told: Mapping[str, Any], words: Mapping[str, str]) -> None:
    """Put the table into the README and the picture beside it."""
    section = SECTIONS[name]
    rows = section.rows(_read_size(told))
    medians = _medians(told["rounds"])
    count = len(next(iter(told["rounds"].values())))
    folder = HERE / "plots"
    folder.mkdir(exist_ok=True)
    picture = plots.svg(section.title, rows, medians, told["rounds"], section.floor)
    (folder / f"{name}.svg").write_text(picture, encoding="utf-8")
    text = (
        f"{report.table(rows, medians, section.floor)}\n\n"
        f"{report.rounds(count)}; {report.machine(words)}.\n\n"
        f"![{section.title}, as bars](plots/{name}.svg)"
    )
    report.put(HERE / "README.md", name, text)


async def _run(options: argparse.Namespace) -> None:
    if options.render:
        document = json.loads(options.render.read_text(encoding="utf-8"))
    else:
        document = await _measured(options)
    for name, told in document["sections"].items():
        _show(name, told, document["machine"])
        if options.no_publish:
            continue
        if told["whole"]:
            _publish(name, told, document["machine"])
        else:
            _progress(f"{name}: not in full, so the README and its plot are left as they are")


async def _main(options: argparse.Namespace) -> int:
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(_run(options))
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, running.cancel)  # so that what was started is ended
    code = 0
    try:
        await running
    except asyncio.CancelledError:
        code = INTERRUPTED
    except BaseExceptionGroup as group:
        _progress(f"no figures: {_first(group)}")
        code = 1
    except BenchmarkError as error:
        _progress(f"no figures: {error}")
        code = 1
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0.1)  # the SDK's threads may abort a process that ends at once
    return code


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give the first error inside: sixteen callers fail with sixteen of the same."""
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, publish, and end without the interpreter's teardown."""
    options = _options(arguments)
    code = asyncio.run(_main(options))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # as the SDK's own test run: its threads may abort an ordinary exit


if __name__ == "__main__":
    main()
