"""Reads JSON as a table of settings, each with its row."""

from __future__ import annotations

import json
import re

from gradlint.model.data.settings import EMPTY, Setting, Table, stated

DEEPEST = 8
"""Limit on the nesting of tables. The values of deeper ones are unknown."""

_SPACE = re.compile(r"[ \t\r\n]*")


def json_table(text: str, name: str) -> Table:
    """Return the outermost object. Raises ValueError or RecursionError if the text is not JSON."""
    found = isinstance(json.loads(text), dict)
    return _Reader(text, name).table(text.index("{"), 1)[0] if found else EMPTY


class _Reader:
    """Reads a text that is known to be JSON, from its beginning to its end."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self._counted = (0, 1)
        self._decoder = json.JSONDecoder()

    def table(self, place: int, depth: int) -> tuple[Table, int]:
        """The object whose brace is at `place`, and the offset behind it."""
        entries: dict[str, Setting | Table | None] = {}
        place = self._next(place + 1)
        while self.text[place] != "}":
            row = self._row(place)
            key, place = self._decoder.raw_decode(self.text, place)
            value, place = self._value(self._next(self._next(place) + 1), row, depth)
            entries[key] = value if key not in entries else None
            place = self._next(place)
            if self.text[place] == ",":
                place = self._next(place + 1)
        return Table(entries), place + 1

    def _value(self, place: int, row: int, depth: int) -> tuple[Setting | Table | None, int]:
        if self.text[place] == "{" and depth < DEEPEST:
            return self.table(place, depth + 1)
        value, place = self._decoder.raw_decode(self.text, place)
        return stated(value, f"{self.name}:{row}"), place

    def _row(self, place: int) -> int:
        known, row = self._counted
        self._counted = place, row + self.text.count("\n", known, place)
        return self._counted[1]

    def _next(self, place: int) -> int:
        """The first offset at or after `place` that is not whitespace."""
        found = _SPACE.match(self.text, place)
        return found.end() if found else place
