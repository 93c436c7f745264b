"""Splits a program over two files at random: functions and classes that need nothing of the rest go into a module of their own."""

from __future__ import annotations

import ast
from random import Random


def split(text: str, random: Random) -> tuple[str, str] | None:
    """The program without some of its definitions, which it imports, and the module that has them; None where nothing can go."""
    tree = ast.parse(text)
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    known = {alias.asname or alias.name.partition(".")[0] for node in imports for alias in node.names}
    definitions = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    top = set(definitions) | known | {name for node in tree.body for name in _given(node)}
    needs = {name: (_read(node) & top) - known for name, node in definitions.items()}
    movable = {name for name in definitions if needs[name] <= set(definitions)}
    while closed := {name for name in movable if not needs[name] <= movable}:
        movable -= closed
    chosen = {name for name in sorted(movable) if random.random() < 0.7}
    while more := {other for name in chosen for other in needs[name]} - chosen:
        chosen |= more
    if not chosen:
        return None
    lines = text.splitlines(keepends=True)
    moved = [node for node in tree.body if getattr(node, "name", None) in chosen]
    rows = {row for node in moved for row in range(_first(node), (node.end_lineno or 0) + 1)}
    head = "".join("".join(lines[node.lineno - 1 : node.end_lineno]) for node in imports if not _of_future(node))
    parts = head + "\n\n" + "\n\n".join("".join(lines[_first(node) - 1 : node.end_lineno]) for node in moved)
    rest = [line for row, line in enumerate(lines, 1) if row not in rows]
    last = max((node.end_lineno or 0 for node in imports), default=0)
    place = sum(row not in rows for row in range(1, last + 1))
    rest.insert(place, f"from parts import {', '.join(sorted(chosen))}\n")
    return "".join(rest), parts


def _first(node: ast.stmt) -> int:
    return min((node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))))


def _of_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _given(node: ast.stmt) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}


def _read(node: ast.stmt) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
