"""Writes a new source into a notebook cell, in the spelling and layout of the file. Unchanged text keeps its exact characters."""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import accumulate

from gradlint.cell_sources import SourceValue

_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf"{_PAIR}|\\u[0-9a-fA-F]{{4}}|\\.")
_CHARACTER = re.compile(rf"{_ESCAPE.pattern}|[^\\]", re.S)
"""One character of a string, as it is written in the file: the character itself or an escape."""

_MATCHED = 2000
"""Limit on the lines to match with each other. Beyond it, everything from the first change to the last is rewritten."""


@dataclass(frozen=True)
class Spelling:
    """How a file writes characters in its strings."""

    text: str

    def of(self, char: str) -> str:
        """Return the character as the file writes it elsewhere, or else in the style of the file."""
        plain = json.dumps(char, ensure_ascii=False)[1:-1]
        surrogate = "\ud800" <= char <= "\udfff"  # half a surrogate pair, which a file in UTF-8 can only hold as an escape
        if plain == char and self.text.count(char) > self.text.count(f"\\{char}"):
            return char
        if char in self._escapes:
            return self._escapes[char]
        return json.dumps(char)[1:-1] if surrogate or (not char.isascii() and self._in_ascii) else plain

    @cached_property
    def _escapes(self) -> dict[str, str]:
        """The escapes in the file, by character.

        JSON has no backslashes outside of strings, so the whole text is searched at once.
        """
        return {json.loads(f'"{each}"'): each for each in dict.fromkeys(_ESCAPE.findall(self.text))}

    @cached_property
    def _in_ascii(self) -> bool:
        return self.text.isascii() and not all(char.isascii() for char in self._escapes)


def with_source(text: str, value: SourceValue, new: str, others: Iterable[SourceValue]) -> str:
    """Return the JSON value of a cell's source with the new source in it.

    `others` are the values from which to learn the layout of lists.
    """
    raw = tuple(text[start + 1 : end - 1] for start, end in value.strings)
    strings = _Strings(raw, tuple(json.loads(f'"{each}"') for each in raw), Spelling(text))
    touching = strings.touching(_changes(strings, new))
    if not value.is_list:
        return f'"{"".join(strings.changed(0, touching.get(0, ())))}"'
    layout = _layout(text, value, others)
    if not raw:
        return layout.listed([strings.written(line) for line in new.splitlines(keepends=True)])
    items: list[str] = []
    gaps: list[str] = []
    for number, (_, end) in enumerate(value.strings):
        made = strings.items(number, touching[number]) if number in touching else [raw[number]]
        if made:
            following = value.strings[number + 1 : number + 2]
            items += made
            gaps += [layout.gap] * (len(made) - 1) + [text[end : following[0][0]] if following else layout.gap]
    return layout.listed(items, gaps)


@dataclass(frozen=True)
class _Change:
    """Replace the characters of a source from `start` to `end`. The new ones go to one of its strings."""

    start: int
    end: int
    content: str
    string: int


@dataclass(frozen=True)
class _Strings:
    """The strings that a source consists of, as the file spells them and as they read."""

    raw: tuple[str, ...]
    old: tuple[str, ...]
    spelling: Spelling

    @cached_property
    def ends(self) -> tuple[int, ...]:
        return tuple(accumulate(map(len, self.old)))

    def begin(self, number: int) -> int:
        return self.ends[number] - len(self.old[number])

    def taking(self, start: int, end: int) -> int:
        """Return the string that takes a replacement: the one with the first replaced character.

        An insertion goes to the string before it.
        """
        return (bisect_left if start == end else bisect_right)(self.ends, start)

    def touching(self, changes: Iterable[_Change]) -> dict[int, list[_Change]]:
        """Return the changes of each string that has any."""
        found: dict[int, list[_Change]] = {}
        for change in changes if self.raw else ():
            last = bisect_left(self.ends, change.end)
            for number in range(change.string, max(last, change.string) + 1):
                found.setdefault(number, []).append(change)
        return found

    def items(self, number: int, changes: Sequence[_Change]) -> list[str]:
        """Return what a string of a list becomes: nothing if it is gone, or one item per line if it was a single line."""
        units = self.changed(number, changes)
        if not units and self.old[number]:
            return []
        if len(self.old[number].splitlines()) > 1:
            return ["".join(units)]
        lines = json.loads(f'"{"".join(units)}"').splitlines(keepends=True)
        ends = list(accumulate(map(len, lines)))
        return ["".join(units[end - len(line) : end]) for line, end in zip(lines, ends, strict=True)] or [""]

    def changed(self, number: int, changes: Sequence[_Change]) -> list[str]:
        """Return the new characters of a string, as they are spelled."""
        units, begin = _CHARACTER.findall(self.raw[number]), self.begin(number)
        made: list[str] = []
        at = 0
        for change in changes:
            start, end = max(change.start - begin, at), max(change.end - begin, at)
            made += units[at:start]
            if change.string == number:
                made += map(self.spelled, change.content)
            at = end
        return made + units[at:]

    def written(self, source: str) -> str:
        return "".join(map(self.spelled, source))

    def spelled(self, char: str) -> str:
        if char not in self._known:
            self._known[char] = self.spelling.of(char)
        return self._known[char]

    @cached_property
    def _known(self) -> dict[str, str]:
        """How this source itself spells its characters."""
        return {
            char: unit
            for old, raw in zip(self.old, self.raw, strict=True)
            for char, unit in zip(old, _CHARACTER.findall(raw), strict=True)
        }


