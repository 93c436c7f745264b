"""What a baseline records of a finding: just enough to recognize it when lines move."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gradlint.diagnostic import Diagnostic, Span

LONGEST = 160
"""Longer code is cut, and identified by a checksum."""
_NEWLINE = re.compile(r"\r\n|\r|\n")
_AROUND_SIGNS = re.compile(r"\s*([^\w\s])\s*")
_TRAILING_COMMA = re.compile(r",([)\]}])")


@dataclass(frozen=True, order=True)
class Print:
    """What identifies a finding within its file, wherever its lines move."""

    rule: str
    scope: str
    """The qualified name of the innermost function or class around it, empty at module level."""
    text: str
    """Its code on one line, without layout or comments."""


def prints(text: str, diagnostics: Sequence[Diagnostic]) -> tuple[Print, ...]:
    """Return what identifies each finding in a text, in order."""
    if not diagnostics:
        return ()
    lines = _NEWLINE.split(text)
    scopes = _scopes(text)
    return tuple(Print(each.code, _scope(scopes, each.span.start.row), _code(lines, each.span)) for each in diagnostics)


def _scopes(text: str) -> list[tuple[int, int, str]]:
    """Return the first row, last row and qualified name of every function and class, outer ones first."""
    import ast

    from gradlint.files.parse import parse

    try:
        tree = parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = []
    stack: list[tuple[ast.AST, str]] = [(tree, "")]
    while stack:
        node, name = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = f"{name}.{node.name}" if name else node.name
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found.append((first, node.end_lineno or node.lineno, name))
        stack.extend((child, name) for child in ast.iter_child_nodes(node))
    return sorted(found, key=lambda each: (each[0], -each[1]))


def _scope(scopes: Sequence[tuple[int, int, str]], row: int) -> str:
    inside = [name for first, last, name in scopes if first <= row <= last]
    return inside[-1] if inside else ""


def _code(lines: Sequence[str], span: Span) -> str:
    first, last = span.start.row, min(span.end.row, len(lines))
    if first > len(lines):
        return ""
    rows = list(lines[first - 1 : last])
    rows[-1] = rows[-1][: span.end.column - 1] if span.end.row == last else rows[-1]
    rows[0] = rows[0][span.start.column - 1 :]
    if len(rows) > 1:
        rows = [_without_comment(row) for row in rows]
    code = _AROUND_SIGNS.sub(r"\1", " ".join(" ".join(rows).split()).replace("'", '"'))
    code = _TRAILING_COMMA.sub(r"\1", code)
    if len(code) <= LONGEST:
        return code
    from hashlib import sha256

    return f"{code[:LONGEST]}... {sha256(code.encode('utf-8', 'replace')).hexdigest()[:16]}"


def _without_comment(row: str) -> str:
    """Return a row of code without its comment, which begins at the first `#` outside of quotes."""
    quote = ""
    for place, char in enumerate(row):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "#":
            return row[:place]
    return row
