"""Where the code of a notebook stands in its file, for readers that know lines of files and no cells."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from gradlint.cell_sources import SourceValue, source_values


def source_lines(text: str) -> Mapping[int, Sequence[int]]:
    """For each cell of a notebook, by its number from 1, the lines of the file in which the rows of its source stand.

    Nothing is told of a text that is no notebook.
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
    """The lines of one source that begins on a line."""
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
