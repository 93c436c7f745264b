"""When a run has trained enough: its windows repeat from there on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import libcst as cst

from gradlint.simulate.world import PASSES

PARTS = 3
"""How many parts of each of the micro-batches that a run asks for may be backpropagated in one outermost loop."""

_NESTED = 2
"""The fewest loops around a pass over data that is one of several, as for the files of an epoch."""

Loops = tuple[cst.CSTNode, ...]


class Enough:
    """What was backpropagated in each outermost loop of a run. `micro_batches` is enough for all passes over a single loader.

    More are needed where each iteration of the outermost loop goes over several loaders, one after the other, with the same
    optimizer: what happens between its iterations comes later.
    """

    def __init__(self, micro_batches: int) -> None:
        self._most = micro_batches
        self._seen: Counter[cst.CSTNode | None] = Counter()
        self._passes: Counter[tuple[cst.CSTNode | None, cst.CSTNode]] = Counter()
        self._building: set[cst.CSTNode] = set()
        self._in_several: set[cst.CSTNode | None] = set()

    def builds(self, loops: Iterable[cst.CSTNode]) -> None:
        """Record that an optimizer is built in these loops, as for each fold."""
        self._building |= set(loops)

    def begins(self, loops: Loops) -> None:
        """Record that a pass over data begins in these loops."""
        if len(_written(loops)) >= _NESTED:
            self._in_several |= {_outermost(loops)} - self._building

    def is_seen(self, loops: Loops, backward: cst.CSTNode, new: int) -> bool:
        """Record a backward pass and how many `new` micro-batches it is for; return whether the run has seen enough."""
        outermost = _outermost(loops)
        self._seen[outermost] += new
        self._passes[outermost, backward] += 1
        most = self._most * (PASSES if outermost in self._in_several else 1)
        return self._seen[outermost] > most or self._passes[outermost, backward] > PARTS * most


def _outermost(loops: Loops) -> cst.CSTNode | None:
    return next(iter(_written(loops) or loops), None)


def _written(loops: Loops) -> Loops:
    """The loops of the text, without the imagined calls of a root function."""
    return loops[1:] if loops and isinstance(loops[0], cst.FunctionDef) else loops
