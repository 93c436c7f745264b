"""What of a text the rules can see, told without LibCST, so that a keystroke elsewhere costs no analysis."""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import libcst as cst

from gradlint.diagnostic import Diagnostic, Place, Span, TextEdit
from gradlint.slices import NEWLINE, Slice, Source, _can_matter, _chosen, _runs

_COMMENT = re.compile(r"[ \t]*#")
_DIRECTIVE = re.compile(r"gradlint|noqa", re.I)


@dataclass(frozen=True)
class Piece:
    """Lines between two statements that are passed over.

    They hold what is read, the comments and gaps around it, and whatever may be a suppression comment.
    """

    first: int
    """The row of the first of the lines."""

    text: str
    commented: bool
    """Whether the passed-over line above looks like a comment, which a fix would take along."""


@dataclass(frozen=True)
class Outline:
    """The rows of the top-level statements that are read, and all text that what is found can depend on."""

    text: str
    runs: tuple[tuple[int, int], ...] = ()
    starts: tuple[int, ...] = (0,)
    pieces: tuple[Piece, ...] = ()
    newline: str = "\n"

    def parts(self) -> Iterator[tuple[str, int]]:
        """The text of each run, and the offset at which it begins."""
        ends = (*self.starts, len(self.text))
        for first, last in self.runs:
            yield self.text[self.starts[first - 1] : ends[last]], self.starts[first - 1]

    def sees_as(self, other: Outline) -> bool:
        """Whether two texts differ only in what is passed over."""
        mine, theirs = ([(each.text, each.commented) for each in one.pieces] for one in (self, other))
        return self.newline == other.newline and mine == theirs


def outline(text: str) -> Outline | None:
    """The outline of a text; None where `slices.read` would not slice it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python's parser has to say of the code that is checked
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if "\f" in text or "\r" in text.replace("\r\n", ""):
        return None
    if not _can_matter(tree):
        return Outline(text, pieces=(Piece(1, text, False),))
    starts = (0, *(match.end() for match in NEWLINE.finditer(text)))
    runs = tuple(_runs(_chosen(tree.body), tree.body))
    read = set(runs)
    passed = [
        (first, last)
        for first, last in _runs(tree.body, tree.body)
        if (first, last) not in read and not _DIRECTIVE.search(text, starts[first - 1], (*starts, len(text))[last])
    ]
    newline = NEWLINE.search(text)
    return Outline(text, runs, starts, tuple(_pieces(text, starts, passed)), newline.group() if newline else "\n")


def _pieces(text: str, starts: tuple[int, ...], passed: list[tuple[int, int]]) -> Iterator[Piece]:
    row, commented = 1, False
    for first, last in (*passed, (len(starts) + 1, 0)):
        end = starts[first - 1] if first <= len(starts) else len(text)
        yield Piece(row, text[starts[row - 1] : end] if row <= len(starts) else "", commented)
        if last:
            row, commented = last + 1, _COMMENT.match(text, starts[last - 1]) is not None


@dataclass(frozen=True, eq=False)
class _Moved(Slice):
    """A slice that was parsed where it stood before; its places are those, moved."""

    origin: Slice = field(kw_only=True)

    @cached_property
    def spans(self) -> dict[int, tuple[int, int]]:
        by = self.offset - self.origin.offset
        return {node: (start + by, end + by) for node, (start, end) in self.origin.spans.items()}


@dataclass
class Reader:
    """Parses what an outline names, and keeps what was parsed: the next time only the statement that changed is parsed."""

    _kept: dict[str, list[Slice]] = field(default_factory=dict)

    def read(self, seen: Outline, go_on: Callable[[], None]) -> Source | None:
        """The text, parsed; None where `slices.read` must do it. What `go_on` raises ends the work."""
        slices = []
        kept: dict[str, list[Slice]] = {}
        for part, begin in seen.parts():
            known = self._kept.get(part)
            if known:
                each = known.pop()  # two statements of the same text must not share nodes, which are told apart by identity
            else:
                go_on()
                try:
                    each = Slice(cst.parse_module(part), begin)
                except (cst.ParserSyntaxError, RecursionError):
                    return None
            kept.setdefault(part, []).append(each)
            slices.append(each if each.offset == begin else _Moved(each.module, begin, origin=each))
        self._kept = kept
        return Source(seen.text, tuple(slices))


# Moving what was found


class Unmovable(Exception):
    """A place lies outside of the lines that were read."""


def moved(found: tuple[Diagnostic, ...], old: Outline, new: Outline) -> tuple[Diagnostic, ...]:
    """What was found in a text, at its places in another that differs in what is passed over. Raises Unmovable."""
    firsts = [piece.first for piece in old.pieces]

    def place(each: Place) -> Place:
        index = bisect_right(firsts, each.row) - 1
        piece = old.pieces[index]
        rows = len(NEWLINE.findall(piece.text))
        beyond = each.row - piece.first - rows
        if beyond > 0 or (beyond == 0 and each.column > 1 and index + 1 < len(old.pieces)):
            raise Unmovable
        return Place(each.row + new.pieces[index].first - piece.first, each.column)

    def span(each: Span) -> Span:
        return Span(place(each.start), place(each.end))

    def one(each: Diagnostic) -> Diagnostic:
        fix = each.fix
        if fix is not None:
            fix = replace(fix, edits=tuple(TextEdit(span(edit.span), edit.content) for edit in fix.edits))
        return replace(
            each, span=span(each.span), fix=fix, related=tuple(replace(one, span=span(one.span)) for one in each.related)
        )

    if all(a.first == b.first for a, b in zip(old.pieces, new.pieces, strict=True)):
        return found
    return tuple(map(one, found))
