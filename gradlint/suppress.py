"""Suppression comments: `# gradlint: ignore[GRD101]`, `# noqa: GRD101`, and `# gradlint: skip-file`."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from gradlint.diagnostic import Diagnostic
from gradlint.selection import ALWAYS_ON, specificity

_SKIP = re.compile(r"#\s*gradlint:\s*skip-file\b", re.I)
_IGNORE = re.compile(r"#\s*gradlint:\s*ignore(?![\w-])(?:\[([^\]]*)\]|(?!\[))", re.I)
_RULE = r"(?:[A-Z]+[0-9]+|[A-Z]+(?:-[A-Z]+)+)"
_NOQA = re.compile(rf"#\s*noqa(?![\w-])(?:\s*:\s*({_RULE}(?:[\s,]+{_RULE})*)?)?", re.I)
_ANY = re.compile(r"gradlint|noqa", re.I)


@dataclass(frozen=True)
class Suppressions:
    """What the comments of one file silence: None among the selectors of a row stands for everything."""

    whole_file: bool = False
    rows: tuple[tuple[int, frozenset[str] | None], ...] = ()

    def silences(self, diagnostic: Diagnostic) -> bool:
        """Whether a comment on the first or the last line of the finding names it."""
        if diagnostic.code == ALWAYS_ON:
            return False
        if self.whole_file:
            return True
        lines = (diagnostic.span.start.row, diagnostic.span.end.row)
        return any(row in lines and _names(selectors, diagnostic) for row, selectors in self.rows)


def read_suppressions(text: str) -> Suppressions:
    """The suppressions of a text; strings that look like comments do not count."""
    if not _ANY.search(text):
        return Suppressions()
    whole, rows = False, []
    for row, comment in _comments(text):
        whole = whole or _SKIP.search(comment) is not None
        for pattern in (_IGNORE, _NOQA):
            found = pattern.search(comment)
            if found:
                rows.append((row, _selectors(found.group(1), bare=":" not in found.group() or pattern is _IGNORE)))
    return Suppressions(whole, tuple(rows))


def keep(text: str, diagnostics: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """The diagnostics that no comment of the text silences."""
    if not diagnostics:
        return diagnostics
    suppressions = read_suppressions(text)
    return tuple(each for each in diagnostics if not suppressions.silences(each))


def _names(selectors: frozenset[str] | None, diagnostic: Diagnostic) -> bool:
    return selectors is None or any(specificity(diagnostic.code, diagnostic.name, each) for each in selectors)


def _selectors(group: str | None, *, bare: bool) -> frozenset[str] | None:
    """What a comment names; `# noqa: some words` names nothing, and silences nothing."""
    if group is None:
        return None if bare else frozenset()
    return frozenset(part for part in re.split(r"[\s,]+", group.strip()) if part)


def _comments(text: str) -> Iterator[tuple[int, str]]:
    """Every comment with its row; where the tokenizer gives up, what came before counts."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text, newline=None).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    except (tokenize.TokenError, SyntaxError, ValueError):
        return
