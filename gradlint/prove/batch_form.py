"""The form of a batch, as a loop takes it apart."""

from __future__ import annotations

import ast


def batch_form(loop: ast.For | ast.While) -> str:
    """How to write a batch for a loop: `(x, y)`, `{"input_ids": ..., "labels": ...}`, or "" if that is not known."""
    target = loop.target if isinstance(loop, ast.For) else None
    if isinstance(loop, ast.For) and isinstance(target, ast.Tuple) and _is_enumerated(loop.iter) and len(target.elts) == 2:
        target = target.elts[1]
    if isinstance(target, (ast.Tuple, ast.List)):
        return f"({', '.join(map(ast.unparse, target.elts))})"
    return _taken_apart(loop, target.id) if isinstance(target, ast.Name) else ""


def _is_enumerated(node: ast.expr) -> bool:
    return any(
        isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == "enumerate" for each in ast.walk(node)
    )


def _taken_apart(loop: ast.For | ast.While, name: str) -> str:
    keys: list[str] = []
    for node in ast.walk(loop):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == name:
            if isinstance(node.targets[0], ast.Tuple):
                return f"({', '.join(map(ast.unparse, node.targets[0].elts))})"
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == name:
            if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
                keys.append(node.slice.value)
    known = list(dict.fromkeys(keys))
    return "{" + ", ".join(f'"{each}": ...' for each in known) + "}" if known else ""
