"""Turns the code cells of a Jupyter notebook into one module, and writes changes back into the cells without touching the rest.

Format: https://nbformat.readthedocs.io/en/latest/format_description.html (version 4).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

from gradlint.cell_sources import SourceValue, source_values
from gradlint.diagnostic import Diagnostic, LoopVerdict, Place, Span, TextEdit
from gradlint.files.cell_writing import with_source
from gradlint.files.parse import parse

_SEPARATOR = "# gradlint: cell {number}\n\n"
_CELL = re.compile(r"^# gradlint: cell (\d+)\n\n", re.M)
_ASSIGNED = re.compile(r"[\w.]+\s*=\s*[%!]")
_MASK = re.compile(r"pass  # gradlint: magic (\d+)$", re.M)
_NEWLINE = re.compile(r"\r\n|\r|\n")
_BARE_NEWLINE = re.compile(r"(?<!\r)\n")
DEEPEST = 200
"""Limit on the nesting of a notebook that is written, so that every parser can read it, even if little of its stack is left."""


class NotANotebook(ValueError):
    """The text is not a notebook of version 4. The message says why."""


class Unwritable(ValueError):
    """The code cannot be written back into the cells. The message says why."""


@dataclass(frozen=True)
class Notebook:
    """A notebook's Python code as one module, and the way back.

    `code` is the module. `starts` and `cells` are the rows at which cells begin in it, and the numbers of these cells, which
    count all cells from 1, as Ruff does. `masked` are the magics, in the order of their placeholders.
    """

    text: str
    code: str
    starts: tuple[int, ...]
    cells: tuple[int, ...]
    sources: dict[int, str]
    masked: tuple[str, ...]

    def place(self, row: int) -> tuple[int, int]:
        """Return the cell that contains a row of the module, and the row in that cell."""
        index = max(bisect_right(self.starts, row) - 1, 0)
        return self.cells[index], row - self.starts[index] + 1

    def sources_of(self, code: str) -> dict[int, str]:
        """Return the sources that a new code changes, by cell number. Raises Unwritable."""
        head, *parts = _CELL.split(code)
        numbers, bodies = [int(number) for number in parts[::2]], parts[1::2]
        if head or tuple(numbers) != self.cells:
            raise Unwritable("it would change where a cell begins")
        if sorted(map(int, _MASK.findall(code))) != list(range(len(self.masked))):
            raise Unwritable("it would change a magic of IPython")
        sources = {}
        for number, body in zip(numbers, bodies, strict=True):
            old, new = self.sources[number], _unmasked(body.removesuffix("\n"), self.masked)
            if "\r\n" in old and not _BARE_NEWLINE.search(old):
                new = _BARE_NEWLINE.sub("\r\n", new)
            if new != old:
                sources[number] = new
        return sources

    def rewritten(self, code: str) -> str:
        """Return the notebook with new code in its cells, and every other character unchanged. Raises Unwritable."""
        sources = self._writable(code)
        parts, at = [], 0
        for number in sorted(sources):
            value = self._values[number]
            parts += [self.text[at : value.start], with_source(self.text, value, sources[number], self._values.values())]
            at = value.end
        new = "".join([*parts, self.text[at:]])
        if not _differs_in(sources, self.text, new):
            raise Unwritable("the JSON of the notebook would be read differently")
        return new

    def refusal(self, code: str) -> str | None:
        """Return why new code cannot be written into the cells, or None if it can."""
        try:
            self._writable(code)
        except Unwritable as reason:
            return str(reason)
        return None

    def _writable(self, code: str) -> dict[int, str]:
        sources = self.sources_of(code)
        if sources and self._is_deep:
            raise Unwritable(f"the JSON of the notebook has more than {DEEPEST} levels")
        for number in sources:
            if number not in self._values:
                raise Unwritable(f"cell {number} has no `source` to write to")
        return sources

    @cached_property
    def _values(self) -> Mapping[int, SourceValue]:
        return source_values(self.text)

    @cached_property
    def _is_deep(self) -> bool:
        try:
            level = [json.loads(self.text)]
        except RecursionError:  # it could be read earlier, when less of the stack was in use
            return True
        for _ in range(DEEPEST):
            inner = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list)))
            level = list(chain.from_iterable(inner))
        return bool(level)

    def localized(self, diagnostic: Diagnostic) -> Diagnostic:
        """Return the diagnostic with rows relative to its cell. Its note mentions places in other cells."""
        cell, _ = self.place(diagnostic.span.start.row)
        near = [r for r in diagnostic.related if self.place(r.span.start.row)[0] == cell]
        far = [r for r in diagnostic.related if r not in near]
        told = [f"see cell {self.place(r.span.start.row)[0]}, line {self.place(r.span.start.row)[1]}: {r.message}" for r in far]
        fix = diagnostic.fix
        if fix is not None:
            here = all(self.place(edit.span.start.row)[0] == cell for edit in fix.edits)
            edits = tuple(TextEdit(self.shifted(edit.span), edit.content) for edit in fix.edits) if here else ()
            fix = replace(fix, edits=edits)
        return replace(
            diagnostic,
            cell=cell,
            span=self.shifted(diagnostic.span),
            related=tuple(replace(r, span=self.shifted(r.span)) for r in near),
            note="; ".join([*([diagnostic.note] if diagnostic.note else []), *told]) or None,
            fix=fix,
        )

    def localized_verdict(self, verdict: LoopVerdict) -> LoopVerdict:
        """Return the verdict with lines relative to their cells."""
        cell, line = self.place(verdict.line)
        reason_cell, reason_line = self.place(verdict.reason_line) if verdict.reason_line else (None, 0)
        last = verdict.last_line - verdict.line + line
        return replace(verdict, line=line, last_line=last, cell=cell, reason_line=reason_line, reason_cell=reason_cell)

    def shifted(self, span: Span) -> Span:
        return Span(*(Place(self.place(p.row)[1], p.column) for p in (span.start, span.end)))


def read_notebook(text: str) -> Notebook:
    """Read the code of a notebook's Python cells. Raises NotANotebook."""
    try:
        document = json.loads(text)
        cells = document["cells"]
    except RecursionError as error:
        raise NotANotebook("not a notebook that can be read: its JSON is nested too deeply") from error
    except (ValueError, KeyError, TypeError) as error:
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
        row += len(_NEWLINE.findall(part))
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
    """Return a cell as Python, with placeholders for magics and shell lines, or None if it still does not parse."""
    if _MASK.search(source) or _CELL.search(f"{source}\n"):
        return None  # it would be mistaken for a placeholder or for the beginning of a cell
    if _parses(source):
        return source
    if source.lstrip().startswith("%%") and not re.match(r"\s*%%(time|timeit|capture|prun)\b", source):
        return None
    before = len(masked)
    lines = []
    for line in source.split("\n"):
        if _is_magic(line) and not _parses(line.strip()):
            words = line.lstrip()
            lines.append(f"{line[: len(line) - len(words)]}pass  # gradlint: magic {len(masked)}")
            masked.append(words)
        else:
            lines.append(line)
    body = "\n".join(lines)
    if _parses(body) and _unmasked(body, masked) == source:
        return body
    del masked[before:]
    return None


def _is_magic(line: str) -> bool:
    words = line.strip()
    return words.startswith(("%", "!", "?")) or words.endswith("?") or _ASSIGNED.match(words) is not None


def _unmasked(body: str, masked: Sequence[str]) -> str:
    """Put the magics back in place, wherever their lines have moved and however they are indented now."""
    return _MASK.sub(lambda match: masked[int(match.group(1))], body)


def _parses(source: str) -> bool:
    try:
        parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _differs_in(sources: Mapping[int, str], before: str, after: str) -> bool:
    """Whether two notebooks differ only in these sources, and the second has them in the same form: a string or a list."""
    try:
        old, new = json.loads(before), json.loads(after)
        for number, source in sources.items():
            one, other = old["cells"][number - 1].pop("source"), new["cells"][number - 1].pop("source")
            if type(one) is not type(other) or "".join(other) != source:
                return False
        return bool(old == new)
    except (ValueError, RecursionError):
        return False
