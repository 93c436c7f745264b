"""What becomes of a loss that is reported: whether the division by N is undone, or made up for by a sum over the window."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import libcst as cst

from gradlint.model.factors import Factors
from gradlint.model.paths import Guard
from gradlint.model.records import Definition, Frame, RawEvent, Site, site_of
from gradlint.model.resolve import Resolver
from gradlint.model.syntax import NOT_LITERAL, calls_in, dotted, last_name, literal, text, walk
from gradlint.model.window import Steps

_CHECKS = frozenset({"isnan", "isinf", "isfinite"})
_COUNTS_UPDATES = re.compile(r"global_step|logging_steps|log_steps|update|optim|completed_steps", re.I)


class Ledger:
    """The reports of one micro loop (`loop` is None for a loopless body; `windowed` where it runs over one window).

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

    def restores(self, raw: RawEvent) -> bool:
        """The report multiplies by N again, sums the divided losses over exactly one window, or is none."""
        if self.sums_reports(raw) or self.listed_and_summed(raw):
            return True
        return any(self.made_up_for(*place, raw) for place in self.places(raw.node, raw.site))

    def places(
        self, node: cst.CSTNode, site: Site, position: int | None = None
    ) -> Iterator[tuple[cst.CSTNode, Site, int | None]]:
        """Where a value is reported: where it stands, and where the functions that return it are called.

        The number is its place in the tuple that such a call returns.
        """
        yield node, site, position
        for given in self.trace.returns.get(site.frame.number, ()):
            parts = [each.value for each in given.value.elements] if isinstance(given.value, cst.Tuple) else [given.value]
            held = [place for place, part in enumerate(parts) if part is not None and self.stands_for(part, site_of(given), node)]
            for call in self.trace.calls if held else ():
                if self.trace.activations.get((id(call.call), call.frame.number)) is site.frame:
                    yield from self.places(call.call, site_of(call), held[0] if len(parts) > 1 else None)

    def stands_for(self, value: cst.BaseExpression, site: Site, node: cst.CSTNode) -> bool:
        return any(self.trace.facts.tree.holds(each, node) for each, _ in self.resolver.follow(value, site))

    def made_up_for(self, node: cst.CSTNode, site: Site, position: int | None, raw: RawEvent) -> bool:
        """What is done with a value at one place makes the number true, or makes it none that anybody sees."""
        tree = self.trace.facts.tree
        returned = (given.value for given in self.trace.returns.get(site.frame.number, ()))
        if any(value is not None and tree.holds(value, node) and self.multiplied(value, node, site) for value in returned):
            return True
        for definitions in self.trace.definitions.values():
            for definition in definitions:
                if definition.value is None or not tree.holds(definition.value, node):
                    continue
                if None not in (position, definition.position) and position != definition.position:
                    continue
                if self.multiplied(definition.value, node, site):
                    return True
                if definition.how == "augment" and not self.reported(definition.key):
                    return True
                keys = (definition.key, *self.sums_of(definition))
                if any(self.summed_over_window(key) or self.multiplied_later(key) for key in keys):
                    return True
        for call in self.trace.calls:
            if last_name(call.call.func) in _CHECKS and tree.holds(call.call, node):
                return True
            if (call.statement is not None and call.statement is raw.statement) or tree.holds(call.call, node):
                if self.multiplied(call.call, node, site):
                    return True
        return False

    def sums_reports(self, raw: RawEvent) -> bool:
        """What is reported is a sum, or the mean of one, and each of its parts was looked at where it was added."""
        nodes = self.trace.facts.tree.below(raw.loss) if raw.loss is not None else ()
        names = {dotted(node) for node in nodes if isinstance(node, (cst.Name, cst.Attribute))} - {None}
        return any(self.adds_reports(d, name) for name in names if name for d in self.resolver.reaching(name, raw.site)[0])

    def adds_reports(self, definition: Definition, name: str) -> bool:
        """`total += loss.detach()`, a total of one window, or `total += loss / N` in a loop that it was begun outside of."""
        value = definition.value
        if definition.how != "augment" or value is None:
            return False
        reported = any(last_name(call.func) in ("detach", "item") for call in calls_in(value))
        if reported or self.summed_over_window(definition.key):
            return True
        begun = [d for d in self.resolver.all_of(name, definition.frame) if d.how == "assign"]
        loops = [g for g in definition.path if g.kind == "loop"]
        around = begun and all(any(g not in d.path for g in loops) for d in begun)
        return bool(around) and self.factors.mentions_steps(value, site_of(definition))

    def listed_and_summed(self, raw: RawEvent) -> bool:
        """The losses of one window are put into a list, whose sum is reported, and not its mean."""
        tree = self.trace.facts.tree
        for site in self.trace.calls if self.windowed else ():
            func = site.call.func
            if not isinstance(func, cst.Attribute) or func.attr.value != "append" or not tree.holds(site.call, raw.node):
                continue
            name = dotted(func.value) or ""
            used = [each for each, _ in self.uses(self.trace.key(name, site.frame))]
            sums = [call for each in used for call in calls_in(each) if last_name(call.func) == "sum" and _mentions(call, name)]
            divided = (
                node for each in used for node in tree.of(cst.BinaryOperation, each) if isinstance(node.operator, cst.Divide)
            )
            return bool(sums) and not any(_mentions(node.left, name) for node in divided)
        return False

    def sums_of(self, definition: Definition) -> Iterator[str]:
        """The sums to which a reported value is added under its own name: `value = loss.item(); total += value`."""
        name = definition.key.partition(":")[2] or definition.key
        for key, definitions in self.trace.definitions.items() if definition.how in ("assign", "unpack") else ():
            grown = (d for d in definitions if d.how == "augment" and d.frame is definition.frame)
            if any(d.value is not None and dotted(d.value) == name for d in grown):
                yield key

    def multiplied(self, whole: cst.BaseExpression, node: cst.CSTNode, site: Site) -> bool:
        tree, factors = self.trace.facts.tree, self.factors
        return any(
            isinstance(each.operator, cst.Multiply)
            and tree.holds(each, node)
            and (factors.mentions_steps(each, site) or any(factors.is_steps(s, site) for s in (each.left, each.right)))
            for each in tree.of(cst.BinaryOperation, whole)
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
            last = definition.path[-1] if inside else None
            if last is None or last.kind != "branch":
                continue
            if self.at_boundary(last) or (self.counts_windows(last) and not self.divided_again(key)):
                return True
            if self.of_updates(definition) and not any(True for _ in self.divided_by(key)):
                return True  # the sum of as many windows as a test of its own says
        return False

    def of_updates(self, definition: Definition) -> bool:
        """It happens at the boundary of the window alone."""
        path = definition.path
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
            return all(map(self.of_updates, grown))
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


def _same_question(a: Guard, b: Guard) -> bool:
    if a.group == b.group or a.kind != b.kind or a.frame is not b.frame or a.test is None or b.test is None:
        return a.group == b.group and a.arm == b.arm
    return a.arm == b.arm and text(a.test) == text(b.test)


def _mentions(node: cst.CSTNode, name: str) -> bool:
    return any(dotted(each) == name for each in walk(node))
