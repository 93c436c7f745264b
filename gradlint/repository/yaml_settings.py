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
_QUOTED = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')[ ]*(#.*)?""")
_TEXT = re.compile(r"""#.*|"(?:[^"\\]|\\.)*"|'[^']*'""")
"""Comments and quoted text, in which brackets do not count."""
_SWITCH: Mapping[str, bool] = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NULL = frozenset(("", "null", "~"))
_UNKNOWN = ("&", "*", "!", "$", "%", "@", "`")
"""How values begin that are not read: references, tags, lists and tables on one line, interpolations."""


def yaml_table(text: str, name: str) -> Table:
    """Return the outermost table. Raises ValueError if the text is not YAML of the kind that is read."""
    return _Reader(name).read(text)


@dataclass
class _Open:
    """A table that is being read. `key` is its last one, and `waits` says that its value may follow on the next lines."""

    indent: int
    entries: dict[str, Setting | _Open | None] = field(default_factory=dict)
    key: str | None = None
    waits: bool = False

    def closed(self) -> Table:
        return Table({key: each.closed() if isinstance(each, _Open) else each for key, each in self.entries.items()})


class _Reader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.outer = _Open(0)
        self.open = [self.outer]
        self.skipped: int | None = None
        """The indentation of the line whose value is skipped."""
        self.brackets = 0
        """How many brackets of a value are open."""
        self.begun = False

    def read(self, text: str) -> Table:
        for row, line in enumerate(text.splitlines(), 1):
            words = line.strip()
            indent = len(line) - len(line.lstrip())
            if self.brackets:
                self.brackets = max(self.brackets + _opened(words), 0)
                continue
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
            if table.key is None or not table.waits:
                raise ValueError(words)
            table.entries[table.key] = None
            self.skipped = indent
            self.brackets = max(_opened(words), 0)
            return
        found = _ENTRY.fullmatch(words)
        if indent > table.indent and found is None:
            self._further(table, words, place)
            return
        if indent > table.indent:
            table = self._inner(table, indent)
        if indent != table.indent or found is None:
            raise ValueError(words)
        self._entry(table, found[1] or found[2] or found[3], found[4] or "", place)

    def _entry(self, table: _Open, key: str, written: str, place: str) -> None:
        again = key in table.entries
        value = self._value(written, table.indent, place)
        table.key, table.waits = key, not _plain(written) and not again
        table.entries[key] = value if not again else None
        if again and not _plain(written):
            self.skipped = table.indent

    def _further(self, table: _Open, words: str, place: str) -> None:
        """Read a line that belongs to the last key: its value, or the rest of a text on several lines."""
        if table.key is None:
            raise ValueError(words)
        table.entries[table.key] = self._value(words, table.indent, place) if table.waits else None
        table.waits = False

    def _inner(self, table: _Open, indent: int) -> _Open:
        """Begin the table under the last key."""
        if table.key is None or not table.waits or len(self.open) >= DEEPEST:
            raise ValueError(table.key)
        made = _Open(indent)
        table.entries[table.key] = made
        table.waits = False
        self.open.append(made)
        return made

    def _value(self, written: str, indent: int, place: str) -> Setting | None:
        """The value on a line, or None if it is not known."""
        if written.startswith(("'", '"')):
            quoted = _QUOTED.fullmatch(written)
            if quoted is None:
                raise ValueError(written)
            return Setting(quoted[1][1:-1], place) if quoted[1][1:-1].isprintable() and "\\" not in quoted[1] else None
        plain = _plain(written)
        if plain.startswith(("|", ">")):
            self.skipped = indent
            return None
        if plain.startswith(("{", "[")):
            self.brackets = max(_opened(written), 0)
            return None
        if plain.startswith(_UNKNOWN):
            self.skipped = indent  # a named table follows on the next lines
            return None
        return stated(_read(plain), place)


def _opened(words: str) -> int:
    """How many brackets a line opens and does not close. It is negative if it closes more."""
    code = _TEXT.sub("", words)
    return sum(map(code.count, "[{")) - sum(map(code.count, "]}"))


def _plain(written: str) -> str:
    """A value without the comment behind it."""
    return re.split(r"(?:^|[ \t])#", written, maxsplit=1)[0].strip()


def _read(plain: str) -> object:
    if _NUMBER.fullmatch(plain):
        return float(plain) if re.search(r"[.e]", plain, re.I) else int(plain)
    if plain.lower() in _NULL:
        return None
    return _SWITCH.get(plain.lower(), plain)
