"""When a run has trained enough: its windows repeat from there on."""

from __future__ import annotations

from collections import Counter

import libcst as cst

PARTS = 3
"""How many parts of each of the micro-batches that a run asks for may be backpropagated in one outermost loop."""


class Enough:
    """What was backpropagated in each outermost loop of a run."""

    def __init__(self, micro_batches: int) -> None:
        self._most = micro_batches
        self._seen: Counter[cst.CSTNode | None] = Counter()
        self._passes: Counter[tuple[cst.CSTNode | None, cst.CSTNode]] = Counter()

    def is_seen(self, outermost: cst.CSTNode | None, backward: cst.CSTNode, new: int) -> bool:
        """Records a backward pass and how many `new` micro-batches it is for; returns whether the run has seen enough."""
        self._seen[outermost] += new
        self._passes[outermost, backward] += 1
        return self._seen[outermost] > self._most or self._passes[outermost, backward] > PARTS * self._most
