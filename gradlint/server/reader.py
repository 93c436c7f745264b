"""Parses a text statement by statement, and keeps the results. In the next version, only the changed statement is parsed."""

from __future__ import annotations

import ast
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest

import libcst as cst

from gradlint.analysis.source import NEWLINE, Problem, Slice, Source, is_read_whole
from gradlint.files.parse import parse
from gradlint.model.names.vocabulary import Taught
from gradlint.server.outline import Outline


@dataclass(frozen=True, eq=False)
class _Pieced(Source):
    """A text whose top-level statements were parsed separately, some of them in an earlier version.

    `begins` are the offsets of the slices in the analysed code. `runs` holds, for each run of its lines, the offset in that code
    and the offset in the text. `rest` parses the whole text, if this is only a part of it.
    """

    begins: tuple[int, ...]
    runs: tuple[tuple[int, int], ...]
    rest: Callable[[], Source | None] | None = None

    @property
    def is_whole(self) -> bool:
        return self.rest is None

    def whole(self, taught: Taught) -> Source | Problem:
        found = self.rest() if self.rest is not None else None
        return found if found is not None else super().whole(taught)

    def span(self, node: cst.CSTNode) -> tuple[int, int] | None:
        for part, begin in zip(self.slices, self.begins, strict=True):
            found = part.spans.get(id(node))
            if found is not None:
                return self._in_text(found[0] + begin), self._in_text(found[1] + begin, ending=True)
        return None

    def _in_text(self, offset: int, *, ending: bool = False) -> int:
        """Convert an offset in the code to one in the text. The end of a span belongs to the run of lines before it."""
        place = (bisect_left if ending else bisect_right)(self.runs, offset, key=lambda run: run[0]) - 1
        start, origin = self.runs[max(place, 0)]
        return offset - start + origin


@dataclass
class Reader:
    """What was parsed of the last version of a text: the part that the rules can see, and the whole text."""

    _seen: _Statements = field(default_factory=lambda: _Statements())
    _all: _Statements = field(default_factory=lambda: _Statements())

    def read(self, text: str, seen: Outline, go_on: Callable[[], None]) -> Source | None:
        """Parse the text, or return None if `source.read` must do it. An exception from `go_on` ends the work."""
        parsed = self._seen.read(seen.code, go_on)
        return _Pieced(text, *parsed, seen.runs, partial(self._whole, text, go_on)) if parsed is not None else None

    def _whole(self, text: str, go_on: Callable[[], None]) -> Source | None:
        """Parse the whole text, or return None if `source.read_for_runs` must do it."""
        parsed = self._all.read(text, go_on) if is_read_whole(text) else None
        return _Pieced(text, *parsed, ((0, 0),)) if parsed is not None else None


@dataclass
class _Statements:
    """The top-level statements of the last version of some code, by their text."""

    _kept: dict[str, list[Slice]] = field(default_factory=dict)

    def read(self, text: str, go_on: Callable[[], None]) -> tuple[tuple[Slice, ...], tuple[int, ...]] | None:
        """Return the statements of the next version and their offsets, or None if LibCST cannot parse one."""
        kept: dict[str, list[Slice]] = {}
        slices, begins = [], []
        for begin, code in _statements(text):
            known = self._kept.get(code)
            if known:
                each = known.pop()  # statements with equal text must not share nodes, which are distinguished by identity
            else:
                go_on()
                try:
                    each = Slice(cst.parse_module(code), 0, len(code))
                except (cst.ParserSyntaxError, RecursionError, UnicodeEncodeError):
                    return None
            kept.setdefault(code, []).append(each)
            slices.append(each)
            begins.append(begin)
        self._kept = kept
        return tuple(slices), tuple(begins)


def _statements(code: str) -> Iterator[tuple[int, str]]:
    """Yield the offset and text of each top-level statement, with the lines above it.

    Statements that share a line count as one.
    """
    starts = (0, *(match.end() for match in NEWLINE.finditer(code)), len(code))
    body = parse(code).body
    begin = 0
    for node, following in zip_longest(body, body[1:]):
        end = starts[node.end_lineno or node.lineno] if following is not None else len(code)
        if following is None or starts[_first_row(following) - 1] >= end:
            yield begin, code[begin:end]
            begin = end


def _first_row(node: ast.stmt) -> int:
    rows: list[int] = [node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))]
    return min(rows)
