"""The picture of a training loop as plain data: what happens on each micro-batch, and what should."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Mark(str, Enum):
    """What one event does on one micro-batch."""

    NOTHING = "nothing"
    HAPPENS = "happens"
    MAYBE = "happens under its own condition"
    UNKNOWN = "unknown"
    WRONG = "happens and is wrong"
    MISSING = "should happen and does not"
    GAP = "left out"


class Part(str, Enum):
    """Where in one pass over the data a column lies."""

    BEFORE = "before the pass"
    FIRST = "window 1"
    SECOND = "window 2"
    TAIL = "tail"
    PLAIN = "micro-batches"
    AFTER = "after the pass"


@dataclass(frozen=True)
class Column:
    """One micro-batch, by its number from 1; without a number what lies around them, or micro-batches that are left out."""

    part: Part
    number: int | None = None


@dataclass(frozen=True, order=True)
class At:
    """A line of a script, or of one cell of a notebook; both numbers count from 1."""

    line: int
    cell: int | None = None

    def __str__(self) -> str:
        return str(self.line) if self.cell is None else f"{self.cell}:{self.line}"

    @property
    def pointer(self) -> str:
        """As it follows the name of a file."""
        return str(self.line) if self.cell is None else f"cell {self.cell}:{self.line}"

    @property
    def words(self) -> str:
        """As a sentence says it."""
        return f"line {self.line}" if self.cell is None else f"cell {self.cell}, line {self.line}"


@dataclass(frozen=True)
class Row:
    """One event over the columns of a grid; `codes` are the rules that find it wrong."""

    label: str
    at: tuple[At, ...]
    marks: tuple[Mark, ...]
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grid:
    """Rows in the order in which they run on one micro-batch."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Verdict:
    """What a rule found; `drawn` says that the timeline shows it."""

    code: str
    name: str
    at: At
    drawn: bool = True


@dataclass(frozen=True)
class Unknown:
    """Why a loop cannot be judged: the reason, the line that it is about, and what would help ("" if nothing is known to)."""

    why: str
    at: At
    help: str = ""


@dataclass(frozen=True)
class Timeline:
    """One training loop over two windows and the tail.

    `steps` says what N is; `better` is the grid as it should be, or None where nothing on it is wrong. `answer` says whether the
    loop is verified, wrong or unknown, and why; `unknown` is set if it cannot be judged.
    """

    filename: str
    at: At
    function: str
    steps: str
    grid: Grid
    better: Grid | None = None
    notes: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    answer: str = ""
    unknown: Unknown | None = None

    @property
    def accused(self) -> bool:
        """Whether a rule finds one of its rows wrong."""
        return any(row.codes for row in self.grid.rows)

    @property
    def marks(self) -> frozenset[Mark]:
        """Every kind of mark that is drawn, for the legend."""
        grids = (self.grid, *((self.better,) if self.better else ()))
        return frozenset(mark for grid in grids for row in grid.rows for mark in row.marks)


@dataclass(frozen=True)
class Undrawn:
    """Training without a timeline: no simulated run reaches it, an engine runs it, or the timeline of another loop shows it too.

    `answer` is the verdict on a loop and `unknown` says why it cannot be judged, as in a timeline. `note` says what else is known.
    """

    at: At
    function: str
    answer: str = ""
    unknown: Unknown | None = None
    note: str = ""

    @property
    def words(self) -> str:
        """All that is known, on one line."""
        return "; ".join(each for each in (self.answer, self.note) if each)


@dataclass(frozen=True)
class Picture:
    """All training loops of one file: a timeline for each that runs reach, and the others in `undrawn`.

    `elsewhere` is what rules find outside of the loops. `note` says why there is no loop.
    """

    filename: str
    timelines: tuple[Timeline, ...]
    elsewhere: tuple[Verdict, ...] = ()
    note: str | None = None
    undrawn: tuple[Undrawn, ...] = ()
