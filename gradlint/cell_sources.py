"""Where the sources of a notebook's cells stand in its JSON, of which Python's parser keeps no places."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_BLANKS = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class SourceValue:
    """The value of a cell's `source`, between two offsets of the text.

    `strings` are the offsets of its strings with their quotes: of itself, or of the items where it `is_list`. `comma` is
    what stands between this member of the cell and the one beside it.
    """

    start: int
    end: int
    strings: tuple[tuple[int, int], ...]
    is_list: bool
    comma: str


def source_values(text: str) -> Mapping[int, SourceValue]:
    """The sources by the numbers of their cells, from 1; where a key stands twice the last one counts, as for the parser.

    Only the levels that lead to a source are walked; the parser itself passes over everything else. Raises ValueError and
    RecursionError as the parser does.
    """
    _DECODER.decode(text)
    found: dict[int, SourceValue] = {}
    for cells in _last(text, _past_blanks(text, 0), "cells"):
        for number, (cell, _) in enumerate(_items(text, cells.start), 1):
            for source in _last(text, cell, "source"):
                found[number] = _value(text, source)
    return found


@dataclass(frozen=True)
class _Member:
    key: str
    start: int
    end: int
    before: str
    """What stands between the member and the one before it; empty for the first."""

    after: str


def _value(text: str, member: _Member) -> SourceValue:
    is_list = text[member.start] == "["
    items = _items(text, member.start) if is_list else [(member.start, member.end)]
    strings = tuple((start, end) for start, end in items if text[start] == '"')
    return SourceValue(member.start, member.end, strings, is_list, member.before or member.after)


def _last(text: str, start: int, key: str) -> list[_Member]:
    """The member of an object that a key stands for, if any."""
    return [member for member in _members(text, start) if member.key == key][-1:]


def _members(text: str, start: int) -> Iterator[_Member]:
    """The members of the object that begins at an offset; none where another value does."""
    if text[start] != "{":
        return
    at, before = _past_blanks(text, start + 1), ""
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        begin = _past_blanks(text, _past_blanks(text, at) + 1)
        _, end = _DECODER.raw_decode(text, begin)
        at = _past_comma(text, end)
        after = "" if text[at] == "}" else text[end:at]
        yield _Member(key, begin, end, before, after)
        before = after


def _items(text: str, start: int) -> Iterator[tuple[int, int]]:
    """The offsets of the items of the list that begins at an offset; none where another value does."""
    if text[start] != "[":
        return
    at = _past_blanks(text, start + 1)
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        yield at, end
        at = _past_comma(text, end)


def _past_comma(text: str, at: int) -> int:
    at = _past_blanks(text, at)
    return _past_blanks(text, at + 1) if text[at] == "," else at


def _past_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at
