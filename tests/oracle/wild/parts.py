"""Puts one pass over the data into a function of its own, as most projects have it."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from .code import Draft, indent

Lines = list[str]


def one_pass(draft: Draft, start: Lines, inside: Lines) -> Lines:
    """The call of a function that has the lines of a pass; the lines themselves where they change, or call, what was made before."""
    kept, called = _stored(start), {each.name for each in _nodes(start) if isinstance(each, ast.FunctionDef)}
    stored, read = _stored(inside), _read(inside)
    if stored & kept or read & called:
        return inside
    own = _stored(draft.setup) | kept | set(draft.given) | {"ctx", "epoch"}
    given = sorted((read & own) - stored)
    if draft.plan.frame == "trainer":
        draft.methods.append([f"def run_pass({', '.join(['self', *given])}):", *indent(inside)])
        return [f"self.run_pass({', '.join(given)})"]
    draft.block(f"def run_pass({', '.join(given)}):", *indent(inside))
    return [f"run_pass({', '.join(given)})"]


def _nodes(lines: Iterable[str]) -> list[ast.AST]:
    return list(ast.walk(ast.parse("\n".join(lines))))


def _stored(lines: Iterable[str]) -> set[str]:
    names = {each.id for each in _nodes(lines) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    return names | {each.name for each in _nodes(lines) if isinstance(each, ast.FunctionDef)}


def _read(lines: Iterable[str]) -> set[str]:
    return {each.id for each in _nodes(lines) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}
