"""Parses a fixed text. Only the top-level statements that the fix changes are parsed again."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

import libcst as cst

from gradlint.analysis.source import MOST_ROWS, NEWLINE, WHOLE, Problem, Source, read_for_runs
from gradlint.analysis.text_changes import Change, apply
from gradlint.files.parse import parse
from gradlint.model.names.vocabulary import Taught


def repaired_statements(
    source: Source | Problem, text: str, changes: Sequence[Change], taught: Taught
) -> Sequence[cst.BaseStatement] | Problem:
    """Return the statements of a text after some changes. `source` is the text before them, as parsed for its runs."""
    if isinstance(source, Source) and source.is_whole and _is_plain(text):
        found = _repaired(source, sorted(changes))
        if found is not None:
            return found
    read = read_for_runs(apply(text, tuple(changes)), taught)
    return read if isinstance(read, Problem) else read.statements


def _is_plain(text: str) -> bool:
    """Whether the text is small enough to be read in full before and after a fix, and has only ordinary line breaks."""
    few = len(text) < WHOLE // 2 and text.count("\n") < MOST_ROWS // 2
    return few and "\f" not in text and "\r" not in text.replace("\r\n", "")


def _repaired(source: Source, changes: Sequence[Change]) -> list[cst.BaseStatement] | None:
    """The statements, with those touched by a change parsed again. None if a changed part does not parse by itself."""
    statements, text = source.statements, source.text
    begins = list(_begins(text))
    if len(begins) != len(statements) or not changes:
        return None
    ends = [*begins[1:], len(text)]
    touched: list[tuple[int, int, list[Change]]] = []
    for each in changes:
        if each.start < each.end:
            first, last = bisect_right(begins, each.start) - 1, bisect_left(ends, each.end)
        else:  # an insertion between two statements may belong to either
            first, last = max(bisect_left(begins, each.start) - 1, 0), min(bisect_right(ends, each.end), len(ends) - 1)
        if touched and first <= touched[-1][1]:
            begun, until, mine = touched.pop()
            touched.append((begun, max(last, until), [*mine, each]))
        else:
            touched.append((first, last, [each]))
    found: list[cst.BaseStatement] = []
    done = 0
    for first, last, mine in touched:
        start = begins[first]
        moved = tuple(Change(each.start - start, each.end - start, each.content) for each in mine)
        try:
            body = cst.parse_module(apply(text[start : ends[last]], moved)).body
        except (cst.ParserSyntaxError, RecursionError):
            return None
        found += statements[done:first]
        found += (each for each in body if isinstance(each, cst.BaseStatement))
        done = last + 1
    return [*found, *statements[done:]]


def _begins(text: str) -> Iterator[int]:
    """The start offset of each top-level statement, including the lines above it. Statements that share a line count as one."""
    starts = (0, *(match.end() for match in NEWLINE.finditer(text)), len(text))
    before = 0
    for node in parse(text).body:
        first = min((node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))))
        if first > before:
            yield starts[before]
        before = node.end_lineno or node.lineno
