"""A text as an editor has it: its lines, and columns counted in the units that client and server agreed on."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from lsprotocol import types

from gradlint.diagnostic import Place, Span

UTF_8, UTF_16, UTF_32 = (
    types.PositionEncodingKind.Utf8.value,
    types.PositionEncodingKind.Utf16.value,
    types.PositionEncodingKind.Utf32.value,
)
_NEWLINE = re.compile(r"\r\n|\r|\n")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


@dataclass(frozen=True, eq=False)
class Text:
    """An unchanging text.

    Lines end as the protocol has it, with LF, CRLF or CR and nothing else: `str.splitlines` would also split at form feeds and
    at the separators of Unicode, and every place behind one would be off.
    """

    content: str
    encoding: str = UTF_16

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The offset at which each line begins."""
        return (0, *(match.end() for match in _NEWLINE.finditer(self.content)))

    def line(self, row: int) -> str:
        """A line without its ending; rows count from 0."""
        end = self.starts[row + 1] if row + 1 < len(self.starts) else len(self.content)
        return self.content[self.starts[row] : end].rstrip("\r\n")

    def offset(self, position: types.Position) -> int:
        """The offset of a client's position; one behind the end of a line or of the text is taken to be that end."""
        if position.line >= len(self.starts):
            return len(self.content)
        return self.starts[position.line] + self._index(self.line(position.line), position.character)

    def position(self, offset: int) -> types.Position:
        """The client's position of an offset."""
        row = bisect_right(self.starts, offset) - 1
        return types.Position(row, self._units(self.content[self.starts[row] : offset]))

    def place(self, position: types.Position) -> Place:
        """The place of a client's position."""
        offset = self.offset(position)
        row = bisect_right(self.starts, offset)
        return Place(row, offset - self.starts[row - 1] + 1)

    def at(self, place: Place) -> int:
        """The offset of a place."""
        if place.row > len(self.starts):
            return len(self.content)
        return min(self.starts[place.row - 1] + place.column - 1, len(self.content))

    def range(self, span: Span) -> types.Range:
        """The client's range of a span."""
        return types.Range(self.position(self.at(span.start)), self.position(self.at(span.end)))

    def changed(self, change: types.TextDocumentContentChangeEvent) -> Text:
        """The text after a change of the client's."""
        if not isinstance(change, types.TextDocumentContentChangePartial):
            return Text(change.text, self.encoding)
        start, end = self.offset(change.range.start), self.offset(change.range.end)
        return Text(self.content[:start] + change.text + self.content[max(start, end) :], self.encoding)

    def edits_to(self, new: str) -> list[types.TextEdit]:
        """Edits of whole lines that make this text the new one, and leave alone the lines that stay."""
        before, after = _LINE.findall(self.content), _LINE.findall(new)
        head = _common(before, after)
        tail = _common(before[head:][::-1], after[head:][::-1])
        matcher = SequenceMatcher(None, before[head : len(before) - tail], after[head : len(after) - tail], autojunk=False)
        return [
            types.TextEdit(types.Range(self._row(head + i), self._row(head + j)), "".join(after[head + k : head + m]))
            for tag, i, j, k, m in matcher.get_opcodes()
            if tag != "equal"
        ]

    def _row(self, row: int) -> types.Position:
        """Where a line begins; the end of the text for the row behind the last."""
        return self.position(self.starts[row] if row < len(self.starts) else len(self.content))

    def _units(self, part: str) -> int:
        if self.encoding == UTF_32 or part.isascii():
            return len(part)
        if self.encoding == UTF_8:
            return len(part.encode("utf-8", "surrogatepass"))
        return len(part) + sum(char > "\uffff" for char in part)

    def _index(self, line: str, units: int) -> int:
        """How many characters a number of units makes up; a unit in the middle of a character is taken to be its end."""
        if self.encoding == UTF_32 or line.isascii():
            return min(units, len(line))
        counted = 0
        for index, char in enumerate(line):
            if counted >= units:
                return index
            counted += self._units(char)
        return len(line)


def _common(one: list[str], other: list[str]) -> int:
    """How many lines two lists have in common at their start."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
