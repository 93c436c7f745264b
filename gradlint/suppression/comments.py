"""Suppression comments: `# gradlint: ignore[GRD101]`, `# noqa: GRD101`, and `# gradlint: skip-file`."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from gradlint.config.selection import ALWAYS_ON, specificity
from gradlint.diagnostic import Diagnostic

UNUSED = ("GRD001", "unused-suppression")
"""The code and name of the rule about suppression comments themselves."""

_SKIP = re.compile(r"#\s*gradlint:\s*skip-file\b", re.I)
_IGNORE = re.compile(r"#\s*gradlint:\s*ignore(?![\w-])(?:\[([^\]#]*)\]|(?!\[))", re.I)
"""The list of codes must not contain a `#`, so that the search for a missing bracket ends before the next comment."""
_RULE = r"(?:[A-Z]+[0-9]+|[A-Z]+(?:-[A-Z]+)+)"
_NOQA = re.compile(rf"#\s*noqa(?![\w-])(?:\s*:\s*({_RULE}(?:[\s,]+{_RULE})*)?)?", re.I)
_ANY = re.compile(r"gradlint|noqa", re.I)
_NEWLINE = re.compile(r"\r\n|\r|\n")
_SELECTOR = re.compile(r"[^\s,]+")


@dataclass(frozen=True)
class Comment:
    """A comment with its row, counted from 1, and its offset in the text."""

    row: int
    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass(frozen=True)
class Named:
    """A selector in a comment, with its offsets in the text."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Directive:
    """The part of a comment that silences findings on its line, with its offsets in the text.

    With None as `selectors`, it silences every rule. `ours` is True for `gradlint: ignore`, and False for `noqa`, which other
    tools share.
    """

    comment: Comment
    start: int
    end: int
    selectors: tuple[Named, ...] | None
    ours: bool

    def names(self, diagnostic: Diagnostic) -> bool:
        """Whether the directive names the rule of this finding, wherever the finding is."""
        if self.selectors is None:
            return diagnostic.code != UNUSED[0]
        return any(selects(each.text, diagnostic) for each in self.selectors)


@dataclass(frozen=True)
class Suppressions:
    """What the comments of one file silence."""

    whole_file: bool = False
    directives: tuple[Directive, ...] = ()

    @property
    def rows(self) -> tuple[int, ...]:
        """The rows of the directives."""
        return tuple(each.comment.row for each in self.directives)

    def silences(self, diagnostic: Diagnostic) -> bool:
        """Whether a comment on the first or last line of the finding names it."""
        if diagnostic.code == ALWAYS_ON:
            return False
        return self.whole_file or any(reaches(each, diagnostic) and each.names(diagnostic) for each in self.directives)


def selects(selector: str, diagnostic: Diagnostic) -> bool:
    """Whether a selector in a comment matches the rule of a finding. GRD001, the rule about comments, must be named in full.

    Otherwise a comment that silences nothing would silence the finding about itself.
    """
    if diagnostic.code == UNUSED[0]:
        return selector.upper() == UNUSED[0] or selector.lower() == UNUSED[1]
    return specificity(diagnostic.code, diagnostic.name, selector) > 0


def reaches(directive: Directive, diagnostic: Diagnostic) -> bool:
    """Whether a directive is on the first or last line of a finding."""
    return directive.comment.row in (diagnostic.span.start.row, diagnostic.span.end.row)


def read_suppressions(text: str) -> Suppressions:
    """Read the suppressions of a text. Strings that look like comments do not count."""
    if not _ANY.search(text):
        return Suppressions()
    whole = False
    found: list[Directive] = []
    for comment in comments(text):
        whole = whole or _SKIP.search(comment.text) is not None
        for pattern in (_IGNORE, _NOQA):
            found.extend(_directive(comment, match, ours=pattern is _IGNORE) for match in pattern.finditer(comment.text))
    return Suppressions(whole, tuple(found))


def keep(text: str, diagnostics: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """Return the diagnostics that no comment in the text silences."""
    if not diagnostics:
        return diagnostics
    suppressions = read_suppressions(text)
    return tuple(each for each in diagnostics if not suppressions.silences(each))


def comments(text: str) -> Iterator[Comment]:
    """Yield every comment of a text in order. If the tokenizer fails, yield the comments before that."""
    starts = (0, *(match.end() for match in _NEWLINE.finditer(text)))
    try:
        for token in tokenize.generate_tokens(io.StringIO(text, newline=None).readline):
            if token.type == tokenize.COMMENT:
                yield Comment(token.start[0], starts[token.start[0] - 1] + token.start[1], token.string)
    except (tokenize.TokenError, SyntaxError, ValueError):
        return


def _directive(comment: Comment, match: re.Match[str], *, ours: bool) -> Directive:
    start, end = comment.start + match.start(), comment.start + match.end()
    return Directive(comment, start, end, _selectors(comment, match, bare=ours or ":" not in match.group()), ours)


def _selectors(comment: Comment, match: re.Match[str], *, bare: bool) -> tuple[Named, ...] | None:
    """Return what a directive names. `# noqa: some words` names nothing, and silences nothing."""
    if match.group(1) is None:
        return None if bare else ()
    base = comment.start + match.start(1)
    return tuple(Named(base + each.start(), base + each.end(), each.group()) for each in _SELECTOR.finditer(match.group(1)))
