"""The lines of a text that a change touches, also after the text was fixed, and in the cells of a notebook."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import chain

LAST = 2**31
_NEWLINE = re.compile(r"\r\n|\r|\n")
_BARE_RETURN = re.compile(r"\r(?!\n)")


@dataclass(frozen=True)
class Lines:
    """Ranges of lines, each from its first to its last line, counted from 1. Deleted lines count for the lines around them."""

    ranges: tuple[tuple[int, int], ...] = ()

    def touch(self, first: int, last: int) -> bool:
        """Whether one of the lines is in a range."""
        return any(start <= last and first <= end for start, end in self.ranges)


ALL = Lines(((1, LAST),))
"""The lines of a new file."""


def rows(lines: Lines, text: str) -> Lines:
    """Return the rows of a text for lines as git counts them. For git, a carriage return alone does not end a line."""
    if not _BARE_RETURN.search(text):
        return lines
    row, found = 1, []
    for number, line in enumerate(text.split("\n"), 1):
        last = row + len(_BARE_RETURN.findall(line.removesuffix("\r")))
        if lines.touch(number, number):
            found.append((row, last))
        row = last + 1
    return Lines(tuple(found))


def rows_of_cells(lines: Lines, starts: Mapping[int, int], places: Mapping[int, Sequence[int]]) -> Lines:
    """Return the rows of a notebook's module for lines of the notebook's file.

    `starts` are the first rows of cells in the module, and `places` the lines of the file for the rows of each cell.
    """
    return _joined(
        start + index
        for cell, start in sorted(starts.items())
        for index, line in enumerate(places.get(cell, ()))
        if lines.touch(line, line)
    )


def moved(lines: Lines, before: str, after: str) -> Lines:
    """Return the touched lines of a text that fixes have turned into another one. What a fix writes is part of the change."""
    if before == after:
        return lines
    old, new = _NEWLINE.split(before), _NEWLINE.split(after)
    return _joined(chain.from_iterable(_moved(lines, old, new)))


def _moved(lines: Lines, old: Sequence[str], new: Sequence[str]) -> Iterator[Iterable[int]]:
    for tag, first, last, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield (start + row - first + 1 for row in range(first, last) if lines.touch(row + 1, row + 1))
        else:
            yield range(start + 1, end + 1) if end > start else (start, start + 1)


def _joined(numbers: Iterable[int]) -> Lines:
    """Return sorted line numbers as ranges."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and number <= ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], max(number, ranges[-1][1]))
        else:
            ranges.append((number, number))
    return Lines(tuple(ranges))
