"""Decides which findings a change reaches: those on its lines, and those of the loops that it touches."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from gradlint.changes.lines import Lines
from gradlint.config.selection import ALWAYS_ON
from gradlint.diagnostic import Diagnostic, LoopVerdict, Span
from gradlint.files.parse import parse


@dataclass(frozen=True)
class Reach:
    """What the changed `lines` of a text reach. `judged` returns the verdicts on its loops, and is asked only if needed."""

    text: str
    lines: Lines
    judged: Callable[[], Sequence[LoopVerdict]]

    def of(self, finding: Diagnostic) -> bool:
        """Whether the change touches the statement of a finding, one that the finding points to, or its loop.

        A text that cannot be parsed is always reported, because nobody knows what is in it.
        """
        spans = (finding.span, *(each.span for each in finding.related))
        return (
            finding.code == ALWAYS_ON
            or any(self.lines.touch(*self._statement(span)) for span in spans)
            or any(self.lines.touch(loop.line, loop.last_line) for loop in self._loops_of(finding))
        )

    def _loops_of(self, finding: Diagnostic) -> Sequence[LoopVerdict]:
        """Return the loops that contain a finding, or a place it points to, or else those that run the function it is in."""
        for span in (finding.span, *(each.span for each in finding.related)):
            around = [loop for loop in self._loops if loop.line <= span.start.row <= loop.last_line]
            if around:
                return around
        return [loop for loop in self._loops if finding.code in loop.codes]

    def _statement(self, span: Span) -> tuple[int, int]:
        """Return the first and last row of the statement of a place: of its head, if it contains other statements."""
        first, last = span.start.row, span.end.row
        for start, end in self._statements:
            if start <= first <= end:
                return start, max(end, last)
        return first, last

    @cached_property
    def _loops(self) -> Sequence[LoopVerdict]:
        return self.judged()

    @cached_property
    def _statements(self) -> Sequence[tuple[int, int]]:
        """The rows of all statements of more than one row."""
        try:
            tree = parse(self.text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ()
        return [(start, end) for start, end in _heads(tree) if end > start]


def _heads(tree: ast.AST) -> Iterator[tuple[int, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = node.end_lineno or node.lineno
            yield node.lineno, max(node.lineno, body[0].lineno - 1) if body else last
