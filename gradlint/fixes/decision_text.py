"""Writes a decision as text: its conditions around the lines that move."""

from __future__ import annotations

import textwrap
from collections.abc import Collection

import libcst as cst

from gradlint.model.syntax.expressions import text, walk


def as_text(node: cst.CSTNode, going: Collection[int]) -> list[str]:
    if isinstance(node, cst.SimpleStatementLine):
        return line_text(node) if id(node) in going else []
    if isinstance(node, cst.If):
        return _of_arms(node, going)
    if isinstance(node, (cst.For, cst.While)) and all(
        id(e) in going for e in walk(node) if isinstance(e, cst.SimpleStatementLine)
    ):
        return text(node).split("\n")
    body = getattr(node, "body", ())
    body = getattr(body, "body", ()) if isinstance(body, cst.BaseSuite) else body
    return [line for each in body if isinstance(each, cst.CSTNode) for line in as_text(each, going)]


def line_text(node: cst.SimpleStatementLine) -> list[str]:
    """A line of code without its comment. Its continuation lines get new indentation."""
    plain = node.with_changes(leading_lines=(), trailing_whitespace=cst.TrailingWhitespace())
    first, *rest = text(plain).split("\n")
    if not rest:
        return [first]
    block = textwrap.dedent("\n".join(rest))
    closing = rest[-1].strip().startswith((")", "]", "}"))
    return [first, *(block if closing else textwrap.indent(block, "    ")).split("\n")]


def _of_arms(node: cst.If, going: Collection[int]) -> list[str]:
    arms: list[tuple[str, list[str]]] = []
    each: cst.If | cst.Else | None = node
    while isinstance(each, cst.If):
        arms.append((" ".join(text(each.test).split()), as_text(each.body, going)))
        each = each.orelse
    last = as_text(each.body, going) if each is not None else []
    while arms and not last and not arms[-1][1]:
        arms.pop()
    if len(arms) == 1 and last and not arms[0][1]:
        return [f"if not ({arms[0][0]}):", *(f"    {line}" for line in last)]
    lines: list[str] = []
    for word, (test, body) in zip(("if", *("elif",) * len(arms)), arms, strict=False):
        lines += [f"{word} {test}:", *(f"    {line}" for line in body or ["pass"])]
    return [*lines, "else:", *(f"    {line}" for line in last)] if last else lines
