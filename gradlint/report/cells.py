"""Where the code of a notebook stands in its file, for readers that know lines of files and no cells."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def source_lines(text: str) -> Mapping[int, Sequence[int]]:
    """For each cell of a notebook, by its number from 1, the lines of the file in which the rows of its source stand.

    Python's JSON parser keeps no places, so this walks the tokens of the document. Nothing is told of a text that is none.
    """
    lines: dict[int, list[int]] = {}
    unfinished: set[int] = set()
    path: list[str | int] = []  # for each open container, the key or the index of what comes next in it
    line, at, key = 1, 0, False
    for match in _TOKEN.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        token = match.group()
        if token in "]},:" and not path:
            return {}
        if token == "{":
            path.append("")
            key = True
        elif token == "[":
            path.append(0)
        elif token in "]}":
            path.pop()
        elif token == ",":
            last = path[-1]
            if isinstance(last, int):
                path[-1] = last + 1
            else:
                key = True
        elif token == ":":
            key = False
        elif key:
            path[-1] = token[1:-1]
        elif token.startswith('"') and (number := _cell(path)) is not None:
            value = json.loads(token, strict=False)
            rows = value.count("\n") + (not value.endswith("\n") and value != "") - (number in unfinished and value != "")
            lines.setdefault(number, []).extend([line] * rows)
            if value:
                (unfinished.discard if value.endswith("\n") else unfinished.add)(number)
    return lines


def _cell(path: Sequence[str | int]) -> int | None:
    """The number of the cell whose source, or a line of it, stands at a path of the document."""
    if len(path) in (3, 4) and path[0] == "cells" and path[2] == "source" and isinstance(path[1], int):
        return path[1] + 1
    return None
