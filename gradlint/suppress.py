"""Suppression comments: `# gradlint: ignore[GRD101]`, `# noqa: GRD101`, and `# gradlint: skip-file`."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from gradlint.diagnostic import Diagnostic

_SKIP = re.compile(r"#\s*gradlint:\s*skip-file\b", re.I)
_IGNORE = re.compile(r"#\s*gradlint:\s*ignore(?:\[([^\]]*)\])?", re.I)
_NOQA = re.compile(r"#\s*noqa(?::[\s]?((?:[A-Z]+[0-9]+|[a-z][a-z-]*[a-z])(?:[\s,]+(?:[A-Z]+[0-9]+|[a-z][a-z-]*[a-z]))*))?", re.I)
_ANY = re.compile(r"gradlint|noqa", re.I)


@dataclass(frozen=True)
class Suppressions:
    """What the comments of one file silence: None among the codes of a row stands for everything."""

    whole_file: bool = False
    rows: tuple[tuple[int, frozenset[str] | None], ...] = ()

    def silences(self, diagnostic: Diagnostic) -> bool:
        """Whether a comment on the first or the last line of the finding names it."""
        if diagnostic.code == "GRD000":
            return False
        if self.whole_file:
            return True
        lines = (diagnostic.span.start.row, diagnostic.span.end.row)
        names = {diagnostic.code.lower(), diagnostic.name.lower()}
        return any(row in lines and (codes is None or codes & names) for row, codes in self.rows)


def read_suppressions(text: str) -> Suppressions:
    """The suppressions of a text; strings that look like comments do not count."""
    if not _ANY.search(text):
        return Suppressions()
    whole, rows = False, []
    for row, comment in _comments(text):
        if _SKIP.search(comment):
            whole = True
        ignore = _IGNORE.search(comment)
        if ignore:
            rows.append((row, _codes(ignore.group(1))))
        noqa = _NOQA.search(comment)
        if noqa:
            rows.append((row, _codes(noqa.group(1))))
    return Suppressions(whole, tuple(rows))


def keep(text: str, diagnostics: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """The diagnostics that no comment of the text silences."""
    if not diagnostics:
        return diagnostics
    suppressions = read_suppressions(text)
    return tuple(each for each in diagnostics if not suppressions.silences(each))


def _codes(group: str | None) -> frozenset[str] | None:
    if group is None:
        return None
    return frozenset(part.lower() for part in re.split(r"[\s,]+", group.strip()) if part)


def _comments(text: str) -> Iterator[tuple[int, str]]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    except (tokenize.TokenError, SyntaxError, ValueError):
        return
