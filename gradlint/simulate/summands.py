"""Sums of losses: where their terms are, in the expressions that were added to each other, and whether they are means."""

from __future__ import annotations

from math import isclose
from typing import Any

import libcst as cst

from gradlint.simulate.machine import Machine
from gradlint.simulate.trace import Event, Trace
from gradlint.simulate.values import Tensor, number, settings_of

_MOST = 8
"""The maximum number of nested sums that a term is followed through."""


def add(machine: Machine, left: Tensor, right: Tensor, node: cst.CSTNode) -> None:
    """Record the operands of an addition."""
    if isinstance(node, cst.BinaryOperation):
        _note(machine, left, node.left)
        _note(machine, right, node.right)
    elif isinstance(node, cst.AugAssign):
        _note(machine, right, node.value)


def weighted_mean(machine: Machine, kind: type, left: Any, right: Any) -> Tensor | None:
    """A mean of losses of one micro-batch, weighted by settings: `(first + w * second) / (1 + w)`. None for everything else.

    It is as large as one of them, so nothing is divided, whatever the weights are.
    """
    settings, total = settings_of(right), number(right)
    terms = left.terms or () if kind is cst.Divide and isinstance(left, Tensor) else ()
    if not settings or total is None or len(terms) < 2 or any(map(machine.counts_steps, settings)):
        return None
    of = frozenset().union(*(factor.of for _, factor in terms))
    alone = len({source.micro for source, _ in terms}) == 1 and not any(factor.doubt for _, factor in terms)
    same = alone and settings <= of and isclose(sum(factor.value for _, factor in terms), total)
    return left.copied() if same else None


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
