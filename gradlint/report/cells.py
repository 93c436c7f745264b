"""Maps notebook cells to lines of the notebook file, for readers that know only lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from gradlint.cell_sources import SourceValue, source_values


def source_lines(text: str) -> Mapping[int, Sequence[int]]:
    """Return, by cell number from 1, the line of the file for each row of the cell's source.

    Return nothing for a text that is not a notebook.
    """
    try:
        values = source_values(text)
    except (ValueError, RecursionError):
        return {}
    lines: dict[int, Sequence[int]] = {}
    line, at = 1, 0
    for number, value in values.items():
        line, at = line + text.count("\n", at, value.start), value.start
        if value.strings:
            lines[number] = _lines(text, value, line)
    return lines


def _lines(text: str, value: SourceValue, line: int) -> Sequence[int]:
    """Return the file's line for each row of one source, which begins on `line`."""
    lines: list[int] = []
    at, unfinished = value.start, False
    for start, end in value.strings:
        line, at = line + text.count("\n", at, start), start
        string = json.loads(text[start:end])
        if string:
            rows = string.count("\n") + (not string.endswith("\n")) - unfinished
            lines.extend([line] * rows)
            unfinished = not string.endswith("\n")
    return lines
