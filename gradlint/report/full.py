"""The `full` format: each finding with its source, the related places, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

import click

from gradlint.diagnostic import Applicability, Diagnostic, Span
from gradlint.report.change import GAP, Changed, changed_lines
from gradlint.report.lines import cut, expand, marker, one_line, safe, where, width
from gradlint.report.paths import relative
from gradlint.report.styles import COLOURS, coloured_code

_NEWLINE = re.compile(r"\r\n|\r|\n")
AROUND = 2
"""Number of lines to show above and below a place."""
COLUMNS = 140
"""Longer lines of code are cut, and so are those that do not fit on the terminal."""
NARROWEST = 40
_SIGNS = {"-": "red", "+": "green"}
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


@dataclass(frozen=True)
class _Sheet:
    """What excerpts are drawn on: the source, the width of the line numbers, and the columns that there are for code."""

    source: Sequence[str]
    gutter: int
    limit: int

    def line(self, rest: str = "", number: str = "") -> str:
        return f"{click.style(f'{number:>{self.gutter}} |', fg='blue')} {rest}".rstrip()


def full(
    diagnostics: Sequence[Diagnostic],
    text: str,
    *,
    unsafe: bool,
    links: bool = False,
    columns: int | None = None,
    texts: Mapping[tuple[str, int | None], str] | None = None,
) -> Iterator[str]:
    """Yield the lines for all findings in a file or notebook cell, with prose wrapped to `columns`.

    `texts` are those of other files that fixes change, by path.
    """
    source = _NEWLINE.split(text) if text else []
    for each in diagnostics:
        kind = click.style(each.severity.value, fg=COLOURS[each.severity], bold=True)
        yield f"{kind}[{coloured_code(each, links=links)}]: {click.style(one_line(each.message), bold=True)}"
        groups = _groups(_marks(each), len(source))
        change = changed_lines(source, each.fix.edits) if each.fix is not None else []
        sheet = _sheet(source, groups, change, columns)
        yield from _finding(each, groups, sheet)
        yield from _remarks(
            each, columns, marker(each, unsafe=unsafe), [*_change(change, sheet), *_elsewhere(each, texts or {}, sheet)]
        )
        yield ""


def _marks(each: Diagnostic) -> list[_Mark]:
    related = (_Mark(other.span, one_line(other.message), "-", "blue") for other in each.related)
    return [_Mark(each.span, "", "^", COLOURS[each.severity]), *related]


def _sheet(source: Sequence[str], groups: Sequence[Sequence[_Mark]], change: Sequence[Changed], columns: int | None) -> _Sheet:
    rows = [*(_rows(group, len(source))[-1] for group in groups), *(each.row for each in change)]
    gutter = len(str(max(rows))) if source else 1
    return _Sheet(source, gutter, COLUMNS if columns is None else max(NARROWEST, min(COLUMNS, columns - gutter - 3)))


def _finding(each: Diagnostic, groups: Sequence[Sequence[_Mark]], sheet: _Sheet) -> Iterator[str]:
    closed = True
    for group in groups:
        first = next((mark for mark in group if mark.main), group[0])
        arrow = click.style("-->" if first.main else ":::", fg="blue")
        if not closed:
            yield sheet.line()
        yield f"{' ' * sheet.gutter}{arrow} {where(each)}:{first.span.start.row}:{first.span.start.column}"
        if all(mark.rows[0] <= len(sheet.source) for mark in group):
            lines = list(_excerpt(group, sheet))
            yield from lines
            closed = lines[-1] == sheet.line()


def _change(change: Sequence[Changed], sheet: _Sheet) -> Iterator[str]:
    """Yield the lines that a fix removes and adds. Unlike an excerpt, they wrap: a cut could hide what is new."""
    if change:
        yield sheet.line()
    for each in change:
        if each.sign == GAP:
            yield click.style("." * max(3, sheet.gutter), fg="blue")
        else:
            line = f"{each.sign} {cut(expand(each.text), 0, COLUMNS)}".rstrip()
            shown = click.style(line, fg=_SIGNS[each.sign]) if each.sign in _SIGNS else line
            yield f"{click.style(f'{each.row:>{sheet.gutter}}', fg='blue')} {shown}".rstrip()
    if change:
        yield sheet.line()


def _elsewhere(each: Diagnostic, texts: Mapping[tuple[str, int | None], str], sheet: _Sheet) -> Iterator[str]:
    """Yield the lines that a fix changes in other files, below the names of those files."""
    for part in each.fix.elsewhere if each.fix is not None else ():
        change = changed_lines(_NEWLINE.split(texts.get((part.filename, None), "")), part.edits)
        name = safe(relative(part.filename, Path()) or part.filename)
        yield f"{' ' * sheet.gutter}{click.style(':::', fg='blue')} {name}"
        yield from _change(change, sheet)


def _remarks(each: Diagnostic, columns: int | None, star: str, change: Sequence[str]) -> Iterator[str]:
    """Yield why it harms, what the fix does (marked if `--fix` applies it) with its lines, and what else to know."""
    if each.reason:
        yield from _remark("note", each.reason, columns)
    if each.fix is not None:
        kind = "" if each.fix.applicability is Applicability.SAFE else " (unsafe fix)"
        yield from _remark("help", f"{star}{each.fix.message}{kind}", columns)
        yield from change
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


def _excerpt(group: Sequence[_Mark], sheet: _Sheet) -> Iterator[str]:
    source = sheet.source
    long = next((mark for mark in sorted(group, key=lambda each: not each.main) if len(mark.rows) > 1), None)
    rows = _trimmed(_rows(group, len(source)), group, source)
    hidden = _hidden(long, group) if long is not None else range(0)
    left = _left(group, sheet)
    yield sheet.line()
    for row in rows:
        if row in hidden:
            if row == hidden[0]:
                yield sheet.line(_bar(long, row) + "...") if long else "..."
            continue
        yield sheet.line(_bar(long, row) + cut(expand(source[row - 1]), left, left + sheet.limit), str(row))
        for mark in group:
            if mark is not long and mark.rows[0] == row:
                yield from (sheet.line(_bar(long, row, under=True) + under) for under in _under(mark, sheet, left))
        if long is not None and row == long.rows[-1]:
            yield from map(sheet.line, _end(long, sheet, left))
    if not any(mark.rows[-1 if mark is long else 0] == rows[-1] for mark in group):
        yield sheet.line()


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


def _left(group: Sequence[_Mark], sheet: _Sheet) -> int:
    """Return the first column to show, which is above 0 only if the mark would not be visible otherwise."""
    mark = next((each for each in group if each.main), group[0])
    start, stop = _columns(mark, sheet.source)
    return 0 if stop <= sheet.limit or start < sheet.limit // 2 else start - sheet.limit // 4


def _columns(mark: _Mark, source: Sequence[str]) -> tuple[int, int]:
    """Return the columns where a mark begins and ends in its first row."""
    line = source[mark.span.start.row - 1] if mark.span.start.row <= len(source) else ""
    end = mark.span.end.column - 1 if len(mark.rows) == 1 else len(line)
    start, stop = width(expand(line[: mark.span.start.column - 1])), width(expand(line[:end]))
    return start, max(stop, start + 1)


def _under(mark: _Mark, sheet: _Sheet, left: int) -> Iterator[str]:
    start, stop = (min(max(column - left, 0), sheet.limit) for column in _columns(mark, sheet.source))
    signs = mark.sign * max(1, stop - start)
    yield from _labelled(
        f"{' ' * start}{click.style(signs, fg=mark.colour, bold=mark.main)}", start, start + len(signs), mark, sheet
    )


def _bar(long: _Mark | None, row: int, *, under: bool = False) -> str:
    """Return the two columns in which a place of several lines is drawn, if the excerpt has one."""
    if long is None:
        return ""
    if row == long.rows[0] and not under:
        return click.style("/", fg=long.colour, bold=True) + " "
    return click.style("|", fg=long.colour, bold=True) + " " if row in long.rows else "  "


def _end(long: _Mark, sheet: _Sheet, left: int) -> Iterator[str]:
    row, column = long.span.end.row, long.span.end.column
    line = sheet.source[row - 1] if row <= len(sheet.source) else ""
    stop = min(max(width(expand(line[: column - 1])) - left, 1), sheet.limit)
    signs = f"|{'_' * stop}{long.sign}"
    yield from _labelled(click.style(signs, fg=long.colour, bold=True), 0, len(signs), long, sheet)


def _labelled(signs: str, start: int, stop: int, mark: _Mark, sheet: _Sheet) -> Iterator[str]:
    """Yield the signs that underline a place, with its label beside them, or below them if the line would be too long."""
    label, length = click.style(mark.label, fg=mark.colour), width(mark.label)
    if not mark.label:
        yield signs
    elif stop + 1 + length <= sheet.limit:
        yield f"{signs} {label}"
    else:
        yield signs
        yield f"{' ' * max(0, min(start, sheet.limit - length))}{label}"
