"""Reads a file: parses only the top-level statements that can matter, and knows the position of every node.

LibCST is lossless, so a module is the concatenation of its top-level statements. `ast` is ten times cheaper: it finds where each
statement begins and whether a rule could be about it. LibCST parses only those.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import libcst as cst

from gradlint.analysis.positions import positions
from gradlint.files.parse import parse, text_is_deep
from gradlint.model.names.vocabulary import UNTAUGHT, Taught
from gradlint.model.syntax.expressions import walk
from gradlint.relevance.relevant_rows import kept_rows, most_read, rows_of_loops
from gradlint.relevance.units import Rows
from gradlint.timings import stage

NEWLINE = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Problem:
    """Why a text could not be parsed. Row and column count from 1."""

    row: int
    column: int
    message: str


_TOO_DEEP = Problem(1, 1, "nested too deeply to be read")
MOST_PARSED = 150_000
"""How many tokens of one text LibCST parses. Each takes several kilobytes of memory; 600 KB of typical code has this many."""
CHARACTERS = 4
"""The average number of characters per token in typical code."""
_RAISED = "`max-size` in the configuration raises this"
_BACKWARD = re.compile(r"^[^#\n]*backward *\(", re.M)
_TOKEN = re.compile(r"\w+|[^\w\s]")
WHOLE = 200_000
"""Texts up to this many characters are parsed in full, since code that is irrelevant to the rules may matter to a run."""
MOST_ROWS = 5_000
"""Texts up to this many rows are parsed in full. Each row may be a statement, and a run takes one step per statement."""


@dataclass(frozen=True, eq=False)
class Slice:
    """Whole lines that LibCST parsed together, starting at `offset` in the file's text.

    LibCST drops form feeds between statements, so they are removed first. `feeds` are their offsets in the remaining text. If
    lines in between were skipped, `pieces` gives for each run of lines its offset in the parsed text and its offset in the file's
    text.
    """

    module: cst.Module
    offset: int
    length: int
    """The number of parsed characters."""
    feeds: tuple[int, ...] = ()
    pieces: tuple[tuple[int, int], ...] = ()

    @cached_property
    def spans(self) -> dict[int, tuple[int, int]]:
        """Start and end offsets in the file's text, by node identity, without the layout around the node."""
        if self.pieces:
            return positions(self.module, 0, self.pieces)
        found = positions(self.module, self.offset)
        if not self.feeds:
            return found
        return {node: (self.in_text(start), self.in_text(end)) for node, (start, end) in found.items()}

    def in_text(self, offset: int) -> int:
        """Convert an offset in the text without form feeds to one in the text with them."""
        return offset + bisect_right(self.feeds, offset)


@dataclass(frozen=True, eq=False)
class Source:
    """A parsed text."""

    text: str
    slices: tuple[Slice, ...]
    rows: tuple[Rows, ...] = field(default=(), kw_only=True)
    """The rows that were parsed, if some were skipped."""

    @property
    def statements(self) -> tuple[cst.BaseStatement, ...]:
        return tuple(each for part in self.slices for each in part.module.body if isinstance(each, cst.BaseStatement))

    @property
    def is_whole(self) -> bool:
        """Whether all of the text was parsed."""
        return len(self.slices) == 1 and not self.slices[0].pieces

    def whole(self, taught: Taught) -> Source | Problem:
        """The whole text, or the relevant part of a large one."""
        return self if self.is_whole else read_for_runs(self.text, taught, self)

    def span(self, node: cst.CSTNode) -> tuple[int, int] | None:
        """The start and end offsets of a node, or None if it is not in this text."""
        for part in self.slices:
            found = part.spans.get(id(node))
            if found is not None:
                return found
        return None

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        return (0, *(match.end() for match in NEWLINE.finditer(self.text)))

    def row_column(self, offset: int) -> tuple[int, int]:
        """The row and column of an offset, both counted from 1."""
        row = bisect_right(self.line_starts, offset)
        return row, offset - self.line_starts[row - 1] + 1

    def row_of(self, node: cst.CSTNode) -> int | None:
        """The row where a node begins, or None if it is not in this text."""
        found = self.span(node)
        return self.row_column(found[0])[0] if found is not None else None

    @cached_property
    def functions(self) -> tuple[tuple[int, int], ...]:
        """The start and end offsets of all functions and methods."""
        nodes = (each for statement in self.statements for each in walk(statement) if type(each) is cst.FunctionDef)
        return tuple(span for node in nodes if (span := self.span(node)) is not None)

    @cached_property
    def newline(self) -> str:
        """The first line ending in the text."""
        found = NEWLINE.search(self.text)
        return found.group() if found else "\n"


def read_for_runs(text: str, taught: Taught = UNTAUGHT, known: Source | None = None) -> Source | Problem:
    """Read the whole module, or the relevant part of a large one. `known` is returned if it is what would be read."""
    return read_whole(text) if is_read_whole(text) else read(text, taught, known)


def is_read_whole(text: str) -> bool:
    """Whether a text is small enough to be parsed in full for its runs."""
    return len(text) <= WHOLE and text.count("\n") <= MOST_ROWS


def read_whole(text: str) -> Source | Problem:
    """The plain path: reads the whole module as one slice."""
    feeds = tuple(match.start() - count for count, match in enumerate(re.finditer("\f", text)))
    try:
        return Source(text, (Slice(cst.parse_module(text.replace("\f", "")), 0, len(text) - len(feeds), feeds),))
    except cst.ParserSyntaxError as error:
        return _problem(text, error)
    except UnicodeEncodeError as error:
        before = text[: error.start]
        row, column = len(NEWLINE.findall(before)) + 1, len(NEWLINE.split(before)[-1]) + 1
        return Problem(row, column, "the file contains half of a surrogate pair")
    except RecursionError:
        return _TOO_DEEP


