"""The `full` format: each finding with its source, the related places, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

import click

from gradlint.diagnostic import Applicability, Diagnostic, Span
from gradlint.report.lines import cut, expand, marker, one_line, where, width
from gradlint.report.styles import COLOURS, coloured_code

_NEWLINE = re.compile(r"\r\n|\r|\n")
AROUND = 2
"""Number of lines to show above and below a place."""
COLUMNS = 140
LONGEST = 8
"""A place with more lines than this is shown with its first and last lines only."""


@dataclass(frozen=True)
class _Mark:
    """A place to underline. That of the finding itself is `main`."""

    span: Span
    label: str
    sign: str
    colour: str

    @property
    def main(self) -> bool:
        return self.sign == "^"

    @property
    def rows(self) -> range:
        return range(self.span.start.row, self.span.end.row + 1)


def full(
    diagnostics: Sequence[Diagnostic], text: str, *, unsafe: bool, links: bool = False, columns: int | None = None
) -> Iterator[str]:
    """Yield the lines for all findings in a file or notebook cell, with prose wrapped to `columns`."""
    source = _NEWLINE.split(text) if text else []
    for each in diagnostics:
        kind = click.style(each.severity.value, fg=COLOURS[each.severity], bold=True)
        yield f"{kind}[{coloured_code(each, links=links)}]: {click.style(one_line(each.message), bold=True)}"
        yield from _finding(each, source)
        yield from _remarks(each, columns, marker(each, unsafe=unsafe))
        yield ""


def _finding(each: Diagnostic, source: Sequence[str]) -> Iterator[str]:
    main = _Mark(each.span, "", "^", COLOURS[each.severity])
    marks = [main, *(_Mark(other.span, one_line(other.message), "-", "blue") for other in each.related)]
    groups = _groups(marks, len(source))
    gutter = len(str(max(_rows(group, len(source))[-1] for group in groups))) if source else 1
    closed = True
    for group in groups:
        first = next((mark for mark in group if mark.main), group[0])
        arrow = click.style("-->" if first.main else ":::", fg="blue")
        if not closed:
            yield _line(gutter)
        yield f"{' ' * gutter}{arrow} {where(each)}:{first.span.start.row}:{first.span.start.column}"
        if all(mark.rows[0] <= len(source) for mark in group):
            lines = list(_excerpt(group, source, gutter))
            yield from lines
            closed = lines[-1] == _line(gutter)


def _remarks(each: Diagnostic, columns: int | None, star: str) -> Iterator[str]:
    """Yield why it harms, what the fix does (marked if `--fix` applies it), and what else to know."""
    if each.reason:
        yield from _remark("note", each.reason, columns)
    if each.fix is not None:
        kind = "" if each.fix.applicability is Applicability.SAFE else " (unsafe fix)"
        yield from _remark("help", f"{star}{each.fix.message}{kind}", columns)
    if each.note:
        yield from _remark("note", each.note, columns)


def _remark(word: str, told: str, columns: int | None) -> Iterator[str]:
    """Yield a remark below a finding. Wrapped lines are indented to the beginning of its text."""
    text = f"{word}: {one_line(told)}"
    lines = wrap(text, columns, subsequent_indent="      ", break_on_hyphens=False) if columns is not None else [text]
    yield f"{click.style(word, fg='cyan', bold=True)}{lines[0].removeprefix(word)}"
    yield from lines[1:]


def _groups(marks: Sequence[_Mark], last: int) -> list[list[_Mark]]:
    """Group marks that are close together, so that they share an excerpt. The group with the finding itself comes first."""
    groups: list[list[_Mark]] = []
    for mark in sorted(marks, key=lambda each: each.span):
        if groups and _rows([mark], last)[0] <= _rows(groups[-1], last)[-1] + 1:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    return sorted(groups, key=lambda group: not any(mark.main for mark in group))


def _rows(group: Sequence[_Mark], last: int) -> range:
    """Return the rows of an excerpt."""
    first = max(1, min(mark.rows[0] for mark in group) - AROUND)
    return range(first, max(first, min(last, max(mark.rows[-1] for mark in group) + AROUND)) + 1)


def _line(gutter: int, rest: str = "", number: str = "") -> str:
    return f"{click.style(f'{number:>{gutter}} |', fg='blue')} {rest}".rstrip()


def _excerpt(group: Sequence[_Mark], source: Sequence[str], gutter: int) -> Iterator[str]:
    long = next((mark for mark in sorted(group, key=lambda each: not each.main) if len(mark.rows) > 1), None)
    rows = _trimmed(_rows(group, len(source)), group, source)
    hidden = _hidden(long, group) if long is not None else range(0)
    left = _left(group, source)
    yield _line(gutter)
    for row in rows:
        if row in hidden:
            if row == hidden[0]:
                yield _line(gutter, _bar(long, row) + "...") if long else "..."
            continue
        yield _line(gutter, _bar(long, row) + cut(expand(source[row - 1]), left, left + COLUMNS), str(row))
        for mark in group:
            if mark is not long and mark.rows[0] == row:
                yield _line(gutter, _bar(long, row, under=True) + _under(mark, source, left))
        if long is not None and row == long.rows[-1]:
            yield _line(gutter, _end(long, source, left))
    if not any(mark.rows[-1 if mark is long else 0] == rows[-1] for mark in group):
        yield _line(gutter)


def _trimmed(rows: range, group: Sequence[_Mark], source: Sequence[str]) -> range:
    """Return the rows without blank lines at either end."""
    first, last = rows[0], rows[-1]
    while first < min(mark.rows[0] for mark in group) and not source[first - 1].strip():
        first += 1
    while last > max(mark.rows[-1] for mark in group) and not source[last - 1].strip():
        last -= 1
    return range(first, min(last, len(source)) + 1)


def _hidden(long: _Mark, group: Sequence[_Mark]) -> range:
    """Return the rows of a long place to leave out: none if another mark is among them."""
    inside = range(long.rows[0] + 3, long.rows[-1] - 1)
    shown = any(mark is not long and mark.rows[0] in inside for mark in group)
    return range(0) if len(long.rows) <= LONGEST or shown else inside


def _left(group: Sequence[_Mark], source: Sequence[str]) -> int:
    """Return the first column to show, which is above 0 only if the mark would not be visible otherwise."""
    mark = next((each for each in group if each.main), group[0])
    start, stop = _columns(mark, source)
    return 0 if stop <= COLUMNS or start < COLUMNS // 2 else start - COLUMNS // 4


def _columns(mark: _Mark, source: Sequence[str]) -> tuple[int, int]:
    """Return the columns where a mark begins and ends in its first row."""
    line = source[mark.span.start.row - 1] if mark.span.start.row <= len(source) else ""
    end = mark.span.end.column - 1 if len(mark.rows) == 1 else len(line)
    start, stop = width(expand(line[: mark.span.start.column - 1])), width(expand(line[:end]))
    return start, max(stop, start + 1)


def _under(mark: _Mark, source: Sequence[str], left: int) -> str:
    start, stop = (min(max(column - left, 0), COLUMNS) for column in _columns(mark, source))
    signs = click.style(mark.sign * max(1, stop - start), fg=mark.colour, bold=mark.main)
    return f"{' ' * start}{signs}{_label(mark)}"


def _bar(long: _Mark | None, row: int, *, under: bool = False) -> str:
    """Return the two columns in which a place of several lines is drawn, if the excerpt has one."""
    if long is None:
        return ""
    if row == long.rows[0] and not under:
        return click.style("/", fg=long.colour, bold=True) + " "
    return click.style("|", fg=long.colour, bold=True) + " " if row in long.rows else "  "


def _end(long: _Mark, source: Sequence[str], left: int) -> str:
    row, column = long.span.end.row, long.span.end.column
    line = source[row - 1] if row <= len(source) else ""
    stop = min(max(width(expand(line[: column - 1])) - left, 1), COLUMNS)
    return f"{click.style('|' + '_' * stop + long.sign, fg=long.colour, bold=True)}{_label(long)}"


def _label(mark: _Mark) -> str:
    return f" {click.style(mark.label, fg=mark.colour)}" if mark.label else ""
