"""Matches .gitignore patterns with many wildcards in one pass over the path, where a regular expression would backtrack."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

MOST_WILDCARDS = 3
"""With up to this many, backtracking ends soon."""

_WILDCARD = re.compile(r"(\^\(\?:\.\+/\)\?|\(\?:/\.\+\)\?|\[\^/\][*+])")
"""What the library writes for `**/`, `/**`, `*`, and a segment that is only `*`."""


@dataclass(frozen=True)
class _Found:
    match: re.Match[str]


@dataclass(frozen=True)
class Stepping:
    """A pattern of the library that is matched part by part: from all places where one part can end to those of the next."""

    pattern: Any

    @property
    def include(self) -> bool | None:
        include: bool | None = self.pattern.include
        return include

    @property
    def regex(self) -> re.Pattern[str]:
        regex: re.Pattern[str] = self.pattern.regex
        return regex

    @cached_property
    def _parts(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        parts = _WILDCARD.split(self.regex.pattern)
        return tuple((part, re.compile(part.removeprefix("^"))) for part in parts if part)

    def match_file(self, path: str) -> _Found | None:
        """Match a path with forward slashes, as the library's method does."""
        places: set[int] = {0}
        ends: list[re.Match[str]] = []
        for part, own in self._parts:
            if _WILDCARD.fullmatch(part):
                places = set(_reached(part, path, places))
            else:
                ends = [match for place in places if (match := own.match(path, place)) is not None]
                places = {match.end() for match in ends}
            if not places:
                return None
        return _Found(max(ends, key=lambda match: match.end()))


def _reached(part: str, path: str, places: Iterable[int]) -> Iterator[int]:
    """Yield the places where a wildcard may end if it begins at one of these places."""
    if part.startswith("^"):
        yield 0
        yield from (place + 1 for place, char in enumerate(path) if char == "/" and place)
    elif part.startswith("(?:/"):
        yield from places
        first = min((place for place in places if path.startswith("/", place)), default=len(path))
        yield from range(first + 2, len(path) + 1)
    else:
        covered = -1
        for place in sorted(places):
            end = path.find("/", place)
            end = len(path) if end < 0 else end
            yield from range(max(place + part.endswith("+"), covered), end + 1)
            covered = max(covered, end + 1)


def linear(patterns: Iterable[Any]) -> list[Any]:
    """Return the patterns, and replace those with many wildcards by ones that never backtrack."""
    return [Stepping(each) if _is_hard(each) else each for each in patterns]


def _is_hard(pattern: Any) -> bool:
    regex = getattr(pattern, "regex", None)
    return regex is not None and len(_WILDCARD.findall(regex.pattern)) > MOST_WILDCARDS
