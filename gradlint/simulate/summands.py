"""Where the terms of a sum of losses are: the expressions that were added to each other."""

from __future__ import annotations

import libcst as cst

from gradlint.simulate.machine import Machine
from gradlint.simulate.trace import Event, Trace
from gradlint.simulate.values import Tensor

_MOST = 8
"""The maximum number of nested sums that a term is followed through."""


def add(machine: Machine, left: Tensor, right: Tensor, node: cst.CSTNode) -> None:
    """Record the operands of an addition."""
    if isinstance(node, cst.BinaryOperation):
        _note(machine, left, node.left)
        _note(machine, right, node.right)
    elif isinstance(node, cst.AugAssign):
        _note(machine, right, node.value)


def _note(machine: Machine, value: Tensor, operand: cst.CSTNode) -> None:
    for source, _ in value.terms or ():
        known = machine.summands.get(source, ())
        if len(known) < _MOST:
            machine.summands[source] = (*known, operand)


def summand(trace: Trace, event: Event, key: int, alike: frozenset[int]) -> cst.CSTNode | None:
    """The largest part of a backpropagated sum that holds a term and otherwise only `alike` ones; None if there is none."""
    held: dict[cst.CSTNode, set[int]] = {}
    for source, _ in event.terms:
        for operand in trace.summands.get(source, ()):
            held.setdefault(operand, set()).add(id(source.node))
    own = (operand for operand, keys in reversed(held.items()) if key in keys and keys <= alike)
    return max(own, key=lambda operand: len(held[operand]), default=None)
