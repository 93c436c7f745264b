"""Loops that lead to no backward pass: how long a run goes on with one."""

from __future__ import annotations

import libcst as cst

MUCH = 1_500
"""Statements and calls of all executions of such a loop, after which one iteration of each execution is enough."""


class Patience:
    """What the loops of a run that lead to no backward pass have cost."""

    def __init__(self) -> None:
        self._paid: dict[cst.CSTNode, int] = {}

    def pays(self, node: cst.CSTNode, steps: int) -> None:
        """An execution of a loop is over that has cost some steps."""
        self._paid[node] = self._paid.get(node, 0) + steps

    def is_over(self, node: cst.CSTNode, steps: int) -> bool:
        """Whether a loop has cost so much, with the steps of the execution that goes on, that the next iteration is one too many."""
        return self._paid.get(node, 0) + steps > MUCH
