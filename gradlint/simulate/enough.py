"""When a run has trained enough: its windows repeat from there on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import libcst as cst

from gradlint.simulate.world import PASSES

PARTS = 3
"""How many parts of each of the micro-batches that a run asks for may be backpropagated in one outermost loop."""

Loops = tuple[cst.CSTNode, ...]


class Enough:
    """What was backpropagated in each outermost loop of a run. `micro_batches` is enough for all passes over a single loader.

    More are needed where an iteration of the outermost loop goes over several loaders, one after the other, with the same
    optimizer: what happens between its iterations comes later.
    """

    def __init__(self, micro_batches: int) -> None:
        self._most = micro_batches
        self._seen: Counter[cst.CSTNode | None] = Counter()
        self._backwards: Counter[tuple[cst.CSTNode | None, cst.CSTNode]] = Counter()
        self._building: set[cst.CSTNode] = set()
        self._passes = 0
        self._trained: dict[tuple[cst.CSTNode | None, int], set[int]] = {}
        self._in_several: set[cst.CSTNode | None] = set()

    def builds(self, loops: Iterable[cst.CSTNode]) -> None:
        """Record that an optimizer is built in these loops, as for each fold."""
        self._building |= set(loops)

    def begins(self) -> None:
        """Record that a pass over data begins."""
        self._passes += 1

    def is_seen(self, loops: Loops, turns: tuple[int, ...], backward: cst.CSTNode, new: int) -> bool:
        """Record a backward pass and how many `new` micro-batches it is for; return whether the run has seen enough.

        `turns` are the running iterations of the `loops` around it.
        """
        place = 1 if len(loops) > 1 and isinstance(loops[0], cst.FunctionDef) else 0  # without the imagined calls of a root
        outermost = loops[place] if loops else None
        self._seen[outermost] += new
        self._backwards[outermost, backward] += 1
        if loops and outermost not in self._building:
            trained = self._trained.setdefault((outermost, turns[place]), set())
            trained.add(self._passes)
            if len(trained) > 1:
                self._in_several.add(outermost)
        most = self._most * (PASSES if outermost in self._in_several else 1)
        return self._seen[outermost] > most or self._backwards[outermost, backward] > PARTS * most
