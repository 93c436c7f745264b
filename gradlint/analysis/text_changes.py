"""Turns edits of nodes into edits of text. Lines move with their comments, and everything else stays byte for byte."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import libcst as cst

from gradlint.analysis.headings import heads_paragraph
from gradlint.analysis.source import NEWLINE, Source
from gradlint.diagnostic import Place, TextEdit
from gradlint.edits import AddImport, Cut, Delete, Edit, Enclose, Insert, Move, Replace, Unwrap, Wrap
from gradlint.model.syntax.expressions import walk
from gradlint.suppression.comments import comments


@dataclass(frozen=True, order=True)
class Change:
    """Replaces the characters from `start` to `end` with `content`."""

    start: int
    end: int
    content: str


class Unrenderable(Exception):
    """An edit cannot be written faithfully in this text, so the fix is withheld."""


def render(edits: tuple[Edit, ...], source: Source) -> tuple[Change, ...]:
    """Return the changes that carry out a fix. Raises Unrenderable if an edit cannot be written safely."""
    changes: dict[tuple[int, int], Change] = {}
    for each in (change for edit in dict.fromkeys(edits) for change in _render(edit, _Page(source))):
        same = changes.get((each.start, each.end))
        # Insertions at the same offset keep the order of the edits.
        changes[each.start, each.end] = (
            replace(each, content=same.content + each.content) if same and each.start == each.end else each
        )
    return tuple(sorted(changes.values()))


@dataclass(frozen=True, eq=False)
class _Page:
    source: Source

    @property
    def text(self) -> str:
        return self.source.text

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        found = self.source.span(node)
        if found is None:
            raise Unrenderable("the code to change is in another file")
        return found

    def line_start(self, offset: int) -> int:
        row, _ = self.source.row_column(offset)
        return self.source.line_starts[row - 1]

    def line_end(self, offset: int) -> int:
        """The offset after the newline of the line that contains an offset."""
        row, _ = self.source.row_column(offset)
        starts = self.source.line_starts
        return starts[row] if row < len(starts) else len(self.text)

    def lines_of(self, statement: cst.CSTNode) -> tuple[int, int]:
        """The whole lines of a statement. Raises Unrenderable if it shares them with another statement."""
        start, end = self.span(statement)
        begin, stop = self.line_start(start), self.line_end(max(end - 1, start))
        if self.text[begin:start].strip() or self.continues(begin):
            raise Unrenderable("the statement shares its line with another")
        rest = self.text[end:stop].strip() if end <= stop else ""
        if (rest and not rest.startswith(("#", ";"))) or rest.startswith(";"):
            raise Unrenderable("the statement shares its line with another")
        return begin, stop

    def continues(self, begin: int) -> bool:
        """Whether the line that begins here continues a line that ends with a backslash."""
        return self.text[:begin].endswith(("\\\n", "\\\r\n", "\\\r"))

    @property
    def comments(self) -> dict[int, str]:
        """Every comment of the text, by offset. Strings that only look like comments do not count."""
        return _comments(self.text)

    def comments_in(self, begin: int, stop: int) -> str:
        """The comments in some lines, each on a separate line with the indentation of the first line."""
        found = (words for at, words in sorted(self.comments.items()) if begin <= at < stop)
        return "".join(f"{_indent(self.text[begin:])}{words}{self.source.newline}" for words in found)

    def with_comments(self, begin: int) -> int:
        """The start of the comment lines directly above a line with the same indentation."""
        indent = _indent(self.text[begin:])
        while begin > 0:
            above = self.line_start(begin - 1)
            line = self.text[above:begin]
            if not line.strip().startswith("#") or _indent(line) != indent:
                break
            if above + len(_margin(line)) not in self.comments or self.continues(above):
                break
            begin = above
        return begin

    def and_gap(self, begin: int, stop: int) -> int:
        """The end of a block, including one blank line below it if there is also a blank line above it."""
        above = self.text[self.line_start(begin - 1) : begin] if begin else ""
        below = self.text[stop : self.line_end(stop)] if stop < len(self.text) else ""
        blank = begin > 0 and not above.strip() and below != "" and not below.strip()
        return self.line_end(stop) if blank else stop

    def complete(self, offset: int) -> str:
        """The newline needed before new lines at an offset, if the text does not end with one."""
        if offset == len(self.text) and self.text and self.text[-1] not in "\r\n":
            return self.source.newline
        return ""


@lru_cache(maxsize=2)  # the edits of one text share a cached result
def _comments(text: str) -> dict[int, str]:
    return {each.start: each.text for each in comments(text)}


def _margin(line: str) -> str:
    found = re.match(r"[ \t\f]*", line)
    return found.group() if found else ""


def _indent(line: str) -> str:
    """The indentation of a line. A form feed restarts it."""
    return _margin(line).rpartition("\f")[2]


def _render(edit: Edit, page: _Page) -> list[Change]:
    if isinstance(edit, Replace):
        return [_written(page, *page.span(edit.node), edit.text)]
    if isinstance(edit, Enclose):
        if isinstance(edit.node, (cst.Tuple, cst.GeneratorExp)):
            raise Unrenderable("the parentheses belong to the expression")
        start, end = page.span(edit.node)
        return [Change(place, place, words) for place, words in ((start, edit.before), (end, edit.after)) if words]
    if isinstance(edit, Insert):
        indent = _indent(page.text[page.lines_of(edit.anchor)[0] :])
        lines = [f"{indent}{line}{page.source.newline}" for line in edit.line.split("\n")]
        return [_at(page, edit.anchor, "".join(lines), after=edit.after)]
    if isinstance(edit, Delete):
        begin, stop = page.lines_of(edit.statement)
        kept = page.comments_in(begin, stop)
        return [Change(begin, stop if kept else page.and_gap(begin, stop), kept)]
    if isinstance(edit, Move):
        return _move(edit, page)
    if isinstance(edit, Wrap):
        return _wrap(edit, page)
    if isinstance(edit, Cut):
        return [_written(page, page.span(edit.behind)[1], page.span(edit.last)[1])]
    if isinstance(edit, Unwrap):
        return _unwrap(edit, page)
    return _add_import(edit, page)


def _written(page: _Page, start: int, end: int, new: str = "") -> Change:
    if "#" in page.text[start:end] and any(start <= at < end and words not in new for at, words in page.comments.items()):
        raise Unrenderable("there is a comment inside the expression")
    # Text that the model quotes from several lines has normalised newlines.
    return Change(start, end, new.replace("\r\n", "\n").replace("\n", page.source.newline))


def _at(page: _Page, anchor: cst.CSTNode, content: str, *, after: bool) -> Change:
    begin, stop = page.lines_of(anchor)
    if after:
        lead = page.complete(stop)
        if lead:
            content = lead + content.rstrip("\r\n")
        return Change(stop, stop, content)
    place = page.with_comments(begin)
    return Change(place, place, content)


def _move(edit: Move, page: _Page) -> list[Change]:
    line, stop = page.lines_of(edit.statement)
    begin = page.with_comments(line)
    above, below = page.text[page.line_start(begin - 1) : begin] if begin else "", page.text[stop : page.line_end(stop)]
    if heads_paragraph(page.text[begin:line], above, below, _indent(page.text[line:])):
        begin = line
    block = page.text[begin:stop]
    if not block.endswith(("\n", "\r")):
        block += page.source.newline
    old = _indent(page.text[page.lines_of(edit.statement)[0] :])
    new = _indent(page.text[page.lines_of(edit.anchor)[0] :])
    if old != new:
        if _has_multiline_string(edit.statement):
            raise Unrenderable("the statement contains a multi-line string")
        block = _reindent(block, old, new)
    insert = _at(page, edit.anchor, block, after=edit.after)
    if begin <= insert.start <= stop:
        if old == new:
            raise Unrenderable("the statement is already in place")
        return [Change(begin, stop, block)]
    return [Change(begin, page.and_gap(begin, stop), ""), insert]


_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def _reindent(block: str, old: str, new: str) -> str:
    moved = []
    for line in _LINE.findall(block):
        feeds = len(_margin(line)) - len(_indent(line))
        shifts = _indent(line).startswith(old) and line.strip()
        moved.append(line[:feeds] + new + line[feeds + len(old) :] if shifts else line)
    return "".join(moved)


def _has_multiline_string(node: cst.CSTNode) -> bool:
    code = cst.Module(body=()).code_for_node
    strings = (each for each in walk(node) if isinstance(each, (cst.SimpleString, cst.FormattedString)))
    return any("\n" in code(each) or "\r" in code(each) for each in strings)


def _wrap(edit: Wrap, page: _Page) -> list[Change]:
    begin, _ = page.lines_of(edit.first)
    _, stop = page.lines_of(edit.last)
    begin = page.with_comments(begin)
    indent = _indent(page.text[page.lines_of(edit.first)[0] :])
    if any(_has_multiline_string(each) for each in _from_to(edit.first, edit.last, page)):
        raise Unrenderable("the statement contains a multi-line string")
    step = "\t" if "\t" in indent else "    "
    block = _reindent(page.text[begin:stop], indent, indent + step)
    return [Change(begin, stop, f"{indent}{edit.header}{page.source.newline}{block}")]


def _unwrap(edit: Unwrap, page: _Page) -> list[Change]:
    block = edit.statement.body
    if not isinstance(block, cst.IndentedBlock):
        raise Unrenderable("the block is on the same line as its header")
    begin, stop = page.lines_of(edit.statement)
    first, _ = page.lines_of(block.body[0])
    if any(_has_multiline_string(each) for each in block.body):
        raise Unrenderable("the statement contains a multi-line string")
    old, new = _indent(page.text[first:]), _indent(page.text[begin:])
    header = page.span(edit.statement.items[-1])[1]
    inside = page.line_end(header)
    return [Change(begin, stop, page.comments_in(begin, inside) + _reindent(page.text[inside:stop], old, new))]


def _from_to(first: cst.CSTNode, last: cst.CSTNode, page: _Page) -> Sequence[cst.CSTNode]:
    """The statements of a block from `first` to `last`."""
    for part in page.source.slices:
        for node in walk(part.module):
            body = getattr(node, "body", None)
            if isinstance(body, (list, tuple)) and first in body and last in body:
                return body[body.index(first) : body.index(last) + 1]
    raise Unrenderable("the statements are in different blocks")


def _add_import(edit: AddImport, page: _Page) -> list[Change]:
    """Add an import above the first import of the module, unless it is already there."""
    place: int | None = None
    for part in page.source.slices:
        for statement in part.module.body:
            if not isinstance(statement, cst.SimpleStatementLine):
                continue
            start, end = page.span(statement)
            if page.text[start:end].strip() == edit.line:
                return []
            imports = any(isinstance(small, (cst.Import, cst.ImportFrom)) for small in statement.body)
            if place is None and imports and not page.text[start:end].startswith("from __future__"):
                place = page.line_start(start)
    if place is None:
        raise Unrenderable("there is no import to add another one to")
    return [Change(place, place, f"{edit.line}{page.source.newline}")]


def apply(text: str, changes: tuple[Change, ...]) -> str:
    """Return the text with non-overlapping changes applied."""
    parts: list[str] = []
    position = 0
    for change in sorted(changes):
        parts.append(text[position : change.start])
        parts.append(change.content)
        position = change.end
    parts.append(text[position:])
    return "".join(parts)


def edited(text: str, edits: Sequence[TextEdit]) -> str:
    """Return the text with the edits of a fix applied."""
    starts = (0, *(match.end() for match in NEWLINE.finditer(text)))

    def offset(place: Place) -> int:
        return min(starts[place.row - 1] + place.column - 1, len(text)) if place.row <= len(starts) else len(text)

    return apply(text, tuple(Change(offset(each.span.start), offset(each.span.end), each.content) for each in edits))
