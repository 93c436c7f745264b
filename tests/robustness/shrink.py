"""Reduces a text that breaks a law: whole statements first, then blocks in place of their headers, then lines."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from .mutate import Page, Piece

Fails = Callable[[str], bool]


def reduce(text: str, fails: Fails, budget: int = 1500) -> str:
    """The shortest text found that still fails, after at most `budget` questions; `text` itself must fail."""
    left = budget
    progress = True
    while progress and left > 0:
        progress = False
        for candidate in _shorter(text):
            left -= 1
            if left <= 0:
                break
            if len(candidate) < len(text) and fails(candidate):
                text, progress = candidate, True
                break
    return text


def _shorter(text: str) -> Iterator[str]:
    """Candidates, those that take away most first."""
    page = Page(text)
    if page.tree is None:
        yield from _fewer_lines(page.lines)
        return
    pieces = sorted(page.pieces, key=lambda p: p.first - p.stop)
    for piece in pieces:
        yield page.with_lines(piece.first, piece.stop, [])
        yield page.with_lines(piece.first, piece.stop, [f"{piece.indent}pass\n"])
        yield from _inner(page, piece)
    yield from _fewer_lines(page.lines)
    for node in page.expressions:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                start, end = page.range(child)
                yield page.with_expression(node, lambda _, a=start, b=end: page.text[a:b])  # type: ignore[misc]
        if not isinstance(node, (ast.Name, ast.Constant)):
            yield page.with_expression(node, lambda _: "x")


def _inner(page: Page, piece: Piece) -> Iterator[str]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(piece.node, name, None)
        if isinstance(block, list):
            inside = [p for p in page.pieces if p.node in block]
            yield page.with_lines(piece.first, piece.stop, [line for p in inside for line in page.block(p, piece.indent)])


def _fewer_lines(lines: list[str]) -> Iterator[str]:
    size = len(lines) // 2
    while size:
        for start in range(0, len(lines), size):
            yield "".join([*lines[:start], *lines[start + size :]])
        size //= 2
