"""What becomes of a loss that is reported: whether the division by N is undone, or made up for by a sum over the window."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from gradlint.model.events import RawEvent
from gradlint.model.resolve import Resolver, Site, site_of
from gradlint.model.scaling import Slicer
from gradlint.model.syntax import dotted, last_name, literal
from gradlint.model.types import Guard, Steps

_COUNTS_UPDATES = re.compile(r"global_step|logging_steps|log_steps|update|optim|completed_steps", re.I)


class Ledger:
    """The reports of one micro loop (`loop` is None for a loopless body; `windowed` where it runs over one window)."""

    def __init__(self, resolver: Resolver, steps: Steps | None, loop: Guard | None, *, windowed: bool) -> None:
        self.trace = resolver.trace
        self.slicer = Slicer(resolver, steps)
        self.loop = loop
        self.windowed = windowed

    def restores(self, raw: RawEvent) -> bool:
        """The report multiplies by N again, or sums the divided losses over exactly one window."""
        tree = self.trace.facts.tree
        for definitions in self.trace.definitions.values():
            for definition in definitions:
                if definition.value is None or not tree.holds(definition.value, raw.node):
                    continue
                if self.multiplied(definition.value, raw):
                    return True
                if definition.how == "augment" and not self.reported(definition.key):
                    return True
                if self.summed_over_window(definition.key) or self.multiplied_later(definition.key):
                    return True
        for site in self.trace.calls:
            if (site.statement is not None and site.statement is raw.statement) or tree.holds(site.call, raw.node):
                if self.multiplied(site.call, raw):
                    return True
        return False

    def multiplied(self, node: cst.BaseExpression, raw: RawEvent) -> bool:
        tree, slicer = self.trace.facts.tree, self.slicer
        return any(
            isinstance(each.operator, cst.Multiply)
            and tree.holds(each, raw.node)
            and (slicer.mentions_steps(each, raw.site) or any(slicer.is_steps(s, raw.site) for s in (each.left, each.right)))
            for each in tree.of(cst.BinaryOperation, node)
        )

    def summed_over_window(self, key: str) -> bool:
        """The sum is set back once per window: inside the loop under a condition, or around a loop over one window."""
        loop, windowed = self.loop, self.windowed
        for definition in self.trace.definitions.get(key, ()):
            if definition.how != "assign" or definition.value is None or literal(definition.value) not in (0, 0.0):
                continue
            inside = any(g is loop for g in definition.path)
            if windowed and not inside and any(g.kind == "loop" for g in definition.path):
                return True
            if windowed and not inside and loop is not None and not any(g.kind == "loop" for g in self.prefix(loop)):
                return True
            if inside and definition.path[-1].kind == "branch" and self.at_boundary(definition.path[-1]):
                return True
        return False

    def prefix(self, loop: Guard) -> tuple[Guard, ...]:
        for site in self.trace.calls:
            for place, guard in enumerate(site.path):
                if guard is loop:
                    return site.path[:place]
        return ()

    def at_boundary(self, guard: Guard) -> bool:
        """The condition under which the sum is set back is the one under which the optimizer steps."""
        for site in self.trace.calls:
            name = last_name(site.call.func)
            if name in ("step", "zero_grad") and any(g.group == guard.group and g.arm == guard.arm for g in site.path):
                return True
        return False

    def multiplied_later(self, key: str) -> bool:
        """The sum itself is multiplied by N, or divided by a number of updates, where it is used."""
        name = key.partition(":")[2] or key
        tree, slicer = self.trace.facts.tree, self.slicer
        for each, site in self.uses(key):
            for node in tree.of(cst.BinaryOperation, each):
                if not any(dotted(n) == name for n in tree.below(node.left)):
                    continue
                by_steps = slicer.mentions_steps(node, site) or slicer.is_steps(node.right, site)
                if isinstance(node.operator, cst.Multiply) and by_steps:
                    return True
                if isinstance(node.operator, cst.Divide) and _COUNTS_UPDATES.search(last_name(node.right) or ""):
                    return True
        return False

    def reported(self, key: str) -> bool:
        """A sum is averaged, printed or returned in sight; what a closure of its own does with it cannot be told."""
        name = key.partition(":")[2] or key
        trace, tree = self.trace, self.trace.facts.tree
        returned = any(
            definition.value is not None and any(dotted(node) == name for node in tree.below(definition.value))
            for definitions in trace.returns.values()
            for definition in definitions
        )
        return returned or any(
            any(dotted(inner) == name for inner in tree.below(node))
            for each, _ in self.uses(key)
            for node in tree.below(each)
            if isinstance(node, cst.Call) or (isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Divide))
        )

    def uses(self, key: str) -> Iterator[tuple[cst.BaseExpression, Site]]:
        """Every expression of the activation in which a name may be read: arguments, assigned and returned values."""
        number = key.partition(":")[0]
        trace = self.trace
        for site in trace.calls:
            if str(site.frame.number) == number:
                yield site.call, site_of(site)
        for definitions in (*trace.definitions.values(), *trace.returns.values()):
            for definition in definitions:
                if str(definition.frame.number) == number and definition.value is not None:
                    yield definition.value, site_of(definition)
