"""Determines without LibCST what the rules can see of a text, so that a keystroke elsewhere needs no new analysis."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from keyword import iskeyword

from gradlint.analysis.source import NEWLINE
from gradlint.diagnostic import Diagnostic, Place, Span, TextEdit
from gradlint.model.names.vocabulary import UNTAUGHT, Taught
from gradlint.relevance.relevant_rows import kept_rows

_COMMENT = re.compile(r"[ \t]*#")
_BLANK = re.compile(r"[ \t]*[\r\n]")
_DIRECTIVE = re.compile(r"gradlint|noqa", re.I)
_WORD = re.compile(r"[^\W\d]\w*")
_USE = re.compile(r"(?:\.\s*|\b(?:def|class)\s+)?\b([^\W\d]\w*)\b(?:\s*=(?!=))?|\*\*")
_ASKED = frozenset(
    (
        "forward num_items_in_batch __len__ IterableDataset IterDataPipe yield register_hook register_post_accumulate_grad_hook "
        "register_step_pre_hook register_comm_hook"
    ).split()
)
"""What matters anywhere in a text, even in lines that are not analysed."""

_LINE = re.compile(r"\bon line (\d+)")


@dataclass(frozen=True)
class Piece:
    """A block of lines that are analysed, or that contain a possible suppression comment, between skipped lines.

    `above` and `below` say what a fix can see of the skipped lines: whether the last one above looks like a comment, which moves
    with the statement below it, and whether the first one below is blank.
    """

    first: int
    """The row of the first line."""

    text: str
    above: bool
    below: bool

    @property
    def rows(self) -> int:
        """The number of lines that end in the block."""
        return len(NEWLINE.findall(self.text))


@dataclass(frozen=True)
class Outline:
    """The part of a text that is analysed, and everything else that its findings can depend on.

    `code` is what is analysed. `runs` holds, for each run of its lines, the offset in `code` and the offset in the text. `beyond`
    is what the rest of the text does with the names in `code`, because other uses of a name may matter.
    """

    code: str
    runs: tuple[tuple[int, int], ...]
    pieces: tuple[Piece, ...]
    newline: str
    beyond: tuple[str, ...] = ()

    def sees_as(self, other: Outline) -> bool:
        """Whether two texts differ only in skipped lines."""
        mine, theirs = ([(each.text, each.above, each.below) for each in one.pieces] for one in (self, other))
        return (self.newline, self.code, self.beyond) == (other.newline, other.code, other.beyond) and mine == theirs


def outline(text: str, taught: Taught = UNTAUGHT) -> Outline | None:
    """Return the outline of a text, or None if all of it is analysed, because it does not parse or has unusual line breaks."""
    try:
        kept = kept_rows(text, taught)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if "\f" in text or "\r" in text.replace("\r\n", ""):
        return None
    newline = NEWLINE.search(text)
    starts = (0, *(match.end() for match in NEWLINE.finditer(text)), len(text))
    parts = [text[starts[first - 1] : starts[last]] for first, last in kept]
    begins = accumulate(map(len, parts[:-1]), initial=0)
    runs = tuple((begin, starts[first - 1]) for begin, (first, _) in zip(begins, kept, strict=False))
    code = "".join(parts)
    beyond = tuple(_beyond(text, starts, kept, code))
    return Outline(code, runs, tuple(_pieces(text, starts, kept)), newline.group() if newline else "\n", beyond)


def _beyond(text: str, starts: Sequence[int], kept: Sequence[tuple[int, int]], code: str) -> Iterator[str]:
    """Yield uses, in lines that are not analysed, of names in the analysed lines, and of what matters anywhere."""
    words = {word for word in _WORD.findall(code) if not iskeyword(word)} | _ASKED
    before = 0
    for first, last in (*kept, (len(starts), len(starts))):
        passed = text[starts[before] : starts[first - 1]] if before < first - 1 else ""
        for use in _USE.finditer(passed):
            if use[1] is None or use[1] in words:
                yield " ".join(use[0].split())
        before = last


def _pieces(text: str, starts: Sequence[int], kept: Sequence[tuple[int, int]]) -> Iterator[Piece]:
    first, above = 1, False
    for begin, end in (*_passed(text, starts, kept), (len(starts), len(starts))):
        below = _BLANK.match(text, starts[begin - 1]) is not None
        yield Piece(first, text[starts[first - 1] : starts[begin - 1]], above, below)
        first, above = min(end + 1, len(starts)), _COMMENT.match(text, starts[end - 1]) is not None


def _passed(text: str, starts: Sequence[int], kept: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the runs of rows that are skipped and contain nothing like a suppression comment."""
    before = 0
    for first, last in (*kept, (len(starts), len(starts))):
        if before + 1 < first and not _DIRECTIVE.search(text, starts[before], starts[first - 1]):
            yield before + 1, first - 1
        before = last


# Moving findings


class Unmovable(Exception):
    """A place is outside of the lines that were analysed."""


def moved(found: tuple[Diagnostic, ...], old: Outline, new: Outline) -> tuple[Diagnostic, ...]:
    """Move findings to their places in another text, which differs only in skipped lines. Raises Unmovable."""
    if all(a.first == b.first for a, b in zip(old.pieces, new.pieces, strict=True)):
        return found
    return _moved(found, old, new)


def covers(seen: Outline, found: tuple[Diagnostic, ...]) -> bool:
    """Whether all places of these findings are in the analysed lines."""
    try:
        _moved(found, seen, seen)
    except Unmovable:
        return False
    return True


def _moved(found: tuple[Diagnostic, ...], old: Outline, new: Outline) -> tuple[Diagnostic, ...]:
    firsts = [piece.first for piece in old.pieces]
    last = len(firsts) - 1

    def place(each: Place) -> Place:
        index = bisect_right(firsts, each.row) - 1
        beyond = each.row - firsts[index] - old.pieces[index].rows
        if beyond > 0 or (beyond == 0 and each.column > 1 and index < last):
            raise Unmovable
        return Place(each.row + new.pieces[index].first - firsts[index], each.column)

    def span(each: Span) -> Span:
        return Span(place(each.start), place(each.end))

    def one(each: Diagnostic) -> Diagnostic:
        fix = each.fix
        if fix is not None:
            fix = replace(fix, edits=tuple(TextEdit(span(edit.span), edit.content) for edit in fix.edits))
        related = tuple(replace(other, span=span(other.span)) for other in each.related)
        note = each.note and _LINE.sub(lambda found: f"on line {place(Place(int(found[1]), 1)).row}", each.note)
        return replace(each, span=span(each.span), fix=fix, related=related, note=note)

    return tuple(map(one, found))
