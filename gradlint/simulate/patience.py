"""Loops that lead to no backward pass: how long a run continues with one."""

from __future__ import annotations

import libcst as cst

MUCH = 1_500
"""Statements and calls of all executions of such a loop. Beyond that, one iteration per execution is enough."""

LITTLE = 600
"""The same for a loop that does not affect training at all."""


class Patience:
    """What the loops of a run that lead to no backward pass have cost."""

    def __init__(self) -> None:
        self._paid: dict[cst.CSTNode, int] = {}

    def pays(self, node: cst.CSTNode, steps: int) -> None:
        """Record that an execution of a loop has ended, and how many steps it cost."""
        self._paid[node] = self._paid.get(node, 0) + steps

    def is_over(self, node: cst.CSTNode, steps: int, *, matters: bool) -> bool:
        """Whether a loop, with the steps of its current execution, has cost too much to run another iteration."""
        return self._paid.get(node, 0) + steps > (MUCH if matters else LITTLE)
