"""Jupyter notebooks: code cells as one module in cell order, and back into the cells with everything else untouched.

Format: https://nbformat.readthedocs.io/en/latest/format_description.html (version 4).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from gradlint.depth import parse
from gradlint.diagnostic import Diagnostic, Place, Span, TextEdit

_SEPARATOR = "# gradlint: cell {number}\n\n"
_CELL = re.compile(r"^# gradlint: cell (\d+)\n\n", re.M)
_MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\s*=\s*[%!].*|.*\?{1,2}\s*)$")
_LINE = re.compile(r"on line (\d+)")
_MASK = re.compile(r"^[ \t]*pass  # gradlint: magic (\d+)$", re.M)
_SPACED, _COMPACT = None, (",", ":")
_LAYOUTS = ((1, _SPACED), (2, _SPACED), (4, _SPACED), (None, _SPACED), (None, _COMPACT))
Style = tuple[int | None, tuple[str, str] | None, bool]
_STYLES: tuple[Style, ...] = tuple((*layout, ascii_only) for layout in _LAYOUTS for ascii_only in (False, True))


class NotANotebook(ValueError):
    """The text is no notebook of version 4; the message says why."""


@dataclass(frozen=True)
class Notebook:
    """A notebook's Python code as one module, and the way back.

    `code` is the module; `starts` and `cells` are the rows at which cells begin in it and their numbers, counted from 1
    over all cells as Ruff counts them; `masked` are the magics, in the order of their placeholders.
    """

    text: str
    code: str
    starts: tuple[int, ...]
    cells: tuple[int, ...]
    sources: dict[int, str]
    masked: tuple[str, ...]

    def place(self, row: int) -> tuple[int, int]:
        """The number of the cell that a row of the module lies in, and the row in it."""
        index = max(bisect_right(self.starts, row) - 1, 0)
        return self.cells[index], row - self.starts[index] + 1

    def rewritten(self, code: str) -> str | None:
        """The notebook with new code in its cells; None where its layout could not be kept byte for byte."""
        document = json.loads(self.text)
        style = _style(document, self.text)
        parts = _CELL.split(code)
        numbers, bodies = [int(number) for number in parts[1::2]], parts[2::2]
        if style is None or tuple(numbers) != self.cells:
            return None
        for number, body in zip(numbers, bodies, strict=True):
            source = self.unmasked(body.removesuffix("\n"))
            if source != self.sources[number]:
                cell = document["cells"][number - 1]
                cell["source"] = source.splitlines(keepends=True) if isinstance(cell["source"], list) else source
        return _dump(document, self.text, style)

    @cached_property
    def can_be_written(self) -> bool:
        """Whether its layout is one that can be given back byte for byte."""
        return self.rewritten(self.code) is not None

    def unmasked(self, body: str) -> str:
        return _MASK.sub(lambda match: self.masked[int(match.group(1))], body)

    def localized(self, diagnostic: Diagnostic) -> Diagnostic:
        """The diagnostic with rows that count in its cell; what lies in other cells is told in its note."""
        cell, _ = self.place(diagnostic.span.start.row)
        near = [r for r in diagnostic.related if self.place(r.span.start.row)[0] == cell]
        far = [r for r in diagnostic.related if r not in near]
        told = [f"see cell {self.place(r.span.start.row)[0]}, line {self.place(r.span.start.row)[1]}: {r.message}" for r in far]
        fix = diagnostic.fix
        if fix is not None:
            here = all(self.place(edit.span.start.row)[0] == cell for edit in fix.edits)
            edits = tuple(TextEdit(self.shifted(edit.span), edit.content) for edit in fix.edits) if here else ()
            fix = replace(fix, edits=edits)
        note = _LINE.sub(lambda match: f"on {self._where(int(match[1]))}", diagnostic.note or "")
        if fix is not None and not self.can_be_written:
            fix, note = None, "no fix is offered: the notebook is laid out in a way that could not be kept"
        return replace(
            diagnostic,
            cell=cell,
            span=self.shifted(diagnostic.span),
            related=tuple(replace(r, span=self.shifted(r.span)) for r in near),
            note="; ".join([*([note] if note else []), *told]) or None,
            fix=fix,
        )

    def _where(self, row: int) -> str:
        cell, line = self.place(row)
        return f"line {line} of cell {cell}"

    def shifted(self, span: Span) -> Span:
        return Span(*(Place(self.place(p.row)[1], p.column) for p in (span.start, span.end)))


def read_notebook(text: str) -> Notebook:
    """The code of a notebook's Python cells. Raises NotANotebook."""
    try:
        document = json.loads(text)
        cells = document["cells"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NotANotebook(f"not a notebook: {error}") from error
    parts: list[str] = []
    starts: list[int] = []
    numbers: list[int] = []
    sources: dict[int, str] = {}
    masked: list[str] = []
    row = 1
    for number, source in _python_cells(document, cells):
        body = _parsable(source, masked)
        if body is None:
            continue
        part = f"{_SEPARATOR.format(number=number)}{body}\n"
        starts.append(row + 2)
        numbers.append(number)
        sources[number] = source
        parts.append(part)
        row += part.count("\n")
    return Notebook(text, "".join(parts), tuple(starts), tuple(numbers), sources, tuple(masked))


def _python_cells(document: dict[str, Any], cells: Any) -> Iterator[tuple[int, str]]:
    metadata = _object(document.get("metadata"))
    named = _object(metadata.get("language_info")).get("name") or _object(metadata.get("kernelspec")).get("language")
    if not isinstance(cells, list) or str(named or "python").lower() not in ("python", "ipython"):
        return
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", "")
        lines = source if isinstance(source, list) else [source]
        if all(isinstance(line, str) for line in lines):
            yield number, "".join(lines)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _parsable(source: str, masked: list[str]) -> str | None:
    """The cell as Python: magics and shell lines become placeholders; None where that does not help."""
    if _MASK.search(source) or _CELL.search(source):
        return None  # it would be taken for a placeholder or for the beginning of a cell
    if _parses(source):
        return source
    if source.lstrip().startswith("%%") and not re.match(r"\s*%%(time|timeit|capture|prun)\b", source):
        return None
    before = len(masked)
    lines = []
    for line in source.split("\n"):
        match = _MAGIC.match(line)
        if match and not _parses(line.strip()):
            lines.append(f"{match.group(1)}pass  # gradlint: magic {len(masked)}")
            masked.append(line)
        else:
            lines.append(line)
    body = "\n".join(lines)
    if _parses(body):
        return body
    del masked[before:]
    return None


def _parses(source: str) -> bool:
    try:
        parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _style(document: Any, text: str) -> Style | None:
    """The layout with which the document was written; None where none of the usual ones gives the text back."""
    return next((style for style in _STYLES if _dump(document, text, style) == text), None)


def _dump(document: Any, text: str, style: Style) -> str:
    indent, separators, ascii_only = style
    tail = text[len(text.rstrip("\r\n")) :]
    return json.dumps(document, indent=indent, separators=separators, ensure_ascii=ascii_only) + tail
