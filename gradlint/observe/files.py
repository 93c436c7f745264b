"""The user's files: which node of a file a recorded place is, and which loops run around it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import libcst as cst

from gradlint.analysis.source import Problem, Source, read_whole
from gradlint.files.decode import Undecodable, decode
from gradlint.model.syntax.expressions import walk
from gradlint.observe.record import Spot

Looping = (cst.For, cst.While)
Span = tuple[int, int]


@dataclass(frozen=True, eq=False)
class File:
    """A parsed file of the user's."""

    name: str
    source: Source

    @cached_property
    def _rows(self) -> list[str]:
        starts = (*self.source.line_starts, len(self.source.text))
        return [self.source.text[a:b] for a, b in pairwise(starts)]

    @cached_property
    def _spans(self) -> list[tuple[Span, cst.CSTNode]]:
        """The expressions and statements that do something, with their positions."""
        kinds = (cst.BaseExpression, cst.AugAssign, cst.Assign, cst.Del, cst.With)
        nodes = (each for statement in self.source.statements for each in walk(statement) if isinstance(each, kinds))
        return [(span, node) for node in nodes if (span := self.source.span(node)) is not None]

    @cached_property
    def _by_span(self) -> dict[Span, cst.CSTNode]:
        return dict(reversed(self._spans))

    @cached_property
    def _blocks(self) -> list[tuple[Span, cst.CSTNode]]:
        """The loops and functions, outermost first."""
        kinds = (*Looping, cst.FunctionDef, cst.Lambda)
        nodes = (each for statement in self.source.statements for each in walk(statement) if isinstance(each, kinds))
        return sorted(((span, node) for node in nodes if (span := self.source.span(node)) is not None), key=lambda each: each[0])

    def offset(self, row: int, column: int) -> int:
        """The offset of a place whose column counts bytes."""
        line = self._rows[row - 1] if 0 < row <= len(self._rows) else ""
        start = self.source.line_starts[min(row, len(self.source.line_starts)) - 1]
        return start + len(line.encode("utf-8")[: max(column, 0)].decode("utf-8", "ignore"))

    def span(self, spot: Spot) -> Span:
        """The start and end of a recorded place."""
        _, row, column, last, end = spot
        if column < 0:
            line = self._rows[row - 1] if 0 < row <= len(self._rows) else ""
            return self.offset(row, len(line) - len(line.lstrip())), self.offset(row, len(line.rstrip().encode("utf-8")))
        found = self.offset(row, column), self.offset(last, end)
        return self._drawing.get(found[0], found)

    @cached_property
    def _drawing(self) -> dict[int, Span]:
        """What each `for` loop runs over, by where the loop begins. Python 3.11 gives the whole loop as the place of its draws."""
        loops = ((own, node) for own, node in self._blocks if isinstance(node, cst.For))
        return {own[0]: span for own, node in loops if (span := self.source.span(node.iter)) is not None}

    def node(self, spot: Spot) -> cst.CSTNode | None:
        """The node at a recorded place: the one with the same position, or the smallest around it."""
        start, end = self.span(spot)
        exact = self._by_span.get((start, end))
        if exact is not None:
            return exact
        inside = [(a, b, node) for (a, b), node in self._spans if start <= a and b <= end and isinstance(node, cst.Call)]
        if spot[2] < 0 and inside:
            return max(inside, key=lambda each: each[1] - each[0])[2]
        around = [(b - a, node) for (a, b), node in self._spans if a <= start and end <= b]
        return min(around, key=lambda each: each[0])[1] if around else None

    def loops(self, span: Span, *, header: bool) -> list[tuple[cst.CSTNode, Span]]:
        """The loops around a place in its function, outermost first. `header` counts the loop that draws from the place."""
        found: list[tuple[cst.CSTNode, Span]] = []
        for own, node in self._blocks:
            if own[0] <= span[0] and span[1] <= own[1]:
                if isinstance(node, (cst.FunctionDef, cst.Lambda)):
                    body = self.source.span(node.body)
                    if body is not None and body[0] <= span[0]:
                        found = []
                elif header or not self.draws(node, span):
                    found.append((node, own))
        return found

    def draws(self, loop: cst.CSTNode, span: Span) -> bool:
        """Whether a place is in what a loop runs over."""
        own = self.source.span(loop.iter) if isinstance(loop, cst.For) else None
        return own is not None and own[0] <= span[0] and span[1] <= own[1]

    def inside(self, span: Span) -> list[cst.CSTNode]:
        """The nodes within a place."""
        low = bisect_right([each[0][0] for each in sorted(self._spans, key=lambda each: each[0])], span[0] - 1)
        return [node for (a, b), node in sorted(self._spans, key=lambda each: each[0])[low:] if b <= span[1]]


@dataclass(eq=False)
class Files:
    """The files that a record names, read on demand."""

    known: dict[str, File | None] = field(default_factory=dict)

    def of(self, name: str) -> File | None:
        """A file, or None if it cannot be read or parsed."""
        if name not in self.known:
            self.known[name] = _read(name)
        return self.known[name]

    def place_of(self, node: cst.CSTNode) -> tuple[File, int] | None:
        """The file of a node, and its row."""
        for file in self.known.values():
            row = file.source.row_of(node) if file is not None else None
            if file is not None and row is not None:
                return file, row
        return None


def _read(name: str) -> File | None:
    try:
        decoded = decode(Path(name).read_bytes())
    except OSError:
        return None
    if isinstance(decoded, Undecodable):
        return None
    source = read_whole(decoded.text)
    return None if isinstance(source, Problem) else File(name, source)