def _changes(strings: _Strings, new: str) -> Iterator[_Change]:
    """Yield the changed lines. Of a single line, replace only the changed characters, if they are in one string."""
    old = "".join(strings.old)
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    starts = [0, *accumulate(map(len, before))]
    for a, b, c, d in _differences(before, after):
        start, end, content = starts[a], starts[b], "".join(after[c:d])
        change = _Change(start, end, content, strings.taking(start, end))
        if b - a == 1 and content:
            same = _common(before[a], content)
            rest = _common(before[a][same:][::-1], content[same:][::-1])
            start, end, content = start + same, end - rest, content[same : len(content) - rest]
            # What is inserted before a line belongs to that line, not to the string above.
            string = strings.taking(start, start + 1) if start < len(old) else strings.taking(start, end)
            if end <= strings.ends[string]:
                change = _Change(start, end, content, string)
        yield change


def _differences(before: list[str], after: list[str]) -> Iterator[tuple[int, int, int, int]]:
    """Yield which lines replace which, one by one if as many lines come as go.

    Matching is slow if many lines are repeated, so only the lines between the common beginning and the common end are matched.
    """
    same = _common(before, after)
    rest = _common(before[same:][::-1], after[same:][::-1])
    old, new = before[same : len(before) - rest], after[same : len(after) - rest]
    whole = [("replace", 0, len(old), 0, len(new))]
    for tag, a, b, c, d in whole if max(len(old), len(new)) > _MATCHED else SequenceMatcher(None, old, new).get_opcodes():
        a, b, c, d = a + same, b + same, c + same, d + same
        if b - a == d - c:
            yield from (
                (a + i, a + i + 1, c + i, c + i + 1) for i in range(b - a) if tag != "equal" and before[a + i] != after[c + i]
            )
        else:
            yield a, b, c, d


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the number of leading items that two sequences share."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@dataclass(frozen=True)
class _Layout:
    """The text before, between and after the items of a list."""

    lead: str
    gap: str
    tail: str

    def listed(self, items: Sequence[str], gaps: Sequence[str] = ()) -> str:
        """Return the list of these strings. `gaps` are the texts after each string, where they differ from the layout."""
        if not items:
            return "[]"
        behind = [*(gaps or [self.gap] * len(items))[: len(items) - 1], self.tail]
        inner = "".join(f'"{item}"{gap}' for item, gap in zip(items, behind, strict=True))
        return f"[{self.lead}{inner}]"


def _layout(text: str, value: SourceValue, others: Iterable[SourceValue]) -> _Layout:
    """Return the layout of the list itself, or that of another source in the file if the list is too short to have one."""
    lists = [each for each in others if each.is_list and each.strings]
    gaps = [gap for each in lists if (gap := _gap(text, each)) is not None]
    inline = next((gap for gap in (*gaps, value.comma) if gap and not _breaks(gap)), ", ")
    model = value if value.strings else next(iter(lists), None)
    if model is None:
        return _Layout("", inline, "")
    lead = text[model.start + 1 : model.strings[0][0]]
    gap = _gap(text, model) or (f",{lead}" if _breaks(lead) else inline)
    return _Layout(lead, gap, text[model.strings[-1][1] : model.end - 1])


def _gap(text: str, value: SourceValue) -> str | None:
    """Return the text between the first two items of a list."""
    return text[value.strings[0][1] : value.strings[1][0]] if len(value.strings) > 1 else None


def _breaks(blanks: str) -> bool:
    return "\n" in blanks or "\r" in blanks
