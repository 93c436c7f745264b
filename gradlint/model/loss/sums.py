"""What a sum of losses holds: whole windows, or as many micro-batches as a test of its own says; and what it is divided by."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import libcst as cst

from gradlint.model.data.window import Steps
from gradlint.model.loss.factors import Factors
from gradlint.model.names.records import Frame, RawEvent, Site, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.syntax.expressions import NOT_LITERAL, dotted, last_name, literal, text, walk
from gradlint.model.syntax.paths import Guard, Path

_EMPTIES: tuple[tuple[str, list[object]], ...] = (("zero_", []), ("fill_", [0]), ("clear", []))
"""Methods that make a tensor or a list nothing, with their arguments."""

_COUNTS_UPDATES = re.compile(r"global_step|logging_steps|log_steps|update|optim|completed_steps", re.I)


class Sums:
    """The sums of one micro loop (`loop` is None for a loopless body; `windowed` where it runs over one window).

    `shared` are the decisions under which every backward pass stands: none of them is the window's boundary.
    """

    def __init__(
        self, resolver: Resolver, steps: Steps | None, loop: Guard | None, backwards: Sequence[RawEvent], *, windowed: bool
    ) -> None:
        self.resolver = resolver
        self.trace = resolver.trace
        self.factors = Factors(resolver, steps)
        self.loop = loop
        self.windowed = windowed
        arms = ({(guard.group, guard.arm) for guard in each.path} for each in backwards)
        self.shared: set[tuple[object, int]] = set.intersection(*arms)

    def summed_over_window(self, key: str) -> bool:
        """The sum is set back once per window: inside the loop under a condition, or around a loop over one window."""
        loop, windowed = self.loop, self.windowed
        for path in self.resets(key):
            inside = any(g is loop for g in path)
            if windowed and not inside and any(g.kind == "loop" for g in path):
                return True
            if windowed and not inside and loop is not None and not any(g.kind == "loop" for g in self.prefix(loop)):
                return True
            last = path[-1] if inside else None
            if last is None or last.kind != "branch":
                continue
            if self.at_boundary(last) or (self.counts_windows(last) and not self.divided_again(key)):
                return True
            if not any(True for _ in self.divided_by(key)):
                return True  # a sum, over as much as a test of its own says
        return False

    def resets(self, key: str) -> Iterator[Path]:
        """Where a sum begins anew: `total = 0`, `total = torch.zeros(1)`, `total.zero_()`."""
        for definition in self.trace.definitions.get(key, ()):
            if definition.how == "assign" and definition.value is not None and _is_zero(definition.value):
                yield definition.path
        for site in self.trace.calls:
            func, args = site.call.func, [literal(arg.value) for arg in site.call.args]
            if isinstance(func, cst.Attribute) and (func.attr.value, args) in _EMPTIES:
                if self.trace.key(dotted(func.value) or "", site.frame) == key:
                    yield site.path

    def of_updates(self, path: Path) -> bool:
        """What stands there happens at the boundary of the window alone."""
        own = path[path.index(self.loop) + 1 :] if self.loop in path else ()
        return any(guard.kind == "branch" and self.at_boundary(guard) for guard in own)

    def counts_windows(self, guard: Guard) -> bool:
        """A test that holds once in one or several windows: `i % (k * N) == 0`, or a counter of the window that is zero."""
        test, frame = guard.test, guard.frame
        if test is None or not isinstance(frame, Frame):
            return False
        site, factors = Site(frame, guard.index, ()), self.factors
        moduli = (n.right for n in walk(test) if isinstance(n, cst.BinaryOperation) and isinstance(n.operator, cst.Modulo))
        if any(factors.is_steps(right, site) or factors.mentions_steps(right, site) for right in moduli):
            return True
        if not isinstance(test, cst.Comparison) or len(test.comparisons) != 1:
            return False
        target = test.comparisons[0]
        name = dotted(test.left) if isinstance(target.operator, cst.Equal) and literal(target.comparator) == 0 else None
        inside = [d for d in self.resolver.all_of(name, frame) if any(g is self.loop for g in d.path)] if name else []
        return {"augment", "assign"} <= {definition.how for definition in inside}

    def prefix(self, loop: Guard) -> tuple[Guard, ...]:
        for site in self.trace.calls:
            for place, guard in enumerate(site.path):
                if guard is loop:
                    return site.path[:place]
        return ()

    def at_boundary(self, guard: Guard) -> bool:
        """The condition under which the sum is set back is the one under which the optimizer steps, or is asked again."""
        if (guard.group, guard.arm) in self.shared:
            return False
        for site in self.trace.calls:
            if last_name(site.call.func) in ("step", "zero_grad") and any(_same_question(g, guard) for g in site.path):
                return True
        return False

    def divided_again(self, key: str) -> bool:
        """The sum is divided by a product with N where it is used: by the micro-batches in it, not by the updates."""
        return any(
            self.factors.is_steps(divisor, site) or self.factors.mentions_steps(divisor, site)
            for divisor, site in self.divided_by(key)
        )

    def divided_by(self, key: str) -> Iterator[tuple[cst.BaseExpression, Site]]:
        """What a sum is divided by where it is used."""
        name = key.partition(":")[2] or key
        for each, site in self.uses(key):
            for node in self.trace.facts.tree.of(cst.BinaryOperation, each):
                if isinstance(node.operator, cst.Divide) and any(dotted(n) == name for n in walk(node.left)):
                    yield node.right, site

    def counts_updates(self, node: cst.CSTNode, site: Site) -> bool:
        """A name that grows at the boundary alone, or with which such a name is compared on the way here."""
        name = dotted(node)
        if name is None and literal(node) is NOT_LITERAL:
            return False
        grown = [d for d in self.resolver.all_of(name, site.frame) if d.how == "augment"] if name else []
        if grown:
            return all(self.of_updates(d.path) for d in grown)
        moduli = (
            (part.left, Site(guard.frame, guard.index, ()))
            for guard in site.path
            if guard.kind == "branch" and guard.arm == 0 and guard.test is not None and isinstance(guard.frame, Frame)
            for part in walk(guard.test)
            if isinstance(part, cst.BinaryOperation) and isinstance(part.operator, cst.Modulo) and text(part.right) == text(node)
        )
        return any(self.counts_updates(part, where) for left, where in moduli for part in walk(left) if text(part) != text(node))

    def counts_micro_batches(self, node: cst.CSTNode, site: Site) -> bool:
        """A name that grows in every iteration, whatever it is called."""
        name, loop = dotted(node), self.loop
        grown = [d for d in self.resolver.all_of(name, site.frame) if d.how == "augment"] if name else []
        after = [d.path[d.path.index(loop) + 1 :] for d in grown if loop is not None and loop in d.path]
        return any(all(guard.kind != "branch" or guard.usual for guard in path) for path in after)

    def multiplied_later(self, key: str) -> bool:
        """The sum itself is multiplied by N, or divided by a number of updates, where it is used."""
        name = key.partition(":")[2] or key
        tree, factors = self.trace.facts.tree, self.factors
        for definition in self.trace.definitions.get(key, ()):
            grown = isinstance(definition.node, cst.AugAssign) and isinstance(definition.node.operator, cst.MultiplyAssign)
            if grown and definition.value is not None and factors.mentions_steps(definition.value, site_of(definition)):
                return True
        for each, site in self.uses(key):
            for node in tree.of(cst.BinaryOperation, each):
                if not any(dotted(n) == name for n in tree.below(node.left)):
                    continue
                by_steps = factors.mentions_steps(node, site) or factors.is_steps(node.right, site)
                if isinstance(node.operator, cst.Multiply) and by_steps:
                    return True
                if not isinstance(node.operator, cst.Divide):
                    continue
                counts = [n for n in walk(node.right) if _COUNTS_UPDATES.search(last_name(n) or "")]
                if counts and not any(self.counts_micro_batches(n, site) for n in counts):
                    return True
                if not by_steps and any(self.counts_updates(n, site) for n in walk(node.right)):
                    return True
                if self.counts_windows_in(node.right, site):
                    return True
        return False

    def counts_windows_in(self, node: cst.BaseExpression, site: Site) -> bool:
        """`len(loader) / N`, under a name and in a call as well: the number of windows in what is divided by it."""
        names = (each for each in walk(node) if isinstance(each, (cst.Name, cst.Attribute)))
        values = [(node, site), *(found for each in names for found in self.resolver.follow(each, site))]
        return any(
            isinstance(part, cst.BinaryOperation)
            and isinstance(part.operator, (cst.Divide, cst.FloorDivide))
            and self.factors.is_steps(part.right, where)
            for value, where in values
            for part in walk(value)
        )

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


def _same_question(a: Guard, b: Guard) -> bool:
    if a.group == b.group or a.kind != b.kind or a.frame is not b.frame or a.test is None or b.test is None:
        return a.group == b.group and a.arm == b.arm
    return a.arm == b.arm and text(a.test) == text(b.test)


def _is_zero(node: cst.BaseExpression) -> bool:
    """`0`, `[]`, `torch.zeros(1)`, `torch.tensor(0.0)`."""
    if isinstance(node, cst.Call):
        name = last_name(node.func)
        return name in ("zeros", "zeros_like") or (name == "tensor" and [literal(arg.value) for arg in node.args[:1]] == [0])
    return literal(node) in (0, 0.0) or (isinstance(node, cst.List) and not node.elements)
