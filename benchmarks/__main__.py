"""BARE beside OURS in interleaved rounds: `python -m benchmarks --help`."""

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from . import machine, report
from .bare import Bare
from .budgets import rows
from .errors import BenchmarkError
from .measure import Size, measure
from .ours import Ours, OursByUpdate
from .subject import Subject

HONEST_ROUNDS = 3
INTERRUPTED = 130
SUBJECTS: Mapping[str, Subject] = {"bare": Bare(), "ours": Ours(), "update": OursByUpdate()}


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


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=_within(1, 20), default=HONEST_ROUNDS, help="rounds (default 3)")
    add("--callers", type=_within(1, 256), default=16, help="callers at once (default 16)")
    add(
        "--requests",
        type=_within(16, 20_000),
        default=400,
        help="requests in each of the two phases with many callers (default 400)",
    )
    add("--lone", type=_within(1, 1000), default=30, help="lone approvals a round (default 30)")
    add("--limit", type=_within(10, 3600), default=300, help="seconds a round may take a subject")
    add(
        "--only",
        choices=SUBJECTS,
        action="append",
        help="measure this subject; may be repeated (default: bare and ours)",
    )
    add("--json", type=Path, help="write every round, the medians and the machine to this file")
    add("--quick", action="store_true", help="one short round, to see that it runs; no figures")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.requests, options.lone = 1, min(options.requests, 64), 5
    return options


def _subjects(only: Sequence[str] | None) -> list[Subject]:
    """Give those that can run here; one asked for by name must."""
    chosen: list[Subject] = []
    for name in dict.fromkeys(only or ("bare", "ours")):
        subject = SUBJECTS[name]
        if why := subject.missing():
            if only:
                message = f"{subject.name} cannot be measured: {why}"
                raise BenchmarkError(message)
            _progress(f"{subject.name} is left out: {why}")
        else:
            chosen.append(subject)
    return chosen


async def _rounds(
    subjects: Sequence[Subject], size: Size, count: int
) -> dict[str, list[dict[str, float]]]:
    """Measure every subject in every round; each round begins with the next subject."""
    attributes = {
        name: kind for subject in subjects for name, kind in subject.search_attributes.items()
    }
    measured: dict[str, list[dict[str, float]]] = {subject.name: [] for subject in subjects}
    for number in range(count):
        first = number % len(subjects)
        for subject in [*subjects[first:], *subjects[:first]]:
            figures = await measure(subject, size, attributes)
            measured[subject.name].append(figures)
            _progress(
                f"round {number + 1} of {count}, {subject.name}: "
                + ", ".join(f"{name} {value:.1f}" for name, value in figures.items())
            )
    return measured


async def _run(options: argparse.Namespace) -> None:
    subjects = _subjects(options.only)
    size = Size(options.callers, options.requests, options.lone, options.limit)
    words = await machine.describe()
    measured = await _rounds(subjects, size, options.rounds)
    medians = {
        name: {key: statistics.median(each[key] for each in figures) for key in figures[0]}
        for name, figures in measured.items()
    }
    shown = rows(options.callers)
    _say(report.table(shown, medians))
    _say("")
    _say(report.bars(shown, medians))
    _say("")
    _say(f"python -m benchmarks: medians over {options.rounds} rounds, {options.requests} requests")
    _say(report.machine(words))
    if options.rounds < HONEST_ROUNDS:
        _say("Fewer than three rounds: this shows that it runs, it is not a figure.")
    if options.json:
        document = {
            "machine": words,
            "size": asdict(size),
            "rounds": measured,
            "medians": medians,
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


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
    """Measure, print, and end without the interpreter's teardown."""
    options = _options(arguments)
    code = asyncio.run(_main(options))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # as the SDK's own test run: its threads may abort an ordinary exit


if __name__ == "__main__":
    main()
