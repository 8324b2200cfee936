"""How the story is printed: scenes, voices, what is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from time import monotonic

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

WIDTH = 100
"""Columns where there is no terminal."""

PEOPLE = {"ana": "cyan", "ben": "green", "cleo": "magenta", "dan": "yellow", "eve": "blue"}


class Teller:
    """Prints the story at a pace that a person can read.

    Args:
        fast: Without pauses.
    """

    def __init__(self, *, fast: bool = False) -> None:
        """Begin with the first scene to come."""
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        if not self._console.is_terminal:
            self._console = Console(
                highlight=False, markup=False, emoji=False, soft_wrap=True, width=WIDTH
            )
        self._fast = fast
        self._scene = 0

    async def pause(self, seconds: float) -> None:
        """Let what was said be read."""
        if not self._fast:
            await asyncio.sleep(seconds)

    async def scene(self, title: str) -> None:
        """Begin a scene."""
        await self.pause(0.8)
        self._scene += 1
        self.line()
        self.line(f"{self._scene}. {title}", "bold")

    async def says(self, who: str, what: str) -> None:
        """Tell what somebody does."""
        self.line(Text.assemble((f"   {who:<5}", f"bold {PEOPLE[who]}"), what))
        await self.pause(0.4)

    async def tell(self, what: str, style: str = "") -> None:
        """Tell what follows from it."""
        self.line(f"        {what}", style)
        await self.pause(0.35)

    async def details(self, lines: Iterable[str]) -> None:
        """Tell more about it."""
        for each in lines:
            self.line(f"          {each}", "dim")
        await self.pause(0.35)

    @asynccontextmanager
    async def waiting(self, what: str, *, since: float | None = None) -> AsyncIterator[None]:
        """Show that something is waited for, and then how long it took.

        Args:
            since: When it began, of `time.monotonic`; `None`: now.
        """
        began = monotonic() if since is None else since
        if self._console.is_terminal:
            with self._console.status(Text(f"waiting: {what}", style="yellow")):
                yield
        else:
            yield
        self.line(f"        Waited {monotonic() - began:.1f} s: {what}.", "yellow")

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
        """Show a table."""
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for column in columns:
            table.add_column(column, no_wrap=True)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self._console.print(table)

    def line(self, text: RenderableType = "", style: str = "") -> None:
        """Print a line."""
        self._console.print(Text(text, style=style) if isinstance(text, str) else text)
