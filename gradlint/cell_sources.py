"""Finds the sources of a notebook's cells in its JSON, because Python's parser does not keep offsets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_BLANKS = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class SourceValue:
    """The value of a cell's `source`, with its offsets in the text.

    `strings` are the offsets of its strings with their quotes: of the value itself, or of the items if it `is_list`. `comma` is
    the text between this member of the cell and the next or previous one.
    """

    start: int
    end: int
    strings: tuple[tuple[int, int], ...]
    is_list: bool
    comma: str


def source_values(text: str) -> Mapping[int, SourceValue]:
    """Return the sources by cell number, counted from 1. If a key occurs twice, the last one applies, as in the parser.

    Only the levels that lead to a source are walked, and the parser skips everything else. Raises ValueError and RecursionError
    as the parser does.
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
    """The text between this member and the one before it, empty for the first."""

    after: str


def _value(text: str, member: _Member) -> SourceValue:
    is_list = text[member.start] == "["
    items = _items(text, member.start) if is_list else [(member.start, member.end)]
    strings = tuple((start, end) for start, end in items if text[start] == '"')
    return SourceValue(member.start, member.end, strings, is_list, member.before or member.after)


def _last(text: str, start: int, key: str) -> list[_Member]:
    """Return the member of an object with this key, if any."""
    return [member for member in _members(text, start) if member.key == key][-1:]


def _members(text: str, start: int) -> Iterator[_Member]:
    """Yield the members of the object at an offset, or nothing if the value there is not an object."""
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
    """Yield the offsets of the items of the list at an offset, or nothing if the value there is not a list."""
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
