"""The picture of a training loop as plain data: what happens on each micro-batch, and what should happen."""

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
    """The part of a pass over the data that a column belongs to."""

    BEFORE = "before the pass"
    FIRST = "window 1"
    SECOND = "window 2"
    TAIL = "tail"
    PLAIN = "micro-batches"
    AFTER = "after the pass"


@dataclass(frozen=True)
class Column:
    """A micro-batch, numbered from 1. Without a number, it is the time before or after the pass, or a gap."""

    part: Part
    number: int | None = None


@dataclass(frozen=True, order=True)
class At:
    """A line of a script or of a notebook cell. Both numbers count from 1."""

    line: int
    cell: int | None = None

    def __str__(self) -> str:
        return str(self.line) if self.cell is None else f"{self.cell}:{self.line}"

    @property
    def pointer(self) -> str:
        """The place as it follows a file name."""
        return str(self.line) if self.cell is None else f"cell {self.cell}:{self.line}"

    @property
    def words(self) -> str:
        """The place as a sentence mentions it."""
        return f"line {self.line}" if self.cell is None else f"cell {self.cell}, line {self.line}"


@dataclass(frozen=True)
class Row:
    """One event over the columns of a grid. `codes` are the rules that accuse it."""

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
    """What a rule found. `drawn` means that the timeline shows it."""

    code: str
    name: str
    at: At
    drawn: bool = True


@dataclass(frozen=True)
class Unknown:
    """Why a loop cannot be judged, the line that the reason is about, and what would help ("" if nothing is known to help)."""

    why: str
    at: At
    help: str = ""


@dataclass(frozen=True)
class Timeline:
    """One training loop over two windows and the tail.

    `steps` says what N is. `better` is the grid after the fix, or None if there is no such grid to show. `answer` says whether
    the loop is verified, wrong or unknown, and why. `unknown` is set if it cannot be judged.
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
        """Whether a rule accuses one of the rows."""
        return any(row.codes for row in self.grid.rows)

    @property
    def marks(self) -> frozenset[Mark]:
        """Every kind of mark that is drawn, for the legend."""
        grids = (self.grid, *((self.better,) if self.better else ()))
        return frozenset(mark for grid in grids for row in grid.rows for mark in row.marks)


@dataclass(frozen=True)
class Undrawn:
    """Training without a timeline: no simulated run reaches it, an engine runs it, or the timeline of another loop includes it.

    As in a timeline, `answer` is the verdict on a loop, and `unknown` says why it cannot be judged. `note` says what else is
    known.
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
    """All training loops of one file: a timeline for each loop that runs reach, and the others in `undrawn`.

    `elsewhere` is what rules find outside of the loops. `note` says why there is no loop.
    """

    filename: str
    timelines: tuple[Timeline, ...]
    elsewhere: tuple[Verdict, ...] = ()
    note: str | None = None
    undrawn: tuple[Undrawn, ...] = ()
