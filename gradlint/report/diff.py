"""Writes fixes as a unified diff that `git apply` and `patch -p1` accept."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gradlint.report.cells import source_lines
from gradlint.report.lines import disarmed, printable, safe
from gradlint.report.paths import absolute, relative

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? ")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def diff(filename: str, before: str, after: str) -> Iterator[str]:
    """Yield the lines of the diff, without their newlines. In a notebook, each hunk names its cells."""
    cells = source_lines(before) if filename.endswith(".ipynb") else {}
    name = safe(relative(filename, Path()) or absolute(filename)).lstrip("/")
    end = "\t" if " " in name else ""  # as git writes it, because it reads a name only up to its first blank otherwise
    for line in difflib.unified_diff(_LINE.findall(before), _LINE.findall(after), f"a/{name}{end}", f"b/{name}{end}"):
        shown = printable(line.rstrip("\r\n"), keep="\t\u2028\u2029")  # `patch` needs these characters to find the place
        if hunk := _HUNK.match(shown):
            shown += _cells(hunk, cells)
        yield disarmed(shown) + ("\r" if line.endswith("\r\n") else "")
        if not line.endswith(("\n", "\r")):
            yield "\\ No newline at end of file"


def _cells(hunk: re.Match[str], cells: Mapping[int, Sequence[int]]) -> str:
    """Return the cells that a hunk shows, as the heading of a section, which `git apply` and `patch` skip."""
    first = int(hunk[1])
    rows = range(first, first + int(hunk[2] or 1))
    numbers = [str(number) for number, lines in cells.items() if lines and lines[0] < rows.stop and lines[-1] >= rows.start]
    return f" cell{'s' * (len(numbers) > 1)} {', '.join(numbers)}" if numbers else ""
