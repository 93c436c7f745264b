"""`--add-ignore`: writes comments that silence the findings, and extends those that are already there."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gradlint.config.selection import ALWAYS_ON
from gradlint.diagnostic import Diagnostic
from gradlint.files.parse import parse
from gradlint.suppression.comments import UNUSED, Comment, Directive, comments, read_suppressions

_NEWLINE = re.compile(r"\r\n|\r|\n")
_REASON = re.compile(r"[^#\[\]\x00-\x1f\x7f-\x9f\u2028\u2029]*")
_CONTINUING = frozenset({"FSTRING_MIDDLE", "FSTRING_START", "FSTRING_END", "TSTRING_MIDDLE", "TSTRING_START", "TSTRING_END"})


@dataclass(frozen=True)
class Annotated:
    """A text with its new comments, the findings that they silence, and those that no comment can silence."""

    text: str
    silenced: tuple[Diagnostic, ...] = ()
    left: tuple[Diagnostic, ...] = ()


def is_reason(text: str) -> bool:
    """Whether a text can follow a directive: on one line, and without anything that begins another comment or list."""
    return _REASON.fullmatch(text) is not None


def add_ignores(text: str, judge: Callable[[str], tuple[Diagnostic, ...]], reason: str = "") -> Annotated:
    """Silence everything that `judge` finds in a text.

    The comment goes to the first line of a finding, or to its last line if the first cannot have one, because it ends inside a
    string or in a backslash. The new text is judged again. It is returned only if the code is the same, and exactly the findings
    without a comment are left.
    """
    found = judge(text)
    if not found:
        return Annotated(text)
    page = _Page(text)
    codes: dict[int, list[str]] = {}
    silenced: list[Diagnostic] = []
    for each in found:
        row = next((row for row in (each.span.start.row, each.span.end.row) if page.can_carry(row)), None)
        if row is not None and each.code not in (ALWAYS_ON, UNUSED[0]):
            codes.setdefault(row, []).append(each.code)
            silenced.append(each)
    left = tuple(each for each in found if each not in silenced)
    result = page.with_codes(codes, reason)
    after = judge(result)
    if _counted(after) != _counted(left) or not _same_code(text, result):
        return Annotated(text, (), found)
    return Annotated(result, tuple(silenced), after)


def _counted(diagnostics: Sequence[Diagnostic]) -> Counter[tuple[str, str]]:
    return Counter((each.code, each.sentence) for each in diagnostics)


def _same_code(before: str, after: str) -> bool:
    """Whether two texts are the same code. If `ast` cannot read the first, trust the rules' parser, which has judged both."""
    try:
        old = ast.dump(parse(before))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    try:
        return ast.dump(parse(after)) == old
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


class _Page:
    """A text as lines, with its comments and the lines that cannot have one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = [*_NEWLINE.split(text)]
        self.newlines = [*_NEWLINE.findall(text), ""]
        self.comments: dict[int, Comment] = {each.row: each for each in comments(text)}
        self.directives: dict[int, Directive] = {}
        for each in read_suppressions(text).directives:
            if each.ours and each.selectors:
                self.directives.setdefault(each.comment.row, each)
        self.closed = _inside_strings(text)

    def can_carry(self, row: int) -> bool:
        """Whether a comment can be at the end of a line."""
        if self.closed is None or row > len(self.lines) or row in self.closed:
            return False
        return row in self.comments or not self.lines[row - 1].endswith("\\")

    def with_codes(self, codes: dict[int, list[str]], reason: str) -> str:
        """Return the text after adding codes to the comments of some lines."""
        starts = self._starts()
        lines = list(self.lines)
        for row, wanted in codes.items():
            new = sorted(set(wanted))
            line, start = lines[row - 1], starts[row - 1]
            directive = self.directives.get(row)
            if directive is None or not directive.selectors:
                words = f" {reason}" if reason else ""
                lines[row - 1] = f"{line.rstrip()}  # gradlint: ignore[{', '.join(new)}]{words}"
                continue
            here = directive.selectors[-1].end - start
            close = directive.end - start
            words = f" {reason}" if reason and not line[close:].strip() else ""
            lines[row - 1] = f"{line[:here]}, {', '.join(new)}{line[here:close]}{words}{line[close:]}"
        return "".join(line + newline for line, newline in zip(lines, self.newlines, strict=True))

    def _starts(self) -> list[int]:
        starts = [0]
        for line, newline in zip(self.lines, self.newlines, strict=True):
            starts.append(starts[-1] + len(line) + len(newline))
        return starts


def _inside_strings(text: str) -> frozenset[int] | None:
    """Return the rows that end inside a string of several lines, or None for a text that the tokenizer cannot read."""
    rows: set[int] = set()
    opened: list[int] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text, newline=None).readline):
            name = tokenize.tok_name[token.type]
            if token.type == tokenize.STRING or name in _CONTINUING:
                rows.update(range(token.start[0], token.end[0]))
            if name in ("FSTRING_START", "TSTRING_START"):
                opened.append(token.start[0])
            elif name in ("FSTRING_END", "TSTRING_END") and opened:
                rows.update(range(opened.pop(), token.end[0]))
    except (tokenize.TokenError, SyntaxError, ValueError):
        return None
    return frozenset(rows)
