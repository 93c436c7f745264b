"""Reads the YAML of settings files: nested tables of numbers, strings and booleans, each with its row.

Lists, references and blocks of text are values that are not known. Anything unusual makes the whole file unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gradlint.model.data.settings import Setting, Table, stated
from gradlint.repository.json_settings import DEEPEST

_ENTRY = re.compile(r"""(?:"([^"\\]+)"|'([^']+)'|([\w.<][\w.</ -]*?))[ ]*:(?:[ ]+(.*))?""")
_NUMBER = re.compile(r"[-+]?(\d+(_\d+)*)?\.?\d+(e[-+]?\d+)?", re.I)
_QUOTED = re.compile(r"""("[^"\\]*"|'[^']*')[ ]*(#.*)?""")
_SWITCH: Mapping[str, bool] = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NULL = frozenset(("", "null", "~"))
_UNKNOWN = ("&", "*", "!", "{", "[", "$", "%", "@", "`")
"""How values begin that are not read: references, tags, lists and tables on one line, interpolations."""


def yaml_table(text: str, name: str) -> Table:
    """Return the outermost table. Raises ValueError if the text is not YAML of the kind that is read."""
    return _Reader(name).read(text)


@dataclass
class _Open:
    """A table that is being read. `last` is the key whose value may follow on the next lines."""

    indent: int
    entries: dict[str, Setting | _Open | None] = field(default_factory=dict)
    last: str | None = None

    def closed(self) -> Table:
        return Table({key: each.closed() if isinstance(each, _Open) else each for key, each in self.entries.items()})


class _Reader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.outer = _Open(0)
        self.open = [self.outer]
        self.skipped: int | None = None
        """The indentation of the line whose value is skipped."""
        self.begun = False

    def read(self, text: str) -> Table:
        for row, line in enumerate(text.splitlines(), 1):
            words = line.strip()
            indent = len(line) - len(line.lstrip())
            if self.skipped is not None and (not words or indent > self.skipped):
                continue
            self.skipped = None
            if words == "...":
                break
            if words and words[0] != "#" and not self._heads(words):
                if "\t" in line[:indent]:
                    raise ValueError(line)
                self._line(words, indent, f"{self.name}:{row}")
        return self.outer.closed()

    def _heads(self, words: str) -> bool:
        """Whether a line stands before the document. A second document is refused."""
        if not (words == "---" or words.startswith(("%", "--- "))):
            self.begun = True
            return False
        if self.begun or words.startswith("--- "):
            raise ValueError(words)
        return True

    def _line(self, words: str, indent: int, place: str) -> None:
        while len(self.open) > 1 and indent < self.open[-1].indent:
            self.open.pop()
        table = self.open[-1]
        if words == "-" or words.startswith("- "):
            if table.last is None or indent < table.indent:
                raise ValueError(words)
            table.entries[table.last] = None
            self.skipped = indent
            return
        if indent > table.indent:
            table = self._inner(table, indent)
        if indent != table.indent:
            raise ValueError(words)
        found = _ENTRY.fullmatch(words)
        if found is None:
            raise ValueError(words)
        key = found[1] or found[2] or found[3]
        value = self._value(found[4] or "", indent, place)
        begins = value is not None and value.value is None and not _plain(found[4] or "")
        table.last = key if begins and key not in table.entries else None
        table.entries[key] = value if key not in table.entries else None
        if begins and table.last is None:
            self.skipped = indent  # given twice

    def _inner(self, table: _Open, indent: int) -> _Open:
        """Begin the table under the last key."""
        if table.last is None or len(self.open) >= DEEPEST or table.entries[table.last] is None:
            raise ValueError(table.last)
        made = _Open(indent)
        table.entries[table.last] = made
        table.last = None
        self.open.append(made)
        return made

    def _value(self, written: str, indent: int, place: str) -> Setting | None:
        """The value on a line, or None if it is not known."""
        if written.startswith(("'", '"')):
            quoted = _QUOTED.fullmatch(written)
            if quoted is None:
                raise ValueError(written)
            return Setting(quoted[1][1:-1], place)
        plain = _plain(written)
        if plain.startswith(("|", ">")):
            self.skipped = indent
            return None
        if plain.startswith(("{", "[")) and not plain.endswith(("}", "]")):
            raise ValueError(written)
        if plain.startswith(_UNKNOWN):
            self.skipped = indent  # a named table follows on the next lines
            return None
        return stated(_read(plain), place)


def _plain(written: str) -> str:
    """A value without the comment behind it."""
    return re.split(r"(?:^|[ \t])#", written, maxsplit=1)[0].strip()


def _read(plain: str) -> object:
    if _NUMBER.fullmatch(plain):
        return float(plain) if re.search(r"[.e]", plain, re.I) else int(plain)
    if plain.lower() in _NULL:
        return None
    return _SWITCH.get(plain.lower(), plain)
