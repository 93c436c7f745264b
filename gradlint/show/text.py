"""Draws the picture as text, 80 columns wide, with a glyph for each mark, so that it is readable without colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import click

from gradlint.report.lines import cut, one_line, width
from gradlint.show.columns import shortened
from gradlint.show.grid import Column, Grid, Mark, Part, Row, Timeline
from gradlint.show.legend import AFTER, NOTHING_WRONG, heading, sentences, used

COLUMNS = 80
_LABEL = 24
_PLACES = 11
_CODE = 6


@dataclass(frozen=True)
class Style:
    """How to draw marks and lines."""

    glyphs: dict[Mark, str] = field(hash=False)
    bar: str
    cut: str

    def fits(self, encoding: str | None) -> bool:
        """Whether a stream with this encoding can print the style."""
        try:
            "".join((*self.glyphs.values(), self.bar, self.cut)).encode(encoding or "ascii")
        except (UnicodeError, LookupError):
            return False
        return True


UNICODE = Style(
    {
        Mark.NOTHING: "·",
        Mark.HAPPENS: "●",
        Mark.MAYBE: "○",
        Mark.UNKNOWN: "?",
        Mark.WRONG: "✗",
        Mark.MISSING: "□",
        Mark.GAP: "…",
    },
    "│",
    "…",
)
ASCII = Style(
    {
        Mark.NOTHING: ".",
        Mark.HAPPENS: "*",
        Mark.MAYBE: "o",
        Mark.UNKNOWN: "?",
        Mark.WRONG: "X",
        Mark.MISSING: "!",
        Mark.GAP: "~",
    },
    "|",
    "~",
)


def style_for(encoding: str | None) -> Style:
    """Return the style that a stream can print."""
    return UNICODE if UNICODE.fits(encoding) else ASCII


def draw(timeline: Timeline, style: Style) -> Iterator[str]:
    """Yield the lines for one training loop: the grid before the fix, the grid after it, and the notes."""
    shape = _shape(timeline)
    if shape.left + _width(timeline.grid.columns, shape.cell) > COLUMNS:
        timeline = shortened(timeline)
        shape = _shape(timeline)
    yield from _grid(timeline.grid, one_line(heading(timeline)), shape, style)
    if timeline.better is not None:
        yield ""
        yield from _grid(timeline.better, AFTER, shape, style)
    said = [
        f"{each.code} {each.name}, {each.at.words}{'' if each.drawn else ' (not on the timeline)'}" for each in timeline.verdicts
    ]
    yield ""
    if not timeline.accused:
        yield f"  {NOTHING_WRONG}"
    for line in said:
        yield f"  {click.style(line[:_CODE], fg='red')}{line[_CODE:]}"
    for note in timeline.notes:
        yield from _wrapped(one_line(note))


def legend(timelines: Sequence[Timeline], style: Style) -> Iterator[str]:
    """Yield what the glyphs in these timelines mean, and how to read the grids."""
    yield from _lines([f"{style.glyphs[mark]} {meaning}" for mark, meaning in used(timelines)], "   ")
    for sentence in sentences(timelines):
        yield f"  {sentence}"


def _lines(items: Sequence[str], gap: str) -> Iterator[str]:
    """Put items side by side, as many on a line as fit."""
    line = ""
    for item in items:
        if line and width(line) + len(gap) + width(item) > COLUMNS - 2:
            yield f"  {line}"
            line = ""
        line = f"{line}{gap}{item}" if line else item
    if line:
        yield f"  {line}"


def _wrapped(text: str) -> Iterator[str]:
    yield from _lines(text.split(" "), " ")


# The shape that both grids share


@dataclass(frozen=True)
class _Shape:
    """The widths of the parts of a line, in terminal columns."""

    places: int
    label: int
    cell: int
    heading: str

    @property
    def left(self) -> int:
        return 2 + self.places + 2 + self.label + 1


def _shape(timeline: Timeline) -> _Shape:
    rows = [*timeline.grid.rows, *(timeline.better.rows if timeline.better else ())]
    heading = "cell:line" if timeline.at.cell is not None else "line"
    places = max(len(heading), *(len(_places(row)) for row in rows)) if rows else len(heading)
    label = max((width(one_line(row.label)) for row in rows), default=0)
    numbers = [column.number for column in timeline.grid.columns if column.number is not None]
    least = len(str(max(numbers, default=0))) + 1
    codes = max((len(" ".join(row.codes)) for row in rows), default=0)
    # Make columns narrower until the codes of a row fit beside them.
    for cell, beside, most in ((4, max(codes, _CODE), 40), (3, codes, 40), (3, _CODE, _LABEL), (2, 0, _LABEL)):
        shape = _Shape(places, min(label, most), max(cell, least if least > 3 else 2), heading)
        if shape.left + _width(timeline.grid.columns, shape.cell) + 2 + beside <= COLUMNS:
            break
    return shape


def _width(columns: Sequence[Column], cell: int) -> int:
    bars = sum(a.part is not b.part for a, b in pairwise(columns))
    return sum(_cell(column, cell) for column in columns) + 2 * bars


def _cell(column: Column, cell: int) -> int:
    return {Part.BEFORE: 3, Part.AFTER: 4}.get(column.part, cell)


# One grid


def _grid(grid: Grid, title: str, shape: _Shape, style: Style) -> Iterator[str]:
    yield f"  {click.style(title, bold=True)}"
    parts = _parts(grid.columns)
    names = [_heading(columns, sum(_cell(each, shape.cell) for each in columns)) for columns in parts]
    yield f"{' ' * shape.left}{'  '.join(names)}".rstrip()
    *above, numbers = _numbers(grid.columns, shape.cell, style)
    for line in above:
        yield f"{' ' * shape.left}{_joined(line, grid.columns, style)}".rstrip()
    head = shape.heading if any(row.at for row in grid.rows) else ""
    yield f"  {head:>{shape.places}}  {' ' * shape.label} {_joined(numbers, grid.columns, style)}".rstrip()
    for row in grid.rows:
        cells = [_mark(mark, style, _cell(column, shape.cell)) for mark, column in zip(row.marks, grid.columns, strict=True)]
        label = cut(one_line(row.label), 0, shape.label).replace("…", style.cut)
        pad = " " * (shape.label - width(label))
        drawn = _joined(cells, grid.columns, style)
        used = shape.left + _width(grid.columns, shape.cell)
        yield f"  {_places(row):>{shape.places}}  {label}{pad} {drawn}{_codes(row, COLUMNS - used)}".rstrip()


def _parts(columns: Sequence[Column]) -> list[list[Column]]:
    parts: list[list[Column]] = []
    for column in columns:
        if parts and parts[-1][-1].part is column.part:
            parts[-1].append(column)
        else:
            parts.append([column])
    return parts


def _heading(columns: Sequence[Column], space: int) -> str:
    part = columns[0].part
    name = "" if part in (Part.BEFORE, Part.AFTER) else part.value
    return f"{name if len(name) <= space else name[:space]:>{space}}" if len(columns) < 3 else name.center(space)


def _numbers(columns: Sequence[Column], cell: int, style: Style) -> Iterator[list[str]]:
    """Yield the lines with the column numbers. If columns are too narrow for two digits, the tens go above the units."""
    names = {Part.BEFORE: "pre", Part.AFTER: "end"}
    gap = style.glyphs[Mark.GAP]
    shown = [names.get(column.part, str(column.number) if column.number is not None else gap) for column in columns]
    if cell == 2 and any(text.isdigit() and len(text) > 1 for text in shown):
        yield [
            f"{text[:-1] if text.isdigit() else '':>{_cell(column, cell)}}" for text, column in zip(shown, columns, strict=True)
        ]
        shown = [text[-1] if text.isdigit() else text for text in shown]
    yield [f"{text:>{_cell(column, cell)}}" for text, column in zip(shown, columns, strict=True)]


def _joined(cells: Sequence[str], columns: Sequence[Column], style: Style) -> str:
    """Put cells side by side, with a bar where a part ends."""
    line = ""
    for index, cell in enumerate(cells):
        if index and columns[index].part is not columns[index - 1].part:
            line += f" {click.style(style.bar, dim=True)}"
        line += cell
    return line


def _mark(mark: Mark, style: Style, cell: int) -> str:
    glyph = style.glyphs[mark]
    pad = " " * (cell - 1)
    if mark in (Mark.WRONG, Mark.MISSING):
        return pad + click.style(glyph, fg="red", bold=True)
    if mark is Mark.UNKNOWN:
        return pad + click.style(glyph, fg="yellow")
    return pad + (click.style(glyph, dim=True) if mark in (Mark.NOTHING, Mark.GAP) else glyph)


def _places(row: Row) -> str:
    text = ",".join(map(str, row.at))
    return text if len(text) <= _PLACES else f"{row.at[0]}-{row.at[-1]}"[:_PLACES]


def _codes(row: Row, space: int) -> str:
    """Return the rules that accuse a row in the form that fits: full codes, only their numbers, or only the first number."""
    numbers = [code.removeprefix("GRD") for code in row.codes]
    for text in (" ".join(row.codes), " ".join(numbers), f"{numbers[0]}+" if numbers else ""):
        if text and len(text) + 1 <= space:
            return f"{'  ' if len(text) + 2 <= space else ' '}{click.style(text, fg='red')}"
    return ""
