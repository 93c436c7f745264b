"""Remainders that do not affect training: a condition uses them to report something every so often."""

from __future__ import annotations

import builtins
from collections.abc import Iterator

import libcst as cst

from gradlint.model.syntax.expressions import NOT_LITERAL, literal, walk

_BUILTINS = frozenset(dir(builtins))
_NONE = frozenset[cst.CSTNode]()


def idle_remainders(branch: cst.If, known: frozenset[str]) -> frozenset[cst.CSTNode]:
    """The remainders in a condition if none of its arms acts on training; `known` are the functions of the text.

    An arm may act on training if it calls a name that may be an update, or sets a flag or a count.
    """
    remainders = [each for each in walk(branch.test) if isinstance(each, cst.BinaryOperation) and _is_remainder(each)]
    if not remainders or any(_may_act(each, known) for arm in _arms(branch) for each in walk(arm)):
        return _NONE
    return frozenset(remainders)


def _is_remainder(node: cst.BinaryOperation) -> bool:
    return isinstance(node.operator, cst.Modulo)


def _arms(branch: cst.If) -> Iterator[cst.CSTNode]:
    yield branch.body
    if branch.orelse is not None:
        yield branch.orelse


def _may_act(node: cst.CSTNode, known: frozenset[str]) -> bool:
    if isinstance(node, cst.Call):
        return isinstance(node.func, cst.Name) and node.func.value not in known | _BUILTINS
    if isinstance(node, (cst.Assign, cst.AugAssign, cst.AnnAssign)) and node.value is not None:
        value = literal(node.value)
        return isinstance(node, cst.AugAssign) or (value is not NOT_LITERAL and not isinstance(value, float))
    return isinstance(node, (cst.NamedExpr, cst.Del))
