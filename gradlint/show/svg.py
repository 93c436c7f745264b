"""Draws the picture as SVG: one self-contained, accessible file that follows the reader's light or dark theme."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from gradlint.report.lines import one_line, width
from gradlint.show.grid import Column, Grid, Mark, Part, Picture, Row, Timeline, Verdict
from gradlint.show.legend import AFTER, NOTHING_WRONG, heading, sentences, used

CHARACTER = 7.9
"""The width of a character in pixels, a little more than that of common fonts."""
ROW, CELL, GAP, MARGIN = 24, 24, 10, 24
_STYLE = """
.gradlint { --ink: #1f2328; --soft: #59636e; --page: #ffffff; --band: #eef1f4; --wrong: #cf222e; --unknown: #9a6700; }
@media (prefers-color-scheme: dark) {
  .gradlint { --ink: #e6edf3; --soft: #9198a1; --page: #0d1117; --band: #1c232c; --wrong: #ff7b72; --unknown: #d29922; }
}
.gradlint text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: var(--ink); }
.gradlint .title { font-weight: 700; font-size: 14px; }
.gradlint .head { font-weight: 700; }
.gradlint .soft { fill: var(--soft); }
.gradlint .right { text-anchor: end; }
.gradlint .middle { text-anchor: middle; }
.gradlint .page { fill: var(--page); }
.gradlint .band { fill: var(--band); }
.gradlint .code { fill: var(--wrong); }
.gradlint .happens { fill: var(--ink); }
.gradlint .maybe { fill: none; stroke: var(--ink); stroke-width: 2; }
.gradlint .wrong { fill: none; stroke: var(--wrong); stroke-width: 3; stroke-linecap: round; }
.gradlint .missing { fill: none; stroke: var(--wrong); stroke-width: 2; stroke-dasharray: 3 2; }
.gradlint .nothing { fill: var(--soft); }
.gradlint text.unknown { fill: var(--unknown); font-weight: 700; }
""".strip()


@dataclass(frozen=True)
class _Shape:
    """The horizontal positions of the parts, in pixels."""

    places: float
    label: float
    grid: float
    codes: float
    columns: tuple[tuple[Column, float], ...]

    @property
    def right(self) -> float:
        return self.codes


def draw_svg(pictures: Sequence[Picture]) -> str:
    """Draw all loops of some files, one below another, as an XML document in ASCII."""
    timelines = [timeline for picture in pictures for timeline in picture.timelines]
    body: list[str] = []
    top, right = float(MARGIN), 560.0
    for timeline in timelines:
        lines, top, used = _timeline(timeline, top)
        body.extend(lines)
        right = max(right, used)
    lines, top, used = _legend(timelines, top)
    body.extend(lines)
    page_width, page_height = math.ceil(max(right, used) + MARGIN), math.ceil(top + MARGIN - 8)
    title = "; ".join(dict.fromkeys(f"Training loop {each.function} in {each.filename}" for each in timelines))
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="gradlint" role="img" aria-labelledby="gradlint-title gradlint-desc" '
        f'width="{page_width}" height="{page_height}" viewBox="0 0 {page_width} {page_height}">',
        f'<title id="gradlint-title">{_text(title)}</title>',
        f'<desc id="gradlint-desc">{_text(" ".join(map(_described, timelines)))}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{page_width}" height="{page_height}"/>',
    ]
    document = "\n".join((*head, *body, "</svg>", ""))
    return document.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _text(text: str) -> str:
    return escape(one_line(text))


def _write(text: str, x: float, y: float, kind: str = "") -> str:
    css = f" class={quoteattr(kind)}" if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{css}>{_text(text)}</text>'


# One loop


def _timeline(timeline: Timeline, top: float) -> tuple[list[str], float, float]:
    """Return the elements of a loop, where the next one begins, and how far to the right it extends."""
    shape = _shape(timeline)
    where = f"{timeline.filename}:{timeline.at}" if timeline.at.cell is None else f"{timeline.filename}, {timeline.at.words}"
    title = f"{where} {timeline.function}"
    drawn = [_write(title, MARGIN, top + 14, "title")]
    right = max(shape.right, MARGIN + width(title) * CHARACTER * 1.1)
    top += 40
    lines, top = _grid(timeline.grid, heading(timeline), shape, top, timeline)
    drawn += lines
    if timeline.better is not None:
        lines, top = _grid(timeline.better, AFTER, shape, top + 18, timeline)
        drawn += lines
    top += 20
    for verdict in timeline.verdicts:
        lines, used = _verdict(verdict, top)
        drawn += lines
        top, right = top + 20, max(right, used)
    nothing = () if timeline.accused else (NOTHING_WRONG,)
    for note in (*nothing, *timeline.notes):
        for line in _folded(note, max(right, 560) - MARGIN):
            drawn.append(_write(line, MARGIN, top, "soft"))
            top += 20
    return drawn, top + 24, right


def _shape(timeline: Timeline) -> _Shape:
    rows = [*timeline.grid.rows, *(timeline.better.rows if timeline.better else ())]
    places = max([len(_unit(timeline)), *(width(_places(row)) for row in rows)]) * CHARACTER
    label = max([8, *(width(one_line(row.label)) for row in rows)]) * CHARACTER
    codes = max([0, *(len(" ".join(row.codes)) for row in rows)]) * CHARACTER
    grid = MARGIN + places + 14 + label + 18
    x, last, columns = grid, None, []
    for column in timeline.grid.columns:
        digits = len(str(column.number)) if column.number is not None else 3
        size = max(CELL, digits * CHARACTER + 6)
        if last is not None and last is not column.part:
            x += GAP
        columns.append((column, x + size / 2))
        x, last = x + size, column.part
    return _Shape(MARGIN + places, MARGIN + places + 14, x + 14, x + 14 + codes, tuple(columns))


def _grid(grid: Grid, title: str, shape: _Shape, top: float, timeline: Timeline) -> tuple[list[str], float]:
    drawn = [_write(title, MARGIN, top, "head")]
    top += 12
    bottom = top + 44 + ROW * len(grid.rows)
    for part, left, right in _bands(shape):
        drawn.append(f'<rect class="band" x="{left:g}" y="{top:g}" width="{right - left:g}" height="{bottom - top:g}" rx="6"/>')
        if part not in (Part.BEFORE, Part.AFTER):
            drawn.append(
                _write(
                    part.value if right - left >= len(part.value) * CHARACTER else part.value[-1],
                    (left + right) / 2,
                    top + 17,
                    "soft middle",
                )
            )
    if any(row.at for row in grid.rows):
        drawn.append(_write(_unit(timeline), shape.places, top + 36, "soft right"))
    names = {Part.BEFORE: "pre", Part.AFTER: "end"}
    for column, x in shape.columns:
        number = str(column.number) if column.number is not None else "\N{HORIZONTAL ELLIPSIS}"
        drawn.append(_write(names.get(column.part, number), x, top + 36, "soft middle"))
    y = top + 44 + ROW / 2
    for row in grid.rows:
        drawn += _row(row, shape, y)
        y += ROW
    return drawn, bottom + 6


def _bands(shape: _Shape) -> Iterator[tuple[Part, float, float]]:
    """Yield each part of the pass with its horizontal extent."""
    start = 0
    columns = shape.columns
    for index, (column, x) in enumerate(columns):
        if index + 1 == len(columns) or columns[index + 1][0].part is not column.part:
            size = max(CELL, (len(str(column.number)) if column.number is not None else 3) * CHARACTER + 6)
            yield column.part, columns[start][1] - CELL / 2 - 2, x + size / 2 + 2
            start = index + 1


def _row(row: Row, shape: _Shape, y: float) -> Iterator[str]:
    yield f"<g><title>{_text(_said(row, [column for column, _ in shape.columns]))}</title>"
    if row.at:
        yield _write(_places(row), shape.places, y + 4.5, "soft right")
    yield _write(row.label, shape.label, y + 4.5)
    for (_, x), mark in zip(shape.columns, row.marks, strict=True):
        yield _mark(mark, x, y)
    if row.codes:
        yield _write(" ".join(row.codes), shape.grid, y + 4.5, "code")
    yield "</g>"


def _mark(mark: Mark, x: float, y: float) -> str:
    if mark is Mark.HAPPENS:
        return f'<circle class="happens" cx="{x:g}" cy="{y:g}" r="6"/>'
    if mark is Mark.MAYBE:
        return f'<circle class="maybe" cx="{x:g}" cy="{y:g}" r="5.5"/>'
    if mark is Mark.WRONG:
        return f'<path class="wrong" d="M{x - 5:g} {y - 5:g}l10 10m0 -10l-10 10"/>'
    if mark is Mark.MISSING:
        return f'<rect class="missing" x="{x - 6:g}" y="{y - 6:g}" width="12" height="12"/>'
    if mark is Mark.UNKNOWN:
        return f'<text class="unknown middle" x="{x:g}" y="{y + 4.5:g}">?</text>'
    if mark is Mark.GAP:
        return f'<text class="soft middle" x="{x:g}" y="{y + 2:g}">\N{HORIZONTAL ELLIPSIS}</text>'
    return f'<circle class="nothing" cx="{x:g}" cy="{y:g}" r="1.5"/>'


def _unit(timeline: Timeline) -> str:
    """Return the heading of the places."""
    return "cell:line" if timeline.at.cell is not None else "line"


def _places(row: Row) -> str:
    return ",".join(map(str, row.at))


def _verdict(verdict: Verdict, y: float) -> tuple[list[str], float]:
    rest = f"{verdict.name}, {verdict.at.words}{'' if verdict.drawn else ' (not on the timeline)'}"
    left = MARGIN + 7 * CHARACTER
    return [_write(verdict.code, MARGIN, y, "code"), _write(rest, left, y)], left + width(rest) * CHARACTER


# Legend and words


def _legend(timelines: Sequence[Timeline], top: float) -> tuple[list[str], float, float]:
    drawn, x, y = [], float(MARGIN), top
    right = x
    for mark, meaning in used(timelines):
        size = 20 + len(meaning) * CHARACTER
        if x > MARGIN and x + size > 720:
            x, y = float(MARGIN), y + 22
        drawn += [_mark(mark, x + 7, y - 4.5), _write(meaning, x + 20, y, "soft")]
        x += size + 18
        right = max(right, x - 18)
    for sentence in sentences(timelines):
        y += 20
        drawn.append(_write(sentence, MARGIN, y, "soft"))
        right = max(right, MARGIN + len(sentence) * CHARACTER)
    return drawn, y + 8, right


def _folded(text: str, space: float) -> Iterator[str]:
    """Split a sentence into lines that fit a width in pixels."""
    line = ""
    for word in one_line(text).split(" "):
        if line and (width(line) + 1 + width(word)) * CHARACTER > space:
            yield line
            line = ""
        line = f"{line} {word}" if line else word
    yield line


def _described(timeline: Timeline) -> str:
    """Describe a loop for readers who do not see the picture."""
    columns = timeline.grid.columns
    now = "; ".join(_said(row, columns) for row in timeline.grid.rows)
    said = f"{timeline.filename}, {timeline.at.words}, {timeline.function}: {timeline.steps}. As it is: {now}."
    if timeline.better is not None:
        said += f" As it should be: {'; '.join(_said(row, columns) for row in timeline.better.rows)}."
    return said


_PHRASES = {
    Mark.HAPPENS: "happens",
    Mark.MAYBE: "happens under a condition",
    Mark.WRONG: "is wrong",
    Mark.MISSING: "is missing",
    Mark.UNKNOWN: "is not known",
}


def _said(row: Row, columns: Sequence[Column]) -> str:
    """Describe a row in words: what it does, and on which micro-batches."""
    numbered = sum(column.number is not None for column in columns)
    parts = []
    for mark, phrase in _PHRASES.items():
        here = [column for column, each in zip(columns, row.marks, strict=True) if each is mark]
        if here:
            numbers = [str(each.number) if each.number is not None else each.part.value for each in here]
            where = "every micro-batch" if len(here) == numbered > 1 else ", ".join(numbers)
            parts.append(f"{phrase} on {where}" if here[0].number is not None else f"{phrase} {where}")
    codes = f" ({', '.join(row.codes)})" if row.codes else ""
    return f"{row.label}: {', '.join(parts) or 'does not happen'}{codes}"
