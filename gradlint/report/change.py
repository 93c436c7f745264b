"""Shows what a fix changes, line by line, for the help of a finding."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gradlint.diagnostic import Place, TextEdit

MOST = 12
"""A longer change is shown with its first lines only."""
NEAR = 2
"""Unchanged lines between two changes are shown if there are no more than these."""
GAP = "."
_NEWLINE = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Changed:
    """A line that a fix removes (`-`), adds (`+`) or leaves as it is (a blank), with its number. A gap has the sign `.`."""

    row: int
    sign: str
    text: str = ""


def changed_lines(source: Sequence[str], edits: Sequence[TextEdit]) -> list[Changed]:
    """Return the lines that a fix changes, or nothing if its edits are not about this text."""
    if not edits or max(edit.span.end.row for edit in edits) > len(source):
        return []
    first, last = min(edit.span.start.row for edit in edits), max(edit.span.end.row for edit in edits)
    lines = list(_compared(source[first - 1 : last], edited(source[first - 1 : last], first, edits), first))
    return [*lines[:MOST], Changed(lines[MOST].row, GAP)] if len(lines) > MOST else lines


def edited(lines: Sequence[str], first: int, edits: Sequence[TextEdit]) -> list[str]:
    """Return the lines from the row `first` on, with the edits applied."""

    def offset(place: Place) -> int:
        return sum(len(line) + 1 for line in lines[: place.row - first]) + place.column - 1

    text = "\n".join(lines)
    for edit in sorted(edits, reverse=True):
        text = text[: offset(edit.span.start)] + edit.content + text[offset(edit.span.end) :]
    return _NEWLINE.split(text)


def _compared(before: Sequence[str], after: Sequence[str], first: int) -> Iterator[Changed]:
    import difflib  # runs that print no fix start faster without it

    opcodes = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    changes = [number for number, (tag, *_) in enumerate(opcodes) if tag != "equal"]
    for number, (tag, i, j, k, m) in enumerate(opcodes):
        if tag != "equal":
            yield from (Changed(first + row, "-", before[row]) for row in range(i, j))
            yield from (Changed(first + row, "+", after[row]) for row in range(k, m))
        elif changes and changes[0] < number < changes[-1]:
            yield from (
                (Changed(first + row, " ", after[row]) for row in range(k, m)) if j - i <= NEAR else (Changed(first + k, GAP),)
            )
