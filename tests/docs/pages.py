"""Reads the pages of the documentation: their blocks, tables and links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE
)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_REMARK = re.compile(r"<!-- (?P<text>.+?) -->", re.DOTALL)
_HEADING = re.compile(r"^#+ +(?P<title>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block: its page, line, language, the words after it, its text."""

    page: Path
    line: int
    language: str
    marks: tuple[str, ...]
    text: str

    @property
    def id(self) -> str:
        """Answer where it stands."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


def blocks(page: Path, language: str | None = None) -> list[Block]:
    text = page.read_text("utf-8")
    found = []
    for match in _FENCE.finditer(text):
        words = match["info"].split()
        written = "".join(
            line.removeprefix(match["indent"]) for line in match["text"].splitlines(keepends=True)
        )
        block = Block(
            page=page,
            line=text[: match.start()].count("\n") + 1,
            language=words[0] if words else "",
            marks=tuple(words[1:]),
            text=written,
        )
        if language in (None, block.language):
            found.append(block)
    return found


@dataclass(frozen=True)
class Remark:
    """A comment, which no reader sees: its line and its text."""

    line: int
    text: str


def remarks(page: Path) -> list[Remark]:
    text = page.read_text("utf-8")
    return [
        Remark(text[: match.start()].count("\n") + 1, match["text"])
        for match in _REMARK.finditer(text)
    ]


def prose(page: Path) -> str:
    """Answer the page without its fenced blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def links(page: Path) -> list[str]:
    return [match["target"] for match in _LINK.finditer(prose(page))]


def anchors(page: Path) -> set[str]:
    """Answer the anchors that GitHub gives the headings of a page."""
    titles = [match["title"] for match in _HEADING.finditer(prose(page))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def rows(page: Path, *, under: str = "") -> list[list[str]]:
    """Answer the rows of the tables under a heading, cells without code marks."""
    text = page.read_text("utf-8")
    if under:
        _, _, text = text.partition(f"# {under}\n")
        text = re.split(r"^#", text, maxsplit=1, flags=re.MULTILINE)[0]
    found = []
    for line in text.splitlines():
        if line.startswith("| "):
            cells = [c.strip() for c in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            if not all(set(cell) <= {"-", ":"} for cell in cells):
                found.append(cells)
    return found


def plain(cell: str) -> str:
    return cell.replace("`", "").replace("\\|", "|").strip()


def commands(block: Block) -> Iterator[list[str]]:
    """Answer each command of a shell block as its words; what follows a pipe is left out."""
    text = block.text.replace("\\\n", " ")
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|;&\n")
    lexer.whitespace = " \t"
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words: list[str] = []
    for word in [*lexer, "\n"]:
        if set(word) <= set("|;&\n"):
            if words:
                yield words
            words = []
        else:
            words.append(word)