def _too_large(row: int, size: int, most: int) -> Problem:
    why = f"it has {size:,} words and symbols of code that can matter, and gradlint reads up to {most:,}; {_RAISED}"
    return Problem(row, 1, f"too large to be checked: {why}")


def _all_of(text: str, taught: Taught) -> Source | Problem:
    """Read the whole module, unless it is too large."""
    most = _most_parsed(taught)
    size = _size(text, most)
    return _too_large(1, size, most) if size > most else read_whole(text)


def fits(code: str, taught: Taught) -> bool:
    """Whether the relevant code is small enough to be parsed."""
    return _size(code, _most_parsed(taught)) <= _most_parsed(taught)


def _most_parsed(taught: Taught) -> int:
    return MOST_PARSED if taught.max_size is None else taught.max_size // CHARACTERS


def _problem(text: str, error: cst.ParserSyntaxError) -> Problem:
    """Describe the error in Python's words, or in LibCST's if Python accepts the text."""
    try:
        parse(text)
    except SyntaxError as problem:
        return Problem(problem.lineno or 1, problem.offset or 1, problem.msg)
    except (ValueError, RecursionError, MemoryError):
        pass
    return Problem(error.raw_line, error.raw_column + 1, _first_line(error.message))


def read(
    text: str, taught: Taught = UNTAUGHT, known: Source | None = None, *, every_loop: bool = False, runs: bool = False
) -> Source | Problem:
    """The fast path: reads only the statements and methods that can matter. Falls back to the plain path if `ast` fails.

    With `every_loop`, it also reads training loops that no rule can say anything about. `known` is returned if it is what would
    be read. `runs` means that training code will be simulated: a small text is then read in full, so it is parsed only once. A
    loop gets a verdict even if no rule can find anything in the text.
    """
    if len(text) > most_read(taught):
        return Problem(1, 1, f"too large to be checked: more than {most_read(taught) // 1_000_000} MB of code; {_RAISED}")
    try:
        rows = () if every_loop else kept_rows(text, taught)
        if every_loop or (runs and not rows and _BACKWARD.search(text) is not None):
            rows = rows_of_loops(text, taught)
    except (RecursionError, MemoryError):
        return _TOO_DEEP
    except SyntaxError as error:
        # LibCST's parser would overflow the stack of the process.
        return _TOO_DEEP if "too many nested" in error.msg or text_is_deep(text) else _all_of(text, taught)
    except ValueError:
        return _TOO_DEEP if text_is_deep(text) else _all_of(text, taught)
    if "\f" in text or "\r" in text.replace("\r\n", ""):
        return _all_of(text, taught)
    if known is not None and known.rows == rows:
        return known
    most = _most_parsed(taught)
    size = _size(text, most, rows)
    if size > most:
        return _too_large(rows[0][0], size, most)
    with stage("parse"):
        whole = read_whole(text) if runs and _trains(text, rows) else None
        if isinstance(whole, Source):
            return whole
        part = _parsed(text, rows) if rows else None
    if part is None:
        return _all_of(text, taught) if rows else Source(text, ())
    return Source(text, (part,), rows=rows)


def read_rows(text: str, rows: Sequence[tuple[int, int]]) -> Source | None:
    """Read some top-level statements of a module, by rows.

    Returns None if there are too many, LibCST cannot parse them, or it counts the rows differently.
    """
    if _size(text, MOST_PARSED, rows) > MOST_PARSED or "\f" in text or "\r" in text.replace("\r\n", ""):
        return None
    part = _parsed(text, rows)
    return Source(text, (part,)) if part is not None else None


def _size(text: str, most: int, rows: Sequence[tuple[int, int]] | None = None) -> int:
    """The number of tokens in some rows, or in the whole text. Returns 0 if the text is too short to exceed the limit."""
    if len(text) <= most:
        return 0
    if rows is not None:
        text = "".join(_in_rows(text, rows))
    return sum(1 for _ in _TOKEN.finditer(text))


def _trains(text: str, rows: Sequence[tuple[int, int]]) -> bool:
    """Whether some rows contain a backward pass, in a text that is not too large."""
    return len(text) <= MOST_PARSED and text.count("\n") <= MOST_ROWS and any(map(_BACKWARD.search, _in_rows(text, rows)))


def _in_rows(text: str, rows: Sequence[tuple[int, int]]) -> list[str]:
    starts = _starts(text)
    return [text[starts[first - 1] : starts[last]] for first, last in rows]


def _starts(text: str) -> tuple[int, ...]:
    """The offsets where the lines of a text begin, and where the text ends."""
    return (0, *(match.end() for match in NEWLINE.finditer(text)), len(text))


def _parsed(text: str, rows: Sequence[tuple[int, int]]) -> Slice | None:
    """Parse runs of rows as one module. A module without some of its statements is still a module."""
    starts = _starts(text)
    runs, pieces, length = [], [], 0
    for first, last in rows:
        begin = starts[first - 1]
        runs.append(text[begin : starts[last]])
        pieces.append((length, begin))
        length += len(runs[-1])
    try:
        return Slice(cst.parse_module("".join(runs)), pieces[0][1], length, pieces=tuple(pieces))
    except (cst.ParserSyntaxError, RecursionError):
        return None


def _first_line(message: str) -> str:
    return message.strip().splitlines()[0] if message.strip() else "invalid syntax"
