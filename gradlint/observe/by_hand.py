"""Where a script changes gradients by itself, which the record only shows afterwards."""

from __future__ import annotations

import libcst as cst

from gradlint.model.syntax.expressions import walk
from gradlint.observe.files import Files
from gradlint.observe.record import Record

_ZEROES = frozenset(("zero_", "zero_grad", "fill_"))
_SCALES = frozenset("mul_ div_ copy_ mul div clamp_ clip_".split())


def by_hand(files: Files, record: Record, kind: str) -> cst.CSTNode | None:
    """The statement that cleared (`zero`) or multiplied (`rescale`) the gradients before a record; None if none is visible.

    It is the last one before the place of the record, or else the last one in its file.
    """
    for spot in record.at:
        file = files.of(spot[0])
        if file is None:
            continue
        limit = file.span(spot)[0]
        found = []
        for statement in file.source.statements:
            for node in walk(statement):
                span = file.source.span(node)
                if span is not None and _changes(node, kind):
                    found.append((span[0], node))
        earlier = [each for each in found if each[0] < limit]
        if found:
            return max(earlier or found, key=lambda each: each[0])[1]
    return None


def _changes(node: cst.CSTNode, kind: str) -> bool:
    if isinstance(node, cst.Assign):
        nothing = isinstance(node.value, cst.Name) and node.value.value == "None"
        return any(_is_gradient(each.target) for each in node.targets) and nothing is (kind == "zero")
    if isinstance(node, cst.AugAssign):
        return kind == "rescale" and _is_gradient(node.target)
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        names = _ZEROES if kind == "zero" else _SCALES
        return node.func.attr.value in names and any(_is_gradient(each) for each in walk(node.func.value))
    return False


def _is_gradient(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Attribute) and node.attr.value in ("grad", "data") and "grad" in _names(node)


def _names(node: cst.CSTNode) -> set[str]:
    return {each.attr.value for each in walk(node) if isinstance(each, cst.Attribute)}
