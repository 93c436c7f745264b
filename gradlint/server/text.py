"""A text as an editor sees it: its lines, and columns in the unit that client and server have agreed on."""

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
    """An immutable text.

    As in the protocol, lines end only in LF, CRLF or CR. `str.splitlines` would also split at form feeds and Unicode separators,
    which would shift every place after one.
    """

    content: str
    encoding: str = UTF_16

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The offset of each line."""
        return (0, *(match.end() for match in _NEWLINE.finditer(self.content)))

    def line(self, row: int) -> str:
        """Return a line without its ending. Rows count from 0."""
        end = self.starts[row + 1] if row + 1 < len(self.starts) else len(self.content)
        return self.content[self.starts[row] : end].rstrip("\r\n")

    def offset(self, position: types.Position) -> int:
        """Convert a client's position to an offset. A position past the end of a line or of the text means that end."""
        if position.line >= len(self.starts):
            return len(self.content)
        return self.starts[position.line] + self._index(self.line(position.line), position.character)

    def position(self, offset: int) -> types.Position:
        """Convert an offset to a client's position."""
        row = bisect_right(self.starts, offset) - 1
        return types.Position(row, self._units(self.content[self.starts[row] : offset]))

    def place(self, position: types.Position) -> Place:
        """Convert a client's position to a place."""
        offset = self.offset(position)
        row = bisect_right(self.starts, offset)
        return Place(row, offset - self.starts[row - 1] + 1)

    def at(self, place: Place) -> int:
        """Convert a place to an offset."""
        if place.row > len(self.starts):
            return len(self.content)
        return min(self.starts[place.row - 1] + place.column - 1, len(self.content))

    def range(self, span: Span) -> types.Range:
        """Convert a span to a client's range."""
        return types.Range(self.position(self.at(span.start)), self.position(self.at(span.end)))

    def changed(self, change: types.TextDocumentContentChangeEvent) -> Text:
        """Return the text after a change by the client."""
        if not isinstance(change, types.TextDocumentContentChangePartial):
            return Text(change.text, self.encoding)
        start, end = self.offset(change.range.start), self.offset(change.range.end)
        return Text(self.content[:start] + change.text + self.content[max(start, end) :], self.encoding)

    def edits_to(self, new: str) -> list[types.TextEdit]:
        """Return edits of whole lines that change this text into the new one. Lines that stay are not touched."""
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
        """Return where a line begins, or the end of the text for the row after the last."""
        return self.position(self.starts[row] if row < len(self.starts) else len(self.content))

    def _units(self, part: str) -> int:
        if self.encoding == UTF_32 or part.isascii():
            return len(part)
        if self.encoding == UTF_8:
            return len(part.encode("utf-8", "surrogatepass"))
        return len(part) + sum(char > "\uffff" for char in part)

    def _index(self, line: str, units: int) -> int:
        """Convert a number of units to a number of characters. A position inside a character means its end."""
        if self.encoding == UTF_32 or line.isascii():
            return min(units, len(line))
        counted = 0
        for index, char in enumerate(line):
            if counted >= units:
                return index
            counted += self._units(char)
        return len(line)


def _common(one: list[str], other: list[str]) -> int:
    """Return the number of leading lines that two lists share."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
