"""How a pass over the data ends: what becomes of the last, partial window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from gradlint.model.data.window import Boundary, Phase
from gradlint.model.names.records import Frame, RawEvent, Site
from gradlint.model.names.resolve import Resolver
from gradlint.model.syntax.expressions import calls_in, last_name, walk
from gradlint.model.syntax.paths import Guard
from gradlint.model.types import Event, Kind
from gradlint.model.window.boundary import Reader


@dataclass(frozen=True, eq=False)
class Ends:
    """The ends of one micro loop (None: a loopless body), in the loops `around` it; `site` is the backward pass."""

    resolver: Resolver
    reader: Reader
    loop: Guard | None
    around: tuple[Guard, ...]
    site: Site
    windowed: bool

    def bounded(self) -> bool:
        """A count of steps ends the one pass there is, or a break before the tail skips it on purpose."""
        if self.loop is None or not isinstance(self.loop.node, cst.For):
            return False
        tree = self.resolver.trace.facts.tree
        for node in tree.of(cst.If, self.loop.node.body):
            breaks, goes_on = tree.of(cst.Break, node.body), tree.of(cst.Continue, node.body)
            if not tree.of(cst.Comparison, node.test) or not (breaks or goes_on):
                continue
            if (breaks and not self.around) or self.counts_windows(node.test):
                return True
        return False

    def counts_windows(self, test: cst.BaseExpression) -> bool:
        """The test compares with a number of full windows: `i // n == full`, `i >= len(loader) // n * n`, and the like."""
        site = self.site
        moduli = [n.right for n in walk(test) if isinstance(n, cst.BinaryOperation) and isinstance(n.operator, cst.Modulo)]
        own = {id(part) for modulus in moduli for part in walk(modulus)}  # N itself may be a quotient
        values = [
            value
            for n in walk(test)
            if isinstance(n, (cst.Name, cst.Attribute)) and id(n) not in own
            for value, _ in self.resolver.follow(n, site)
        ]
        remainder = any(
            isinstance(n, cst.BinaryOperation)
            and isinstance(n.operator, cst.Modulo)
            and any(last_name(call) == "len" for call in calls_in(n.left))
            for value in (test, *values)
            for n in walk(value)
        )
        quotients = (n for value in (test, *values) for n in walk(value) if isinstance(n, cst.BinaryOperation))
        return remainder or any(
            isinstance(n.operator, cst.FloorDivide) and "batch_size" not in (last_name(n.left) or "") for n in quotients
        )

    def flushed_after(self, near: Sequence[RawEvent]) -> bool:
        """A step that runs when the loop is done, unless it asks for the wrong remainder."""
        steps = self.steps_after(near)
        return any(not self.misses(step) for step in steps)

    def flush_misses(self, near: Sequence[RawEvent]) -> bool:
        """There are steps after the loop, and each of them asks for the wrong remainder."""
        steps = self.steps_after(near)
        return bool(steps) and all(map(self.misses, steps))

    def steps_after(self, near: Sequence[RawEvent]) -> list[RawEvent]:
        if self.loop is None or self.windowed:
            return []
        last = max((e.index for e in near if any(g is self.loop for g in e.path)), default=0)
        return [e for e in near if e.kind is Kind.OPTIMIZER_STEP and e.index > last and not any(g is self.loop for g in e.path)]

    def misses(self, step: RawEvent) -> bool:
        """`if i % N != 0:` with an `i` that began at zero: what is left of the data is not what the index is then.

        After the last of L micro-batches an index is worth as much as on it, so that full windows leave what it is on the
        last micro-batch of a window.
        """
        for place, guard in enumerate(step.path):
            if guard.kind != "branch" or guard.test is None or not isinstance(guard.frame, Frame) or guard in self.site.path:
                continue
            found = self.reader.read(guard.test, Site(guard.frame, guard.index, step.path[:place]), guard.node)
            if found is not None and found.modulus is not None and not found.flush and (guard.arm == 0) != found.holds:
                return found.phase in (Phase.FIRST, Phase.SHIFTED) and found.restarts is True
        return False

    def carried(self, boundary: Boundary | None, events: Sequence[Event]) -> bool | None:
        """Whether counter and gradients live on into the next pass over the data."""
        if boundary is None or self.loop is None:
            return None
        if boundary.restarts is not False:
            return None if boundary.restarts is None else False
        zeroed = any(
            e.kind is Kind.ZERO_GRAD
            and e.index < self.loop.index
            and all(any(g is a for g in e.path) for a in self.around)
            and (self.around or e.path == () or self.resolver.trace.root.function is not None)
            for e in events
            if not any(g is self.loop for g in e.path)
        )
        return not zeroed
