"""The comment that silences one finding on its line."""

from __future__ import annotations

import io
import tokenize
from bisect import bisect_right

from gradlint.diagnostic import Diagnostic, Place, Span, TextEdit
from gradlint.selection import ALWAYS_ON
from gradlint.server.text import Text
from gradlint.suppress import read_suppressions


def ignoring(code: str, finding: Diagnostic) -> TextEdit | None:
    """The edit that silences a finding; None where no comment can: of GRD000, or where neither line of it can hold one."""
    if finding.code == ALWAYS_ON:
        return None
    text = Text(code)
    rows = dict.fromkeys((finding.span.start.row, finding.span.end.row))
    for directive in read_suppressions(code).directives:
        if directive.comment.row in rows and directive.ours and directive.selectors is not None:
            end = directive.end - 1  # before the bracket
            lead = ", " if directive.selectors else ""
            return _insertion(text, directive.selectors[-1].end if directive.selectors else end, f"{lead}{finding.code}")
    ends = _line_ends(code)
    for row in rows:
        if row in ends:
            line = text.line(row - 1)
            return _insertion(text, text.starts[row - 1] + len(line.rstrip()), f"  # gradlint: ignore[{finding.code}]")
    return None


def _insertion(text: Text, offset: int, content: str) -> TextEdit:
    row = bisect_right(text.starts, offset)
    place = Place(row, offset - text.starts[row - 1] + 1)
    return TextEdit(Span(place, place), content)


def _line_ends(code: str) -> set[int]:
    """The rows that end outside of any string and without a backslash, so that a comment can stand there."""
    rows = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(code, newline=None).readline):
            if token.type in (tokenize.NEWLINE, tokenize.NL):
                rows.add(token.start[0])
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass
    return rows
