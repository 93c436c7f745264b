"""What gradlint reports, as plain data that you can sort and pickle."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Severity(str, Enum):
    """How much harm a finding does to training."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Applicability(str, Enum):
    """Whether a fix is applied by `--fix` alone or only together with `--unsafe-fixes`."""

    SAFE = "safe"
    UNSAFE = "unsafe"


@dataclass(frozen=True, order=True)
class Place:
    """A position in the text of a file. Rows and columns count from 1, columns in code points."""

    row: int
    column: int


@dataclass(frozen=True, order=True)
class Span:
    """A half-open range of a file's text."""

    start: Place
    end: Place


@dataclass(frozen=True, order=True)
class TextEdit:
    """Replace the text of `span` by `content`. An empty span inserts."""

    span: Span
    content: str


@dataclass(frozen=True, order=True)
class FileEdits:
    """The part of a fix that changes another file than that of its finding, by the real path of that file."""

    filename: str
    edits: tuple[TextEdit, ...]


@dataclass(frozen=True)
class TextFix:
    """A fix. Its edits, those in other files included, are applied all together or not at all."""

    message: str
    applicability: Applicability
    edits: tuple[TextEdit, ...]
    elsewhere: tuple[FileEdits, ...] = ()


@dataclass(frozen=True, order=True)
class Related:
    """Another place that helps to explain a finding."""

    span: Span
    message: str


@dataclass(frozen=True, order=True)
class Diagnostic:
    """One finding in one file.

    `cell` is the number, from 1, of the notebook cell that the rows of `span` refer to, or None in a script. `message` is the
    header, of at most 90 characters. `reason` says why that harms, as a clause. `sentence` is both together. `note` says why no
    fix is offered, or adds what helps to judge the finding.
    """

    filename: str
    span: Span
    code: str
    name: str
    message: str
    severity: Severity = field(compare=False)
    fix: TextFix | None = field(default=None, compare=False)
    related: tuple[Related, ...] = field(default=(), compare=False)
    note: str | None = field(default=None, compare=False)
    cell: int | None = field(default=None, compare=False)
    reason: str = field(default="", compare=False)

    @property
    def sentence(self) -> str:
        """What is wrong and why that harms, for readers who see only one text."""
        return f"{self.message}: {self.reason}" if self.reason else self.message


def unreadable(filename: str, row: int, column: int, message: str) -> Diagnostic:
    """The diagnostic for a file that cannot be read, decoded or parsed: GRD000, which is always on."""
    place = Place(max(row, 1), max(column, 1))
    return Diagnostic(filename, Span(place, place), "GRD000", "syntax-error", message, Severity.ERROR)


ANSWERS = ("verified", "unknown", "wrong")
"""The answers for a training loop. If a loop has several optimizers, the answer that comes last here applies."""


@dataclass(frozen=True)
class LoopVerdict:
    """The verdict on one training loop of a file.

    `line` and `last_line` count from 1 and, in a notebook, within the cell with the number `cell`. `answer` is "verified" if
    every simulated run trains as the large batch does, "wrong" if rules find something in the loop, and "unknown" otherwise.

    `codes` are the rules that find something. Those with severity info do not make a loop wrong. `silenced` means that comments
    or settings keep everything from being reported that makes the loop wrong. `reason` says why a loop is unknown. `reason_line`,
    in `reason_cell`, is the line of the statement that it is about, or 0 for none. `steps` is the number of micro-batches that
    share an update as the text sets it (1 if the loop does not accumulate), or 0 if it is unknown. `engine` is the library that
    runs the backward pass or the update, or "" if the loop does so itself.
    """

    filename: str
    line: int
    last_line: int
    answer: str
    codes: tuple[str, ...] = ()
    reason: str = ""
    reason_line: int = 0
    silenced: bool = False
    cell: int | None = None
    reason_cell: int | None = None
    steps: int = 0
    engine: str = ""

    @property
    def words(self) -> str:
        """The verdict in one line."""
        if self.answer == "wrong":
            silenced = " (silenced by comments or settings)" if self.silenced else ""
            return f"wrong: {', '.join(self.codes)}{silenced}"
        if self.answer == "verified":
            but = f", but for {', '.join(self.codes)}" if self.codes else ""
            return f"verified: in every simulated run it trains as the large batch does{but}"
        return f"unknown: {self.reason}{self._place}"

    @property
    def _place(self) -> str:
        if not self.reason_line:
            return ""
        cell = "" if self.reason_cell is None else f"cell {self.reason_cell}, "
        return f" ({cell}line {self.reason_line})"
